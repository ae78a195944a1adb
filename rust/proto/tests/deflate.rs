//! permessage-deflate: the vectors of RFC 7692 section 7.2.3, every combination of parameters, bombs and bad streams.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod util;

use std::io::IoSlice;

use bytes::Bytes;
use rust_websocket_proto::{
    CloseCause, Compressor, Config, Connection, DeflateConfig, Event, MessageKind, ProtocolError,
};
use util::{reference::Reference, *};

fn deflating(context_takeover: bool) -> Config {
    let deflate = DeflateConfig { threshold: 0, context_takeover, ..DeflateConfig::default() };
    Config { deflate: Some(deflate), max_message_size: 1 << 20, ..config() }
}

fn pair(context_takeover: bool) -> Pair {
    Pair::with(deflating(context_takeover), deflating(context_takeover))
}

/// A frame's payload as the server sends it: unfragmented, compressed.
fn compressed_payload(bytes: &[u8]) -> &[u8] {
    assert_eq!(bytes[0] & 0xf0, 0xc0, "final and compressed");
    match bytes[1] {
        126 => &bytes[4..],
        127 => &bytes[10..],
        _ => &bytes[2..],
    }
}

/// Text with repetitions near and far.
fn prose(random: &Seeded, size: usize) -> Vec<u8> {
    let words = ["position", "velocity", "player", "{\"id\":", "0.125", ", ", "\n", "zyx"];
    let mut text = Vec::new();
    while text.len() < size {
        match random.below(6) {
            0 => text.push(random.next() as u8),
            1 if text.len() > 300 => {
                let from = random.below(text.len() - 40);
                text.extend_from_within(from..from + 40);
            }
            _ => text.extend_from_slice(words[random.below(words.len())].as_bytes()),
        }
    }
    text.truncate(size);
    text
}

/// RFC 7692 section 7.2.3: compressed payloads of messages that follow each other, and what they say.
const VECTORS: [&[(&[u8], &str)]; 8] = [
    // 7.2.3.1, and 7.2.3.2 with and without a context.
    &[(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], "Hello"), (&[0xf2, 0x00, 0x11, 0x00, 0x00], "Hello")],
    &[
        (&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], "Hello"),
        (&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], "Hello"),
    ],
    // 7.2.3.3: a block without compression.
    &[(&[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00], "Hello")],
    // 7.2.3.4: a final block; then a message that begins anew.
    &[
        (&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00], "Hello"),
        (&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], "Hello"),
    ],
    // A final block without the byte behind it, and one in the middle.
    &[(&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], "Hello"), (&[0x00], "")],
    &[(&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], "HelloHello")],
    // 7.2.3.5: two blocks.
    &[(&[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00], "Hello")],
    // 7.2.3.6: empty messages; some senders leave the payload empty too.
    &[(&[0x00], ""), (&[], ""), (&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], "Hello"), (&[0x02, 0x00], "")],
];

fn sides() -> [(Connection, bool); 2] {
    let Pair { client, server, .. } = pair(true);
    [(client, false), (server, true)]
}

#[test]
fn rfc_7692_section_7_2_3_received_however_it_is_cut() {
    for vector in VECTORS {
        let expected: Vec<_> = vector.iter().map(|(_, says)| text(says)).collect();
        let size = vector.iter().map(|(payload, _)| payload.len() + 6).sum();
        for cut in 0..size {
            for (mut connection, masked) in sides() {
                let bytes: Vec<u8> =
                    vector.iter().flat_map(|(payload, _)| frame(0xc1, payload, masked)).collect();
                let (first, second) = bytes.split_at(cut.min(bytes.len()));
                let mut all = feed(&mut connection, first, epoch());
                all.extend(feed(&mut connection, second, epoch()));
                assert_eq!(split(all).0, expected, "{vector:x?} cut at {cut}");
            }
        }
    }
}

#[test]
fn rfc_7692_section_7_2_3_1_fragmented_with_control_frames_between() {
    for (mut connection, masked) in sides() {
        let bytes = [
            frame(0x41, &[0xf2, 0x48, 0xcd], masked),
            frame(0x89, b"ping", masked),
            frame(0x00, &[], masked),
            frame(0x8a, b"", masked),
            frame(0x80, &[0xc9, 0xc9, 0x07, 0x00], masked),
        ]
        .concat();
        for cut in 0..bytes.len() {
            let mut all = feed(&mut connection, &bytes[..cut], epoch());
            all.extend(feed(&mut connection, &bytes[cut..], epoch()));
            assert_eq!(split(all).0, [text("Hello")], "cut at {cut}");
            let pong = take_output(&mut connection);
            assert_eq!((pong[0], pong.len()), (0x8a, if masked { 6 } else { 10 }));
        }
    }
}

#[test]
fn rfc_7692_section_7_2_3_sent() {
    for (context_takeover, second) in
        [(true, &[0xf2, 0x00, 0x11, 0x00, 0x00][..]), (false, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00])]
    {
        let mut pair = pair(context_takeover);
        let hello = || Bytes::from_static(b"Hello");
        if context_takeover {
            pair.server.send(MessageKind::Text, hello()).unwrap();
            assert_eq!(take_output(&mut pair.server), [0xc1, 7, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
            pair.server.send(MessageKind::Text, hello()).unwrap();
            assert_eq!(compressed_payload(&take_output(&mut pair.server)), second);
        } else {
            // Compressing "Hello" makes it longer: it goes as it is.
            pair.server.send(MessageKind::Text, hello()).unwrap();
            assert_eq!(take_output(&mut pair.server), b"\x81\x05Hello");
        }
        for _ in 0..3 {
            pair.server.send(MessageKind::Binary, Bytes::new()).unwrap();
            assert_eq!(take_output(&mut pair.server), [0xc2, 1, 0]);
        }
    }
}

#[test]
fn uncompressed_messages_within_a_compressed_connection() {
    for (mut connection, masked) in sides() {
        let bytes = [
            frame(0xc1, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], masked),
            frame(0x82, b"plain", masked),
            frame(0x01, b"pla", masked),
            frame(0x80, b"in", masked),
            frame(0xc1, &[0xf2, 0x00, 0x11, 0x00, 0x00], masked),
        ]
        .concat();
        let expected = [text("Hello"), binary(b"plain"), text("plain"), text("Hello")];
        assert_eq!(split(feed(&mut connection, &bytes, epoch())).0, expected);
    }
}

#[test]
fn every_combination_of_parameters_both_ways() {
    for (client_takeover, server_takeover) in [(true, true), (true, false), (false, true), (false, false)] {
        for server_max_window_bits in 8..=15 {
            for client_max_window_bits in 8..=15 {
                let with = |context_takeover, server_max_window_bits, client_max_window_bits| Config {
                    deflate: Some(DeflateConfig {
                        threshold: 0,
                        context_takeover,
                        server_max_window_bits,
                        client_max_window_bits,
                    }),
                    max_message_size: 1 << 20,
                    ..config()
                };
                // Whoever names the limits, they hold for both.
                let limits = (server_max_window_bits, client_max_window_bits);
                for (client, server) in [((15, 15), limits), (limits, (15, 15))] {
                    let mut pair = Pair::with(
                        with(client_takeover, client.0, client.1),
                        with(server_takeover, server.0, server.1),
                    );
                    let keeps = client_takeover && server_takeover;
                    exchange(&mut pair, limits, keeps);
                }
            }
        }
    }
}

/// Messages of all sizes both ways; windows and contexts as agreed.
fn exchange(pair: &mut Pair, (server_bits, client_bits): (u8, u8), keeps_context: bool) {
    let random = Seeded::new(u64::from(server_bits) * 16 + u64::from(client_bits));
    let (mut from_server, mut from_client) = (Reference::default(), Reference::default());
    for size in [0, 1, 5, 300, 2000, 700, 5000, 0, 40] {
        let payload = prose(&random, size);
        pair.server.send(MessageKind::Binary, payload.clone().into()).unwrap();
        let bytes = take_output(&mut pair.server);
        check_window(&bytes, &payload, &mut from_server, server_bits, keeps_context);
        assert_eq!(split(feed(&mut pair.client, &bytes, pair.now)).0, [binary(&payload)]);

        pair.client.send(MessageKind::Binary, payload.clone().into()).unwrap();
        let bytes = take_output(&mut pair.client);
        check_window(&unmask(&bytes), &payload, &mut from_client, client_bits, keeps_context);
        assert_eq!(split(feed(&mut pair.server, &bytes, pair.now)).0, [binary(&payload)]);
    }
}

fn check_window(bytes: &[u8], payload: &[u8], reference: &mut Reference, bits: u8, keeps_context: bool) {
    if bytes[0] & 0x40 == 0 {
        assert!(!keeps_context);
        return;
    }
    if !keeps_context {
        *reference = Reference::default();
    }
    assert_eq!(reference.message(compressed_payload(bytes)).as_deref(), Some(payload));
    assert!(reference.farthest <= 1 << bits, "{} bytes back with {bits} bits", reference.farthest);
}

/// A client's frame as a server would send it.
fn unmask(bytes: &[u8]) -> Vec<u8> {
    let header = match bytes[1] & 0x7f {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    let key = &bytes[header..header + 4];
    let payload = bytes[header + 4..].iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key);
    let mut plain = bytes[..header].to_vec();
    plain[1] &= 0x7f;
    plain.extend(payload);
    plain
}

#[test]
fn random_messages_in_random_fragments_and_pieces() {
    let random = Seeded::new(4);
    for round in 0..60 {
        let mut pair = pair(round % 2 == 0);
        let messages: Vec<_> = (0..8)
            .map(|_| {
                let size = [0, 3, 100, 3000, 70_000][random.below(5)];
                prose(&random, size)
            })
            .collect();
        let mut stream = Vec::new();
        for message in &messages {
            pair.server.send(MessageKind::Binary, message.clone().into()).unwrap();
            let bytes = take_output(&mut pair.server);
            stream.extend(fragment(&bytes, &random));
        }
        let mut received = Vec::new();
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(1 + random.below(5000)));
            received.extend(feed(&mut pair.client, piece, pair.now));
            rest = after;
        }
        let expected: Vec<_> = messages.iter().map(|message| binary(message)).collect();
        assert!(split(received).0 == expected, "round {round}");
    }
}

/// Cuts a server's frame into fragments with pings between them.
fn fragment(bytes: &[u8], random: &Seeded) -> Vec<u8> {
    let header = match bytes[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    let (mut rest, mut first) = (&bytes[header..], bytes[0] & 0x7f);
    let mut stream = Vec::new();
    loop {
        let (piece, after) = rest.split_at(random.below(rest.len() + 1));
        rest = after;
        if rest.is_empty() {
            stream.extend(frame(first | 0x80, piece, false));
            return stream;
        }
        stream.extend(frame(first, piece, false));
        stream.extend(frame(0x89, b"?", false));
        first = 0;
    }
}

#[test]
fn small_messages_go_uncompressed() {
    let mut config = deflating(false);
    config.deflate = Some(DeflateConfig::default());
    let mut pair = Pair::with(config.clone(), config);
    for (size, first) in [(0, 0x82), (1023, 0x82), (1024, 0xc2), (5000, 0xc2)] {
        pair.server.send(MessageKind::Binary, vec![7; size].into()).unwrap();
        let bytes = take_output(&mut pair.server);
        assert_eq!(bytes[0], first, "{size} bytes");
        assert_eq!(split(feed(&mut pair.client, &bytes, pair.now)).0, [binary(&vec![7; size])]);
    }
}

#[test]
fn what_does_not_get_smaller_goes_uncompressed() {
    let random = Seeded::new(3);
    let noise: Vec<u8> = (0..5000).map(|_| random.next() as u8).collect();
    let mut pair = pair(false);
    pair.server.send(MessageKind::Binary, noise.clone().into()).unwrap();
    let bytes = take_output(&mut pair.server);
    assert_eq!(bytes, frame(0x82, &noise, false));
}

#[test]
fn the_script_s_bytes_count_not_the_compressed_ones() {
    for takeover in [true, false] {
        let mut pair = pair(takeover);
        pair.server.send(MessageKind::Binary, vec![0; 100_000].into()).unwrap();
        assert_eq!((pair.server.buffered_amount(), pair.server.buffered_messages()), (100_000, 1));
        assert!(take_output(&mut pair.server).len() < 1000);
        assert_eq!((pair.server.buffered_amount(), pair.server.buffered_messages()), (0, 0));
    }
}

/// Zeros, compressed.
fn bomb(size: usize) -> Vec<u8> {
    let mut config = deflating(true);
    config.max_message_size = usize::MAX;
    let mut pair = Pair::with(config.clone(), config);
    pair.server.send(MessageKind::Binary, vec![0; size].into()).unwrap();
    compressed_payload(&take_output(&mut pair.server)).to_vec()
}

#[test]
fn a_bomb_ends_at_the_limit() {
    let bomb = bomb(64 << 20);
    assert!(bomb.len() < 100_000);
    for limit in [1, 1000, 65535, 1 << 20] {
        for step in [1000, usize::MAX] {
            let mut config = deflating(true);
            config.max_message_size = limit;
            let mut pair = Pair::with(config.clone(), config);
            let mut all = Vec::new();
            for piece in frame(0xc2, &bomb, true).chunks(step.min(1 << 20)) {
                all.extend(feed(&mut pair.server, piece, pair.now));
            }
            let closed = only_closed(all);
            assert_eq!((closed.code, &closed.reason[..]), (Some(1009), "Message too big"));
            assert!(matches!(closed.cause, CloseCause::MessageTooBig { limit: shown, .. } if shown == limit));
            assert_eq!(take_output(&mut pair.server), frame(0x88, &1009_u16.to_be_bytes(), false));
        }
    }
}

#[test]
fn messages_of_just_the_limit() {
    for takeover in [true, false] {
        for (size, fits) in [(999, true), (1000, true), (1001, false)] {
            let mut limited = deflating(takeover);
            limited.max_message_size = 1000;
            let mut pair = Pair::with(limited, deflating(takeover));
            pair.server.send(MessageKind::Binary, vec![7; size].into()).unwrap();
            let (messages, closed) = split(pair.drive_client());
            assert_eq!((messages.len(), closed.is_none()), (usize::from(fits), fits), "{size}");
        }
    }
}

#[test]
fn broken_rules() {
    let refused = |takeover: bool, frames: &[(u8, &[u8])]| {
        let mut pair = pair(takeover);
        let bytes: Vec<u8> =
            frames.iter().flat_map(|(first, payload)| frame(*first, payload, true)).collect();
        let (_, closed) = split(feed(&mut pair.server, &bytes, pair.now));
        let closed = closed.unwrap();
        (closed.code.unwrap(), closed.cause)
    };
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let reserved = (1002, CloseCause::Protocol(ProtocolError::ReservedBits));
    for frames in [
        &[(0xc9, &[][..])][..],           // a compressed ping
        &[(0xc8, &[])],                   // a compressed close
        &[(0xa1, &hello)],                // RSV2
        &[(0x91, &hello)],                // RSV3
        &[(0xc0, &hello)],                // RSV1 on nothing's continuation
        &[(0x41, &hello), (0xc0, &[])],   // RSV1 on a continuation
        &[(0x01, b"plain"), (0xc0, &[])], // the same of an uncompressed message
    ] {
        assert_eq!(refused(true, frames), reserved, "{frames:x?}");
    }
    let corrupt = (1007, CloseCause::Protocol(ProtocolError::CorruptDeflate));
    for (takeover, frames) in [
        (true, &[(0xc1, &[0x06][..])][..]),                 // block type 3
        (true, &[(0xc1, b"\xff\xff\xff\xff")]),             // noise
        (true, &[(0xc1, &[0x00, 5, 0, 5, 0])]),             // a stored block's length and its complement
        (true, &[(0xc1, &[0xf2, 0x00, 0x11, 0x00, 0x00])]), // refers to what is not there
        (false, &[(0xc1, &hello), (0xc1, &[0xf2, 0x00, 0x11, 0x00, 0x00])]), // a context that was given up
    ] {
        assert_eq!(refused(takeover, frames), corrupt, "{frames:x?}");
    }
    let not_utf8 = (1007, CloseCause::Protocol(ProtocolError::TextNotUtf8));
    assert_eq!(refused(true, &[(0xc1, &[0x00, 1, 0, 0xfe, 0xff, 0xff, 0x00])]), not_utf8);
    assert_eq!(refused(true, &[(0xc1, &[0x00, 1, 0, 0xfe, 0xff, 0xc3, 0x00])]), not_utf8);
}

#[test]
fn compression_that_was_not_agreed_on_is_refused() {
    for (client, server) in [(config(), config()), (deflating(true), config()), (config(), deflating(true))] {
        let mut pair = Pair::with(client, server);
        pair.client.send(MessageKind::Binary, vec![0; 5000].into()).unwrap();
        assert_eq!(take_output(&mut pair.client)[0], 0x82);
        let closed = only_closed(feed(&mut pair.server, &frame(0xc1, &[0], true), pair.now));
        assert_eq!(closed.cause, CloseCause::Protocol(ProtocolError::ReservedBits));
    }
}

#[test]
fn noise_never_does_harm() {
    let random = Seeded::new(11);
    for _ in 0..3000 {
        let mut pair = pair(random.below(2) == 0);
        let mut payload = prose(&random, 200);
        pair.client.send(MessageKind::Binary, payload.clone().into()).unwrap();
        let mut bytes = unmask(&take_output(&mut pair.client));
        let header = bytes.len() - compressed_payload(&bytes).len();
        for _ in 0..1 + random.below(4) {
            let index = header + random.below(bytes.len() - header);
            bytes[index] ^= 1 << random.below(8);
        }
        let damaged = frame(0xc2, &bytes[header..], true);
        feed(&mut pair.server, &damaged, pair.now);
        payload.fill_with(|| random.next() as u8);
        feed(&mut pair.server, &frame(0xc2, &payload, true), pair.now);
    }
}

#[test]
fn after_our_close_what_cannot_be_inflated_is_skipped() {
    let mut limited = deflating(true);
    limited.max_message_size = 1000;
    let mut pair = Pair::with(deflating(true), limited);
    pair.server.close(1000, "", pair.now);
    let bytes = [
        frame(0xc2, &bomb(1 << 20), true),
        frame(0x82, b"plain", true),
        frame(0xc2, &[0xff; 20], true),
        frame(0xc2, &[0xf2, 0x00, 0x11, 0x00, 0x00], true),
        frame(0x88, &1000_u16.to_be_bytes(), true),
    ]
    .concat();
    let (messages, closed) = split(feed(&mut pair.server, &bytes, pair.now));
    assert_eq!(messages, [binary(b"plain")]);
    assert_eq!(closed.unwrap().cause, CloseCause::Clean);
}

fn slice_addresses(connection: &Connection) -> Vec<*const u8> {
    let mut slices = [IoSlice::new(&[]); 8];
    let filled = connection.output(&mut slices);
    slices[..filled].iter().map(|slice| slice.as_ptr()).collect()
}

#[test]
fn a_broadcast_is_compressed_once() {
    let random = Seeded::new(9);
    let mut pairs: Vec<_> = (0..4).map(|_| pair(false)).collect();
    let mut compressor = Compressor::default();
    let payloads: Vec<Bytes> = (0..3).map(|_| prose(&random, 20_000).into()).collect();
    for pair in &mut pairs {
        for payload in &payloads {
            pair.server.send_with(MessageKind::Binary, payload.clone(), &mut compressor).unwrap();
        }
    }
    let [first, others @ ..] = &pairs[..] else { unreachable!() };
    let addresses = slice_addresses(&first.server);
    assert_eq!(addresses.len(), 6);
    for other in others {
        let shared = slice_addresses(&other.server);
        assert!(addresses.iter().skip(1).step_by(2).eq(shared.iter().skip(1).step_by(2)));
    }
    for mut pair in pairs {
        let expected: Vec<_> = payloads.iter().map(|payload| binary(payload)).collect();
        assert!(split(pair.drive_client()).0 == expected);
    }
    // What nobody else waits for is let go.
    compressor.release();
    assert!(payloads.iter().all(|payload| !payload.is_unique()));
    let [a, ..] = &payloads[..] else { unreachable!() };
    let a = a.clone();
    drop(payloads);
    compressor.release();
    assert!(!a.is_unique());
    compressor.clear();
    assert!(a.is_unique());
}

#[test]
fn idle_contexts_are_given_back() {
    let mut pair = pair(true);
    let send = |pair: &mut Pair| {
        pair.server.send(MessageKind::Text, Bytes::from_static(b"Hello")).unwrap();
        let bytes = take_output(&mut pair.server);
        assert!(events(&mut pair.server, pair.now).is_empty());
        assert_eq!(split(feed(&mut pair.client, &bytes, pair.now)).0, [text("Hello")]);
        bytes.len()
    };
    assert_eq!(pair.server.next_deadline(), None);
    assert_eq!((send(&mut pair), send(&mut pair)), (9, 7));
    // In use: kept.
    assert_eq!(pair.server.next_deadline(), Some(pair.now + 10 * SECOND));
    pair.advance(10 * SECOND);
    pair.server.handle_timeout(pair.now);
    assert!(send(&mut pair) < 9);
    // Idle from now on: freed by the second look.
    for _ in 0..2 {
        pair.advance(10 * SECOND);
        pair.server.handle_timeout(pair.now);
    }
    assert_eq!(pair.server.next_deadline(), None);
    assert_eq!(send(&mut pair), 9);
}

#[test]
fn opened_tells_whether_compression_was_agreed_on() {
    for (client, server, agreed) in [
        (deflating(true), deflating(false), true),
        (deflating(true), config(), false),
        (config(), deflating(true), false),
    ] {
        let now = epoch();
        let (mut client, mut server) = (util::client(client, now), util::server(server, now));
        let bytes = take_output(&mut client);
        assert_eq!(only_opened(feed(&mut server, &bytes, now)).is_compressed, agreed);
        let bytes = take_output(&mut server);
        assert_eq!(only_opened(feed(&mut client, &bytes, now)).is_compressed, agreed);
    }
    assert!(matches!(
        feed(&mut pair(true).client, &frame(0x81, b"x", false), epoch())[..],
        [Event::Message(_)]
    ));
}
