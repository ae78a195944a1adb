//! One connection: a transport, the protocol, and what passes between them and the owner.

use std::{
    fmt,
    io::{self, IoSlice},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use mio::Token;
use rust_websocket_proto::{
    ClientRequest, CloseCause, Closed, Compressor, ConnectPhase, Connection, Event, Message, Opened, Random,
    Scheme, TransportEnd,
};

use crate::{
    lookup::Lookup,
    race::{Outcome, Race},
    route::Route,
    seam::{Amount, Arrival, Arrivals, Claim, LinkEvent, LinkOptions, Order, Orders, Reports, Shared},
    socket::{self, Sockets},
    tls::Received,
    transport::Transport,
    wire::{READS_PER_TURN, Readiness, Wire},
};

/// Slices handed to one vectored write.
const SLICES_PER_WRITE: usize = 64;

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

/// How far a connection has come.
#[derive(Debug)]
enum Stage {
    /// Of a client: nothing has been done yet.
    Created,
    /// The host name is being looked up.
    Resolving(Lookup),
    /// TCP is being connected.
    Connecting(Race),
    /// Bytes flow.
    Connected(Wire),
    /// Over for its owner. What was accepted goes out, then the transport's farewell and FIN; input is read and thrown away until the other
    /// side's end, since closing over unread input sends a reset that destroys data in flight.
    Lingering { wire: Wire, deadline: Option<Instant> },
    /// Nothing is left to do.
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

/// What came of asking the protocol for events.
enum Delivery {
    /// There are no more.
    Done,
    /// The owner has to take some first.
    NoRoom,
    /// The connection is over.
    Over,
    /// It is over, and neither side has said anything.
    OverBeforeAWord,
}

/// An accepted connection until its handshake is complete: nobody knows of it.
#[derive(Debug)]
struct Pending {
    /// The number of the listener through which it came.
    listener: usize,
    address: SocketAddr,
}

pub(crate) struct Conn {
    shared: Arc<Shared>,
    /// Of a client.
    route: Option<Box<Route>>,
    protocol: Connection,
    owner: Owner,
    pending: Option<Box<Pending>>,
    stage: Stage,
    no_delay: bool,
    linger_for: Duration,
    /// The owner has asked for a close: messages beyond the limits are dropped, the close frame behind them counts.
    closing: bool,
    /// Reading stopped for want of room.
    paused: bool,
    /// The owner knows that a fault waits for its answers.
    fault_reported: bool,
    /// What came from the outbox and was not yet reported as taken by the kernel.
    unsent: Amount,
    /// What was last reported as refused by it.
    refused: Amount,
}

impl fmt::Debug for Conn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Conn")
            .field("id", &self.shared.id)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

impl Conn {
    /// A client that still has to find its host.
    pub(crate) fn client(
        shared: Arc<Shared>,
        reports: Arc<Reports<LinkEvent>>,
        request: &ClientRequest,
        route: Route,
        options: LinkOptions,
        random: Arc<dyn Random>,
    ) -> Self {
        let LinkOptions { config, no_delay, .. } = options;
        let linger_for = config.close_timeout;
        let mut protocol = Connection::client(request, config, random, Instant::now());
        protocol.set_connect_phase(ConnectPhase::NameResolution);
        let mut conn =
            Self::new(shared, protocol, Owner::Link(reports), Stage::Created, no_delay, linger_for);
        conn.route = Some(Box::new(route));
        conn
    }

    /// A connection that a listener has accepted.
    pub(crate) fn accepted(
        transport: Transport,
        token: Token,
        (listener, address): (usize, SocketAddr),
        shared: Arc<Shared>,
        arrivals: Arc<Arrivals>,
        options: LinkOptions,
    ) -> Self {
        let LinkOptions { config, no_delay, .. } = options;
        let linger_for = config.close_timeout;
        let scheme = if transport.is_tls() { Scheme::Wss } else { Scheme::Ws };
        let mut protocol = Connection::server(scheme, config, Instant::now());
        protocol.set_connect_phase(transport.phase());
        let stage = Stage::Connected(Wire::new(transport, token, no_delay));
        let mut conn = Self::new(shared, protocol, Owner::Listener(arrivals), stage, no_delay, linger_for);
        conn.pending = Some(Box::new(Pending { listener, address }));
        conn
    }

    fn new(
        shared: Arc<Shared>,
        protocol: Connection,
        owner: Owner,
        stage: Stage,
        no_delay: bool,
        linger_for: Duration,
    ) -> Self {
        Self {
            shared,
            route: None,
            protocol,
            owner,
            pending: None,
            stage,
            no_delay,
            linger_for,
            closing: false,
            paused: false,
            fault_reported: false,
            unsent: Amount::default(),
            refused: Amount::default(),
        }
    }

    pub(crate) fn id(&self) -> usize {
        self.shared.id.0
    }

    pub(crate) fn is_compressed(&self) -> bool {
        self.protocol.is_compressed()
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    /// The listener through which it came, while its handshake is pending.
    pub(crate) fn pending_at(&self) -> Option<usize> {
        self.pending.as_ref().map(|pending| pending.listener)
    }

    /// What its next turn may cost.
    pub(crate) fn cost(&self) -> Cost {
        match &self.stage {
            Stage::Connected(wire) if wire.transport.is_established() => Cost::Low,
            Stage::Connected(wire) if wire.transport.is_tls() => {
                if self.pending.is_some() && wire.transport.awaits_first_bytes() {
                    Cost::Signature
                } else {
                    Cost::Handshake
                }
            }
            _ => Cost::Low,
        }
    }

    /// When [`work`](Self::work) has something to do even if nothing else happens.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Created | Stage::Resolving(_) | Stage::Connected(_) => self.protocol.next_deadline(),
            Stage::Connecting(race) => {
                [race.next_deadline(), self.protocol.next_deadline()].into_iter().flatten().min()
            }
            Stage::Lingering { deadline, .. } => *deadline,
            Stage::Done => None,
        }
    }

    /// Does all that can be done without waiting. True if more can be done, but others should come first.
    pub(crate) fn work(&mut self, readiness: Readiness, turn: &mut Turn<'_>) -> bool {
        if let Stage::Connected(wire) | Stage::Lingering { wire, .. } = &mut self.stage {
            wire.note(readiness);
        }
        self.carry_out_orders(turn.orders, turn.compressor, turn.now);
        self.connect(turn);
        let mut more = self.receive(turn);
        // Also behind a share of input that never ends: a peer that floods must not keep its connection for ever.
        if self.protocol.next_deadline().is_some_and(|deadline| deadline <= turn.now) {
            self.protocol.handle_timeout(turn.now);
            self.deliver_events(turn);
        }
        if matches!(self.stage, Stage::Connected(_)) {
            self.write();
            self.deliver_events(turn);
        }
        more |= self.linger(turn);
        self.account_for_writes(turn.orders);
        turn.orders.release_memory();
        more
    }

    /// Publishes what the kernel has taken and what it has refused.
    fn account_for_writes(&mut self, orders: &mut Orders) {
        // Once the connection is over for its owner, nothing counts any more (`refuse_sends`).
        if !matches!(self.stage, Stage::Connected(_)) {
            return;
        }
        let left =
            Amount { bytes: self.protocol.buffered_amount(), messages: self.protocol.buffered_messages() };
        if left == self.refused && self.unsent == self.refused {
            return;
        }
        let taken = Amount {
            bytes: self.unsent.bytes.saturating_sub(left.bytes),
            messages: self.unsent.messages.saturating_sub(left.messages),
        };
        self.shared.offered(taken, left, orders);
        (self.unsent, self.refused) = (left, left);
    }

    /// The I/O thread ends: offers what is left to the kernel once and closes.
    pub(crate) fn finish_now(&mut self, turn: &mut Turn<'_>) {
        self.carry_out_orders(turn.orders, turn.compressor, turn.now);
        self.write();
        if let Stage::Connected(wire) | Stage::Lingering { wire, .. } = &mut self.stage {
            // One pass, whatever comes of it. What was not read is thrown away: closing over it would send a reset.
            _ = wire.transport.shut_down_writing();
            wire.discard_input(turn.scratch);
        }
        self.report_stopped();
        self.end(turn.sockets);
    }

    /// Tells the owner that this connection ended with the I/O thread.
    pub(crate) fn report_stopped(&mut self) {
        self.report_closed(Closed {
            code: None,
            reason: String::new(),
            cause: CloseCause::TransportLost("networking was shut down".to_owned()),
        });
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
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Connecting(mut race) => race.give_up(sockets),
            Stage::Connected(mut wire) | Stage::Lingering { mut wire, .. } => {
                sockets.forget(wire.token, wire.transport.socket());
            }
            Stage::Created | Stage::Resolving(_) | Stage::Done => {}
        }
        self.shared.refuse_sends();
        self.pending = None;
    }

    fn carry_out_orders(&mut self, orders: &mut Orders, compressor: &mut Compressor, now: Instant) {
        self.shared.take_orders(orders);
        for order in orders.drain() {
            match order {
                Order::Send(kind, payload) => {
                    self.unsent.bytes += payload.len();
                    self.unsent.messages += 1;
                    // Refused once the connection is over: its owner learns that from the close.
                    _ = self.protocol.send_with(kind, payload, compressor);
                }
                Order::Close(code, reason) => {
                    self.closing = true;
                    self.protocol.close(code, &reason, now);
                }
                Order::Leave => self.leave(),
                Order::Abandon => {
                    self.owner = Owner::Gone;
                    if !self.closing {
                        self.leave();
                    }
                }
                Order::Resume => {} // `receive` looks for itself
                Order::SettleFault => self.protocol.settle_fault(),
                Order::SetHeartbeatInterval(interval) => self.protocol.set_heartbeat_interval(interval, now),
                Order::SetCloseTimeout(timeout) => {
                    self.linger_for = timeout;
                    self.protocol.set_close_timeout(timeout);
                }
                Order::SetNoDelay(enabled) => self.set_no_delay(enabled),
            }
        }
    }

    fn leave(&mut self) {
        self.closing = true;
        self.protocol.abort();
    }

    fn set_no_delay(&mut self, enabled: bool) {
        self.no_delay = enabled;
        if let Stage::Connected(wire) = &mut self.stage {
            // Only a hint to the kernel; a socket that refuses it is about to report why.
            _ = wire.transport.socket().set_no_delay(enabled);
        }
    }

    /// Goes on with finding and reaching a client's host.
    fn connect(&mut self, turn: &mut Turn<'_>) {
        if matches!(self.stage, Stage::Created) {
            self.start_lookup();
        }
        if let Stage::Resolving(lookup) = &self.stage {
            match lookup.answer() {
                None => {}
                Some(Ok(addresses)) => {
                    self.protocol.set_connect_phase(ConnectPhase::Tcp);
                    self.stage = Stage::Connecting(Race::new(addresses.to_vec(), turn.now));
                }
                Some(Err(reason)) => {
                    let end = TransportEnd::Error(reason.to_owned());
                    self.protocol.handle_transport_end(end);
                }
            }
        }
        self.advance_race(turn);
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
                match route.transport(socket::tcp(stream)) {
                    Ok(transport) => self.start_wire(transport, token, address),
                    // The socket, which is closed by now, has left the poll with that.
                    Err(reason) => {
                        turn.sockets.release(token);
                        self.protocol.handle_transport_end(TransportEnd::Error(reason));
                    }
                }
            }
            Outcome::Lost(reason) => self.protocol.handle_transport_end(TransportEnd::Error(reason)),
        }
    }

    /// TCP stands.
    fn start_wire(&mut self, transport: Transport, token: Token, address: SocketAddr) {
        self.protocol.set_connect_phase(transport.phase());
        self.stage = Stage::Connected(Wire::new(transport, token, self.no_delay));
        if let Owner::Link(reports) = &self.owner {
            reports.push(LinkEvent::Connected(address));
        }
    }

    /// Reads and decodes until there is nothing more, no room, or the turn's share is used up.
    fn receive(&mut self, turn: &mut Turn<'_>) -> bool {
        for _ in 0..READS_PER_TURN {
            if !self.deliver_events(turn) || !self.read(turn.scratch, turn.now) {
                return false;
            }
        }
        self.deliver_events(turn) && matches!(&self.stage, Stage::Connected(wire) if wire.readable)
    }

    /// Reads once and hands on what came. False if there was nothing to read.
    fn read(&mut self, scratch: &mut [u8], now: Instant) -> bool {
        let Stage::Connected(wire) = &mut self.stage else { return false };
        if !wire.readable {
            return false;
        }
        let phase = wire.transport.phase();
        let received = wire.transport.read(scratch);
        if wire.transport.phase() != phase {
            self.protocol.set_connect_phase(wire.transport.phase());
        }
        match received {
            Ok(Received::End) => {
                wire.end_input();
                self.protocol.handle_transport_end(TransportEnd::Eof);
            }
            Ok(Received::Bytes(count)) => {
                // Saves asking once more, unless the end is behind these bytes, which is not reported again.
                wire.readable = wire.is_ending || !wire.transport.is_drained();
                self.protocol.handle_input(scratch.get(..count).unwrap_or_default(), now);
            }
            Ok(Received::Nothing) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                wire.readable = false;
                return false;
            }
            Err(error) => {
                wire.end_input();
                wire.writable = false;
                self.protocol.handle_transport_end(TransportEnd::Error(error.to_string()));
            }
        }
        true
    }

    /// Reports what the protocol has decoded as far as there is room. False if reading is to stop.
    fn deliver_events(&mut self, turn: &mut Turn<'_>) -> bool {
        match self.take_events(turn.now) {
            Delivery::Done => true,
            Delivery::NoRoom => false,
            // Nothing is in flight that a reset could destroy.
            Delivery::OverBeforeAWord => {
                self.end(turn.sockets);
                false
            }
            Delivery::Over => {
                self.start_lingering(turn);
                false
            }
        }
    }

    fn take_events(&mut self, now: Instant) -> Delivery {
        loop {
            if !self.may_receive(now) {
                return Delivery::NoRoom;
            }
            match self.protocol.poll_event(now) {
                None => {
                    self.report_fault();
                    self.shared.set_round_trip_time(self.protocol.round_trip_time());
                    return Delivery::Done;
                }
                Some(Event::Message(message)) => self.report_message(message),
                Some(Event::Opened(opened)) => self.report_opened(opened),
                Some(Event::Closed(closed)) => {
                    let delivery = match closed.cause {
                        CloseCause::ConnectTimeout { .. } | CloseCause::ClosedWhileConnecting { .. } => {
                            Delivery::OverBeforeAWord
                        }
                        _ => Delivery::Over,
                    };
                    self.report_closed(closed);
                    return delivery;
                }
            }
        }
    }

    /// What the owner sends in answer to the messages before a fault still goes out.
    fn report_fault(&mut self) {
        if !self.protocol.has_fault() || std::mem::replace(&mut self.fault_reported, true) {
            return;
        }
        match &self.owner {
            Owner::Link(reports) => reports.push_fault(self.shared.clone()),
            Owner::Listener(arrivals) => arrivals.reports.push_fault(self.shared.clone()),
            Owner::Gone => self.protocol.settle_fault(),
        }
    }

    /// Whether a message may be decoded. A close is looked for beyond the limits.
    fn may_receive(&mut self, now: Instant) -> bool {
        let room = self.closing || self.shared.receiving.has_room() || !self.shared.receiving.pause();
        if room == self.paused {
            self.paused = !room;
            if self.paused {
                self.shared.counters.read_paused();
            }
            self.protocol.set_receive_paused(self.paused, now);
        }
        room
    }

    fn report_message(&mut self, message: Message) {
        self.shared.counters.received(message.payload.len());
        if self.closing && !self.shared.receiving.has_room() {
            return;
        }
        self.shared.receiving.delivered(message.payload.len());
        self.report(Event::Message(message));
    }

    fn report_opened(&mut self, opened: Opened) {
        match (self.pending.take(), &self.owner) {
            (Some(pending), Owner::Listener(arrivals)) => {
                let announced = match &self.stage {
                    Stage::Connected(wire) => wire.transport.announced_address(),
                    _ => None,
                };
                let claim = Claim::new(Arc::clone(&self.shared));
                arrivals.report_accepted(claim, announced.unwrap_or(pending.address), opened);
            }
            _ => self.report(Event::Opened(opened)),
        }
    }

    /// The last report. Nobody knows of a connection whose handshake was pending, so its end is not reported.
    fn report_closed(&mut self, closed: Closed) {
        self.shared.refuse_sends();
        if self.pending.is_none() {
            self.report(Event::Closed(closed));
            self.owner = Owner::Gone;
        }
    }

    fn report(&self, event: Event) {
        match &self.owner {
            Owner::Link(reports) => reports.push(LinkEvent::Protocol(event)),
            Owner::Listener(arrivals) => arrivals.reports.push(Arrival::Link(self.shared.id, event)),
            Owner::Gone => {}
        }
    }

    /// Writes until the protocol has nothing more or the kernel takes no more.
    fn write(&mut self) {
        let (Stage::Connected(wire) | Stage::Lingering { wire, .. }) = &mut self.stage else { return };
        while wire.writable {
            let has_output = self.protocol.has_output() && wire.transport.is_established();
            if !has_output && !wire.transport.has_pending_output() {
                return;
            }
            let mut slices = [IoSlice::new(&[]); SLICES_PER_WRITE];
            let filled = if has_output { self.protocol.output(&mut slices) } else { 0 };
            match wire.transport.write(&slices[..filled]) {
                Ok(count) => self.protocol.advance_output(count, Instant::now()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => wire.writable = false,
                Err(error) => {
                    wire.writable = false;
                    if !wire.readable {
                        // Otherwise reading finds the end, behind what arrived before it.
                        self.protocol.handle_transport_end(TransportEnd::Error(error.to_string()));
                    }
                }
            }
        }
    }

    fn start_lingering(&mut self, turn: &mut Turn<'_>) {
        if let Stage::Connecting(race) = &mut self.stage {
            race.give_up(turn.sockets);
        }
        self.linger_from(turn.now);
    }

    fn linger_from(&mut self, now: Instant) {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Connected(wire) => Stage::Lingering { wire, deadline: now.checked_add(self.linger_for) },
            other @ Stage::Lingering { .. } => other,
            Stage::Created | Stage::Resolving(_) | Stage::Connecting(_) | Stage::Done => Stage::Done,
        };
    }

    /// Writes the rest, sends FIN, and reads on until the other side's end or the deadline.
    fn linger(&mut self, turn: &mut Turn<'_>) -> bool {
        if !matches!(self.stage, Stage::Lingering { .. }) {
            return false;
        }
        self.write();
        let Stage::Lingering { wire, deadline } = &mut self.stage else { return false };
        // What a connection without a TLS session was to say goes nowhere.
        let is_written = !self.protocol.has_output() || !wire.transport.is_established();
        if is_written && wire.writable && !wire.fin_sent {
            match wire.transport.shut_down_writing() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => wire.writable = false,
                // An error means that the other side has reset the connection, which the read below finds.
                _ => wire.fin_sent = true,
            }
        }
        wire.discard_input(turn.scratch);
        let all_said = wire.input_ended && (wire.fin_sent || !wire.writable);
        if all_said || deadline.is_some_and(|deadline| deadline <= turn.now) {
            self.end(turn.sockets);
            return false;
        }
        wire.readable
    }
}
