#![no_main]
//! URLs and header lines: none panics, and what our client takes our server understands.

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use rust_websocket_fuzz::{Fixed, config, now, server, take_output};
use rust_websocket_proto::{ClientRequest, Config, Connection, Event, Target, ascii_host_name, shown_url};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (url, header) = text.split_once('\n').unwrap_or((text, ""));
    _ = (shown_url(url), ascii_host_name(url));
    let lines: Vec<String> = header.split('\n').filter(|line| !line.is_empty()).map(str::to_owned).collect();
    let Ok(target) = Target::parse(url) else { return };
    if Config::check_handshake_headers(&lines).is_err() {
        return;
    }
    let with_lines = Arc::new(Config { handshake_headers: lines.clone(), ..(*config(false, false)).clone() });
    let mut client = Connection::client(&ClientRequest { target }, with_lines, Arc::new(Fixed), now());
    let request = take_output(&mut client);
    if request.len() > 16 * 1024 || lines.len() > 32 {
        return; // refused for its size
    }
    let mut server = server(config(false, false));
    server.handle_input(&request, now());
    let event = server.poll_event(now());
    let is_own_host = lines.iter().any(|line| line.to_ascii_lowercase().starts_with("host:"));
    assert!(
        is_own_host || matches!(event, Some(Event::Opened(_))),
        "{}\n{event:?}",
        String::from_utf8_lossy(&request)
    );
});
