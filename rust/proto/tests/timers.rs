//! Virtual time: connect, close, heartbeat, pause.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod util;

use std::time::Duration;

use rust_websocket_proto::{CloseCause, ConnectPhase, Connection, TransportEnd};
use util::*;

#[test]
fn connect_timeout_names_the_phase() {
    for (phase, name) in [
        (ConnectPhase::NameResolution, "name resolution"),
        (ConnectPhase::Tcp, "TCP connection"),
        (ConnectPhase::Tls, "TLS handshake"),
        (ConnectPhase::Upgrade, "WebSocket handshake"),
    ] {
        let start = epoch();
        let mut client = client(config(), start);
        client.set_connect_phase(phase);
        assert_eq!(client.next_deadline(), Some(start + 30 * SECOND));
        client.handle_timeout(start + 30 * SECOND - MS);
        assert!(events(&mut client, start).is_empty());
        client.handle_timeout(start + 30 * SECOND);
        let closed = only_closed(events(&mut client, start));
        assert_eq!((closed.code, &closed.reason[..]), (None, ""));
        assert_eq!(
            closed.cause.to_string(),
            format!("the {name} did not finish in time: the connect timeout of 30s has passed")
        );
        assert!(!client.has_output());
        assert_eq!(client.next_deadline(), None);
    }
}

#[test]
fn connect_timeout_of_a_server() {
    let start = epoch();
    let mut config = config();
    config.connect_timeout = 3 * SECOND;
    let mut server = server(config, start);
    feed(&mut server, b"GET / HTTP/1.1\r\n", start + 2 * SECOND);
    server.handle_timeout(start + 3 * SECOND);
    let cause = CloseCause::ConnectTimeout { phase: ConnectPhase::Upgrade, timeout: 3 * SECOND };
    assert_eq!(only_closed(events(&mut server, start)).cause, cause);
}

/// F5: the built-in waits for ever.
#[test]
fn close_timeout() {
    let mut pair = Pair::new();
    pair.client.close(1000, "", pair.now);
    assert_eq!(pair.client.next_deadline(), Some(pair.now + 5 * SECOND));
    feed(&mut pair.client, &frame(0x82, b"still talking", false), pair.now + 4 * SECOND);
    pair.advance(5 * SECOND);
    pair.client.handle_timeout(pair.now);
    let closed = only_closed(events(&mut pair.client, pair.now));
    assert_eq!((closed.code, closed.cause), (None, CloseCause::CloseTimeout { timeout: 5 * SECOND }));
}

fn with_heartbeat(interval: Duration) -> Pair {
    let mut config = config();
    config.heartbeat_interval = Some(interval);
    Pair::with(config, util::config())
}

/// Lets the clients' next deadline pass.
fn pass_deadline(pair: &mut Pair) {
    pair.now = pair.client.next_deadline().unwrap();
    pair.client.handle_timeout(pair.now);
}

fn is_ping(output: &[u8]) -> bool {
    output.len() == 6 && output[..2] == [0x89, 0x80]
}

#[test]
fn heartbeat_pings_and_measures() {
    let mut pair = with_heartbeat(SECOND);
    let start = pair.now;
    assert_eq!(pair.client.round_trip_time(), None);
    for beat in 1..5 {
        pass_deadline(&mut pair);
        assert_eq!(pair.now, start + beat * SECOND);
        assert!(pair.drive_server().is_empty());
        pair.advance(beat * MS);
        assert!(pair.drive_client().is_empty());
        assert_eq!(pair.client.round_trip_time(), Some(beat * MS));
    }
}

#[test]
fn silence_ends_the_connection() {
    let mut pair = with_heartbeat(SECOND);
    pass_deadline(&mut pair);
    assert!(is_ping(&take_output_at(&mut pair.client, pair.now)));
    pair.client.handle_timeout(pair.now + SECOND - MS);
    assert!(events(&mut pair.client, pair.now).is_empty());
    pass_deadline(&mut pair);
    let closed = only_closed(events(&mut pair.client, pair.now));
    assert_eq!((closed.code, closed.cause), (None, CloseCause::HeartbeatTimeout { interval: SECOND }));
    assert!(!pair.client.has_output());
}

/// F7: any traffic counts as life, half a frame too.
#[test]
fn any_byte_counts_as_life() {
    let mut pair = with_heartbeat(SECOND);
    for byte in frame(0x82, b"drop by drop", false) {
        pass_deadline(&mut pair);
        take_output_at(&mut pair.client, pair.now);
        pair.advance(MS);
        feed(&mut pair.client, &[byte], pair.now);
    }
    assert_eq!(pair.client.round_trip_time(), None);
    pass_deadline(&mut pair);
    pass_deadline(&mut pair);
    assert!(matches!(
        only_closed(events(&mut pair.client, pair.now)).cause,
        CloseCause::HeartbeatTimeout { .. }
    ));
}

#[test]
fn what_was_received_comes_before_a_heartbeat_timeout() {
    let mut pair = with_heartbeat(SECOND);
    pair.client.handle_input(&frame(0x82, b"late", false), pair.now);
    pass_deadline(&mut pair);
    pass_deadline(&mut pair);
    let (messages, closed) = split(events(&mut pair.client, pair.now));
    assert_eq!(messages, [binary(b"late")]);
    assert!(closed.is_some());
}

#[test]
fn the_heartbeat_clock_stops_while_paused() {
    let mut pair = with_heartbeat(SECOND);
    pass_deadline(&mut pair);
    take_output_at(&mut pair.client, pair.now);
    pair.advance(900 * MS);
    pair.client.set_receive_paused(true, pair.now);
    pair.client.set_receive_paused(true, pair.now + MS);
    assert_eq!(pair.client.next_deadline(), None);
    pair.advance(1000 * SECOND);
    pair.client.handle_timeout(pair.now);
    assert!(events(&mut pair.client, pair.now).is_empty());
    pair.client.set_receive_paused(false, pair.now);
    assert_eq!(pair.client.next_deadline(), Some(pair.now + 100 * MS));
    pass_deadline(&mut pair);
    assert!(matches!(
        only_closed(events(&mut pair.client, pair.now)).cause,
        CloseCause::HeartbeatTimeout { .. }
    ));
}

#[test]
fn changing_the_heartbeat() {
    let mut pair = Pair::new();
    let start = pair.now;
    assert_eq!(pair.client.next_deadline(), None);
    pair.advance(10 * SECOND);
    pair.client.set_heartbeat_interval(Some(4 * SECOND), pair.now);
    assert_eq!(pair.client.next_deadline(), Some(start + 14 * SECOND));
    // A script that sets it every frame must not postpone it for ever.
    pair.advance(3 * SECOND);
    pair.client.set_heartbeat_interval(Some(4 * SECOND), pair.now);
    assert_eq!(pair.client.next_deadline(), Some(start + 14 * SECOND));
    pair.client.set_heartbeat_interval(Some(2 * SECOND), pair.now);
    assert_eq!(pair.client.next_deadline(), Some(start + 12 * SECOND));
    pair.client.handle_timeout(pair.now);
    assert!(is_ping(&take_output_at(&mut pair.client, pair.now)));
    pair.client.set_heartbeat_interval(None, pair.now);
    assert_eq!(pair.client.next_deadline(), None);
    pair.client.set_heartbeat_interval(Some(Duration::ZERO), pair.now);
    assert_eq!(pair.client.next_deadline(), None);
    pair.client.set_heartbeat_interval(Some(SECOND), pair.now + SECOND);
    assert_eq!(pair.client.next_deadline(), Some(pair.now + 2 * SECOND));
    pair.client.set_heartbeat_interval(Some(Duration::MAX), pair.now);
    assert_eq!(pair.client.next_deadline(), None);
}

#[test]
fn pings_do_not_pile_up() {
    let mut pair = with_heartbeat(SECOND);
    for _ in 0..100 {
        pass_deadline(&mut pair);
        feed(&mut pair.client, &frame(0x82, b"", false), pair.now);
    }
    assert!(is_ping(&take_output_at(&mut pair.client, pair.now)));
}

#[test]
fn closing_ends_the_heartbeat() {
    let mut pair = with_heartbeat(SECOND);
    pair.client.close(1000, "", pair.now);
    assert_eq!(pair.client.next_deadline(), Some(pair.now + 5 * SECOND));
    pair.client.set_receive_paused(true, pair.now);
    pair.client.set_receive_paused(false, pair.now);
    pair.client.set_heartbeat_interval(Some(2 * SECOND), pair.now);
    assert_eq!(pair.client.next_deadline(), Some(pair.now + 5 * SECOND));
}

#[test]
fn leaving_while_connecting() {
    let start = epoch();
    let mut clients: [Connection; 2] = std::array::from_fn(|_| client(config(), start));
    clients[0].close(1000, "", start);
    clients[1].abort();
    for mut client in clients {
        let closed = only_closed(events(&mut client, start));
        assert_eq!((closed.code, &closed.reason[..]), (None, ""));
        assert_eq!(closed.cause.to_string(), "closed by this side during the WebSocket handshake");
        assert!(!client.has_output());
        assert_eq!(client.next_deadline(), None);
    }
}

#[test]
fn a_transport_that_fails_while_connecting() {
    let start = epoch();
    for (phase, end, sentence) in [
        (
            ConnectPhase::NameResolution,
            TransportEnd::Error("no such host".to_owned()),
            "the name resolution failed: no such host",
        ),
        (
            ConnectPhase::Tcp,
            TransportEnd::Error("connection refused".to_owned()),
            "the TCP connection failed: connection refused",
        ),
        (
            ConnectPhase::Tls,
            TransportEnd::Eof,
            "the TLS handshake failed: the other side ended the connection",
        ),
    ] {
        let mut client = client(config(), start);
        client.set_connect_phase(phase);
        client.handle_transport_end(end);
        let closed = only_closed(events(&mut client, start));
        assert_eq!((closed.code, closed.cause.to_string()), (None, sentence.to_owned()));
    }
}
