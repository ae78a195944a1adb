//! One connection on the I/O thread: a transport, the protocol, and what passes between them and the owner.

mod at_once;

use std::{
    fmt,
    io::{self, IoSlice},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use mio::{Token, net::TcpStream};
use rust_websocket_proto::{
    ClientRequest, CloseCause, Closed, Compressor, ConnectPhase, Connection, Event, Message, Opened, Random,
    Scheme, TransportEnd,
};

use crate::{
    Link, LinkEvent, LinkOptions, ListenerEvent,
    connect::{Race, Standing},
    limits::Amount,
    link::ListenerShared,
    orders::{Order, Orders},
    queues::{Mailbox, Shared},
    reactor::{Sockets, Turn},
    resolve::Resolution,
    tls::{ClientTls, Received, TlsSession},
    transport::Transport,
    wire::{READS_PER_TURN, Readiness, Wire},
};

/// Slices handed to one vectored write.
const SLICES_PER_WRITE: usize = 64;

/// How far a connection has come.
#[derive(Debug)]
enum Stage {
    /// The host name is being looked up.
    Resolving,
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

/// Who is told.
#[derive(Debug)]
enum Owner {
    Link(Arc<Mailbox<LinkEvent>>),
    Listener(Arc<ListenerShared>),
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

/// A client's TLS settings and the host that it looks for.
#[derive(Debug)]
struct TlsStart {
    /// `None`: nobody has given any.
    settings: Option<ClientTls>,
    host: String,
}

/// A newcomer at a listener until its upgrade is complete.
#[derive(Debug)]
struct Newcomer {
    link: Link,
    address: SocketAddr,
}

pub(crate) struct Conn {
    shared: Arc<Shared>,
    /// What a client needs to begin TLS once TCP stands.
    tls: Option<Box<TlsStart>>,
    protocol: Connection,
    owner: Owner,
    newcomer: Option<Box<Newcomer>>,
    stage: Stage,
    no_delay: bool,
    linger_for: Duration,
    /// The owner has asked for a close: messages beyond the limits are dropped, the close frame behind them counts.
    closing: bool,
    /// Reading stopped for want of room.
    paused: bool,
    /// The owner knows that a fault waits for its answers.
    fault_told: bool,
    /// The owner's thread has read since this was last looked at.
    owner_has_read: bool,
    /// While the owner's thread reads, the kernel need not wake the I/O thread for input: until then, when it is looked at again.
    owner_reads_until: Option<Instant>,
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
        reports: Arc<Mailbox<LinkEvent>>,
        request: ClientRequest,
        tls: Option<ClientTls>,
        options: LinkOptions,
        random: Arc<dyn Random>,
    ) -> Self {
        let LinkOptions { config, no_delay, .. } = options;
        let linger_for = config.close_timeout;
        let mut protocol = Connection::client(&request, config, random, Instant::now());
        protocol.set_connect_phase(ConnectPhase::NameResolution);
        let mut conn =
            Self::new(shared, protocol, Owner::Link(reports), Stage::Resolving, no_delay, linger_for);
        conn.tls = (request.target.scheme == Scheme::Wss)
            .then(|| Box::new(TlsStart { settings: tls, host: request.target.host }));
        conn
    }

    /// An accepted connection.
    pub(crate) fn newcomer(
        transport: Transport,
        token: Token,
        address: SocketAddr,
        shared: Arc<Shared>,
        listener: Arc<ListenerShared>,
        options: LinkOptions,
    ) -> Self {
        let LinkOptions { config, no_delay, .. } = options;
        let linger_for = config.close_timeout;
        let scheme = if transport.is_tls() { Scheme::Wss } else { Scheme::Ws };
        let mut protocol = Connection::server(scheme, config, Instant::now());
        if transport.is_tls() {
            protocol.set_connect_phase(ConnectPhase::Tls);
        }
        let newcomer = Box::new(Newcomer { link: Link::accepted(shared.clone()), address });
        let stage = Stage::Connected(Wire::new(transport, token, no_delay));
        let mut conn = Self::new(shared, protocol, Owner::Listener(listener), stage, no_delay, linger_for);
        conn.newcomer = Some(newcomer);
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
            tls: None,
            protocol,
            owner,
            newcomer: None,
            stage,
            no_delay,
            linger_for,
            closing: false,
            paused: false,
            fault_told: false,
            owner_has_read: false,
            owner_reads_until: None,
            unsent: Amount::default(),
            refused: Amount::default(),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    /// The listener through which it came, until it has completed its upgrade.
    pub(crate) fn newcomer_of(&self) -> Option<usize> {
        match &self.owner {
            Owner::Listener(listener) if self.newcomer.is_some() => Some(listener.id),
            _ => None,
        }
    }

    /// Whether the first input of a newcomer's TLS session is to come: the one that a signature is made for.
    pub(crate) fn begins_tls(&self) -> bool {
        self.newcomer.is_some()
            && matches!(&self.stage, Stage::Connected(wire) if wire.transport.awaits_first_bytes())
    }

    /// The name lookup has ended.
    pub(crate) fn handle_resolution(&mut self, resolution: Resolution, now: Instant) {
        if !matches!(self.stage, Stage::Resolving) {
            return;
        }
        match resolution {
            Ok(addresses) => {
                self.protocol.set_connect_phase(ConnectPhase::Tcp);
                self.stage = Stage::Connecting(Race::new(addresses, now));
            }
            Err(reason) => self.protocol.handle_transport_end(TransportEnd::Error(reason)),
        }
    }

    /// When [`work`](Self::work) has something to do even if nothing else happens.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Resolving => self.protocol.next_deadline(),
            Stage::Connected(_) => {
                [self.owner_reads_until, self.protocol.next_deadline()].into_iter().flatten().min()
            }
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
        self.share_reading(turn);
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
            Stage::Resolving | Stage::Done => {}
        }
        self.shared.refuse_sends();
        self.newcomer = None;
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
            _ = wire.transport.socket().set_nodelay(enabled);
        }
    }

    fn connect(&mut self, turn: &mut Turn<'_>) {
        let Stage::Connecting(race) = &mut self.stage else { return };
        match race.advance(turn.now, turn.sockets) {
            Standing::Undecided => {}
            Standing::Won(mut stream, token, address) => match begin_tls(self.tls.as_deref()) {
                Ok(session) => self.start_wire(stream, session, token, address),
                Err(reason) => {
                    turn.sockets.forget(token, &mut stream);
                    self.protocol.handle_transport_end(TransportEnd::Error(reason));
                }
            },
            Standing::Lost(reason) => self.protocol.handle_transport_end(TransportEnd::Error(reason)),
        }
    }

    /// TCP stands.
    fn start_wire(
        &mut self,
        stream: TcpStream,
        session: Option<TlsSession>,
        token: Token,
        address: SocketAddr,
    ) {
        let phase = if session.is_some() { ConnectPhase::Tls } else { ConnectPhase::Upgrade };
        self.protocol.set_connect_phase(phase);
        let transport = Transport::new(stream, session);
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
        let was_established = wire.transport.is_established();
        let received = wire.transport.read(scratch);
        if !was_established && wire.transport.is_established() {
            self.protocol.set_connect_phase(ConnectPhase::Upgrade);
        }
        match received {
            Ok(Received::End) => {
                wire.end_input();
                self.protocol.handle_transport_end(TransportEnd::Eof);
            }
            Ok(Received::Bytes(count)) => {
                // Saves asking once more, unless the end is behind these bytes, which is not told again.
                wire.readable = wire.is_ending || !wire.transport.is_drained_by(count, scratch.len());
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
                    self.tell_of_fault();
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
    fn tell_of_fault(&mut self) {
        if !self.protocol.has_fault() || std::mem::replace(&mut self.fault_told, true) {
            return;
        }
        match &self.owner {
            Owner::Link(reports) => reports.push_fault(self.shared.clone()),
            Owner::Listener(listener) => listener.reports.push_fault(self.shared.clone()),
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
        match (self.newcomer.take(), &self.owner) {
            (Some(newcomer), Owner::Listener(listener)) => {
                let Newcomer { link, address } = *newcomer;
                listener.report_accepted(link, address, opened);
            }
            _ => self.report(Event::Opened(opened)),
        }
    }

    /// The last report. A newcomer that failed was never reported, so nobody is told of its end.
    fn report_closed(&mut self, closed: Closed) {
        self.shared.refuse_sends();
        if self.newcomer.is_none() {
            self.report(Event::Closed(closed));
            self.owner = Owner::Gone;
        }
    }

    fn report(&self, event: Event) {
        match &self.owner {
            Owner::Link(reports) => reports.push(LinkEvent::Protocol(event)),
            Owner::Listener(listener) => listener.reports.push(ListenerEvent::Link(self.shared.id, event)),
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
            Stage::Resolving | Stage::Connecting(_) | Stage::Done => Stage::Done,
        };
    }

    /// Writes the rest, sends FIN, and reads on until the other side's end or the deadline.
    fn linger(&mut self, turn: &mut Turn<'_>) -> bool {
        if !matches!(self.stage, Stage::Lingering { .. }) {
            return false;
        }
        self.share_reading(turn);
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

/// A session for a `wss://` client, `None` for a plain one.
fn begin_tls(start: Option<&TlsStart>) -> Result<Option<TlsSession>, String> {
    let Some(TlsStart { settings, host }) = start else { return Ok(None) };
    let settings = settings.as_ref().ok_or("there are no TLS settings for it")?;
    TlsSession::client(settings, host).map(Some)
}
