//! Links and listeners over the loopback interface, as their owners see them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "tests may fail and wait"
)]

mod util;

use std::{
    collections::HashSet,
    io::{Read, Write},
    net::{TcpListener, TcpStream, ToSocketAddrs},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rust_websocket_net::{
    Admission, How, ListenError, ListenOptions, Listener, ReceiveLimits, Reporting, SendLimits,
};
use rust_websocket_proto::{MessageKind, SendError};
use util::{Client, Server, listen, options, pair, request, request_for, wait_until};

#[test]
fn messages_are_echoed_in_order() {
    let (mut client, mut server) = pair(options(), options());
    server.echoes = true;
    for index in 0..500_u32 {
        client
            .link
            .push(MessageKind::Binary, Bytes::copy_from_slice(&index.to_le_bytes()), How::Now)
            .unwrap();
    }
    client.link.push(MessageKind::Text, Bytes::from_static("done ✓".as_bytes()), How::Now).unwrap();
    wait_until("all echoes", || {
        server.poll();
        client.poll();
        client.messages.len() == 501
    });
    for (index, message) in client.messages[..500].iter().enumerate() {
        assert_eq!(message.payload[..], u32::try_from(index).unwrap().to_le_bytes());
        assert_eq!(message.kind, MessageKind::Binary);
    }
    assert_eq!(client.messages[500].kind, MessageKind::Text);
    assert_eq!(client.link.buffered_amount(), 0);
}

#[test]
fn a_close_handshake_ends_both_sides_with_its_code() {
    let (mut client, mut server) = pair(options(), options());
    client.link.close(4001, "enough");
    assert_eq!(client.link.push(MessageKind::Text, Bytes::new(), How::Now), Err(SendError::NotOpen));
    wait_until("both closed", || {
        server.poll();
        client.poll();
        client.closed.is_some() && server.only().closed.is_some()
    });
    let closed = client.closed.unwrap();
    assert_eq!((closed.code, closed.reason.as_str()), (Some(4001), "enough"));
    let closed = server.only().closed.take().unwrap();
    assert_eq!((closed.code, closed.reason.as_str()), (Some(4001), "enough"));
}

#[test]
fn what_was_accepted_before_leaving_arrives() {
    for how in ["leave", "drop", "close"] {
        let mut roomy = options();
        roomy.receive_limits = ReceiveLimits { bytes: usize::MAX, messages: usize::MAX };
        let (client, mut server) = pair(options(), roomy);
        for _ in 0..100 {
            client.link.push(MessageKind::Binary, Bytes::from(vec![7; 20_000]), How::Now).unwrap();
        }
        match how {
            "leave" => client.link.leave(),
            "close" => client.link.close(1000, ""),
            _ => drop(client),
        }
        wait_until(how, || {
            server.poll();
            server.only().closed.is_some()
        });
        assert_eq!(server.only().messages.len(), 100, "{how}");
    }
}

#[test]
fn a_reader_that_does_not_consume_holds_the_sender_back_and_loses_nothing() {
    let mut narrow = options();
    narrow.receive_limits = ReceiveLimits { bytes: 10_000, messages: 100 };
    let (client, mut server) = pair(options(), narrow);
    server.poll();
    server.only().consumes = false;

    let mut sent = 0_u32;
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let mut payload = vec![0; 1024];
        payload[..4].copy_from_slice(&sent.to_le_bytes());
        match client.link.push(MessageKind::Binary, payload.into(), How::Now) {
            Ok(()) => sent += 1,
            Err(error) => {
                assert_eq!(error, SendError::BufferFull);
                break;
            }
        }
        assert!(Instant::now() < deadline, "the sender was never held back");
    }
    assert!(sent >= 3800, "only {sent} messages were accepted");
    std::thread::sleep(Duration::from_millis(50));
    server.poll();
    // Nine times 1 KiB are less than the limit, so a tenth may come; then reading stops.
    assert_eq!(server.only().messages.len(), 10);

    let consumed = std::mem::take(&mut server.only().messages);
    for message in &consumed {
        server.only().link.consumed(message.payload.len());
    }
    server.only().consumes = true;
    server.only().messages = consumed;
    wait_until("the rest", || {
        server.poll();
        server.only().messages.len() == sent as usize
    });
    for (index, message) in server.only().messages.iter().enumerate() {
        assert_eq!(message.payload[..4], u32::try_from(index).unwrap().to_le_bytes());
    }
}

#[test]
fn what_nobody_has_offered_to_the_kernel_is_capped() {
    let mut unlimited = options();
    unlimited.send_limits = SendLimits { bytes: 0, messages: 0 };
    let mut stuck = options();
    stuck.receive_limits = ReceiveLimits { bytes: 1, messages: 1 };
    let (client, mut server) = pair(unlimited, stuck);
    server.poll();
    server.only().consumes = false;
    let mut accepted = 0;
    while client.link.push(MessageKind::Binary, Bytes::from(vec![0; 65_536]), How::Now).is_ok() {
        accepted += 65_536;
        assert!(accepted < 64 * 1024 * 1024, "no limit at all");
    }
    assert!(client.link.buffered_amount() <= rust_websocket_net::UNOFFERED_CAP);
}

#[test]
fn five_hundred_clients_arrive_at_once() {
    let mut server = Server::new(options());
    let mut clients: Vec<Client> =
        (0..500).map(|_| Client::connect(request(server.address()), options())).collect();
    wait_until("all of them", || {
        server.poll();
        clients.iter_mut().for_each(Client::poll);
        server.links.len() == 500 && clients.iter().all(|client| client.open)
    });
    assert!(clients.iter().all(|client| client.closed.is_none()));
}

#[test]
fn a_refused_connection_says_so() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut client = Client::connect(request(free), options());
    wait_until("the refusal", || {
        client.poll();
        client.closed.is_some()
    });
    let closed = client.closed.unwrap();
    assert_eq!(closed.code, None);
    let text = closed.cause.to_string();
    assert!(text.contains("refused") && text.contains(&free.to_string()), "{text}");
}

#[test]
fn a_name_that_does_not_resolve_says_so() {
    let mut client = Client::connect(request_for("ws://does-not-exist.invalid/"), options());
    wait_until("the failed lookup", || {
        client.poll();
        client.closed.is_some()
    });
    let text = client.closed.unwrap().cause.to_string();
    assert!(text.contains("does-not-exist.invalid"), "{text}");
}

#[test]
fn localhost_reaches_a_server_on_either_family() {
    for address in ["127.0.0.1", "::1"] {
        let link = options();
        let bound = Listener::bind(ListenOptions {
            address: Some(address.parse().unwrap()),
            port: 0,
            link,
            tls: None,
            admission: Admission::default(),
            reporting: Reporting::Together,
        });
        let is_localhost =
            ("localhost", 0).to_socket_addrs().unwrap().any(|found| found.ip().to_string() == address);
        let (Ok(listener), true) = (bound, is_localhost) else {
            assert_eq!(address, "::1", "IPv4 loopback is always there; IPv6 may be turned off");
            continue;
        };
        let url = format!("ws://localhost:{}/", listener.local_address().port());
        let mut client = Client::connect(request_for(&url), options());
        wait_until(address, || {
            client.poll();
            assert!(client.closed.is_none(), "{address}: {:?}", client.closed);
            client.open
        });
    }
}

#[test]
fn a_silent_server_meets_the_connect_timeout() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut hasty = options();
    Arc::make_mut(&mut hasty.config).connect_timeout = Duration::from_millis(100);
    let begun = Instant::now();
    let mut client = Client::connect(request(silent.local_addr().unwrap()), hasty);
    wait_until("the timeout", || {
        client.poll();
        client.closed.is_some()
    });
    assert!(client.connected);
    assert!(begun.elapsed() >= Duration::from_millis(100));
}

#[test]
fn a_silent_newcomer_is_dropped_and_never_reported() {
    let mut hasty = options();
    Arc::make_mut(&mut hasty.config).connect_timeout = Duration::from_millis(100);
    let mut listener = listen(hasty);
    let mut silent = TcpStream::connect(listener.local_address()).unwrap();
    silent.set_read_timeout(Some(util::PATIENCE)).unwrap();
    let mut rest = Vec::new();
    silent.read_to_end(&mut rest).unwrap();
    let mut events = Vec::new();
    listener.take_events(&mut events);
    assert!(events.is_empty(), "{events:?}");
}

#[test]
fn a_silent_newcomer_is_let_go_when_its_time_is_up() {
    let mut hasty = options();
    Arc::make_mut(&mut hasty.config).connect_timeout = Duration::from_millis(50);
    Arc::make_mut(&mut hasty.config).close_timeout = Duration::from_secs(3600);
    let listener = listen(hasty);
    let mut silent = TcpStream::connect(listener.local_address()).unwrap();
    // Its own end stays open; once ours is gone, and not only half-closed, writing is answered with a reset.
    wait_until("the reset", || silent.write_all(b"x").is_err());
}

#[test]
fn a_close_timeout_beyond_what_the_clock_can_hold_never_ends() {
    let mut patient = options();
    Arc::make_mut(&mut patient.config).close_timeout = Duration::MAX;
    patient.receive_limits = ReceiveLimits { bytes: usize::MAX, messages: usize::MAX };
    patient.send_limits = SendLimits { bytes: 0, messages: 0 };
    let (client, mut server) = pair(patient.clone(), patient);
    // More than the kernel takes at once: the rest is sent while the connection lingers.
    for _ in 0..100 {
        client.link.push(MessageKind::Binary, Bytes::from(vec![7; 60_000]), How::Now).unwrap();
    }
    drop(client);
    wait_until("the end", || {
        server.poll();
        server.only().closed.is_some()
    });
    assert_eq!(server.only().messages.len(), 100);
}

#[test]
fn garbage_gets_an_http_answer_and_the_others_go_on() {
    let (mut client, mut server) = pair(options(), options());
    let mut stranger = TcpStream::connect(server.address()).unwrap();
    stranger.set_read_timeout(Some(util::PATIENCE)).unwrap();
    stranger.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").unwrap();
    let mut answer = String::new();
    stranger.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    server.echoes = true;
    client.link.push(MessageKind::Text, Bytes::from_static(b"still here"), How::Now).unwrap();
    wait_until("the echo", || {
        server.poll();
        client.poll();
        !client.messages.is_empty()
    });
}

#[test]
fn a_closed_listener_frees_its_port_at_once_and_keeps_its_links() {
    let (mut client, mut server) = pair(options(), options());
    let address = server.address();
    let taken = Listener::bind(ListenOptions {
        address: Some(address.ip().into()),
        port: address.port(),
        link: options(),
        tls: None,
        admission: Admission::default(),
        reporting: Reporting::Together,
    });
    assert!(matches!(taken, Err(ListenError::InUse(_))), "{taken:?}");

    let Server { listener, links, .. } = server;
    drop(listener);
    server = Server::of(
        Listener::bind(ListenOptions {
            address: Some(address.ip().into()),
            port: address.port(),
            link: options(),
            tls: None,
            admission: Admission::default(),
            reporting: Reporting::Together,
        })
        .unwrap(),
    );
    let kept = links.into_values().next().unwrap();
    kept.link.push(MessageKind::Text, Bytes::from_static(b"kept"), How::Now).unwrap();
    let mut newcomer = Client::connect(request(address), options());
    wait_until("both", || {
        client.poll();
        newcomer.poll();
        server.poll();
        !client.messages.is_empty() && newcomer.open && server.links.len() == 1
    });
}

#[test]
fn a_listener_that_does_not_accept_leaves_newcomers_waiting() {
    let mut server = Server::new(options());
    server.listener.set_accepting(false);
    std::thread::sleep(Duration::from_millis(20));
    let mut client = Client::connect(request(server.address()), options());
    wait_until("TCP", || {
        client.poll();
        client.connected
    });
    std::thread::sleep(Duration::from_millis(50));
    client.poll();
    server.poll();
    assert!(!client.open && server.links.is_empty() && client.closed.is_none());
    server.listener.set_accepting(true);
    wait_until("the handshake", || {
        client.poll();
        server.poll();
        client.open && server.links.len() == 1
    });
}

#[test]
fn links_have_names_of_their_own() {
    let mut server = Server::new(options());
    let clients: Vec<Client> =
        (0..20).map(|_| Client::connect(request(server.address()), options())).collect();
    wait_until("all", || {
        server.poll();
        server.links.len() == 20
    });
    let mut names: HashSet<_> = clients.iter().map(|client| client.link.id()).collect();
    names.extend(server.links.keys().copied());
    assert_eq!(names.len(), 40);
}
