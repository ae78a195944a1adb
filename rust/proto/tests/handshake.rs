//! The upgrade, byte for byte: requests of both roles.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "util/upgrade.rs"]
mod upgrade;
mod util;

use std::{io::IoSlice, sync::Arc};

use rust_websocket_proto::{
    CloseCause, Closed, Config, Connection, Event, RequestError, Scheme, TransportEnd,
};
use upgrade::{ACCEPT, KEY, answer_with, request_with, sample_client, strings, text_output, with_protocols};
use util::{
    Seeded, binary, config, epoch, events, feed, frame, only_closed, only_opened, request, server,
    take_output,
};

/// Section 1.3, with the engine's order of lines.
#[test]
fn request_byte_for_byte() {
    let mut config = with_protocols(&["chat", "superchat"]);
    config.handshake_headers = strings(&[
        "Origin: http://example.com",
        "X-B:2",
        "evil: x\r\ninjected: y",
        "Sec-WebSocket-Version: 8",
        "connection: close",
    ]);
    let mut client = sample_client("ws://server.example.com/chat?x=1", config);
    assert_eq!(
        text_output(&mut client),
        "GET /chat?x=1 HTTP/1.1\r\n\
         Host: server.example.com\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: chat,superchat\r\n\
         Origin: http://example.com\r\n\
         X-B:2\r\n\r\n"
    );
}

/// F28: the built-in sends both, which its own server takes and others refuse.
#[test]
fn f28_a_host_of_the_script_replaces_ours() {
    let host = |line: &str| {
        let config = Config { handshake_headers: strings(&["X-A: 1", line]), ..config() };
        let request = text_output(&mut sample_client("ws://127.0.0.1:9080/x", config));
        let lines: Vec<_> = request.lines().map(str::to_owned).collect();
        assert_eq!(lines.iter().filter(|line| line.to_ascii_lowercase().starts_with("host:")).count(), 1);
        assert_eq!(lines[6..], ["X-A: 1", ""], "{request}");
        let opened = only_opened(feed(&mut server(self::config(), epoch()), request.as_bytes(), epoch()));
        (lines[1].clone(), opened.requested_url.unwrap())
    };
    assert_eq!(host("Host: game.example"), ("Host: game.example".into(), "ws://game.example/x".into()));
    assert_eq!(host("HOST:[::1]:80"), ("HOST:[::1]:80".into(), "ws://[::1]:80/x".into()));
    assert_eq!(host("Host: no host"), ("Host: 127.0.0.1:9080".into(), "ws://127.0.0.1:9080/x".into()));
}

/// F28: what the handshake says itself is said once.
#[test]
fn f28_own_headers_are_left_out_of_an_answer() {
    let headers = [
        "Upgrade: h2c",
        "Connection: close",
        "Sec-WebSocket-Accept: x",
        "Sec-WebSocket-Protocol: x",
        "Sec-WebSocket-Extensions: x",
        "Content-Length: 5",
        "Transfer-Encoding: chunked",
        "X-A: 1",
    ];
    let config = Config { handshake_headers: strings(&headers), ..config() };
    let mut server = server(config, epoch());
    only_opened(feed(&mut server, request_with("X", "X: y").as_bytes(), epoch()));
    assert_eq!(
        text_output(&mut server),
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {ACCEPT}\r\nX-A: 1\r\n\r\n"
        )
    );
}

/// F30: the built-in drops the user name and password of a URL.
#[test]
fn f30_credentials_of_a_url_are_sent() {
    let mut client = sample_client("ws://Aladdin:open%20sesame@game.example/x", config());
    assert_eq!(
        text_output(&mut client),
        "GET /x HTTP/1.1\r\nHost: game.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"
    );
    let config = Config { handshake_headers: strings(&["authorization: Bearer token"]), ..config() };
    let request = text_output(&mut sample_client("ws://name:password@game.example", config));
    assert!(request.ends_with("\r\nSec-WebSocket-Version: 13\r\nauthorization: Bearer token\r\n\r\n"));
}

/// F15: the built-in sends `Host: ::1:80`.
#[test]
fn f15_ipv6_literals_have_brackets() {
    let request = text_output(&mut sample_client("ws://[::1]:9080", config()));
    assert!(request.starts_with("GET / HTTP/1.1\r\nHost: [::1]:9080\r\n"), "{request}");
}

#[test]
fn acceptance_byte_for_byte_however_it_is_cut() {
    let request = request_with("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: z, superchat,chat");
    for cut in 0..request.len() {
        let mut config = with_protocols(&["chat", "superchat"]);
        config.handshake_headers = strings(&["X-A: 1", "no colon"]);
        let mut server = server(config, epoch());
        let (head, tail) = request.as_bytes().split_at(cut);
        assert!(feed(&mut server, head, epoch()).is_empty());
        assert!(!server.has_output());
        let opened = only_opened(feed(&mut server, tail, epoch()));
        assert_eq!(opened.selected_protocol, "superchat");
        assert_eq!(opened.requested_url.unwrap(), "ws://server.example.com/chat?x=1");
        assert_eq!(
            text_output(&mut server),
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {ACCEPT}\r\nSec-WebSocket-Protocol: superchat\r\nX-A: 1\r\n\r\n"
            )
        );
        assert_eq!(server.next_deadline(), None);
    }
}

#[test]
fn accepted_requests() {
    let rows = [
        // F12: tokens in any case and order, over several lines.
        ("Connection", "Connection: keep-alive, UPGRADE"),
        ("Connection", "Connection: keep-alive\r\nConnection: upgrade"),
        ("Upgrade", "upgrade: WebSocket"),
        ("Upgrade", "Upgrade: h2c, websocket"),
        ("Host", "hOST:   a:1  "),
        ("X", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"),
        // F13: a server without protocols goes on without one.
        ("X", "Sec-WebSocket-Protocol: a, b"),
        ("GET", "\r\nGET / HTTP/1.1"),
    ];
    for (prefix, lines) in rows {
        let mut server = server(config(), epoch());
        let opened = only_opened(feed(&mut server, request_with(prefix, lines).as_bytes(), epoch()));
        assert_eq!(opened.selected_protocol, "", "{lines}");
        assert!(!text_output(&mut server).contains("Extensions"));
    }
}

#[test]
fn requested_urls() {
    let rows = [
        (Scheme::Ws, "/", "ws://h:1/"),
        (Scheme::Wss, "/a/../b?c=%20", "wss://h:1/a/../b?c=%20"),
        (Scheme::Ws, "http://other:2/x?y", "ws://other:2/x?y"),
        (Scheme::Wss, "WSS://other", "wss://other/"),
        (Scheme::Ws, "http://other?y", "ws://other/?y"),
    ];
    for (scheme, target, url) in rows {
        let mut server = Connection::server(scheme, config(), epoch());
        let request =
            request_with("GET", &format!("GET {target} HTTP/1.1")).replace("server.example.com", "h:1");
        assert_eq!(only_opened(feed(&mut server, request.as_bytes(), epoch())).requested_url.unwrap(), url);
    }
}

/// Status and end of a refused request; checks the shape of the answer.
fn refuse(config: Config, request: &[u8]) -> (u16, CloseCause, String) {
    let mut server = server(config, epoch());
    let Closed { code, reason, cause } = only_closed(feed(&mut server, request, epoch()));
    assert_eq!((code, &reason[..]), (None, ""));
    assert_eq!(server.next_deadline(), None);
    let answer = text_output(&mut server);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("\r\nConnection: close"), "{head}");
    assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())), "{head}");
    assert!(!body.is_empty() && body.ends_with('\n'));
    let status = head.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap();
    assert!(
        cause
            .to_string()
            .starts_with(&format!("the WebSocket handshake was refused with HTTP status {status}: "))
    );
    (status, cause, head.to_owned())
}

/// F13: the built-in just drops these.
#[test]
fn refused_requests() {
    use RequestError::*;
    let rows = [
        ("GET", "POST / HTTP/1.1", 405, Method),
        ("GET", "get / HTTP/1.1", 405, Method),
        ("GET", "GET / HTTP/1.0", 505, HttpVersion),
        ("GET", "GET / HTTP/2.0", 505, HttpVersion),
        ("GET", "GET * HTTP/1.1", 400, Target),
        ("GET", "GET host:80 HTTP/1.1", 400, Target),
        ("GET", "GET ftp://host/x HTTP/1.1", 400, Target),
        ("GET", "GET http:///x HTTP/1.1", 400, Target),
        ("GET", "GET /a b HTTP/1.1", 505, HttpVersion),
        ("Host", "", 400, Host),
        ("Host", "Host:", 400, Host),
        ("Host", "Host: a b", 400, Host),
        ("Host", "Host: a/b", 400, Host),
        ("Host", "Host: user@a", 400, Host),
        ("Host", "Host: \u{e4}", 400, Host),
        ("Host", "Host: a\r\nHost: a", 400, Host),
        ("Upgrade", "", 426, NoUpgrade),
        ("Upgrade", "Upgrade: h2c", 426, NoUpgrade),
        ("Connection", "", 400, NoConnectionUpgrade),
        // F12: the built-in accepts this.
        ("Connection", "Connection: foo", 400, NoConnectionUpgrade),
        ("Connection", "Connection: upgrades", 400, NoConnectionUpgrade),
        ("Sec-WebSocket-Key", "", 400, Key),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Key: short", 400, Key),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA", 400, Key),
        ("X", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", 400, Key),
        ("Sec-WebSocket-Version", "", 426, WebSocketVersion),
        ("Sec-WebSocket-Version", "Sec-WebSocket-Version: 8", 426, WebSocketVersion),
        ("Sec-WebSocket-Version", "Sec-WebSocket-Version: 13, 8", 426, WebSocketVersion),
        ("X", "X: a\r\n folded", 400, Malformed("header name")),
        ("X", "X : a", 400, Malformed("header name")),
        ("X", "X: a\0", 400, Malformed("header value")),
        ("X", "X: a\rb", 400, Malformed("header value")),
        ("X", "X: a\n", 400, Malformed("bare line feed")),
        ("X", "X: a\nY: b", 400, Malformed("bare line feed")),
        ("X", "Content-Length: 5", 400, Body),
        ("X", "Transfer-Encoding: chunked", 400, Body),
        ("GET", "\u{1} something else", 400, NotHttp),
        ("GET", "\u{16}\u{3}\u{1} a TLS greeting", 400, Tls),
        ("GET", "\u{15}\u{3}\u{1} a TLS alert", 400, Tls),
        ("Host", "Host: `", 400, Host),
        ("Host", "Host: a:b", 400, Host),
    ];
    for (prefix, lines, status, error) in rows {
        let (seen, cause, head) = refuse(config(), request_with(prefix, lines).as_bytes());
        assert_eq!((seen, cause), (status, CloseCause::Request(error)), "{lines:?}");
        match status {
            405 => assert!(head.contains("\r\nAllow: GET")),
            426 => {
                assert!(
                    head.contains("\r\nSec-WebSocket-Version: 13") && head.contains("\r\nUpgrade: websocket")
                );
            }
            _ => {}
        }
    }
}

#[test]
fn servers_with_protocols_insist() {
    let supported = || with_protocols(&["a", "b"]);
    for lines in ["X: y", "Sec-WebSocket-Protocol: c, A, ab", "Sec-WebSocket-Protocol:"] {
        let (status, cause, _) = refuse(supported(), request_with("X", lines).as_bytes());
        assert_eq!((status, cause), (400, CloseCause::Request(RequestError::Subprotocol)), "{lines}");
    }
    let lines = "Sec-WebSocket-Protocol: c\r\nSec-WebSocket-Protocol: b ,a";
    let opened =
        only_opened(feed(&mut server(supported(), epoch()), request_with("X", lines).as_bytes(), epoch()));
    assert_eq!(opened.selected_protocol, "b");
}

/// F18: the built-in hangs over 4 096 bytes.
#[test]
fn f18_heads_of_up_to_16_kib() {
    let padded = |size: usize| {
        let bare = request_with("X", "X: ").len();
        request_with("X", &format!("X: {}", "x".repeat(size - bare)))
    };
    let mut exact = server(config(), epoch());
    only_opened(feed(&mut exact, padded(16 * 1024).as_bytes(), epoch()));
    let (status, cause, _) = refuse(config(), padded(16 * 1024 + 1).as_bytes());
    assert_eq!((status, cause), (431, CloseCause::Request(RequestError::HeadTooLarge)));
    let (status, ..) = refuse(config(), &[b'x'; 16 * 1024]);
    assert_eq!(status, 431);
    let (status, cause, _) = refuse(config(), request_with("X", &["X: y"; 130].join("\r\n")).as_bytes());
    assert_eq!((status, cause), (431, CloseCause::Request(RequestError::TooManyHeaders)));
}

#[test]
fn frames_right_behind_the_request() {
    let request = [request_with("X", "X: y").as_bytes(), &frame(0x82, b"early", true)].concat();
    for cut in 0..request.len() {
        let mut server = server(config(), epoch());
        let mut all = feed(&mut server, &request[..cut], epoch());
        all.extend(feed(&mut server, &request[cut..], epoch()));
        assert!(
            matches!(&all[..], [Event::Opened(_), Event::Message(message)] if *message == binary(b"early"))
        );
    }
}

#[test]
fn the_transport_ends_in_the_request() {
    let mut server = server(config(), epoch());
    server.handle_input(b"GET / HTTP/1.1\r\n", epoch());
    server.handle_transport_end(TransportEnd::Eof);
    let closed = only_closed(events(&mut server, epoch()));
    assert_eq!(
        closed.cause.to_string(),
        "the WebSocket handshake failed: the other side ended the connection"
    );
}

#[test]
fn a_request_and_the_end_of_the_transport() {
    let mut server = server(config(), epoch());
    server.handle_input(request_with("X", "X: y").as_bytes(), epoch());
    server.handle_transport_end(TransportEnd::Eof);
    let all = events(&mut server, epoch());
    assert!(
        matches!(&all[..], [Event::Opened(_), Event::Closed(closed)] if closed.code.is_none()),
        "{all:?}"
    );
}

#[test]
fn a_partly_written_request_is_dropped_by_closing() {
    let mut client = sample_client("ws://a", config());
    client.advance_output(10, epoch());
    client.close(1000, "", epoch());
    assert_eq!(client.output(&mut [IoSlice::new(&[])]), 0);
    only_closed(feed(&mut client, answer_with("X", "X: y").as_bytes(), epoch()));
}

#[test]
fn keys_differ_between_connections() {
    let random = Arc::new(Seeded::new(3));
    let keys: Vec<String> = (0..3)
        .map(|_| {
            let mut client = Connection::client(&request("ws://a"), config(), random.clone(), epoch());
            let request = text_output(&mut client);
            request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap().to_owned()
        })
        .collect();
    assert!(keys[0] != keys[1] && keys[1] != keys[2]);
    assert!(keys.iter().all(|key| key.len() == KEY.len()));
}

#[test]
fn the_head_byte_by_byte() {
    let mut server = server(config(), epoch());
    let request = request_with("X", "X: y");
    for byte in &request.as_bytes()[..request.len() - 1] {
        assert!(feed(&mut server, &[*byte], epoch()).is_empty());
    }
    only_opened(feed(&mut server, b"\n", epoch()));
}

/// What follows the head is frames and nothing else.
#[test]
fn garbage_right_behind_the_request() {
    for garbage in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n", "\0\0\0"] {
        let request = request_with("X", "X: y") + garbage;
        let mut server = server(config(), epoch());
        let all = feed(&mut server, request.as_bytes(), epoch());
        assert!(matches!(&all[..], [Event::Opened(_), Event::Closed(closed)] if closed.code == Some(1002)));
        let output = take_output(&mut server);
        assert!(output.starts_with(b"HTTP/1.1 101 ") && output.ends_with(&frame(0x88, &[3, 234], false)));
    }
}
