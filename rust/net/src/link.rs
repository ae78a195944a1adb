//! The handles that the calling side holds.

use std::{
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use mio::net::TcpListener;
use rust_websocket_proto::{
    ClientRequest, CloseCause, Closed, Config, Event, MessageKind, Opened, Random, SendError,
};

use crate::{
    ClientTls, Counters, ReceiveLimits, SendLimits, ServerTls, SystemRandom,
    conn::Conn,
    listener::{Acceptor, ListenError, ListenOptions, bind},
    orders::Order,
    queues::{Command, How, Mailbox, ReactorHandle, Shared, lock},
    thread,
};

/// What a thread reads of a connection at once, without the I/O thread.
const READ_AT_ONCE: usize = 4096;

/// Everything a new connection is told.
#[derive(Debug, Clone)]
pub struct LinkOptions {
    /// Protocol limits, timeouts, handshake contents; shared by the connections of a listener.
    pub config: Arc<Config>,
    /// Outbound limits; can be changed later.
    pub send_limits: SendLimits,
    /// Inbound limits; fixed.
    pub receive_limits: ReceiveLimits,
    /// TCP_NODELAY.
    pub no_delay: bool,
}

/// Names a link within the process; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(pub usize);

/// What a link reports.
#[derive(Debug)]
pub enum LinkEvent {
    /// The TCP connection stands; the other side's address.
    Connected(SocketAddr),
    /// From the protocol.
    Protocol(Event),
}

impl LinkEvent {
    /// The other side's address, if that is what it tells.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Connected(address) => Some(*address),
            Self::Protocol(_) => None,
        }
    }
}

/// What a listener reports.
#[derive(Debug)]
pub enum ListenerEvent<L = Link> {
    /// A newcomer completed its upgrade; its later events follow as [`ListenerEvent::Link`]. Dropping the link
    /// turns the newcomer away.
    Accepted(L, SocketAddr, Opened),
    /// Something happened on one of its links.
    Link(LinkId, Event),
}

/// One connection, as its owner holds it.
///
/// Dropping it is leaving: what was accepted is still offered to the kernel, and a close handshake that has begun is
/// completed by the I/O thread.
#[derive(Debug)]
pub struct Link {
    shared: Arc<Shared>,
    /// Of a client; an accepted link reports through its listener.
    client: Option<ClientEnd>,
}

#[derive(Debug)]
struct ClientEnd {
    reports: Arc<Mailbox<LinkEvent>>,
    /// For what the owner's thread does at once; `None` without an I/O thread. It is only ever tried, never waited for.
    conn: Option<Arc<Mutex<Conn>>>,
}

impl Link {
    /// Starts connecting. Failures, also those of starting the I/O thread, come as [`Event::Closed`].
    pub fn connect(request: ClientRequest, options: LinkOptions) -> Self {
        Self::connect_with(request, None, options, Arc::new(SystemRandom))
    }

    /// Like [`connect`](Self::connect), with what a `wss://` URL needs.
    pub fn connect_tls(request: ClientRequest, tls: ClientTls, options: LinkOptions) -> Self {
        Self::connect_with(request, Some(tls), options, Arc::new(SystemRandom))
    }

    pub(crate) fn connect_with(
        request: ClientRequest,
        tls: Option<ClientTls>,
        options: LinkOptions,
        random: Arc<dyn Random>,
    ) -> Self {
        let reports = Arc::new(Mailbox::default());
        match thread::running() {
            Ok(reactor) => {
                let shared = Arc::new(Shared::new(reactor.next_id(), reactor, &options));
                let host = request.target.lookup_name();
                let port = request.target.port;
                let conn = Conn::client(shared.clone(), reports.clone(), request, tls, options, random);
                let conn = Arc::new(Mutex::new(conn));
                shared.reactor.push(Command::Connect(conn.clone(), host, port));
                Self { shared, client: Some(ClientEnd { reports, conn: Some(conn) }) }
            }
            Err(error) => {
                let cause = CloseCause::TransportLost(format!("the I/O thread did not start: {error}"));
                reports.push(LinkEvent::Protocol(Event::Closed(Closed {
                    code: None,
                    reason: String::new(),
                    cause,
                })));
                let shared = Shared::new(0, ReactorHandle::stopped(), &options);
                Self { shared: Arc::new(shared), client: Some(ClientEnd { reports, conn: None }) }
            }
        }
    }

    /// The link of an accepted connection, which reports through its listener.
    pub(crate) fn accepted(shared: Arc<Shared>) -> Self {
        Self { shared, client: None }
    }

    /// Its name.
    pub fn id(&self) -> LinkId {
        self.shared.id
    }

    /// Accepts a message; `how` says how the I/O thread comes to know of it.
    ///
    /// # Errors
    /// [`SendError::BufferFull`] when the limits are reached (the refusal is counted), [`SendError::NotOpen`] once this
    /// side has closed or the connection has ended. Nothing is queued then.
    pub fn push(&self, kind: MessageKind, payload: Bytes, how: How<'_>) -> Result<(), SendError> {
        let pushed = match how {
            How::Here => self.push_here(kind, payload),
            how => self.shared.push(kind, payload, how),
        };
        if matches!(pushed, Err(SendError::BufferFull)) {
            self.shared.counters.send_refused();
        }
        pushed
    }

    fn push_here(&self, kind: MessageKind, payload: Bytes) -> Result<(), SendError> {
        let mut payload = Some(payload);
        let mut result = Ok(());
        self.at_once(|conn| {
            if !conn.can_write_at_once() {
                return false;
            }
            match self.shared.queue_send(kind, payload.take().unwrap_or_default()) {
                // The I/O thread is told already when there is more.
                Ok(is_first) => is_first && conn.write_at_once(Instant::now()),
                Err(error) => {
                    result = Err(error);
                    false
                }
            }
        });
        match payload {
            Some(payload) => self.shared.push(kind, payload, How::Now),
            None => result,
        }
    }

    /// For an owner that polls in a tight loop, before [`take_events`](Self::take_events): this thread does what the I/O thread
    /// would do, as far as it can be done without waiting.
    pub fn drive(&self) {
        if self.client.as_ref().is_some_and(|client| client.reports.is_filled()) {
            return;
        }
        self.at_once(|conn| conn.read_at_once(&mut [0; READ_AT_ONCE], Instant::now()));
    }

    /// No more calls of [`drive`](Self::drive) follow for now. Without this the I/O thread finds out by itself after a few
    /// milliseconds.
    pub fn stop_driving(&self) {
        self.at_once(|conn| conn.leave_reading(Instant::now()));
    }

    /// Runs `work` on the connection unless the I/O thread has it, and asks that thread to go on if `work` says so.
    fn at_once(&self, work: impl FnOnce(&mut Conn) -> bool) {
        let Some(conn) = self.client.as_ref().and_then(|client| client.conn.as_ref()) else { return };
        let worked = catch_unwind(AssertUnwindSafe(|| match conn.try_lock() {
            Ok(mut conn) => work(&mut conn),
            Err(_) => false,
        }));
        // After a panic the lock is poisoned: the I/O thread ends the connection.
        if worked.unwrap_or(true) {
            self.shared.attend();
        }
    }

    /// Starts the close handshake after what was sent (RFC 6455 section 7.1.2); code 0 sends none.
    pub fn close(&self, code: u16, reason: &str) {
        self.shared.order_last(Order::Close(code, reason.to_owned()));
    }

    /// Leaves without a close frame (the engine's `close(-1)`): what was accepted goes out, then FIN.
    pub fn leave(&self) {
        self.shared.order_last(Order::Leave);
    }

    /// Appends what was reported since the last call. Links of a listener report through
    /// [`Listener::take_events`] instead.
    pub fn take_events(&self, events: &mut Vec<LinkEvent>) {
        if let Some(client) = &self.client {
            client.reports.take(events);
        }
    }

    /// The owner has taken a message of `bytes` payload bytes out of its queue: room for another.
    pub fn consumed(&self, bytes: usize) {
        if self.shared.receiving.consumed(bytes) {
            self.shared.order(Order::Resume);
        }
    }

    /// Changes the outbound limits at once.
    pub fn set_send_limits(&self, limits: SendLimits) {
        self.shared.set_send_limits(limits);
    }

    /// Changes the heartbeat at once; `None` turns it off.
    pub fn set_heartbeat_interval(&self, interval: Option<Duration>) {
        self.shared.order(Order::SetHeartbeatInterval(interval));
    }

    /// Changes how long a close handshake that begins after this call may take.
    pub fn set_close_timeout(&self, timeout: Duration) {
        self.shared.order(Order::SetCloseTimeout(timeout));
    }

    /// Changes TCP_NODELAY.
    pub fn set_no_delay(&self, enabled: bool) {
        self.shared.order(Order::SetNoDelay(enabled));
    }

    /// Between the last answered ping of the heartbeat and its pong. A live value.
    pub fn round_trip_time(&self) -> Option<Duration> {
        self.shared.round_trip_time()
    }

    /// What this connection has carried. The counts stay readable after the link is gone; what was sent since this call is in
    /// them after the next, or when the link goes.
    pub fn counters(&self) -> &Arc<Counters> {
        self.shared.count_sent();
        &self.shared.counters
    }

    /// For those who send to many links at once.
    pub fn outbox(&self) -> Outbox {
        Outbox(Arc::clone(&self.shared))
    }

    /// Payload bytes accepted and not yet taken by the kernel. A live value.
    pub fn buffered_amount(&self) -> usize {
        self.shared.held_bytes()
    }
}

/// The part of a link that accepts messages, for those who send copies of one to many. It knows nothing but where the
/// link keeps what that touches, and keeps no connection alive.
#[derive(Debug, Clone)]
pub struct Outbox(Arc<Shared>);

impl Outbox {
    /// Has the processor fetch what [`push`](Self::push) touches. A message to many links waits for each one's memory in turn,
    /// since taking a lock lets nothing overtake it; looking at all of them before lets these waits overlap.
    pub fn prefetch(&self) {
        self.0.fetch();
    }

    /// Like [`Link::push`], but a refusal is not counted: who sends copies asks again through the link, which says why. Here
    /// [`How::Here`] is [`How::Now`].
    ///
    /// # Errors
    /// As there.
    pub fn push(&self, kind: MessageKind, payload: &Bytes, how: How<'_>) -> Result<(), SendError> {
        self.0.push(kind, payload.clone(), how)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shared.count_sent();
        self.shared.order(Order::Abandon);
    }
}

/// A listening socket and the connections that come in through it. Dropping it closes the socket at once and turns
/// away newcomers that have not completed their upgrade; accepted links live on.
#[derive(Debug)]
pub struct Listener {
    shared: Arc<ListenerShared>,
}

impl Listener {
    /// Listens.
    ///
    /// # Errors
    /// See [`ListenError`]; nothing is open then.
    pub fn bind(options: ListenOptions) -> Result<Self, ListenError> {
        let reactor = thread::running().map_err(ListenError::Other)?;
        let (socket, local_address) = bind(options.address, options.port)?;
        let shared = Arc::new(ListenerShared {
            id: reactor.next_id(),
            reactor,
            local_address,
            socket: Mutex::new(Some(socket)),
            accepting: AtomicBool::new(true),
            unseen: AtomicUsize::new(0),
            held_back: AtomicBool::new(false),
            link_options: Mutex::new(options.link),
            tls: options.tls,
            reports: Mailbox::default(),
        });
        shared.reactor.push(Command::Listen(Acceptor::new(shared.clone())));
        Ok(Self { shared })
    }

    /// Where it listens.
    pub fn local_address(&self) -> SocketAddr {
        self.shared.local_address
    }

    /// Appends what was reported since the last call, by all its links in order.
    pub fn take_events(&self, events: &mut Vec<ListenerEvent>) {
        let before = events.len();
        self.shared.reports.take(events);
        let accepted = |event: &&ListenerEvent| matches!(event, ListenerEvent::Accepted(..));
        let seen = events.get(before..).unwrap_or_default().iter().filter(accepted).count();
        if seen > 0 {
            self.shared.seen(seen);
        }
    }

    /// As [`Link::drive`].
    pub fn drive(&self) {}

    /// As [`Link::stop_driving`].
    pub fn stop_driving(&self) {}

    /// Stops or resumes accepting; newcomers wait in the kernel's backlog meanwhile.
    pub fn set_accepting(&self, accepting: bool) {
        if self.shared.accepting.swap(accepting, Ordering::AcqRel) != accepting && accepting {
            self.shared.reactor.push(Command::ResumeAccepting(self.shared.id));
        }
    }

    /// Changes what connections accepted from now on are told.
    pub fn set_link_options(&self, options: LinkOptions) {
        *lock(&self.shared.link_options) = options;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // The port is free when this returns; the I/O thread only holds this lock for one accept at a time.
        self.shared.close_socket();
        // Reports may hold links, whose connections hold the mailbox: without this neither would ever go.
        self.shared.reports.close();
        self.shared.reactor.push(Command::CloseListener(self.shared.id));
    }
}

/// What a [`Listener`] and its [`Acceptor`] share.
#[derive(Debug)]
pub(crate) struct ListenerShared {
    pub(crate) id: usize,
    pub(crate) reactor: ReactorHandle,
    local_address: SocketAddr,
    socket: Mutex<Option<TcpListener>>,
    accepting: AtomicBool,
    /// Newcomers reported and not taken.
    unseen: AtomicUsize,
    /// The acceptor waits until some are taken.
    held_back: AtomicBool,
    link_options: Mutex<LinkOptions>,
    pub(crate) tls: Option<ServerTls>,
    pub(crate) reports: Mailbox<ListenerEvent>,
}

impl ListenerShared {
    /// Runs `operation` on the socket unless it is closed.
    pub(crate) fn with_socket<T>(&self, operation: impl FnOnce(&mut TcpListener) -> T) -> Option<T> {
        lock(&self.socket).as_mut().map(operation)
    }

    pub(crate) fn is_accepting(&self) -> bool {
        self.accepting.load(Ordering::Acquire)
    }

    /// Reports a newcomer that has completed its upgrade.
    pub(crate) fn report_accepted(&self, link: Link, address: SocketAddr, opened: Opened) {
        self.unseen.fetch_add(1, Ordering::SeqCst);
        self.reports.push(ListenerEvent::Accepted(link, address, opened));
    }

    pub(crate) fn unseen(&self) -> usize {
        self.unseen.load(Ordering::SeqCst)
    }

    /// Announces that accepting stops until newcomers are taken; false if some have been meanwhile.
    pub(crate) fn hold_back(&self) -> bool {
        let unseen = self.unseen();
        self.held_back.store(true, Ordering::SeqCst);
        self.unseen() >= unseen
    }

    /// The owner has taken that many newcomers.
    fn seen(&self, count: usize) {
        self.unseen.fetch_sub(count, Ordering::SeqCst);
        if self.held_back.swap(false, Ordering::SeqCst) {
            self.reactor.push(Command::ResumeAccepting(self.id));
        }
    }

    /// Newcomers are refused from now on.
    pub(crate) fn close_socket(&self) {
        drop(lock(&self.socket).take());
    }

    pub(crate) fn link_options(&self) -> LinkOptions {
        lock(&self.link_options).clone()
    }
}
