//! Requests that a server's script decides on, rooms, and the server that hands out peers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod util;

use std::sync::Arc;

use rust_websocket_net::LinkId;
use rust_websocket_peers::{Asking, Multiplayer, Outcome, ReadyState, Reception, Refused, Signal, property};
use rust_websocket_proto::http::{Answer, Decision};
use util::{Clock, FakeListener, Street, Visitor};

const UPGRADE: &str = "GET /room?a=1 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const PLAIN: &str = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";

fn server(street: &Street) -> Multiplayer<FakeListener> {
    let mut server = Multiplayer::default();
    server.set_asks(true);
    server.create_server(0, "*", Ok(None), |_| Ok(street.listener())).unwrap();
    server
}

fn reception(street: &Street) -> Reception<FakeListener> {
    let mut server = Reception::default();
    server.listen(0, "*", Ok(None), |_| Ok(street.listener())).unwrap();
    server
}

/// What a poll asks and emits.
fn poll(server: &mut Multiplayer<FakeListener>) -> (Vec<Arc<Asking>>, Vec<Signal>) {
    server.begin_poll(&Clock::new().now());
    let (mut asked, mut signals) = (Vec::new(), Vec::new());
    while let Some(outcome) = server.next_outcome(&Clock::new().now()) {
        match outcome {
            Outcome::Ask(asking) => {
                asked.push(asking);
                server.asked();
            }
            Outcome::Emit(emission) => {
                signals.push(emission.signal);
                server.emitted(emission, &Clock::new().now());
            }
            Outcome::Failed(failed) => panic!("{failed}"),
        }
    }
    (asked, signals)
}

fn polled(server: &mut Reception<FakeListener>) -> Vec<Arc<Asking>> {
    server.begin_poll().unwrap();
    std::iter::from_fn(|| {
        server.asked();
        server.next_request()
    })
    .collect()
}

fn only<T>(mut all: Vec<T>) -> T {
    assert_eq!(all.len(), 1);
    all.pop().unwrap()
}

fn respond(status: i64) -> Result<Decision, Refused> {
    Ok(Decision::Answer(Answer::text(status, "", Vec::new()).unwrap()))
}

/// What the I/O thread does with the decision to accept.
fn opens(street: &Street) -> Visitor {
    let (id, decision, tag) = only(street.decisions());
    assert!(matches!(decision, Decision::Accept { .. }));
    street.opens(Some(id), tag)
}

#[test]
fn what_is_accepted_becomes_a_member_with_its_request() {
    let street = Street::default();
    let mut server = server(&street);
    street.asks(UPGRADE);
    let asking = only(poll(&mut server).0);
    assert!(asking.is_pending());
    assert_eq!(asking.head.as_ref().unwrap().remote(), ("10.0.0.1".to_owned(), 5000));
    assert!(poll(&mut server).0.is_empty(), "each is asked once");
    asking.decide(Ok(Decision::accept())).unwrap();
    assert!(!asking.is_pending() && asking.is_accepted());
    opens(&street);
    let Signal::Connected(id) = only(poll(&mut server).1) else { panic!("nobody came") };
    let request = server.peer(id).unwrap().with(|peer| peer.request().cloned()).unwrap();
    assert!(Arc::ptr_eq(&request, &asking));
}

#[test]
fn each_request_gets_one_answer() {
    let street = Street::default();
    let mut server = server(&street);
    street.asks(PLAIN);
    let asking = only(poll(&mut server).0);
    assert!(matches!(asking.decide(Ok(Decision::accept())), Err(Refused::Decision(_))), "it is a plain one");
    assert!(matches!(asking.decide(Err(Refused::RequestDropped)), Err(Refused::RequestDropped)));
    assert!(asking.is_pending() && street.decisions().is_empty(), "a mistake is no answer");
    asking.decide(respond(204)).unwrap();
    assert!(matches!(asking.decide(respond(200)), Err(Refused::RequestAnswered)));
    assert!(!asking.forsake());
    let (_, decision, tag) = only(street.decisions());
    assert!(matches!(decision, Decision::Answer(answer) if answer.status() == 204) && tag.is_none());
}

#[test]
fn it_may_be_too_late() {
    let street = Street::default();
    let mut server = server(&street);
    let id = street.asks(UPGRADE);
    let asking = only(poll(&mut server).0);
    street.is_over(id);
    assert!(asking.is_pending(), "nothing changes between polls");
    poll(&mut server);
    assert!(!asking.is_pending());
    assert!(matches!(asking.decide(Ok(Decision::accept())), Err(Refused::RequestOver)));
    // Gone before the script was asked.
    let id = street.asks(UPGRADE);
    street.is_over(id);
    assert!(poll(&mut server).0.is_empty());
}

#[test]
fn a_server_that_closes_ends_what_waits() {
    let street = Street::default();
    let mut server = server(&street);
    street.asks(UPGRADE);
    let asking = only(poll(&mut server).0);
    server.close(&Clock::new().now());
    assert!(matches!(asking.decide(Ok(Decision::accept())), Err(Refused::RequestOver)));
    let made = Arc::<Asking>::default();
    assert!(matches!(made.decide(respond(200)), Err(Refused::RequestAnswered)));
}

#[test]
fn who_is_forsaken_gets_500() {
    let street = Street::default();
    let mut server = server(&street);
    street.asks(UPGRADE);
    assert!(only(poll(&mut server).0).forsake());
    let (_, decision, _) = only(street.decisions());
    assert!(matches!(decision, Decision::Answer(answer) if answer.status() == 500));
}

#[test]
fn a_poll_asks_256_times() {
    let street = Street::default();
    let mut server = server(&street);
    for _ in 0..600 {
        street.asks(PLAIN);
    }
    let counts = [(); 4].map(|()| poll(&mut server).0.len());
    assert_eq!(counts, [256, 256, 88, 0]);
}

#[test]
fn a_poll_within_a_callback_asks_nothing_further() {
    let street = Street::default();
    let mut server = reception(&street);
    for _ in 0..300 {
        street.asks(PLAIN);
    }
    server.begin_poll().unwrap();
    assert!(server.next_request().is_some());
    server.begin_poll().unwrap();
    assert!(server.next_request().is_none(), "the first is being decided on");
    server.asked();
    let rest = std::iter::from_fn(|| {
        server.asked();
        server.next_request()
    });
    assert_eq!(rest.count(), 255);
}

#[test]
fn settings_reach_the_listener() {
    let street = Street::default();
    let mut server = server(&street);
    server.set::<property::request_timeout>(2.5, &Clock::new().now()).unwrap();
    server.set::<property::max_pending_connections>(7, &Clock::new().now()).unwrap();
    let admission = street.admission();
    assert_eq!((admission.asks_owner.unwrap().as_secs_f64(), admission.max_pending), (2.5, 7));
    assert!(server.set::<property::request_timeout>(0.0, &Clock::new().now()).is_err());
    assert!(server.set::<property::max_pending_connections>(0, &Clock::new().now()).is_err());
    server.set_asks(false);
    assert!(street.admission().asks_owner.is_none());
}

#[test]
fn a_server_hands_out_its_connections_oldest_first() {
    let street = Street::default();
    let mut server = reception(&street);
    assert!(server.is_listening() && server.local_port() == 4321 && !server.is_connection_available());
    let again = server.listen(0, "*", Ok(None), |_| panic!("it listens"));
    assert!(matches!(again, Err(Refused::ListensAlready)));
    let (first, second) = (street.comes(), street.comes());
    assert!(!server.is_connection_available(), "not before a poll");
    assert!(polled(&mut server).is_empty());
    let peers: Vec<_> = std::iter::from_fn(|| server.take_connection()).collect();
    assert_eq!(peers.len(), 2);
    first.remote.says("first");
    second.remote.says("second");
    for (peer, text) in peers.iter().zip(["first", "second"]) {
        peer.with(|peer| {
            assert_eq!(peer.ready_state(), ReadyState::Open);
            peer.poll(&Clock::new().now());
            assert_eq!(peer.next_packet().unwrap().unwrap(), text.as_bytes());
            assert_eq!(peer.remote(), ("10.0.0.1".to_owned(), 5000));
        });
    }
}

#[test]
fn stopping_closes_who_was_not_taken() {
    let street = Street::default();
    let mut server = reception(&street);
    let (taken, waiting) = (street.comes(), street.comes());
    polled(&mut server);
    let peer = server.take_connection().unwrap();
    let unseen = street.comes();
    server.stop(1012, "restart", &Clock::new().now()).unwrap();
    assert_eq!(waiting.remote.closed_with(), Some((1012, "restart".to_owned())));
    assert_eq!(unseen.remote.closed_with(), Some((1012, "restart".to_owned())));
    assert_eq!(taken.remote.closed_with(), None);
    assert_eq!(peer.with(|peer| peer.ready_state()), ReadyState::Open);
    assert!(!street.is_open() && !server.is_listening());
    assert!(matches!(server.begin_poll(), Err(Refused::NotListening("poll"))));
    assert!(matches!(server.stop(999, "", &Clock::new().now()), Err(Refused::StopCode(999))));
}

#[test]
fn rooms_have_a_path_each() {
    let street = Street::default();
    let mut server = reception(&street);
    let mut room = Multiplayer::<FakeListener>::default();
    let mut other = Multiplayer::<FakeListener>::default();
    assert!(matches!(room.create_room("lobby", |path| server.room(path)), Err(Refused::RoomPath(_))));
    room.create_room("/lobby", |path| server.room(path)).unwrap();
    assert!(matches!(room.create_room("/two", |path| server.room(path)), Err(Refused::InUse { .. })));
    assert!(matches!(other.create_room("/lobby", |path| server.room(path)), Err(Refused::RoomTaken(_))));
    room.close(&Clock::new().now());
    other.create_room("/lobby", |path| server.room(path)).unwrap();
    server.stop(1001, "", &Clock::new().now()).unwrap();
    assert!(other.is_server(), "it lives on");
    assert!(matches!(room.create_room("/x", |path| server.room(path)), Err(Refused::NotListening(_))));
}

#[test]
fn members_of_a_room_have_the_server_s_settings_and_the_room_s_own() {
    let street = Street::default();
    let mut server = reception(&street);
    server.set::<property::outbound_buffer_size>(1000).unwrap();
    server.set::<property::close_timeout>(2.0).unwrap();
    let mut room = Multiplayer::<FakeListener>::default();
    let mut way_in = None;
    room.create_room("", |path| {
        let made = server.room(path);
        way_in = street.last_room();
        made
    })
    .unwrap();
    room.set::<property::close_timeout>(3.0, &Clock::new().now()).unwrap();
    let way_in = way_in.unwrap();
    way_in.comes();
    let Signal::Connected(id) = only(poll(&mut room).1) else { panic!("nobody came") };
    room.peer(id).unwrap().with(|peer| {
        assert_eq!(*peer.get::<property::outbound_buffer_size>(), 1000);
        assert_eq!(*peer.get::<property::close_timeout>(), 3.0);
    });
}

#[test]
fn a_room_can_set_back_to_a_default_what_its_server_has_set() {
    let street = Street::default();
    let mut server = reception(&street);
    server.set::<property::heartbeat_interval>(20.0).unwrap();
    server.set::<property::outbound_buffer_size>(1000).unwrap();
    server.set::<property::max_queued_packets>(10).unwrap();
    let mut room = Multiplayer::<FakeListener>::default();
    let now = Clock::new();
    room.set::<property::heartbeat_interval>(0.0, &now.now()).unwrap();
    room.set::<property::outbound_buffer_size>(65535, &now.now()).unwrap();
    room.create_room("", |path| server.room(path)).unwrap();
    street.last_room().unwrap().comes();
    let Signal::Connected(id) = only(poll(&mut room).1) else { panic!("nobody came") };
    room.peer(id).unwrap().with(|peer| {
        assert_eq!(*peer.get::<property::heartbeat_interval>(), 0.0);
        assert_eq!(*peer.get::<property::outbound_buffer_size>(), 65535);
        assert_eq!(*peer.get::<property::max_queued_packets>(), 10, "of which it has said nothing");
    });
}

/// Newcomers would be turned away by what they cannot be answered, and nobody would know.
#[test]
fn a_server_that_listens_refuses_what_it_could_not_listen_with() {
    let street = Street::default();
    let mut server = reception(&street);
    let lines = |text: &str| vec![Ok(text.to_owned())];
    server.set::<property::supported_protocols>(lines("chess")).unwrap();
    let refused = server.set::<property::supported_protocols>(lines("my game")).unwrap_err();
    assert!(refused.to_string().contains("my game"), "{refused}");
    assert_eq!(*server.get::<property::supported_protocols>(), lines("chess"), "it keeps its value");
    server.set::<property::handshake_headers>(lines("X-Room 7")).unwrap_err();
    assert!(server.get::<property::handshake_headers>().is_empty());
    server.set::<property::handshake_headers>(lines("X-Room: 7")).unwrap();
    server.stop(1001, "", &Clock::new().now()).unwrap();
    server.set::<property::supported_protocols>(lines("my game")).unwrap();
}

/// Limits of a room are its own, also those that were set before; certificates are its server's.
#[test]
fn a_room_has_limits_and_no_certificate() {
    let street = Street::default();
    street.speaks_tls();
    let server = reception(&street);
    let mut room = Multiplayer::<FakeListener>::default();
    room.set::<property::max_clients>(3, &Clock::new().now()).unwrap();
    room.create_room("/room", |path| server.room(path)).unwrap();
    let way_in = street.last_room().unwrap();
    assert_eq!(way_in.admission().limits.max_clients, Some(3));
    room.set::<property::max_clients>(4, &Clock::new().now()).unwrap();
    assert_eq!(way_in.admission().limits.max_clients, Some(4));
    assert_eq!(street.admission().limits.max_clients, None, "the server's are its own");
    way_in.speaks_tls();
    assert!(matches!(room.set_tls("set_tls_options", "", None), Err(Refused::RoomTls(_))));
}

#[test]
fn a_request_of_the_server_s_goes_to_the_room() {
    let street = Street::default();
    let mut server = reception(&street);
    server.set_asks(true);
    let mut room = Multiplayer::<FakeListener>::default();
    room.create_room("/room", |path| server.room(path)).unwrap();
    let id: LinkId = street.asks(UPGRADE);
    let asking = only(polled(&mut server));
    asking.decide(Ok(Decision::accept())).unwrap();
    let (_, _, tag) = only(street.decisions());
    street.last_room().unwrap().opens(Some(id), tag);
    street.is_over(id);
    assert!(polled(&mut server).is_empty() && !server.is_connection_available());
    let Signal::Connected(member) = only(poll(&mut room).1) else { panic!("nobody came") };
    let request = room.peer(member).unwrap().with(|peer| peer.request().cloned()).unwrap();
    assert!(Arc::ptr_eq(&request, &asking));
}
