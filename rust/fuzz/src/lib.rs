//! What the fuzz targets share: connections in memory whose input may be cut anywhere, and what came of it.
#![allow(clippy::unwrap_used, reason = "a fuzz target reports what it finds by failing")]

use std::{
    fmt::Write,
    io::IoSlice,
    sync::Arc,
    time::{Duration, Instant},
};

use rust_websocket_proto::{
    Budget, ClientRequest, Config, Connection, DeflateConfig, Event, Polled, Random, Scheme, Target,
    TraceEvent, Tracer, TransportEnd,
};

/// The same bytes each time, so that keys and masks are known.
pub struct Fixed;

impl Random for Fixed {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}

/// Some moment. Nothing here waits.
pub fn now() -> Instant {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *START.get_or_init(Instant::now)
}

/// Limits small enough to be met.
pub fn config(compresses: bool, keeps_context: bool) -> Arc<Config> {
    Arc::new(Config {
        max_message_size: 4096,
        supported_protocols: vec!["chat".to_owned(), "v2".to_owned()],
        deflate: compresses.then(|| DeflateConfig {
            threshold: 0,
            context_takeover: keeps_context,
            ..DeflateConfig::default()
        }),
        ..Config::default()
    })
}

/// Sees to it that whatever is received stays one line in a trace.
struct OneLine;

impl Tracer for OneLine {
    fn payload_bytes(&self) -> usize {
        75
    }

    fn trace(&mut self, event: &TraceEvent<'_>) -> bool {
        let line = event.to_string();
        assert!(!line.chars().any(char::is_control), "{line:?} reaches a terminal");
        true
    }
}

fn traced(mut connection: Connection) -> Connection {
    connection.set_tracer(Some(Box::new(OneLine)), "");
    connection
}

/// A client that has written its request.
pub fn client(config: Arc<Config>) -> Connection {
    let target = Target::parse("ws://game.example/").unwrap();
    traced(Connection::client(&ClientRequest { target }, config, Arc::new(Fixed), now()))
}

/// A server that waits for a request.
pub fn server(config: Arc<Config>) -> Connection {
    traced(Connection::server(Scheme::Ws, config, now()))
}

/// A client and a server that have completed the upgrade.
pub fn open_pair(config: &Arc<Config>) -> (Connection, Connection) {
    let (mut client, mut server) = (client(config.clone()), server(config.clone()));
    server.handle_input(&take_output(&mut client), now());
    assert!(matches!(server.poll_event(now()), Some(Event::Opened(_))), "the server does not open");
    client.handle_input(&take_output(&mut server), now());
    assert!(matches!(client.poll_event(now()), Some(Event::Opened(_))), "the client does not open");
    (client, server)
}

/// Everything that is to be written.
pub fn take_output(connection: &mut Connection) -> Vec<u8> {
    let mut all = Vec::new();
    while connection.has_output() {
        let mut slices = [IoSlice::new(&[]); 8];
        let filled = connection.output(&mut slices);
        let before = all.len();
        slices[..filled].iter().for_each(|slice| all.extend_from_slice(slice));
        connection.advance_output(all.len() - before, now());
    }
    all
}

/// What a connection has made of its input: events and bytes, as text to compare and to read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Each event in a line.
    pub events: String,
    /// All that was written.
    pub output: Vec<u8>,
}

/// Feeds `input` in pieces whose lengths are those of `cuts` in turn (none: at once), decoding within `budget` each time, then the
/// transport's end.
pub fn run(mut connection: Connection, input: &[u8], cuts: &[u8], budget: Duration) -> Outcome {
    let mut outcome = Outcome::default();
    let mut rest = input;
    let mut lengths = cuts.iter().map(|cut| usize::from(*cut) + 1).cycle();
    while !rest.is_empty() {
        let length = if cuts.is_empty() { rest.len() } else { lengths.next().unwrap_or(1) };
        let (piece, after) = rest.split_at(length.min(rest.len()));
        connection.handle_input(piece, now());
        outcome.note(&mut connection, budget);
        rest = after;
    }
    connection.handle_transport_end(TransportEnd::Eof);
    outcome.note(&mut connection, budget);
    outcome
}

impl Outcome {
    fn note(&mut self, connection: &mut Connection, time: Duration) {
        loop {
            match connection.poll(&mut Budget::new(time), now()) {
                Polled::Event(event) => writeln!(self.events, "{event:?}").unwrap(),
                Polled::BudgetSpent => {}
                Polled::Idle | Polled::Full => {
                    if !connection.has_fault() {
                        break;
                    }
                    connection.settle_fault();
                }
            }
        }
        self.output.extend(take_output(connection));
    }
}

impl Outcome {
    /// Of pings that come faster than their answers are written, some have none (RFC 6455 section 5.5.3), which depends on how
    /// many come at once.
    fn without_pongs(self) -> Self {
        let head = self.output.windows(4).position(|part| part == b"\r\n\r\n");
        let is_http = self.output.starts_with(b"HTTP/") || self.output.starts_with(b"GET ");
        let (kept, mut frames) = self.output.split_at(head.filter(|_| is_http).map_or(0, |head| head + 4));
        let mut output = kept.to_vec();
        while let Some(length) = frame_length(frames) {
            let (frame, rest) = frames.split_at(length);
            if frame[0] != 0x8a {
                output.extend_from_slice(frame);
            }
            frames = rest;
        }
        output.extend_from_slice(frames);
        Self { events: self.events, output }
    }
}

/// Of the frame in front, header included; `None`: there is no whole one.
fn frame_length(bytes: &[u8]) -> Option<usize> {
    let second = *bytes.get(1)?;
    let mask = usize::from(second & 0x80) / 32;
    let (header, payload) = match second & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        length => (2, usize::from(length)),
    };
    payload.checked_add(header + mask).filter(|length| *length <= bytes.len())
}

/// Runs the same input whole, cut, and cut within a budget of next to nothing: it has to come to the same, but for pongs.
pub fn same_however_cut(make: impl Fn() -> Connection, input: &[u8], cuts: &[u8]) -> Outcome {
    let outcome = |cuts, budget| run(make(), input, cuts, budget).without_pongs();
    let whole = outcome(&[], Duration::MAX);
    assert_eq!(whole, outcome(cuts, Duration::MAX), "cut by {cuts:?}");
    assert_eq!(whole, outcome(cuts, Duration::from_nanos(1)), "cut by {cuts:?}, with a small budget");
    whole
}

/// The first `count` bytes say how the rest is used.
pub fn split(data: &[u8], count: usize) -> Option<(&[u8], &[u8])> {
    data.split_at_checked(count)
}
