//! The state machine.

use std::{
    io::IoSlice,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::{
    ClientRequest, Config, ConnectPhase, Event, MessageKind, Random, Scheme, SendError, TransportEnd,
};

/// One WebSocket connection, client or server.
///
/// # Calling contract
/// - Received bytes go into [`handle_input`](Self::handle_input), the end of the transport into
///   [`handle_transport_end`](Self::handle_transport_end); then call [`poll_event`](Self::poll_event) until it
///   returns `None`, or until there is no room for another message. What was not asked for stays undecoded, so a
///   driver that stops asking and stops reading holds the other side back (and says so with
///   [`set_receive_paused`](Self::set_receive_paused)).
/// - After any call write what [`output`](Self::output) offers and report with
///   [`advance_output`](Self::advance_output) what was taken.
/// - Call [`handle_timeout`](Self::handle_timeout) when [`next_deadline`](Self::next_deadline) has passed, after
///   everything that can be read was handed in.
/// - After [`Event::Closed`] only output is left: write it, shut the writing side down, and read until the other
///   side's end or `close_timeout` so that nothing in flight is destroyed by a reset.
pub struct Connection {}

impl Connection {
    /// A client. The request is ready to be written once the transport is connected; the connect timeout runs from
    /// now.
    pub fn client(
        _request: &ClientRequest,
        _config: Config,
        _random: Arc<dyn Random>,
        _now: Instant,
    ) -> Self {
        unimplemented!()
    }

    /// A server for an accepted transport; `scheme` tells whether it is TLS (for the requested URL).
    pub fn server(_scheme: Scheme, _config: Config, _now: Instant) -> Self {
        unimplemented!()
    }

    /// Tells how far connecting has come; timeouts and errors name it. Starts at `Upgrade` for servers,
    /// `NameResolution` for clients.
    pub fn set_connect_phase(&mut self, _phase: ConnectPhase) {}

    /// Takes received bytes.
    pub fn handle_input(&mut self, _data: &[u8], _now: Instant) {
        unimplemented!()
    }

    /// The transport ended; what was received before is decoded first.
    pub fn handle_transport_end(&mut self, _end: TransportEnd) {
        unimplemented!()
    }

    /// Acts on every deadline that has passed.
    pub fn handle_timeout(&mut self, _now: Instant) {
        unimplemented!()
    }

    /// The next deadline, if any timer runs.
    pub fn next_deadline(&self) -> Option<Instant> {
        unimplemented!()
    }

    /// Decodes as far as the next event. Control frames are answered on the way.
    pub fn poll_event(&mut self, _now: Instant) -> Option<Event> {
        unimplemented!()
    }

    /// Tells that the driver stopped or resumed reading: silence while paused does not count against the heartbeat.
    pub fn set_receive_paused(&mut self, _paused: bool, _now: Instant) {}

    /// Fills `slices` with what is to be written, in order; returns how many were filled.
    pub fn output<'a>(&'a self, _slices: &mut [IoSlice<'a>]) -> usize {
        unimplemented!()
    }

    /// `count` bytes of the output were written.
    pub fn advance_output(&mut self, _count: usize) {}

    /// Whether anything is to be written.
    pub fn has_output(&self) -> bool {
        unimplemented!()
    }

    /// Payload bytes of messages not yet written whole (the engine's `get_current_outbound_buffered_amount`).
    pub fn buffered_amount(&self) -> usize {
        unimplemented!()
    }

    /// Messages not yet written whole.
    pub fn buffered_messages(&self) -> usize {
        unimplemented!()
    }

    /// Queues a message. There is no limit here: the driver knows what the kernel refused.
    ///
    /// # Errors
    /// [`SendError::NotOpen`] before the upgrade, and once closing has begun on either side.
    pub fn send(&mut self, _kind: MessageKind, _payload: Bytes) -> Result<(), SendError> {
        unimplemented!()
    }

    /// Starts the close handshake (RFC 6455 section 7.1.2): `code` 0 sends a frame without a code. Connecting:
    /// closed at once. A second call changes nothing.
    pub fn close(&mut self, _code: u16, _reason: &str, _now: Instant) {}

    /// Ends the connection without a close frame; accepted messages stay in the output.
    pub fn abort(&mut self) {}

    /// Changes the heartbeat; `None` turns it off.
    pub fn set_heartbeat_interval(&mut self, _interval: Option<Duration>, _now: Instant) {}

    /// Between the last answered ping and its pong.
    pub fn round_trip_time(&self) -> Option<Duration> {
        None
    }
}
