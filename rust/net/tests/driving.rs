//! Owners that poll in a tight loop, so that their polls run the reactor in place of the I/O thread.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "tests may fail and wait"
)]

mod util;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rust_websocket_net::{How, Link, Pipe, ReceiveLimits, SendLimits};
use rust_websocket_proto::{Delivery, MessageKind, SendError};
use util::{Client, PATIENCE, Server, options, pair, wait_until};

/// Polls as a script in a tight loop does; sometimes it is not so tight.
fn spin(client: &mut Client, mut pauses: impl FnMut() -> bool, mut done: impl FnMut(&Client) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done(client) {
        assert!(Instant::now() < deadline, "waited in vain");
        if pauses() {
            thread::sleep(Duration::from_millis(1));
        }
        client.poll();
    }
}

/// A tight loop of messages, long enough for the polls to run the reactor.
fn warm_up(client: &mut Client, server: &mut Server) {
    converse(client, server, Duration::from_millis(50));
}

/// A tight loop of messages.
fn converse(client: &mut Client, server: &mut Server, time: Duration) {
    let (end, deadline) = (Instant::now() + time, Instant::now() + PATIENCE);
    let echoes = std::mem::replace(&mut server.echoes, true);
    while Instant::now() < end {
        client.link.push(MessageKind::Binary, number(0), How::Now).unwrap();
        while client.messages.is_empty() {
            assert!(Instant::now() < deadline, "waited in vain");
            client.poll();
            server.poll();
        }
        client.messages.clear();
    }
    server.only().messages.clear();
    server.echoes = echoes;
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
    let mut turn = 0_u32;
    for index in 0..4000 {
        client.link.push(MessageKind::Binary, number(index), How::Now).unwrap();
        let least = index as usize / 8 * 8;
        let pauses = || {
            turn += 1;
            turn.is_multiple_of(1000)
        };
        spin(&mut client, pauses, |client| client.messages.len() >= least);
    }
    spin(&mut client, || false, |client| client.messages.len() == 4000);
    let payloads = client.messages.iter().map(|message| message.payload.clone());
    assert!(payloads.eq((0..4000).map(number)));
    let statistics = client.link.counters().read();
    assert_eq!((statistics.messages_out, statistics.messages_in), (4000, 4000));
    wait_until("all taken by the kernel", || client.link.buffered_amount() == 0);
    client.link.close(1000, "");
    spin(&mut client, || false, |client| client.closed.is_some());
    serving.join().unwrap();
}

#[test]
fn who_stops_polling_holds_nobody_up() {
    let (mut client, mut server) = pair(options(), options());
    // Until the I/O thread looks seldom whether somebody still polls.
    converse(&mut client, &mut server, Duration::from_millis(200));
    client.link.push(MessageKind::Text, Bytes::from_static(b"last words"), How::Now).unwrap();
    // Neither polls; the I/O thread has to find out by itself.
    thread::sleep(Duration::from_millis(50));
    server.poll();
    assert_eq!(server.only().messages.len(), 1);
}

#[test]
fn a_pause_hands_the_sockets_back_at_once() {
    let (mut client, mut server) = pair(options(), options());
    warm_up(&mut client, &mut server);
    let sending = server.only().link.outbox();
    for _ in 0..20 {
        let sent = Instant::now();
        sending.push(MessageKind::Text, &Bytes::from_static(b"late"), Delivery::Reliable, How::Now).unwrap();
        spin(&mut client, || true, |client| client.messages.len() == 1);
        client.messages.clear();
        assert!(sent.elapsed() < Duration::from_secs(1), "nobody was there to read");
    }
}

#[test]
fn a_close_met_in_a_tight_loop_is_completed() {
    let (mut client, mut server) = pair(options(), options());
    warm_up(&mut client, &mut server);
    server.only().link.close(4001, "enough");
    spin(&mut client, || false, |client| client.closed.is_some());
    let closed = client.closed.as_ref().unwrap();
    assert_eq!((closed.code, closed.reason.as_str()), (Some(4001), "enough"));
    assert_eq!(client.link.push(MessageKind::Binary, Bytes::new(), How::Now), Err(SendError::NotOpen));
    wait_until("the answer", || {
        server.poll();
        server.only().closed.is_some()
    });
    assert_eq!(server.only().closed.as_ref().unwrap().code, Some(4001));
}

#[test]
fn a_lost_connection_is_met_in_a_tight_loop() {
    let (mut client, mut server) = pair(options(), options());
    warm_up(&mut client, &mut server);
    server.only().link.leave();
    spin(&mut client, || false, |client| client.closed.is_some());
    assert_eq!(client.closed.as_ref().unwrap().code, None);
}

#[test]
fn others_connect_and_send_while_somebody_polls_in_a_tight_loop() {
    let (mut client, mut server) = pair(options(), options());
    warm_up(&mut client, &mut server);
    let address = server.address();
    let other = thread::spawn(move || {
        let mut other = Client::connect(util::request(address), options());
        wait_until("the other's handshake", || {
            other.poll();
            other.open
        });
        other.link.push(MessageKind::Text, Bytes::from_static(b"me too"), How::Now).unwrap();
        other
    });
    let deadline = Instant::now() + PATIENCE;
    while server.links.values().all(|link| link.messages.is_empty()) {
        assert!(Instant::now() < deadline, "waited in vain");
        server.poll();
    }
    drop(other.join().unwrap());
}

#[test]
fn the_limits_hold_in_a_tight_loop() {
    let mut small = options();
    small.send_limits = SendLimits { bytes: 10_000, messages: 100 };
    small.receive_limits = ReceiveLimits { bytes: 10_000, messages: 10 };
    let (mut client, mut server) = pair(small.clone(), small);
    warm_up(&mut client, &mut server);
    client.consumes = false;
    server.only().consumes = false;

    // Nobody takes anything: after what the kernel holds, sending is refused.
    let mut accepted = 0;
    let deadline = Instant::now() + PATIENCE;
    while client.link.push(MessageKind::Binary, vec![0; 5000].into(), How::Now).is_ok() {
        accepted += 1;
        assert!(Instant::now() < deadline, "it is never full");
    }
    server.only().consumes = true;
    wait_until("everything", || {
        server.poll();
        accepted -= server.only().messages.len();
        server.only().messages.clear();
        accepted == 0
    });

    // The owner is given no more than it may hold.
    for index in 0..50 {
        server.only().link.push(MessageKind::Binary, number(index), How::Now).unwrap();
    }
    spin(&mut client, || false, |client| client.messages.len() >= 10);
    let end = Instant::now() + Duration::from_millis(100);
    spin(&mut client, || false, |_| Instant::now() >= end);
    assert_eq!(client.messages.len(), 10);
    for _ in 0..10 {
        client.link.consumed(4);
    }
    client.consumes = true;
    spin(&mut client, || false, |client| client.messages.len() == 50);
    let payloads = client.messages.iter().map(|message| message.payload.clone());
    assert!(payloads.eq((0..50).map(number)));
}

/// Wine ties what a thread has asked of a socket to that thread: an answer that comes while the thread ends is lost.
#[test]
fn no_connection_stands_still_when_a_thread_that_drove_ends() {
    let is_over = Arc::new(AtomicBool::new(false));
    let stay = |is_over: Arc<AtomicBool>| {
        thread::spawn(move || {
            let (mut client, mut server) = pair(options(), options());
            while !is_over.load(Ordering::Relaxed) {
                warm_up(&mut client, &mut server);
            }
        })
    };
    let staying = [stay(Arc::clone(&is_over)), stay(Arc::clone(&is_over))];
    for _ in 0..40 {
        let ending = thread::spawn(|| {
            let (mut client, mut server) = pair(options(), options());
            warm_up(&mut client, &mut server);
            (client, server)
        });
        drop(ending.join().unwrap());
    }
    is_over.store(true, Ordering::Relaxed);
    staying.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Feeds frames by hand to a stream that is served in a tight loop, until the I/O thread looks seldom whether somebody still polls.
#[test]
fn last_words_after_a_tight_loop_are_said_while_somebody_waits_for_them() {
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    const MESSAGE: &[u8] = &[0x82, 0x81, 0, 0, 0, 0, 7];
    let mut late = 0;
    for _ in 0..6 {
        let (pipe, socket) = Pipe::new(false);
        let mut served = Client::of(Link::serve(socket, options()));
        pipe.feed(REQUEST);
        spin(&mut served, || false, |served| served.open);
        let end = Instant::now() + Duration::from_millis(150);
        while Instant::now() < end {
            pipe.feed(MESSAGE);
            spin(&mut served, || false, |served| served.messages.len() == 1);
            served.messages.clear();
        }
        pipe.wrote(pipe.output(4096).len());
        served.link.push(MessageKind::Text, "last words".into(), How::Now).unwrap();
        served.link.close(4001, "bye");
        drop(served);
        let begun = Instant::now();
        pipe.let_work(PATIENCE);
        late += usize::from(begun.elapsed() > Duration::from_millis(15));
        let said = String::from_utf8_lossy(&pipe.output(4096)).into_owned();
        assert!(said.contains("last words") && said.ends_with("bye"), "{said}");
    }
    assert!(late <= 2, "{late} of 6 were waited for long"); // a loaded machine may be late by itself
}
