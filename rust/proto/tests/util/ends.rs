//! Two endpoints in memory, and what is asked of them again and again.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this")]

use std::{io::IoSlice, sync::Arc, time::Instant};

use bytes::Bytes;
use rust_websocket_proto::{
    Amount, Budget, Closed, Compressor, Config, DeflateConfig, Endpoint, EndpointOptions, Event, MessageKind,
    Polled, ReceiveLimits, Scheme, SendLimits,
};

use crate::util::{Seeded, config, epoch, request};

pub const NARROW: ReceiveLimits = ReceiveLimits { bytes: 10_000, messages: 4 };
pub const WIDE: ReceiveLimits = ReceiveLimits { bytes: usize::MAX, messages: usize::MAX };

pub fn options(receive_limits: ReceiveLimits, read_ahead: usize) -> EndpointOptions {
    EndpointOptions {
        send_limits: SendLimits { bytes: 0, messages: 0 },
        receive_limits,
        read_ahead,
        half_close: true,
    }
}

pub fn written(endpoint: &mut Endpoint, most: usize, now: Instant) -> Vec<u8> {
    let mut all = Vec::new();
    while endpoint.has_output() && all.len() < most {
        let mut slices = [IoSlice::new(&[]); 8];
        let filled = endpoint.output(&mut slices);
        let before = all.len();
        for slice in &slices[..filled] {
            all.extend_from_slice(&slice[..slice.len().min(most - all.len())]);
        }
        endpoint.wrote(all.len() - before, now);
    }
    endpoint.write_refused(now);
    all
}

pub fn all_written(endpoint: &mut Endpoint, now: Instant) -> Vec<u8> {
    written(endpoint, usize::MAX, now)
}

/// Events until there is nothing more, no room, or the budget is spent; and which of these.
pub fn polled(endpoint: &mut Endpoint, budget: &mut Budget, now: Instant) -> (Vec<Event>, Polled) {
    let mut events = Vec::new();
    loop {
        match endpoint.poll_event(budget, now) {
            Polled::Event(event) => events.push(event),
            why => return (events, why),
        }
    }
}

pub fn events(endpoint: &mut Endpoint, now: Instant) -> Vec<Event> {
    polled(endpoint, &mut Budget::unlimited(), now).0
}

pub fn messages(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::Message(_))).count()
}

pub fn end_of(events: &[Event]) -> Option<&Closed> {
    match events.last() {
        Some(Event::Closed(closed)) => Some(closed),
        _ => None,
    }
}

pub fn send(endpoint: &mut Endpoint, payload: &[u8]) {
    endpoint.send(MessageKind::Binary, Bytes::copy_from_slice(payload), &mut Compressor::default()).unwrap();
}

/// A client and a server that have completed the upgrade.
pub struct Ends {
    pub client: Endpoint,
    pub server: Endpoint,
    pub now: Instant,
}

impl Ends {
    pub fn new(server: EndpointOptions) -> Self {
        Self::with(config(), config(), server)
    }

    pub fn with(client_config: Config, server_config: Config, server: EndpointOptions) -> Self {
        let now = epoch();
        let mut ends = Self {
            client: Endpoint::client(
                &request("ws://game.example/"),
                client_config,
                Arc::new(Seeded::new(7)),
                options(WIDE, 0),
                now,
            ),
            server: Endpoint::server(Scheme::Ws, server_config, server, now),
            now,
        };
        assert!(matches!(ends.drive_server()[..], [Event::Opened(_)]));
        assert!(matches!(ends.drive_client()[..], [Event::Opened(_)]));
        ends
    }

    pub fn drive_server(&mut self) -> Vec<Event> {
        let bytes = all_written(&mut self.client, self.now);
        self.server.handle_read(&bytes, self.now);
        events(&mut self.server, self.now)
    }

    pub fn drive_client(&mut self) -> Vec<Event> {
        let bytes = all_written(&mut self.server, self.now);
        self.client.handle_read(&bytes, self.now);
        events(&mut self.client, self.now)
    }

    /// The server's owner takes messages of `bytes` each.
    pub fn consume(&mut self, messages: usize, bytes: usize) -> Vec<Event> {
        self.server.consumed(Amount { messages, bytes: messages * bytes }, self.now);
        events(&mut self.server, self.now)
    }
}

pub fn lossless(bytes: Vec<u8>) -> Ends {
    let mut large = config();
    large.max_message_size = 1 << 20;
    large.deflate = Some(DeflateConfig { context_takeover: true, ..DeflateConfig::default() });
    let mut ends = Ends::with(large.clone(), large, options(WIDE, 0));
    ends.server.handle_read(&bytes, ends.now);
    ends
}
