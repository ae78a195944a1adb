//! The state machine.

mod life;
mod request;
mod tracing;
mod waiting;

use std::{
    io::IoSlice,
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::{
    Budget, ClientRequest, CloseCause, Closed, Compressor, Config, ConnectPhase, Event, MessageKind, Random,
    Scheme, SendError, TransportEnd,
    buffer::{ReceiveBuffer, SendQueue},
    deflate::{Deflater, Inflater},
    frame::{self, CloseFrame, FrameKind, Side},
    handshake::{ClientHandshake, ClientProgress, ServerHandshake, Upgraded},
    mask::MaskSource,
    message::{Decoder, Item},
    timer::{Heartbeat, Timer, Timers, deadline},
    trace::Trace,
    waiting::Waiting,
};

/// A compression context that is not used for one to two times this long is freed.
const DEFLATE_IDLE: Duration = Duration::from_secs(10);
/// How long a fault waits for answers to the messages before it.
const FAULT_WAIT: Duration = Duration::from_secs(1);

/// What came of asking for an event.
#[derive(Debug)]
pub enum Polled {
    /// Something happened. Ask again.
    Event(Event),
    /// Everything that was handed in is decoded.
    Idle,
    /// The owner has to [consume](crate::Endpoint::consumed) before there is room for more (backpressure). Only an
    /// [`Endpoint`](crate::Endpoint) says so.
    Full,
    /// There may be more, and the budget of this turn is used up: ask again in the next one.
    BudgetSpent,
}

/// One WebSocket connection, client or server: frames and handshakes, without limits on what waits. An
/// [`Endpoint`](crate::Endpoint) adds those; drivers want that.
///
/// # Calling contract
/// - Received bytes go into [`handle_input`](Self::handle_input), the end of the transport into
///   [`handle_transport_end`](Self::handle_transport_end); then call [`poll_event`](Self::poll_event) until it
///   returns `None`, or until there is no room for another message. What was not asked for stays undecoded, so a
///   driver that stops asking and stops reading holds the other side back (and says so with
///   [`set_receive_paused`](Self::set_receive_paused)).
/// - After any call write what [`output`](Self::output) offers and report with
///   [`advance_output`](Self::advance_output) what was taken, and with [`output_refused`](Self::output_refused) that the
///   transport takes no more for now.
/// - Call [`handle_timeout`](Self::handle_timeout) when [`next_deadline`](Self::next_deadline) has passed, after
///   everything that can be read was handed in and its events were taken; then call `poll_event` again.
/// - A fault of the other side behind messages waits until they are answered: while [`has_fault`](Self::has_fault), call
///   [`settle_fault`](Self::settle_fault) once their receiver has had the chance, and `poll_event` again.
/// - After [`Event::Closed`] only output is left: write it, shut the writing side down, and read until the other
///   side's end or `close_timeout` so that nothing in flight is destroyed by a reset.
///
/// `close`, `abort` and timeouts report their [`Event::Closed`] through `poll_event` too.
pub struct Connection {
    state: State,
    close_timeout: Duration,
    masks: Option<Box<MaskSource>>,
    input: ReceiveBuffer,
    /// The client was let in to be sent away again: what it sends is of no interest.
    is_refused: bool,
    /// A message was reported, which its receiver may want to answer.
    has_reported: bool,
    /// The other side broke a rule behind a message: see [`settle_fault`](Self::settle_fault).
    fault: Option<CloseCause>,
    /// Nothing more comes in; it takes effect once what came before is decoded.
    input_end: Option<InputEnd>,
    output: SendQueue,
    /// Where some messages are not worth sending for ever: what is not framed yet.
    waiting: Option<Box<Waiting>>,
    /// Messages dropped and not told of, beside what `waiting` counts.
    dropped: u64,
    /// Where compression was agreed on.
    deflater: Option<Box<Deflater>>,
    /// The latest ping's payload, while too many pongs wait in the output.
    unanswered_ping: Option<Vec<u8>>,
    /// While the transport takes output more slowly than it comes.
    backlog: Option<Backlog>,
    timers: Timers,
    heartbeat: Heartbeat,
    received_at: Instant,
    ping_sent_at: Option<Instant>,
    /// Since that was asked for.
    pings_sent: u64,
    round_trip_time: Option<Duration>,
    trace: Trace,
}

/// Output that waits for the transport.
#[derive(Debug, Clone, Copy)]
struct Backlog {
    since: Instant,
    /// The transport takes nothing since it was last offered some.
    is_refused: bool,
}

enum State {
    Connecting(Box<Connecting>),
    Open(Decoder),
    /// Our close frame is in the output, the other side's has not come.
    Closing(Decoder),
    /// Over, to be reported.
    Ending(Box<Closed>),
    Ended,
}

/// Why nothing more comes in.
enum InputEnd {
    Transport(TransportEnd),
    Cause(CloseCause),
}

struct Connecting {
    config: Arc<Config>,
    phase: ConnectPhase,
    handshake: Handshake,
}

enum Handshake {
    Client(ClientHandshake),
    Server(ServerHandshake),
}

impl Connection {
    /// A client. The request is ready to be written once the transport is connected; the connect timeout runs from
    /// now.
    pub fn client(
        request: &ClientRequest,
        config: impl Into<Arc<Config>>,
        random: Arc<dyn Random>,
        now: Instant,
    ) -> Self {
        let config = config.into();
        let (handshake, head) = ClientHandshake::new(&request.target, &config, &*random);
        let mut connection =
            Self::new(config, ConnectPhase::NameResolution, Handshake::Client(handshake), now);
        connection.masks = Some(Box::new(MaskSource::new(random)));
        connection.output.push_handshake(head);
        connection
    }

    /// A server for an accepted transport; `scheme` tells whether it is TLS (for the requested URL).
    pub fn server(scheme: Scheme, config: impl Into<Arc<Config>>, now: Instant) -> Self {
        let handshake = Handshake::Server(ServerHandshake::new(scheme));
        Self::new(config.into(), ConnectPhase::Upgrade, handshake, now)
    }

    fn new(config: Arc<Config>, phase: ConnectPhase, handshake: Handshake, now: Instant) -> Self {
        let mut timers = Timers::default();
        timers.set(Timer::Connect, deadline(now, config.connect_timeout));
        let mut connection = Self {
            close_timeout: config.close_timeout,
            masks: None,
            input: ReceiveBuffer::default(),
            is_refused: false,
            has_reported: false,
            fault: None,
            input_end: None,
            output: SendQueue::default(),
            waiting: None,
            dropped: 0,
            deflater: None,
            unanswered_ping: None,
            backlog: None,
            timers,
            heartbeat: Heartbeat::new(config.heartbeat_interval, now),
            received_at: now,
            ping_sent_at: None,
            pings_sent: 0,
            round_trip_time: None,
            trace: Trace::default(),
            state: State::Connecting(Box::new(Connecting { config: Arc::clone(&config), phase, handshake })),
        };
        connection.set_unreliable_lifetime(config.unreliable_lifetime);
        connection
    }

    /// Tells how far connecting has come; timeouts and errors name it. Starts at `Upgrade` for servers,
    /// `NameResolution` for clients.
    pub fn set_connect_phase(&mut self, phase: ConnectPhase) {
        if let State::Connecting(connecting) = &mut self.state
            && mem::replace(&mut connecting.phase, phase) != phase
        {
            self.trace.phase(phase);
        }
    }

    /// Takes received bytes.
    pub fn handle_input(&mut self, data: &[u8], now: Instant) {
        if data.is_empty() || self.input_end.is_some() || self.fault.is_some() {
            return;
        }
        self.received_at = now;
        self.heartbeat.alive();
        let direct = match &mut self.state {
            State::Ending(_) | State::Ended => return,
            // The bulk of a large message goes straight to its place.
            State::Open(decoder) | State::Closing(decoder) if self.input.is_empty() => {
                decoder.take_payload(data)
            }
            _ => 0,
        };
        if let Some(rest) = data.get(direct..).filter(|rest| !rest.is_empty()) {
            self.input.push(rest);
        }
    }

    /// The transport ended; what was received before is decoded first.
    pub fn handle_transport_end(&mut self, end: TransportEnd) {
        self.end_input(InputEnd::Transport(end));
    }

    /// The first end counts.
    fn end_input(&mut self, end: InputEnd) {
        self.input_end.get_or_insert(end);
        self.timers.stop_all();
    }

    /// All input is decoded: if nothing more comes in, the connection ends here.
    fn end_of_input(&mut self) -> Option<Event> {
        let cause = match (self.input_end.take()?, &self.state) {
            (InputEnd::Cause(cause), _) => cause,
            (InputEnd::Transport(end), State::Connecting(connecting)) => {
                let error = match end {
                    TransportEnd::Eof => "the other side ended the connection".to_owned(),
                    TransportEnd::Error(error) => error,
                };
                CloseCause::ConnectFailed { phase: connecting.phase, error }
            }
            (InputEnd::Transport(TransportEnd::Eof), _) => CloseCause::TransportEof,
            (InputEnd::Transport(TransportEnd::Error(error)), _) => CloseCause::TransportLost(error),
        };
        Some(self.end(None, String::new(), cause))
    }

    /// Acts on every deadline that has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.timers.take_expired(Timer::RefusalBody, now) {
            self.end_input(InputEnd::Transport(TransportEnd::Eof));
        }
        if self.timers.take_expired(Timer::Connect, now)
            && let State::Connecting(connecting) = &self.state
        {
            let timeout = connecting.config.connect_timeout;
            let cause = CloseCause::ConnectTimeout { phase: connecting.phase, timeout };
            self.output.clear();
            self.end_later(cause);
        }
        if self.timers.take_expired(Timer::Request, now) {
            self.expire_request();
        }
        if self.timers.take_expired(Timer::Close, now) {
            self.end_input(InputEnd::Cause(CloseCause::CloseTimeout { timeout: self.close_timeout }));
        }
        if self.timers.take_expired(Timer::Heartbeat, now) {
            self.beat(now);
        }
        if self.timers.take_expired(Timer::Stale, now) {
            self.drop_stale(now);
        }
        // `poll_event` looks at it.
        self.timers.take_expired(Timer::Fault, now);
        if self.timers.take_expired(Timer::Deflate, now)
            && let Some(deflater) = &mut self.deflater
        {
            deflater.give_back();
            self.watch_deflater(now);
        }
    }

    /// A compression context is looked after while there is one.
    fn watch_deflater(&mut self, now: Instant) {
        let holds_memory = self.deflater.as_ref().is_some_and(|deflater| deflater.holds_memory());
        if holds_memory && self.input_end.is_none() && !self.timers.is_set(Timer::Deflate) {
            self.timers.set(Timer::Deflate, deadline(now, DEFLATE_IDLE));
        }
    }

    /// The next deadline, if any timer runs.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.next_deadline()
    }

    /// Decodes as far as the next event, whatever that costs.
    pub fn poll_event(&mut self, now: Instant) -> Option<Event> {
        match self.poll(&mut Budget::unlimited(), now) {
            Polled::Event(event) => Some(event),
            Polled::Idle | Polled::Full | Polled::BudgetSpent => None,
        }
    }

    /// Decodes as far as the next event. Control frames are answered on the way.
    pub fn poll(&mut self, budget: &mut Budget, now: Instant) -> Polled {
        let event = match &mut self.state {
            State::Connecting(_) => match self.poll_handshake(now) {
                // Accepted to be refused.
                None if self.is_closing() => return self.poll_frames(budget, now),
                event => event,
            },
            State::Open(_) | State::Closing(_) => {
                self.watch_deflater(now);
                return self.poll_frames(budget, now);
            }
            State::Ending(_) => match mem::replace(&mut self.state, State::Ended) {
                State::Ending(closed) => Some(Event::Closed(*closed)),
                _ => None,
            },
            State::Ended => None,
        };
        event.map_or(Polled::Idle, Polled::Event)
    }

    fn poll_handshake(&mut self, now: Instant) -> Option<Event> {
        let State::Connecting(connecting) = &mut self.state else { return None };
        let result = match &mut connecting.handshake {
            Handshake::Client(handshake) => {
                match handshake.poll(&mut self.input, self.input_end.is_some(), &mut self.trace) {
                    ClientProgress::Head => None,
                    ClientProgress::RefusalBody(wait) => {
                        if !self.timers.is_set(Timer::RefusalBody) {
                            self.timers.set(Timer::RefusalBody, deadline(now, wait));
                        }
                        None
                    }
                    ClientProgress::Done(result) => Some(result),
                }
            }
            Handshake::Server(_) => return self.poll_request(now),
        };
        match result {
            Some(Ok(upgraded)) => {
                let config = Arc::clone(&connecting.config);
                Some(self.open(upgraded, &config, now))
            }
            Some(Err(cause)) => Some(self.end(None, String::new(), cause)),
            None => self.end_of_input(),
        }
    }

    fn open(&mut self, upgraded: Upgraded, config: &Config, now: Instant) -> Event {
        let Upgraded { opened, deflate } = upgraded;
        let threshold = config.deflate.as_ref().map_or(0, |config| config.threshold);
        self.deflater = deflate.map(|agreed| Box::new(Deflater::new(agreed, threshold)));
        let side = if self.masks.is_some() { Side::Client } else { Side::Server };
        self.state = State::Open(Decoder::new(
            side,
            config.max_message_size,
            deflate.map(|agreed| Box::new(Inflater::new(agreed))),
        ));
        self.trace.open(false);
        self.timers.stop_all();
        self.heartbeat.start(now);
        self.schedule_heartbeat();
        Event::Opened(opened)
    }

    fn poll_frames(&mut self, budget: &mut Budget, now: Instant) -> Polled {
        if self.fault.is_some() {
            return self.fail_when_due();
        }
        loop {
            let (State::Open(decoder) | State::Closing(decoder)) = &mut self.state else {
                return Polled::Idle;
            };
            match decoder.next(&mut self.input, budget, &mut self.trace) {
                Ok(Item::Message(_)) if self.is_refused => {}
                Ok(Item::Message(message)) => {
                    self.has_reported = true;
                    return Polled::Event(Event::Message(message));
                }
                Ok(Item::Ping(payload)) => self.answer_ping(payload),
                Ok(Item::Pong) => self.note_pong(),
                Ok(Item::Close(frame)) => return Polled::Event(self.closed_by_remote(frame)),
                Ok(Item::NeedsInput) => return self.end_of_input().map_or(Polled::Idle, Polled::Event),
                Ok(Item::BudgetSpent) => return Polled::BudgetSpent,
                Err(cause) => {
                    self.fault = Some(cause);
                    self.input.clear();
                    self.timers.set(Timer::Fault, deadline(now, FAULT_WAIT));
                    return self.fail_when_due();
                }
            }
        }
    }

    /// A fault ends the connection when nobody has anything to answer (any more).
    fn fail_when_due(&mut self) -> Polled {
        let is_awaited = self.has_reported
            && matches!(self.state, State::Open(_))
            && self.input_end.is_none()
            && self.timers.is_set(Timer::Fault);
        match self.fault.take_if(|_| !is_awaited) {
            Some(cause) => Polled::Event(self.fail(cause)),
            None => Polled::Idle,
        }
    }

    /// Whether the other side broke a rule behind messages that were reported: what was sent in answer to them goes out
    /// before the connection is failed. Call [`settle_fault`](Self::settle_fault) once their receiver has had the chance;
    /// otherwise it is failed after a while.
    pub fn has_fault(&self) -> bool {
        self.fault.is_some()
    }

    /// The messages reported so far are answered, or will not be: a fault behind them need not wait any longer.
    pub fn settle_fault(&mut self) {
        self.has_reported = false;
    }

    /// The other side's close frame: the end of what it sends. It is echoed unless it is the answer to ours; with the
    /// reason, because the engine shows the reason of the answer to whoever closed.
    fn closed_by_remote(&mut self, frame: CloseFrame) -> Event {
        let is_answer = matches!(self.state, State::Closing(_));
        if !is_answer {
            self.queue_close(frame.code.unwrap_or(0), &frame.reason);
        }
        let cause = match frame.code {
            Some(code) if code != 1000 && !is_answer => {
                CloseCause::ClosedByRemote { code, reason: frame.reason.clone() }
            }
            _ => CloseCause::Clean,
        };
        // RFC 6455 section 7.1.5: a close frame without a code is shown as 1005.
        self.end(Some(frame.code.unwrap_or(1005)), frame.reason, cause)
    }

    /// The other side broke a rule (RFC 6455 section 7.1.7).
    fn fail(&mut self, cause: CloseCause) -> Event {
        let own_close = cause.own_close();
        if let (Some((code, _)), State::Open(_)) = (own_close, &self.state) {
            self.queue_close(code, "");
        }
        let (code, reason) = own_close.unzip();
        self.end(code, reason.unwrap_or_default().to_owned(), cause)
    }

    fn end(&mut self, code: Option<u16>, reason: String, cause: CloseCause) -> Event {
        self.release();
        self.state = State::Ended;
        let closed = Closed { code, reason, cause };
        self.trace_end(&closed);
        Event::Closed(closed)
    }

    /// For ends that are not found while decoding: the next `poll_event` reports it.
    fn end_later(&mut self, cause: CloseCause) {
        self.release();
        let closed = Closed { code: None, reason: String::new(), cause };
        self.trace_end(&closed);
        self.state = State::Ending(Box::new(closed));
    }

    fn release(&mut self) {
        self.flush_waiting();
        self.input.clear();
        self.input_end = None;
        self.fault = None;
        self.unanswered_ping = None;
        self.deflater = None;
        self.timers.stop_all();
    }

    fn queue_frame(&mut self, kind: FrameKind, payload: Bytes) {
        let key = self.masks.as_mut().map(|masks| masks.next_key());
        self.trace_sending(kind, &payload, None);
        self.output.push_frame(kind, payload, key);
    }

    /// A ping or pong goes out ahead of messages that are not begun, where those can be taken back.
    fn queue_control(&mut self, kind: FrameKind, payload: Bytes) {
        self.take_back();
        self.queue_frame(kind, payload);
    }

    fn queue_close(&mut self, code: u16, reason: &str) {
        self.flush_waiting();
        self.queue_frame(FrameKind::Close, frame::close_payload(code, reason).into());
    }

    /// Fills `slices` with what is to be written, in order; returns how many were filled.
    pub fn output<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.output.slices(slices)
    }

    /// Drops what is still to be written: nobody can be told any more.
    pub(crate) fn discard_output(&mut self) {
        self.waiting = None;
        self.output.clear();
        self.trace.tell_end();
    }

    /// Whether messages can be sent: the upgrade is complete and neither side has closed.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Whether no message can come any more, whatever is asked for.
    pub(crate) fn is_done_decoding(&self) -> bool {
        self.has_fault() || matches!(self.state, State::Ending(_) | State::Ended)
    }

    /// Whether this side has begun to close and waits for the other side's close frame.
    pub(crate) fn is_closing(&self) -> bool {
        matches!(self.state, State::Closing(_))
    }

    /// Whether messages that are sent may be compressed.
    pub fn is_compressed(&self) -> bool {
        self.deflater.is_some()
    }

    /// Whether anything is framed and to be written.
    pub fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// Payload bytes of messages not yet written whole (the engine's `get_current_outbound_buffered_amount`).
    pub fn buffered_amount(&self) -> usize {
        self.output.message_bytes() + self.waiting_amount().bytes
    }

    /// Messages not yet written whole.
    pub fn buffered_messages(&self) -> usize {
        self.output.messages() + self.waiting_amount().messages
    }

    /// Queues a message. There is no limit here: the driver knows what the kernel refused.
    ///
    /// # Errors
    /// [`SendError::NotOpen`] before the upgrade, and once closing has begun on either side.
    pub fn send(&mut self, kind: MessageKind, payload: Bytes) -> Result<(), SendError> {
        self.send_with(kind, payload, &mut Compressor::default())
    }

    /// Starts the close handshake (RFC 6455 section 7.1.2): `code` 0 sends a frame without a code. Connecting:
    /// closed at once. A second call changes nothing. The code is checked before, see
    /// [`is_valid_close_code`](crate::is_valid_close_code); a reason over 123 bytes is cut at a character boundary.
    pub fn close(&mut self, code: u16, reason: &str, now: Instant) {
        match mem::replace(&mut self.state, State::Ended) {
            State::Connecting(connecting) => {
                self.output.clear();
                self.end_later(CloseCause::ClosedWhileConnecting { phase: connecting.phase });
            }
            State::Open(mut decoder) => {
                decoder.set_closing();
                self.state = State::Closing(decoder);
                self.unanswered_ping = None;
                self.deflater = None;
                self.trace.closing();
                self.queue_close(code, reason);
                self.timers.stop_all();
                if self.input_end.is_none() {
                    self.timers.set(Timer::Close, deadline(now, self.close_timeout));
                }
            }
            unchanged => self.state = unchanged,
        }
    }

    /// Ends the connection without a close frame; accepted messages stay in the output.
    pub fn abort(&mut self) {
        match &self.state {
            State::Connecting(connecting) => {
                let phase = connecting.phase;
                self.output.clear();
                self.end_later(CloseCause::ClosedWhileConnecting { phase });
            }
            State::Open(_) | State::Closing(_) => self.end_later(CloseCause::Aborted),
            State::Ending(_) | State::Ended => {}
        }
    }

    /// Ends the connection here and now, whatever was received and not decoded.
    pub(crate) fn give_up(&mut self, cause: CloseCause) {
        if !matches!(self.state, State::Ending(_) | State::Ended) {
            self.end_later(cause);
        }
    }

    /// Changes how long a close handshake that begins after this call may take.
    pub fn set_close_timeout(&mut self, timeout: Duration) {
        self.close_timeout = timeout;
    }
}
