//! Handshakes that hang make way where places or file descriptors are used up: those of the address that has most of them, and
//! nobody else's.
#![cfg(target_os = "linux")] // other systems have no 127.0.0.2
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "tests may fail, wait, and change the limit of open files"
)]

mod util;

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use rust_websocket_net::{Admission, NoticeCause, take_notices};
use rust_websocket_proto::http::{Answer, Decision};
use util::{Client, Server, options, request, wait_until};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const GOODBYE: &[u8] = &[0x88, 0x80, 0, 0, 0, 0];

/// A handshake may take much longer than this: nobody gets in by somebody else's timeout.
const SOON: Duration = Duration::from_secs(10);

/// The limit of open files is the process's.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn where_all_places_are_taken_those_that_hang_make_way() {
    let _alone = alone();
    for places in [4, 256] {
        those_that_hang_make_way_of(places);
    }
}

fn those_that_hang_make_way_of(places: usize) {
    let mut server = Server::new(options());
    server.listener.set_admission(Admission { max_pending: places, ..Admission::default() });
    let patient = connect(server.address(), 3);
    let mut hanging: Vec<_> = (1..places).map(|_| connect(server.address(), 2)).collect();
    // Whoever was connected a second ago may have made way already.
    wait_until("all places are taken", || {
        pending(&server) == places as u64 || hanging.iter_mut().any(has_ended)
    });

    somebody_gets_in(&mut server);
    // All that have hung for long enough by then: it took a while to connect them.
    assert!(hanging.iter_mut().any(has_ended), "some of the address that had most have made way");
    gets_in(patient, &mut server);
}

/// Who makes way gives a place to somebody: not who has none there, and not where nobody waits for it.
#[test]
fn where_places_are_taken_nobody_makes_way_in_vain() {
    let _alone = alone();
    those_without_a_place_do_not_make_way();
    a_slow_handshake_is_left_alone_where_nobody_waits();
}

fn those_without_a_place_do_not_make_way() {
    const PLACES: u8 = 2;
    let mut patient = options();
    Arc::make_mut(&mut patient.config).close_timeout = Duration::from_secs(600);
    let (mut server, other) = (Server::new(patient.clone()), Server::new(patient));
    server.listener.set_admission(Admission { max_pending: PLACES.into(), ..Admission::default() });
    let mut elsewhere: Vec<_> = (0..=PLACES).map(|_| connect(other.address(), 2)).collect();
    wait_until("who hangs elsewhere", || pending(&other) == elsewhere.len() as u64);
    let mut leaving = connect(server.address(), 2);
    gets_in_and_leaves(&mut leaving, &mut server);
    let mut hanging: Vec<_> = (0..PLACES).map(|_| connect(server.address(), 2)).collect();

    somebody_gets_in(&mut server);
    assert!(hanging.iter_mut().any(has_ended), "who has a place has made way");
    assert!(!elsewhere.iter_mut().any(has_ended), "whoever hangs at another listener has none here");
    assert!(is_heard(&mut leaving), "nor has who is saying goodbye");
}

/// Connects, is let in, and says goodbye, but keeps its end open.
fn gets_in_and_leaves(client: &mut TcpStream, server: &mut Server) {
    client.write_all(REQUEST).unwrap();
    let mut answer = Vec::new();
    wait_until("it is let in", || {
        server.poll();
        answer.extend_from_slice(&read_some(client));
        answer.ends_with(b"\r\n\r\n")
    });
    client.write_all(GOODBYE).unwrap();
    wait_until("its goodbye is answered", || has_ended(client));
    wait_until("and known", || {
        server.poll();
        server.only().closed.is_some()
    });
}

fn a_slow_handshake_is_left_alone_where_nobody_waits() {
    let mut server = Server::new(options());
    server.listener.set_admission(Admission { max_pending: 1, ..Admission::default() });
    let slow = connect(server.address(), 2);
    wait_until("the only place is taken", || pending(&server) == 1);
    std::thread::sleep(Duration::from_millis(1500)); // after a second it may be cut off
    gets_in(slow, &mut server);
}

/// Where there are descriptors to spare, answers that nobody fetches hold no more than so much.
#[test]
fn answers_that_are_not_fetched_are_bounded() {
    const SIZE: usize = 16 * 1024 * 1024;
    const COMING: usize = 60;
    const MOST: usize = 256 * 1024 * 1024;
    let _alone = alone();
    let mut server = Server::new(options());
    server.listener.set_admission(Admission { asks_owner: Some(SOON), ..Admission::default() });
    let page = Bytes::from(vec![b' '; SIZE]);
    let mut clients: Vec<_> = [3]
        .into_iter()
        .chain([2; COMING])
        .map(|last| {
            let mut client = connect(server.address(), last);
            client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            wait_until("its turn", || {
                server.poll();
                !server.asked.is_empty()
            });
            let answer = Answer::binary(200, page.clone(), Vec::new()).unwrap();
            server.asked.pop().unwrap().decide(Decision::Answer(answer), None);
            client
        })
        .collect();
    let fetched: Vec<bool> = clients.iter_mut().map(|client| fetch(client) >= SIZE).collect();
    let whole = fetched.iter().filter(|is_whole| **is_whole).count();
    assert!(fetched[0], "the address that holds little is spared");
    assert!(fetched[COMING], "the latest is spared");
    assert!(!fetched[1], "the oldest is cut off");
    // A part of each is the kernel's.
    assert!((MOST / SIZE / 2..MOST / SIZE * 2).contains(&whole), "{whole} of {COMING}");
}

/// Reads until the end, and returns how many bytes came.
fn fetch(client: &mut TcpStream) -> usize {
    client.set_nonblocking(false).unwrap();
    client.set_read_timeout(Some(util::PATIENCE)).unwrap();
    let (mut count, mut bytes) = (0, vec![0; 256 * 1024]);
    loop {
        match client.read(&mut bytes) {
            Ok(0) => return count,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return count,
            Err(error) => panic!("neither the answer nor its end came: {error}"),
        }
    }
}

/// One outage to the process, which is told once, by the first of these.
#[test]
fn where_descriptors_are_used_up_others_make_way() {
    let _alone = alone();
    those_that_hang_make_way_of_files();
    those_that_were_open_make_way();
    those_that_do_not_fetch_their_answer_make_way();
}

fn those_that_hang_make_way_of_files() {
    const HANGING: usize = 100;
    const ACCEPTED: u64 = 45;
    let mut server = Server::new(options());
    server.listener.set_accepting(false);
    let patient = connect(server.address(), 3);
    let mut hanging: Vec<_> = (0..HANGING).map(|_| connect(server.address(), 2)).collect();
    let limit = limit_with_room_for(ACCEPTED);
    _ = take_notices();
    let before = limit_files(limit);
    server.listener.set_accepting(true);
    wait_until("there is no room", || pending(&server) >= ACCEPTED);
    assert!(pending(&server) < HANGING as u64, "the others wait in the backlog");

    somebody_gets_in(&mut server);
    wait_until("the last of them", || {
        hanging.iter_mut().map(has_ended).filter(|has_ended| *has_ended).count() > 50
    });
    gets_in(patient, &mut server);
    let lines = take_notices();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!((lines[0].cause, lines[0].times), (NoticeCause::DescriptorsScarce, 1));
    limit_files(before);
}

/// A client that does not fetch its answer holds a descriptor, and is no pending handshake. It has longer for that than this test.
fn those_that_do_not_fetch_their_answer_make_way() {
    const COMING: usize = 100;
    let mut server = Server::new(options());
    server.listener.set_admission(Admission { asks_owner: Some(SOON), ..Admission::default() });
    server.listener.set_accepting(false);
    let silent: Vec<_> = (0..COMING)
        .map(|_| {
            let mut client = connect(server.address(), 2);
            client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            client
        })
        .collect();
    let before = limit_files(limit_with_room_for(45));
    server.listener.set_accepting(true);
    // All that find a descriptor together stay below what answers may hold.
    let page = Bytes::from(vec![b' '; 5 * 1024 * 1024]);
    let mut answered = 0;
    wait_until("all of them in their turn", || {
        server.poll();
        answered += server.asked.len();
        for asked in server.asked.drain(..) {
            asked.decide(Decision::Answer(Answer::binary(200, page.clone(), Vec::new()).unwrap()), None);
        }
        answered == COMING
    });
    limit_files(before);
    drop(silent);
}

/// Whoever has been sent away has given up his place, but not his descriptor while he keeps the other end open.
fn those_that_were_open_make_way() {
    const COMING: usize = 100;
    const ACCEPTED: u64 = 45;
    let mut patient = options();
    Arc::make_mut(&mut patient.config).close_timeout = Duration::from_secs(600);
    let mut server = Server::new(patient);
    server.listener.set_accepting(false);
    let mut clients: Vec<_> = (0..COMING)
        .map(|_| {
            let mut client = connect(server.address(), 2);
            client.write_all(REQUEST).unwrap();
            client
        })
        .collect();
    let before = limit_files(limit_with_room_for(ACCEPTED));
    server.listener.set_accepting(true);
    wait_until("all of them in their turn", || {
        server.poll();
        // Each says goodbye once it has been let in, and waits.
        for client in &mut clients {
            if client.read(&mut [0; 1024]).is_ok_and(|count| count > 100) {
                client.write_all(GOODBYE).unwrap();
            }
        }
        server.links.values().filter(|link| link.closed.is_some()).count() == COMING
    });
    limit_files(before);
}

/// A client of the address `127.0.0.last`, which says nothing.
fn connect(address: SocketAddr, last: u8) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let own = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
    socket.bind(&SocketAddr::new(own, 0).into()).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.into()
}

fn pending(server: &Server) -> u64 {
    server.listener.tally().read().handshakes_pending
}

/// An honest client of another address.
fn somebody_gets_in(server: &mut Server) {
    let (before, begun) = (server.links.len(), Instant::now());
    let mut client = Client::connect(request(server.address()), options());
    wait_until("somebody gets in", || {
        client.poll();
        server.poll();
        client.open && server.links.len() > before
    });
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

/// One that has been slow, and was spared.
fn gets_in(mut client: TcpStream, server: &mut Server) {
    assert!(!has_ended(&mut client), "it has as much time as a handshake may take");
    let before = server.links.len();
    client.write_all(REQUEST).unwrap();
    wait_until("who was slow gets in", || {
        server.poll();
        server.links.len() > before
    });
}

/// Whether somebody reads what it sends: a socket that was closed answers with a reset.
fn is_heard(client: &mut TcpStream) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(100) {
        if client.write_all(&[0]).is_err() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

fn read_some(client: &mut TcpStream) -> Vec<u8> {
    let mut bytes = [0; 1024];
    let count = client.read(&mut bytes).unwrap_or(0);
    bytes[..count].to_vec()
}

fn has_ended(client: &mut TcpStream) -> bool {
    match client.read(&mut [0; 16]) {
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        Ok(count) => count == 0,
    }
}

/// The least limit that lets a server accept so many, beside the margin that it leaves.
fn limit_with_room_for(accepted: u64) -> u64 {
    let next =
        u64::try_from(std::os::fd::AsRawFd::as_raw_fd(&std::fs::File::open("/dev/null").unwrap())).unwrap();
    (next + accepted + 1) * 8 / 7
}

/// Returns the limit before.
fn limit_files(count: u64) -> u64 {
    let mut limits = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the calls read and write the one structure that they are given.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limits), 0);
        let before = std::mem::replace(&mut limits.rlim_cur, count);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limits), 0);
        before
    }
}
