//! Servers at the limit of open files. One test, in a process of its own: the limit is the process's. Its clients are in another
//! process, so that their sockets do not count.
#![cfg(unix)]
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "tests may fail, wait, and change the limit"
)]

mod util;

use std::{
    env,
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use bytes::Bytes;
use rust_websocket_net::{How, NoticeCause, ProcessSums, take_notices};
use rust_websocket_proto::MessageKind;
use util::{PATIENCE, Server, options, wait_until};

const LIMIT: u64 = 64;
/// What servers leave of that, which the game can have.
const MARGIN: usize = 16;
const CLIENTS: usize = 80;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[test]
fn servers_leave_the_last_descriptors_to_the_game_and_go_on_when_there_is_room() {
    if let Ok(addresses) = env::var("CLIENTS_OF") {
        return be_the_clients(&addresses);
    }
    let mut servers: Vec<Server> = (0..3).map(|_| Server::new(options())).collect();
    servers.iter_mut().for_each(|server| server.echoes = true);
    let mut clients = Clients::start(&servers);
    limit_files(LIMIT);

    clients.order("open");
    wait_until("somebody gets in", || poll(&mut servers) > 10);
    let in_at_first = settle(&mut servers);
    assert!(in_at_first < usize::try_from(LIMIT).unwrap() - MARGIN, "{in_at_first} are in");
    let lines = take_notices();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!((lines[0].cause, lines[0].times), (NoticeCause::DescriptorsScarce, 1));
    assert!(lines[0].text.contains("of the 64 files"), "{lines:?}");

    let files: Vec<_> =
        (0..MARGIN - 1).map(|_| File::open("/dev/null").expect("files for the game")).collect();
    a_bystander_is_served(&mut servers, &mut clients);
    the_thread_waits();
    assert_eq!(settle(&mut servers), in_at_first, "nobody gets in at the expense of the game");
    drop(files);

    clients.order("leave 10");
    wait_until("others get in", || poll(&mut servers) >= in_at_first + 10);
    assert_eq!(settle(&mut servers), in_at_first + 10, "no more than there is room for");
    limit_files(200);
    wait_until("all get in", || poll(&mut servers) >= CLIENTS);
    assert_eq!(take_notices(), [], "one outage is told once");
}

/// How many have come in so far.
fn poll(servers: &mut [Server]) -> usize {
    servers.iter_mut().for_each(Server::poll);
    servers.iter().map(|server| server.links.len()).sum()
}

/// The same, when it no longer changes.
fn settle(servers: &mut [Server]) -> usize {
    let (mut count, mut since) = (poll(servers), Instant::now());
    while since.elapsed() < Duration::from_millis(500) {
        let now = poll(servers);
        if now != count {
            (count, since) = (now, Instant::now());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    count
}

fn a_bystander_is_served(servers: &mut [Server], clients: &mut Clients) {
    let server = &mut servers[0];
    let bystander = server.links.values().next().unwrap();
    bystander.link.push(MessageKind::Text, Bytes::from_static(b"still there?"), How::Now).unwrap();
    clients.order("read");
    assert_eq!(clients.answer(), "still there?");
}

/// Those who wait in the backlog do not keep it busy.
fn the_thread_waits() {
    let before = ProcessSums::now().io_busy;
    std::thread::sleep(Duration::from_millis(500));
    let busy = ProcessSums::now().io_busy - before;
    assert!(busy < Duration::from_millis(100), "{busy:?}");
}

fn limit_files(count: u64) {
    let limits = libc::rlimit { rlim_cur: count, rlim_max: 1024 };
    // SAFETY: the call reads the one structure that it is given.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limits) }, 0);
}

/// The clients' process, which does as it is told.
struct Clients {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Clients {
    fn start(servers: &[Server]) -> Self {
        let addresses: Vec<_> = servers.iter().map(|server| server.address().to_string()).collect();
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--nocapture", "--test-threads=1"])
            .env("CLIENTS_OF", addresses.join(" "))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (orders, answers) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Self { process, orders, answers: BufReader::new(answers) }
    }

    fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
    }

    fn answer(&mut self) -> String {
        // The harness writes into the same line.
        loop {
            let mut line = String::new();
            assert_ne!(self.answers.read_line(&mut line).unwrap(), 0, "the clients are gone");
            if let Some((_, answer)) = line.trim_end().split_once("answer: ") {
                return answer.to_owned();
            }
        }
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

fn be_the_clients(addresses: &str) {
    let addresses: Vec<SocketAddr> = addresses.split(' ').map(|address| address.parse().unwrap()).collect();
    let mut clients = Vec::<(TcpStream, bool)>::new();
    for order in std::io::stdin().lines() {
        let order = order.unwrap();
        match order.split_once(' ') {
            Some(("leave", count)) => leave(&mut clients, count.parse().unwrap()),
            _ if order == "read" => write_answer(&read_one(&mut clients)),
            _ => clients.extend((0..CLIENTS).map(|number| open(addresses[number % addresses.len()]))),
        }
    }
}

/// It, and whether it is known to be in.
fn open(address: SocketAddr) -> (TcpStream, bool) {
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(REQUEST).unwrap();
    client.set_nonblocking(true).unwrap();
    (client, false)
}

/// As many as that leave of those who are in, which have their answer to the upgrade.
fn leave(clients: &mut Vec<(TcpStream, bool)>, mut count: usize) {
    clients.retain(|(client, is_in)| {
        let leaves = count > 0 && (*is_in || client.peek(&mut [0]).is_ok());
        count -= usize::from(leaves);
        !leaves
    });
    assert_eq!(count, 0, "fewer were in");
}

/// The text that one of them gets.
fn read_one(clients: &mut [(TcpStream, bool)]) -> String {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        for (client, is_in) in &mut *clients {
            let mut bytes = [0; 1000];
            let count = client.read(&mut bytes).unwrap_or(0);
            *is_in |= count > 0;
            if let Some(start) = bytes[..count].iter().rposition(|byte| *byte == 0x81) {
                return String::from_utf8_lossy(&bytes[start + 2..count]).into_owned();
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    "nothing".to_owned()
}

fn write_answer(text: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "answer: {text}").unwrap();
    out.flush().unwrap();
}
