//! What a client makes of a server's answer: the upgrade, refusals and their bodies.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "util/upgrade.rs"]
mod upgrade;
mod util;

use std::sync::Arc;

use rust_websocket_proto::{CloseCause, Connection, Event, HttpResponse, ResponseError, TransportEnd};
use upgrade::{ACCEPT, answer_with, request_with, sample_client, with_protocols};
use util::{
    MS, Pattern, SECOND, binary, config, epoch, events, feed, frame, only_closed, only_opened, request,
    server, take_output,
};

#[test]
fn accepted_answers_however_they_are_cut() {
    let rows = [
        ("X", "X: y"),
        ("HTTP", "HTTP/1.1 101 "),
        ("HTTP", "HTTP/1.1 101"),
        ("HTTP", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 101 Switching Protocols"),
        // F12: the built-in refuses this.
        ("Connection", "Connection: keep-alive, Upgrade"),
        ("Upgrade", "UPGRADE: WebSocket"),
        ("X", "Sec-WebSocket-Extensions:"),
        // F29: what browsers skip.
        ("X", "Set-Cookie: a=\u{1}b"),
        ("X", "X-Bad : 1\r\nX Bad: 1\r\nX\0: 1\r\nX: \0"),
        ("X", "X: a\r\n folded"),
    ];
    for (prefix, lines) in rows {
        let answer = [answer_with(prefix, lines).as_bytes(), &frame(0x82, b"behind", false)].concat();
        for cut in 0..answer.len() {
            let mut client = sample_client("ws://a", config());
            let mut all = feed(&mut client, &answer[..cut], epoch());
            all.extend(feed(&mut client, &answer[cut..], epoch()));
            assert!(
                matches!(&all[..], [Event::Opened(_), Event::Message(message)] if *message == binary(b"behind")),
                "{lines}: {all:?}"
            );
        }
    }
}

/// F29: as many lines as 16 KiB hold.
#[test]
fn f29_an_answer_of_many_lines() {
    let lines = vec!["a:"; 3000].join("\r\n");
    let mut client = sample_client("ws://a", config());
    only_opened(feed(&mut client, answer_with("X", &lines).as_bytes(), epoch()));
    let lines = vec!["X: y"; 3000].join("\r\n");
    let mut client = sample_client("ws://a", config());
    let closed = only_closed(feed(&mut client, answer_with("X", &lines).as_bytes(), epoch()));
    assert_eq!(closed.cause, CloseCause::Response(ResponseError::HeadTooLarge));
}

/// F31: what a server said when it opened the connection.
#[test]
fn f31_the_answer_of_a_success() {
    let mut client = sample_client("ws://a", config());
    let lines = "Set-Cookie: sid=abc; Path=/\r\nbad line\r\nset-cookie:two=2";
    let opened = only_opened(feed(&mut client, answer_with("X", lines).as_bytes(), epoch()));
    let response = opened.response.unwrap();
    assert_eq!(
        (response.status, &response.reason[..], &response.body[..]),
        (101, "Switching Protocols", &[][..])
    );
    let accept = format!("Sec-WebSocket-Accept: {ACCEPT}");
    let expected = [
        "Upgrade: websocket",
        "Connection: Upgrade",
        &accept,
        "Set-Cookie: sid=abc; Path=/",
        "set-cookie: two=2",
    ];
    assert_eq!(response.headers, expected);
    let opened =
        only_opened(feed(&mut server(config(), epoch()), request_with("X", "X: y").as_bytes(), epoch()));
    assert_eq!(opened.response, None);
}

#[test]
fn refused_answers() {
    use ResponseError::*;
    let rows = [
        ("Upgrade", "", NoUpgrade),
        ("Upgrade", "Upgrade: h2c", NoUpgrade),
        ("Connection", "", NoConnectionUpgrade),
        ("Connection", "Connection: close", NoConnectionUpgrade),
        ("Sec-WebSocket-Accept", "", Accept),
        ("Sec-WebSocket-Accept", "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=", Accept),
        ("X", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", Accept),
        // F19: the built-in accepts this.
        ("X", "Sec-WebSocket-Extensions: permessage-deflate", UnaskedExtension),
        ("X", "Sec-WebSocket-Protocol: a", UnaskedProtocol("a".to_owned())),
        ("X", "X: a\nY: b", Malformed("bare line feed")),
        ("X", "Connection : close", Malformed("the header Connection")),
        ("Upgrade", "Upgrade: websocket,\r\n h2c", Malformed("the header Upgrade")),
        ("HTTP", "HTTP/2 101 x", Malformed("status line")),
        ("HTTP", "HTTP/1.0 101 x", HttpVersion),
        ("HTTP", "HTTP/1.1 1x1 x", Malformed("status line")),
        ("HTTP", "ICY 200 OK", NotHttp),
        // F39: what TLS servers say to a request.
        ("HTTP", "\u{15}\u{3}\u{3} a TLS alert", Tls),
        ("HTTP", "\u{16}\u{3}\u{3} a TLS handshake", Tls),
    ];
    for (prefix, lines, error) in rows {
        let mut client = sample_client("ws://a", config());
        take_output(&mut client);
        let closed = only_closed(feed(&mut client, answer_with(prefix, lines).as_bytes(), epoch()));
        assert_eq!((closed.code, closed.cause), (None, CloseCause::Response(error)), "{lines:?}");
        assert!(!client.has_output());
    }
    let mut client = sample_client("ws://a", config());
    let closed =
        only_closed(feed(&mut client, &[b"HTTP/1.1 101 ", &[b'x'; 16 * 1024][..]].concat(), epoch()));
    assert_eq!(closed.cause, CloseCause::Response(HeadTooLarge));
}

#[test]
fn subprotocols_of_a_client() {
    let answer = |lines: &str| {
        let mut client = sample_client("ws://a", with_protocols(&["a", "b"]));
        feed(&mut client, answer_with("X", lines).as_bytes(), epoch())
    };
    assert_eq!(only_opened(answer("Sec-WebSocket-Protocol:  b ")).selected_protocol, "b");
    assert_eq!(only_closed(answer("X: y")).cause, CloseCause::Response(ResponseError::NoProtocol));
    for (lines, named) in [
        ("Sec-WebSocket-Protocol: c", "c"),
        ("Sec-WebSocket-Protocol: a, b", "a, b"),
        ("Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b", "a, b"),
        ("Sec-WebSocket-Protocol: ", ""),
    ] {
        let error = ResponseError::UnaskedProtocol(named.to_owned());
        assert_eq!(only_closed(answer(lines)).cause, CloseCause::Response(error), "{lines}");
    }
}

fn http_response(events: Vec<Event>) -> HttpResponse {
    only_closed(events).cause.http_response().unwrap().clone()
}

/// F14: status, headers and body of a refusal.
#[test]
fn f14_a_refusal_can_be_read() {
    let answer = "HTTP/1.1 404 Not Found\r\nX-CamelCase: Yes\r\ncontent-length: 9\r\n\r\nno such p and more";
    for cut in 0..answer.len() {
        let mut client = sample_client("ws://a", config());
        let mut all = feed(&mut client, &answer.as_bytes()[..cut], epoch());
        all.extend(feed(&mut client, &answer.as_bytes()[cut..], epoch()));
        let closed = only_closed(all);
        assert_eq!((closed.code, &closed.reason[..]), (None, ""));
        assert_eq!(
            closed.cause.to_string(),
            "the WebSocket handshake failed: the server answered with HTTP status 404 Not Found"
        );
        let response = closed.cause.http_response().unwrap();
        assert_eq!((response.status, &response.reason[..]), (404, "Not Found"));
        assert_eq!(response.headers, ["X-CamelCase: Yes", "content-length: 9"]);
        assert_eq!(response.body, b"no such p");
    }
}

#[test]
fn bodies_of_refusals_are_waited_for_within_bounds() {
    let answer = |text: &str| {
        let mut client = sample_client("ws://a", config());
        let events = feed(&mut client, text.as_bytes(), epoch());
        (client, events)
    };
    let (_, events) = answer("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(http_response(events).status, 204);
    let (_, events) = answer(&format!("HTTP/1.1 500\r\nContent-Length: 9999\r\n\r\n{}", "x".repeat(5000)));
    assert_eq!(http_response(events).body, [b'x'; 4096]);
    let (_, events) =
        answer("HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    assert_eq!(http_response(events).body, b"abcde");

    let open_ended = "HTTP/1.1 403 No\r\n\r\nuntil the end";
    let (mut client, events) = answer(open_ended);
    assert!(events.is_empty());
    client.handle_transport_end(TransportEnd::Eof);
    assert_eq!(http_response(util::events(&mut client, epoch())).body, b"until the end");

    // F49: nothing says how long it is, and the connection stays open.
    let (mut client, events) = answer(open_ended);
    assert!(events.is_empty());
    let due = client.next_deadline().unwrap();
    client.handle_timeout(due);
    assert_eq!(http_response(util::events(&mut client, due)).body, b"until the end");
}

/// F49: the end of a body that nobody announces is not waited for; of one that is announced, for a second.
#[test]
fn f49_how_long_bodies_are_waited_for() {
    for (lines, wait) in [
        ("X: y", 50 * MS),
        ("Content-Length: many", 50 * MS),
        ("Content-Length: 100", SECOND),
        ("Transfer-Encoding: chunked", SECOND),
    ] {
        let start = epoch();
        let mut client =
            Connection::client(&request("ws://a"), config(), Arc::new(Pattern(b"the sample nonce")), start);
        let head = format!("HTTP/1.1 403 No\r\n{lines}\r\n\r\n3\r\n");
        assert!(feed(&mut client, head.as_bytes(), start).is_empty());
        assert!(feed(&mut client, b"x", start + 20 * MS).is_empty());
        assert_eq!(client.next_deadline(), Some(start + wait), "{lines}");
        client.handle_timeout(start + wait);
        assert_eq!(http_response(util::events(&mut client, start + wait)).status, 403);
    }
}

#[test]
fn the_transport_ends_in_the_answer() {
    let mut client = sample_client("ws://a", config());
    client.handle_input(b"HTTP/1.1 101 Sw", epoch());
    client.handle_transport_end(TransportEnd::Error("connection reset".to_owned()));
    let closed = only_closed(events(&mut client, epoch()));
    assert_eq!(closed.cause.to_string(), "the WebSocket handshake failed: connection reset");
}
