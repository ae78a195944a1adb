//! The loop over everything: waits for sockets, commands and deadlines, and lets each connection work. The
//! only room that knows connections and listeners both.

mod commands;
mod newcomers;
mod short_turn;
mod watching;

use std::{
    collections::{BTreeSet, VecDeque},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, Waker};
use rust_websocket_proto::{
    Budget, Compressor,
    admission::{AddressKey, Endpoint},
};

use crate::{
    conn::{Conn, Cost, Turn},
    ids::IdMap,
    listener::{Accepted, Acceptor},
    notices::{NoticeCause, say},
    outages::Outages,
    ready::{Handshake, ReadyList},
    seam::{Commands, LinkId, Order, Runner, Shared, Wakeup, io_thread_worked, next_id},
    socket::{Socket, Sockets},
    wire::Readiness,
};

pub(crate) use commands::{Command, Copies};

/// The waker's token; links, listeners and sockets are numbered from 1.
const WAKER: Token = Token(0);

const EVENTS_PER_POLL: usize = 1024;

/// So many commands do not have to allocate.
const KEPT_COMMANDS: usize = 1024;

/// Read buffer shared by all connections.
const SCRATCH: usize = 64 * 1024;

/// What all connections that have something to do may cost in one turn; each gets an equal share, but no less
/// than that.
const TURN: Duration = Duration::from_millis(1);
const LEAST_SHARE: Duration = Duration::from_micros(20);

/// A connection whose steps cost more than its share is left out of so many turns at most: its time is also a clock's, which goes on
/// while others have the processor.
const MOST_SHARES_OWED: u32 = 16;

/// Bytes that the connections of listeners may read ahead of their owners, all together.
const READ_AHEAD: isize = 64 * 1024 * 1024;

/// How long a turn on the thread of somebody who polls may take. It ends behind the connection that exceeds
/// it.
const SHORT_TURN: Duration = Duration::from_micros(500);

/// kqueue of macOS refuses to wait for years, and scripts write a very long timeout for "never".
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// A connection with its place in the reactor's tables.
struct Entry {
    conn: Box<Conn>,
    /// What the kernel has said since its last turn.
    readiness: Readiness,
    /// Of its next turn.
    cost: Cost,
    armed: Option<Instant>,
    /// What it has had of earlier turns beyond its share, and has yet to pay.
    debt: Duration,
    /// Whose handshake it is while that is pending.
    address: Option<AddressKey>,
}

impl Entry {
    fn new(conn: Box<Conn>) -> Self {
        let (cost, address) = (conn.cost(), conn.handshake_of());
        Self { conn, readiness: Readiness::default(), cost, armed: None, debt: Duration::ZERO, address }
    }

    /// As one of those who wait for a share of the handshakes.
    fn as_handshake(&self, id: usize) -> Handshake {
        Handshake {
            id,
            address: self.address,
            is_slow: self.cost != Cost::Low,
            is_advanced: self.conn.is_past_signature(),
        }
    }

    /// As one of those who may have to make way: whose it is, its number, and for how long it has hung.
    fn as_hanging(&self, id: usize, now: Instant) -> Option<(AddressKey, usize, Duration)> {
        let (address, since) = self.conn.hangs()?;
        Some((address, id, now.saturating_duration_since(since)))
    }
}

/// What a connection's turn has come to.
struct Worked {
    /// It can do more, but others should come first.
    more: bool,
    is_done: bool,
    cost: Cost,
    deadline: Option<Instant>,
    /// The listener at which its handshake was pending, which it is no longer.
    arrived_at: Option<usize>,
    has_failed: bool,
    address: Option<AddressKey>,
}

pub(crate) struct Reactor {
    poll: Poll,
    events: Events,
    /// To whom owners give their orders.
    runner: Weak<dyn Runner>,
    conns: IdMap<usize, Entry>,
    acceptors: IdMap<usize, Acceptor>,
    /// What keeps them from accepting.
    outages: Outages,
    /// Whose socket a token is: a link's or a listener's number.
    owners: IdMap<Token, usize>,
    deadlines: BTreeSet<(Instant, usize)>,
    /// Who has something to do now; edge-triggered readiness is not reported twice.
    ready: ReadyList,
    /// Those whose handshake has failed, the oldest first; some are gone since.
    lingering: VecDeque<usize>,
    /// What those of them held, when they failed, of answers that were not fetched; some have been since.
    unfetched: u64,
    taken: Vec<Command>,
    scratch: Box<[u8]>,
    compressor: Compressor,
    /// What is left of [`READ_AHEAD`].
    read_ahead: isize,
    /// What a connection's turn may cost.
    share: Duration,
    running: bool,
    /// Somebody wants to run it.
    lending_asked: bool,
    /// Of turns that others have run.
    recent: Recent,
    /// A connection has copied much from or to the kernel since this was last taken.
    has_copied_much: bool,
}

/// What a short turn has come to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ShortTurn {
    pub(crate) began_at: Instant,
    /// What it took, if there was something to do.
    pub(crate) took: Duration,
    /// The I/O thread has to go on.
    pub(crate) wants_thread: bool,
    /// There was nothing to do.
    pub(crate) was_idle: bool,
    /// Much was copied from or to the kernel at once.
    pub(crate) has_copied_much: bool,
}

impl ShortTurn {
    /// One in which nothing has happened so far.
    pub(crate) fn new(began_at: Instant) -> Self {
        Self { began_at, took: Duration::ZERO, wants_thread: false, was_idle: false, has_copied_much: false }
    }
}

/// What short turns remember of the one before.
#[derive(Debug, Default)]
struct Recent {
    /// When the turn that runs is to end.
    ends_at: Option<Instant>,
    /// It has asked the kernel who is ready.
    has_polled: bool,
    /// The only connection that had something to do.
    partner: Option<usize>,
    /// Turns since the kernel was asked.
    looks: u8,
}

impl Reactor {
    /// The queue that wakes the thread in `poll`.
    pub(crate) fn commands(poll: &Poll) -> io::Result<Commands<Command>> {
        Ok(Commands::new(Wakeup::new(Waker::new(poll.registry(), WAKER)?)))
    }

    pub(crate) fn new(poll: Poll, runner: Weak<dyn Runner>) -> Self {
        Self {
            poll,
            events: Events::with_capacity(EVENTS_PER_POLL),
            runner,
            conns: IdMap::default(),
            acceptors: IdMap::default(),
            outages: Outages::default(),
            owners: IdMap::default(),
            deadlines: BTreeSet::new(),
            ready: ReadyList::default(),
            lingering: VecDeque::new(),
            unfetched: 0,
            taken: Vec::new(),
            scratch: vec![0; SCRATCH].into_boxed_slice(),
            compressor: Compressor::default(),
            read_ahead: READ_AHEAD,
            share: TURN,
            running: true,
            lending_asked: false,
            recent: Recent::default(),
            has_copied_much: false,
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running
    }

    /// The next turn is the last.
    pub(crate) fn stop(&mut self) {
        self.running = false;
    }

    /// Whether somebody wants to run it and nothing slow waits; asked after each turn.
    pub(crate) fn may_be_lent(&mut self) -> bool {
        !self.ready.has_slow() && std::mem::take(&mut self.lending_asked)
    }

    /// A turn of the I/O thread.
    pub(crate) fn turn(&mut self, commands: &Commands<Command>) {
        let mut patience = self.time_to_wait();
        if patience != Some(Duration::ZERO) && !commands.fall_asleep() {
            patience = Some(Duration::ZERO);
        }
        let begun = (patience == Some(Duration::ZERO) && self.ready.has_handshakes()).then(Instant::now);
        let polled = self.poll.poll(&mut self.events, patience);
        let awake_since = Instant::now();
        commands.awake();
        if self.has_polled(polled) {
            self.handle_events(awake_since);
            self.handle_commands(commands);
            self.expire_deadlines(awake_since);
            self.share_turn();
            let overhead = begun.map(|begun| begun.elapsed()).unwrap_or_default();
            for _ in 0..self.ready.len() {
                let Some(id) = self.ready.pop() else { break };
                self.work(id);
            }
            self.shake_hands(overhead);
            self.release_compressor();
        }
        io_thread_worked(awake_since.elapsed());
    }

    /// False if there is nothing to be looked at.
    fn has_polled(&mut self, polled: io::Result<()>) -> bool {
        match polled {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => false,
            Err(_) => {
                // The poll itself is broken: nothing can be driven any more.
                self.running = false;
                false
            }
        }
    }

    /// Those who have something to do get equal shares.
    fn share_turn(&mut self) {
        self.share = TURN
            .checked_div(u32::try_from(self.ready.len()).unwrap_or(u32::MAX))
            .unwrap_or(TURN)
            .max(LEAST_SHARE);
    }

    fn release_compressor(&mut self) {
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
        Some(
            deadline.saturating_duration_since(Instant::now()).min(LONGEST_WAIT) + Duration::from_micros(999),
        )
    }

    /// Notes who has something to do.
    fn handle_events(&mut self, now: Instant) {
        for event in &self.events {
            let Some(&id) = self.owners.get(&event.token()) else { continue };
            if let Some(entry) = self.conns.get_mut(&id) {
                entry.readiness += Readiness {
                    readable: event.is_readable(),
                    writable: event.is_writable() || event.is_write_closed(),
                    is_ending: event.is_read_closed() || event.is_error(),
                };
                if entry.address.is_some() {
                    self.ready.push_handshake(entry.as_handshake(id), now);
                    continue;
                }
            } else if let Some(acceptor) = self.acceptors.get_mut(&id) {
                acceptor.handle_readiness();
            }
            self.ready.push(id);
        }
    }

    fn handle_commands(&mut self, commands: &Commands<Command>) {
        let mut taken = std::mem::take(&mut self.taken);
        commands.take(&mut taken);
        let count = taken.len();
        for command in taken.drain(..) {
            self.handle_command(command);
        }
        // A burst does not keep its memory.
        if taken.capacity() > KEPT_COMMANDS.max(count * 4) {
            taken.shrink_to(KEPT_COMMANDS);
        }
        self.taken = taken;
    }

    fn handle_command(&mut self, command: Command) {
        match command {
            Command::Notify(link) => self.ready.push(link.0),
            Command::Order(link, order) => self.order(link, order),
            Command::Copies(copies) => self.send_copies(copies),
            Command::Connect(conn) => {
                let id = conn.id();
                self.conns.insert(id, Entry::new(conn));
                self.ready.push(id);
            }
            Command::Listen(acceptor) => self.listen(acceptor),
            Command::Adopt { listener, id, socket, from } => {
                if let Some(acceptor) = self.acceptors.get_mut(&listener) {
                    acceptor.adopt();
                    self.welcome(listener, id, socket, from);
                }
            }
            Command::ResumeAccepting(id) => self.ready.push(id),
            Command::CloseListener(id) => self.close_listener(id),
            Command::Lend => self.lending_asked = true,
            Command::Shutdown => self.running = false,
        }
    }

    /// Orders for a connection that is gone are too late.
    fn order(&mut self, link: LinkId, order: Order) {
        if let Some(entry) = self.conns.get_mut(&link.0) {
            entry.conn.order(order);
            self.ready.push(link.0);
        }
    }

    fn send_copies(&mut self, Copies { first, others, kind, payload, delivery }: Copies) {
        for link in [first].into_iter().chain(others) {
            self.order(link, Order::Send(kind, payload.clone(), delivery));
        }
    }

    fn listen(&mut self, mut acceptor: Acceptor) {
        let id = acceptor.id();
        let mut sockets = Sockets { id, registry: self.poll.registry(), owners: &mut self.owners };
        let shared = acceptor.shared.clone();
        let registered = shared.with_socket(|socket| sockets.register_for(socket, Interest::READABLE));
        match registered {
            Some(Ok(token)) => {
                acceptor.token = Some(token);
                self.acceptors.insert(id, acceptor);
                self.ready.push(id);
            }
            Some(Err(error)) => Self::give_up_listening(&shared, &error),
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
        let pending_there = |entry: &Entry| entry.conn.pending_at() == Some(id);
        let pending: Vec<usize> =
            self.conns.iter().filter(|(_, entry)| pending_there(entry)).map(|(link, _)| *link).collect();
        for link in pending {
            match self.with_conn(link, |conn, turn| conn.listener_closed(turn)) {
                Some(true) => self.ready.push(link),
                _ => self.remove(link),
            }
        }
    }

    fn expire_deadlines(&mut self, now: Instant) {
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
        let worked = self.with_conn(id, |conn, turn| {
            let pending_at = conn.pending_at();
            let worked = catch_unwind(AssertUnwindSafe(|| conn.work(readiness, turn)));
            let more = worked.unwrap_or_else(|_| {
                conn.fail(turn.sockets);
                false
            });
            Worked {
                more,
                is_done: conn.is_done(),
                cost: conn.cost(),
                deadline: conn.next_deadline(),
                arrived_at: pending_at.filter(|_| conn.pending_at().is_none()),
                has_failed: conn.has_failed(),
                address: conn.handshake_of(),
            }
        });
        if let Some(worked) = worked {
            self.update(id, &worked);
        }
    }

    /// Updates the tables after a connection has worked.
    fn update(&mut self, id: usize, worked: &Worked) {
        if let Some(acceptor) = worked.arrived_at.and_then(|listener| self.acceptors.get_mut(&listener)) {
            acceptor.pending_ended();
            self.ready.push(acceptor.id());
        }
        if worked.is_done {
            self.remove(id);
            return;
        }
        if worked.arrived_at.is_some() && worked.has_failed {
            self.note_failed(id);
        }
        let Some(entry) = self.conns.get_mut(&id) else { return };
        (entry.cost, entry.address) = (worked.cost, worked.address);
        if worked.deadline != entry.armed {
            if let Some(armed) = entry.armed {
                self.deadlines.remove(&(armed, id));
            }
            if let Some(deadline) = worked.deadline {
                self.deadlines.insert((deadline, id));
            }
            entry.armed = worked.deadline;
        }
        if worked.more {
            self.make_ready(id);
        }
    }

    fn remove(&mut self, id: usize) {
        let Some(entry) = self.conns.remove(&id) else { return };
        self.ready.forget_handshake(id);
        self.read_ahead += entry.conn.booked().cast_signed();
        if let Some(armed) = entry.armed {
            self.deadlines.remove(&(armed, id));
        }
    }

    fn accept(&mut self, id: usize) {
        let now = Instant::now();
        for taken in 0.. {
            let Some(acceptor) = self.acceptors.get_mut(&id) else { return };
            match acceptor.accept(taken, &mut self.outages, now) {
                Accepted::Socket(socket, from) => self.welcome(id, next_id(), socket, from),
                Accepted::TurnOver => {
                    self.ready.push(id);
                    return;
                }
                Accepted::NoPlace if self.free_places(id, now) => return,
                Accepted::NoDescriptor if self.free_descriptors(now) => {
                    if let Some(acceptor) = self.acceptors.get_mut(&id) {
                        acceptor.retry_now();
                        self.ready.push(id);
                    }
                    return;
                }
                Accepted::Nothing | Accepted::NoPlace | Accepted::NoDescriptor => {
                    let Some(acceptor) = self.acceptors.get(&id) else { return };
                    if let Some(deadline) = acceptor.next_deadline() {
                        self.deadlines.insert((deadline, id));
                    }
                    return;
                }
            }
            if self.recent.ends_at.is_some_and(|end| end <= Instant::now()) {
                self.ready.push(id);
                return;
            }
        }
    }

    fn welcome(&mut self, listener: usize, id: usize, mut socket: Box<dyn Socket>, from: Endpoint) {
        let Some(acceptor) = self.acceptors.get_mut(&listener) else { return };
        let mut sockets = Sockets { id, registry: self.poll.registry(), owners: &mut self.owners };
        let registered = sockets.register(&mut *socket).map_err(|error| error.to_string());
        let prepared = registered.and_then(|token| {
            let transport = acceptor.transport(socket, from);
            transport.map(|transport| (token, transport)).inspect_err(|_| sockets.release(token))
        });
        let ((token, transport), runner) = match (prepared, self.runner.upgrade()) {
            (Ok(prepared), Some(runner)) => (prepared, runner),
            (Ok((token, _)), None) => {
                sockets.release(token);
                return acceptor.pending_ended();
            }
            (Err(reason), _) => {
                say(NoticeCause::ConnectionDropped, format!("A client was turned away: {reason}."));
                return acceptor.pending_ended();
            }
        };
        let options = acceptor.shared.link_options();
        let shared = Shared::new(id, runner, &options);
        let listener = Arc::clone(&acceptor.shared);
        let conn = Conn::accepted(transport, token, (listener, from), shared, options);
        self.conns.insert(id, Entry::new(Box::new(conn)));
        self.make_ready(id);
    }

    /// Runs `operation` on a connection with what it needs.
    fn with_conn<T>(
        &mut self,
        id: usize,
        operation: impl FnOnce(&mut Conn, &mut Turn<'_>) -> T,
    ) -> Option<T> {
        let entry = self.conns.get_mut(&id)?;
        let share = if self.recent.ends_at.is_some() { self.share.min(SHORT_TURN) } else { self.share };
        let mut sockets = Sockets { id, registry: self.poll.registry(), owners: &mut self.owners };
        let mut turn = Turn {
            now: Instant::now(),
            budget: Budget::in_debt(share, entry.debt),
            share,
            read_ahead: &mut self.read_ahead,
            scratch: &mut self.scratch,
            compressor: &mut self.compressor,
            sockets: &mut sockets,
            has_copied_much: &mut self.has_copied_much,
        };
        let result = operation(&mut entry.conn, &mut turn);
        // What a handshake takes is no debt: they have a share of their own.
        let is_open = entry.address.is_none() && entry.cost == Cost::Low;
        entry.debt =
            if is_open { turn.budget.overdrawn().min(share * MOST_SHARES_OWED) } else { Duration::ZERO };
        Some(result)
    }

    /// One non-blocking pass over what is still to be written; nobody waits.
    pub(crate) fn finish(&mut self, commands: &Commands<Command>) {
        for command in commands.stop() {
            match command {
                // Orders given before the shutdown are still carried out below.
                Command::Order(link, order) => self.order(link, order),
                Command::Copies(copies) => self.send_copies(copies),
                other => other.discard(),
            }
        }
        let links: Vec<usize> = self.conns.keys().copied().collect();
        for id in links {
            _ = catch_unwind(AssertUnwindSafe(|| self.with_conn(id, |conn, turn| conn.finish_now(turn))));
        }
    }
}
