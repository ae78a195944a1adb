//! The sums over all connections of the process. One test: the sums of another would be in it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "tests may fail and wait"
)]

mod util;

use std::{net::TcpListener, sync::Arc, time::Duration};

use bytes::Bytes;
use rust_websocket_net::{How, ProcessSums};
use rust_websocket_proto::{Config, MessageKind};
use util::{Client, Server, options, pair, request, wait_until};

#[test]
fn sums_follow_the_connections() {
    let sums = ProcessSums::now();
    assert_eq!((sums.open, sums.pending, sums.statistics.messages_in), (0, 0, 0));
    nobody_answers();
    let (client, mut server) = pair_with_heartbeat();
    assert_eq!((ProcessSums::now().open, ProcessSums::now().pending), (2, 0));

    client.link.push(MessageKind::Binary, Bytes::from(vec![7; 1000]), How::Now).unwrap();
    wait_until("a message is unread", || ProcessSums::now().unread.messages == 1);
    let sums = ProcessSums::now();
    assert_eq!((sums.unread.bytes, sums.statistics.messages_out, sums.statistics.bytes_out), (1000, 1, 1000));
    wait_until("it is read", || {
        server.poll();
        ProcessSums::now().unread.messages == 0
    });
    wait_until("a ping is answered", || ProcessSums::now().round_trip_time.is_some());
    assert!(ProcessSums::now().io_busy > Duration::ZERO);
    what_is_unsent(&mut server);

    server.only().link.close(1012, "");
    server.links.clear();
    assert_eq!(ProcessSums::now().leaving, 1, "what was accepted is under way, and the close behind it");
    drop(client);
    wait_until("both are over", || {
        server.poll();
        ProcessSums::now().open == 0
    });
    drop(server);
    wait_until("both are gone", || ProcessSums::now().unsent_bytes == 0);
    let sums = ProcessSums::now();
    // What ended connections have carried stays in the sums.
    assert!(sums.statistics.messages_in >= 1 && sums.statistics.messages_out >= 1);
    assert_eq!((sums.pending, sums.round_trip_time), (0, None));
}

/// A server that accepts and says nothing: the handshake is pending.
fn nobody_answers() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = Client::connect(request(silent.local_addr().unwrap()), options());
    assert_eq!((ProcessSums::now().open, ProcessSums::now().pending), (0, 1));
    drop(client);
    wait_until("it is given up", || ProcessSums::now().pending == 0);
}

fn pair_with_heartbeat() -> (Client, Server) {
    let mut with_heartbeat = options();
    with_heartbeat.config =
        Arc::new(Config { heartbeat_interval: Some(Duration::from_millis(20)), ..Config::default() });
    pair(with_heartbeat, options())
}

/// The client does not read: what the kernel does not take is unsent.
fn what_is_unsent(server: &mut Server) {
    let link = &server.only().link;
    wait_until("the kernel takes no more", || {
        while link.push(MessageKind::Binary, Bytes::from(vec![7; 20_000]), How::Now).is_ok() {}
        let before = ProcessSums::now().unsent_bytes;
        std::thread::sleep(Duration::from_millis(50));
        before > 0 && before == ProcessSums::now().unsent_bytes
    });
}
