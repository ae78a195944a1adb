//! Two connections in memory: messages, closing, bursts.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod util;

use bytes::Bytes;
use rust_websocket_proto::{CloseCause, Event, MessageKind, SendError, TransportEnd};
use util::*;

#[test]
fn messages_of_all_sizes_both_ways() {
    let mut config = config();
    config.max_message_size = 1 << 20;
    let mut pair = Pair::with(config.clone(), config);
    for size in [0, 1, 125, 126, 1000, 1024, 1025, 65535, 65536, 300_000, 1 << 20] {
        let payload: Vec<u8> = (0..size).map(|index| index as u8).collect();
        pair.client.send(MessageKind::Binary, payload.clone().into()).unwrap();
        assert_eq!(split(pair.drive_server()).0, [binary(&payload)]);
        pair.server.send(MessageKind::Binary, payload.clone().into()).unwrap();
        assert_eq!(split(pair.drive_client()).0, [binary(&payload)]);
    }
    pair.client.send(MessageKind::Text, Bytes::from_static("hé".as_bytes())).unwrap();
    assert_eq!(split(pair.drive_server()).0, [text("hé")]);
}

#[test]
fn a_burst_keeps_its_order() {
    let mut pair = Pair::new();
    for index in 0..20_000_u32 {
        pair.client.send(MessageKind::Binary, Bytes::copy_from_slice(&index.to_le_bytes())).unwrap();
    }
    assert_eq!((pair.client.buffered_messages(), pair.client.buffered_amount()), (20_000, 80_000));
    let (messages, closed) = split(pair.drive_server());
    assert!(closed.is_none());
    assert!(messages.iter().map(|message| &message.payload[..]).eq((0..20_000_u32).map(u32::to_le_bytes)));
    assert_eq!((pair.client.buffered_messages(), pair.client.buffered_amount()), (0, 0));
}

#[test]
fn nothing_is_decoded_that_was_not_asked_for() {
    let mut pair = Pair::new();
    pair.client.send(MessageKind::Binary, Bytes::from_static(b"one")).unwrap();
    pair.client.send(MessageKind::Binary, Bytes::from_static(b"two")).unwrap();
    let bytes = take_output(&mut pair.client);
    pair.server.handle_input(&bytes, pair.now);
    pair.server.handle_input(&frame(0x89, b"ping", true), pair.now);
    assert!(
        matches!(pair.server.poll_event(pair.now), Some(Event::Message(message)) if message == binary(b"one"))
    );
    assert!(!pair.server.has_output());
    pair.server.handle_transport_end(TransportEnd::Eof);
    assert!(
        matches!(pair.server.poll_event(pair.now), Some(Event::Message(message)) if message == binary(b"two"))
    );
    let closed = only_closed(events(&mut pair.server, pair.now));
    assert_eq!((closed.code, closed.cause), (None, CloseCause::TransportEof));
    assert_eq!(take_output(&mut pair.server), frame(0x8a, b"ping", false));
}

#[test]
fn closing_handshake() {
    let mut pair = Pair::new();
    pair.client.send(MessageKind::Binary, Bytes::from_static(b"last")).unwrap();
    pair.client.close(4000, "bye", pair.now);
    pair.client.close(1000, "again", pair.now);
    assert_eq!(pair.client.send(MessageKind::Text, Bytes::new()), Err(SendError::NotOpen));
    pair.server.send(MessageKind::Binary, Bytes::from_static(b"crossing")).unwrap();
    let (messages, closed) = split(pair.drive_server());
    let closed = closed.unwrap();
    assert_eq!(messages, [binary(b"last")]);
    assert_eq!((closed.code, &closed.reason[..]), (Some(4000), "bye"));
    assert_eq!(closed.cause.to_string(), "the other side closed the connection with code 4000 ('bye')");
    let (messages, closed) = split(pair.drive_client());
    let closed = closed.unwrap();
    assert_eq!(messages, [binary(b"crossing")]);
    assert_eq!((closed.code, &closed.reason[..], closed.cause), (Some(4000), "bye", CloseCause::Clean));
    assert!(!pair.client.has_output() && !pair.server.has_output());
    assert!(pair.client.next_deadline().is_none() && pair.server.next_deadline().is_none());
}

#[test]
fn close_without_a_code() {
    let mut pair = Pair::new();
    pair.server.close(0, "never sent", pair.now);
    let closed = only_closed(pair.drive_client());
    assert_eq!((closed.code, &closed.reason[..], closed.cause), (Some(1005), "", CloseCause::Clean));
    let bytes = take_output(&mut pair.client);
    assert_eq!((bytes.len(), bytes[0], bytes[1]), (6, 0x88, 0x80));
    let closed = only_closed(feed(&mut pair.server, &bytes, pair.now));
    assert_eq!((closed.code, closed.cause), (Some(1005), CloseCause::Clean));
}

#[test]
fn both_sides_close_at_once() {
    let mut pair = Pair::new();
    pair.client.close(4001, "client", pair.now);
    pair.server.close(4002, "server", pair.now);
    let from_client = take_output(&mut pair.client);
    let from_server = take_output(&mut pair.server);
    let closed = only_closed(feed(&mut pair.server, &from_client, pair.now));
    assert_eq!((closed.code, &closed.reason[..]), (Some(4001), "client"));
    let closed = only_closed(feed(&mut pair.client, &from_server, pair.now));
    assert_eq!((closed.code, &closed.reason[..]), (Some(4002), "server"));
    assert!(!pair.client.has_output() && !pair.server.has_output());
}

#[test]
fn abort_keeps_what_was_accepted() {
    let mut pair = Pair::new();
    pair.client.send(MessageKind::Binary, Bytes::from_static(b"kept")).unwrap();
    pair.client.abort();
    let closed = only_closed(events(&mut pair.client, pair.now));
    assert_eq!((closed.code, closed.cause), (None, CloseCause::Aborted));
    assert_eq!(split(pair.drive_server()).0, [binary(b"kept")]);
    pair.server.handle_transport_end(TransportEnd::Eof);
    assert_eq!(only_closed(events(&mut pair.server, pair.now)).code, None);
}

/// Autobahn 3.2 and its like: what came before the fault is answered first.
#[test]
fn a_fault_waits_for_the_answers_to_what_came_before() {
    let message_and_fault = [frame(0x81, b"asked", true), frame(0xb1, b"", true)].concat();
    let begin = || {
        let mut pair = Pair::new();
        pair.server.handle_input(&message_and_fault, pair.now);
        assert!(matches!(pair.server.poll_event(pair.now), Some(Event::Message(_))));
        assert!(pair.server.poll_event(pair.now).is_none() && pair.server.has_fault());
        // What follows a fault is not looked at.
        pair.server.handle_input(&frame(0x81, b"ignored", true), pair.now);
        assert!(pair.server.poll_event(pair.now).is_none());
        pair
    };
    let failed = [&b"\x81\x08answered"[..], &frame(0x88, &[3, 234], false)].concat();

    let mut pair = begin();
    pair.server.send(MessageKind::Text, Bytes::from_static(b"answered")).unwrap();
    pair.server.settle_fault();
    assert_eq!(only_closed(events(&mut pair.server, pair.now)).code, Some(1002));
    assert_eq!(take_output(&mut pair.server), failed);

    // Nobody says that he has answered: a second is enough.
    let mut pair = begin();
    pair.server.send(MessageKind::Text, Bytes::from_static(b"answered")).unwrap();
    assert_eq!(pair.server.next_deadline(), Some(pair.now + SECOND));
    pair.advance(SECOND);
    pair.server.handle_timeout(pair.now);
    assert!(
        matches!(pair.server.poll_event(pair.now), Some(Event::Closed(closed)) if closed.code == Some(1002))
    );
    assert_eq!(take_output(&mut pair.server), failed);

    // Nobody is left to read an answer.
    let mut pair = begin();
    pair.server.handle_transport_end(TransportEnd::Eof);
    assert!(
        matches!(pair.server.poll_event(pair.now), Some(Event::Closed(closed)) if closed.code == Some(1002))
    );
    let mut pair = begin();
    pair.server.close(1000, "", pair.now);
    assert!(
        matches!(pair.server.poll_event(pair.now), Some(Event::Closed(closed)) if closed.code == Some(1002))
    );
    let mut pair = begin();
    pair.server.abort();
    assert_eq!(only_closed(events(&mut pair.server, pair.now)).cause, CloseCause::Aborted);
}
