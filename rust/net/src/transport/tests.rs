//! The stack without a network: a socket made of two buffers, and a preamble that swaps greetings.

use std::{
    cell::RefCell,
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    sync::Mutex,
};

use mio::{Interest, Registry, Token, event::Source};

use rust_websocket_proto::{
    Target,
    tunnel::{Proxy, ProxyKind},
};

use super::*;
use crate::{
    seam::{ProxyWay, lock},
    tls::{CertificateChain, ClientTls, ExpectedName, ServerSessions, ServerTls, ServerTrust},
};

/// What the other side has sent, a piece per read, and what was sent to it.
#[derive(Debug, Default)]
struct Carried {
    arriving: VecDeque<Vec<u8>>,
    sent: Vec<u8>,
}

#[derive(Debug, Default, Clone)]
struct Wires(Arc<Mutex<Carried>>);

impl Wires {
    fn arrives(&self, bytes: &[u8]) {
        lock(&self.0).arriving.push_back(bytes.to_vec());
    }

    fn take_sent(&self) -> Vec<u8> {
        std::mem::take(&mut lock(&self.0).sent)
    }
}

impl Source for Wires {
    fn register(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }
    fn reregister(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }
    fn deregister(&mut self, _: &Registry) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for Wires {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut carried = lock(&self.0);
        let mut piece = carried.arriving.pop_front().ok_or(io::ErrorKind::WouldBlock)?;
        let rest = piece.split_off(piece.len().min(buffer.len()));
        if !rest.is_empty() {
            carried.arriving.push_front(rest);
        }
        buffer[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
    /// Takes three bytes at a time.
    fn send(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).take(3).collect();
        lock(&self.0).sent.extend_from_slice(&bytes);
        Ok(bytes.len())
    }
    fn shut_down_writing(&self) -> io::Result<()> {
        Ok(())
    }
    fn set_no_delay(&self, _: bool) -> io::Result<()> {
        Ok(())
    }
}

/// Says `hello` and waits for a line.
#[derive(Debug, Default)]
struct Greeting {
    said: usize,
    heard: RefCell<Vec<u8>>,
}

impl Preamble for Greeting {
    fn handle_read(&mut self, bytes: &[u8]) -> Result<Option<usize>, String> {
        if bytes.starts_with(b"!") {
            return Err("the proxy refuses".to_owned());
        }
        self.heard.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.iter().position(|byte| *byte == b'\n').map(|end| end + 1))
    }
    fn output(&self) -> &[u8] {
        &b"hello"[self.said..]
    }
    fn wrote(&mut self, count: usize) {
        self.said += count;
    }
    fn header(&self) -> Option<ProxyHeader> {
        Some(ProxyHeader { client: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 7)).into()) })
    }
}

fn with_greeting() -> (Wires, Transport) {
    let wires = Wires::default();
    let transport = Transport::new(Box::new(wires.clone()), Some(Box::new(Greeting::default())), None);
    (wires, transport)
}

fn read(transport: &mut Transport, room: usize) -> Option<Vec<u8>> {
    let mut buffer = vec![0; room];
    match transport.read(&mut buffer).unwrap() {
        Received::Bytes(count) => Some(buffer[..count].to_vec()),
        Received::Nothing | Received::End => None,
    }
}

#[test]
fn what_follows_the_preamble_in_one_read_is_the_protocol_s() {
    let (wires, mut transport) = with_greeting();
    assert_eq!((transport.phase(), transport.is_established()), (ConnectPhase::Tcp, false));
    while transport.has_pending_output() {
        assert_eq!(transport.write(&[]).unwrap(), 0);
    }
    assert_eq!(wires.take_sent(), b"hello");
    wires.arrives(b"200 ");
    wires.arrives(b"fine\nframes");
    wires.arrives(b"more");
    assert_eq!((read(&mut transport, 64), transport.is_established()), (None, false));
    assert_eq!((read(&mut transport, 64), transport.is_established()), (None, true));
    let client = transport.proxy_header().and_then(|header| header.client);
    assert_eq!(client, Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 7)).into()));
    assert!(!transport.is_drained(), "bytes wait here, of which the kernel knows nothing");
    assert_eq!(read(&mut transport, 4), Some(b"fram".to_vec()));
    assert!(!transport.is_drained());
    assert_eq!(read(&mut transport, 64), Some(b"es".to_vec()));
    assert!(!transport.is_drained(), "the kernel was not asked");
    assert_eq!(read(&mut transport, 64), Some(b"more".to_vec()));
    assert_eq!(transport.is_drained(), cfg!(target_os = "linux"));
}

#[test]
fn the_protocol_s_bytes_wait_for_its_end() {
    let (wires, mut transport) = with_greeting();
    assert_eq!(transport.write(&[IoSlice::new(b"frame")]).unwrap(), 0);
    assert_eq!(wires.take_sent(), b"hel");
    wires.arrives(b"\n");
    assert_eq!(read(&mut transport, 64), None);
    assert_eq!(transport.write(&[IoSlice::new(b"frame")]).unwrap(), 3);
    assert_eq!(wires.take_sent(), b"fra");
}

#[test]
fn a_refusal_and_an_early_end_are_said_in_words() {
    let (wires, mut transport) = with_greeting();
    wires.arrives(b"!");
    assert_eq!(transport.read(&mut [0; 8]).unwrap_err().to_string(), "the proxy refuses");
    let (wires, mut transport) = with_greeting();
    wires.arrives(b"");
    assert!(transport.read(&mut [0; 8]).unwrap_err().to_string().contains("before the protocol began"));
}

/// A client's stack on its way through a SOCKS proxy that asks for a login.
fn with_tunnel() -> (Wires, Transport) {
    let proxy = Proxy::new(ProxyKind::Socks5, "proxy.example", 1080, "ada", "secret").unwrap().unwrap();
    let target = Target::parse("ws://game.example/").unwrap();
    let preamble = TunnelPreamble::new(Arc::new(ProxyWay::new(proxy)), &target, None);
    let wires = Wires::default();
    let transport = Transport::new(Box::new(wires.clone()), Some(Box::new(preamble)), None);
    (wires, transport)
}

/// In every way, with the server's first bytes behind the last reply.
#[test]
fn socks_replies_cut_at_every_byte() {
    let (granted, first): (&[u8], &[u8]) = (&[5, 0, 0, 3, 3, b'a', b'b', b'c', 0, 80], b"HTTP/1.1 101");
    let replies = [vec![5, 2], vec![1, 0], [granted, first].concat()];
    for cuts in 0..1_u32 << 11 {
        let (wires, mut transport) = with_tunnel();
        let mut heard = Vec::new();
        // One bit for each place inside of a reply; the replies themselves are apart, for each is asked for.
        let mut bits = cuts;
        for (reply, size) in replies.iter().zip([2, 2, granted.len()]) {
            while transport.has_pending_output() {
                transport.write(&[]).unwrap();
            }
            let mut from = 0;
            for end in 1..size {
                if bits & 1 == 1 {
                    wires.arrives(&reply[from..end]);
                    from = end;
                }
                bits >>= 1;
            }
            wires.arrives(&reply[from..]);
            while !lock(&wires.0).arriving.is_empty() || !transport.bottom.leftover.is_empty() {
                heard.extend(read(&mut transport, 64).unwrap_or_default());
            }
        }
        assert_eq!((heard.as_slice(), transport.is_established()), (first, true), "{cuts:b}");
    }
}

/// A client, and a server that reads what it says behind that.
fn tls_pair(preamble: Option<Box<dyn Preamble>>) -> (rustls::ClientConnection, Wires, Transport) {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let chain = CertificateChain::from_pem(key.cert.pem().as_bytes()).unwrap();
    let tls = ServerTls::new(key.signing_key.serialize_pem().as_bytes(), chain).unwrap();
    let client =
        ClientTls::new(ServerTrust::Anything, ExpectedName::Any).unwrap().begin("localhost").unwrap();
    let wires = Wires::default();
    let session = TlsSession::server(&ServerSessions::new(tls)).unwrap();
    let server = Transport::new(Box::new(wires.clone()), preamble, Some(session));
    (client, wires, server)
}

/// Both say what they have to, until they have nothing more; what the server has read.
fn exchange(client: &mut rustls::ClientConnection, wires: &Wires, server: &mut Transport) -> Vec<u8> {
    let mut heard = Vec::new();
    for _ in 0..20 {
        let mut more = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut more).unwrap();
        }
        if !more.is_empty() {
            wires.arrives(&more);
        }
        while !lock(&wires.0).arriving.is_empty() || !server.bottom.leftover.is_empty() {
            heard.extend(read(server, 4096).unwrap_or_default());
        }
        while server.has_pending_output() {
            _ = server.write(&[]).unwrap();
        }
        let answer = wires.take_sent();
        let mut answer = answer.as_slice();
        while !answer.is_empty() {
            client.read_tls(&mut answer).unwrap();
            client.process_new_packets().unwrap();
        }
    }
    heard
}

#[test]
fn tls_begins_behind_the_preamble_in_the_same_read() {
    let (mut client, wires, mut server) = tls_pair(Some(Box::new(Greeting::default())));
    while server.has_pending_output() {
        server.write(&[]).unwrap();
    }
    assert_eq!(wires.take_sent(), b"hello");
    let mut first = b"PROXY\n".to_vec();
    client.write_tls(&mut first).unwrap();
    wires.arrives(&first);
    client.writer().write_all(b"frames").unwrap();
    let heard = exchange(&mut client, &wires, &mut server);
    assert_eq!((heard.as_slice(), server.phase()), (b"frames".as_slice(), ConnectPhase::Upgrade));
}

#[test]
fn a_session_whose_records_take_long_is_given_fewer_at_once() {
    let (mut client, wires, mut server) = tls_pair(None);
    exchange(&mut client, &wires, &mut server);
    let mut records = Vec::new();
    let mut taken_at_once = |client: &mut rustls::ClientConnection, server: &mut Transport| {
        client.refresh_traffic_keys().unwrap();
        client.write_tls(&mut records).unwrap();
        for _ in 0..100 {
            client.writer().write_all(b"a record").unwrap();
            client.write_tls(&mut records).unwrap();
        }
        wires.arrives(&records);
        let before = std::mem::take(&mut records).len();
        _ = server.read(&mut [0; 64]).unwrap();
        let left: usize = lock(&wires.0).arriving.iter().map(Vec::len).sum();
        let taken = before - left;
        while server.read(&mut [0; 4096]).is_ok() {}
        taken
    };
    let as_ever = taken_at_once(&mut client, &mut server);
    for _ in 0..20 {
        server.note_cost(true);
    }
    assert_eq!(taken_at_once(&mut client, &mut server), 64);
    for _ in 0..20 {
        server.note_cost(false);
    }
    assert_eq!(taken_at_once(&mut client, &mut server), as_ever);
}
