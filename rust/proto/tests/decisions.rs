//! Requests that are decided on before they are answered.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod util;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use rust_websocket_proto::{
    Budget, CloseCause, Closed, Config, Connection, Endpoint, EndpointOptions, Event, Farewell, Polled,
    ReceiveLimits, RequestError, Scheme, SendLimits, TransportEnd,
    http::{Answer, Decision, Method},
};
use util::*;

const UPGRADE: &str = "GET /room/7?a=1 HTTP/1.1\r\nHost: game.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
const PLAIN: &str = "GET /health HTTP/1.1\r\nHost: game.example\r\n";
const TIMEOUT: Duration = Duration::from_secs(10);

fn asking() -> Config {
    Config { request_timeout: Some(TIMEOUT), ..config() }
}

fn with_protocols(protocols: &[&str]) -> Config {
    let supported_protocols = protocols.iter().map(|name| (*name).to_owned()).collect();
    Config { supported_protocols, ..asking() }
}

/// A server that was sent this head and asks.
fn asked(config: Config, head: &str) -> Connection {
    let mut server = server(config, epoch());
    let events = feed(&mut server, format!("{head}\r\n").as_bytes(), epoch());
    assert!(events.is_empty(), "{events:?}");
    assert!(server.pending_request().is_some() && !server.has_output());
    server
}

fn decide(server: &mut Connection, decision: Decision) -> (Vec<Event>, String) {
    server.decide(decision);
    let events = events(server, epoch());
    (events, String::from_utf8_lossy(&take_output(server)).into_owned())
}

fn answer(status: i64, body: &str) -> Decision {
    Decision::Answer(Answer::text(status, body, Vec::new()).unwrap())
}

fn accept(protocol: Option<&str>, headers: &[&str]) -> Decision {
    let headers = headers.iter().map(|line| (*line).to_owned()).collect();
    Decision::Accept { protocol: protocol.map(str::to_owned), headers }
}

fn answered(status: u16) -> CloseCause {
    CloseCause::Answered { status }
}

#[test]
fn a_request_is_shown_however_it_is_cut() {
    let head = format!("{UPGRADE}\r\n");
    for cut in 0..head.len() {
        let mut server = server(asking(), epoch());
        assert!(feed(&mut server, &head.as_bytes()[..cut], epoch()).is_empty());
        assert!(server.pending_request().is_none(), "{cut}");
        assert!(feed(&mut server, &head.as_bytes()[cut..], epoch()).is_empty());
        let request = Arc::clone(server.pending_request().unwrap());
        assert_eq!((&*request.path(), &*request.query()), ("/room/7", "a=1"));
        assert_eq!((request.method(), request.is_upgrade()), (Method::Get, true));
    }
}

/// Accepted without a wish, the bytes are those of a server that does not ask.
#[test]
fn acceptance_byte_for_byte() {
    let mut quiet = Config { request_timeout: None, ..with_protocols(&["v1"]) };
    quiet.handshake_headers = vec!["X-Own: yes".to_owned()];
    let head = format!("{UPGRADE}Sec-WebSocket-Protocol: v2, v1\r\n");
    let mut default = server(quiet.clone(), epoch());
    let opened = only_opened(feed(&mut default, format!("{head}\r\n").as_bytes(), epoch()));
    let expected = String::from_utf8(take_output(&mut default)).unwrap();
    let mut server = asked(Config { request_timeout: Some(TIMEOUT), ..quiet.clone() }, &head);
    let (events, output) = decide(&mut server, Decision::accept());
    assert_eq!(output, expected);
    let asked_opened = only_opened(events);
    assert_eq!(asked_opened.requested_url, opened.requested_url);
    assert_eq!(asked_opened.selected_protocol, "v1");

    let mut server = asked(Config { request_timeout: Some(TIMEOUT), ..quiet }, &head);
    let (events, output) = decide(&mut server, accept(Some("v2"), &["Set-Cookie: a=b", "evil: x\r\ny: z"]));
    assert_eq!(only_opened(events).selected_protocol, "v2");
    assert!(output.contains("\r\nSec-WebSocket-Protocol: v2\r\n"), "{output}");
    assert!(output.ends_with("\r\nX-Own: yes\r\nSet-Cookie: a=b\r\n\r\n"), "{output}");
}

#[test]
fn frames_behind_the_request_wait() {
    let mut server = asked(asking(), UPGRADE);
    assert!(feed(&mut server, &frame(0x82, b"early", true), epoch()).is_empty());
    let (events, _) = decide(&mut server, Decision::accept());
    assert!(
        matches!(&events[..], [Event::Opened(_), Event::Message(message)] if *message == binary(b"early"))
    );
}

#[test]
fn refused_with_a_close_frame() {
    for (lines, protocols, selected) in [
        ("", &[][..], None),
        ("", &["v1"], None),
        ("Sec-WebSocket-Protocol: v2, v1\r\n", &["v1"], Some("v1")),
        ("Sec-WebSocket-Protocol: v2, v1\r\n", &[], Some("v2")),
        ("Sec-WebSocket-Protocol: v2, v1\r\n", &["v3"], Some("v2")),
    ] {
        let mut server = asked(with_protocols(protocols), &format!("{UPGRADE}{lines}"));
        server.decide(Decision::refuse(1013, "the server is full").unwrap());
        assert!(events(&mut server, epoch()).is_empty(), "nobody is told that it was open");
        assert!(!server.is_open());
        let output = take_output(&mut server);
        let frame_start = output.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        let (head, close) = output.split_at(frame_start);
        let head = String::from_utf8_lossy(head);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let line = selected.map(|name| format!("\r\nSec-WebSocket-Protocol: {name}\r\n"));
        assert_eq!(head.contains("Sec-WebSocket-Protocol"), line.is_some());
        assert!(line.is_none_or(|line| head.contains(&line)), "{head}");
        assert_eq!(close, frame(0x88, b"\x03\xf5the server is full", false));
        let ended = feed(&mut server, &frame(0x82, b"ignored", true), epoch());
        assert!(ended.is_empty(), "{ended:?}");
        let closed = only_closed(feed(&mut server, &frame(0x88, b"\x03\xf5", true), epoch()));
        assert_eq!((closed.code, closed.cause), (Some(1013), CloseCause::Clean));
    }
}

#[test]
fn a_refused_client_that_does_not_answer_is_cut() {
    let start = epoch();
    let mut server = asked(asking(), UPGRADE);
    server.decide(Decision::refuse(4003, "").unwrap());
    assert!(events(&mut server, start).is_empty());
    let due = start + config().close_timeout;
    assert_eq!(server.next_deadline(), Some(due));
    server.handle_timeout(due);
    let closed = only_closed(events(&mut server, due));
    assert!(matches!(closed.cause, CloseCause::CloseTimeout { .. }));
}

#[test]
fn answered_with_http() {
    let mut server = asked(asking(), PLAIN);
    assert!(!server.pending_request().unwrap().is_upgrade());
    let (events, output) = decide(&mut server, answer(200, "ok"));
    assert_eq!(only_closed(events).cause, answered(200));
    assert!(output.starts_with("HTTP/1.1 200 OK\r\n") && output.ends_with("\r\n\r\nok"), "{output}");

    let mut server = asked(asking(), &PLAIN.replace("GET", "HEAD"));
    let (events, output) = decide(&mut server, answer(200, "ok"));
    assert_eq!(only_closed(events).cause, answered(200));
    assert!(output.ends_with("Content-Length: 2\r\n\r\n"), "{output}");

    let mut server = asked(asking(), UPGRADE);
    let (events, output) = decide(&mut server, answer(403, ""));
    assert_eq!(only_closed(events).cause, answered(403));
    assert!(output.ends_with("\r\n\r\nForbidden"), "{output}");
}

#[test]
fn large_bodies_are_not_copied() {
    let body = Bytes::from(vec![7; 1 << 20]);
    let mut server = asked(asking(), PLAIN);
    server.decide(Decision::Answer(Answer::binary(200, body.clone(), Vec::new()).unwrap()));
    assert_eq!(only_closed(events(&mut server, epoch())).cause, answered(200));
    let mut slices = [std::io::IoSlice::new(&[]); 4];
    assert_eq!(server.output(&mut slices), 2);
    assert_eq!(slices[1].as_ptr(), body.as_ptr());
}

/// One answer, whatever stands behind the request, and the end.
#[test]
fn bodies_and_pipelined_requests() {
    for behind in [PLAIN, UPGRADE, "rubbish", "\0\0"] {
        let mut server = server(asking(), epoch());
        assert!(feed(&mut server, format!("{PLAIN}\r\n{behind}\r\n").as_bytes(), epoch()).is_empty());
        let (events, output) = decide(&mut server, answer(200, "ok"));
        assert_eq!(only_closed(events).cause, answered(200));
        assert_eq!(output.matches("HTTP/1.1").count(), 1, "{output}");
        assert!(feed(&mut server, format!("{PLAIN}\r\n").as_bytes(), epoch()).is_empty());
        assert!(server.pending_request().is_none() && !server.has_output());
    }
    for lines in [
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Content-Length: 0\r\nContent-Length: 5\r\n",
    ] {
        for head in [PLAIN, UPGRADE] {
            let mut server = server(asking(), epoch());
            let events = feed(&mut server, format!("{head}{lines}\r\nhello").as_bytes(), epoch());
            assert_eq!(only_closed(events).cause, CloseCause::Request(RequestError::Body), "{lines}");
            let output = String::from_utf8(take_output(&mut server)).unwrap();
            assert!(output.starts_with("HTTP/1.1 400 ") && output.matches("HTTP/1.1").count() == 1);
            assert!(server.pending_request().is_none());
        }
    }
}

#[test]
fn what_is_refused_without_asking() {
    let with = |from: &str, to: &str| UPGRADE.replace(from, to);
    for (head, error) in [
        (PLAIN.replace("GET", "POST"), RequestError::OtherMethod),
        (PLAIN.replace("GET", "OPTIONS"), RequestError::OtherMethod),
        (PLAIN.replace("1.1", "1.0"), RequestError::HttpVersion),
        (PLAIN.replace("Host: game.example\r\n", ""), RequestError::Host),
        (with("Version: 13", "Version: 8"), RequestError::WebSocketVersion),
        (with("Connection: Upgrade\r\n", ""), RequestError::NoConnectionUpgrade),
        (with("Key: d", "Key: "), RequestError::Key),
        ("\u{16}\u{3}\u{1}".to_owned(), RequestError::Tls),
    ] {
        let mut server = server(asking(), epoch());
        let events = feed(&mut server, format!("{head}\r\n").as_bytes(), epoch());
        assert_eq!(only_closed(events).cause, CloseCause::Request(error), "{head}");
        let output = String::from_utf8(take_output(&mut server)).unwrap();
        assert!(output.starts_with(&format!("HTTP/1.1 {} ", error.status())), "{output}");
        assert_eq!(output.contains("\r\nAllow: GET, HEAD\r\n"), error == RequestError::OtherMethod);
    }
}

/// Decisions that cannot be had end in an error answer rather than in something else than was meant.
#[test]
fn decisions_that_cannot_be_had() {
    for (head, decision, error) in [
        (PLAIN.to_owned(), Decision::accept(), RequestError::NoUpgrade),
        (PLAIN.replace("GET", "HEAD"), Decision::accept(), RequestError::Method),
        (PLAIN.to_owned(), Decision::refuse(1013, "").unwrap(), RequestError::NoUpgrade),
        (UPGRADE.to_owned(), accept(Some("v1"), &[]), RequestError::Subprotocol),
    ] {
        let mut server = asked(asking(), &head);
        let (events, output) = decide(&mut server, decision);
        assert_eq!(only_closed(events).cause, CloseCause::Request(error));
        assert!(output.starts_with(&format!("HTTP/1.1 {} ", error.status())), "{output}");
    }
    let mut server = asked(with_protocols(&["v1"]), UPGRADE);
    let (events, _) = decide(&mut server, Decision::accept());
    assert_eq!(
        only_closed(events).cause,
        CloseCause::Request(RequestError::Subprotocol),
        "chosen behind the decision"
    );
}

#[test]
fn the_first_decision_counts() {
    let mut server = asked(asking(), PLAIN);
    server.decide(answer(200, "first"));
    assert!(server.pending_request().is_none());
    server.decide(answer(404, "second"));
    let events = events(&mut server, epoch());
    assert_eq!(only_closed(events).cause, answered(200));
    server.decide(answer(404, "third"));
    assert!(take_output(&mut server).ends_with(b"first"));
    assert!(!server.has_output());
}

#[test]
fn nobody_decides() {
    let start = epoch();
    let mut server = server(asking(), start);
    let late = start + Duration::from_secs(2);
    assert!(feed(&mut server, format!("{UPGRADE}\r\n").as_bytes(), late).is_empty());
    assert_eq!(server.next_deadline(), Some(late + TIMEOUT), "the client's time does not run any longer");
    server.handle_timeout(late + TIMEOUT - MS);
    assert!(events(&mut server, late).is_empty() && server.pending_request().is_some());
    server.handle_timeout(late + TIMEOUT);
    assert!(server.pending_request().is_none());
    server.decide(Decision::accept());
    let closed = only_closed(events(&mut server, late + TIMEOUT));
    assert_eq!(closed.cause, CloseCause::RequestTimeout { timeout: TIMEOUT });
    assert!(take_output(&mut server).starts_with(b"HTTP/1.1 503 Service Unavailable\r\n"));
}

#[test]
fn the_client_leaves() {
    for end in [TransportEnd::Eof, TransportEnd::Error("reset".to_owned())] {
        let mut server = asked(asking(), UPGRADE);
        server.handle_transport_end(end);
        let closed: Closed = only_closed(events(&mut server, epoch()));
        assert!(matches!(closed.cause, CloseCause::ConnectFailed { .. }));
        assert!(server.pending_request().is_none());
        server.decide(Decision::accept());
        assert!(events(&mut server, epoch()).is_empty() && !server.has_output());
    }
}

#[test]
fn this_side_closes() {
    let mut server = asked(asking(), UPGRADE);
    server.close(1001, "", epoch());
    assert!(matches!(
        only_closed(events(&mut server, epoch())).cause,
        CloseCause::ClosedWhileConnecting { .. }
    ));
    assert!(server.pending_request().is_none());
}

fn asked_endpoint(head: &str, now: std::time::Instant) -> Endpoint {
    let options = EndpointOptions {
        send_limits: SendLimits { bytes: 0, messages: 0 },
        receive_limits: ReceiveLimits { bytes: usize::MAX, messages: usize::MAX },
        read_ahead: 0,
        half_close: true,
    };
    let mut endpoint = Endpoint::server(Scheme::Ws, asking(), options, now);
    endpoint.handle_read(format!("{head}\r\n").as_bytes(), now);
    assert!(matches!(endpoint.poll_event(&mut Budget::unlimited(), now), Polled::Idle));
    assert!(endpoint.pending_request().is_some());
    endpoint
}

/// A page for phones on a slow link: writing it may take longer than leaving.
#[test]
fn a_large_answer_has_30_seconds() {
    let start = epoch();
    let mut endpoint = asked_endpoint(PLAIN, start);
    let page = Answer::binary(200, Bytes::from(vec![7; 1 << 20]), Vec::new()).unwrap();
    endpoint.decide(Decision::Answer(page));
    let event = endpoint.poll_event(&mut Budget::unlimited(), start);
    assert!(matches!(event, Polled::Event(Event::Closed(_))), "{event:?}");
    endpoint.wrote(1000, start);
    assert_eq!(endpoint.farewell(start + 29 * SECOND), Some(Farewell::WriteMore));
    let mut slow = endpoint;
    slow.wrote(1 << 21, start + 20 * SECOND);
    assert_eq!(slow.farewell(start + 20 * SECOND), Some(Farewell::SendFin));
    slow.fin_sent();
    assert_eq!(slow.farewell(start + 21 * SECOND), Some(Farewell::ReadOn));
    assert_eq!(
        slow.next_deadline(),
        Some(start + 20 * SECOND + config().close_timeout),
        "as usual from here on"
    );

    let mut endless = asked_endpoint(PLAIN, start);
    endless.decide(answer(200, "ok"));
    endless.poll_event(&mut Budget::unlimited(), start);
    assert_eq!(endless.farewell(start + 30 * SECOND - MS), Some(Farewell::WriteMore));
    assert_eq!(endless.farewell(start + 30 * SECOND), Some(Farewell::Done));
}

#[test]
fn little_is_read_behind_a_pending_request() {
    let now = epoch();
    let mut endpoint = asked_endpoint(UPGRADE, now);
    let mut size = 0;
    while endpoint.wants_read() {
        endpoint.handle_read(&frame(0x82, &[0; 1000], true), now);
        assert!(matches!(endpoint.poll_event(&mut Budget::unlimited(), now), Polled::Idle));
        size += 1000;
        assert!(size < 20_000);
    }
    endpoint.decide(Decision::accept());
    let mut messages = 0;
    while let Polled::Event(event) = endpoint.poll_event(&mut Budget::unlimited(), now) {
        messages += usize::from(matches!(event, Event::Message(_)));
    }
    assert_eq!(messages * 1000, size);
    assert!(endpoint.wants_read());
}
