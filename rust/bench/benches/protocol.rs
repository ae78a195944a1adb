//! What the protocol costs by itself: two connections in memory, no socket, no engine.
//!
//! `cargo bench -p rust-websocket-bench`. Small messages show headers and queues, large ones masking and copying.

use std::{
    io::IoSlice,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use divan::{Bencher, counter::BytesCount};
use rust_websocket_net::SystemRandom;
use rust_websocket_proto::{ClientRequest, Config, Connection, Event, MessageKind, Random, Scheme, Target};

const SIZES: [usize; 5] = [0, 64, 1024, 64 * 1024, 4 << 20];
/// Messages per iteration.
const BATCH: usize = 64;

fn main() {
    divan::Divan::from_args().min_time(Duration::from_millis(300)).main();
}

/// A connected client and server.
struct Pair {
    client: Connection,
    server: Connection,
    wire: Vec<u8>,
    now: Instant,
}

impl Pair {
    fn new() -> Self {
        let now = Instant::now();
        let config = Config { max_message_size: 64 << 20, ..Config::default() };
        let request = ClientRequest { target: Target::parse("ws://localhost/").expect("a valid URL") };
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let mut pair = Self {
            client: Connection::client(&request, config.clone(), random, now),
            server: Connection::server(Scheme::Ws, config, now),
            wire: Vec::new(),
            now,
        };
        take_output(&mut pair.client, &mut pair.wire, now);
        pair.server.handle_input(&pair.wire, now);
        assert!(matches!(pair.server.poll_event(now), Some(Event::Opened(_))));
        take_output(&mut pair.server, &mut pair.wire, now);
        pair.client.handle_input(&pair.wire, now);
        assert!(matches!(pair.client.poll_event(now), Some(Event::Opened(_))));
        pair
    }
}

/// Replaces `wire` by what is to be written.
fn take_output(connection: &mut Connection, wire: &mut Vec<u8>, now: Instant) {
    wire.clear();
    while connection.has_output() {
        let mut slices = [IoSlice::new(&[]); 64];
        let filled = connection.output(&mut slices);
        let before = wire.len();
        for slice in &slices[..filled] {
            wire.extend_from_slice(slice);
        }
        connection.advance_output(wire.len() - before, now);
    }
}

fn batch(size: usize) -> usize {
    if size > 64 * 1024 { 1 } else { BATCH }
}

/// Headers and queueing of a server.
#[divan::bench(args = SIZES)]
fn encode_as_server(bencher: Bencher, size: usize) {
    encode(bencher, size, false);
}

/// The same with masks.
#[divan::bench(args = SIZES)]
fn encode_as_client(bencher: Bencher, size: usize) {
    encode(bencher, size, true);
}

fn encode(bencher: Bencher, size: usize, as_client: bool) {
    let mut pair = Pair::new();
    let payload = vec![b'x'; size];
    let count = batch(size);
    bencher.counter(BytesCount::new(size * count)).bench_local(|| {
        let Pair { client, server, wire, now } = &mut pair;
        let sender = if as_client { client } else { server };
        for _ in 0..count {
            let payload = Bytes::copy_from_slice(&payload);
            sender.send(MessageKind::Binary, payload).expect("open");
        }
        take_output(sender, wire, *now);
    });
}

/// Headers, unmasking and assembly on a server; binary.
#[divan::bench(args = SIZES)]
fn decode_as_server(bencher: Bencher, size: usize) {
    decode(bencher, size, true, MessageKind::Binary);
}

/// Headers and assembly on a client; binary.
#[divan::bench(args = SIZES)]
fn decode_as_client(bencher: Bencher, size: usize) {
    decode(bencher, size, false, MessageKind::Binary);
}

/// The same as [`decode_as_server`] with text, which is validated.
#[divan::bench(args = SIZES)]
fn decode_text_as_server(bencher: Bencher, size: usize) {
    decode(bencher, size, true, MessageKind::Text);
}

fn decode(bencher: Bencher, size: usize, at_server: bool, kind: MessageKind) {
    let mut pair = Pair::new();
    let count = batch(size);
    let Pair { client, server, wire, now } = &mut pair;
    let (sender, receiver) = if at_server { (client, server) } else { (server, client) };
    for _ in 0..count {
        sender.send(kind, vec![b'x'; size].into()).expect("open");
    }
    take_output(sender, wire, *now);
    bencher.counter(BytesCount::new(size * count)).bench_local(|| {
        let mut messages = 0;
        // As a socket gives it.
        for chunk in wire.chunks(64 * 1024) {
            receiver.handle_input(chunk, *now);
            while let Some(event) = receiver.poll_event(*now) {
                divan::black_box(&event);
                messages += 1;
            }
        }
        assert_eq!(messages, count);
    });
}

/// One message there and back through both connections.
#[divan::bench(args = [64, 64 * 1024])]
fn round_trip(bencher: Bencher, size: usize) {
    let mut pair = Pair::new();
    let payload = vec![b'x'; size];
    bencher.counter(BytesCount::new(2 * size)).bench_local(|| {
        let Pair { client, server, wire, now } = &mut pair;
        let there = pass(client, server, Bytes::copy_from_slice(&payload), wire, *now);
        pass(server, client, there, wire, *now)
    });
}

fn pass(
    from: &mut Connection,
    to: &mut Connection,
    message: Bytes,
    wire: &mut Vec<u8>,
    now: Instant,
) -> Bytes {
    from.send(MessageKind::Binary, message).expect("open");
    take_output(from, wire, now);
    to.handle_input(wire, now);
    let Some(Event::Message(received)) = to.poll_event(now) else { panic!("a message") };
    received.payload
}
