//! Arbitrary bytes and calls: no panic, no memory to speak of, always an end.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod util;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicIsize, Ordering},
};

use bytes::Bytes;
use rust_websocket_proto::{Connection, Event, MessageKind, TransportEnd};
use util::*;

/// Bytes on the heap.
static HELD: AtomicIsize = AtomicIsize::new(0);

struct Counting;

// SAFETY: everything is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn held() -> isize {
    HELD.load(Ordering::Relaxed)
}

/// One test, because the count is the process's.
#[test]
fn memory_and_arbitrary_input() {
    an_idle_connection_holds_next_to_nothing();
    a_declared_length_reserves_little();
    small_messages_do_not_pin_large_buffers();
    control_frames_do_not_pile_up();
    arbitrary_bytes(40_000);
    arbitrary_frames_and_calls(20_000);
}

fn an_idle_connection_holds_next_to_nothing() {
    let before = held();
    let mut pair = Pair::new();
    for size in [1, 1000, 60_000] {
        for _ in 0..100 {
            pair.client.send(MessageKind::Binary, vec![1; size].into()).unwrap();
            pair.server.send(MessageKind::Binary, vec![1; size].into()).unwrap();
        }
        assert_eq!(split(pair.drive_server()).0.len(), 100);
        assert_eq!(split(pair.drive_client()).0.len(), 100);
    }
    let grown = held() - before;
    assert!(grown < 4096, "{grown} bytes held by two idle connections");
}

fn a_declared_length_reserves_little() {
    let mut config = config();
    config.max_message_size = usize::MAX;
    let mut server = Pair::with(util::config(), config).server;
    let before = held();
    let mut header = vec![0x82, 0xff];
    header.extend_from_slice(&(1_u64 << 40).to_be_bytes());
    header.extend_from_slice(&[0; 4]);
    feed(&mut server, &header, epoch());
    feed(&mut server, &[0; 10], epoch());
    assert!(held() - before <= 66 * 1024, "{} bytes for 10", held() - before);
    for _ in 0..1000 {
        feed(&mut server, &[0; 10_000], epoch());
    }
    assert!(held() - before <= 2 * 10_000_000 + 66 * 1024, "{} bytes for 10 MB", held() - before);
}

fn small_messages_do_not_pin_large_buffers() {
    let mut server = Pair::new().server;
    let before = held();
    let bytes = [frame(0x82, &[1; 10], true), frame(0x82, &[1; 60_000], true)].concat();
    let mut messages = split(feed(&mut server, &bytes, epoch())).0;
    drop(bytes);
    assert_eq!(messages.len(), 2);
    messages.truncate(1);
    messages.shrink_to_fit();
    assert!(held() - before < 2048, "{} bytes", held() - before);
}

fn control_frames_do_not_pile_up() {
    let mut server = Pair::new().server;
    let pings = frame(0x89, &[1; 125], true).repeat(100);
    let before = held();
    for _ in 0..100 {
        feed(&mut server, &pings, epoch());
    }
    assert!(held() - before < 16 * 1024, "{} bytes", held() - before);
}

fn roles(seed: u64) -> Connection {
    match seed % 4 {
        0 => client(config(), epoch()),
        1 => server(config(), epoch()),
        2 => Pair::new().client,
        _ => Pair::new().server,
    }
}

fn arbitrary_bytes(rounds: u64) {
    for seed in 0..rounds {
        let random = Seeded::new(seed * 2 + 1);
        let mut connection = roles(seed);
        let before = held();
        let mut ended = false;
        for _ in 0..4 {
            let bytes: Vec<u8> = (0..random.below(200)).map(|_| random.next() as u8).collect();
            let all = feed(&mut connection, &bytes, epoch());
            assert!(!ended || all.is_empty());
            ended |= matches!(all.last(), Some(Event::Closed(_)));
        }
        connection.handle_transport_end(TransportEnd::Eof);
        let all = events(&mut connection, epoch());
        assert_eq!(ended, all.is_empty(), "seed {seed}");
        drop(all);
        assert!(held() - before < 8192, "seed {seed}: {} bytes", held() - before);
    }
}

/// Mostly valid frames, pieces of heads, and every call of the interface, in any order.
fn arbitrary_frames_and_calls(rounds: u64) {
    for seed in 0..rounds {
        let random = Seeded::new(seed * 2 + 1);
        let mut connection = roles(seed);
        let mut now = epoch();
        let mut ended = false;
        for _ in 0..30 {
            one_call(&mut connection, &random, seed % 2 == 1, &mut now);
            if random.below(3) > 0 {
                for event in events(&mut connection, now) {
                    assert!(!ended, "seed {seed}: {event:?} after the end");
                    ended = matches!(event, Event::Closed(_));
                }
            }
            if ended {
                assert_eq!(connection.next_deadline(), None);
            }
        }
        connection.handle_transport_end(TransportEnd::Error("gone".to_owned()));
        let all = events(&mut connection, now);
        assert_eq!(ended, all.is_empty(), "seed {seed}");
        take_output(&mut connection);
        assert_eq!((connection.buffered_messages(), connection.buffered_amount()), (0, 0));
    }
}

fn one_call(connection: &mut Connection, random: &Seeded, masked: bool, now: &mut std::time::Instant) {
    const FIRST: [u8; 12] = [0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8a, 0x82, 0x82, 0x88, 0x83];
    const TEXTS: [&[u8]; 6] = [
        b"HTTP/1.1 404 Not Found\r\n",
        b"GET / HTTP/1.1\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Length: 7\r\n",
        b"\r\n",
        b"5\r\nab",
    ];
    match random.below(16) {
        0..=6 => {
            let payload: Vec<u8> = (0..random.below(140)).map(|_| b'a' + random.below(20) as u8).collect();
            let bytes = frame(FIRST[random.below(FIRST.len())], &payload, masked);
            let cut = random.below(bytes.len() + 1);
            connection.handle_input(&bytes[..cut], *now);
            connection.handle_input(&bytes[cut..], *now);
        }
        7 => connection.handle_input(TEXTS[random.below(TEXTS.len())], *now),
        8 => drop(connection.send(MessageKind::Text, Bytes::from(vec![b'x'; random.below(3000)]))),
        9 => connection.advance_output(random.below(2000), *now),
        10 => *now += MS * random.below(3000) as u32,
        11 => connection.handle_timeout(*now),
        12 => connection.set_receive_paused(random.below(2) == 0, *now),
        13 => connection.set_heartbeat_interval(Some(MS * random.below(2000) as u32), *now),
        14 if random.below(4) == 0 => connection.close(random.below(5000) as u16, "reason", *now),
        15 if random.below(8) == 0 => connection.abort(),
        _ => {}
    }
}
