//! Handshakes under attack: who floods a listener with them keeps nobody of another address out. One test, since it takes the
//! machine's time.
#![cfg(target_os = "linux")] // other systems have no 127.0.0.2
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests may fail and wait"
)]

#[path = "util/identity.rs"]
mod identity;
mod util;

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use identity::*;
use rcgen::{KeyPair, PKCS_RSA_SHA256};
use rustls::pki_types::ServerName;
use util::wait_until;

/// Handshakes that the attacker begins in a second, and connections that it keeps open.
const RATE: u32 = 1000;
const HELD: usize = 400;
const HONEST: usize = 21;

#[test]
fn a_thousand_handshakes_a_second_keep_nobody_of_another_address_out() {
    let identity = rsa();
    let mut server = server(identity.server());
    let config = raw_config(&identity, rustls::ALL_VERSIONS);
    let is_over = AtomicBool::new(false);
    let begun = AtomicUsize::new(0);
    let address = server.address();
    let hello = hello(&config);
    thread::scope(|scope| {
        scope.spawn(|| attack(address, &hello, &is_over, &begun));
        let honest = scope.spawn(|| come_in_again_and_again(address, &config));
        while !honest.is_finished() {
            server.poll();
            thread::sleep(Duration::from_millis(1));
        }
        is_over.store(true, Ordering::Relaxed);
        let times = honest.join().unwrap();
        judge(&times, begun.load(Ordering::Relaxed));
        wait_until("the server has them", || {
            server.poll();
            server.links.len() == HONEST
        });
    });
}

fn judge(times: &[io::Result<Duration>], begun: usize) {
    let failed: Vec<_> = times.iter().filter_map(|time| time.as_ref().err()).collect();
    let mut times: Vec<_> = times.iter().flatten().collect();
    times.sort();
    println!("{} of {HONEST} came in while {begun} handshakes were begun; {times:?}", times.len());
    assert!(failed.is_empty(), "{failed:?}");
    assert!(begun > 500, "it was an attack: {begun}");
}

/// The kind of key that Godot's `Crypto` makes, whose signatures take longest.
fn rsa() -> Identity {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let certificate = parameters(&["localhost"]).self_signed(&key).unwrap();
    Identity { key: key.serialize_pem(), chain: certificate.pem() }
}

/// A client's first bytes.
fn hello(config: &Arc<rustls::ClientConfig>) -> Vec<u8> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut session = rustls::ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut bytes = Vec::new();
    while session.wants_write() {
        session.write_tls(&mut bytes).unwrap();
    }
    bytes
}

/// Every fourth one is garbage, and fails; the others wait for ever.
fn attack(address: SocketAddr, hello: &[u8], is_over: &AtomicBool, begun: &AtomicUsize) {
    let start = Instant::now();
    let mut garbage = hello.to_vec();
    garbage.iter_mut().skip(5).for_each(|byte| *byte ^= 0x55);
    let mut held = VecDeque::new();
    for number in 0_u32.. {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        thread::sleep(
            (start + Duration::from_secs(1) * number / RATE).saturating_duration_since(Instant::now()),
        );
        let Ok(mut socket) = TcpStream::connect(address) else { continue };
        _ = socket.write_all(if number % 4 == 0 { &garbage } else { hello });
        begun.fetch_add(1, Ordering::Relaxed);
        held.push_back(socket);
        if held.len() > HELD {
            held.pop_front();
        }
    }
}

fn come_in_again_and_again(
    address: SocketAddr,
    config: &Arc<rustls::ClientConfig>,
) -> Vec<io::Result<Duration>> {
    thread::sleep(Duration::from_millis(500));
    (0..HONEST)
        .map(|_| {
            thread::sleep(Duration::from_millis(100));
            let begun = Instant::now();
            come_in(address, config).map(|()| begun.elapsed())
        })
        .collect()
}

/// Through TLS and the upgrade, from an address of its own.
fn come_in(address: SocketAddr, config: &Arc<rustls::ClientConfig>) -> io::Result<()> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 2], 0)).into())?;
    socket.connect_timeout(&address.into(), Duration::from_secs(3))?;
    let mut socket: TcpStream = socket.into();
    socket.set_read_timeout(Some(Duration::from_secs(3)))?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut session = rustls::ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut stream = rustls::Stream::new(&mut session, &mut socket);
    stream.write_all(
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    assert_eq!(&answer, b"HTTP/1.1 101");
    Ok(())
}
