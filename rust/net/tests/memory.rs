//! Attackers that have come and gone leave no memory behind: each class of them, round after round. What is counted is what the
//! allocator has given out and not got back, since the memory of a process says as much about the allocator.
#![cfg(all(target_os = "linux", target_env = "gnu"))] // other allocators do not tell
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests may fail, wait, and ask the allocator"
)]

#[path = "util/identity.rs"]
mod identity;
mod util;

use std::{
    env, fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    time::{Duration, Instant},
};

use bytes::Bytes;
use identity::{Identity, parameters, server as tls_server};
use rcgen::KeyPair;
use rust_websocket_net::How;
use rust_websocket_proto::MessageKind;
use util::{Server, options, wait_until};

/// Rounds until every table and buffer has the size that it keeps, and those that are measured, in parts: what is kept of each
/// connection is kept in every part.
const WARM_UP: usize = 5;
const PARTS: usize = 4;
const ROUNDS: usize = 10;
const PEERS: usize = 20;

/// For each connection, in the part that leaves least.
const ALLOWED: usize = 16;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// What an attacker does before it goes without a word.
type Attack = fn(&mut TcpStream);

const ATTACKS: &[(&str, Attack)] = &[
    ("silence", |_| {}),
    ("noise", |socket| send(socket, &[0xa5; 5000])),
    ("a head without end", |socket| send(socket, &b"GET / HTTP/1.1\r\nX: y\r\n".repeat(2000))),
    ("a request and reset", |socket| send(socket, REQUEST)),
    ("pings", |socket| send(upgraded(socket), &frames(0x89, b"ping", 200))),
    ("messages of one byte", |socket| send(upgraded(socket), &frames(0x82, b"x", 1000))),
    ("a continuation of nothing", |socket| send(upgraded(socket), &frames(0x00, b"x", 1))),
    ("a message that never ends", |socket| {
        send(upgraded(socket), &[frames(0x01, b"", 1), frames(0x00, b"x", 1000)].concat());
    }),
    ("half of a large message", |socket| {
        let header = [0x82, 0xfe, 0xff, 0xff, 0, 0, 0, 0];
        send(upgraded(socket), &[&header[..], &[0; 30_000]].concat());
    }),
];

#[test]
fn attackers_that_have_gone_leave_no_memory_behind() {
    // What each thread keeps of what was freed counts as given out: here none keeps any.
    const ALLOCATOR: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0");
    if env::var(ALLOCATOR.0).is_err() {
        let again =
            Command::new(env::current_exe().unwrap()).args(["--nocapture"]).envs([ALLOCATOR]).status();
        return assert!(again.unwrap().success());
    }
    let mut plain = Server::new(options());
    for (name, attack) in ATTACKS {
        judge(name, &mut plain, *attack);
    }
    let key = KeyPair::generate().unwrap();
    let certificate = parameters(&["localhost"]).self_signed(&key).unwrap();
    let mut secure = tls_server(Identity { key: key.serialize_pem(), chain: certificate.pem() }.server());
    for (name, attack) in &ATTACKS[..3] {
        judge(&format!("{name} instead of TLS"), &mut secure, *attack);
    }
}

fn judge(name: &str, server: &mut Server, attack: Attack) {
    let begun = Instant::now();
    (0..WARM_UP).for_each(|_| round(server, attack));
    let parts: Vec<usize> = (0..PARTS)
        .map(|_| {
            let before = in_use();
            (0..ROUNDS).for_each(|_| round(server, attack));
            in_use().saturating_sub(before) / (ROUNDS * PEERS)
        })
        .collect();
    println!("{name}: {parts:?} bytes for each connection, {:?}", begun.elapsed());
    assert!(parts.iter().min().unwrap() <= &ALLOWED, "{name}: {parts:?} bytes are kept for each connection");
}

/// They come, attack and go; who got in is sent something that they do not read.
fn round(server: &mut Server, attack: Attack) {
    let descriptors = descriptors();
    let mut attackers: Vec<_> = (0..PEERS).map(|_| connect(server.address())).collect();
    for attacker in &mut attackers {
        attack(attacker);
        server.poll();
    }
    for member in server.links.values() {
        _ = member.link.push(MessageKind::Binary, Bytes::from_static(&[0; 1000]), How::Now);
    }
    drop(attackers);
    wait_until("they are gone", || {
        server.poll();
        server.links.retain(|_, member| member.closed.is_none());
        server.links.is_empty() && self::descriptors() <= descriptors
    });
    (server.ends, server.opened) = Default::default();
}

fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    socket.set_read_timeout(Some(util::PATIENCE)).unwrap();
    socket
}

/// As far as the server takes it: it may have seen enough.
fn send(socket: &mut TcpStream, bytes: &[u8]) {
    _ = socket.write_all(bytes);
}

fn upgraded(socket: &mut TcpStream) -> &mut TcpStream {
    send(socket, REQUEST);
    let mut head = [0; 129];
    socket.read_exact(&mut head).unwrap();
    assert!(head.ends_with(b"\r\n\r\n"), "{}", String::from_utf8_lossy(&head));
    socket
}

fn frames(first: u8, payload: &[u8], count: usize) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[first, 0x80 | length, 0, 0, 0, 0], payload].concat().repeat(count)
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Bytes of all threads.
fn in_use() -> usize {
    // SAFETY: the call takes nothing and returns a structure.
    let info = unsafe { libc::mallinfo2() };
    info.uordblks + info.hblkhd
}
