//! A multiplayer server whose clients come from a street that the test holds in its hands.

mod util;

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use rust_websocket_net::ListenError;
use rust_websocket_peers::{
    LiveSetting, Multiplayer, Outcome, PeerState, ReadyState, Refused, Signal, Status, TransferMode, property,
};
use rust_websocket_proto::{Delivery, SendError};

use self::util::{Clock, FakeListener, Remote, Street, Visitor, broken};

type Server = Multiplayer<FakeListener>;

fn server() -> (Server, Street, Clock) {
    let (mut server, street) = (Server::default(), Street::default());
    server.create_server(0, "*", Ok(None), |_| Ok(street.listener())).expect("nothing is in the way");
    (server, street, Clock::new())
}

/// A server with that many clients, and their ids.
fn server_with(count: usize) -> (Server, Street, Clock, Vec<Visitor>, Vec<i32>) {
    let (mut server, street, clock) = server();
    let visitors: Vec<_> = (0..count).map(|_| street.comes()).collect();
    poll(&mut server, &clock);
    let ids = visitors.iter().map(Visitor::id).collect();
    (server, street, clock, visitors, ids)
}

/// One poll, with `handler` for each signal.
fn poll_with(
    server: &mut Server,
    clock: &Clock,
    mut handler: impl FnMut(&mut Server, Signal),
) -> Vec<Signal> {
    let now = clock.now();
    let mut signals = Vec::new();
    server.begin_poll(&now);
    while let Some(outcome) = server.next_outcome(&now) {
        let Outcome::Emit(emission) = outcome else { panic!("a server attempts nothing") };
        signals.push(emission.signal);
        handler(server, emission.signal);
        server.emitted(emission, &now);
    }
    signals
}

fn poll(server: &mut Server, clock: &Clock) -> Vec<Signal> {
    poll_with(server, clock, |_, _| {})
}

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// The next packet and its sender.
fn take(server: &mut Server) -> Option<(i32, String)> {
    let sender = server.packet_peer();
    let packet = server.next_packet().expect("a server")?;
    Some((sender, String::from_utf8_lossy(&packet).into_owned()))
}

fn send(server: &mut Server, target: i32, payload: &'static str) -> usize {
    server.target_peer = target;
    server.put_packet(&text(payload), &Clock::new().now()).expect("a target that exists").len()
}

#[test]
fn f37_status_id_and_port() {
    let mut server = Server::default();
    let street = Street::default();
    assert_eq!((server.status(), server.unique_id(), server.local_port()), (Status::Disconnected, 0, 0));
    assert!(matches!(
        server.put_packet(&text("x"), &Clock::new().now()),
        Err(Refused::NotConnected { call: "put_packet", .. })
    ));
    assert!(matches!(server.next_packet(), Err(Refused::NotConnected { call: "get_packet", .. })));
    server.create_server(0, "*", Ok(None), |_| Ok(street.listener())).unwrap();
    assert_eq!((server.status(), server.unique_id(), server.local_port()), (Status::Connected, 1, 4321));
    assert!(server.is_server() && street.accepts());
    assert_eq!((send(&mut server, 0, "nobody is there"), take(&mut server)), (0, None));
    let again = server.create_server(0, "*", Ok(None), |_| Ok(street.listener()));
    assert!(matches!(again, Err(Refused::InUse { .. })));
    server.close(&Clock::new().now());
    assert_eq!((server.status(), server.unique_id(), server.local_port()), (Status::Disconnected, 0, 0));
}

#[test]
fn what_listening_refuses() {
    let mut server = Server::default();
    let never = |_| -> Result<FakeListener, ListenError> { panic!("nothing is opened") };
    for port in [-1, 65536, i64::MAX] {
        assert!(matches!(server.create_server(port, "*", Ok(None), never), Err(Refused::Port { .. })));
    }
    for address in ["", "localhost", "1.2.3"] {
        assert!(matches!(
            server.create_server(0, address, Ok(None), never),
            Err(Refused::BindAddress { .. })
        ));
    }
    let in_use = server.create_server(80, "::1", Ok(None), |options| {
        assert_eq!((options.port, options.address), (80, Some("::1".parse().unwrap())));
        Err(ListenError::InUse(options.port))
    });
    assert_eq!(
        in_use.unwrap_err().to_string(),
        "create_server: cannot listen on ::1 port 80: port 80 is in use."
    );
}

#[test]
fn clients_come_and_go() {
    let (mut server, street, clock) = server();
    let visitor = street.comes();
    assert!(server.peer(2).is_none());
    let signals = poll(&mut server, &clock);
    let id = visitor.id();
    assert!(id >= 2);
    assert_eq!(signals, [Signal::Connected(id)]);
    let peer = Arc::clone(server.peer(id).unwrap());
    assert_eq!(
        peer.with(|peer| (peer.ready_state(), peer.remote())),
        (ReadyState::Open, ("10.0.0.1".to_owned(), 5000))
    );
    visitor.closes(4000);
    assert!(server.peer(id).is_some(), "until the next poll");
    let mut seen = None;
    let signals = poll_with(&mut server, &clock, |server, _| {
        let peer = server.peer(id).unwrap();
        seen = Some(peer.with(|peer| (peer.ready_state(), peer.view().close_code())));
    });
    assert_eq!((signals, seen), (vec![Signal::Disconnected(id)], Some((ReadyState::Closed, 4000))));
    assert!(server.peer(id).is_none());
    assert_eq!(peer.with(|peer| peer.ready_state()), ReadyState::Closed, "for whoever still holds it");
}

#[test]
fn ids_are_not_given_twice() {
    let (mut server, street, clock) = server();
    let mut ids = HashSet::new();
    for _ in 0..200 {
        let visitor = street.comes();
        poll(&mut server, &clock);
        assert!(ids.insert(visitor.id()));
        visitor.happens(broken());
        poll(&mut server, &clock);
    }
}

#[test]
fn targets() {
    let (mut server, _street, clock, visitors, ids) = server_with(3);
    let got = || visitors.iter().map(|visitor| visitor.sent().join(",")).collect::<Vec<_>>();
    assert_eq!(send(&mut server, 0, "all"), 0);
    assert_eq!(got(), ["all", "all", "all"]);
    assert_eq!(send(&mut server, ids[1], "one"), 0);
    assert_eq!(got(), ["", "one", ""]);
    assert_eq!(send(&mut server, -ids[0], "others"), 0);
    assert_eq!(got(), ["", "others", "others"]);
    assert_eq!(send(&mut server, i32::MIN, "all"), 0);
    assert_eq!(got(), ["all", "all", "all"]);
    let nobody = (2..).find(|id| !ids.contains(id)).unwrap();
    server.target_peer = nobody;
    assert!(
        matches!(server.put_packet(&text("x"), &clock.now()), Err(Refused::UnknownTarget(id)) if id == nobody)
    );
    assert_eq!(send(&mut server, -nobody, "all but nobody"), 0);
    assert_eq!(got(), ["all but nobody"; 3]);
}

/// A member whose peer a script has is sent to through that peer, with what is set there.
#[test]
fn targets_that_a_script_has_changed() {
    let (mut server, _street, clock, visitors, ids) = server_with(2);
    let peer = Arc::clone(server.peer(ids[0]).unwrap());
    peer.with(|peer| peer.set::<property::outbound_buffer_size>(2, &clock.now())).unwrap();
    server.target_peer = 0;
    let refused = server.put_packet(&text("long"), &clock.now()).unwrap();
    let [(of, Refused::Recipient { id, refused })] = &refused[..] else { panic!("{}", refused.len()) };
    assert!(Arc::ptr_eq(of, &peer) && *id == ids[0]);
    assert!(matches!(**refused, Refused::TooBig { size: 4, limit: 2 }));
    assert_eq!((visitors[0].sent(), visitors[1].sent()), (vec![], vec!["long".to_owned()]));
}

#[test]
fn overflow_of_one_member() {
    let (mut server, _street, clock, visitors, ids) = server_with(3);
    visitors[1].remote.with(|wire| wire.refuses = Some(SendError::BufferFull));
    server.target_peer = 0;
    let refused = server.put_packet(&text("x"), &clock.now()).unwrap();
    let sentence = refused[0].1.to_string();
    assert!(
        refused.len() == 1 && sentence.starts_with(&format!("Peer {}: The outbound buffer", ids[1])),
        "{sentence}"
    );
    assert_eq!(server.error_message(), sentence);
    assert_eq!(server.statistics().sends_refused, 1, "once, however often it was tried");
    assert_eq!((visitors[0].sent(), visitors[2].sent()), (vec!["x".to_owned()], vec!["x".to_owned()]));
    // One whose loss has not been shown yet counts as taken.
    visitors[1].remote.with(|wire| wire.refuses = Some(SendError::NotOpen));
    assert_eq!(send(&mut server, 0, "y"), 0);
    assert_eq!(send(&mut server, ids[1], "y"), 0);
}

#[test]
fn packets_keep_their_order_and_sender() {
    let (mut server, _street, clock, visitors, ids) = server_with(2);
    visitors[0].says("a");
    visitors[1].says("b");
    visitors[0].says("");
    visitors[0].says("c");
    assert_eq!(server.available_packets(), 0, "until the next poll");
    assert_eq!(poll(&mut server, &clock), []);
    assert_eq!((server.available_packets(), server.packet_peer()), (3, ids[0]));
    assert_eq!(take(&mut server), Some((ids[0], "a".to_owned())));
    assert_eq!(server.take_packets(9), [text("b"), text("c")]);
    assert_eq!(server.last_senders(), [ids[1], ids[0]]);
    assert_eq!((take(&mut server), server.packet_peer()), (None, 1));
    assert_eq!(
        visitors[0].remote.with(|wire| wire.consumed.clone()),
        [0, 1, 1],
        "room for others, the empty one too"
    );
}

#[test]
fn kicking() {
    let (mut server, _street, clock, visitors, ids) = server_with(2);
    visitors[0].says("unread");
    visitors[1].says("stays");
    poll(&mut server, &clock);
    server.disconnect_peer(ids[0], false, &clock.now()).unwrap();
    assert_eq!(visitors[0].remote.with(|wire| wire.closed.clone()), Some((1000, String::new())));
    assert_eq!(server.available_packets(), 1, "nobody wants its packets");
    visitors[0].says("too late");
    assert_eq!(poll(&mut server, &clock), [Signal::Disconnected(ids[0])]);
    assert!(server.peer(ids[0]).is_none() && server.peer(ids[1]).is_some());
    assert_eq!(take(&mut server), Some((ids[1], "stays".to_owned())));
    assert!(matches!(
        server.disconnect_peer(ids[0], false, &clock.now()),
        Err(Refused::UnknownPeer { call: "disconnect_peer", .. })
    ));
    server.target_peer = ids[0];
    let refused = server.put_packet(&text("too late"), &clock.now()).unwrap_err();
    assert!(matches!(refused, Refused::TargetHasLeft(id) if id == ids[0]), "{refused}");
}

#[test]
fn kicking_with_force() {
    let (mut server, _street, clock, visitors, ids) = server_with(1);
    visitors[0].says("unread");
    poll(&mut server, &clock);
    server.disconnect_peer(ids[0], true, &clock.now()).unwrap();
    assert!(server.peer(ids[0]).is_none() && server.available_packets() == 0);
    let (dropped, closed) = visitors[0].remote.with(|wire| (wire.dropped, wire.closed.clone()));
    assert_eq!((dropped, closed), (true, Some((1000, String::new()))), "as the built-in says it");
    visitors[0].closes(1000);
    assert_eq!(poll(&mut server, &clock), [], "no signal on this side");
}

#[test]
fn kicking_through_the_peer() {
    let (mut server, _street, clock, visitors, ids) = server_with(2);
    visitors[0].says("unread");
    poll(&mut server, &clock);
    let peer = Arc::clone(server.peer(ids[0]).unwrap());
    peer.with(|peer| peer.close(4001, "cheating", &clock.now())).unwrap();
    assert_eq!(visitors[0].remote.with(|wire| wire.closed.clone()), Some((4001, "cheating".to_owned())));
    assert_eq!(poll(&mut server, &clock), [Signal::Disconnected(ids[0])]);
    assert_eq!(server.available_packets(), 0);
    // Once more is harmless.
    peer.with(|peer| peer.close(1000, "", &clock.now())).unwrap();
    assert_eq!(poll(&mut server, &clock), []);
}

/// `disconnect_peer` that says why: the same timing and the same dropped packets.
#[test]
fn kicking_with_a_code() {
    let (mut server, _street, clock, visitors, ids) = server_with(3);
    visitors[0].says("unread");
    poll(&mut server, &clock);
    server.disconnect_peer_with_code(ids[0].into(), 4003, "cheating", &clock.now()).unwrap();
    assert_eq!(visitors[0].remote.with(|wire| wire.closed.clone()), Some((4003, "cheating".to_owned())));
    assert_eq!(server.available_packets(), 0, "nobody wants its packets");
    assert_eq!(poll(&mut server, &clock), [Signal::Disconnected(ids[0])]);
    let refused = server.disconnect_peer_with_code(ids[1].into(), 1005, "", &clock.now()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "disconnect_peer_with_code: 1005 is no close code that may be sent (1000-1003, 1007-1014, 3000-4999), 1000 is."
    );
    assert_eq!(visitors[1].remote.with(|wire| wire.closed.clone()), Some((1000, String::new())));
    // As with a peer's own `close`: no close frame.
    server.disconnect_peer_with_code(ids[2].into(), -1, "", &clock.now()).unwrap();
    assert!(visitors[2].remote.with(|wire| wire.left && wire.closed.is_none()));
    assert_eq!(poll(&mut server, &clock), [Signal::Disconnected(ids[1]), Signal::Disconnected(ids[2])]);
    for id in [i64::from(ids[0]), 1, 0, -5, i64::MAX] {
        let refused = server.disconnect_peer_with_code(id, 1000, "", &clock.now()).unwrap_err();
        assert_eq!(refused.to_string(), format!("disconnect_peer_with_code: there is no peer {id}."));
    }
    assert_eq!((server.close_code(), server.close_reason()), (-1, String::new()), "a client's alone");
}

#[test]
fn closing_with_a_code() {
    for (code, sent) in [(1012, Some(1012)), (4999, Some(4999)), (999, Some(1000)), (-1, None)] {
        let (mut server, street, clock, visitors, ids) = server_with(1);
        let unseen = street.comes();
        let closed = server.close_with_code(code, "restarting", &clock.now());
        assert_eq!(closed.is_err(), code == 999);
        for remote in [&visitors[0].remote, &unseen.remote] {
            let expected = sent.map(|code| (code, "restarting".to_owned()));
            assert_eq!(remote.with(|wire| (wire.closed.clone(), wire.left)), (expected, sent.is_none()));
        }
        assert!(!street.is_open() && server.peer(ids[0]).is_none());
        assert_eq!(poll(&mut server, &clock), []);
        assert_eq!(server.close_code(), -1);
    }
}

#[test]
fn refusing_new_connections() {
    let (mut server, street, clock) = server();
    server.set_refuse_new_connections(true);
    assert!(server.refuses_new_connections() && !street.accepts());
    let late = street.comes();
    assert_eq!(poll(&mut server, &clock), []);
    assert!(late.remote.with(|wire| wire.dropped && wire.sent.is_empty()), "turned away without an id");
    server.set_refuse_new_connections(false);
    assert!(street.accepts());
    // Set in a handler it holds for the next one of the same poll.
    let (first, second) = (street.comes(), street.comes());
    let signals = poll_with(&mut server, &clock, |server, _| server.set_refuse_new_connections(true));
    assert_eq!(signals, [Signal::Connected(first.id())]);
    assert!(second.remote.with(|wire| wire.dropped));
    // It outlives the session.
    server.close(&clock.now());
    let street = Street::default();
    server.create_server(0, "*", Ok(None), |_| Ok(street.listener())).unwrap();
    assert!(!street.accepts());
}

#[test]
fn closing() {
    let (mut server, street, clock, visitors, ids) = server_with(2);
    visitors[0].says("unread");
    poll(&mut server, &clock);
    let unseen = street.comes();
    let peer = Arc::clone(server.peer(ids[0]).unwrap());
    server.close(&clock.now());
    for remote in [&visitors[0].remote, &visitors[1].remote, &unseen.remote] {
        assert_eq!(remote.with(|wire| wire.closed.clone()), Some((1001, String::new())));
    }
    assert!(!street.is_open() && server.peer(ids[0]).is_none() && server.available_packets() == 0);
    assert_eq!(peer.with(|peer| peer.ready_state()), ReadyState::Closed);
    assert_eq!(poll(&mut server, &clock), [], "no signal on this side");
    server.create_server(0, "*", Ok(None), |_| Ok(street.listener())).unwrap();
}

#[test]
fn statistics_of_those_who_left_count_too() {
    let (mut server, _street, clock, visitors, ids) = server_with(2);
    let id_bytes = 2 * 4;
    send(&mut server, 0, "12345");
    visitors[0].says("abc");
    poll(&mut server, &clock);
    server.disconnect_peer(ids[0], true, &clock.now()).unwrap();
    let live = server.statistics();
    assert_eq!((live.messages_out, live.bytes_out, live.bytes_in), (4, 10 + id_bytes, 3));
    server.close(&clock.now());
    assert_eq!(server.statistics(), live, "of the session before, while there is none");
    server.create_server(0, "*", Ok(None), |_| Ok(Street::default().listener())).unwrap();
    assert_eq!(server.statistics().bytes_out, 0);
}

/// F2 and F23: the end comes behind the packets, however many of them a script reads per frame.
#[test]
fn f23_reading_a_few_packets_per_frame_loses_nothing() {
    for per_frame in [1, 10, 1000] {
        let (mut server, _street, clock, visitors, ids) = server_with(2);
        // The reader is busy with somebody else's packets first.
        for _ in 0..50 {
            visitors[1].says("other");
        }
        for _ in 0..101 {
            visitors[0].says("x");
        }
        visitors[0].closes(1000);
        let mut read = 0;
        while poll(&mut server, &clock).is_empty() {
            assert!(server.peer(ids[0]).is_some());
            read += server.take_packets(per_frame).len();
        }
        assert_eq!((read, server.available_packets()), (151, 0), "{per_frame} per frame");
    }
}

#[test]
fn f23_who_takes_nothing_is_shown_the_end() {
    let (mut server, _street, clock, visitors, ids) = server_with(1);
    visitors[0].says("a");
    visitors[0].says("b");
    visitors[0].closes(1000);
    assert_eq!(poll(&mut server, &clock), []);
    assert_eq!(send(&mut server, ids[0], "into the void"), 0, "lost, which a later poll shows");
    assert_eq!(poll(&mut server, &clock), [Signal::Disconnected(ids[0])]);
    assert_eq!(take(&mut server), Some((ids[0], "a".to_owned())), "packets outlive their sender");
    assert_eq!(take(&mut server), Some((ids[0], "b".to_owned())));
}

#[test]
fn settings_reach_connections_to_come() {
    let (mut server, street, clock) = server();
    server.set::<property::handshake_timeout>(7.5, &clock.now()).unwrap();
    assert!(server.set::<property::handshake_timeout>(0.0, &clock.now()).is_err());
    let options = street.options().unwrap();
    assert_eq!(options.config.connect_timeout.as_secs_f64(), 7.5);
    assert_eq!(*server.get::<property::handshake_timeout>(), 7.5);
}

#[test]
fn the_same_for_one_peer_after_the_other_is_shared() {
    let (mut server, _street, clock, visitors, ids) = server_with(2);
    let mut put = |target, payload: &'static str| {
        server.target_peer = target;
        server.put_packet(&text(payload), &clock.now()).unwrap();
    };
    put(ids[0], "state");
    put(ids[1], "state");
    put(ids[0], "other");
    let sent = |visitor: &Visitor| visitor.remote.with(|wire| std::mem::take(&mut wire.sent));
    let (first, second) = (sent(&visitors[0]), sent(&visitors[1]));
    assert_eq!(first[0].1.as_ptr(), second[0].1.as_ptr());
    assert_eq!((&first[1].1[..], &second[0].1[..]), (&b"other"[..], &b"state"[..]));
}

#[test]
fn what_is_unreliable_is_put_with_its_time() {
    let (mut server, _street, clock, visitors, ids) = server_with(1);
    server.target_peer = ids[0];
    let put = |server: &mut Multiplayer<FakeListener>| {
        server.put_packet(&text("x"), &clock.now()).unwrap();
        visitors[0].remote.with(|wire| wire.deliveries.pop().unwrap())
    };
    server.transfer_mode = TransferMode::Unreliable;
    assert_eq!(put(&mut server), Delivery::Reliable, "without a lifetime");
    server.set::<property::unreliable_lifetime>(100, &clock.now()).unwrap();
    let lifetime = Some(std::time::Duration::from_millis(100));
    let set = visitors[0].remote.with(|wire| wire.settings.pop());
    assert!(matches!(set, Some(LiveSetting::UnreliableLifetime(set)) if set == lifetime));
    for mode in [TransferMode::Unreliable, TransferMode::UnreliableOrdered] {
        server.transfer_mode = mode;
        assert_eq!(put(&mut server), Delivery::Unreliable(clock.now()()));
    }
    server.transfer_mode = TransferMode::Reliable;
    assert_eq!(put(&mut server), Delivery::Reliable);
    assert!(server.set::<property::unreliable_lifetime>(-1, &clock.now()).is_err());
}

#[test]
fn whom_it_lets_in_can_be_changed_at_any_time() {
    let (mut server, street, clock) = server();
    server.set::<property::max_clients>(2, &Clock::new().now()).unwrap();
    assert_eq!(street.admission().limits.max_clients, Some(2));
    assert!(
        server.set::<property::trusted_proxies>(vec![Ok("nginx".to_owned())], &Clock::new().now()).is_err()
    );
    assert!(street.admission().trusted.is_empty());
    server.set::<property::max_clients>(0, &Clock::new().now()).unwrap();
    assert_eq!(street.admission().limits.max_clients, Some(0));
    // Who was let in before is welcome.
    street.comes();
    assert_eq!(poll(&mut server, &clock).len(), 1);
}

/// The I/O thread gives a place to somebody else once its client has gone. A script that still reads that one's packets does
/// not count both.
#[test]
fn a_place_that_changes_hands_while_packets_are_unread() {
    let (mut server, street, clock, visitors, ids) = server_with(2);
    server.set::<property::max_clients>(2, &Clock::new().now()).unwrap();
    visitors[0].says("one");
    visitors[0].says("two");
    visitors[0].closes(1000);
    let next = street.comes();
    visitors[1].says("meanwhile");
    assert_eq!(poll(&mut server, &clock), []);
    assert_eq!(take(&mut server), Some((ids[0], "one".to_owned())));
    assert_eq!(poll(&mut server, &clock), [], "it is read");
    assert_eq!(take(&mut server), Some((ids[0], "two".to_owned())));
    let signals = poll(&mut server, &clock);
    assert_eq!(signals, [Signal::Disconnected(ids[0]), Signal::Connected(next.id())]);
    assert_eq!(take(&mut server), Some((ids[1], "meanwhile".to_owned())));
}

/// A handler may poll, close, kick or send: what it changes holds for the rest of the poll.
#[test]
fn handlers_that_use_the_server() {
    // Poll.
    let (mut server, street, clock) = server();
    let visitors = [street.comes(), street.comes()];
    let mut inner = Vec::new();
    let outer = poll_with(&mut server, &clock, |server, _| inner.extend(poll(server, &clock)));
    let ids = visitors.each_ref().map(Visitor::id);
    assert_eq!((outer, inner), (vec![Signal::Connected(ids[0])], vec![Signal::Connected(ids[1])]));
    // Kick somebody whose own end is under way.
    visitors[0].closes(1000);
    visitors[1].closes(1000);
    let signals = poll_with(&mut server, &clock, |server, _| {
        _ = server.disconnect_peer(ids[1], true, &clock.now());
    });
    assert_eq!(signals, [Signal::Disconnected(ids[0])]);
    // Close.
    let both = [street.comes(), street.comes()];
    let signals = poll_with(&mut server, &clock, |server, _| server.close(&clock.now()));
    assert_eq!((signals.len(), server.status()), (1, Status::Disconnected));
    assert!(both.iter().all(|visitor| visitor.remote.with(|wire| wire.closed.is_some())));
    // Start another session: what the signal was about is not looked for there.
    let (mut server, _street, clock, visitors, _ids) = server_with(1);
    let other = Street::default();
    visitors[0].closes(1000);
    let mut newcomer = None;
    poll_with(&mut server, &clock, |server, _| {
        if newcomer.is_none() {
            server.close(&clock.now());
            server.create_server(0, "*", Ok(None), |_| Ok(other.listener())).unwrap();
            newcomer = Some(other.comes());
            poll(server, &clock);
        }
    });
    let id = newcomer.unwrap().id();
    assert!(server.peer(id).is_some());
    // Send.
    let (mut server, street, clock) = self::server();
    let visitor = street.comes();
    poll_with(&mut server, &clock, |server, _| _ = send(server, 0, "welcome"));
    assert_eq!(visitor.sent()[1..], ["welcome"]);
}

/// A script gives a member's peer a connection of its own: the server lets go of it without
/// touching that.
#[test]
fn a_member_whose_peer_is_used_again() {
    let (mut server, _street, clock, visitors, ids) = server_with(1);
    visitors[0].says("unread");
    poll(&mut server, &clock);
    let peer: Arc<PeerState> = Arc::clone(server.peer(ids[0]).unwrap());
    let other = Remote::default();
    peer.with(|peer| {
        peer.close(-1, "", &clock.now()).unwrap();
        peer.connect("ws://other", other.dial()).unwrap();
    });
    poll(&mut server, &clock);
    assert!(server.peer(ids[0]).is_none());
    assert_eq!(peer.with(|peer| peer.ready_state()), ReadyState::Connecting);
    assert!(other.with(|wire| wire.consumed.is_empty() && !wire.dropped));
}
