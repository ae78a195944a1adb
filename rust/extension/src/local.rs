//! A connection over a stream of the engine, driven by the calls of the script's thread.

use std::{
    io::IoSlice,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use godot::builtin::PackedByteArray;
use rust_websocket_net::{
    ConnectionTrace, Counters, LinkEvent, LinkOptions, SendLimits, SystemRandom, TRACED_LATER, Trace, way_to,
};
use rust_websocket_proto::{
    Amount, Budget, ClientRequest, Compressor, ConnectPhase, Delivery, Endpoint, EndpointOptions, Event,
    Farewell, MessageKind, Polled, Scheme, SendError, TransportEnd,
};

use crate::{
    engine_dial::Dial,
    engine_stream::{EngineStream, OpenStream, StreamState, TLS_RECORD},
    frame_share,
    gauges::Gauges,
};

/// Most bytes handed to the stream at once: they are copied into an array of the engine first.
const WRITE_CHUNK: usize = 256 * 1024;
const WRITE_SLICES: usize = 16;

/// What each poll of a connection may cost in any case.
const LEAST_SHARE: Duration = Duration::from_micros(40);
/// What it costs a script at least to take a message out. That is on the same thread, behind the poll that brings the message, so it is
/// counted there: nothing else keeps those who send as many as they can from taking all of a frame. Counted at more, what they have
/// left behind when they go would take minutes to be read.
const TAKING_A_MESSAGE: Duration = Duration::from_nanos(300);
/// For a stream that is let go without being polled again.
const LAST_SHARE: Duration = Duration::from_millis(1);

/// Runs a poll of one connection with its share of the frame; the rest waits for the next poll.
fn with_share(now: Instant, poll: impl FnOnce(&mut Budget)) {
    let share = frame_share::left(now).max(LEAST_SHARE);
    let mut budget = Budget::new(share);
    poll(&mut budget);
    frame_share::spend(now, share.saturating_sub(budget.left()) + budget.overdrawn());
}

/// An [`Endpoint`] and the stream it talks over.
pub(crate) struct Local {
    endpoint: Endpoint,
    stream: EngineStream,
    /// Of a client, until the stream carries our bytes.
    dial: Option<Dial>,
    /// Of a server: what was read of the stream before.
    received: Bytes,
    /// What a TLS stream has to be offered again.
    repeated: Option<usize>,
    counters: Arc<Counters>,
    gauges: Gauges,
    /// Where what happens is written, if it is.
    trace: Option<ConnectionTrace>,
    /// Memory to compress in, given back by a poll before which nothing was sent.
    compressor: Compressor,
    sent_since_poll: bool,
    polled_at: Instant,
    /// The stream is let go: nothing is read or written any more.
    released: bool,
}

impl Local {
    /// A server for a stream somebody has accepted, and of which they have read that; `remote` is its other side's address.
    pub(crate) fn server(
        stream: EngineStream,
        received: Bytes,
        options: LinkOptions,
        remote: Option<&(String, u16)>,
        now: Instant,
    ) -> Self {
        let scheme = if stream.is_tls() { Scheme::Wss } else { Scheme::Ws };
        let bounds = bounds(&options, EndpointOptions::SERVER_READ_AHEAD);
        let trace = options.trace;
        let mut local = Self::new(Endpoint::server(scheme, options.config, bounds, now), stream, now);
        local.received = received;
        local.begin_trace(trace.as_ref(), || match remote {
            Some((host, port)) => format!("from {host} port {port}"),
            None => "over a stream".to_owned(),
        });
        local
    }

    /// A client that connects this stream.
    pub(crate) fn client(
        stream: EngineStream,
        request: &ClientRequest,
        options: LinkOptions,
        now: Instant,
    ) -> Self {
        let bounds = bounds(&options, EndpointOptions::CLIENT_READ_AHEAD);
        let trace = options.trace;
        let endpoint = Endpoint::client(request, options.config, Arc::new(SystemRandom), bounds, now);
        let mut local = Self::new(endpoint, stream, now);
        local.dial = Some(Dial::start(&request.target, options.no_delay));
        local.begin_trace(trace.as_ref(), || way_to(&request.target, None));
        local
    }

    fn new(endpoint: Endpoint, stream: EngineStream, now: Instant) -> Self {
        let counters = Arc::default();
        Self {
            endpoint,
            stream,
            dial: None,
            received: Bytes::new(),
            repeated: None,
            gauges: Gauges::new(&counters),
            counters,
            trace: None,
            compressor: Compressor::default(),
            sent_since_poll: false,
            polled_at: now,
            released: false,
        }
    }

    fn begin_trace(&mut self, trace: Option<&Trace>, way: impl FnOnce() -> String) {
        self.trace = trace.map(Trace::connection);
        if let Some(trace) = &self.trace {
            self.endpoint.set_tracer(Some(trace.tracer()), &way());
        }
    }

    /// Has what happens from here on written there, and nowhere else.
    pub(crate) fn set_trace(&mut self, trace: Option<ConnectionTrace>) {
        self.endpoint.set_tracer(trace.as_ref().map(ConnectionTrace::tracer), TRACED_LATER);
        self.trace = trace;
    }

    /// Where what happens is written since it began, if it is.
    pub(crate) fn trace(&self) -> Option<&ConnectionTrace> {
        self.trace.as_ref()
    }

    /// Reads, decodes, acts on deadlines and writes. What can be read is read before a deadline is judged: the script may
    /// not have polled for a while.
    pub(crate) fn poll(&mut self, events: &mut Vec<LinkEvent>, now: Instant) {
        if !std::mem::take(&mut self.sent_since_poll) {
            self.compressor.clear();
        }
        self.polled_at = now;
        // What the last poll brought is answered by now.
        self.endpoint.settle(now);
        with_share(now, |budget| match self.stream.open().filter(|_| !self.released) {
            Some(mut stream) => self.turn(&mut stream, budget, events, now),
            None => self.turn_without_stream(budget, events, now),
        });
        self.counters.add(&self.endpoint.take_statistics());
        self.gauges.update(&self.endpoint);
    }

    fn turn(
        &mut self,
        stream: &mut OpenStream,
        budget: &mut Budget,
        events: &mut Vec<LinkEvent>,
        now: Instant,
    ) {
        self.dial(stream, events, now);
        self.read(stream, budget, events, now);
        self.act_on_deadlines(budget, events, now);
        self.write(stream, now);
        self.finish(stream, now);
    }

    /// What is held is still handed out. A stream that was not let go has been freed by somebody.
    fn turn_without_stream(&mut self, budget: &mut Budget, events: &mut Vec<LinkEvent>, now: Instant) {
        if !std::mem::replace(&mut self.released, true) {
            self.endpoint.handle_end(TransportEnd::Error("the stream was freed".to_owned()));
        }
        self.take_events(budget, events, now);
        self.act_on_deadlines(budget, events, now);
    }

    fn act_on_deadlines(&mut self, budget: &mut Budget, events: &mut Vec<LinkEvent>, now: Instant) {
        if self.endpoint.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.endpoint.handle_timeout(now);
            self.take_events(budget, events, now);
        }
    }

    /// Goes on with connecting a client's stream.
    fn dial(&mut self, stream: &mut OpenStream, events: &mut Vec<LinkEvent>, now: Instant) {
        let Some(dial) = &mut self.dial else { return };
        let progress = dial.advance(stream, now);
        events.extend(dial.take_connected().map(|address| LinkEvent::Connected(address.into())));
        let is_through = progress == Ok(true);
        self.endpoint.set_connect_phase(if is_through { ConnectPhase::Upgrade } else { dial.phase() });
        if is_through {
            self.dial = None;
        }
        if let Err(error) = progress {
            self.endpoint.handle_end(TransportEnd::Error(error));
        }
    }

    fn read(
        &mut self,
        stream: &mut OpenStream,
        budget: &mut Budget,
        events: &mut Vec<LinkEvent>,
        now: Instant,
    ) {
        self.take_events(budget, events, now);
        if self.dial.is_some() {
            return;
        }
        if !self.received.is_empty() && self.endpoint.wants_read() {
            let received = std::mem::take(&mut self.received);
            self.endpoint.handle_read(&received, now);
            self.take_events(budget, events, now);
        }
        let was_open = stream.state() == StreamState::Open;
        let has_read = was_open && self.read_available(stream, budget, events, now);
        // The engine notices an end only in its own poll, and drops what was not read by then. Where something was
        // read the next poll is early enough for that: each of these calls is a system call or two.
        if has_read || budget.is_spent() {
            return;
        }
        if !self.endpoint.wants_read() {
            self.look_for_the_end(stream);
            return;
        }
        // An open TLS stream has been polled to read it.
        if !was_open || !self.stream.is_tls() {
            stream.poll();
        }
        if !was_open {
            self.read_available(stream, budget, events, now);
        }
        match stream.state() {
            StreamState::Open | StreamState::Handshaking => return,
            StreamState::Ended => self.endpoint.handle_end(TransportEnd::Eof),
            StreamState::Failed(error) => self.endpoint.handle_end(TransportEnd::Error(error)),
        }
        self.take_events(budget, events, now);
    }

    /// Nothing is read for want of room. That the other side has reset the connection shows all the same, and so does a write that
    /// failed; behind either there is nothing more to be read.
    fn look_for_the_end(&mut self, stream: &mut OpenStream) {
        if !self.stream.is_tls() {
            stream.poll();
        }
        if matches!(stream.state(), StreamState::Ended | StreamState::Failed(_)) {
            self.endpoint.handle_hangup();
        }
    }

    /// True if there was something.
    fn read_available(
        &mut self,
        stream: &mut OpenStream,
        budget: &mut Budget,
        events: &mut Vec<LinkEvent>,
        now: Instant,
    ) -> bool {
        let mut has_read = false;
        while self.endpoint.wants_read() && !budget.is_spent() && stream.state() == StreamState::Open {
            let begun = Instant::now();
            let (data, may_have_more) = stream.read();
            budget.charge_time(begun.elapsed());
            if data.is_empty() {
                break;
            }
            has_read = true;
            self.endpoint.handle_read(data.as_slice(), now);
            self.take_events(budget, events, now);
            if !may_have_more {
                break;
            }
        }
        has_read
    }

    fn take_events(&mut self, budget: &mut Budget, events: &mut Vec<LinkEvent>, now: Instant) {
        // Also what was decoded before and is held waits for the next poll: taking it is the work.
        while !budget.is_spent()
            && let Polled::Event(event) = self.endpoint.poll_event(budget, now)
        {
            match &event {
                Event::Opened(_) => self.counters.opened(),
                Event::Message(_) => budget.charge_time(TAKING_A_MESSAGE),
                Event::Closed(_) => {}
            }
            self.gauges.saw(&event);
            events.push(LinkEvent::Protocol(event));
        }
    }

    /// Offers what is to be written; what the stream does not take stays.
    fn write(&mut self, stream: &mut OpenStream, now: Instant) {
        let is_tls = self.stream.is_tls();
        loop {
            self.endpoint.fill_output(now, &mut self.compressor);
            if !self.is_writable(stream) {
                break;
            }
            let data = self.next_output(if is_tls { TLS_RECORD } else { WRITE_CHUNK });
            let Some(taken) = stream.write(&data) else { break };
            self.endpoint.wrote(taken, now);
            let left = data.len() - taken.min(data.len());
            // What a TLS stream does not take it holds already, encrypted. It counts as taken with the next offer, whatever
            // that is: it must be the same, no more and no less.
            self.repeated = (is_tls && left > 0).then_some(left);
            if self.repeated.is_some() {
                self.endpoint.write_held(now);
                break;
            }
            if left > 0 {
                self.endpoint.write_refused(now);
                break;
            }
        }
        self.endpoint.take_offered();
    }

    fn is_writable(&self, stream: &OpenStream) -> bool {
        self.dial.is_none() && self.endpoint.has_output() && stream.state() == StreamState::Open
    }

    /// As much of the output as is offered at once.
    fn next_output(&self, most: usize) -> PackedByteArray {
        let most = self.repeated.unwrap_or(most);
        let mut slices = [IoSlice::new(&[]); WRITE_SLICES];
        let count = self.endpoint.output(&mut slices);
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

    /// After the end: lets the stream go once everything is written, and where the other side does not know of the end, once it is
    /// quiet. (A stream of the engine cannot be half closed.)
    fn finish(&mut self, stream: &mut OpenStream, now: Instant) {
        let can_write = self.is_writable(stream);
        match self.endpoint.farewell(now) {
            Some(Farewell::WriteMore) if !can_write => self.release(stream),
            None | Some(Farewell::WriteMore | Farewell::ReadOn) => {}
            Some(Farewell::SendFin | Farewell::Done) => self.release(stream),
        }
    }

    fn release(&mut self, stream: &mut OpenStream) {
        self.released = true;
        stream.disconnect();
    }

    /// Sends at once what the stream takes.
    pub(crate) fn send(
        &mut self,
        kind: MessageKind,
        payload: Bytes,
        delivery: Delivery,
    ) -> Result<(), SendError> {
        let now = Instant::now();
        if !self.endpoint.has_send_room(payload.len()) {
            self.write_now(now);
        }
        self.sent_since_poll = true;
        let sent = self.endpoint.send_as(kind, payload, delivery, &mut self.compressor);
        self.counters.add(&self.endpoint.take_statistics());
        sent?;
        self.write_now(now);
        self.gauges.update(&self.endpoint);
        Ok(())
    }

    fn write_now(&mut self, now: Instant) {
        if let Some(mut stream) = self.stream.open().filter(|_| !self.released) {
            self.write(&mut stream, now);
        }
    }

    pub(crate) fn close(&mut self, code: u16, reason: &str, now: Instant) {
        self.endpoint.close(code, reason, now);
        self.write_now(now);
    }

    /// Ends the connection and the stream without a close frame.
    pub(crate) fn leave(&mut self) {
        self.endpoint.leave();
        if let Some(mut stream) = self.stream.open().filter(|_| !self.released) {
            self.write(&mut stream, Instant::now());
            // Closing over unread input would send a reset, which destroys what is in flight.
            self.discard_input(&mut stream);
            self.release(&mut stream);
        }
    }

    /// Reads and forgets what is there.
    fn discard_input(&self, stream: &mut OpenStream) {
        let mut budget = Budget::new(LAST_SHARE);
        while !budget.is_spent() && self.dial.is_none() && stream.state() == StreamState::Open {
            let data = stream.read().0;
            if data.is_empty() {
                return;
            }
            budget.charge_read(data.len());
        }
    }

    /// Whether the stream is let go and polling has no effect any more.
    pub(crate) fn is_released(&self) -> bool {
        self.released
    }

    pub(crate) fn consumed(&mut self, bytes: usize) {
        self.endpoint.consumed(Amount::message(bytes), self.polled_at);
        self.gauges.update(&self.endpoint);
    }

    pub(crate) fn set_send_limits(&mut self, limits: SendLimits) {
        self.endpoint.set_send_limits(limits);
    }

    pub(crate) fn set_heartbeat_interval(&mut self, interval: Option<Duration>, now: Instant) {
        self.endpoint.set_heartbeat_interval(interval, now);
    }

    /// How much of it the engine's socket holds cannot be bounded from here.
    pub(crate) fn set_unreliable_lifetime(&mut self, lifetime: Option<Duration>) {
        self.endpoint.set_unreliable_lifetime(lifetime);
    }

    pub(crate) fn set_close_timeout(&mut self, timeout: Duration) {
        self.endpoint.set_close_timeout(timeout);
    }

    pub(crate) fn round_trip_time(&self) -> Option<Duration> {
        self.endpoint.round_trip_time()
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

    pub(crate) fn unread(&self) -> Amount {
        self.endpoint.unread()
    }

    pub(crate) fn buffered_amount(&self) -> usize {
        self.endpoint.buffered_amount()
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.leave();
    }
}

fn bounds(options: &LinkOptions, read_ahead: usize) -> EndpointOptions {
    let LinkOptions { send_limits, receive_limits, .. } = *options;
    EndpointOptions { send_limits, receive_limits, read_ahead, half_close: false }
}
