//! One side of a WebSocket connection as a driver needs it: the protocol, and what bounds it.

mod asking;
mod leaving;
mod sending;
mod tracing;
mod window;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

pub use self::leaving::Farewell;
use self::{leaving::Leaving, window::Window};
use crate::{
    Amount, Budget, ClientRequest, CloseCause, Closed, Config, ConnectPhase, Connection, Event, Polled,
    Random, ReceiveLimits, Scheme, SendAccount, SendLimits, Statistics, TransportEnd, timer::deadline,
};

/// What bounds an [`Endpoint`], and what its transport can do.
#[derive(Debug, Clone, Copy)]
pub struct EndpointOptions {
    /// Outbound limits; can be changed later.
    pub send_limits: SendLimits,
    /// Inbound limits: what the owner may have unread.
    pub receive_limits: ReceiveLimits,
    /// Bytes that are read and decoded beyond that and held back, so that pings, pongs and closes behind them are met while the owner
    /// takes nothing. 0: reading pauses at the limits.
    pub read_ahead: usize,
    /// Whether the transport's sending direction can be closed by itself, as TCP's can.
    pub half_close: bool,
}

impl EndpointOptions {
    /// Bytes that a client reads ahead: it has chosen its server, and has one.
    pub const CLIENT_READ_AHEAD: usize = 8 * 1024 * 1024;
    /// Bytes that a server reads ahead for each of its clients, which are many and strangers.
    pub const SERVER_READ_AHEAD: usize = 256 * 1024;
}

/// One WebSocket connection with all that a driver would otherwise have to keep beside it: the receive window (backpressure), the
/// account of what is sent, counters, work budgets, and leaving without destroying what is in flight. It owns no transport and no clock.
///
/// # Calling contract
/// One turn of a driver is
/// 1. [`poll_event`](Self::poll_event) until it returns anything else than an event. `Full` and `BudgetSpent` end reading for this turn.
/// 2. While [`wants_read`](Self::wants_read), read once and hand in what came: [`handle_read`](Self::handle_read), or
///    [`handle_end`](Self::handle_end) for the transport's end; then 1. Count each read with [`Budget::charge_read`]. Once the budget is
///    spent the rest is for the next turn, which should come soon, but behind everybody else's.
/// 3. When [`next_deadline`](Self::next_deadline) has passed: [`handle_timeout`](Self::handle_timeout), then 1 again. Last, so that what
///    had arrived before the deadline counts.
/// 4. Call [`fill_output`](Self::fill_output), and while [`has_output`](Self::has_output), write what [`output`](Self::output) offers and report with [`wrote`](Self::wrote), then
///    fill it again; report with [`write_refused`](Self::write_refused) when the transport takes no more for now. Then [`take_offered`](Self::take_offered)
///    tells what that came to.
/// 5. Once [`farewell`](Self::farewell) returns something, do what it says. `Done`: close the transport. The endpoint is finished when
///    it [has parted](Self::has_parted) and [has nothing to tell](Self::is_silent).
///
/// The owner's calls may come between any two of these: [`send`](Self::send), [`close`](Self::close), [`leave`](Self::leave). For every
/// message that it has taken out of its queue it calls [`consumed`](Self::consumed), which makes room; while
/// [`is_holding`](Self::is_holding) the driver has to ask for events after that. While [`awaits_owner`](Self::awaits_owner) it calls
/// [`settle`](Self::settle) once it has taken everything that was reported and had the chance to answer.
///
/// [`Event::Closed`] is the last event, behind every message that came before. The transport need not wait for it: leaving begins as
/// soon as the protocol is over.
pub struct Endpoint {
    protocol: Connection,
    window: Window,
    sending: SendAccount,
    /// What is in the output by the owner's doing and not reported by [`take_offered`](Self::take_offered), and what that reported as left.
    unsent: Amount,
    refused: Amount,
    statistics: Statistics,
    reading: Reading,
    course: Course,
    close_timeout: Duration,
    half_close: bool,
}

/// Whether the transport's input is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// What was handed in is not decoded yet.
    Pending,
    /// All of it is decoded.
    Wanted,
    /// The budget did not do for all of it.
    NextTurn,
    /// There is no room.
    Paused(Hangup),
    /// The transport has nothing more, or is broken in both directions.
    Ended { is_broken: bool, behind: Hangup },
}

impl Reading {
    fn hangup(&mut self) -> Option<&mut Hangup> {
        match self {
            Self::Paused(hangup) | Self::Ended { behind: hangup, .. } => Some(hangup),
            Self::Pending | Self::Wanted | Self::NextTurn => None,
        }
    }
}

/// What is known of the transport's end while there is no room for what came before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hangup {
    Unknown,
    /// It is there, behind what was not read.
    Noted,
    /// An owner that looks and takes nothing is waited for until then.
    WaitsUntil(Option<Instant>),
}

/// How far the connection has come.
#[derive(Debug)]
enum Course {
    /// The protocol runs.
    Running,
    /// The protocol is over, and the transport is being left.
    Over { leaving: Leaving, end: End },
}

/// The last event.
#[derive(Debug)]
enum End {
    /// To be reported behind the messages that are held; from that moment on whatever the limits.
    Waiting {
        closed: Box<Closed>,
        until: Option<Instant>,
    },
    Told,
}

impl Endpoint {
    /// A client; see [`Connection::client`].
    pub fn client(
        request: &ClientRequest,
        config: impl Into<Arc<Config>>,
        random: Arc<dyn Random>,
        options: EndpointOptions,
        now: Instant,
    ) -> Self {
        let config = config.into();
        let close_timeout = config.close_timeout;
        Self::new(Connection::client(request, config, random, now), options, close_timeout)
    }

    /// A server for an accepted transport; see [`Connection::server`].
    pub fn server(
        scheme: Scheme,
        config: impl Into<Arc<Config>>,
        options: EndpointOptions,
        now: Instant,
    ) -> Self {
        let config = config.into();
        let close_timeout = config.close_timeout;
        Self::new(Connection::server(scheme, config, now), options, close_timeout)
    }

    fn new(protocol: Connection, options: EndpointOptions, close_timeout: Duration) -> Self {
        Self {
            protocol,
            window: Window::new(options.receive_limits, options.read_ahead),
            sending: SendAccount::new(options.send_limits),
            unsent: Amount::default(),
            refused: Amount::default(),
            statistics: Statistics::default(),
            reading: Reading::Pending,
            course: Course::Running,
            close_timeout,
            half_close: options.half_close,
        }
    }

    /// How far connecting has come; timeouts and errors name it.
    pub fn set_connect_phase(&mut self, phase: ConnectPhase) {
        self.protocol.set_connect_phase(phase);
    }

    /// The next event. Decodes no more than there is room for, and stops when `budget` is used up.
    pub fn poll_event(&mut self, budget: &mut Budget, now: Instant) -> Polled {
        loop {
            if let Some(message) = self.window.release() {
                return Polled::Event(Event::Message(message));
            }
            if let Course::Over { end, .. } = &mut self.course {
                return take_end(end, self.window.is_holding());
            }
            if !self.window.may_decode() && !self.protocol.is_done_decoding() {
                self.set_paused(true, now);
                return Polled::Full;
            }
            self.set_paused(false, now);
            match self.protocol.poll(budget, now) {
                Polled::Event(Event::Message(message)) => {
                    if let Some(message) = self.admit(message) {
                        return Polled::Event(Event::Message(message));
                    }
                }
                Polled::Event(Event::Closed(closed)) => self.end(closed, now),
                Polled::Event(Event::Opened(opened)) => return Polled::Event(Event::Opened(opened)),
                Polled::Idle | Polled::Full => {
                    self.note_reading(Reading::Wanted);
                    return Polled::Idle;
                }
                Polled::BudgetSpent => {
                    self.note_reading(Reading::NextTurn);
                    return Polled::BudgetSpent;
                }
            }
        }
    }

    fn admit(&mut self, message: crate::Message) -> Option<crate::Message> {
        self.statistics.received(message.payload.len());
        let was_holding = self.window.is_holding();
        let admitted = self.window.admit(message);
        if self.window.is_holding() && !was_holding {
            self.statistics.reads_paused += 1;
        }
        admitted
    }

    fn end(&mut self, closed: Closed, now: Instant) {
        let mut leaving = Leaving::new(&closed.cause, self.half_close, self.close_timeout, now);
        match self.reading {
            Reading::Ended { is_broken: true, .. } => leaving.broken(),
            Reading::Ended { is_broken: false, .. } => leaving.other_ended(),
            _ => {}
        }
        self.sending.clear();
        self.course = Course::Over { leaving, end: End::Waiting { closed: Box::new(closed), until: None } };
    }

    fn note_reading(&mut self, reading: Reading) {
        if !self.has_input_ended() {
            self.reading = reading;
        }
    }

    fn has_input_ended(&self) -> bool {
        matches!(self.reading, Reading::Ended { .. })
    }

    /// Silence while we do not read does not count against the heartbeat.
    fn set_paused(&mut self, paused: bool, now: Instant) {
        if let Reading::Ended { behind, .. } = &mut self.reading {
            // It broke where what had come was not all decoded: somebody has to make room for the rest, or it is given up.
            match (paused, *behind) {
                (true, Hangup::Unknown) => *behind = Hangup::Noted,
                (true, _) => {}
                (false, _) => *behind = Hangup::Unknown,
            }
            return;
        }
        if paused == self.is_paused() {
            return;
        }
        self.reading = if paused { Reading::Paused(Hangup::Unknown) } else { Reading::Pending };
        self.protocol.set_receive_paused(paused, now);
        if paused && !self.window.is_holding() {
            self.statistics.reads_paused += 1;
        }
    }

    /// Whether the driver should read from the transport now. After the end too: what comes is thrown away, see [`Farewell::ReadOn`].
    pub fn wants_read(&self) -> bool {
        match &self.course {
            Course::Running => {
                self.reading == Reading::Wanted
                    && !self.protocol.has_fault()
                    && !self.protocol.has_read_enough()
            }
            Course::Over { leaving, .. } => !self.has_input_ended() && !leaving.has_parted(),
        }
    }

    /// Takes received bytes.
    pub fn handle_read(&mut self, bytes: &[u8], now: Instant) {
        match &mut self.course {
            Course::Running => {
                self.note_reading(Reading::Pending);
                self.statistics.wire_bytes_in += bytes.len() as u64;
                self.protocol.handle_input(bytes, now);
            }
            Course::Over { leaving, .. } => leaving.heard(now),
        }
    }

    /// The transport ended; what was received before is decoded first. An error is the end of both directions.
    pub fn handle_end(&mut self, end: TransportEnd) {
        let is_broken = matches!(end, TransportEnd::Error(_));
        self.reading = Reading::Ended { is_broken, behind: Hangup::Unknown };
        match &mut self.course {
            Course::Running => self.protocol.handle_transport_end(end),
            Course::Over { leaving, .. } if is_broken => leaving.broken(),
            Course::Over { leaving, .. } => leaving.other_ended(),
        }
    }

    /// The transport says that its end is there, behind what has not been read. If the owner looks, but makes no room for
    /// that within `close_timeout`, the rest is given up: a connection that the other side has left must not be held for ever.
    pub fn handle_hangup(&mut self) {
        if let Reading::Paused(hangup @ Hangup::Unknown) = &mut self.reading {
            *hangup = Hangup::Noted;
        }
    }

    /// Acts on every deadline that has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Some(Hangup::WaitsUntil(Some(until))) = self.reading.hangup().copied()
            && until <= now
        {
            let error = "the other side ended it while what it had sent was not taken".to_owned();
            self.reading = Reading::Ended { is_broken: true, behind: Hangup::Unknown };
            self.protocol.give_up(CloseCause::TransportLost(error));
        }
        match &self.course {
            Course::Running => self.protocol.handle_timeout(now),
            Course::Over { end: End::Waiting { until: Some(until), .. }, .. } if *until <= now => {
                self.window.flush();
            }
            Course::Over { .. } => {}
        }
    }

    /// The next deadline, if any timer runs.
    pub fn next_deadline(&self) -> Option<Instant> {
        match &self.course {
            Course::Running => {
                let hangup = match self.reading {
                    Reading::Paused(Hangup::WaitsUntil(until))
                    | Reading::Ended { behind: Hangup::WaitsUntil(until), .. } => until,
                    _ => None,
                };
                [hangup, self.protocol.next_deadline()].into_iter().flatten().min()
            }
            Course::Over { leaving, end } => {
                let until = match end {
                    End::Waiting { until, .. } if self.window.is_holding() => *until,
                    _ => None,
                };
                [until, leaving.next_deadline()].into_iter().flatten().min()
            }
        }
    }

    /// Starts the close handshake; see [`Connection::close`]. Messages that still come are handed out while there is room and dropped
    /// beyond, so that the other side's close frame is met.
    pub fn close(&mut self, code: u16, reason: &str, now: Instant) {
        self.window.close();
        self.protocol.close(code, reason, now);
    }

    /// Ends the connection without a close frame; what was accepted goes out.
    pub fn leave(&mut self) {
        self.window.close();
        self.protocol.abort();
    }

    /// The owner is gone: like [`leave`](Self::leave), unless this side has begun a close handshake, which is completed. Nothing is
    /// handed out any more but the end.
    pub fn abandon(&mut self) {
        if !self.protocol.is_closing() {
            self.protocol.abort();
        }
        self.window.drop_all();
        self.protocol.settle_fault();
    }

    /// The owner has taken messages out of its queue.
    pub fn consumed(&mut self, amount: Amount, now: Instant) {
        self.window.consumed(amount);
        if let Course::Over { end: End::Waiting { until: until @ Some(_), .. }, .. } = &mut self.course {
            *until = deadline(now, self.close_timeout);
        }
    }

    /// What was handed out and not consumed.
    pub fn unread(&self) -> Amount {
        self.window.unread()
    }

    /// Whether there are messages that wait for the owner to consume earlier ones.
    pub fn is_holding(&self) -> bool {
        self.window.is_holding()
    }

    /// Whether nothing is decoded or held, for want of room.
    pub fn is_paused(&self) -> bool {
        matches!(self.reading, Reading::Paused(_))
    }

    /// Bytes read ahead of the owner's limits.
    pub fn read_ahead_size(&self) -> usize {
        self.window.held_size()
    }

    /// Changes how much may be read ahead from now on.
    pub fn set_read_ahead(&mut self, bytes: usize) {
        self.window.set_read_ahead(bytes);
    }

    /// Whether [`settle`](Self::settle) is waited for: the other side broke a rule behind messages, and the answers to them go out before
    /// the connection is failed; or the connection is over, and messages are held because the owner takes none.
    pub fn awaits_owner(&self) -> bool {
        match &self.course {
            Course::Running => {
                matches!(
                    self.reading,
                    Reading::Paused(Hangup::Noted) | Reading::Ended { behind: Hangup::Noted, .. }
                ) || (self.protocol.has_fault() && !self.window.is_holding())
            }
            Course::Over { end, .. } => {
                matches!(end, End::Waiting { until: None, .. }) && self.window.is_holding()
            }
        }
    }

    /// The owner has taken everything that was reported, and has had the chance to answer. If it consumes none of it for `close_timeout`
    /// after the end of the connection, it gets what is held and the end whatever its limits.
    pub fn settle(&mut self, now: Instant) {
        if let Some(hangup @ Hangup::Noted) = self.reading.hangup() {
            *hangup = Hangup::WaitsUntil(deadline(now, self.close_timeout));
        }
        match &mut self.course {
            Course::Running if self.window.is_holding() => {}
            Course::Running => self.protocol.settle_fault(),
            Course::Over { end: End::Waiting { until: until @ None, .. }, .. } => {
                *until = deadline(now, self.close_timeout);
            }
            Course::Over { .. } => {}
        }
    }

    /// After the end of the protocol: what to do with the transport. `None` before.
    pub fn farewell(&mut self, now: Instant) -> Option<Farewell> {
        let has_output = self.protocol.has_output();
        match &mut self.course {
            Course::Running => None,
            Course::Over { leaving, .. } => Some(leaving.next(has_output, now)),
        }
    }

    /// The transport's sending direction is closed; see [`Farewell::SendFin`].
    pub fn fin_sent(&mut self) {
        if let Course::Over { leaving, .. } = &mut self.course {
            leaving.fin_sent();
        }
    }

    /// Whether messages can be sent: the upgrade is complete and neither side has closed.
    pub fn is_open(&self) -> bool {
        self.protocol.is_open()
    }

    /// Whether messages that are sent may be compressed.
    pub fn is_compressed(&self) -> bool {
        self.protocol.is_compressed()
    }

    /// Whether the protocol is over, although its end may wait behind messages.
    pub fn is_over(&self) -> bool {
        matches!(self.course, Course::Over { .. })
    }

    /// Whether the transport is left.
    pub fn has_parted(&self) -> bool {
        matches!(&self.course, Course::Over { leaving, .. } if leaving.has_parted())
    }

    /// Whether everything has been reported.
    pub fn is_silent(&self) -> bool {
        matches!(self.course, Course::Over { end: End::Told, .. })
    }

    /// Changes the heartbeat at once, counted from the last ping; `None` turns it off.
    pub fn set_heartbeat_interval(&mut self, interval: Option<Duration>, now: Instant) {
        self.protocol.set_heartbeat_interval(interval, now);
    }

    /// Changes how long a close handshake, and leaving, that begin after this call may take.
    pub fn set_close_timeout(&mut self, timeout: Duration) {
        self.close_timeout = timeout;
        self.protocol.set_close_timeout(timeout);
    }

    /// Between the last answered ping and its pong.
    pub fn round_trip_time(&self) -> Option<Duration> {
        self.protocol.round_trip_time()
    }

    /// What was counted since the last call.
    pub fn take_statistics(&mut self) -> Statistics {
        let mut statistics = std::mem::take(&mut self.statistics);
        statistics.unreliable_dropped = self.protocol.take_dropped();
        statistics.pings_out = self.protocol.take_pings();
        (statistics.compressed_out, statistics.compressions) = self.protocol.take_compressed();
        statistics
    }
}

/// The end, once no message is before it.
fn take_end(end: &mut End, is_holding: bool) -> Polled {
    if is_holding {
        return Polled::Full;
    }
    match std::mem::replace(end, End::Told) {
        End::Waiting { closed, .. } => Polled::Event(Event::Closed(*closed)),
        End::Told => Polled::Idle,
    }
}
