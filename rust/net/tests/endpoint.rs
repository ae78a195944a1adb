//! What the endpoint's rules come to over real sockets: one peer does not take the thread from the others, pings behind data are met
//! although the owner stands still, and a slow link survives a heartbeat.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests may fail, wait and tell what they have measured"
)]

mod util;

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rust_websocket_net::{How, Link, LinkOptions, Pipe, ReceiveLimits};
use rust_websocket_proto::MessageKind;
use util::*;

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A client without any of our code.
fn raw_client(address: SocketAddr, extra: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(format!("{REQUEST}{extra}\r\n").as_bytes()).unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    stream
}

/// A masked frame whose mask is 0.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        size @ ..126 => bytes.push(0x80 | size as u8),
        size => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&u16::try_from(size).unwrap().to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

/// CPU time of the I/O thread so far.
#[cfg(target_os = "linux")]
fn io_thread_time() -> Duration {
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let path = task.unwrap().path();
        if std::fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == "websocket-io") {
            let numbers = std::fs::read_to_string(path.join("schedstat")).unwrap();
            return Duration::from_nanos(numbers.split(' ').next().unwrap().parse().unwrap());
        }
    }
    panic!("there is no I/O thread");
}

/// Twenty peers flood as fast as they can; somebody else's ping is answered after little work for them.
#[cfg(target_os = "linux")]
#[test]
fn flooders_cost_a_bystander_nothing() {
    let stored = frame(0x00, &[0, 0, 0, 0xff, 0xff].repeat(2000));
    // Empty blocks with the fixed code, ten bits each.
    let fixed = frame(0x00, &[0x02, 0x08, 0x20, 0x80, 0x00].repeat(2000));
    let kinds: [(&str, Vec<u8>, Vec<u8>); 8] = [
        ("empty continuations", frame(0x02, b""), frame(0x00, b"")),
        ("one-byte fragments", frame(0x02, b""), frame(0x00, b"x")),
        ("pings", Vec::new(), frame(0x89, b"")),
        ("tiny messages", Vec::new(), frame(0x82, b"x")),
        ("tiny compressed messages", Vec::new(), frame(0xc2, &[0x4a, 0x04, 0x00])),
        ("stored blocks without output", frame(0x42, b""), stored),
        ("fixed blocks without output", frame(0x42, b""), fixed),
        ("bytes after a protocol error", frame(0x83, b""), vec![0; 1000]),
    ];
    // Unoptimized code costs several times as much.
    let most = Duration::from_millis(if cfg!(debug_assertions) { 100 } else { 5 });
    for (name, start, unit) in kinds {
        let typical = bystander_cost(&start, &unit);
        println!("{name}: {typical:?} of the I/O thread in a bystander's round trip");
        assert!(typical < most, "{name}: {typical:?}");
    }
}

/// The median of what the I/O thread works within one round trip.
#[cfg(target_os = "linux")]
fn bystander_cost(start: &[u8], unit: &[u8]) -> Duration {
    use std::sync::atomic::{AtomicBool, Ordering};

    use rust_websocket_proto::DeflateConfig;

    const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

    let mut compressed = options();
    let config = Arc::make_mut(&mut compressed.config);
    config.deflate = Some(DeflateConfig { context_takeover: true, ..DeflateConfig::default() });
    config.max_message_size = 1 << 30;
    let mut server = Server::new(compressed);
    let address = server.address();
    let stop = Arc::new(AtomicBool::new(false));
    let flooders: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = raw_client(address, OFFER);
            stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
            let (start, many) = (start.to_vec(), unit.repeat(60_000 / unit.len()));
            let stop = stop.clone();
            thread::spawn(move || {
                _ = stream.write_all(&start);
                while !stop.load(Ordering::Relaxed) && stream.write_all(&many).is_ok() {}
            })
        })
        .collect();
    let mut bystander = raw_client(address, "");
    let mut costs = Vec::new();
    for _ in 0..60 {
        server.poll();
        server.links.values_mut().for_each(|link| link.messages.clear());
        let before = io_thread_time();
        bystander.write_all(&frame(0x89, b"me")).unwrap();
        let mut pong = [0; 4];
        bystander.read_exact(&mut pong).unwrap();
        assert_eq!(pong, *b"\x8a\x02me");
        costs.push(io_thread_time() - before);
        thread::sleep(Duration::from_millis(2));
    }
    stop.store(true, Ordering::Relaxed);
    drop(server);
    flooders.into_iter().for_each(|flooder| flooder.join().unwrap());
    costs.sort();
    costs[costs.len() / 2]
}

fn small_window() -> LinkOptions {
    let mut small = options();
    small.receive_limits = ReceiveLimits { bytes: 1000, messages: 4 };
    small
}

/// The owner of a server's connection does not poll; a ping behind unread messages is answered all the same, and so is a close.
#[test]
fn pings_and_closes_behind_unread_messages_are_answered() {
    let mut server = Server::new(small_window());
    let mut client = raw_client(server.address(), "");
    client.write_all(&frame(0x82, &[7; 1000]).repeat(200)).unwrap();
    client.write_all(&[frame(0x89, b"there?"), frame(0x88, &[3, 232])].concat()).unwrap();
    let mut answer = [0; 12];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(answer, *b"\x8a\x06there?\x88\x02\x03\xe8");
    let mut rest = Vec::new();
    client.shutdown(Shutdown::Write).unwrap();
    client.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty(), "the socket is closed although the owner has read nothing");

    server.poll();
    server.only().consumes = false;
    server.poll();
    assert!(server.only().messages.len() <= 4, "the owner sees no more than its limits");
    server.only().consumes = true;
    for _ in 0..server.only().messages.len() {
        server.only().link.consumed(1000);
    }
    wait_until("all messages and the end", || {
        server.poll();
        server.only().closed.is_some()
    });
    assert_eq!(server.only().messages.len(), 200);
    assert_eq!(server.only().closed.as_ref().unwrap().code, Some(1000));
}

/// 3 MB come while the owner of a client stands still, with a heartbeat of the other side in between.
#[test]
fn a_client_that_stands_still_is_kept_alive() {
    let mut beating = options();
    Arc::make_mut(&mut beating.config).heartbeat_interval = Some(Duration::from_millis(300));
    beating.send_limits.bytes = 0;
    let (mut client, mut server) = pair(options(), beating);
    for _ in 0..15 {
        for _ in 0..20 {
            server.only().link.push(MessageKind::Binary, Bytes::from(vec![1; 10_000]), How::Now).unwrap();
        }
        thread::sleep(Duration::from_millis(100));
        server.poll();
        assert!(server.only().closed.is_none(), "{:?}", server.only().closed);
    }
    assert!(server.only().link.round_trip_time().is_some_and(|time| time < Duration::from_millis(300)));
    client.consumes = false;
    client.poll();
    assert!(client.messages.len() <= 7, "the owner sees no more than its limits");
    client.messages.iter().for_each(|message| client.link.consumed(message.payload.len()));
    client.consumes = true;
    wait_until("all of it", || {
        client.poll();
        client.messages.len() == 300
    });
}

/// An owner that takes one message at a time out of a window with room for one: each time it meets the moment at which the I/O
/// thread looks whether there is room, and none of these may be missed.
#[test]
fn a_reader_at_the_limit_gets_everything() {
    const MESSAGES: usize = 40_000;
    let mut narrow = options();
    narrow.receive_limits = ReceiveLimits { bytes: 64, messages: 4096 };
    let mut generous = options();
    generous.send_limits.bytes = 0;
    generous.send_limits.messages = 0;
    let (mut client, server) = pair(narrow, generous);
    let link = server.links.into_values().next().unwrap().link;
    for _ in 0..MESSAGES {
        link.push(MessageKind::Binary, Bytes::from_static(&[1; 64]), How::Now).unwrap();
    }
    let mut seen = (0, Instant::now());
    while client.messages.len() < MESSAGES {
        client.poll();
        if client.messages.len() > seen.0 {
            seen = (client.messages.len(), Instant::now());
        }
        assert!(seen.1.elapsed() < PATIENCE, "nothing has come behind {} messages", seen.0);
    }
}

/// Passes bytes on at 1 MB/s in each direction.
fn slow_link(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (near, _) = listener.accept().unwrap();
        let far = TcpStream::connect(to).unwrap();
        let other = (far.try_clone().unwrap(), near.try_clone().unwrap());
        thread::spawn(move || pass_on(other.0, other.1));
        pass_on(near, far);
    });
    address
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    let begun = Instant::now();
    let mut passed = 0;
    let mut buffer = [0; 10_000];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        passed += count;
        let due = Duration::from_micros(passed as u64);
        thread::sleep(due.saturating_sub(begun.elapsed()));
        if to.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}

/// 5 MiB take five seconds to leave, in each direction, with a heartbeat of one second on both sides.
#[test]
fn a_large_message_on_a_slow_link_survives_the_heartbeat() {
    let mut large = options();
    let config = Arc::make_mut(&mut large.config);
    config.max_message_size = 8 << 20;
    config.heartbeat_interval = Some(Duration::from_secs(1));
    large.send_limits.bytes = 0;
    large.receive_limits.bytes = 8 << 20;
    for client_sends in [true, false] {
        let mut server = Server::new(large.clone());
        let mut client = Client::connect(request(slow_link(server.address())), large.clone());
        wait_until("the handshake", || {
            client.poll();
            server.poll();
            client.open && server.links.len() == 1
        });
        let sender = if client_sends { &client.link } else { &server.only().link };
        sender.push(MessageKind::Binary, Bytes::from(vec![1; 5 << 20]), How::Now).unwrap();
        wait_until("the message", || {
            client.poll();
            server.poll();
            assert!(client.closed.is_none(), "{:?}", client.closed);
            assert!(server.only().closed.is_none(), "{:?}", server.only().closed);
            let receiver = if client_sends { server.only() } else { &mut client };
            !receiver.messages.is_empty()
        });
    }
}

/// A peer that has sent more than anybody takes, and has gone: its owner learns of that although it only looks.
#[test]
fn a_peer_that_is_gone_is_let_go_although_its_messages_are_not_taken() {
    let mut hasty = small_window();
    Arc::make_mut(&mut hasty.config).close_timeout = Duration::from_millis(200);
    // Within what is read ahead, beyond, and far beyond; closing over unread input resets the connection. A FIN needs room in the
    // system's own buffer, behind what is left in it. Wine, which runs the Windows
    // tests, tells of a FIN only when all that came before it has been read.
    let beyond = (!cfg!(windows)).then_some((270, false));
    for (messages, resets) in [(100, false), (2000, true)].into_iter().chain(beyond) {
        let mut server = Server::new(hasty.clone());
        let mut client = raw_client(server.address(), "");
        client.set_nonblocking(true).unwrap();
        _ = client.write(&frame(0x82, &[7; 1000]).repeat(messages));
        wait_until("the first messages", || {
            server.poll();
            server.links.values_mut().for_each(|link| link.consumes = false);
            server.links.values().any(|link| !link.messages.is_empty())
        });
        if resets {
            server.only().link.push(MessageKind::Binary, Bytes::from_static(b"unread"), How::Now).unwrap();
            wait_until("something unread", || client.peek(&mut [0]).is_ok());
        }
        drop(client);
        wait_until("the end", || {
            server.poll();
            server.only().closed.is_some()
        });
    }
}

/// The same over a stream whose end nobody reports by itself.
#[test]
fn a_stream_that_has_ended_is_let_go_although_its_messages_are_not_taken() {
    let mut hasty = small_window();
    Arc::make_mut(&mut hasty.config).close_timeout = Duration::from_millis(200);
    let (pipe, socket) = Pipe::new(false);
    let mut served = Client::of(Link::serve(socket, hasty));
    served.consumes = false;
    pipe.feed(
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    let messages = frame(0x82, &[7; 1000]).repeat(20);
    let mut fed_at = Instant::now();
    while fed_at.elapsed() < Duration::from_millis(200) {
        served.poll();
        if pipe.input_room() >= messages.len() {
            pipe.feed(&messages);
            fed_at = Instant::now();
        }
    }
    assert!(!served.messages.is_empty(), "some have come, and the rest waits");
    pipe.end_input(Ok(()));
    wait_until("the end", || {
        served.poll();
        served.closed.is_some()
    });
}
