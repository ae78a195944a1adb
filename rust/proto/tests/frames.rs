//! What comes in, byte by byte: the vectors of RFC 6455, every rule of framing, limits, UTF-8.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod util;

use bytes::Bytes;
use rust_websocket_proto::{
    CloseCause, Connection, Event, Message, MessageKind, ProtocolError, TransportEnd,
};
use util::*;

/// Code, reason, cause.
type End = Option<(Option<u16>, String, CloseCause)>;

/// What a side made of some input: messages, code of the end, output.
#[derive(Debug, PartialEq)]
struct Outcome {
    messages: Vec<Message>,
    end: End,
    output: Vec<u8>,
}

fn outcome(mut connection: Connection, pieces: &[&[u8]]) -> Outcome {
    let now = epoch();
    let mut all = Vec::new();
    for piece in pieces {
        all.extend(feed(&mut connection, piece, now));
    }
    let output = take_output(&mut connection);
    let (messages, closed) = split(all);
    Outcome { messages, end: closed.map(|closed| (closed.code, closed.reason, closed.cause)), output }
}

/// The same whole, cut in two anywhere, and byte by byte.
fn every_cut(side: impl Fn() -> Connection, bytes: &[u8]) -> Outcome {
    let whole = outcome(side(), &[bytes]);
    for cut in 0..bytes.len() {
        let (head, tail) = bytes.split_at(cut);
        assert_eq!(outcome(side(), &[head, tail]), whole, "cut at {cut}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(outcome(side(), &single), whole, "byte by byte");
    whole
}

fn server_side() -> Connection {
    Pair::new().server
}

fn client_side() -> Connection {
    Pair::new().client
}

fn client_with_limit(limit: usize) -> Connection {
    let mut config = config();
    config.max_message_size = limit;
    Pair::with(config, util::config()).client
}

fn messages(messages: impl Into<Vec<Message>>) -> Outcome {
    Outcome { messages: messages.into(), end: None, output: Vec::new() }
}

/// The end that a broken rule brings about: code and reason here, a close frame with the code alone out there.
fn broken(error: ProtocolError, code: u16, reason: &str) -> (End, Vec<u8>) {
    (
        Some((Some(code), reason.to_owned(), CloseCause::Protocol(error))),
        frame(0x88, &code.to_be_bytes(), false),
    )
}

#[test]
fn rfc_6455_section_5_7() {
    let hello = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
    assert_eq!(every_cut(client_side, &hello), messages([text("Hello")]));
    let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(every_cut(server_side, &masked), messages([text("Hello")]));
    let fragments = [0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f];
    assert_eq!(every_cut(client_side, &fragments), messages([text("Hello")]));
    let ping = [0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
    let answered = every_cut(client_side, &ping);
    assert_eq!((answered.output[0], answered.output[1], answered.output.len()), (0x8a, 0x85, 11));
    let masked_pong = [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(every_cut(server_side, &masked_pong), messages([]));
    let masked_ping = frame(0x89, b"Hello", true);
    let pong = [0x8a, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
    assert_eq!(every_cut(server_side, &masked_ping).output, pong);
    let mut bytes = vec![0x82, 0x7e, 0x01, 0x00];
    bytes.resize(4 + 256, 7);
    assert_eq!(every_cut(client_side, &bytes), messages([binary(&[7; 256])]));
    let mut bytes = vec![0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0];
    bytes.resize(10 + 65536, 7);
    assert_eq!(outcome(client_with_limit(65536), &[&bytes]), messages([binary(&[7; 65536])]));
}

/// Our own frames of section 5.7, with the mask that it shows.
#[test]
fn rfc_6455_section_5_7_sent() {
    let now = epoch();
    let random = std::sync::Arc::new(Pattern(&[0x37, 0xfa, 0x21, 0x3d]));
    let mut client = Connection::client(&request("ws://a"), config(), random, now);
    let mut server = server(config(), now);
    feed(&mut server, &take_output(&mut client), now);
    only_opened(feed(&mut client, &take_output(&mut server), now));
    client.send(MessageKind::Text, Bytes::from_static(b"Hello")).unwrap();
    let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(take_output(&mut client), masked);
    server.send(MessageKind::Text, Bytes::from_static(b"Hello")).unwrap();
    assert_eq!(take_output(&mut server), [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
}

/// F1: the built-in splices such a ping into the message.
#[test]
fn f1_a_ping_between_fragments_stays_out_of_the_message() {
    let bytes = [
        frame(0x02, b"AA", true),
        frame(0x89, b"PP", true),
        frame(0x00, b"", true),
        frame(0x8a, b"xx", true),
        frame(0x80, b"BB", true),
    ]
    .concat();
    let seen = every_cut(server_side, &bytes);
    assert_eq!(seen.messages, [binary(b"AABB")]);
    assert_eq!(seen.output, frame(0x8a, b"PP", false));
}

#[test]
fn broken_rules() {
    use ProtocolError::*;
    let rows: [(&[u8], bool, ProtocolError); 18] = [
        (&[0xc1, 0x80], false, ReservedBits),
        (&[0xa1, 0x80], false, ReservedBits),
        (&[0x91, 0x80], false, ReservedBits),
        (&[0xc9, 0x80], false, ReservedBits),
        (&[0x83, 0x80], false, ReservedOpcode(3)),
        (&[0x8b, 0x80], false, ReservedOpcode(11)),
        (&[0x8f, 0x80], false, ReservedOpcode(15)),
        (&[0x81, 0x05], false, UnmaskedFrame),
        (&[0x09, 0x80], false, FragmentedControlFrame),
        (&[0x08, 0x80], false, FragmentedControlFrame),
        (&[0x89, 0xfe], false, ControlFrameTooLong),
        (&[0x88, 0xff], false, ControlFrameTooLong),
        (&[0x82, 0xfe, 0, 125, 0, 0, 0, 0], false, LengthNotMinimal),
        (&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0], false, LengthNotMinimal),
        (&[0x82, 0xff, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], false, LengthTopBit),
        (&[0x80, 0x80, 0, 0, 0, 0], false, UnexpectedContinuation),
        (&[0x82, 0x80, 0, 0, 0, 0], true, MissingContinuation),
        (&[0x01, 0x80, 0, 0, 0, 0], true, MissingContinuation),
    ];
    for (bytes, in_message, error) in rows {
        let before = if in_message { frame(0x02, b"AA", true) } else { frame(0x82, b"whole", true) };
        let seen = every_cut(server_side, &[&before, bytes].concat());
        let expected = if in_message { vec![] } else { vec![binary(b"whole")] };
        assert_eq!(seen.messages, expected, "{error}");
        assert_eq!((seen.end, seen.output), broken(error, 1002, "Protocol error"));
    }
    let seen = every_cut(client_side, &frame(0x81, b"x", true));
    assert!(matches!(seen.end, Some((Some(1002), _, CloseCause::Protocol(MaskedFrame)))));
}

#[test]
fn close_frames() {
    use ProtocolError::*;
    let close = |payload: &[u8]| every_cut(server_side, &frame(0x88, payload, true));
    let seen = close(b"\x03\xe8");
    assert_eq!(seen.end, Some((Some(1000), String::new(), CloseCause::Clean)));
    assert_eq!(seen.output, frame(0x88, b"\x03\xe8", false));
    let seen = close(b"");
    assert_eq!(seen.end, Some((Some(1005), String::new(), CloseCause::Clean)));
    assert_eq!(seen.output, frame(0x88, b"", false));
    let seen = close(b"\x0f\xa0b\xc3\xa4");
    let cause = CloseCause::ClosedByRemote { code: 4000, reason: "bä".to_owned() };
    assert_eq!(seen.end, Some((Some(4000), "bä".to_owned(), cause)));
    assert_eq!(seen.output, frame(0x88, b"\x0f\xa0b\xc3\xa4", false));
    let reason = [b"\x03\xe8", &[b'x'; 123][..]].concat();
    assert_eq!(close(&reason).end.unwrap().1.len(), 123);

    let seen = close(b"\x03");
    assert_eq!((seen.end, seen.output), broken(CloseFrameOfOneByte, 1002, "Protocol error"));
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
        let seen = close(&code.to_be_bytes());
        assert_eq!((seen.end, seen.output), broken(IllegalCloseCode(code), 1002, "Protocol error"));
    }
    let seen = close(b"\x03\xe8\xff");
    assert_eq!((seen.end, seen.output), broken(CloseReasonNotUtf8, 1007, "Invalid frame payload data"));
}

#[test]
fn what_follows_a_close_frame_is_ignored() {
    let bytes = [
        frame(0x82, b"before", true),
        frame(0x88, b"\x03\xe8", true),
        frame(0x82, b"after", true),
        vec![0xff; 9],
    ];
    let seen = every_cut(server_side, &bytes.concat());
    assert_eq!(seen.messages, [binary(b"before")]);
    assert_eq!(seen.end, Some((Some(1000), String::new(), CloseCause::Clean)));
}

#[test]
fn the_end_of_the_transport_comes_after_what_was_received() {
    let bytes = [frame(0x82, b"one", true), frame(0x02, b"two", true)].concat();
    for (end, cause) in [
        (TransportEnd::Eof, CloseCause::TransportEof),
        (TransportEnd::Error("reset".to_owned()), CloseCause::TransportLost("reset".to_owned())),
    ] {
        let mut server = server_side();
        let now = epoch();
        server.handle_input(&bytes, now);
        server.handle_transport_end(end);
        server.handle_transport_end(TransportEnd::Error("the first one counts".to_owned()));
        server.handle_input(&frame(0x80, b"ignored", true), now);
        let (messages, closed) = split(events(&mut server, now));
        let closed = closed.unwrap();
        assert_eq!(messages, [binary(b"one")]);
        assert_eq!((closed.code, closed.cause), (None, cause));
        assert!(!server.has_output());
    }
}

#[test]
fn limits_at_their_edges() {
    let limit = || client_with_limit(100);
    assert_eq!(every_cut(limit, &frame(0x82, &[1; 100], false)), messages([binary(&[1; 100])]));
    let fragments =
        [frame(0x02, &[1; 60], false), frame(0x00, &[], false), frame(0x80, &[1; 40], false)].concat();
    assert_eq!(every_cut(limit, &fragments), messages([binary(&[1; 100])]));

    let refused = |bytes: &[u8], size: u64| {
        let seen = every_cut(limit, bytes);
        let cause = CloseCause::MessageTooBig { size, limit: 100 };
        assert_eq!(seen.messages, []);
        assert_eq!(seen.end, Some((Some(1009), "Message too big".to_owned(), cause)));
        assert_eq!((seen.output[0], seen.output[1], seen.output.len()), (0x88, 0x82, 8));
    };
    refused(&frame(0x82, &[1; 101], false)[..2], 101);
    refused(&[0x82, 127, 0x7f, 255, 255, 255, 255, 255, 255, 255], i64::MAX as u64);
    // F3: the built-in neither delivers nor refuses it.
    let fragments = [frame(0x02, &[1; 60], false), frame(0x80, &[1; 41], false)[..2].to_vec()].concat();
    refused(&fragments, 101);
}

/// F2: after a local close, what is over the limit must not hide the close frame behind it.
#[test]
fn beyond_the_limit_while_closing() {
    let bytes = [
        frame(0x82, b"small", false),
        frame(0x82, &[1; 101], false),
        frame(0x02, &[1; 60], false),
        frame(0x89, b"ping", false),
        frame(0x00, &[1; 60], false),
        frame(0x00, &[1; 1000], false),
        frame(0x80, &[1; 1], false),
        frame(0x81, &[0xff; 200], false),
        frame(0x82, b"again", false),
        frame(0x88, b"\x0f\xa0bye", false),
    ]
    .concat();
    let closing = || {
        let mut client = client_with_limit(100);
        client.close(1000, "", epoch());
        take_output(&mut client);
        client
    };
    let seen = every_cut(closing, &bytes);
    assert_eq!(seen.messages, [binary(b"small"), binary(b"again")]);
    assert_eq!(seen.end, Some((Some(4000), "bye".to_owned(), CloseCause::Clean)));
    assert_eq!(seen.output, []);
}

#[test]
fn a_rule_broken_while_closing_sends_no_second_close_frame() {
    let mut client = client_side();
    client.close(1000, "", epoch());
    take_output(&mut client);
    let seen = outcome(client, &[&[0xff, 0xff]]);
    assert_eq!(seen.end.unwrap().0, Some(1002));
    assert_eq!(seen.output, []);
}

#[test]
fn valid_text() {
    let rows = [
        "",
        "Hello-µ@ßöäüàá-UTF-8!!",
        "κόσμε",
        "\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}",
        "\u{d7ff}\u{e000}\u{fffd}\u{fffe}",
        "\0",
    ];
    for row in rows {
        assert_eq!(every_cut(client_side, &frame(0x81, row.as_bytes(), false)), messages([text(row)]));
        for cut in 0..=row.len() {
            let (head, tail) = row.as_bytes().split_at(cut);
            let bytes = [frame(0x01, head, false), frame(0x80, tail, false)].concat();
            assert_eq!(outcome(client_side(), &[&bytes]), messages([text(row)]));
        }
    }
}

#[test]
fn invalid_text() {
    let rows: [&[u8]; 17] = [
        b"\x80",
        b"\xbf",
        b"\xc0\xaf",
        b"\xc1\xbf",
        b"\xe0\x80\xaf",
        b"\xe0\x9f\xbf",
        b"\xf0\x80\x80\xaf",
        b"\xf0\x8f\xbf\xbf",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xf4\x90\x80\x80",
        b"\xf5",
        b"\xf8\x88\x80\x80\x80",
        b"\xfe",
        b"\xff",
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
        b"\xc3\x28",
    ];
    for row in rows {
        let seen = every_cut(server_side, &frame(0x81, row, true));
        let expected = broken(ProtocolError::TextNotUtf8, 1007, "Invalid frame payload data");
        assert_eq!((seen.end, seen.output), expected, "{row:x?}");
        assert_eq!(every_cut(server_side, &frame(0x82, row, true)), messages([binary(row)]));
    }
    // Cut short: only the end of the message shows it.
    for row in [&b"\xc3"[..], b"\xe1\xbd", b"a\xf0\x90\x80"] {
        let seen = every_cut(server_side, &frame(0x81, row, true));
        assert_eq!(seen.end.unwrap().0, Some(1007), "{row:x?}");
    }
}

/// Autobahn 6.4: refused in the middle of a message, and even of a frame.
#[test]
fn invalid_text_fails_fast() {
    let start = frame(0x01, "κόσμε".as_bytes(), true);
    let first = outcome(server_side(), &[&start, &frame(0x00, b"\xf4\x90", true)]);
    assert_eq!(first.end.unwrap().0, Some(1007));
    let long = frame(0x81, &[b'a'; 50_000], true);
    let mut server = server_side();
    let now = epoch();
    assert!(feed(&mut server, &long[..20_000], now).is_empty());
    // Masked zeros after 20 000 bytes are bytes of the key, one of which cannot be there.
    assert_eq!(only_closed(feed(&mut server, &[0; 16], now)).code, Some(1007));
}

#[test]
fn pongs_do_not_pile_up() {
    let mut server = server_side();
    let now = epoch();
    for index in 0..1000_u32 {
        assert!(feed(&mut server, &frame(0x89, &index.to_le_bytes(), true), now).is_empty());
    }
    let output = take_output(&mut server);
    assert_eq!(output.len(), 33 * 6);
    assert_eq!(output[..6], frame(0x8a, &0_u32.to_le_bytes(), false));
    assert_eq!(output[32 * 6..], frame(0x8a, &999_u32.to_le_bytes(), false));
    feed(&mut server, &frame(0x89, b"x", true), now);
    assert_eq!(take_output(&mut server), frame(0x8a, b"x", false));
}

#[test]
fn queued_messages_go_out_before_our_complaint() {
    let mut server = server_side();
    server.send(MessageKind::Binary, Bytes::from_static(b"first")).unwrap();
    let seen = outcome(server, &[&[0xff, 0xff]]);
    let expected = [frame(0x82, b"first", false), frame(0x88, &1002_u16.to_be_bytes(), false)].concat();
    assert_eq!(seen.output, expected);
}

#[test]
fn events_stop_after_the_end() {
    let mut server = server_side();
    let now = epoch();
    assert!(matches!(feed(&mut server, &[0xff, 0xff], now)[..], [Event::Closed(_)]));
    assert!(feed(&mut server, &frame(0x82, b"x", true), now).is_empty());
    server.handle_transport_end(TransportEnd::Eof);
    server.close(1000, "", now);
    server.abort();
    server.handle_timeout(now + SECOND * 100);
    assert!(events(&mut server, now).is_empty());
    assert!(server.send(MessageKind::Text, Bytes::new()).is_err());
    assert_eq!(server.next_deadline(), None);
}
