//! One connection: a transport, the protocol, and what passes between them and the owner.

mod asking;
mod beginning;
mod newcomer;
mod ordered;
mod reporting;
mod tracing;
mod turn;
mod watching;

use std::{
    fmt,
    io::{self, IoSlice},
    sync::Arc,
    time::Instant,
};

use mio::Token;
use rust_websocket_proto::{
    CloseCause, Closed, ConnectPhase, Endpoint, EndpointOptions, Farewell, TransportEnd, admission,
};

use crate::{
    listener::ListenerShared,
    lookup::Lookup,
    places::Place,
    race::{Outcome, Race},
    route::{Route, connect_to_file},
    seam::{Arrivals, LinkEvent, Orders, Reports, Shared, Tag},
    socket::{self, Sockets, UnsentLimit},
    tally::HandshakeEnd,
    tls::Received,
    transport::Transport,
    wire::{Readiness, Wire},
};

pub(crate) use turn::Turn;

/// Slices handed to one vectored write.
const SLICES_PER_WRITE: usize = 64;

/// Bytes of an answer to a plain request that take long enough to look at the clock behind them: whoever reads as fast as it can would
/// have megabytes of it written at once. What an owner sends is no more than it wants, and counts as refused if it is not offered.
const MUCH_WRITTEN: usize = 64 * 1024;

/// How far a connection has come.
#[derive(Debug)]
enum Stage {
    /// Of a client: nothing has been done yet.
    Created,
    /// The host name is being looked up.
    Resolving(Lookup),
    /// TCP is being connected.
    Connecting(Race),
    /// Bytes flow; after the end of the protocol too, until both sides have said all.
    Connected(Wire),
    /// There is no socket any more. Messages may still wait for their owner.
    Done,
}

/// What a turn may cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Cost {
    /// A few system calls.
    #[default]
    Low,
    /// A step of a TLS handshake.
    Handshake,
    /// The step for which a server makes a signature, as long as a thousand others.
    Signature,
}

/// To whom the connection reports.
#[derive(Debug)]
enum Owner {
    Link(Arc<Reports<LinkEvent>>),
    Listener(Arc<Arrivals>),
    /// Nobody any more.
    Gone,
}

/// An accepted connection until its handshake is complete: nobody knows of it.
#[derive(Debug)]
struct Pending {
    /// Through which it came.
    listener: Arc<ListenerShared>,
    /// Who has connected.
    address: admission::Endpoint,
    since: Instant,
    /// The client, by what a complete request says.
    forwarded: Option<admission::Endpoint>,
    /// Its request is complete.
    has_asked: bool,
    /// The owner decides on it.
    is_owner_asked: bool,
    /// Of its request, where that says who takes it.
    path: Option<Box<str>>,
    /// What came with the owner's decision.
    tag: Option<Tag>,
    /// What became of it is counted.
    is_settled: bool,
}

impl Pending {
    fn new(listener: Arc<ListenerShared>, address: admission::Endpoint) -> Self {
        listener.gate.tally.begun();
        Self {
            listener,
            address,
            since: Instant::now(),
            forwarded: None,
            has_asked: false,
            is_owner_asked: false,
            path: None,
            tag: None,
            is_settled: false,
        }
    }
}

impl Pending {
    /// Counts what became of it, the first time.
    fn settle(&mut self, outcome: HandshakeEnd) {
        if !std::mem::replace(&mut self.is_settled, true) {
            self.listener.gate.tally.ended(outcome);
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.settle(HandshakeEnd::Failed);
    }
}

/// A newcomer that nobody will own any more.
struct SentAway {
    /// Whose connection it is.
    address: admission::AddressKey,
    /// Since when.
    since: Instant,
}

pub(crate) struct Conn {
    shared: Arc<Shared>,
    /// Of a client.
    route: Option<Box<Route>>,
    endpoint: Endpoint,
    owner: Owner,
    pending: Option<Box<Pending>>,
    /// Its handshake has come to nothing, or to an answer.
    sent_away: Option<Box<SentAway>>,
    /// Among the listener's clients.
    place: Option<Place>,
    stage: Stage,
    no_delay: bool,
    has_heartbeat: bool,
    /// Something that is sent is not worth it for ever.
    sends_states: bool,
    /// What the socket was told.
    unsent_limit: UnsentLimit,
    /// Of a connection that a listener has accepted: its part of what they may read ahead.
    booked: Option<usize>,
    /// The owner is known to be waited for.
    awaits_owner: bool,
    /// Nothing that is sent counts any more.
    refuses_sends: bool,
    /// From the owner, not yet carried out.
    orders: Orders,
}

impl fmt::Debug for Conn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Conn")
            .field("id", &self.shared.id())
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

impl Conn {
    pub(crate) fn id(&self) -> usize {
        self.shared.id().0
    }

    /// Whether there is neither a socket nor anything to report.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done) && (matches!(self.owner, Owner::Gone) || self.endpoint.is_silent())
    }

    /// Bytes read ahead that count against what all connections of listeners may.
    pub(crate) fn booked(&self) -> usize {
        self.booked.unwrap_or(0)
    }

    /// The listener through which it came, while its handshake is pending.
    pub(crate) fn pending_at(&self) -> Option<usize> {
        self.pending.as_ref().map(|pending| pending.listener.id)
    }

    /// When [`work`](Self::work) has something to do even if nothing else happens.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let stage = match &self.stage {
            Stage::Connecting(race) => race.next_deadline(),
            Stage::Connected(wire) => wire.next_deadline(),
            _ => None,
        };
        [stage, self.endpoint.next_deadline()].into_iter().flatten().min()
    }

    /// Does all that can be done without waiting. True if more can be done, but others should come first.
    pub(crate) fn work(&mut self, readiness: Readiness, turn: &mut Turn<'_>) -> bool {
        if let Stage::Connected(wire) = &mut self.stage {
            wire.note(readiness);
        }
        self.carry_out_orders(turn.compressor, turn.now);
        if self.is_late_for_tls(turn.now) {
            self.give_up_tls(turn);
            return false;
        }
        self.note_admission();
        self.connect(turn);
        // For whom the race has been won with that.
        if let Stage::Connected(wire) = &mut self.stage {
            wire.note(readiness);
        }
        self.book_read_ahead(turn);
        let mut more = self.receive(turn);
        // Also behind a share of input that never ends: a peer that floods must not keep its connection for ever.
        if self.endpoint.next_deadline().is_some_and(|deadline| deadline <= turn.now) {
            self.endpoint.handle_timeout(turn.now);
            more |= self.deliver_events(turn);
        }
        more |= self.write(turn);
        more |= self.deliver_events(turn);
        if !self.endpoint.wants_read() {
            // Room that was made since `receive` may be used up again already, and the end is not reported twice.
            self.pause(turn.now);
        }
        self.part(turn);
        self.report_waiting(turn.now);
        // The end may have been met behind reading, and readiness is edge-triggered.
        more |= self.can_read();
        self.book_read_ahead(turn);
        if let Some(offered) = self.endpoint.take_offered() {
            self.shared.offered(offered);
        }
        if let Stage::Connected(wire) = &mut self.stage {
            wire.handle_timeout(turn.now);
            wire.turn_ends();
        }
        more
    }

    /// Takes what it may read ahead from what all may, and gives back what was taken out.
    fn book_read_ahead(&mut self, turn: &mut Turn<'_>) {
        let Some(booked) = &mut self.booked else { return };
        let size = self.endpoint.read_ahead_size();
        // Below zero where messages end behind what was left.
        *turn.read_ahead += booked.cast_signed() - size.cast_signed();
        *booked = size;
        let most = size.saturating_add(usize::try_from(*turn.read_ahead).unwrap_or(0));
        self.endpoint.set_read_ahead(most.min(EndpointOptions::SERVER_READ_AHEAD));
    }

    /// The I/O thread ends: offers what is left to the kernel once and closes.
    pub(crate) fn finish_now(&mut self, turn: &mut Turn<'_>) {
        self.carry_out_orders(turn.compressor, turn.now);
        if self.pending.is_some() {
            self.deliver_events(turn); // a decision
        }
        while self.write(turn) {}
        if let Stage::Connected(wire) = &mut self.stage {
            // One pass, whatever comes of it. What was not read is thrown away: closing over it would send a reset.
            _ = wire.transport.shut_down_writing();
            wire.discard_input(turn.scratch);
        }
        self.report_stopped();
        self.end(turn.sockets);
    }

    /// A bug was met on this connection: it ends, the others go on.
    pub(crate) fn fail(&mut self, sockets: &mut Sockets<'_>) {
        self.report_closed(Closed {
            code: None,
            reason: String::new(),
            cause: CloseCause::TransportLost("an internal error ended it; please report this".to_owned()),
        });
        self.end(sockets);
    }

    /// Closes the socket.
    pub(crate) fn end(&mut self, sockets: &mut Sockets<'_>) {
        self.trace_end("it was cut off by this side");
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Connecting(mut race) => race.give_up(sockets),
            Stage::Connected(mut wire) => {
                sockets.forget(wire.token, wire.transport.socket());
            }
            Stage::Created | Stage::Resolving(_) | Stage::Done => {}
        }
        self.refuse_sends();
        self.pending = None;
        self.place = None;
    }

    /// Goes on with finding and reaching a client's host.
    fn connect(&mut self, turn: &mut Turn<'_>) {
        if matches!(self.stage, Stage::Created) && !self.connect_to_file(turn) {
            self.start_lookup();
        }
        if let Stage::Resolving(lookup) = &self.stage {
            match lookup.answer() {
                None => {}
                Some(Ok(addresses)) => {
                    self.endpoint.set_connect_phase(ConnectPhase::Tcp);
                    self.stage = Stage::Connecting(Race::new(addresses.to_vec(), turn.now));
                }
                Some(Err(reason)) => {
                    let end = TransportEnd::Error(reason.to_owned());
                    self.endpoint.handle_end(end);
                }
            }
        }
        self.advance_race(turn);
    }

    /// True if the host is a socket file of this machine, which needs neither lookup nor race.
    fn connect_to_file(&mut self, turn: &mut Turn<'_>) -> bool {
        let Some(path) = self.route.as_mut().and_then(|route| route.socket_path.take()) else { return false };
        self.endpoint.set_connect_phase(ConnectPhase::SocketFile);
        let connected = connect_to_file(&path).and_then(|mut socket| {
            let token = turn.sockets.register(&mut *socket)?;
            Ok((socket, token))
        });
        match (connected, self.route.take()) {
            (Ok((socket, token)), Some(mut route)) => {
                self.start_transport(route.transport(socket), token, admission::Endpoint::UNIX, turn);
            }
            (Err(error), _) => {
                self.endpoint.handle_end(TransportEnd::Error(error.to_string()));
            }
            _ => {}
        }
        true
    }

    fn start_lookup(&mut self) {
        let Some(route) = &self.route else { return };
        let shared = Arc::clone(&self.shared);
        let lookup = Lookup::start_and(&route.host, route.port, move || shared.notify());
        self.stage = Stage::Resolving(lookup);
    }

    fn advance_race(&mut self, turn: &mut Turn<'_>) {
        let Stage::Connecting(race) = &mut self.stage else { return };
        match race.advance(turn.now, turn.sockets) {
            Outcome::Undecided => {}
            Outcome::Won(stream, token, address) => {
                let Some(mut route) = self.route.take() else { return };
                let transport = route.transport(socket::tcp(stream));
                self.start_transport(transport, token, address.into(), turn);
            }
            Outcome::Lost(reason) => self.endpoint.handle_end(TransportEnd::Error(reason)),
        }
    }

    /// The socket is connected.
    fn start_transport(
        &mut self,
        transport: Result<Transport, String>,
        token: Token,
        address: admission::Endpoint,
        turn: &mut Turn<'_>,
    ) {
        let transport = match transport {
            Ok(transport) => transport,
            Err(reason) => {
                // The socket, which is closed by now, has left the poll with that.
                turn.sockets.release(token);
                self.endpoint.handle_end(TransportEnd::Error(reason));
                return;
            }
        };
        self.endpoint.set_connect_phase(transport.phase());
        self.stage = Stage::Connected(Wire::new(transport, token, self.no_delay));
        self.limit_kernel_queue(self.has_heartbeat, self.sends_states);
        if let Owner::Link(reports) = &self.owner {
            reports.push(LinkEvent::Connected(address));
        }
    }

    /// Reads and decodes until there is nothing more, no room, or the turn's budget is spent. True in the last case.
    fn receive(&mut self, turn: &mut Turn<'_>) -> bool {
        loop {
            if self.deliver_events(turn) {
                return true;
            }
            if !self.endpoint.wants_read() {
                self.pause(turn.now);
                return false;
            }
            if turn.budget.is_spent() {
                return self.can_read();
            }
            if !self.read(turn) {
                return false;
            }
        }
    }

    fn can_read(&self) -> bool {
        self.endpoint.wants_read() && matches!(&self.stage, Stage::Connected(wire) if wire.readable)
    }

    /// The end may be behind what is not read for want of room.
    fn pause(&mut self, now: Instant) {
        let Stage::Connected(wire) = &mut self.stage else { return };
        wire.pause(now);
        if wire.is_ending {
            self.endpoint.handle_hangup();
        }
    }

    /// Reads although the kernel has not said that there is something. False if there is not; `None` where that is not to be tried.
    pub(crate) fn look(&mut self, turn: &mut Turn<'_>) -> Option<bool> {
        let Stage::Connected(wire) = &mut self.stage else { return None };
        if wire.transport.is_tls() || !self.endpoint.wants_read() {
            return None;
        }
        wire.readable = true;
        Some(self.read(turn))
    }

    /// Reads once and hands on what came. False if there was nothing to read.
    fn read(&mut self, turn: &mut Turn<'_>) -> bool {
        let Stage::Connected(wire) = &mut self.stage else { return false };
        if !wire.readable {
            return false;
        }
        let phase = wire.transport.phase();
        // What decrypting costs shows in nothing but time.
        let begun = wire.transport.is_tls().then(Instant::now);
        let received = wire.transport.read(turn.room());
        if let Some(begun) = begun {
            let took = begun.elapsed();
            turn.budget.charge_time(took);
            wire.transport.note_cost(took > turn.share);
        }
        if wire.transport.phase() != phase {
            self.endpoint.set_connect_phase(wire.transport.phase());
        }
        match received {
            Ok(Received::End) => {
                wire.end_input();
                self.endpoint.handle_end(TransportEnd::Eof);
            }
            Ok(Received::Bytes(count)) => {
                // Saves asking once more, unless the end is behind these bytes, which is not reported again.
                wire.readable = wire.is_ending || !wire.transport.is_drained();
                turn.charge_read(count);
                self.endpoint.handle_read(turn.scratch.get(..count).unwrap_or_default(), turn.now);
            }
            Ok(Received::Nothing) => turn.charge_unknown_read(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                wire.readable = false;
                return false;
            }
            Err(error) => {
                wire.end_input();
                wire.writable = false;
                self.endpoint.handle_end(TransportEnd::Error(error.to_string()));
            }
        }
        true
    }

    /// Writes until the protocol has nothing more, the kernel takes no more (what is left then counts as what it has refused), or the
    /// turn's share is over behind much of an answer to somebody who was sent away. True in the last case.
    fn write(&mut self, turn: &mut Turn<'_>) -> bool {
        let Stage::Connected(wire) = &mut self.stage else { return false };
        let mut written = 0;
        while wire.writable {
            if self.sent_away.is_some() && written >= MUCH_WRITTEN && turn.now.elapsed() >= turn.share {
                return true;
            }
            let is_established = wire.transport.is_established();
            if is_established {
                self.endpoint.fill_output(turn.now, turn.compressor);
            }
            let has_output = self.endpoint.has_output() && is_established;
            if !has_output && !wire.transport.has_pending_output() {
                return false;
            }
            let mut slices = [IoSlice::new(&[]); SLICES_PER_WRITE];
            let filled = if has_output { self.endpoint.output(&mut slices) } else { 0 };
            match wire.transport.write(&slices[..filled]) {
                Ok(count) => {
                    written += count;
                    turn.note_copied(count);
                    self.endpoint.wrote(count, turn.now);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wire.writable = false;
                    self.endpoint.write_refused(turn.now);
                }
                Err(error) => {
                    wire.writable = false;
                    if !wire.readable {
                        // Otherwise reading finds the end, behind what arrived before it.
                        self.endpoint.handle_end(TransportEnd::Error(error.to_string()));
                    }
                }
            }
        }
        false
    }

    /// After the end of the protocol: leaves the transport as far as that can be done without waiting.
    fn part(&mut self, turn: &mut Turn<'_>) {
        if !self.endpoint.is_over() || matches!(self.stage, Stage::Done) {
            return;
        }
        self.refuse_sends();
        let Stage::Connected(wire) = &mut self.stage else {
            self.end(turn.sockets);
            return;
        };
        if !wire.transport.is_established() {
            // What a connection without a TLS session was to say goes nowhere.
            self.endpoint.discard_output();
        }
        if self.endpoint.farewell(turn.now) == Some(Farewell::SendFin) && wire.writable {
            match wire.transport.shut_down_writing() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => wire.writable = false,
                // An error means that the other side has reset the connection, which reading finds.
                _ => self.endpoint.fin_sent(),
            }
        }
        if self.endpoint.farewell(turn.now) == Some(Farewell::Done) {
            self.end(turn.sockets);
        }
    }
}
