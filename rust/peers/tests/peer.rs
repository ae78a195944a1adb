//! One connection after the other, over a carrier that the test holds in its hands.

mod util;

use std::time::Duration;

use bytes::Bytes;
use rust_websocket_peers::{
    Accepted, LiveSetting, Locked, Peer, ReadyState, Refused, Subject, property, read_text,
};
use rust_websocket_proto::{MessageKind, SendError};

use self::util::{Clock, Remote, opened, refused_connection};

const URL: &str = "ws://user:secret@host/path?token=1";

/// A peer that has just begun to connect.
fn connecting() -> (Peer, Remote, Clock) {
    let (mut peer, remote) = (Peer::default(), Remote::default());
    peer.connect(URL, remote.dial()).expect("a URL that can be used");
    (peer, remote, Clock::new())
}

/// A peer whose connection is open.
fn open() -> (Peer, Remote, Clock) {
    let (mut peer, remote, clock) = connecting();
    remote.connects();
    remote.opens();
    assert!(peer.poll(&clock.now()).is_none());
    assert_eq!(peer.ready_state(), ReadyState::Open);
    (peer, remote, clock)
}

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn take(peer: &mut Peer) -> Option<String> {
    peer.next_packet().expect("open, or a packet").map(|packet| String::from_utf8_lossy(&packet).into_owned())
}

#[test]
fn a_fresh_peer() {
    let (mut peer, clock) = (Peer::default(), Clock::new());
    assert_eq!((peer.ready_state(), peer.view().close_code()), (ReadyState::Closed, -1));
    assert_eq!((peer.remote(), peer.view().available()), ((String::new(), 0), 0));
    assert!(matches!(peer.put_packet(text("x")), Err(Refused::Closed { .. })));
    assert!(matches!(peer.next_packet(), Err(Refused::NothingToReceive { .. })));
    assert!(matches!(peer.set_no_delay(true, &clock.now()), Err(Refused::NoConnection("set_no_delay"))));
    peer.poll(&clock.now());
    peer.close(1000, "", &clock.now()).unwrap();
    peer.close(-1, "", &clock.now()).unwrap();
    assert_eq!(
        (peer.buffered_amount(), peer.round_trip_time(), peer.error_message()),
        (0, -1.0, String::new())
    );
}

/// A server looks only at those who are active: an end that waits behind a packet has to be shown to who has taken the packet.
#[test]
fn a_peer_whose_end_was_held_back_is_active() {
    let (mut peer, remote, clock) = open();
    peer.object = Some(7);
    assert_eq!(peer.active_object(), None);
    remote.says("bye");
    remote.closes(1000);
    peer.poll(&clock.now());
    assert_eq!(peer.active_object(), Some(7), "a packet");
    assert_eq!(take(&mut peer).as_deref(), Some("bye"));
    assert_eq!((peer.ready_state(), peer.active_object()), (ReadyState::Open, Some(7)), "its end");
    peer.poll(&clock.now());
    assert_eq!((peer.ready_state(), peer.active_object()), (ReadyState::Closed, None));
}

#[test]
fn connecting_and_the_address() {
    let (mut peer, remote, clock) = connecting();
    assert_eq!((peer.ready_state(), peer.view().requested_url()), (ReadyState::Connecting, URL));
    remote.connects();
    peer.poll(&clock.now());
    assert_eq!(peer.remote(), ("127.0.0.1".to_owned(), 9080));
    assert!(matches!(peer.put_packet(text("x")), Err(Refused::Closed { .. })));
    remote.opens();
    assert_eq!(peer.ready_state(), ReadyState::Connecting, "until the next poll");
    peer.poll(&clock.now());
    assert_eq!((peer.ready_state(), peer.view().selected_protocol()), (ReadyState::Open, "chat"));
    remote.closes(1000);
    peer.poll(&clock.now());
    assert_eq!(peer.remote(), (String::new(), 0), "an address is that of a connection");
    assert_eq!(peer.view().requested_url(), URL);
}

#[test]
fn what_connect_refuses() {
    let remote = Remote::default();
    let mut peer = Peer::default();
    for url in ["", "http://host", "ws://", "ws://host:99999"] {
        assert!(matches!(peer.connect(url, remote.dial()), Err(Refused::Url { .. })), "{url}");
    }
    let clock = Clock::new();
    peer.set::<property::handshake_headers>(vec![Ok("no colon".to_owned())], &clock.now()).unwrap();
    assert!(matches!(peer.connect("ws://host", remote.dial()), Err(Refused::HandshakeLine(_))));
    assert_eq!(peer.ready_state(), ReadyState::Closed);
    let (mut peer, ..) = open();
    assert!(matches!(peer.connect("ws://host", remote.dial()), Err(Refused::InUse { .. })));
    assert_eq!(peer.ready_state(), ReadyState::Open);
}

#[test]
fn a_stream_that_is_accepted() {
    let (mut peer, remote, clock) = (Peer::default(), Remote::default(), Clock::new());
    let carrier = Box::new(remote.link());
    peer.accept("accept_stream", |_| Accepted { carrier, remote: Some(("::1".to_owned(), 7)) }).unwrap();
    assert_eq!((peer.ready_state(), peer.remote()), (ReadyState::Connecting, ("::1".to_owned(), 7)));
    // The first poll of a server may show the end, and nobody is warned of a client that fails.
    remote.happens(refused_connection());
    assert!(peer.poll(&clock.now()).is_none());
    assert_eq!(peer.ready_state(), ReadyState::Closed);
}

/// F24, F32: the built-in sends it, and the other side has to end the connection.
#[test]
fn what_is_no_text_is_not_sent_as_text() {
    let (mut peer, remote, _) = open();
    let broken = || Bytes::from_static(b"a\xed\xa0\x81");
    let refused = peer.send(MessageKind::Text, broken());
    assert!(matches!(refused, Err(Refused::TextNotUtf8 { valid_up_to: 1 })));
    peer.set_write_mode(MessageKind::Text);
    assert!(matches!(peer.put_packet(broken()), Err(Refused::TextNotUtf8 { .. })));
    let string = read_text(broken().to_vec()).map(Bytes::from);
    assert!(matches!(peer.send_text(string.clone()), Err(Refused::NotText { .. })));
    assert!(remote.with(|wire| wire.sent.is_empty()));
    peer.send(MessageKind::Binary, broken()).unwrap();
    peer.send_text(Ok(text("fine"))).unwrap();
    assert_eq!(remote.with(|wire| wire.sent.len()), 2);
    let mut closed = Peer::default();
    assert!(matches!(closed.send(MessageKind::Text, broken()), Err(Refused::Closed { .. })));
    assert!(matches!(closed.send_text(string), Err(Refused::Closed { .. })));
}

#[test]
fn packets_and_their_kind() {
    let (mut peer, remote, clock) = open();
    remote.says("one");
    assert_eq!(peer.view().available(), 0, "until the next poll");
    peer.poll(&clock.now());
    remote.says("two");
    peer.poll(&clock.now());
    assert_eq!(take(&mut peer).as_deref(), Some("one"));
    assert!(peer.view().was_string_packet());
    assert_eq!(peer.take_packets(9), [text("two")]);
    assert_eq!(take(&mut peer), None, "open and empty");
    assert_eq!(remote.with(|wire| wire.consumed.clone()), [3, 3]);
    peer.put_packet(text("binary")).unwrap();
    peer.set_write_mode(MessageKind::Text);
    peer.put_packet(text("text")).unwrap();
    let kinds: Vec<_> = remote.with(|wire| wire.sent.iter().map(|(kind, _)| *kind).collect());
    assert_eq!(kinds, [MessageKind::Binary, MessageKind::Text]);
}

#[test]
fn overflow() {
    let (mut peer, remote, clock) = open();
    peer.set::<property::outbound_buffer_size>(4, &clock.now()).unwrap();
    assert!(matches!(peer.put_packet(text("12345")), Err(Refused::TooBig { size: 5, limit: 4 })));
    peer.put_packet(text("1234")).unwrap();
    remote.with(|wire| wire.refuses = Some(SendError::BufferFull));
    assert!(matches!(peer.put_packet(text("1")), Err(Refused::Full)));
    // Lost, which the next poll shows: no mistake of the script.
    remote.with(|wire| wire.refuses = Some(SendError::NotOpen));
    let lost = peer.put_packet(text("1")).unwrap_err();
    assert!(matches!(lost, Refused::Lost) && !lost.is_reported());
    peer.set::<property::outbound_buffer_size>(0, &clock.now()).unwrap();
    remote.with(|wire| wire.refuses = None);
    peer.put_packet(text("12345")).unwrap();
    let statistics = peer.statistics();
    assert_eq!((statistics.messages_out, statistics.bytes_out, statistics.sends_refused), (2, 9, 2));
}

#[test]
fn statistics_stay_until_the_next_connection() {
    let (mut peer, remote, clock) = open();
    remote.says("hello");
    assert_eq!(peer.statistics().messages_in, 1, "live");
    remote.closes(1000);
    peer.poll(&clock.now());
    peer.poll(&clock.now());
    assert_eq!((peer.ready_state(), peer.statistics().bytes_in), (ReadyState::Closed, 5));
    peer.connect("ws://host", Remote::default().dial()).unwrap();
    assert_eq!(peer.statistics().bytes_in, 0);
}

#[test]
fn live_settings_travel_and_others_wait() {
    let (mut peer, remote, clock) = open();
    let now = clock.now();
    peer.set::<property::outbound_buffer_size>(100, &now).unwrap();
    peer.set::<property::max_queued_packets>(7, &now).unwrap();
    peer.set::<property::heartbeat_interval>(0.5, &now).unwrap();
    peer.set::<property::heartbeat_interval>(0.0, &now).unwrap();
    peer.set::<property::close_timeout>(2.0, &now).unwrap();
    peer.set_no_delay(false, &now).unwrap();
    peer.set::<property::inbound_buffer_size>(9, &now).unwrap();
    assert!(peer.set::<property::close_timeout>(0.0, &now).is_err());
    let settings = remote.with(|wire| std::mem::take(&mut wire.settings));
    let [
        LiveSetting::SendLimits(_),
        LiveSetting::SendLimits(limits),
        LiveSetting::HeartbeatInterval(Some(on)),
        LiveSetting::HeartbeatInterval(None),
        LiveSetting::CloseTimeout(timeout),
        LiveSetting::NoDelay(false),
    ] = settings[..]
    else {
        panic!("{settings:?}")
    };
    assert_eq!((limits.bytes, limits.messages), (100, 7));
    assert_eq!((on, timeout), (Duration::from_millis(500), Duration::from_secs(2)));
    assert_eq!(
        (*peer.get::<property::inbound_buffer_size>(), *peer.get::<property::close_timeout>()),
        (9, 2.0)
    );
}

#[test]
fn closing() {
    let (mut peer, remote, clock) = open();
    let now = clock.now();
    peer.close(4000, "bye", &now).unwrap();
    assert_eq!(peer.ready_state(), ReadyState::Closing);
    assert!(matches!(peer.put_packet(text("x")), Err(Refused::Closed { .. })));
    peer.close(1000, "again", &now).unwrap();
    assert_eq!(remote.with(|wire| wire.closed.clone()).unwrap().0, 1000, "the driver ignores the second");
    remote.says("too late");
    peer.poll(&now);
    assert_eq!(peer.view().available(), 0, "dropped, and room for another");
    assert_eq!(remote.with(|wire| wire.consumed.clone()), [8]);
    remote.closes(4000);
    peer.poll(&now);
    assert_eq!((peer.ready_state(), peer.view().close_code()), (ReadyState::Closed, 4000));
    assert!(remote.with(|wire| wire.dropped), "nothing is held any more");
}

#[test]
fn close_codes_that_may_not_be_sent() {
    for code in [999, 1004, 1005, 1006, 1015, 2999, 5000, 70000] {
        let (mut peer, remote, clock) = open();
        assert!(
            matches!(peer.close(code, "", &clock.now()), Err(Refused::CloseCode { code: refused, .. }) if refused == code)
        );
        assert_eq!(remote.with(|wire| wire.closed.clone()), Some((1000, String::new())), "{code}");
        assert_eq!(peer.ready_state(), ReadyState::Closing);
    }
}

#[test]
fn leaving_without_a_close_frame() {
    let (mut peer, remote, clock) = open();
    remote.says("unread");
    peer.poll(&clock.now());
    peer.close(-1, "", &clock.now()).unwrap();
    assert_eq!((peer.ready_state(), peer.view().close_code()), (ReadyState::Closed, -1));
    assert!(remote.with(|wire| wire.left && wire.closed.is_none() && wire.dropped));
    assert_eq!(take(&mut peer).as_deref(), Some("unread"), "until the next connection");
}

#[test]
fn closing_while_connecting() {
    let (mut peer, remote, clock) = connecting();
    peer.close(1000, "", &clock.now()).unwrap();
    assert_eq!((peer.ready_state(), peer.view().close_code()), (ReadyState::Closed, -1));
    assert!(remote.with(|wire| wire.dropped && wire.closed.is_none()));
    assert!(peer.poll(&clock.now()).is_none(), "asked for");
}

#[test]
fn a_carrier_that_still_delivers_is_polled_on() {
    let (mut peer, remote, clock) = open();
    remote.with(|wire| wire.needs_polls = true);
    remote.closes(1000);
    peer.poll(&clock.now());
    assert!(peer.ready_state() == ReadyState::Closed && !remote.with(|wire| wire.dropped));
    remote.with(|wire| wire.needs_polls = false);
    peer.poll(&clock.now());
    assert!(remote.with(|wire| wire.dropped));
}

/// F2 and F23: scripts that read all or a few packets per frame while the state is open.
#[test]
fn f23_reading_a_few_packets_per_frame_loses_nothing() {
    for per_frame in [1, 10, 101, 1000] {
        let (mut peer, remote, clock) = open();
        for _ in 0..101 {
            remote.says("x");
        }
        remote.closes(4000);
        let mut read = 0;
        peer.poll(&clock.now());
        while peer.ready_state() == ReadyState::Open {
            read += peer.take_packets(per_frame).len();
            clock.pass(1.0);
            peer.poll(&clock.now());
        }
        assert_eq!((read, peer.view().close_code()), (101, 4000), "{per_frame} per frame");
    }
}

#[test]
fn f23_who_takes_nothing_is_shown_the_end() {
    let (mut peer, remote, clock) = open();
    remote.says("a");
    remote.says("b");
    remote.says("c");
    remote.breaks();
    peer.poll(&clock.now());
    assert_eq!(take(&mut peer).as_deref(), Some("a"));
    peer.poll(&clock.now());
    assert_eq!(peer.ready_state(), ReadyState::Open);
    peer.poll(&clock.now());
    assert_eq!((peer.ready_state(), peer.view().available()), (ReadyState::Closed, 2));
    assert_eq!(take(&mut peer).as_deref(), Some("b"));
}

#[test]
fn f35_sending_while_the_end_waits_says_so() {
    let (mut peer, remote, clock) = open();
    remote.says("unread");
    remote.closes(4000);
    peer.poll(&clock.now());
    let refused = peer.put_packet(text("x")).unwrap_err();
    assert!(matches!(refused, Refused::Ended { code: Some(4000) }));
    let sentence = refused.to_string();
    assert!(sentence.contains("the other side has closed") && sentence.contains("4000"), "{sentence}");
    assert!(sentence.contains("still to be read"), "{sentence}");
    let (mut peer, remote, clock) = open();
    remote.says("unread");
    remote.breaks();
    peer.poll(&clock.now());
    assert!(matches!(peer.put_packet(text("x")), Err(Refused::Ended { code: None })));
    peer.close(1000, "", &clock.now()).unwrap();
    assert!(matches!(peer.put_packet(text("x")), Err(Refused::Closed { .. })));
}

#[test]
fn f36_the_first_poll_never_shows_the_end() {
    let (mut peer, remote, clock) = connecting();
    remote.happens(refused_connection());
    clock.pass(60.0);
    assert!(peer.poll(&clock.now()).is_none());
    assert_eq!((peer.ready_state(), peer.error_message()), (ReadyState::Connecting, String::new()));
    assert!(peer.poll(&clock.now()).is_some());
    assert_eq!(peer.ready_state(), ReadyState::Closed);
    let (mut peer, remote, clock) = connecting();
    remote.happens(opened());
    remote.closes(1000);
    peer.poll(&clock.now());
    assert_eq!(peer.ready_state(), ReadyState::Open);
    peer.poll(&clock.now());
    assert_eq!(peer.ready_state(), ReadyState::Closed);
}

#[test]
fn f33_a_failed_attempt_is_told_once_and_without_secrets() {
    let (mut peer, remote, clock) = connecting();
    peer.poll(&clock.now());
    remote.happens(refused_connection());
    let failed = peer.poll(&clock.now()).unwrap().to_string();
    assert_eq!(failed, "connecting to 'ws://host/path' failed: the TCP connection failed: nobody listens.");
    assert!(peer.poll(&clock.now()).is_none());
    // The loss of an open connection is no failed attempt.
    let (mut peer, remote, clock) = open();
    remote.breaks();
    assert!(peer.poll(&clock.now()).is_none());
}

#[test]
fn f34_the_last_refusal_stays_until_the_next_attempt() {
    let peer = Locked::new(Peer::default());
    let message = || peer.with(|peer| peer.error_message());
    let clock = Clock::new();
    peer.attempt(|peer| peer.connect("http://host", Remote::default().dial())).unwrap_err();
    assert!(message().contains("http://host"), "{}", message());
    peer.attempt(|peer| peer.set::<property::close_timeout>(-1.0, &clock.now())).unwrap_err();
    assert!(message().contains("close_timeout"), "{}", message());
    let remote = Remote::default();
    peer.attempt(|peer| peer.connect("ws://host", remote.dial())).unwrap();
    assert_eq!(message(), "", "forgotten by the next attempt");
    peer.attempt(|peer| peer.put_packet(text("x"))).unwrap_err();
    assert!(message().contains("not open"), "{}", message());
    // Why the connection ended is news, and is not lost behind the next mistake.
    peer.with(|peer| peer.poll(&clock.now()));
    remote.happens(refused_connection());
    peer.with(|peer| peer.poll(&clock.now()));
    assert_eq!(message(), "the TCP connection failed: nobody listens");
    peer.attempt(|peer| peer.put_packet(text("x"))).unwrap_err();
    assert_eq!(
        message(),
        "Nothing can be sent: the connection is not open (the TCP connection failed: nobody listens)."
    );
    // What the script could not know is no mistake.
    peer.with(|peer| peer.note_refusal(&Refused::Lost));
    assert!(message().contains("nobody listens"));
}

#[test]
fn f38_freed_while_open() {
    let (mut peer, remote, clock) = open();
    peer.freed(&clock.now());
    assert_eq!(remote.with(|wire| wire.closed.clone()), Some((1001, String::new())));
    for prepare in [
        |_: &mut Peer, _: &Clock| {},
        |peer: &mut Peer, clock: &Clock| {
            _ = peer.close(4000, "", &clock.now());
        },
    ] {
        let (mut peer, remote, clock) = connecting();
        prepare(&mut peer, &clock);
        peer.freed(&clock.now());
        assert_eq!(remote.with(|wire| wire.closed.clone()), None, "nothing of an upgrade that never was");
    }
}

#[test]
fn everything_is_forgotten_by_the_next_connection() {
    let (mut peer, remote, clock) = open();
    remote.says("old");
    remote.closes(4000);
    peer.poll(&clock.now());
    peer.poll(&clock.now());
    peer.connect("ws://other", Remote::default().dial()).unwrap();
    assert_eq!((peer.ready_state(), peer.view().available()), (ReadyState::Connecting, 0));
    assert_eq!((peer.view().close_code(), peer.view().selected_protocol()), (-1, ""));
    assert_eq!((peer.error_message(), peer.view().requested_url()), (String::new(), "ws://other"));
}
