#![no_main]
//! Requests as data, and the answers to them.

use libfuzzer_sys::fuzz_target;
use rust_websocket_proto::http::{Answer, Request};

fuzz_target!(|data: &[u8]| {
    let Ok(request) = Request::parse(data) else { return };
    _ = (request.path(), request.query(), request.query_parameters(), request.cookies(), request.origin());
    _ = (request.host(), request.authority(), request.protocols(), request.is_upgrade(), request.has_body());
    let lines: Vec<String> = request.headers().map(|(name, value)| format!("{name}: {value}")).collect();
    let path = request.path().into_owned();
    if let Ok(answer) = Answer::text(200, path, lines) {
        let encoded = format!("{:?}", answer.encode(request.method()));
        assert!(!encoded.is_empty());
    }
});
