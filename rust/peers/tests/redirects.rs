//! Clients that are sent elsewhere.

mod util;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use rust_websocket_net::LinkOptions;
use rust_websocket_peers::{Carrier, LiveSetting, Multiplayer, Peer, ReadyState, Redirected, property};
use rust_websocket_proto::{ClientRequest, CloseCause, Closed, ConnectPhase, Event, HttpResponse};

use self::util::{Clock, FakeListener, Remote};

/// What each hop asked for: host, path, header lines, seconds that are left.
type Asked = (String, String, Vec<String>, f64);

/// The hops of a client, as far as they were made.
#[derive(Clone, Default)]
struct Hops(Arc<Mutex<Vec<(Remote, Asked)>>>);

impl Hops {
    fn begin(&self, request: &ClientRequest, options: &LinkOptions) -> Box<dyn Carrier> {
        let remote = Remote::default();
        let asked = (
            request.target.host_header(),
            request.target.request_target.clone(),
            options.config.handshake_headers.clone(),
            options.config.connect_timeout.as_secs_f64(),
        );
        let link = remote.link();
        self.with(|hops| hops.push((remote, asked)));
        Box::new(link)
    }

    fn dial<E>(
        &self,
        limit: usize,
        clock: &Clock,
    ) -> Result<impl FnOnce(ClientRequest, LinkOptions) -> Box<dyn Carrier> + use<E>, E> {
        let (first, next, now) = (self.clone(), self.clone(), clock.now()());
        let dial = Box::new(move |request: ClientRequest, options| match request.target.host.as_str() {
            "nowhere" => Err("there is no way there".to_owned()),
            _ => Ok(next.begin(&request, &options)),
        });
        let first = move |request: ClientRequest, options| first.begin(&request, &options);
        Ok(move |request, options| {
            Box::new(Redirected::start(request, limit, options, first, dial, now)) as Box<dyn Carrier>
        })
    }

    fn with<R>(&self, call: impl FnOnce(&mut Vec<(Remote, Asked)>) -> R) -> R {
        call(&mut self.0.lock().expect("no test panics while it holds this"))
    }

    fn count(&self) -> usize {
        self.with(|hops| hops.len())
    }

    fn asked(&self) -> Asked {
        self.with(|hops| hops.last().expect("a hop").1.clone())
    }

    fn latest(&self) -> Remote {
        self.with(|hops| hops.last().expect("a hop").0.clone())
    }

    fn redirects(&self, location: &str) {
        self.answers(302, location);
    }

    fn answers(&self, status: u16, location: &str) {
        let headers = vec![format!("Location: {location}")];
        let response = HttpResponse { status, reason: String::new(), headers, body: Vec::new() };
        self.ends(CloseCause::HttpStatus(Box::new(response)));
    }

    fn ends(&self, cause: CloseCause) {
        self.latest().connects();
        self.latest().happens(Event::Closed(Closed { code: None, reason: String::new(), cause }));
    }
}

fn connecting(url: &str, limit: usize) -> (Peer, Hops, Clock) {
    let (mut peer, hops, clock) = (Peer::default(), Hops::default(), Clock::new());
    let lines = ["Cookie: a", "X-Mine: b"].map(|line| Ok(line.to_owned()));
    peer.set::<property::handshake_headers>(lines.into(), &clock.now()).expect("any lines");
    peer.connect(url, hops.dial(limit, &clock)).expect("a URL that can be used");
    (peer, hops, clock)
}

#[test]
fn a_client_goes_where_it_is_sent() {
    let (mut peer, hops, clock) = connecting("ws://a/x", 3);
    let before = Arc::clone(hops.latest().link().counters());
    for (location, host, path, lines) in
        [("y?q", "a", "/y?q", 2), ("http://b:81/z", "b:81", "/z", 1), ("https://b/", "b", "/", 1)]
    {
        hops.redirects(location);
        assert!(peer.poll(&clock.now()).is_none());
        assert_eq!(peer.ready_state(), ReadyState::Connecting);
        let asked = hops.asked();
        assert_eq!((&*asked.0, &*asked.1, asked.2.len()), (host, path, lines), "{location}");
    }
    hops.latest().connects();
    hops.latest().opens();
    peer.poll(&clock.now());
    assert_eq!((peer.ready_state(), hops.count()), (ReadyState::Open, 4));
    assert_eq!(peer.view().requested_url(), "ws://a/x", "what was asked for");
    hops.latest().says("hello");
    peer.poll(&clock.now());
    assert_eq!(peer.next_packet().unwrap().as_deref(), Some(&b"hello"[..]));
    assert_eq!((peer.statistics().messages_in, before.read().messages_in), (1, 0));
    hops.latest().closes(1000);
    peer.poll(&clock.now());
    assert_eq!((peer.ready_state(), peer.statistics().messages_in), (ReadyState::Closed, 1));
}

#[test]
fn a_redirect_that_is_not_followed_says_why() {
    for (location, limit, words) in [
        ("ws://b/", 0, "max_redirects allows 0"),
        ("", 3, "the answer has no Location"),
        ("ws://b:x/", 3, "its Location 'ws://b:x/' cannot be used"),
        ("ws://nowhere/", 3, "there is no way there"),
        ("/x", 3, "in a circle"),
        ("ws+unix:/run/x", 3, "socket file"),
    ] {
        let (mut peer, hops, clock) = connecting("ws://a/x", limit);
        hops.redirects(location);
        peer.poll(&clock.now());
        let failed = peer.poll(&clock.now()).expect("an attempt that has failed").to_string();
        assert!(failed.contains("HTTP status 302, which is not followed: "), "{failed}");
        assert!(failed.contains(words), "{failed}");
        assert!(peer.error_message().contains(words), "{location}");
        assert_eq!(peer.handshake_response().map(|response| response.status), Some(302));
    }
}

#[test]
fn a_place_that_nobody_answers_at_is_named() {
    let (mut peer, hops, clock) = connecting("ws://a/x", 3);
    let failed =
        || CloseCause::ConnectFailed { phase: ConnectPhase::Tcp, error: "nobody listens".to_owned() };
    hops.redirects("https://ada:secret@b:81/z");
    peer.poll(&clock.now());
    hops.ends(failed());
    peer.poll(&clock.now());
    let message = "the TCP connection failed: nobody listens (redirected to wss://b:81)";
    assert_eq!((peer.error_message().as_str(), peer.handshake_response()), (message, None));

    let (mut peer, hops, clock) = connecting("ws://a/x", 3);
    hops.ends(failed());
    peer.poll(&clock.now());
    peer.poll(&clock.now());
    assert_eq!(peer.error_message(), "the TCP connection failed: nobody listens", "as without redirects");
}

#[test]
fn other_answers_are_what_they_were() {
    for status in [200, 300, 304, 401, 503] {
        let (mut peer, hops, clock) = connecting("ws://a/x", 3);
        hops.answers(status, "ws://b/");
        peer.poll(&clock.now());
        peer.poll(&clock.now());
        assert_eq!((peer.ready_state(), hops.count()), (ReadyState::Closed, 1));
        let message =
            format!("the WebSocket handshake failed: the server answered with HTTP status {status}");
        assert_eq!(peer.error_message(), message);
    }
}

#[test]
fn the_connect_timeout_covers_the_whole_way() {
    let (mut peer, hops, clock) = connecting("ws://a/", 9);
    for left in [29.0, 10.0] {
        let spent = hops.asked().3 - left;
        clock.pass(spent);
        hops.redirects(&format!("ws://a/{left}"));
        peer.poll(&clock.now());
        assert!((hops.asked().3 - left).abs() < 0.001, "{left} s are left");
    }
    hops.ends(CloseCause::ConnectTimeout { phase: ConnectPhase::Tls, timeout: Duration::from_secs(10) });
    peer.poll(&clock.now());
    assert_eq!(
        peer.error_message(),
        "the TLS handshake did not finish in time: the connect timeout of 30s has passed"
    );

    let (mut peer, hops, clock) = connecting("ws://a/", 9);
    clock.pass(30.0);
    hops.redirects("ws://a/late");
    peer.poll(&clock.now());
    peer.poll(&clock.now());
    assert_eq!((peer.ready_state(), hops.count()), (ReadyState::Closed, 1));
    assert!(peer.error_message().contains("the connect timeout of 30s has passed"));
}

#[test]
fn what_is_set_on_the_way_holds_at_its_end() {
    let (mut peer, hops, clock) = connecting("ws://a/", 9);
    for interval in [1.0, 2.0] {
        peer.set::<property::heartbeat_interval>(interval, &clock.now()).unwrap();
    }
    peer.set_no_delay(false, &clock.now()).unwrap();
    hops.redirects("ws://b/");
    peer.poll(&clock.now());
    let settings = hops.latest().with(|wire| std::mem::take(&mut wire.settings));
    assert!(
        matches!(
            settings[..],
            [LiveSetting::HeartbeatInterval(Some(interval)), LiveSetting::NoDelay(false)]
                if interval == Duration::from_secs(2)
        ),
        "{settings:?}"
    );
}

#[test]
fn a_script_may_close_it_on_its_way() {
    let (mut peer, hops, clock) = connecting("ws://a/", 9);
    hops.redirects("ws://b/");
    peer.poll(&clock.now());
    peer.close(1000, "", &clock.now()).unwrap();
    assert_eq!(peer.ready_state(), ReadyState::Closed);
    assert!(hops.latest().with(|wire| wire.dropped));
}

#[test]
fn a_multiplayer_client_is_sent_elsewhere_too() {
    let (hops, clock) = (Hops::default(), Clock::new());
    let mut multiplayer = Multiplayer::<FakeListener>::default();
    multiplayer.create_client("ws://a/x", hops.dial(1, &clock), &clock.now()).unwrap();
    hops.redirects("//b/");
    multiplayer.begin_poll(&clock.now());
    assert_eq!((hops.asked().0.as_str(), hops.asked().3 > 2.9), ("b", true));
}
