//! A connection over a stream of the engine, driven by the calls of the script's thread.

use std::{
    io::IoSlice,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use godot::builtin::PackedByteArray;
use rust_websocket_net::{
    Counters, LinkEvent, LinkOptions, ReceiveLimits, SendLimits, SystemRandom, UNOFFERED_CAP,
};
use rust_websocket_proto::{
    ClientRequest, CloseCause, Compressor, ConnectPhase, Connection, Event, MessageKind, Scheme, SendError,
    TransportEnd,
};

use crate::{
    engine_dial::Dial,
    engine_stream::{EngineStream, OpenStream, StreamState, TLS_RECORD},
};

/// Most bytes handed to the stream at once: they are copied into an array of the engine first.
const WRITE_CHUNK: usize = 256 * 1024;
const WRITE_SLICES: usize = 16;

/// Reads in one poll: more than any socket buffer holds, so that everything that had arrived is read, and no end for a
/// script whose other side sends faster than this one decodes.
const READS_PER_POLL: usize = 256;

/// Silence after which the other side is taken to have heard our last words.
const QUIET: Duration = Duration::from_millis(100);

/// A [`Connection`] and the stream it talks over.
pub(crate) struct Local {
    connection: Connection,
    stream: EngineStream,
    /// Of a client, until the stream carries our bytes.
    dial: Option<Dial>,
    /// What a TLS stream has to be offered again.
    repeated: Option<usize>,
    counters: Arc<Counters>,
    /// Memory to compress in, given back by a poll before which nothing was sent.
    compressor: Compressor,
    sent_since_poll: bool,
    send_limits: SendLimits,
    receive_limits: ReceiveLimits,
    /// Reading stopped for want of room.
    paused: bool,
    /// Messages and bytes handed out and not yet taken by the script.
    unread_messages: usize,
    unread_bytes: usize,
    /// This side has closed: what still arrives is decoded to find the close frame, and dropped beyond the limits.
    closing: bool,
    close_timeout: Duration,
    /// The connection has no reading side any more.
    input_ended: bool,
    /// The connection is over for the script; since when.
    closed_at: Option<Instant>,
    /// Our last words answer a fault of the other side, which may be sending still.
    complains: bool,
    /// When bytes last arrived.
    input_at: Instant,
    /// The stream is let go: nothing is read or written any more.
    released: bool,
}

impl Local {
    /// A server for a stream somebody has accepted.
    pub(crate) fn server(stream: EngineStream, options: LinkOptions, now: Instant) -> Self {
        let scheme = if stream.is_tls() { Scheme::Wss } else { Scheme::Ws };
        Self::new(Connection::server(scheme, options.config.clone(), now), stream, &options, now)
    }

    /// A client that connects this stream.
    pub(crate) fn client(
        stream: EngineStream,
        request: &ClientRequest,
        options: LinkOptions,
        now: Instant,
    ) -> Self {
        let connection = Connection::client(request, options.config.clone(), Arc::new(SystemRandom), now);
        let mut local = Self::new(connection, stream, &options, now);
        local.dial = Some(Dial::start(&request.target, options.no_delay));
        local
    }

    fn new(connection: Connection, stream: EngineStream, options: &LinkOptions, now: Instant) -> Self {
        let LinkOptions { config, send_limits, receive_limits, .. } = options;
        Self {
            connection,
            stream,
            dial: None,
            repeated: None,
            counters: Arc::default(),
            compressor: Compressor::default(),
            sent_since_poll: false,
            send_limits: *send_limits,
            receive_limits: *receive_limits,
            paused: false,
            unread_messages: 0,
            unread_bytes: 0,
            closing: false,
            close_timeout: config.close_timeout,
            input_ended: false,
            closed_at: None,
            complains: false,
            input_at: now,
            released: false,
        }
    }

    /// Reads, decodes, acts on deadlines and writes. Everything that can be read is read before a deadline is
    /// judged: the script may not have polled for a while.
    pub(crate) fn poll(&mut self, events: &mut Vec<LinkEvent>, now: Instant) {
        if self.released {
            return;
        }
        if !std::mem::take(&mut self.sent_since_poll) {
            self.compressor.clear();
        }
        let Some(mut stream) = self.stream.open() else {
            self.end_input(TransportEnd::Error("the stream was freed".to_owned()));
            self.take_events(events, now);
            self.released = true;
            return;
        };
        // What the last poll brought is answered by now.
        self.connection.settle_fault();
        self.dial(&mut stream, events, now);
        self.read(&mut stream, events, now);
        if self.connection.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.connection.handle_timeout(now);
            self.take_events(events, now);
        }
        self.write(&mut stream);
        self.finish(&mut stream, now);
    }

    /// Goes on with connecting a client's stream.
    fn dial(&mut self, stream: &mut OpenStream, events: &mut Vec<LinkEvent>, now: Instant) {
        let Some(dial) = &mut self.dial else { return };
        let progress = dial.advance(stream, now);
        events.extend(dial.take_connected().map(LinkEvent::Connected));
        let is_through = progress == Ok(true);
        self.connection.set_connect_phase(if is_through { ConnectPhase::Upgrade } else { dial.phase() });
        if is_through {
            self.dial = None;
        }
        if let Err(error) = progress {
            self.end_input(TransportEnd::Error(error));
        }
    }

    fn read(&mut self, stream: &mut OpenStream, events: &mut Vec<LinkEvent>, now: Instant) {
        self.take_events(events, now);
        if self.dial.is_some() {
            return;
        }
        let was_open = stream.state() == StreamState::Open;
        let has_read = was_open && self.read_available(stream, events, now);
        // The engine notices an end only in its own poll, and drops what was not read by then. Where something was
        // read the next poll is early enough for that: each of these calls is a system call or two.
        if has_read || !self.has_room() {
            return;
        }
        // An open TLS stream has been polled to read it.
        if !was_open || !self.stream.is_tls() {
            stream.poll();
        }
        if !was_open {
            self.read_available(stream, events, now);
        }
        match stream.state() {
            StreamState::Open | StreamState::Handshaking => return,
            StreamState::Ended => self.end_input(TransportEnd::Eof),
            StreamState::Failed(error) => self.end_input(TransportEnd::Error(error)),
        }
        self.take_events(events, now);
    }

    /// True if there was something.
    fn read_available(&mut self, stream: &mut OpenStream, events: &mut Vec<LinkEvent>, now: Instant) -> bool {
        let mut has_read = false;
        for _ in 0..READS_PER_POLL {
            if self.input_ended || !self.has_room() || stream.state() != StreamState::Open {
                break;
            }
            let (data, may_have_more) = stream.read();
            if data.is_empty() {
                break;
            }
            has_read = true;
            self.input_at = now;
            self.connection.handle_input(data.as_slice(), now);
            self.take_events(events, now);
            if !may_have_more {
                break;
            }
        }
        let paused = !self.has_room();
        if paused && !self.paused {
            self.counters.read_paused();
        }
        self.paused = paused;
        self.connection.set_receive_paused(paused, now);
        has_read
    }

    fn end_input(&mut self, end: TransportEnd) {
        if !self.input_ended {
            self.input_ended = true;
            self.connection.handle_transport_end(end);
        }
    }

    fn take_events(&mut self, events: &mut Vec<LinkEvent>, now: Instant) {
        while self.has_room() {
            match self.connection.poll_event(now) {
                Some(Event::Message(message)) => {
                    self.counters.received(message.payload.len());
                    if self.has_queue_room() {
                        self.unread_messages += 1;
                        self.unread_bytes += message.payload.len();
                        events.push(LinkEvent::Protocol(Event::Message(message)));
                    }
                }
                Some(event) => {
                    if let Event::Closed(closed) = &event {
                        self.closed_at = Some(now);
                        self.complains = closed.cause.own_close().is_some()
                            || matches!(closed.cause, CloseCause::Request(_));
                    }
                    events.push(LinkEvent::Protocol(event));
                }
                None => break,
            }
        }
    }

    fn has_room(&self) -> bool {
        self.closing || self.has_queue_room()
    }

    fn has_queue_room(&self) -> bool {
        self.unread_messages < self.receive_limits.messages && self.unread_bytes < self.receive_limits.bytes
    }

    /// Offers what is to be written; what the stream does not take stays.
    fn write(&mut self, stream: &mut OpenStream) {
        let is_tls = self.stream.is_tls();
        while self.is_writable(stream) {
            let data = self.next_output(if is_tls { TLS_RECORD } else { WRITE_CHUNK });
            let Some(taken) = stream.write(&data) else { break };
            self.connection.advance_output(taken, Instant::now());
            let left = data.len() - taken.min(data.len());
            // What a TLS stream does not take it holds already, encrypted. It counts as taken with the next offer, whatever
            // that is: it must be the same, no more and no less.
            self.repeated = (is_tls && left > 0).then_some(left);
            if left > 0 {
                break;
            }
        }
    }

    fn is_writable(&self, stream: &OpenStream) -> bool {
        self.dial.is_none() && self.connection.has_output() && stream.state() == StreamState::Open
    }

    /// As much of the output as is offered at once.
    fn next_output(&self, most: usize) -> PackedByteArray {
        let most = self.repeated.unwrap_or(most);
        let mut slices = [IoSlice::new(&[]); WRITE_SLICES];
        let count = self.connection.output(&mut slices);
        if let [slice] = &slices[..count] {
            return PackedByteArray::from(&slice[..slice.len().min(most)]);
        }
        let mut data = Vec::new();
        for slice in &slices[..count] {
            let room = most - data.len();
            data.extend_from_slice(&slice[..slice.len().min(room)]);
            if data.len() == most {
                break;
            }
        }
        PackedByteArray::from(data)
    }

    /// After the end: lets the stream go once everything is written. Ending it over unread input would send a reset,
    /// which destroys what is in flight; so where the other side does not know of the end yet, it is listened to until
    /// it is quiet.
    fn finish(&mut self, stream: &mut OpenStream, now: Instant) {
        let Some(closed_at) = self.closed_at else { return };
        if self.discard_input(stream) {
            self.input_at = now;
        }
        let quiet = !self.complains || now.saturating_duration_since(self.input_at) >= QUIET;
        let waited = now.saturating_duration_since(closed_at) >= self.close_timeout;
        if self.input_ended || waited || (quiet && !self.is_writable(stream)) {
            self.release(stream);
        }
    }

    fn release(&mut self, stream: &mut OpenStream) {
        self.released = true;
        stream.disconnect();
    }

    /// Sends at once what the stream takes.
    pub(crate) fn send(&mut self, kind: MessageKind, payload: Bytes) -> Result<(), SendError> {
        if !self.has_send_room(payload.len()) {
            self.write_now();
            if !self.has_send_room(payload.len()) {
                self.counters.send_refused();
                return Err(SendError::BufferFull);
            }
        }
        let len = payload.len();
        self.sent_since_poll = true;
        self.connection.send_with(kind, payload, &mut self.compressor)?;
        self.counters.sent(1, len);
        self.write_now();
        Ok(())
    }

    fn has_send_room(&self, len: usize) -> bool {
        let limit = match self.send_limits.bytes {
            0 => UNOFFERED_CAP,
            bytes => bytes,
        };
        let held = self.connection.buffered_amount();
        let messages = self.send_limits.messages;
        (held == 0 || held.saturating_add(len) <= limit)
            && (messages == 0 || self.connection.buffered_messages() < messages)
    }

    fn write_now(&mut self) {
        if let Some(mut stream) = self.stream.open().filter(|_| !self.released) {
            self.write(&mut stream);
        }
    }

    pub(crate) fn close(&mut self, code: u16, reason: &str, now: Instant) {
        self.closing = true;
        self.connection.set_receive_paused(false, now);
        self.connection.close(code, reason, now);
        self.write_now();
    }

    /// Ends the connection and the stream without a close frame.
    pub(crate) fn leave(&mut self) {
        self.connection.abort();
        if let Some(mut stream) = self.stream.open().filter(|_| !self.released) {
            self.write(&mut stream);
            // Closing over unread input would send a reset, which destroys what is in flight.
            self.discard_input(&mut stream);
            self.release(&mut stream);
        }
    }

    /// Reads and forgets what is there; true if there was something.
    fn discard_input(&mut self, stream: &mut OpenStream) -> bool {
        let mut has_read = false;
        for _ in 0..READS_PER_POLL {
            if self.input_ended || self.dial.is_some() || stream.state() != StreamState::Open {
                break;
            }
            if stream.read().0.is_empty() {
                break;
            }
            has_read = true;
        }
        has_read
    }

    /// Whether the stream is let go and polling has no effect any more.
    pub(crate) fn is_released(&self) -> bool {
        self.released
    }

    pub(crate) fn consumed(&mut self, bytes: usize) {
        self.unread_messages = self.unread_messages.saturating_sub(1);
        self.unread_bytes = self.unread_bytes.saturating_sub(bytes);
    }

    pub(crate) fn set_send_limits(&mut self, limits: SendLimits) {
        self.send_limits = limits;
    }

    pub(crate) fn set_heartbeat_interval(&mut self, interval: Option<Duration>, now: Instant) {
        self.connection.set_heartbeat_interval(interval, now);
    }

    pub(crate) fn set_close_timeout(&mut self, timeout: Duration) {
        self.close_timeout = timeout;
        self.connection.set_close_timeout(timeout);
    }

    pub(crate) fn round_trip_time(&self) -> Option<Duration> {
        self.connection.round_trip_time()
    }

    pub(crate) fn set_no_delay(&mut self, enabled: bool) {
        if let Some(dial) = &mut self.dial {
            dial.no_delay = enabled;
        }
        if let Some(mut stream) = self.stream.open() {
            stream.set_no_delay(enabled);
        }
    }

    pub(crate) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    pub(crate) fn buffered_amount(&self) -> usize {
        self.connection.buffered_amount()
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.leave();
    }
}
