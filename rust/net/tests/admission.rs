//! Whom a listener lets in, and who they are, over loopback.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests may fail and wait"
)]

mod util;

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    time::{Duration, Instant},
};

use rust_websocket_net::{Admission, How, Link, ListenOptions, Listener, Pipe, Reporting};
use rust_websocket_proto::{
    CloseCause, MessageKind,
    admission::{AllowedOrigins, Endpoint, Limits, Networks},
    http::{Answer, Decision},
};
use util::*;

fn upgrade(more: &str) -> String {
    format!(
        "GET /room HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    )
}

fn limited(max_clients: Option<usize>, max_clients_per_address: Option<usize>) -> Admission {
    Admission { limits: Limits { max_clients, max_clients_per_address }, ..Admission::default() }
}

fn trusting(entries: &[&str]) -> Admission {
    Admission { trusted: Networks::parse(entries).unwrap(), ..Admission::default() }
}

fn server(admission: Admission) -> Server {
    let server = Server::new(options());
    server.listener.set_admission(admission);
    server
}

fn raw(server: &Server, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

/// Everything until the end.
fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    _ = stream.read_to_end(&mut bytes);
    bytes
}

fn answer(server: &Server, more: &str) -> String {
    String::from_utf8_lossy(&rest(raw(server, upgrade(more).as_bytes()))).into_owned()
}

/// The head of the answer, and the connection.
fn head(mut stream: TcpStream) -> (String, TcpStream) {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).unwrap() == 0 {
            break;
        }
        bytes.push(byte[0]);
    }
    (String::from_utf8(bytes).unwrap(), stream)
}

fn comes(server: &mut Server) -> Client {
    let mut client = Client::connect(request(server.address()), options());
    let before = server.links.len();
    wait_until("a client", || {
        server.poll();
        client.poll();
        client.open && server.links.len() > before
    });
    client
}

/// The status with which a client is refused.
fn refused(server: &mut Server) -> u16 {
    let mut client = Client::connect(request(server.address()), options());
    wait_until("a refusal", || {
        server.poll();
        client.poll();
        client.closed.is_some()
    });
    let cause = client.closed.unwrap().cause;
    cause.http_response().unwrap_or_else(|| panic!("{cause}")).status
}

/// The client that came last, as it was reported.
fn newest(server: &mut Server) -> String {
    let count = server.ends.len();
    wait_until("a newcomer", || {
        server.poll();
        server.ends.len() > count
    });
    let end = server.ends[count];
    format!("{} {}", end.address, end.port)
}

#[test]
fn never_more_than_there_may_be() {
    let mut server = server(limited(Some(10), None));
    let mut clients: Vec<_> =
        (0..200).map(|_| Client::connect(request(server.address()), options())).collect();
    let mut most = 0;
    wait_until("a decision on each", || {
        server.poll();
        clients.iter_mut().for_each(Client::poll);
        most = most.max(clients.iter().filter(|client| client.open && client.closed.is_none()).count());
        clients.iter().all(|client| client.open || client.closed.is_some())
    });
    assert_eq!((most, server.links.len()), (10, 10));
    let mut open: Vec<_> = clients.extract_if(.., |client| client.open).collect();
    for client in clients {
        let cause = client.closed.unwrap().cause;
        let response = cause.http_response().unwrap();
        assert_eq!(response.status, 503);
        assert!(response.headers.iter().any(|line| line == "Retry-After: 5"), "{:?}", response.headers);
        assert_eq!(response.body, b"the server is full\n");
    }
    // Whoever leaves makes room for one.
    drop(open.pop());
    wait_until("its end", || {
        server.poll();
        server.links.values().any(|link| link.closed.is_some())
    });
    server.links.retain(|_, link| link.closed.is_none());
    let _next = comes(&mut server);
    assert_eq!(refused(&mut server), 503);
}

#[test]
fn limits_count_those_who_are_in_already_and_end_nobody() {
    let mut server = server(Admission::default());
    let mut clients = vec![comes(&mut server), comes(&mut server)];
    server.listener.set_admission(limited(Some(3), None));
    clients.push(comes(&mut server));
    assert_eq!(refused(&mut server), 503);
    server.listener.set_admission(limited(Some(0), None));
    assert_eq!(refused(&mut server), 503, "a drain");
    for client in &mut clients {
        client.link.push(MessageKind::Text, "plays on".into(), How::Now).unwrap();
    }
    wait_until("their messages", || {
        server.poll();
        server.links.values().all(|link| link.messages.len() == 1)
    });
    server.listener.set_admission(Admission::default());
    comes(&mut server);
}

/// Whom the owner sends away makes room at once, although the client does not answer the close frame.
#[test]
fn who_is_sent_away_makes_room() {
    let mut server = server(limited(Some(1), None));
    let (answered, _silent) = head(raw(&server, upgrade("").as_bytes()));
    assert!(answered.starts_with("HTTP/1.1 101"));
    wait_until("the link", || {
        server.poll();
        server.links.len() == 1
    });
    assert_eq!(refused(&mut server), 503);
    server.only().link.close(1000, "");
    assert_eq!(refused(&mut server), 503, "it may still have something to say");
    server.links.clear();
    let _next = comes(&mut server);
}

#[test]
fn what_takes_no_place() {
    let mut server = server(limited(Some(1), None));
    let plain = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let silent: Vec<_> = (0..3).map(|_| raw(&server, b"GET / HTTP/1.1\r\n")).collect();
    assert!(rest(raw(&server, plain)).starts_with(b"HTTP/1.1 426"), "as without limits");
    server.listener.set_admission(Admission {
        origins: AllowedOrigins::parse(&["https://game.example"]).unwrap(),
        ..limited(Some(1), None)
    });
    assert!(answer(&server, "Origin: https://other.example\r\n").starts_with("HTTP/1.1 403"));
    assert!(answer(&server, "Sec-WebSocket-Key: twice\r\n").starts_with("HTTP/1.1 400"));
    let _client = comes(&mut server);
    drop(silent);
    assert!(rest(raw(&server, plain)).starts_with(b"HTTP/1.1 426"), "not refused for want of a place");
}

#[test]
fn browsers_are_told_by_a_close_frame() {
    let mut server = server(limited(Some(0), None));
    let refused = |server: &Server, wanted: &str| {
        let (head, mut stream) = head(raw(server, upgrade("Origin: https://game.example\r\n").as_bytes()));
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        let mut frame = vec![0; 4 + wanted.len()];
        stream.read_exact(&mut frame).unwrap();
        let expected = [&[0x88, 2 + u8::try_from(wanted.len()).unwrap(), 0x03, 0xf5], wanted.as_bytes()];
        assert_eq!(frame, expected.concat());
    };
    refused(&server, "the server is full");
    server.listener.set_admission(limited(None, Some(0)));
    refused(&server, "too many connections");
    assert!(answer(&server, "").starts_with("HTTP/1.1 429"));
    server.poll();
    assert!(server.links.is_empty(), "the owner hears nothing of them");
}

#[test]
fn per_address_behind_a_proxy() {
    let mut server = server(Admission {
        limits: Limits { max_clients: None, max_clients_per_address: Some(1) },
        ..trusting(&["loopback"])
    });
    let from = |server: &Server, address: &str| {
        head(raw(server, upgrade(&format!("X-Forwarded-For: {address}\r\n")).as_bytes()))
    };
    let (first, _kept) = from(&server, "2001:db8::1");
    assert!(first.starts_with("HTTP/1.1 101"));
    assert!(from(&server, "2001:db8::2").0.starts_with("HTTP/1.1 429"), "the same /64");
    let (other, _kept) = from(&server, "2001:db8:0:1::1");
    assert!(other.starts_with("HTTP/1.1 101"));
    wait_until("both", || {
        server.poll();
        server.links.len() == 2
    });
}

#[test]
fn whom_a_trusted_proxy_speaks_for() {
    let mut server = server(trusting(&["loopback"]));
    let forwarded = "X-Forwarded-For: 6.6.6.6, 203.0.113.7, 127.0.0.9\r\nX-Forwarded-Proto: https\r\n";
    let _kept = raw(&server, upgrade(forwarded).as_bytes());
    assert_eq!(newest(&mut server), "203.0.113.7 0");
    assert_eq!(server.opened.last().unwrap().requested_url.as_deref(), Some("wss://a/room"));
    let direct = raw(&server, upgrade("").as_bytes());
    let port = direct.local_addr().unwrap().port();
    assert_eq!(newest(&mut server), format!("127.0.0.1 {port}"));
    assert_eq!(server.opened.last().unwrap().requested_url.as_deref(), Some("ws://a/room"));
    // Whom nobody trusts may say what he likes.
    for trusted in [&[][..], &["10.0.0.0/8", "unix"]] {
        server.listener.set_admission(trusting(trusted));
        let forger = raw(&server, upgrade(forwarded).as_bytes());
        let port = forger.local_addr().unwrap().port();
        assert_eq!(newest(&mut server), format!("127.0.0.1 {port}"));
        assert_eq!(server.opened.last().unwrap().requested_url.as_deref(), Some("ws://a/room"));
    }
}

const LINE: &str = "PROXY TCP6 2001:db8::7 ::1 5000 443\r\n";

/// Version 2, with the command and the addresses given.
fn binary(command: u8, family: u8, content: &[u8]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    header.extend([command, family]);
    header.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
    header.extend(content);
    header
}

#[test]
fn a_proxy_header_goes_before_everything_else() {
    let mut server = server(Admission { proxy_protocol: true, ..Admission::default() });
    let v4 = binary(0x21, 0x11, &[203, 0, 113, 7, 10, 0, 0, 1, 0x13, 0x88, 1, 0xbb]);
    let local = binary(0x20, 0, &[]);
    let unix = binary(0x21, 0x31, &[b'x'; 216]);
    for (header, expected) in [
        (LINE.as_bytes(), Some("2001:db8::7 5000")),
        (b"PROXY UNKNOWN\r\n", None),
        (&v4, Some("203.0.113.7 5000")),
        (&local, None),
        (&unix, Some("unix 0")),
    ] {
        // In one piece, and byte by byte.
        let mut whole = header.to_vec();
        whole.extend(upgrade("X-Forwarded-For: 6.6.6.6\r\n").bytes());
        let stream = raw(&server, &whole);
        let own = format!("127.0.0.1 {}", stream.local_addr().unwrap().port());
        assert_eq!(newest(&mut server), expected.unwrap_or(&own));
        let mut stream = raw(&server, b"");
        let own = format!("127.0.0.1 {}", stream.local_addr().unwrap().port());
        stream.set_nodelay(true).unwrap();
        for byte in whole {
            stream.write_all(&[byte]).unwrap();
        }
        assert_eq!(newest(&mut server), expected.unwrap_or(&own));
    }
    for bytes in [
        upgrade("").into_bytes(),
        b"PROXY TCP4 300.0.0.1 10.0.0.1 1 2\r\n".to_vec(),
        b"PROXY".to_vec(),
        [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 100]].concat(),
        binary(0x21, 0x11, &[0; 530]),
        binary(0x22, 0x11, &[0; 12]),
        vec![0x16, 3, 1, 0, 5],
    ] {
        let mut stream = raw(&server, &bytes);
        _ = stream.shutdown(Shutdown::Write);
        let mut said = Vec::new();
        _ = stream.read_to_end(&mut said);
        assert_eq!(said, b"", "cut without a word");
    }
    assert_eq!(server.links.len(), 10);
}

#[test]
fn proxy_headers_are_read_from_proxies_alone() {
    let mut server = server(Admission { proxy_protocol: true, ..trusting(&["10.0.0.0/8"]) });
    let stream = raw(&server, upgrade("").as_bytes());
    assert_eq!(newest(&mut server), format!("127.0.0.1 {}", stream.local_addr().unwrap().port()));
    let forged = format!("{LINE}{}", upgrade(""));
    let answered = String::from_utf8(rest(raw(&server, forged.as_bytes()))).unwrap();
    assert!(answered.starts_with("HTTP/1.1 505"), "it is no request of this version: {answered}");
    // The balancer's own proxies are believed too.
    server
        .listener
        .set_admission(Admission { proxy_protocol: true, ..trusting(&["loopback", "2001:db8::/32"]) });
    let forwarded = upgrade("X-Forwarded-For: 203.0.113.7\r\n");
    let _kept = raw(&server, format!("{LINE}{forwarded}").as_bytes());
    assert_eq!(newest(&mut server), "203.0.113.7 0");
    server.listener.set_admission(Admission { proxy_protocol: true, ..trusting(&["loopback"]) });
    let _kept = raw(&server, format!("{LINE}{forwarded}").as_bytes());
    assert_eq!(newest(&mut server), "2001:db8::7 5000");
}

/// The header's time is the handshake's.
#[test]
fn a_proxy_header_that_does_not_come() {
    let mut impatient = options();
    std::sync::Arc::make_mut(&mut impatient.config).connect_timeout = Duration::from_millis(100);
    let server = Server::new(impatient);
    server.listener.set_admission(Admission { proxy_protocol: true, ..Admission::default() });
    for start in [&b""[..], b"PROXY TCP4 "] {
        assert_eq!(rest(raw(&server, start)), b"");
    }
}

#[test]
fn origins() {
    let mut server = server(Admission {
        origins: AllowedOrigins::parse(&["https://*.game.example"]).unwrap(),
        ..Admission::default()
    });
    let refused = answer(&server, "Origin: https://evil.example\r\n");
    assert!(refused.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{refused}");
    let (accepted, _kept) = head(raw(&server, upgrade("Origin: https://eu.game.example\r\n").as_bytes()));
    assert!(accepted.starts_with("HTTP/1.1 101"), "{accepted}");
    let _native = comes(&mut server);
}

/// A request that waits for its owner holds its place; one that is refused gives it back.
#[test]
fn places_of_those_who_wait() {
    let mut server = server(Admission { asks_owner: Some(PATIENCE), ..limited(Some(1), None) });
    let waiting = raw(&server, upgrade("").as_bytes());
    wait_until("the request", || {
        server.poll();
        server.asked.len() == 1
    });
    assert!(answer(&server, "").starts_with("HTTP/1.1 503"), "decided before anybody is asked");
    let refusal = Decision::Answer(Answer::text(401, "", Vec::new()).unwrap());
    server.asked.pop().unwrap().decide(refusal, None);
    assert!(rest(waiting).starts_with(b"HTTP/1.1 401"));
    let left = raw(&server, upgrade("").as_bytes());
    wait_until("the next request", || {
        server.poll();
        server.asked.len() == 1
    });
    drop(left);
    wait_until("its end", || {
        server.poll();
        !server.over.is_empty()
    });
    server.asked.clear();
    let (_kept, mut accepted) = (raw(&server, upgrade("").as_bytes()), 0);
    wait_until("the one after", || {
        server.poll();
        while let Some(asked) = server.asked.pop() {
            asked.decide(Decision::accept(), None);
            accepted += 1;
        }
        server.links.len() == 1
    });
    assert_eq!(accepted, 1);
    assert!(answer(&server, "").starts_with("HTTP/1.1 503"));
}

/// A room has limits of its own, beside those of its listener.
#[test]
fn rooms_have_limits_too() {
    let listener = Listener::bind(ListenOptions {
        address: Some("127.0.0.1".parse().unwrap()),
        port: 0,
        link: options(),
        tls: None,
        admission: limited(Some(3), None),
        reporting: Reporting::Each,
    })
    .unwrap();
    let server = Server::of(listener);
    let small = server.listener.room("/room").unwrap();
    small.set_admission(limited(Some(1), None));
    let _other = server.listener.room("").unwrap();
    let ask = |path: &str| head(raw(&server, upgrade("").replace("/room", path).as_bytes()));
    let (first, _kept) = ask("/room");
    assert!(first.starts_with("HTTP/1.1 101"));
    assert!(ask("/room").0.starts_with("HTTP/1.1 503"), "the room is full");
    let kept: Vec<_> = (0..2).map(|_| ask("/elsewhere")).collect();
    assert!(kept.iter().all(|(head, _)| head.starts_with("HTTP/1.1 101")));
    assert!(ask("/elsewhere").0.starts_with("HTTP/1.1 503"), "the server is");
}

/// Limits of a server are no matter of its clients' requests to end.
#[test]
fn a_refused_client_says_why() {
    let mut server = server(limited(Some(0), None));
    let mut client = Client::connect(request(server.address()), options());
    wait_until("the refusal", || {
        server.poll();
        client.poll();
        client.closed.is_some()
    });
    let closed = client.closed.unwrap();
    assert!(matches!(closed.cause, CloseCause::HttpStatus(_)), "{:?}", closed.cause);
    assert!(closed.cause.to_string().contains("503"), "{}", closed.cause);
}

/// Streams that somebody else has accepted come in by the same rules; the test moves their bytes.
#[test]
fn streams_that_are_handed_over() {
    let mut server = server(limited(Some(1), None));
    let hand_over = |server: &Server, received: &str| {
        let (pipe, socket) = Pipe::new(false);
        socket.prefill(received.as_bytes());
        server.listener.adopt(socket, Endpoint::UNIX);
        pipe
    };
    let answer = |pipe: &Pipe| {
        let mut answer = Vec::new();
        wait_until("an answer", || {
            answer = pipe.output(4096);
            !answer.is_empty()
        });
        pipe.wrote(answer.len());
        String::from_utf8_lossy(&answer).into_owned()
    };
    let first = hand_over(&server, &upgrade("")[..20]);
    first.feed(&upgrade("").as_bytes()[20..]);
    assert!(answer(&first).starts_with("HTTP/1.1 101 "));
    assert_eq!(newest(&mut server), "unix 0");
    let second = hand_over(&server, &upgrade(""));
    assert!(answer(&second).starts_with("HTTP/1.1 503 "));
    wait_until("the end of the refused one", || second.is_over());
    assert_eq!(refused(&mut server), 503, "one by TCP");
    let link = server.links.keys().next().copied().unwrap();
    first.feed(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
    wait_until("a message", || {
        server.poll();
        !server.links[&link].messages.is_empty()
    });
    first.end_input(Ok(()));
    wait_until("its end", || {
        server.poll();
        server.links[&link].closed.is_some() && first.is_over()
    });
}

/// A stream without a listener, and the server's end of it.
fn open_stream() -> (Pipe, Client) {
    let (pipe, socket) = Pipe::new(true);
    let mut served = Client::of(Link::serve(socket, options()));
    pipe.feed(upgrade("").as_bytes());
    wait_until("an open connection", || {
        served.poll();
        served.open
    });
    (pipe, served)
}

/// The server's end of a stream without a listener; leaving it says goodbye while somebody waits for that.
#[test]
fn a_stream_that_is_served() {
    let (pipe, served) = open_stream();
    pipe.wrote(pipe.output(4096).len());
    served.link.push(MessageKind::Text, "last words".into(), How::Now).unwrap();
    served.link.close(4001, "bye");
    drop(served);
    pipe.let_work(PATIENCE);
    let said = String::from_utf8_lossy(&pipe.output(4096)).into_owned();
    assert!(said.contains("last words") && said.ends_with("bye"), "{said}");
    pipe.end_input(Err("it broke".to_owned()));
    wait_until("its end", || pipe.is_over());
}

/// Whatever the stream brings last, and however soon it ends behind that: nobody says again that there is something to read.
#[test]
fn floods_over_a_stream_end_with_the_stream() {
    for round in 1..=8 {
        let (pipe, mut served) = open_stream();
        let pings = [0x89, 0x80, 0, 0, 0, 0].repeat(113 * round);
        for _ in 0..100 {
            wait_until("room", || {
                pipe.wrote(usize::MAX);
                pipe.input_room() >= pings.len()
            });
            pipe.feed(&pings);
        }
        pipe.end_input(Ok(()));
        wait_until("its end", || {
            pipe.wrote(usize::MAX);
            served.poll();
            served.closed.is_some() && pipe.is_over()
        });
    }
}

/// What keeps a place for longer than it has to keeps it for five seconds.
const SOON: Duration = Duration::from_millis(3500);

/// What a client whose handshake fails is still told, and waiting for its end, is no pending handshake.
#[test]
fn failed_newcomers_free_their_place_while_they_linger() {
    let one_at_a_time = Admission { max_pending: 1, ..limited(Some(1), None) };
    let mut server = server(one_at_a_time);
    let failed: Vec<_> =
        ["GET / nonsense\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST / HTTP/1.1\r\n\r\n"]
            .iter()
            .map(|bytes| head(raw(&server, bytes.as_bytes())))
            .collect();
    assert!(
        failed.iter().all(|(answer, _)| answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 5"))
    );
    let begun = Instant::now();
    comes(&mut server);
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    drop(failed);
}

/// Browsers are let in to be told by a close frame why they are sent away. One that does not answer it takes nobody's place.
#[test]
fn refused_browsers_free_their_place_while_they_are_told() {
    let mut server = server(Admission { max_pending: 1, ..limited(Some(0), None) });
    let silent: Vec<_> =
        (0..3).map(|_| head(raw(&server, upgrade("Origin: https://game.example\r\n").as_bytes()))).collect();
    assert!(silent.iter().all(|(answer, _)| answer.starts_with("HTTP/1.1 101")));
    let begun = Instant::now();
    assert!(answer(&server, "").starts_with("HTTP/1.1 503"));
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    server.listener.set_admission(Admission::default());
    comes(&mut server);
}
