//! Whatever a stream holds and however it is cut, an endpoint makes the same of it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "util/ends.rs"]
mod ends;
mod util;

use ends::{Ends, WIDE, all_written, lossless, options, polled};
use rust_websocket_proto::{
    Amount, Budget, CloseCause, Compressor, DeflateConfig, Event, Message, MessageKind, ReceiveLimits,
};
use util::{MS, Seeded, config, frame};

/// What a receiver makes of a stream: the messages, how it ends, and what it answers.
type Outcome = (Vec<Message>, Option<(Option<u16>, CloseCause)>, Vec<u8>);

/// Hands `bytes` in as they are cut, with a budget for each turn; the owner takes what it gets at once, or now and then.
fn outcome(bytes: &[u8], random: Option<&Seeded>, has_closed: bool) -> Outcome {
    let mut ends = lossless(Vec::new());
    if let Some(random) = random {
        let narrow = ReceiveLimits { bytes: 1 + random.below(1000), messages: 1 + random.below(5) };
        let mut config = config();
        config.max_message_size = 1 << 20;
        config.deflate = Some(DeflateConfig { context_takeover: true, ..DeflateConfig::default() });
        ends = Ends::with(config.clone(), config, options(narrow, random.below(4000)));
    }
    if has_closed {
        ends.server.close(1000, "", ends.now);
    }
    let mut all = (Vec::new(), None, Vec::new());
    let mut rest = bytes;
    for _ in 0..100_000 {
        let budget =
            random.map_or(Budget::unlimited(), |random| Budget::new(MS / 1000 * random.below(20) as u32));
        let (events, _) = polled(&mut ends.server, &mut budget.clone(), ends.now);
        for event in events {
            match event {
                Event::Message(message) => {
                    ends.server.consumed(Amount::message(message.payload.len()), ends.now);
                    all.0.push(message);
                }
                Event::Closed(closed) => all.1 = Some((closed.code, closed.cause)),
                Event::Opened(_) => panic!("opened twice"),
            }
        }
        if !ends.server.is_holding() {
            ends.server.settle(ends.now);
        }
        if ends.server.wants_read() && !rest.is_empty() {
            let count = random.map_or(rest.len(), |random| 1 + random.below(rest.len().min(3000)));
            let (now, later) = rest.split_at(count);
            rest = later;
            ends.server.handle_read(now, ends.now);
        } else if rest.is_empty() && ends.server.wants_read() && !ends.server.is_holding() {
            break;
        }
    }
    all.2 = all_written(&mut ends.server, ends.now);
    all
}

/// Frames of every kind, right and wrong, compressed and corrupt.
fn arbitrary_stream(random: &Seeded) -> Vec<u8> {
    const FIRST: [u8; 14] =
        [0x81, 0x82, 0x01, 0x02, 0x80, 0x00, 0xc1, 0xc2, 0xc1, 0x41, 0x89, 0x8a, 0xc1, 0x81];
    let mut bytes = Vec::new();
    for _ in 0..1 + random.below(8) {
        let first = FIRST[random.below(FIRST.len())];
        let mut payload: Vec<u8> = match random.below(5) {
            0 => (0..random.below(300)).map(|_| random.next() as u8).collect(),
            1 => "héé€ ".repeat(random.below(40)).into_bytes(),
            _ => packed(random),
        };
        if first & 0x40 != 0 && random.below(3) == 0 && !payload.is_empty() {
            let at = random.below(payload.len());
            payload[at] ^= 1 << random.below(8);
        }
        if first & 0x08 != 0 {
            payload.truncate(125);
        }
        bytes.extend(frame(first, &payload, true));
    }
    if random.below(3) > 0 {
        bytes.extend(frame(0x88, &[3, 232], true));
    }
    bytes
}

/// A compressed text, as a client would send it.
fn packed(random: &Seeded) -> Vec<u8> {
    let mut deflate = config();
    deflate.deflate =
        Some(DeflateConfig { threshold: 0, context_takeover: true, ..DeflateConfig::default() });
    let mut ends = Ends::with(deflate.clone(), deflate, options(WIDE, 0));
    let text: String = (0..random.below(400)).map(|_| ['a', 'b', 'é', '€', ' '][random.below(5)]).collect();
    ends.server.send(MessageKind::Text, text.into(), &mut Compressor::default()).unwrap();
    let output = all_written(&mut ends.server, ends.now);
    let head = if output[1] == 126 { 4 } else { 2 };
    output[head..].to_vec()
}

/// However input is cut, budgets are dealt and the owner takes its time: the same messages, the same end, the same answer.
#[test]
fn arbitrary_cuts_give_the_same_result() {
    for seed in 0..4000 {
        let random = Seeded::new(seed * 2 + 1);
        let bytes = arbitrary_stream(&random);
        for has_closed in [false, true] {
            let whole = outcome(&bytes, None, has_closed);
            for _ in 0..3 {
                let cut = outcome(&bytes, Some(&random), has_closed);
                assert_eq!(cut.1, whole.1, "seed {seed}, closed {has_closed}");
                assert_eq!(cut.2, whole.2, "seed {seed}, closed {has_closed}");
                if !has_closed {
                    assert_eq!(cut.0, whole.0, "seed {seed}");
                }
            }
        }
    }
}
