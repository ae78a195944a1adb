//! The handles that the calling side holds.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rust_websocket_proto::{
    Amount, ClientRequest, CloseCause, Closed, Delivery, Event, MessageKind, Opened, Random, SendError,
    SendLimits, admission::Endpoint,
};

use crate::{
    admission::Admission,
    conn::Conn,
    drive::Driving,
    listener::{Acceptor, ListenError, ListenOptions, ListenerShared},
    pace::{Pace, Step},
    pipe::PipeSocket,
    random::SystemRandom,
    reactor::Command,
    rooms::Room,
    route::Route,
    seam::{
        Arrival, Asked, Claim, Counters, How, LinkEvent, LinkId, LinkOptions, Newcomer, Order, Outbox,
        Reports, Shared, Stopped, Tag, next_id,
    },
    tally::Tally,
    thread,
    tls::{CertificateChange, ClientTls},
    trace::ConnectionTrace,
    transport::Transport,
};

/// Memory for so many reports is kept between two calls; a burst does not keep its own.
const KEPT_REPORTS: usize = 1024;

/// So many turns of a tight loop find nothing before it gives way once.
const IDLE_TURNS: u8 = 16;

/// What a listener reports.
#[derive(Debug)]
pub enum ListenerEvent<L = Link> {
    /// A request waits for a decision ([`Admission::asks_owner`]). If that is to accept it, `Accepted` follows with its id.
    Asked(Asked),
    /// Nothing more comes of a request: the client left, the time for the decision passed, it is answered, or its connection
    /// went to a [room](Listener::room).
    Over(LinkId),
    /// A connection has completed its handshake; its later events follow as [`ListenerEvent::Link`], unless each link
    /// reports for itself ([`Reporting::Each`](crate::Reporting::Each)). Dropping the link turns it away. The endpoint is the client's, whoever passes its
    /// bytes on. The tag is what came with the decision.
    Accepted(L, Endpoint, Opened, Option<Tag>),
    /// Something happened on one of its links.
    Link(LinkId, Event),
}

/// One connection, as its owner holds it.
///
/// Dropping it is leaving: what was accepted is still offered to the kernel, and a close handshake that has
/// begun is completed by the I/O thread.
#[derive(Debug)]
pub struct Link {
    claim: Claim,
    /// Of a client; an accepted link mostly reports through its listener.
    own: Option<OwnReports>,
    /// Where what happens is written now.
    trace: Option<ConnectionTrace>,
}

#[derive(Debug)]
struct OwnReports {
    reports: Arc<Reports<LinkEvent>>,
    driver: Driver,
}

/// Who polls has the reactor run when that is of use.
#[derive(Debug)]
struct Driver {
    pace: Pace,
    /// `None` without an I/O thread.
    driving: Option<Arc<Driving>>,
    /// Turns without anything to do, one after the other.
    idle_turns: u8,
}

impl Driver {
    fn new(driving: Option<Arc<Driving>>) -> Self {
        Self { pace: Pace::default(), driving, idle_turns: 0 }
    }

    /// At the beginning of each poll; `has_some`: there is something to take already.
    fn poll(&mut self, has_some: bool) {
        let step = self.pace.polled(Instant::now);
        match (&self.driving, step) {
            (Some(driving), Step::Drive) if !has_some => {
                let turn = driving.drive();
                if let Some(turn) = &turn {
                    self.pace.drove(turn.took, turn.has_copied_much);
                }
                self.give_way(turn.is_some_and(|turn| turn.was_idle));
            }
            (Some(driving), Step::Leave) => driving.recall(),
            _ => {}
        }
    }

    /// The other side may be waiting for this processor, though another is free: a loop that never sleeps keeps
    /// it for a slice of some milliseconds.
    fn give_way(&mut self, was_idle: bool) {
        self.idle_turns = if was_idle { self.idle_turns + 1 } else { 0 };
        if self.idle_turns == IDLE_TURNS {
            self.idle_turns = 0;
            std::thread::yield_now();
        }
    }
}

impl Drop for Driver {
    /// What is left to do is not left to whoever may run the reactor next.
    fn drop(&mut self) {
        if let Some(driving) = self.driving.as_ref().filter(|_| self.pace.is_waiting()) {
            driving.recall();
        }
    }
}

impl Link {
    /// Starts connecting. Failures, also those of starting the I/O thread, come as [`Event::Closed`].
    pub fn connect(request: ClientRequest, options: LinkOptions) -> Self {
        Self::connect_with(&request, None, options, Arc::new(SystemRandom))
    }

    /// Like [`connect`](Self::connect), with what a `wss://` URL needs.
    pub fn connect_tls(request: ClientRequest, tls: ClientTls, options: LinkOptions) -> Self {
        Self::connect_with(&request, Some(tls), options, Arc::new(SystemRandom))
    }

    fn connect_with(
        request: &ClientRequest,
        tls: Option<ClientTls>,
        options: LinkOptions,
        random: Arc<dyn Random>,
    ) -> Self {
        let reports = Arc::new(Reports::default());
        let driving = match thread::running() {
            Ok(driving) => driving,
            Err(error) => return Self::without_thread(reports, &error, &options),
        };
        let shared = Shared::new(next_id(), Arc::clone(&driving) as _, &options);
        // The one place where a client's way to its server is chosen.
        let route = match options.way.clone() {
            Some(way) => Route::through(way, &request.target, tls, shared.trace.as_ref()),
            None => Route::direct(&request.target, tls),
        };
        let conn = Conn::client(Arc::clone(&shared), Arc::clone(&reports), request, route, options, random);
        driving.push(Command::Connect(Box::new(conn)));
        let driver = Driver::new(Some(driving));
        Self::with(Claim::new(shared), Some(OwnReports { reports, driver }))
    }

    /// The server's end of a stream that somebody has accepted. Otherwise like [`connect`](Self::connect).
    pub fn serve(socket: PipeSocket, options: LinkOptions) -> Self {
        let reports = Arc::new(Reports::default());
        let driving = match thread::running() {
            Ok(driving) => driving,
            Err(error) => return Self::without_thread(reports, &error, &options),
        };
        let shared = Shared::new(next_id(), Arc::clone(&driving) as _, &options);
        socket.attach(Arc::clone(shared.runner()), shared.id());
        let transport = Transport::new(Box::new(socket), None, None);
        let conn = Conn::served(transport, Arc::clone(&shared), Arc::clone(&reports), options);
        driving.push(Command::Connect(Box::new(conn)));
        let driver = Driver::new(Some(driving));
        Self::with(Claim::new(shared), Some(OwnReports { reports, driver }))
    }

    fn with(claim: Claim, own: Option<OwnReports>) -> Self {
        let trace = claim.trace.clone();
        Self { claim, own, trace }
    }

    /// One that has failed.
    fn without_thread(
        reports: Arc<Reports<LinkEvent>>,
        error: &std::io::Error,
        options: &LinkOptions,
    ) -> Self {
        let cause = CloseCause::TransportLost(format!("the I/O thread did not start: {error}"));
        reports.push(LinkEvent::Protocol(Event::Closed(Closed { code: None, reason: String::new(), cause })));
        let shared = Shared::new(0, Arc::new(Stopped), options);
        shared.refuse_sends();
        Self::with(Claim::new(shared), Some(OwnReports { reports, driver: Driver::new(None) }))
    }

    /// The link of an accepted connection, which reports through its listener if it has no reports of its own.
    fn accepted(claim: Claim, reports: Option<Arc<Reports<LinkEvent>>>, driving: &Arc<Driving>) -> Self {
        let own = |reports| OwnReports { reports, driver: Driver::new(Some(Arc::clone(driving))) };
        Self::with(claim, reports.map(own))
    }

    /// Its name.
    pub fn id(&self) -> LinkId {
        self.claim.id()
    }

    /// Accepts a message that arrives, in its place; `how` says who carries it out when.
    ///
    /// # Errors
    /// As [`push_as`](Self::push_as).
    pub fn push(&self, kind: MessageKind, payload: Bytes, how: How<'_>) -> Result<(), SendError> {
        self.push_as(kind, payload, Delivery::Reliable, how)
    }

    /// Accepts a message; `delivery` says what becomes of it where the other side is slow.
    ///
    /// # Errors
    /// [`SendError::BufferFull`] when the limits are reached (the refusal is counted), [`SendError::NotOpen`]
    /// once this side has closed or the connection has ended. Nothing is queued then.
    pub fn push_as(
        &self,
        kind: MessageKind,
        payload: Bytes,
        delivery: Delivery,
        how: How<'_>,
    ) -> Result<(), SendError> {
        let pushed = self.claim.push(kind, payload, delivery, how);
        if matches!(pushed, Err(SendError::BufferFull)) {
            self.claim.counters.send_refused();
        }
        pushed
    }

    /// Starts the close handshake after what was sent (RFC 6455 section 7.1.2); code 0 sends none.
    pub fn close(&self, code: u16, reason: &str) {
        self.claim.order_last(Order::Close(code, reason.to_owned()));
    }

    /// Leaves without a close frame (the engine's `close(-1)`): what was accepted goes out, then FIN.
    pub fn leave(&self) {
        self.claim.order_last(Order::Leave);
    }

    /// Appends what was reported since the last call. Links of a listener report through
    /// [`Listener::take_events`] instead.
    ///
    /// An owner that calls this in a tight loop while messages come and go runs the I/O thread's work in
    /// here.
    pub fn take_events(&mut self, events: &mut Vec<LinkEvent>) {
        let Some(OwnReports { reports, driver }) = &mut self.own else { return };
        driver.poll(reports.is_filled());
        let before = events.len();
        reports.take(events);
        if events.len() > before {
            driver.pace.took(events.len() - before);
        }
    }

    /// Whether something was reported since the last [`take_events`](Self::take_events).
    pub fn has_events(&self) -> bool {
        self.own.as_ref().is_some_and(|own| own.reports.is_filled())
    }

    /// The owner has taken a message of `bytes` payload bytes out of its queue: room for another.
    pub fn consumed(&self, bytes: usize) {
        if self.claim.receiving.consumed(bytes) {
            self.claim.order(Order::Resume);
        }
    }

    /// Changes the outbound limits at once.
    pub fn set_send_limits(&self, limits: SendLimits) {
        self.claim.set_send_limits(limits);
    }

    /// Changes the heartbeat at once; `None` turns it off.
    pub fn set_heartbeat_interval(&self, interval: Option<Duration>) {
        self.claim.order(Order::SetHeartbeatInterval(interval));
    }

    /// Changes how long a close handshake that begins after this call may take.
    pub fn set_close_timeout(&self, timeout: Duration) {
        self.claim.order(Order::SetCloseTimeout(timeout));
    }

    /// Changes TCP_NODELAY.
    pub fn set_no_delay(&self, enabled: bool) {
        self.claim.order(Order::SetNoDelay(enabled));
    }

    /// Changes at once for how long messages that were pushed as [`Delivery::Unreliable`] are worth sending; `None`: for ever.
    pub fn set_unreliable_lifetime(&self, lifetime: Option<Duration>) {
        self.claim.order(Order::SetUnreliableLifetime(lifetime));
    }

    /// Has what happens from here on written there, and nowhere else; `None`: nowhere.
    pub fn set_trace(&mut self, trace: Option<ConnectionTrace>) {
        self.trace.clone_from(&trace);
        self.claim.order(Order::SetTrace(trace));
    }

    /// Where what happens is written, if it is.
    pub fn trace(&self) -> Option<&ConnectionTrace> {
        self.trace.as_ref()
    }

    /// Between the last answered ping of the heartbeat and its pong. A live value.
    pub fn round_trip_time(&self) -> Option<Duration> {
        self.claim.round_trip_time()
    }

    /// What this connection has carried. The counts stay readable after the link is gone; what was sent since
    /// this call is in them after the next, or when the link goes.
    pub fn counters(&self) -> &Arc<Counters> {
        self.claim.count_sent();
        &self.claim.counters
    }

    /// For those who send to many links at once.
    pub fn outbox(&self) -> Outbox {
        self.claim.outbox()
    }

    /// What has arrived and was not [consumed](Self::consumed). A live value.
    pub fn unread(&self) -> Amount {
        self.claim.receiving.unread()
    }

    /// Payload bytes accepted and not yet taken by the kernel. A live value.
    pub fn buffered_amount(&self) -> usize {
        self.claim.held_bytes()
    }
}

/// A listening socket and the connections that come in through it. Dropping it closes the socket at once and
/// turns away connections whose handshake is pending; accepted links live on.
#[derive(Debug)]
pub struct Listener {
    shared: Arc<ListenerShared>,
    /// It is one of the rooms of that listener.
    room: Option<Arc<Room>>,
    driving: Arc<Driving>,
    driver: Driver,
    /// Empty; changes places with the reports, so that neither has to grow anew for each call.
    taken: Vec<Arrival>,
}

impl Listener {
    /// Listens.
    ///
    /// # Errors
    /// See [`ListenError`]; nothing is open then.
    pub fn bind(options: ListenOptions) -> Result<Self, ListenError> {
        let driving = thread::running().map_err(|error| ListenError::new(error, options.port))?;
        let shared = Arc::new(ListenerShared::bind(options)?);
        driving.push(Command::Listen(Acceptor::new(Arc::clone(&shared))));
        Ok(Self::new(shared, None, driving))
    }

    fn new(shared: Arc<ListenerShared>, room: Option<Arc<Room>>, driving: Arc<Driving>) -> Self {
        let driver = Driver::new(Some(Arc::clone(&driving)));
        Self { shared, room, driving, driver, taken: Vec::new() }
    }

    /// A listener without a socket of its own, which takes the connections of this one whose path is exactly `path` (empty:
    /// all that no other room has) and reports them together. This one has to report [each](crate::Reporting::Each). With rooms and
    /// without [asking](Admission::asks_owner), other paths get 404. `None`: the path is taken, or this one is a room.
    ///
    /// Dropping it frees the path. It outlives this listener, but gets nobody any more then.
    pub fn room(&self, path: &str) -> Option<Self> {
        let room = Arc::new(Room::new(path));
        let is_free = self.room.is_none() && self.shared.is_routed() && self.shared.add_room(&room);
        is_free.then(|| Self::new(Arc::clone(&self.shared), Some(room), Arc::clone(&self.driving)))
    }

    fn reports(&self) -> &Reports<Arrival> {
        &self.room.as_ref().map_or(&self.shared.arrivals, |room| &room.arrivals).reports
    }

    /// What became of those who came to it.
    pub fn tally(&self) -> &Arc<Tally> {
        &self.room.as_ref().map_or(&self.shared.gate, |room| &room.gate).tally
    }

    /// Where it listens.
    pub fn local_address(&self) -> SocketAddr {
        self.shared.local_address()
    }

    /// Appends what was reported since the last call, by all its links in order.
    ///
    /// An owner that calls this in a tight loop while messages come and go runs the I/O thread's work in
    /// here.
    pub fn take_events(&mut self, events: &mut Vec<ListenerEvent>) {
        let is_filled = self.reports().is_filled();
        self.driver.poll(is_filled);
        let mut taken = std::mem::take(&mut self.taken);
        self.reports().take(&mut taken);
        if !taken.is_empty() {
            self.driver.pace.took(taken.len());
            events.extend(taken.drain(..).map(|arrival| self.show(arrival)));
            taken.shrink_to(KEPT_REPORTS);
        }
        self.taken = taken;
    }

    /// Lets in a connection that somebody else has accepted, as if it had come in here: `from` is its other end. It begins with the
    /// request, without TLS and PROXY header of its own.
    pub fn adopt(&self, socket: PipeSocket, from: Endpoint) {
        let id = next_id();
        socket.attach(Arc::clone(&self.driving) as _, LinkId(id));
        let listener = self.shared.id;
        self.driving.push(Command::Adopt { listener, id, socket: Box::new(socket), from });
    }

    fn show(&self, arrival: Arrival) -> ListenerEvent {
        match arrival {
            Arrival::Link(link, event) => ListenerEvent::Link(link, event),
            Arrival::Asked { asked, .. } => ListenerEvent::Asked(asked),
            Arrival::Over(link) => ListenerEvent::Over(link),
            Arrival::Accepted(newcomer) => {
                let Newcomer { claim, client, opened, tag, reports, .. } = *newcomer;
                ListenerEvent::Accepted(Link::accepted(claim, reports, &self.driving), client, opened, tag)
            }
        }
    }

    /// Stops or resumes accepting; connections wait in the kernel's backlog meanwhile.
    /// A room answers instead that the server is full.
    pub fn set_accepting(&self, accepting: bool) {
        if let Some(room) = &self.room {
            room.set_accepting(accepting);
        } else if self.shared.set_accepting(accepting) {
            self.driving.push(Command::ResumeAccepting(self.shared.id));
        }
    }

    /// Whether it listens with TLS.
    pub fn is_tls(&self) -> bool {
        self.shared.is_tls()
    }

    /// Exchanges a certificate for TLS handshakes to come; without TLS nothing happens. Live connections, and the tickets
    /// with which clients resume their sessions, stay.
    pub fn change_certificate(&self, change: CertificateChange) {
        self.shared.change_certificate(change);
    }

    /// Changes what connections accepted from now on are told.
    /// Those of a room are told what its listener says.
    pub fn set_link_options(&self, options: LinkOptions) {
        if self.room.is_none() {
            self.shared.set_link_options(options);
        }
    }

    /// Changes whom it lets in, for every request whose head is not complete.
    /// A room has limits and origins of its own, which count beside those of its listener; everything else is that one's to say.
    pub fn set_admission(&self, admission: Admission) {
        if let Some(room) = &self.room {
            return room.set_admission(admission);
        }
        self.shared.set_admission(admission);
        self.driving.push(Command::ResumeAccepting(self.shared.id)); // `max_pending` may have grown
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(room) = &self.room {
            self.shared.remove_room(room);
            room.arrivals.reports.close();
            return;
        }
        // The port is free when this returns; the I/O thread only holds this lock for one accept at a time.
        self.shared.close_socket();
        // Reports may hold connections, which hold the mailbox: without this neither would ever go.
        self.shared.arrivals.reports.close();
        self.driving.push(Command::CloseListener(self.shared.id));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{IpAddr, Ipv4Addr},
        sync::atomic::{AtomicBool, Ordering},
    };

    use bytes::Bytes;
    use rust_websocket_proto::{ClientRequest, Closed, Event, MessageKind, Random, Target};

    use super::*;
    use crate::rooms::Reporting;
    use rust_websocket_proto::ReceiveLimits;

    /// Stands for a bug: panics on the I/O thread once it is armed.
    #[derive(Default)]
    struct Mine(AtomicBool);

    impl Random for Mine {
        fn fill(&self, buffer: &mut [u8]) {
            assert!(!self.0.load(Ordering::Relaxed), "a bug on one connection");
            SystemRandom.fill(buffer);
        }
    }

    fn options() -> LinkOptions {
        LinkOptions {
            config: Arc::default(),
            send_limits: SendLimits { bytes: 0, messages: 0 },
            receive_limits: ReceiveLimits { bytes: usize::MAX, messages: usize::MAX },
            no_delay: true,
            way: None,
            trace: None,
        }
    }

    fn next_event(link: &mut Link) -> Event {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let mut events = Vec::new();
            link.take_events(&mut events);
            for event in events {
                if let LinkEvent::Protocol(event) = event {
                    return event;
                }
            }
            assert!(Instant::now() < deadline, "nothing was reported");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_panic_ends_its_connection_and_no_other() {
        let mut listener = Listener::bind(ListenOptions {
            address: Some(IpAddr::V4(Ipv4Addr::LOCALHOST).into()),
            port: 0,
            link: options(),
            tls: None,
            admission: Admission::default(),
            reporting: Reporting::Together,
        })
        .unwrap();
        let url = format!("ws://{}/", listener.local_address());
        let request = || ClientRequest { target: Target::parse(&url).unwrap() };
        let mine = Arc::new(Mine::default());
        let mut doomed = Link::connect_with(&request(), None, options(), mine.clone());
        let mut healthy = Link::connect(request(), options());
        assert!(matches!(next_event(&mut doomed), Event::Opened(_)));
        assert!(matches!(next_event(&mut healthy), Event::Opened(_)));

        mine.0.store(true, Ordering::Relaxed);
        // Masks may come from a supply; it runs out.
        for _ in 0..10_000 {
            _ = doomed.push(MessageKind::Binary, Bytes::new(), How::Now);
        }
        let Event::Closed(Closed { cause, .. }) = next_event(&mut doomed) else { panic!("expected the end") };
        assert!(cause.to_string().contains("internal error"), "{cause}");
        assert!(doomed.push(MessageKind::Binary, Bytes::new(), How::Now).is_err());

        let mut accepted = Vec::new();
        let mut events = Vec::new();
        listener.take_events(&mut events);
        for event in events {
            if let ListenerEvent::Accepted(link, ..) = event {
                accepted.push(link);
            }
        }
        for link in &accepted {
            _ = link.push(MessageKind::Text, Bytes::from_static(b"alive"), How::Now);
        }
        assert!(matches!(next_event(&mut healthy), Event::Message(message) if message.payload == "alive"));
    }
}
