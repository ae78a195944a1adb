//! What an owner that waits in a tight loop does on its own thread, side by side with the I/O thread.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "tests may fail and wait"
)]

mod util;

use std::{
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rust_websocket_net::{How, ReceiveLimits, SendLimits};
use rust_websocket_proto::{MessageKind, SendError};
use util::{Client, PATIENCE, Server, options, pair, wait_until};

/// Polls as a script in a tight loop does, with `read` saying in which polls this thread reads.
fn spin(client: &mut Client, mut read: impl FnMut() -> bool, mut done: impl FnMut(&Client) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done(client) {
        assert!(Instant::now() < deadline, "waited in vain");
        if read() {
            client.link.drive();
        }
        client.poll();
    }
}

fn number(index: u32) -> Bytes {
    Bytes::copy_from_slice(&index.to_be_bytes())
}

fn echoing_pair() -> (Client, Server) {
    let (client, mut server) = pair(options(), options());
    server.echoes = true;
    (client, server)
}

/// Serves on a thread of its own until the client is gone.
fn serve(mut server: Server) -> thread::JoinHandle<Server> {
    thread::spawn(move || {
        wait_until("the client's end", || {
            server.poll();
            server.only().closed.is_some()
        });
        server
    })
}

#[test]
fn both_threads_together_keep_the_order() {
    let (mut client, server) = echoing_pair();
    let serving = serve(server);
    let mut turn = 0;
    for index in 0..4000 {
        // Sometimes alone, sometimes behind others that the I/O thread has.
        if index % 3 == 0 {
            client.link.push(MessageKind::Binary, number(index), How::Here).unwrap();
        } else {
            client.link.push(MessageKind::Binary, number(index), How::Now).unwrap();
        }
        let least = index as usize / 8 * 8;
        spin(
            &mut client,
            || {
                turn += 1;
                turn % 2 == 0
            },
            |client| client.messages.len() >= least,
        );
    }
    spin(&mut client, || true, |client| client.messages.len() == 4000);
    let payloads = client.messages.iter().map(|message| message.payload.clone());
    assert!(payloads.eq((0..4000).map(number)));
    let statistics = client.link.counters().read();
    assert_eq!((statistics.messages_out, statistics.messages_in), (4000, 4000));
    assert_eq!(client.link.buffered_amount(), 0);
    client.link.close(1000, "");
    spin(&mut client, || true, |client| client.closed.is_some());
    serving.join().unwrap();
}

#[test]
fn what_comes_after_the_owner_has_stopped_reading_is_read_by_the_other_thread() {
    for says_so in [true, false] {
        let (mut client, mut server) = pair(options(), options());
        // Long enough for the I/O thread to leave the reading to this one.
        let end = Instant::now() + Duration::from_millis(20);
        spin(&mut client, || true, |_| Instant::now() >= end);
        if says_so {
            client.link.stop_driving();
        }
        server.only().link.push(MessageKind::Text, Bytes::from_static(b"late"), How::Now).unwrap();
        spin(&mut client, || false, |client| client.messages.len() == 1);
    }
}

#[test]
fn a_close_met_by_the_owner_is_completed_by_the_other_thread() {
    let (mut client, mut server) = pair(options(), options());
    let end = Instant::now() + Duration::from_millis(20);
    spin(&mut client, || true, |_| Instant::now() >= end);
    server.only().link.close(4001, "enough");
    spin(&mut client, || true, |client| client.closed.is_some());
    let closed = client.closed.as_ref().unwrap();
    assert_eq!((closed.code, closed.reason.as_str()), (Some(4001), "enough"));
    assert_eq!(client.link.push(MessageKind::Binary, Bytes::new(), How::Here), Err(SendError::NotOpen));
    wait_until("the answer", || {
        server.poll();
        server.only().closed.is_some()
    });
    assert_eq!(server.only().closed.as_ref().unwrap().code, Some(4001));
}

#[test]
fn a_lost_connection_is_met_by_the_owner() {
    let (mut client, mut server) = pair(options(), options());
    let end = Instant::now() + Duration::from_millis(20);
    spin(&mut client, || true, |_| Instant::now() >= end);
    server.only().link.leave();
    spin(&mut client, || true, |client| client.closed.is_some());
    assert_eq!(client.closed.as_ref().unwrap().code, None);
}

#[test]
fn the_limits_hold_for_what_is_sent_and_read_at_once() {
    let mut small = options();
    small.send_limits = SendLimits { bytes: 10_000, messages: 100 };
    small.receive_limits = ReceiveLimits { bytes: 10_000, messages: 10 };
    let (mut client, mut server) = pair(small.clone(), small);
    client.consumes = false;
    server.only().consumes = false;

    // Nobody takes anything: after what the kernel holds, sending is refused.
    let mut accepted = 0;
    let deadline = Instant::now() + PATIENCE;
    while client.link.push(MessageKind::Binary, vec![0; 5000].into(), How::Here).is_ok() {
        accepted += 1;
        assert!(Instant::now() < deadline, "it is never full");
    }
    server.only().consumes = true;
    wait_until("everything", || {
        server.poll();
        let unread = server.only().messages.len();
        for _ in 0..unread {
            server.only().messages.pop();
            accepted -= 1;
        }
        accepted == 0
    });

    // The owner reads no more than it may hold.
    for index in 0..50 {
        server.only().link.push(MessageKind::Binary, number(index), How::Now).unwrap();
    }
    let end = Instant::now() + Duration::from_millis(100);
    spin(&mut client, || true, |_| Instant::now() >= end);
    assert_eq!(client.messages.len(), 10);
    for _ in 0..10 {
        client.link.consumed(4);
    }
    client.consumes = true;
    spin(&mut client, || true, |client| client.messages.len() == 50);
    let payloads = client.messages.iter().map(|message| message.payload.clone());
    assert!(payloads.eq((0..50).map(number)));
}
