#![no_main]
//! Redirects: a URL, and a `Location` for each further line. None leads where none may, and what was meant for one server goes
//! to no other.

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use rust_websocket_fuzz::{Fixed, config, now, server, take_output};
use rust_websocket_proto::{ClientRequest, Connection, Event, HttpResponse, Redirects, Scheme, Target};

const LIMIT: usize = 4;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let Ok(mut from) = lines.next().map_or(Target::parse(""), Target::parse) else { return };
    let mut redirects = Redirects::new(from.clone(), LIMIT);
    let mut headers = vec!["Authorization: Basic c2VjcmV0".to_owned(), "X-Mine: 1".to_owned()];
    for location in lines {
        let locations = vec![format!("Location: {location}")];
        let answer = HttpResponse { status: 302, headers: locations, ..HttpResponse::default() };
        let Ok(to) = redirects.follow(&answer, &mut headers) else { continue };
        assert_eq!(to.socket_path, from.socket_path);
        assert!(from.scheme == Scheme::Ws || to.scheme == Scheme::Wss);
        if (to.scheme, &to.host, to.port) != (from.scheme, &from.host, from.port) {
            assert_eq!(headers, ["X-Mine: 1"]);
        }
        from = to.clone();
        is_understood(from.clone());
    }
    assert!(redirects.followed() <= LIMIT);
});

/// The request is one that our server takes, and no more than that.
fn is_understood(target: Target) {
    let mut client =
        Connection::client(&ClientRequest { target }, config(false, false), Arc::new(Fixed), now());
    let request = take_output(&mut client);
    if request.len() > 16 * 1024 {
        return; // refused for its size
    }
    assert_eq!(request.windows(4).filter(|part| *part == b"\r\n\r\n").count(), 1);
    let mut server = server(config(false, false));
    server.handle_input(&request, now());
    let event = server.poll_event(now());
    assert!(matches!(event, Some(Event::Opened(_))), "{}\n{event:?}", String::from_utf8_lossy(&request));
}
