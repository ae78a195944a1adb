//! The I/O thread: waits for sockets, orders and deadlines, and lets each connection work.

use std::{
    collections::BTreeSet,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Registry, Token, Waker, event::Source, net::TcpStream};
use rust_websocket_proto::Compressor;

use crate::{
    conn::Conn,
    ids::IdMap,
    listener::{Accepted, Acceptor},
    orders::Orders,
    queues::{Command, ReactorHandle, Shared, discard, lock},
    ready::ReadyList,
    resolve::{Asker, Resolution, Resolver},
    tls::TlsSession,
    transport::Transport,
    wire::Readiness,
};

/// The waker's token; links, listeners and sockets are numbered from 1.
const WAKER: Token = Token(0);

const EVENTS_PER_POLL: usize = 1024;

/// Read buffer shared by all connections.
const SCRATCH: usize = 64 * 1024;

/// What a connection works with during one turn.
pub(crate) struct Turn<'a> {
    pub(crate) now: Instant,
    /// Empty; for taking orders without an allocation each time.
    pub(crate) orders: &'a mut Orders,
    pub(crate) scratch: &'a mut [u8],
    /// Shared by all connections, so that a broadcast is compressed once.
    pub(crate) compressor: &'a mut Compressor,
    pub(crate) sockets: &'a mut Sockets<'a>,
}

/// Registers the sockets of one connection or listener.
pub(crate) struct Sockets<'a> {
    id: usize,
    registry: &'a Registry,
    owners: &'a mut IdMap<Token, usize>,
    reactor: &'a ReactorHandle,
}

impl Sockets<'_> {
    pub(crate) fn register(&mut self, stream: &mut TcpStream) -> io::Result<Token> {
        self.register_for(stream, Interest::READABLE | Interest::WRITABLE)
    }

    fn register_for(&mut self, source: &mut impl Source, interest: Interest) -> io::Result<Token> {
        let token = Token(self.reactor.next_id());
        self.registry.register(source, token, interest)?;
        self.owners.insert(token, self.id);
        Ok(token)
    }

    /// Changes what the kernel tells of; it tells again what is there.
    pub(crate) fn change_interest(
        &mut self,
        token: Token,
        stream: &mut TcpStream,
        interest: Interest,
    ) -> io::Result<()> {
        self.registry.reregister(stream, token, interest)
    }

    pub(crate) fn forget(&mut self, token: Token, stream: &mut TcpStream) {
        // Closing the socket, which follows, removes it from the poll anyway.
        _ = self.registry.deregister(stream);
        self.owners.remove(&token);
    }
}

/// A connection with its place in the reactor's tables.
struct Entry {
    conn: Arc<Mutex<Conn>>,
    /// What the kernel has said since its last turn.
    readiness: Readiness,
    /// Its next input begins a TLS handshake.
    begins_tls: bool,
    armed: Option<Instant>,
}

impl Entry {
    fn new(conn: Arc<Mutex<Conn>>) -> Self {
        Self { conn, readiness: Readiness::default(), begins_tls: false, armed: None }
    }
}

/// How a connection stands after its turn.
struct Standing {
    /// It can do more, but others should come first.
    more: bool,
    is_done: bool,
    begins_tls: bool,
    deadline: Option<Instant>,
    /// The listener of a newcomer that is none any more.
    settled_at: Option<usize>,
}

pub(crate) struct Reactor {
    poll: Poll,
    handle: ReactorHandle,
    conns: IdMap<usize, Entry>,
    acceptors: IdMap<usize, Acceptor>,
    /// Whose socket a token is: a link's or a listener's number.
    owners: IdMap<Token, usize>,
    deadlines: BTreeSet<(Instant, usize)>,
    /// Who has something to do now; edge-triggered readiness is not told twice.
    ready: ReadyList,
    resolver: Resolver,
    commands: Vec<Command>,
    orders: Orders,
    scratch: Box<[u8]>,
    compressor: Compressor,
    running: bool,
}

impl Reactor {
    pub(crate) fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        Ok(Self {
            poll,
            handle: ReactorHandle::new(waker, WAKER.0 + 1),
            conns: IdMap::default(),
            acceptors: IdMap::default(),
            owners: IdMap::default(),
            deadlines: BTreeSet::new(),
            ready: ReadyList::default(),
            resolver: Resolver::default(),
            commands: Vec::new(),
            orders: Orders::default(),
            scratch: vec![0; SCRATCH].into_boxed_slice(),
            compressor: Compressor::default(),
            running: true,
        })
    }

    pub(crate) fn handle(&self) -> ReactorHandle {
        self.handle.clone()
    }

    /// The thread's body. A bug that escapes the fence around each connection ends all of them, cleanly. Returns the
    /// threads of name lookups, which nobody can end.
    pub(crate) fn run(mut self) -> Vec<JoinHandle<()>> {
        let mut events = Events::with_capacity(EVENTS_PER_POLL);
        while self.running {
            if catch_unwind(AssertUnwindSafe(|| self.turn(&mut events))).is_err() {
                self.running = false;
            }
        }
        self.finish();
        self.resolver.stop()
    }

    fn turn(&mut self, events: &mut Events) {
        let mut patience = self.time_to_wait();
        if patience != Some(Duration::ZERO) && !self.handle.fall_asleep() {
            patience = Some(Duration::ZERO);
        }
        let polled = self.poll.poll(events, patience);
        self.handle.awake();
        match polled {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return,
            Err(_) => {
                // The poll itself is broken: nothing can be driven any more.
                self.running = false;
                return;
            }
        }
        self.handle_events(events);
        self.handle_commands();
        self.expire_deadlines();
        for _ in 0..self.ready.len() {
            let Some(id) = self.ready.pop() else { break };
            self.work(id);
        }
        if let Some(id) = self.ready.pop_slow() {
            self.work(id);
        }
        self.compressor.release();
        if self.conns.is_empty() {
            self.compressor.clear();
        }
    }

    fn time_to_wait(&self) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let (deadline, _) = self.deadlines.first()?;
        // Rounded up: epoll counts milliseconds, and a wait that ends early would only have to be repeated.
        Some(deadline.saturating_duration_since(Instant::now()) + Duration::from_micros(999))
    }

    fn handle_events(&mut self, events: &Events) {
        for event in events {
            let Some(&id) = self.owners.get(&event.token()) else { continue };
            if let Some(entry) = self.conns.get_mut(&id) {
                entry.readiness += Readiness {
                    readable: event.is_readable(),
                    writable: event.is_writable() || event.is_write_closed(),
                    is_ending: event.is_read_closed() || event.is_error(),
                };
                if entry.begins_tls {
                    self.ready.push_slow(id);
                    continue;
                }
            } else if let Some(acceptor) = self.acceptors.get_mut(&id) {
                acceptor.handle_readiness();
            }
            self.ready.push(id);
        }
    }

    fn handle_commands(&mut self) {
        let mut commands = std::mem::take(&mut self.commands);
        self.handle.take(&mut commands);
        for command in commands.drain(..) {
            self.handle_command(command);
        }
        self.commands = commands;
    }

    fn handle_command(&mut self, command: Command) {
        match command {
            Command::Attend(link) => self.ready.push(link.0),
            Command::AttendAll(links) => links.into_iter().for_each(|link| self.ready.push(link.0)),
            Command::Connect(conn, host, port) => self.connect(conn, &host, port),
            Command::LookUp(asker, host, port) => self.resolver.start(asker, &host, port, &self.handle),
            Command::Resolved(asker, resolution) => {
                self.resolver.ended(&self.handle);
                self.handle_resolution(asker, resolution);
            }
            Command::Listen(acceptor) => self.listen(acceptor),
            Command::ResumeAccepting(id) => self.ready.push(id),
            Command::CloseListener(id) => self.close_listener(id),
            Command::Shutdown => self.running = false,
        }
    }

    fn connect(&mut self, conn: Arc<Mutex<Conn>>, host: &str, port: u16) {
        let link = lock(&conn).shared().id;
        match Resolver::literal(host, port) {
            Some(addresses) => lock(&conn).handle_resolution(Ok(addresses), Instant::now()),
            None => self.resolver.start(Asker::Link(link), host, port, &self.handle),
        }
        self.conns.insert(link.0, Entry::new(conn));
        self.ready.push(link.0);
    }

    fn handle_resolution(&mut self, asker: Asker, resolution: Resolution) {
        match asker {
            Asker::Link(link) => {
                self.with_conn(link.0, |conn, turn| conn.handle_resolution(resolution, turn.now));
                self.ready.push(link.0);
            }
            Asker::Lookup(answer) => {
                if let Some(answer) = answer.upgrade() {
                    _ = answer.set(resolution); // only one is ever sought
                }
            }
        }
    }

    fn listen(&mut self, mut acceptor: Acceptor) {
        let id = acceptor.id();
        let mut sockets =
            Sockets { id, registry: self.poll.registry(), owners: &mut self.owners, reactor: &self.handle };
        let shared = acceptor.shared.clone();
        let registered = shared.with_socket(|socket| sockets.register_for(socket, Interest::READABLE));
        match registered {
            Some(Ok(token)) => {
                acceptor.token = Some(token);
                self.acceptors.insert(id, acceptor);
                self.ready.push(id);
            }
            // The kernel is out of memory: better nobody gets in than that they wait for an answer.
            Some(Err(_)) => shared.close_socket(),
            None => {} // closed already
        }
    }

    fn close_listener(&mut self, id: usize) {
        if let Some(acceptor) = self.acceptors.remove(&id) {
            if let Some(token) = acceptor.token {
                self.owners.remove(&token);
            }
            self.deadlines.retain(|(_, whose)| *whose != id);
        }
        let newcomers: Vec<usize> = self
            .conns
            .iter()
            .filter(|(_, entry)| lock(&entry.conn).newcomer_of() == Some(id))
            .map(|(link, _)| *link)
            .collect();
        for link in newcomers {
            self.with_conn(link, |conn, turn| conn.end(turn.sockets));
            self.remove(link);
        }
    }

    fn expire_deadlines(&mut self) {
        let now = Instant::now();
        while let Some(&(deadline, id)) = self.deadlines.first() {
            if deadline > now {
                return;
            }
            self.deadlines.pop_first();
            if let Some(entry) = self.conns.get_mut(&id) {
                entry.armed = None;
            }
            self.ready.push(id);
        }
    }

    /// Lets a connection or listener do what it can.
    fn work(&mut self, id: usize) {
        if self.acceptors.contains_key(&id) {
            self.accept(id);
            return;
        }
        let Some(entry) = self.conns.get_mut(&id) else { return };
        let readiness = std::mem::take(&mut entry.readiness);
        let standing = self.with_conn(id, |conn, turn| {
            let newcomer_of = conn.newcomer_of();
            let worked = catch_unwind(AssertUnwindSafe(|| conn.work(readiness, turn)));
            let more = worked.unwrap_or_else(|_| {
                conn.fail(turn.sockets);
                false
            });
            Standing {
                more,
                is_done: conn.is_done(),
                begins_tls: conn.begins_tls(),
                deadline: conn.next_deadline(),
                settled_at: newcomer_of.filter(|_| conn.newcomer_of().is_none()),
            }
        });
        if let Some(standing) = standing {
            self.settle(id, &standing);
        }
    }

    /// Updates the tables after a connection has worked.
    fn settle(&mut self, id: usize, standing: &Standing) {
        if let Some(acceptor) = standing.settled_at.and_then(|listener| self.acceptors.get_mut(&listener)) {
            acceptor.newcomer_settled();
            self.ready.push(acceptor.id());
        }
        if standing.is_done {
            self.remove(id);
            return;
        }
        let Some(entry) = self.conns.get_mut(&id) else { return };
        entry.begins_tls = standing.begins_tls;
        if standing.deadline != entry.armed {
            if let Some(armed) = entry.armed {
                self.deadlines.remove(&(armed, id));
            }
            if let Some(deadline) = standing.deadline {
                self.deadlines.insert((deadline, id));
            }
            entry.armed = standing.deadline;
        }
        if standing.more {
            self.ready.push(id);
        }
    }

    fn remove(&mut self, id: usize) {
        self.resolver.forget(id);
        if let Some(armed) = self.conns.remove(&id).and_then(|entry| entry.armed) {
            self.deadlines.remove(&(armed, id));
        }
    }

    fn accept(&mut self, id: usize) {
        let now = Instant::now();
        for taken in 0.. {
            let Some(acceptor) = self.acceptors.get_mut(&id) else { return };
            match acceptor.accept(taken, now) {
                Accepted::Stream(stream, address) => self.welcome(id, stream, address),
                Accepted::TurnOver => {
                    self.ready.push(id);
                    return;
                }
                Accepted::Nothing => {
                    if let Some(deadline) = acceptor.next_deadline() {
                        self.deadlines.insert((deadline, id));
                    }
                    return;
                }
            }
        }
    }

    fn welcome(&mut self, listener: usize, mut stream: TcpStream, address: std::net::SocketAddr) {
        let Some(acceptor) = self.acceptors.get_mut(&listener) else { return };
        let options = acceptor.link_options();
        let id = self.handle.next_id();
        let mut sockets =
            Sockets { id, registry: self.poll.registry(), owners: &mut self.owners, reactor: &self.handle };
        let Ok(token) = sockets.register(&mut stream) else {
            acceptor.newcomer_settled();
            return;
        };
        let session = acceptor.shared.tls.as_ref().map(TlsSession::server).transpose();
        let Ok(session) = session else {
            sockets.forget(token, &mut stream);
            acceptor.newcomer_settled();
            return;
        };
        let transport = Transport::new(stream, session);
        let shared = Arc::new(Shared::new(id, self.handle.clone(), &options));
        let conn = Conn::newcomer(transport, token, address, shared, acceptor.shared.clone(), options);
        let begins_tls = conn.begins_tls();
        let entry = Entry { begins_tls, ..Entry::new(Arc::new(Mutex::new(conn))) };
        self.conns.insert(id, entry);
        if begins_tls {
            self.ready.push_slow(id);
        } else {
            self.ready.push(id);
        }
    }

    /// Runs `operation` on a connection with what it needs.
    fn with_conn<T>(
        &mut self,
        id: usize,
        operation: impl FnOnce(&mut Conn, &mut Turn<'_>) -> T,
    ) -> Option<T> {
        let entry = self.conns.get(&id)?;
        let mut sockets =
            Sockets { id, registry: self.poll.registry(), owners: &mut self.owners, reactor: &self.handle };
        let mut conn = entry.conn.lock().unwrap_or_else(|poisoned| {
            // The owner's thread met a bug in the middle of its work.
            entry.conn.clear_poison();
            let mut conn = poisoned.into_inner();
            conn.fail(&mut sockets);
            conn
        });
        let mut turn = Turn {
            now: Instant::now(),
            orders: &mut self.orders,
            scratch: &mut self.scratch,
            compressor: &mut self.compressor,
            sockets: &mut sockets,
        };
        Some(operation(&mut conn, &mut turn))
    }

    /// One non-blocking pass over what is still to be written; nobody waits.
    fn finish(&mut self) {
        for command in self.handle.stop() {
            match command {
                // Orders given before the shutdown are still carried out below.
                Command::Attend(_) | Command::AttendAll(_) => {}
                other => discard(other),
            }
        }
        let links: Vec<usize> = self.conns.keys().copied().collect();
        for id in links {
            _ = catch_unwind(AssertUnwindSafe(|| self.with_conn(id, |conn, turn| conn.finish_now(turn))));
        }
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
    use crate::{
        How, Link, LinkEvent, LinkOptions, ListenOptions, Listener, ListenerEvent, ReceiveLimits, SendLimits,
        SystemRandom,
    };

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
        }
    }

    fn next_event(link: &Link) -> Event {
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
        panic_while(|link| _ = link.push(MessageKind::Binary, Bytes::new(), How::Now));
    }

    #[test]
    fn so_does_a_panic_on_the_owner_s_thread() {
        panic_while(|link| _ = link.push(MessageKind::Binary, Bytes::new(), How::Here));
    }

    fn panic_while(sending: impl Fn(&Link)) {
        let listener = Listener::bind(ListenOptions {
            address: Some(IpAddr::V4(Ipv4Addr::LOCALHOST).into()),
            port: 0,
            link: options(),
            tls: None,
        })
        .unwrap();
        let url = format!("ws://{}/", listener.local_address());
        let request = || ClientRequest { target: Target::parse(&url).unwrap() };
        let mine = Arc::new(Mine::default());
        let doomed = Link::connect_with(request(), None, options(), mine.clone());
        let healthy = Link::connect(request(), options());
        assert!(matches!(next_event(&doomed), Event::Opened(_)));
        assert!(matches!(next_event(&healthy), Event::Opened(_)));

        mine.0.store(true, Ordering::Relaxed);
        // Masks may come from a supply; it runs out.
        for _ in 0..10_000 {
            sending(&doomed);
        }
        let Event::Closed(Closed { cause, .. }) = next_event(&doomed) else { panic!("expected the end") };
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
        assert!(matches!(next_event(&healthy), Event::Message(message) if message.payload == "alive"));
    }
}
