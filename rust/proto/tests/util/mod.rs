//! Connections in memory, with virtual time.
#![allow(dead_code, reason = "each test file uses its own part of this")]
#![allow(unreachable_pub, reason = "shared by the test files")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

pub mod reference;

use std::{
    io::IoSlice,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use rust_websocket_proto::{
    ClientRequest, Closed, Config, ConnectPhase, Connection, Event, Message, MessageKind, Opened, Random,
    Scheme, Target,
};

/// A xorshift generator: the same numbers in every run.
pub struct Seeded(AtomicU64);

impl Seeded {
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed | 1))
    }

    pub fn next(&self) -> u64 {
        let mut value = self.0.load(Ordering::Relaxed);
        value ^= value << 13;
        value ^= value >> 7;
        value ^= value << 17;
        self.0.store(value, Ordering::Relaxed);
        value.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    pub fn below(&self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

impl Random for Seeded {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill_with(|| self.next() as u8);
    }
}

/// Gives a given pattern again and again.
pub struct Pattern(pub &'static [u8]);

impl Random for Pattern {
    fn fill(&self, buffer: &mut [u8]) {
        for (byte, value) in buffer.iter_mut().zip(self.0.iter().cycle()) {
            *byte = *value;
        }
    }
}

/// Some moment; tests count from it.
#[allow(clippy::disallowed_methods, reason = "an Instant can be had in no other way")]
pub fn epoch() -> Instant {
    Instant::now()
}

pub const MS: Duration = Duration::from_millis(1);
pub const SECOND: Duration = Duration::from_secs(1);

pub fn config() -> Config {
    Config::default()
}

pub fn request(url: &str) -> ClientRequest {
    ClientRequest { target: Target::parse(url).unwrap() }
}

pub fn client(config: Config, now: Instant) -> Connection {
    let mut client =
        Connection::client(&request("ws://game.example/chat"), config, Arc::new(Seeded::new(7)), now);
    client.set_connect_phase(ConnectPhase::Upgrade);
    client
}

pub fn server(config: Config, now: Instant) -> Connection {
    Connection::server(Scheme::Ws, config, now)
}

/// Everything that is to be written, written.
pub fn take_output(connection: &mut Connection) -> Vec<u8> {
    take_output_at(connection, epoch())
}

/// The same at a moment that matters.
pub fn take_output_at(connection: &mut Connection, now: Instant) -> Vec<u8> {
    let mut all = Vec::new();
    while connection.has_output() {
        let mut slices = [IoSlice::new(&[]); 8];
        let filled = connection.output(&mut slices);
        let bytes: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
        connection.advance_output(bytes.len(), now);
        all.extend_from_slice(&bytes);
    }
    all
}

/// All events that there are, of a receiver that has nothing to answer.
pub fn events(connection: &mut Connection, now: Instant) -> Vec<Event> {
    std::iter::from_fn(|| {
        connection.settle_fault();
        connection.poll_event(now)
    })
    .collect()
}

/// Hands `bytes` in and takes the events.
pub fn feed(connection: &mut Connection, bytes: &[u8], now: Instant) -> Vec<Event> {
    connection.handle_input(bytes, now);
    events(connection, now)
}

/// Two connections that have completed the upgrade.
pub struct Pair {
    pub client: Connection,
    pub server: Connection,
    pub now: Instant,
}

impl Pair {
    pub fn new() -> Self {
        Self::with(config(), config())
    }

    pub fn with(client_config: Config, server_config: Config) -> Self {
        let now = epoch();
        let mut pair = Self { client: client(client_config, now), server: server(server_config, now), now };
        assert!(matches!(pair.drive_server()[..], [Event::Opened(_)]));
        assert!(matches!(pair.drive_client()[..], [Event::Opened(_)]));
        pair
    }

    /// What the client has to say, said to the server.
    pub fn drive_server(&mut self) -> Vec<Event> {
        let bytes = take_output_at(&mut self.client, self.now);
        feed(&mut self.server, &bytes, self.now)
    }

    /// What the server has to say, said to the client.
    pub fn drive_client(&mut self) -> Vec<Event> {
        let bytes = take_output_at(&mut self.server, self.now);
        feed(&mut self.client, &bytes, self.now)
    }

    pub fn advance(&mut self, duration: Duration) {
        self.now += duration;
    }
}

/// A frame, unmasked or masked with a fixed key.
pub fn frame(first: u8, payload: &[u8], masked: bool) -> Vec<u8> {
    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let bit = if masked { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        size @ ..126 => bytes.push(bit | size as u8),
        size @ ..65536 => {
            bytes.push(bit | 126);
            bytes.extend_from_slice(&(size as u16).to_be_bytes());
        }
        size => {
            bytes.push(bit | 127);
            bytes.extend_from_slice(&(size as u64).to_be_bytes());
        }
    }
    if masked {
        bytes.extend_from_slice(&KEY);
        bytes.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    } else {
        bytes.extend_from_slice(payload);
    }
    bytes
}

pub fn binary(payload: &[u8]) -> Message {
    Message { kind: MessageKind::Binary, payload: Bytes::copy_from_slice(payload) }
}

pub fn text(payload: &str) -> Message {
    Message { kind: MessageKind::Text, payload: Bytes::copy_from_slice(payload.as_bytes()) }
}

/// The messages of `events`, and how it ended if it did.
pub fn split(events: Vec<Event>) -> (Vec<Message>, Option<Closed>) {
    let mut messages = Vec::new();
    let mut closed = None;
    for event in events {
        assert!(closed.is_none(), "{event:?} after the end");
        match event {
            Event::Message(message) => messages.push(message),
            Event::Closed(end) => closed = Some(end),
            Event::Opened(_) => panic!("opened twice"),
        }
    }
    (messages, closed)
}

/// The only event: the end.
pub fn only_closed(events: Vec<Event>) -> Closed {
    match &events[..] {
        [Event::Closed(closed)] => closed.clone(),
        other => panic!("not just closed: {other:?}"),
    }
}

/// The only event: opened.
pub fn only_opened(events: Vec<Event>) -> Opened {
    match &events[..] {
        [Event::Opened(opened)] => opened.clone(),
        other => panic!("not just opened: {other:?}"),
    }
}
