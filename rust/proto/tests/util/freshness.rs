//! The rule of what may be dropped, run as bytes say: a sender whose transport takes what it likes, with pings in between, and a
//! receiver. The property test and a fuzz target share it.

use std::{
    collections::BTreeMap,
    io::IoSlice,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rust_websocket_proto::{
    ClientRequest, Compressor, Config, ConnectPhase, Connection, DeflateConfig, Delivery, Event, MessageKind,
    Random, Scheme, Target,
};

const MS: Duration = Duration::from_millis(1);

/// A message that was put: when, and what may become of it.
#[derive(Debug, Clone, Copy)]
struct Sent {
    at: Instant,
    delivery: Delivery,
}

/// The same keys and masks each time.
struct Fixed;

impl Random for Fixed {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}

struct World {
    now: Instant,
    sender: Connection,
    receiver: Connection,
    compressor: Compressor,
    is_client: bool,
    lifetime: Option<Duration>,
    sent: Vec<Sent>,
    /// Numbers of the messages that have arrived.
    arrived: Vec<usize>,
    /// When the transport took the beginning of each data frame, and the lifetime at that moment.
    begun: Vec<(Instant, Option<Duration>)>,
    walker: Walker,
    /// What waited went into the output whatever becomes of it there.
    is_closed: bool,
}

/// Finds where frames begin in a stream of bytes.
#[derive(Default)]
struct Walker {
    header: Vec<u8>,
    left: usize,
}

impl Walker {
    /// Calls `begun` for each data frame whose first byte is in here.
    fn walk(&mut self, bytes: &[u8], mut begun: impl FnMut()) {
        for byte in bytes {
            if self.left > 0 {
                self.left -= 1;
                continue;
            }
            self.header.push(*byte);
            if self.header.len() == 1 && byte & 0x0f < 8 {
                begun();
            }
            if let Some(length) = payload_length(&self.header) {
                self.left = length;
                self.header.clear();
            }
        }
    }
}

/// Of a header that is complete.
fn payload_length(header: &[u8]) -> Option<usize> {
    let [_, second, rest @ ..] = header else { return None };
    let key = if second & 0x80 != 0 { 4 } else { 0 };
    let (length, size) = match second & 0x7f {
        126 => (u16::from_be_bytes(*rest.first_chunk()?).into(), 2),
        127 => (usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).unwrap(), 8),
        short => (short.into(), 0),
    };
    (rest.len() == size + key).then_some(length)
}

fn take_all(connection: &mut Connection, now: Instant) -> Vec<u8> {
    let mut all = Vec::new();
    while connection.has_output() {
        let mut slices = [IoSlice::new(&[]); 8];
        let filled = connection.output(&mut slices);
        let before = all.len();
        slices[..filled].iter().for_each(|slice| all.extend_from_slice(slice));
        connection.advance_output(all.len() - before, now);
    }
    all
}

impl World {
    fn new(flags: u8, now: Instant) -> Self {
        let lifetime = (flags & 8 != 0).then_some(100 * MS);
        let config = Arc::new(Config {
            max_message_size: 1 << 20,
            deflate: (flags & 1 != 0).then(|| DeflateConfig {
                threshold: 0,
                context_takeover: flags & 2 != 0,
                ..DeflateConfig::default()
            }),
            unreliable_lifetime: lifetime,
            ..Config::default()
        });
        let target = Target::parse("ws://game.example/").unwrap();
        let mut client = Connection::client(&ClientRequest { target }, config.clone(), Arc::new(Fixed), now);
        client.set_connect_phase(ConnectPhase::Upgrade);
        let mut server = Connection::server(Scheme::Ws, config, now);
        server.handle_input(&take_all(&mut client, now), now);
        assert!(matches!(server.poll_event(now), Some(Event::Opened(_))));
        client.handle_input(&take_all(&mut server, now), now);
        assert!(matches!(client.poll_event(now), Some(Event::Opened(_))));
        let is_client = flags & 4 != 0;
        let (sender, receiver) = if is_client { (client, server) } else { (server, client) };
        Self {
            now,
            is_client,
            is_closed: false,
            sender,
            receiver,
            compressor: Compressor::default(),
            lifetime,
            sent: Vec::new(),
            arrived: Vec::new(),
            begun: Vec::new(),
            walker: Walker::default(),
        }
    }

    fn put(&mut self, delivery: Delivery, size: usize) {
        let mut payload = self.sent.len().to_le_bytes().to_vec();
        payload.resize(8 + size, 7);
        self.sent.push(Sent { at: self.now, delivery });
        let sent =
            self.sender.send_as(MessageKind::Binary, Bytes::from(payload), delivery, &mut self.compressor);
        sent.unwrap();
    }

    /// The transport takes up to `most` bytes and then no more.
    fn take(&mut self, mut most: usize) {
        loop {
            self.sender.fill_output(self.now, &mut self.compressor);
            if !self.sender.has_output() {
                return;
            }
            let mut slices = [IoSlice::new(&[]); 8];
            let filled = self.sender.output(&mut slices);
            let mut bytes: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
            bytes.truncate(most);
            if bytes.is_empty() {
                self.sender.output_refused(self.now);
                return;
            }
            most -= bytes.len();
            self.sender.advance_output(bytes.len(), self.now);
            let (begun, moment) = (&mut self.begun, (self.now, self.lifetime));
            self.walker.walk(&bytes, || begun.push(moment));
            self.receive(&bytes);
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.receiver.handle_input(bytes, self.now);
        while let Some(event) = self.receiver.poll_event(self.now) {
            let Event::Message(message) = event else { continue };
            let number = usize::from_le_bytes(*message.payload.first_chunk().unwrap());
            assert!(self.arrived.last().is_none_or(|last| *last < number), "out of order");
            let (begun, lifetime) = self.begun[self.arrived.len()];
            let sent = self.sent[number];
            if let (Delivery::Unreliable(_), Some(lifetime), false) =
                (sent.delivery, lifetime, self.is_closed)
            {
                assert!(begun - sent.at <= lifetime, "{number} was {:?} old", begun - sent.at);
            }
            self.arrived.push(number);
        }
    }

    /// The receiver pings: the pong goes out between the messages.
    fn ping(&mut self, payload: &[u8]) {
        let mut frame = vec![0x89, payload.len() as u8];
        if !self.is_client {
            frame[1] |= 0x80; // masked with zeros
            frame.extend_from_slice(&[0; 4]);
        }
        frame.extend_from_slice(payload);
        self.sender.handle_input(&frame, self.now);
        assert!(self.sender.poll_event(self.now).is_none());
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.sender.next_deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.sender.handle_timeout(self.now);
        }
        self.now = end;
    }

    fn step(&mut self, operation: u8, argument: usize) {
        match operation & 7 {
            0 => self.put(Delivery::Reliable, argument * 40),
            1 | 2 if self.lifetime.is_some() => self.put(Delivery::Unreliable(self.now), argument * 20),
            1 | 2 => self.put(Delivery::Reliable, argument),
            3 => self.put(Delivery::Latest((argument % 3) as i64), argument),
            4 => self.take(argument * argument),
            5 => self.pass(MS * argument as u32),
            6 => self.ping(&vec![0; argument % 126]),
            _ => {
                self.lifetime = (!argument.is_multiple_of(4)).then(|| MS * (argument as u32));
                self.sender.set_unreliable_lifetime(self.lifetime);
            }
        }
    }

    /// Nothing more is put: what has to arrive does.
    fn finish(mut self, closes: bool) {
        let held: usize = self.sender.buffered_messages();
        if closes {
            self.is_closed = true;
            self.sender.close(1000, "", self.now);
        }
        self.take(usize::MAX);
        assert_eq!((self.sender.buffered_messages(), self.sender.buffered_amount()), (0, 0), "of {held}");
        let dropped = usize::try_from(self.sender.take_dropped()).unwrap();
        assert_eq!(dropped + self.arrived.len(), self.sent.len());
        let mut last_of_key = BTreeMap::new();
        for (number, sent) in self.sent.iter().enumerate() {
            match sent.delivery {
                Delivery::Reliable => {}
                // One that cannot have grown stale under any lifetime that there was.
                Delivery::Unreliable(_) if self.now == sent.at => {}
                Delivery::Unreliable(_) => continue,
                Delivery::Latest(key) => {
                    last_of_key.insert(key, number);
                    continue;
                }
            }
            assert!(self.arrived.binary_search(&number).is_ok(), "{number} has not arrived: {sent:?}");
        }
        for number in last_of_key.into_values() {
            assert!(self.arrived.binary_search(&number).is_ok(), "{number} was not replaced");
        }
    }
}

/// What arrives is a part of what was sent, in order, with every reliable message and nothing that was stale when the transport took
/// it. The first byte says how the connection is, each further pair is something that happens.
pub(crate) fn run(data: &[u8], start: Instant) {
    let Some((&flags, operations)) = data.split_first() else { return };
    let mut world = World::new(flags, start);
    for pair in operations.chunks_exact(2) {
        world.step(pair[0], pair[1].into());
    }
    world.finish(flags & 16 != 0);
}
