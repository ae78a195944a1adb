//! A multiplayer client over a carrier that the test holds in its hands.

mod util;

use std::sync::Arc;

use bytes::Bytes;
use rust_websocket_peers::{
    Locked, Multiplayer, Outcome, ReadyState, Refused, Signal, Status, TransferMode, property,
};
use rust_websocket_proto::{CloseCause, Closed, ConnectPhase, Event, Message, MessageKind, SendError};

use self::util::{Clock, FakeListener, Remote, refused_connection};

type Client = Multiplayer<FakeListener>;

fn connecting() -> (Client, Remote, Clock) {
    let (mut client, remote, clock) = (Client::default(), Remote::default(), Clock::new());
    client
        .create_client("ws://me:secret@host/?x", remote.dial(), &clock.now())
        .expect("a URL that can be used");
    (client, remote, clock)
}

fn connected() -> (Client, Remote, Clock) {
    let (mut client, remote, clock) = connecting();
    remote.opens();
    assigns(&remote, 77);
    assert_eq!(poll(&mut client, &clock), ["connected 1"]);
    (client, remote, clock)
}

fn assigns(remote: &Remote, id: i32) {
    first_message(remote, &id.to_le_bytes());
}

fn first_message(remote: &Remote, payload: &[u8]) {
    let payload = Bytes::copy_from_slice(payload);
    remote.happens(Event::Message(Message { kind: MessageKind::Binary, payload }));
}

/// One poll: its signals and what it prints.
fn poll(client: &mut Client, clock: &Clock) -> Vec<String> {
    poll_with(client, clock, |_| {})
}

fn poll_with(client: &mut Client, clock: &Clock, mut handler: impl FnMut(&mut Client)) -> Vec<String> {
    let now = clock.now();
    let mut happened = Vec::new();
    client.begin_poll(&now);
    while let Some(outcome) = client.next_outcome(&now) {
        match outcome {
            Outcome::Emit(emission) => {
                happened.push(match emission.signal {
                    Signal::Connected(id) => format!("connected {id}"),
                    Signal::Disconnected(id) => format!("disconnected {id}"),
                });
                handler(client);
                client.emitted(emission, &now);
            }
            Outcome::Ask(_) => panic!("a client is asked nothing"),
            Outcome::Failed(failed) => happened.push(failed.to_string()),
        }
    }
    happened
}

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[test]
fn status_id_and_signals() {
    let (mut client, remote, clock) = connecting();
    assert_eq!((client.status(), client.unique_id(), client.is_server()), (Status::Connecting, 0, false));
    assert_eq!(client.local_port(), 0);
    assert!(client.peer(1).is_some() && client.peer(2).is_none());
    assert!(matches!(client.put_packet(&text("x"), &clock.now()), Err(Refused::NotConnected { .. })));
    remote.opens();
    assert_eq!(poll(&mut client, &clock), [""; 0]);
    assert_eq!(client.status(), Status::Connecting, "until the id is there");
    assigns(&remote, 77);
    remote.says("first");
    assert_eq!(client.unique_id(), 0, "until the next poll");
    assert_eq!(poll(&mut client, &clock), ["connected 1"]);
    assert_eq!((client.status(), client.unique_id()), (Status::Connected, 77));
    assert_eq!((client.packet_peer(), client.next_packet().unwrap()), (1, Some("first".into())));
    client.target_peer = 5;
    client.put_packet(&text("to the server, whatever the target"), &clock.now()).unwrap();
    assert_eq!(remote.sent().len(), 1);
    remote.closes(4000);
    let mut inside = None;
    let happened = poll_with(&mut client, &clock, |client| {
        let code = client.peer(1).unwrap().with(|peer| peer.view().close_code());
        inside = Some((client.status(), client.unique_id(), code));
    });
    assert_eq!(happened, ["disconnected 1"]);
    assert_eq!(inside, Some((Status::Connected, 77, 4000)), "not yet reset for the handlers");
    assert_eq!((client.status(), client.unique_id()), (Status::Disconnected, 0));
    assert!(client.peer(1).is_none());
    assert_eq!(client.error_message(), "the other side closed the connection with code 4000 ('reason')");
}

#[test]
fn messages_that_are_no_id() {
    for payload in
        [&b""[..], b"abc", b"abcde", &1_i32.to_le_bytes(), &0_i32.to_le_bytes(), &(-5_i32).to_le_bytes()]
    {
        let (mut client, remote, clock) = connecting();
        remote.opens();
        poll(&mut client, &clock);
        first_message(&remote, payload);
        let happened = poll(&mut client, &clock);
        assert!(
            happened.len() == 1 && happened[0].starts_with("connecting to 'ws://host/' failed: the server"),
            "{happened:?}"
        );
        assert_eq!(client.status(), Status::Disconnected);
        assert!(client.error_message().contains("peer id"), "{}", client.error_message());
        assert_eq!(remote.with(|wire| wire.closed.clone()), Some((1000, String::new())));
    }
}

#[test]
fn a_server_that_assigns_no_id_in_time() {
    let (mut client, remote, clock) = connecting();
    remote.opens();
    clock.pass(2.9);
    assert_eq!(poll(&mut client, &clock), [""; 0]);
    clock.pass(0.2);
    assert_eq!(
        poll(&mut client, &clock),
        [
            "connecting to 'ws://host/' failed: the server did not assign a peer id in time: the handshake timeout of 3s has passed."
        ]
    );
    assert_eq!(client.status(), Status::Disconnected);
}

#[test]
fn f33_an_attempt_that_fails_says_so_without_a_signal() {
    let (mut client, remote, clock) = connecting();
    poll(&mut client, &clock);
    remote.happens(refused_connection());
    assert_eq!(
        poll(&mut client, &clock),
        ["connecting to 'ws://host/' failed: the TCP connection failed: nobody listens."]
    );
    assert_eq!(client.status(), Status::Disconnected);
    assert_eq!(client.error_message(), "the TCP connection failed: nobody listens");
    // The limit has another name on this class.
    let (mut client, remote, clock) = connecting();
    poll(&mut client, &clock);
    let timeout = std::time::Duration::from_secs(3);
    let cause = CloseCause::ConnectTimeout { phase: ConnectPhase::Tls, timeout };
    remote.happens(Event::Closed(Closed { code: None, reason: String::new(), cause }));
    poll(&mut client, &clock);
    assert_eq!(
        client.error_message(),
        "the TLS handshake did not finish in time: the handshake timeout of 3s has passed"
    );
    // Asked for: nothing is printed.
    let (mut client, _remote, clock) = connecting();
    client.peer(1).unwrap().with(|peer| peer.close(1000, "", &clock.now())).unwrap();
    assert_eq!((poll(&mut client, &clock), client.status()), (vec![], Status::Disconnected));
}

#[test]
fn f36_the_first_poll_never_shows_the_end() {
    let late = |clock: &Clock| clock.pass(100.0);
    let ends: [fn(&Remote); 4] = [
        |remote| remote.happens(refused_connection()),
        |remote| {
            remote.opens();
            first_message(remote, b"no id");
        },
        Remote::opens, // and nothing more for longer than the handshake timeout
        |remote| {
            remote.opens();
            remote.closes(4000);
        },
    ];
    for (number, end) in ends.iter().enumerate() {
        let (mut client, remote, clock) = connecting();
        end(&remote);
        late(&clock);
        assert_eq!(poll(&mut client, &clock), [""; 0], "end {number}");
        assert_eq!(client.status(), Status::Connecting, "end {number}");
        assert_eq!(poll(&mut client, &clock).len(), 1, "end {number}");
        assert_eq!(client.status(), Status::Disconnected, "end {number}");
    }
    let (mut client, remote, clock) = connecting();
    remote.opens();
    assigns(&remote, 5);
    remote.closes(1000);
    assert_eq!(poll(&mut client, &clock), ["connected 1"]);
    assert_eq!(poll(&mut client, &clock), ["disconnected 1"]);
}

#[test]
fn f23_reading_a_few_packets_per_frame_loses_nothing() {
    for per_frame in [1, 10, 1000] {
        let (mut client, remote, clock) = connected();
        for _ in 0..101 {
            remote.says("x");
        }
        remote.closes(1000);
        let mut read = 0;
        while poll(&mut client, &clock).is_empty() {
            assert_eq!(client.status(), Status::Connected);
            client.put_packet(&text("dropped, and no mistake"), &clock.now()).unwrap();
            read += client.take_packets(per_frame).len();
        }
        assert_eq!((read, client.status()), (101, Status::Disconnected), "{per_frame} per frame");
    }
}

#[test]
fn f23_who_takes_nothing_is_shown_the_end() {
    let (mut client, remote, clock) = connected();
    remote.says("a");
    remote.closes(1000);
    assert_eq!(poll(&mut client, &clock), [""; 0]);
    assert_eq!(poll(&mut client, &clock), ["disconnected 1"]);
    // A loop that takes packets while there are some must come to its end.
    assert_eq!((client.available_packets(), client.next_packet().unwrap()), (1, Some("a".into())));
    assert_eq!(client.available_packets(), 0);
    assert!(matches!(client.next_packet(), Err(Refused::NotConnected { call: "get_packet", .. })));
}

#[test]
fn leaving_the_server() {
    let (mut client, remote, clock) = connected();
    remote.says("unread");
    poll(&mut client, &clock);
    client.disconnect_peer(1, false, &clock.now()).unwrap();
    assert_eq!(remote.with(|wire| wire.closed.clone()), Some((1000, String::new())));
    assert_eq!((client.status(), client.available_packets()), (Status::Connected, 0));
    assert!(matches!(client.put_packet(&text("x"), &clock.now()), Err(Refused::Closed { .. })));
    remote.says("too late");
    assert_eq!((poll(&mut client, &clock), client.available_packets()), (vec![], 0));
    remote.closes(1000);
    assert_eq!(poll(&mut client, &clock), ["disconnected 1"]);
    let (mut client, remote, clock) = connected();
    client.disconnect_peer(1, true, &clock.now()).unwrap();
    assert_eq!((client.status(), poll(&mut client, &clock)), (Status::Disconnected, vec![]));
    let (dropped, closed) = remote.with(|wire| (wire.dropped, wire.closed.clone()));
    assert_eq!((dropped, closed), (true, Some((1000, String::new()))), "as the built-in says it");
    assert!(matches!(client.disconnect_peer(1, false, &clock.now()), Err(Refused::UnknownPeer { .. })));
}

/// Why the server has ended it can be asked until the next session.
#[test]
fn the_close_code_of_a_client() {
    let (mut client, remote, clock) = connected();
    assert_eq!((client.close_code(), client.close_reason()), (-1, String::new()));
    remote.closes(4003);
    assert_eq!(poll(&mut client, &clock), ["disconnected 1"]);
    assert_eq!((client.status(), client.close_code()), (Status::Disconnected, 4003));
    assert_eq!(client.close_reason(), "reason");
    let next = Remote::default();
    client.create_client("ws://host", next.dial(), &clock.now()).unwrap();
    assert_eq!((client.close_code(), client.close_reason()), (-1, String::new()), "of the next session");
    // Turned away before there was an id.
    next.opens();
    next.closes(1013);
    while client.status() != Status::Disconnected {
        poll(&mut client, &clock);
    }
    assert_eq!(client.close_code(), 1013);
}

#[test]
fn leaving_with_a_code() {
    let (mut client, remote, clock) = connected();
    client.disconnect_peer_with_code(1, 4001, "done", &clock.now()).unwrap();
    assert_eq!(remote.with(|wire| wire.closed.clone()), Some((4001, "done".to_owned())));
    assert!(client.disconnect_peer_with_code(2, 4001, "", &clock.now()).is_err());
    remote.closes(4001);
    assert_eq!(poll(&mut client, &clock), ["disconnected 1"]);
    assert_eq!(client.close_code(), 4001);
    let (mut client, remote, clock) = connected();
    client.close_with_code(1012, "restarting", &clock.now()).unwrap();
    assert_eq!(remote.with(|wire| wire.closed.clone()), Some((1012, "restarting".to_owned())));
    assert_eq!((client.status(), poll(&mut client, &clock)), (Status::Disconnected, vec![]));
}

#[test]
fn closing() {
    let (mut client, remote, clock) = connected();
    client.transfer_mode = TransferMode::Unreliable;
    let peer = Arc::clone(client.peer(1).unwrap());
    client.put_packet(&text("12"), &clock.now()).unwrap();
    client.close(&clock.now());
    assert_eq!(remote.with(|wire| wire.closed.clone()), Some((1000, String::new())));
    assert_eq!(
        (client.status(), client.unique_id(), poll(&mut client, &clock)),
        (Status::Disconnected, 0, vec![])
    );
    assert_eq!(peer.with(|peer| peer.ready_state()), ReadyState::Closed);
    assert_eq!(client.statistics().bytes_out, 2, "of the session before, while there is none");
    assert_eq!(client.transfer_mode, TransferMode::Unreliable);
    client.create_client("ws://host", Remote::default().dial(), &clock.now()).unwrap();
    assert_eq!(client.statistics().bytes_out, 0);
}

#[test]
fn overflow_and_loss() {
    let (mut client, remote, clock) = connected();
    remote.with(|wire| wire.refuses = Some(SendError::BufferFull));
    assert!(matches!(client.put_packet(&text("x"), &clock.now()), Err(Refused::Full)));
    remote.with(|wire| wire.refuses = Some(SendError::NotOpen));
    assert!(client.put_packet(&text("x"), &clock.now()).is_ok(), "lost, which the next poll shows");
    remote.breaks();
    assert_eq!(poll(&mut client, &clock), ["disconnected 1"]);
    let refused = client.put_packet(&text("x"), &clock.now()).unwrap_err().to_string();
    assert!(refused.contains("not connected (the other side ended"), "{refused}");
}

#[test]
fn f34_the_last_refusal_stays_until_the_next_attempt() {
    let client = Locked::new(Client::default());
    let clock = Clock::new();
    let message = || client.with(|client| client.error_message());
    client
        .attempt(|client| client.create_client("ftp://host", Remote::default().dial(), &clock.now()))
        .unwrap_err();
    assert!(message().contains("ftp://host"));
    client.attempt(|client| client.set::<property::inbound_buffer_size>(0, &clock.now())).unwrap_err();
    assert!(message().contains("inbound_buffer_size"));
    let remote = Remote::default();
    client.attempt(|client| client.create_client("ws://host", remote.dial(), &clock.now())).unwrap();
    assert_eq!(message(), "");
    client.attempt(|client| client.disconnect_peer(9, false, &clock.now())).unwrap_err();
    assert!(message().contains("no peer 9"));
    client.with(|client| poll(client, &clock));
    remote.happens(refused_connection());
    client.with(|client| poll(client, &clock));
    assert_eq!(message(), "the TCP connection failed: nobody listens", "the end is news");
}

/// A handler may poll, close or start another session.
#[test]
fn handlers_that_use_the_client() {
    let (mut client, remote, clock) = connecting();
    remote.opens();
    assigns(&remote, 5);
    remote.says("a");
    let happened = poll_with(&mut client, &clock, |client| {
        assert_eq!(poll(client, &clock), [""; 0]);
        assert_eq!(client.available_packets(), 1);
        client.close(&clock.now());
    });
    assert_eq!((happened, client.status()), (vec!["connected 1".to_owned()], Status::Disconnected));
    let (mut client, remote, clock) = connected();
    remote.breaks();
    let happened = poll_with(&mut client, &clock, |client| assert_eq!(poll(client, &clock), [""; 0]));
    assert_eq!(
        (happened, client.status()),
        (vec!["disconnected 1".to_owned()], Status::Disconnected),
        "not again for who polls when he hears of it"
    );
    let (mut client, remote, clock) = connected();
    let other = Remote::default();
    remote.breaks();
    poll_with(&mut client, &clock, |client| {
        client.close(&clock.now());
        client.create_client("ws://other", other.dial(), &clock.now()).unwrap();
    });
    assert_eq!((client.status(), other.with(|wire| wire.dropped)), (Status::Connecting, false));
}
