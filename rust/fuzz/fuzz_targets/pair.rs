#![no_main]
//! A client and a server that send and close as the input says, over a transport that cuts as it says: what was sent before a
//! close arrives, whole and in order.

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use rust_websocket_fuzz::{config, now, open_pair, take_output};
use rust_websocket_proto::{Connection, Event, MessageKind};

fuzz_target!(|data: &[u8]| {
    let Some((&flags, mut operations)) = data.split_first() else { return };
    let (client, server) = open_pair(&config(flags & 1 != 0, flags & 2 != 0));
    let mut ends = [End::new(client), End::new(server)];
    let mut sent: [Vec<Vec<u8>>; 2] = Default::default();
    while let Some((&operation, rest)) = operations.split_first() {
        operations = rest;
        let side = usize::from(operation & 1);
        let argument = operation >> 3;
        match (operation >> 1) & 3 {
            0 => {
                let payload = vec![operation; usize::from(argument) * 50];
                let kind = if operation & 128 != 0 { MessageKind::Binary } else { MessageKind::Text };
                let text = payload.iter().map(|byte| byte & 127).collect::<Vec<_>>();
                if ends[side].connection.send(kind, Bytes::from(text.clone())).is_ok() {
                    sent[side].push(text);
                }
            }
            1 => {
                let bytes = take_output(&mut ends[side].connection);
                ends[1 - side].in_flight.extend(bytes);
            }
            2 => ends[side].receive(usize::from(argument) * 7 + 1),
            _ if argument == 31 => ends[side].connection.close(1000, "", now()),
            _ => {}
        }
    }
    for side in [0, 1, 0, 1] {
        let bytes = take_output(&mut ends[side].connection);
        ends[1 - side].in_flight.extend(bytes);
        ends[1 - side].receive(usize::MAX);
    }
    for side in [0, 1] {
        let received = &ends[1 - side].messages;
        assert!(ends[side].connection.is_open() || !sent[side].is_empty() || received.is_empty());
        assert_eq!(&sent[side], received, "from side {side}");
    }
});

struct End {
    connection: Connection,
    in_flight: Vec<u8>,
    messages: Vec<Vec<u8>>,
}

impl End {
    fn new(connection: Connection) -> Self {
        Self { connection, in_flight: Vec::new(), messages: Vec::new() }
    }

    fn receive(&mut self, most: usize) {
        let bytes: Vec<u8> = self.in_flight.drain(..most.min(self.in_flight.len())).collect();
        self.connection.handle_input(&bytes, now());
        while let Some(event) = self.connection.poll_event(now()) {
            match event {
                Event::Message(message) => self.messages.push(message.payload.to_vec()),
                Event::Closed(closed) => assert!(closed.code == Some(1000), "{closed:?}"),
                Event::Opened(_) => {}
            }
        }
    }
}
