//! A carrier, a listener and a clock that tests hold in their hands.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    cell::Cell,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use rust_websocket_net::{
    Admission, Asked, CertificateChange, Counters, How, LinkEvent, LinkId, LinkOptions, ListenerEvent,
    PipeSocket, Tag, Tally, TlsFacts,
};
use rust_websocket_peers::{Carrier, Listening, LiveSetting, Now, TakesCopies};
use rust_websocket_proto::{
    ClientRequest, CloseCause, Closed, ConnectPhase, Delivery, Event, Message, MessageKind, Opened,
    SendError,
    admission::{Endpoint, Remote as ProtoRemote},
    http::{Decision, Request},
};

/// Time that passes when a test says so.
pub(crate) struct Clock(Cell<Instant>);

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "where virtual time starts")]
    pub(crate) fn new() -> Self {
        Self(Cell::new(Instant::now()))
    }

    pub(crate) fn pass(&self, seconds: f64) {
        self.0.set(self.0.get() + Duration::from_secs_f64(seconds));
    }

    pub(crate) fn now(&self) -> impl Fn() -> Instant + '_ {
        || self.0.get()
    }
}

/// What a peer has done with its connection, and what the test lets happen there.
#[derive(Default)]
pub(crate) struct Wire {
    events: Vec<LinkEvent>,
    pub(crate) sent: Vec<(MessageKind, Bytes)>,
    /// Of each that was sent.
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) closed: Option<(u16, String)>,
    pub(crate) left: bool,
    pub(crate) dropped: bool,
    pub(crate) consumed: Vec<usize>,
    pub(crate) settings: Vec<LiveSetting>,
    /// What sends answer.
    pub(crate) refuses: Option<SendError>,
    pub(crate) needs_polls: bool,
    pub(crate) buffered: usize,
    pub(crate) round_trip_time: Option<Duration>,
    counters: Arc<Counters>,
}

/// The test's end of a [`FakeLink`].
#[derive(Clone, Default)]
pub(crate) struct Remote(Arc<Mutex<Wire>>);

impl Remote {
    pub(crate) fn with<R>(&self, call: impl FnOnce(&mut Wire) -> R) -> R {
        call(&mut self.0.lock().expect("no test panics while it holds this"))
    }

    pub(crate) fn happens(&self, event: Event) {
        self.with(|wire| wire.events.push(LinkEvent::Protocol(event)));
    }

    pub(crate) fn connects(&self) {
        self.with(|wire| {
            wire.events.push(LinkEvent::Connected(
                "[::ffff:127.0.0.1]:9080".parse::<SocketAddr>().expect("an address").into(),
            ))
        });
    }

    pub(crate) fn opens(&self) {
        self.happens(opened());
    }

    pub(crate) fn says(&self, text: &str) {
        self.with(|wire| wire.counters.received(text.len()));
        self.happens(message(text));
    }

    pub(crate) fn closes(&self, code: u16) {
        self.happens(closed(code));
    }

    pub(crate) fn breaks(&self) {
        self.happens(broken());
    }

    pub(crate) fn sent(&self) -> Vec<String> {
        self.with(|wire| {
            wire.sent.drain(..).map(|(_, payload)| String::from_utf8_lossy(&payload).into_owned()).collect()
        })
    }

    pub(crate) fn closed_with(&self) -> Option<(u16, String)> {
        self.with(|wire| wire.closed.clone())
    }

    pub(crate) fn link(&self) -> FakeLink {
        FakeLink { remote: self.clone(), counters: self.with(|wire| Arc::clone(&wire.counters)), id: 0 }
    }

    /// What `connect` and `create_client` start a connection with.
    pub(crate) fn dial<E>(
        &self,
    ) -> Result<impl FnOnce(ClientRequest, LinkOptions) -> Box<dyn Carrier> + use<E>, E> {
        let link = self.link();
        Ok(move |_, _| Box::new(link) as Box<dyn Carrier>)
    }
}

pub(crate) fn opened() -> Event {
    Event::Opened(Opened { selected_protocol: "chat".to_owned(), ..Opened::default() })
}

pub(crate) fn message(text: &str) -> Event {
    Event::Message(Message { kind: MessageKind::Text, payload: Bytes::copy_from_slice(text.as_bytes()) })
}

pub(crate) fn closed(code: u16) -> Event {
    let reason = "reason".to_owned();
    let cause = match code {
        1000 | 1005 => CloseCause::Clean,
        _ => CloseCause::ClosedByRemote { code, reason: reason.clone() },
    };
    Event::Closed(Closed { code: Some(code), reason, cause })
}

pub(crate) fn broken() -> Event {
    Event::Closed(Closed { code: None, reason: String::new(), cause: CloseCause::TransportEof })
}

pub(crate) fn refused_connection() -> Event {
    let cause = CloseCause::ConnectFailed { phase: ConnectPhase::Tcp, error: "nobody listens".to_owned() };
    Event::Closed(Closed { code: None, reason: String::new(), cause })
}

pub(crate) struct FakeLink {
    remote: Remote,
    counters: Arc<Counters>,
    id: usize,
}

impl Carrier for FakeLink {
    fn poll(&mut self, events: &mut Vec<LinkEvent>, _now: Now<'_>) {
        self.remote.with(|wire| events.append(&mut wire.events));
    }

    fn push(
        &mut self,
        kind: MessageKind,
        payload: Bytes,
        delivery: Delivery,
        _how: How<'_>,
    ) -> Result<(), SendError> {
        FakeOutbox(self.remote.clone()).take(kind, &payload, delivery, true)
    }

    fn close(&mut self, code: u16, reason: &str, _now: Now<'_>) {
        self.remote.with(|wire| wire.closed = Some((code, reason.to_owned())));
    }

    fn leave(&mut self) {
        self.remote.with(|wire| wire.left = true);
    }

    fn consumed(&mut self, bytes: usize) {
        self.remote.with(|wire| wire.consumed.push(bytes));
    }

    fn set(&mut self, setting: LiveSetting, _now: Now<'_>) {
        self.remote.with(|wire| wire.settings.push(setting));
    }

    fn round_trip_time(&self) -> Option<Duration> {
        self.remote.with(|wire| wire.round_trip_time)
    }

    fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    fn buffered_amount(&self) -> usize {
        self.remote.with(|wire| wire.buffered)
    }

    fn has_news(&self) -> bool {
        self.remote.with(|wire| !wire.events.is_empty())
    }

    fn needs_polls(&self) -> bool {
        self.remote.with(|wire| wire.needs_polls)
    }
}

impl Drop for FakeLink {
    fn drop(&mut self) {
        self.remote.with(|wire| wire.dropped = true);
    }
}

pub(crate) struct FakeOutbox(Remote);

impl FakeOutbox {
    fn take(
        &self,
        kind: MessageKind,
        payload: &Bytes,
        delivery: Delivery,
        counts: bool,
    ) -> Result<(), SendError> {
        self.0.with(|wire| match wire.refuses {
            Some(error) => {
                if counts && matches!(error, SendError::BufferFull) {
                    wire.counters.send_refused();
                }
                Err(error)
            }
            None => {
                wire.counters.sent(1, payload.len());
                wire.sent.push((kind, payload.clone()));
                wire.deliveries.push(delivery);
                Ok(())
            }
        })
    }
}

impl TakesCopies for FakeOutbox {
    fn prefetch(&self) {}

    fn push(
        &self,
        kind: MessageKind,
        payload: &Bytes,
        delivery: Delivery,
        _how: How<'_>,
    ) -> Result<(), SendError> {
        self.take(kind, payload, delivery, false)
    }
}

/// Whose request, and what was decided.
pub(crate) type Decided = (LinkId, Decision, Option<Tag>);

/// What comes to a listening socket.
#[derive(Clone, Default)]
pub(crate) struct Street(Arc<Mutex<StreetState>>);

#[derive(Default)]
struct StreetState {
    events: Vec<ListenerEvent<FakeLink>>,
    links: usize,
    accepting: bool,
    open: bool,
    options: Option<LinkOptions>,
    admission: Admission,
    is_tls: bool,
    changes: Vec<CertificateChange>,
    adopted: Vec<Endpoint>,
    /// What was decided on requests, and what came with it.
    decisions: Arc<Mutex<Vec<Decided>>>,
    rooms: Vec<(String, Street)>,
}

impl Street {
    fn with<R>(&self, call: impl FnOnce(&mut StreetState) -> R) -> R {
        call(&mut self.0.lock().expect("no test panics while it holds this"))
    }

    pub(crate) fn listener(&self) -> FakeListener {
        self.with(|state| state.open = true);
        FakeListener(self.clone())
    }

    /// A room of this listener, unless somebody has that path.
    pub(crate) fn room(&self, path: &str) -> Option<Street> {
        self.with(|state| {
            if state.rooms.iter().any(|(known, street)| known == path && street.is_open()) {
                return None;
            }
            let street = Street::default();
            state.rooms.push((path.to_owned(), street.clone()));
            Some(street)
        })
    }

    pub(crate) fn last_room(&self) -> Option<Street> {
        self.with(|state| state.rooms.last().map(|(_, street)| street.clone()))
    }

    /// Somebody asks.
    pub(crate) fn asks(&self, head: &str) -> LinkId {
        let request = Arc::new(Request::parse(head.as_bytes()).expect("a head"));
        self.with(|state| {
            state.links += 1;
            let id = LinkId(state.links);
            let address: std::net::SocketAddr = "10.0.0.1:5000".parse().expect("an address");
            let decisions = Arc::clone(&state.decisions);
            let decide = move |decision, tag| {
                decisions.lock().expect("no panic").push((id, decision, tag));
            };
            let remote = ProtoRemote::new(address.into(), false);
            state.events.push(ListenerEvent::Asked(Asked::new(
                id,
                request,
                remote,
                TlsFacts::default(),
                decide,
            )));
            id
        })
    }

    /// Nothing more comes of a request.
    pub(crate) fn is_over(&self, id: LinkId) {
        self.with(|state| state.events.push(ListenerEvent::Over(id)));
    }

    /// What was decided since the last call.
    pub(crate) fn decisions(&self) -> Vec<Decided> {
        self.with(|state| std::mem::take(&mut *state.decisions.lock().expect("no panic")))
    }

    /// Somebody completes the handshake.
    pub(crate) fn comes(&self) -> Visitor {
        self.opens(None, None)
    }

    /// Somebody completes the handshake, whose request may have been decided on.
    pub(crate) fn opens(&self, asked: Option<LinkId>, tag: Option<Tag>) -> Visitor {
        let remote = Remote::default();
        let id = self.with(|state| {
            state.links += 1;
            let mut link = remote.link();
            link.id = asked.map_or(state.links, |id| id.0);
            let Event::Opened(opened) = opened() else { unreachable!("it is that") };
            state.events.push(ListenerEvent::Accepted(
                link,
                "10.0.0.1:5000".parse::<SocketAddr>().expect("an address").into(),
                opened,
                tag,
            ));
            asked.map_or(state.links, |id| id.0)
        });
        Visitor { street: self.clone(), remote, link: LinkId(id) }
    }

    pub(crate) fn accepts(&self) -> bool {
        self.with(|state| state.accepting)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.with(|state| state.open)
    }

    pub(crate) fn speaks_tls(&self) {
        self.with(|state| state.is_tls = true);
    }

    /// The certificates that were exchanged since the last call.
    pub(crate) fn changes(&self) -> Vec<CertificateChange> {
        self.with(|state| std::mem::take(&mut state.changes))
    }

    pub(crate) fn admission(&self) -> Admission {
        self.with(|state| state.admission.clone())
    }

    pub(crate) fn options(&self) -> Option<LinkOptions> {
        self.with(|state| state.options.clone())
    }
}

/// A client that has come to a server.
pub(crate) struct Visitor {
    street: Street,
    pub(crate) remote: Remote,
    link: LinkId,
}

impl Visitor {
    pub(crate) fn happens(&self, event: Event) {
        self.street.with(|state| state.events.push(ListenerEvent::Link(self.link, event)));
    }

    pub(crate) fn says(&self, text: &str) {
        self.remote.with(|wire| wire.counters.received(text.len()));
        self.happens(message(text));
    }

    pub(crate) fn closes(&self, code: u16) {
        self.happens(closed(code));
    }

    /// The id that the server has sent, and nothing else.
    pub(crate) fn id(&self) -> i32 {
        let sent = self.remote.with(|wire| std::mem::take(&mut wire.sent));
        let [(MessageKind::Binary, payload)] = &sent[..] else { panic!("not one message: {sent:?}") };
        i32::from_le_bytes(payload[..].try_into().expect("an id has four bytes"))
    }

    pub(crate) fn sent(&self) -> Vec<String> {
        self.remote.sent()
    }
}

pub(crate) struct FakeListener(Street);

impl Listening for FakeListener {
    type Link = FakeLink;
    type Outbox = FakeOutbox;

    fn local_port(&self) -> u16 {
        4321
    }

    fn take_events(&mut self, events: &mut Vec<ListenerEvent<FakeLink>>) {
        self.0.with(|state| events.append(&mut state.events));
    }

    fn id_of(link: &FakeLink) -> LinkId {
        LinkId(link.id)
    }

    fn outbox_of(link: &FakeLink) -> FakeOutbox {
        FakeOutbox(link.remote.clone())
    }

    fn set_accepting(&self, accepting: bool) {
        self.0.with(|state| state.accepting = accepting);
    }

    fn set_link_options(&self, options: LinkOptions) {
        self.0.with(|state| state.options = Some(options));
    }

    fn set_admission(&self, admission: Admission) {
        self.0.with(|state| state.admission = admission);
    }

    fn room(&self, path: &str) -> Option<Self> {
        self.0.room(path).map(|street| street.listener())
    }

    fn tally(&self) -> Arc<Tally> {
        Arc::default()
    }

    fn adopt(&self, _socket: PipeSocket, from: Endpoint) {
        self.0.with(|state| state.adopted.push(from));
    }

    fn is_tls(&self) -> bool {
        self.0.with(|state| state.is_tls)
    }

    fn change_certificate(&self, change: CertificateChange) {
        self.0.with(|state| state.changes.push(change));
    }
}

impl Drop for FakeListener {
    fn drop(&mut self) {
        self.0.with(|state| state.open = false);
    }
}
