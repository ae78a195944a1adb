//! States at a slow reader over real sockets: how old what arrives is, that nothing reliable is lost, and that it costs no throughput.
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
    net::{SocketAddr, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rust_websocket_net::{How, Link, LinkOptions};
use rust_websocket_proto::{Config, DeflateConfig, Delivery, MessageKind};
use util::*;

/// Bytes a second that the slow reader takes.
const RATE: f64 = 32.0 * 1024.0;
const STATE: usize = 1024;
const STATES_PER_SECOND: f64 = 60.0;
const LIFETIME: Duration = Duration::from_millis(100);

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn options(lifetime: Option<Duration>) -> LinkOptions {
    LinkOptions {
        config: Arc::new(Config { unreliable_lifetime: lifetime, ..Config::default() }),
        ..util::options()
    }
}

/// A receive buffer as small as the kernel lets it be.
const SMALLEST: usize = 2304;

/// A client with a small receive buffer, since what lies there is out of everybody's reach.
fn small_client(address: SocketAddr, receive_buffer: usize) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(receive_buffer).unwrap();
    socket.connect(&address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.write_all(format!("{REQUEST}\r\n").as_bytes()).unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101"));
    stream
}

/// A message: what it is, its number and when it was put, in nanoseconds since the beginning.
fn message(is_reliable: bool, number: u64, put_at: Duration) -> Bytes {
    let mut bytes = vec![u8::from(is_reliable)];
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes.extend_from_slice(&(put_at.as_nanos() as u64).to_le_bytes());
    bytes.resize(STATE, 0);
    bytes.into()
}

/// A message that has arrived.
#[derive(Debug, Clone, Copy)]
struct Arrived {
    is_reliable: bool,
    number: u64,
    at: Duration,
    age: Duration,
}

/// Reads frames of the server, at most `rate` bytes a second, in small pieces on an exact schedule.
fn read_frames(mut stream: TcpStream, begin: Instant, time: Duration, rate: f64) -> Vec<Arrived> {
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let (mut taken, mut bytes, mut arrived) = (0.0, Vec::new(), Vec::new());
    let mut piece = [0; 512];
    while begin.elapsed() < time {
        let due = begin.elapsed().as_secs_f64() * rate - taken;
        if due < piece.len() as f64 {
            thread::sleep(Duration::from_millis(1));
            continue;
        }
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => {
                taken += count as f64;
                bytes.extend_from_slice(&piece[..count]);
            }
            Err(_) => continue,
        }
        while bytes.len() >= 4 && bytes.len() >= 4 + STATE {
            assert_eq!(bytes[..2], [0x82, 126], "a whole frame of 1 KiB");
            let payload = &bytes[4..4 + STATE];
            let number = |at: usize| u64::from_le_bytes(*payload[at..].first_chunk().unwrap());
            let at = begin.elapsed();
            let age = at.saturating_sub(Duration::from_nanos(number(9)));
            arrived.push(Arrived { is_reliable: payload[0] == 1, number: number(1), at, age });
            bytes.drain(..4 + STATE);
        }
    }
    arrived
}

/// Puts 60 states a second, every tenth of which is reliable if `mixes`; returns how many messages were put.
fn put_states(link: &Link, begin: Instant, time: Duration, mixes: bool) -> u64 {
    let mut number = 0_u64;
    while begin.elapsed() < time {
        if begin.elapsed().as_secs_f64() * STATES_PER_SECOND < number as f64 {
            thread::sleep(Duration::from_millis(1));
            continue;
        }
        let is_reliable = mixes && number.is_multiple_of(10);
        let delivery = if is_reliable { Delivery::Reliable } else { Delivery::Unreliable(Instant::now()) };
        let payload = message(is_reliable, number, begin.elapsed());
        _ = link.push_as(MessageKind::Binary, payload, delivery, How::Now);
        number += 1;
    }
    number
}

fn run(options: LinkOptions, receive_buffer: usize, seconds: u64, mixes: bool) -> (Vec<Arrived>, u64) {
    let mut server = Server::new(options);
    let stream = small_client(server.address(), receive_buffer);
    wait_until("the handshake", || {
        server.poll();
        server.links.len() == 1
    });
    let begin = Instant::now();
    let time = Duration::from_secs(seconds);
    let reader = thread::spawn(move || read_frames(stream, begin, time, RATE));
    let put = put_states(&server.only().link, begin, time, mixes);
    (reader.join().unwrap(), put)
}

/// The 95th percentile of the ages after three seconds.
fn age(arrived: &[Arrived]) -> Duration {
    let late = arrived.iter().filter(|one| one.at > Duration::from_secs(3));
    let mut ages: Vec<Duration> = late.map(|one| one.age).collect();
    ages.sort();
    assert!(ages.len() > 30, "only {} arrived", ages.len());
    ages[ages.len() * 95 / 100]
}

#[test]
fn states_at_a_slow_reader_are_never_old() {
    check_states(SMALLEST);
}

/// The kernel fills up a piece that waits to half of the receive window, unless it is told to keep pieces apart.
#[test]
fn a_larger_receive_window_makes_the_kernels_own_queue_no_longer() {
    check_states(4096);
}

fn check_states(receive_buffer: usize) {
    let (arrived, put) = run(options(Some(LIFETIME)), receive_buffer, 8, true);
    let age = age(&arrived);
    println!("{} of {put} arrived, the 95th percentile of their age is {age:?}", arrived.len());
    // Elsewhere than on Linux the system's own queue holds up to 16 KiB, half a second at this rate.
    let most = if cfg!(any(target_os = "linux", target_os = "android")) { 300 } else { 1500 };
    assert!(age < Duration::from_millis(most), "{age:?}");
    assert!(arrived.is_sorted_by_key(|one| one.number), "out of order");
    let reliable: Vec<u64> = arrived.iter().filter(|one| one.is_reliable).map(|one| one.number).collect();
    assert!(reliable.iter().copied().eq((0..reliable.len() as u64).map(|index| index * 10)), "{reliable:?}");
    // As many as the reader can take.
    assert!(arrived.len() as f64 > RATE / 1028.0 * 8.0 * 0.9, "{}", arrived.len());
}

#[test]
fn without_a_lifetime_they_get_older_and_older() {
    let (arrived, put) = run(options(None), SMALLEST, 6, false);
    println!("{} of {put} arrived, the 95th percentile of their age is {:?}", arrived.len(), age(&arrived));
    assert!(age(&arrived) > Duration::from_secs(1));
    assert!(arrived.iter().map(|one| one.number).eq(0..arrived.len() as u64), "all of them, in order");
}

/// Waits until `client` has so many messages, and that there are no more.
fn collect(client: &mut Client, server: &mut Server, count: usize) -> Vec<u8> {
    wait_until("all messages", || {
        client.poll();
        server.poll();
        client.messages.len() >= count
    });
    client.messages.iter().map(|message| message.payload[0]).collect()
}

#[test]
fn a_reader_that_keeps_up_gets_everything() {
    let mut compressing = options(Some(LIFETIME));
    let deflate = DeflateConfig { threshold: 0, context_takeover: true, ..DeflateConfig::default() };
    Arc::make_mut(&mut compressing.config).deflate = Some(deflate);
    for options in [options(Some(LIFETIME)), compressing] {
        let (mut client, mut server) = pair(options.clone(), options);
        let link = &server.only().link;
        for number in 0..200_u8 {
            let delivery = match number % 3 {
                0 => Delivery::Reliable,
                1 => Delivery::Unreliable(Instant::now()),
                _ => Delivery::Latest(number.into()),
            };
            link.push_as(MessageKind::Binary, Bytes::from(vec![number; 300]), delivery, How::Now).unwrap();
        }
        assert!(collect(&mut client, &mut server, 200).into_iter().eq(0..200));
        assert_eq!(server.only().link.counters().read().unreliable_dropped, 0);
    }
}

/// The reader stands still: what it finds later is what was put last, and all that is reliable.
#[test]
fn a_message_takes_the_place_of_the_one_before() {
    let mut server = Server::new(util::options());
    let mut stream = small_client(server.address(), SMALLEST);
    wait_until("the handshake", || {
        server.poll();
        server.links.len() == 1
    });
    let link = &server.only().link;
    let put = |number: u64, delivery| {
        link.push_as(MessageKind::Binary, message(true, number, Duration::ZERO), delivery, How::Now).unwrap();
    };
    // The kernel's queue is kept short from the first message with a key on.
    put(0, Delivery::Latest(7));
    for number in 1..=40 {
        put(number, Delivery::Reliable);
    }
    wait_until("the kernel to be full", || link.buffered_amount() > 0);
    for number in 41..=1000 {
        put(number, Delivery::Latest((number % 2) as i64));
    }
    wait_until("the last ones", || link.buffered_amount() < 44 * STATE);
    let mut numbers = Vec::new();
    while numbers.last() != Some(&1000) {
        let mut frame = [0; STATE + 4];
        stream.read_exact(&mut frame).unwrap();
        numbers.push(u64::from_le_bytes(*frame[5..].first_chunk().unwrap()));
    }
    assert!(numbers.iter().copied().eq((0..=40).chain([999, 1000])), "{numbers:?}");
    wait_until("the count", || link.counters().read().unreliable_dropped == 958);
}
