//! What carries a peer's bytes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rust_websocket_net::{ConnectionTrace, Counters, How, Link, LinkEvent, SendLimits};
use rust_websocket_proto::{Amount, Delivery, MessageKind, SendError};

/// Asks for the time. It is asked only where it matters: reading the clock costs a quarter of an
/// idle poll.
pub type Now<'a> = &'a dyn Fn() -> Instant;

/// What a script may change while the connection lives.
#[derive(Debug, Clone, Copy)]
pub enum LiveSetting {
    /// `outbound_buffer_size` and `max_queued_packets`.
    SendLimits(SendLimits),
    /// `heartbeat_interval`; `None` turns it off.
    HeartbeatInterval(Option<Duration>),
    /// `close_timeout`, for a close handshake that begins after.
    CloseTimeout(Duration),
    /// TCP_NODELAY.
    NoDelay(bool),
    /// `unreliable_lifetime`; `None`: what is unreliable is worth sending for ever.
    UnreliableLifetime(Option<Duration>),
}

/// A started connection: what moves the bytes of one peer. Dropping it ends the connection as
/// [`leave`](Self::leave) does; a close handshake under way is completed if that takes no polls.
pub trait Carrier: Send {
    /// Moves bytes, if that falls to the polling thread, and appends what has happened since the
    /// last poll.
    fn poll(&mut self, events: &mut Vec<LinkEvent>, now: Now<'_>);

    /// Accepts a message for sending; `delivery` says what becomes of it where the other side is slow.
    ///
    /// # Errors
    /// The connection is over, or the send limits are reached; nothing is sent then.
    fn push(
        &mut self,
        kind: MessageKind,
        payload: Bytes,
        delivery: Delivery,
        how: How<'_>,
    ) -> Result<(), SendError>;

    /// Starts the close handshake (RFC 6455 section 7.1.2); code 0 sends none.
    fn close(&mut self, code: u16, reason: &str, now: Now<'_>);

    /// Ends the connection without a close frame. What was accepted for sending is still offered to
    /// the system.
    fn leave(&mut self);

    /// The script has taken a message of `bytes` payload bytes: room for another.
    fn consumed(&mut self, bytes: usize);

    /// Changes a setting of the live connection.
    fn set(&mut self, setting: LiveSetting, now: Now<'_>);

    /// Has what happens from here on written there, and nowhere else; `None`: nowhere.
    fn set_trace(&mut self, _trace: Option<ConnectionTrace>) {}

    /// Where what happens is written, if it is.
    fn trace(&self) -> Option<&ConnectionTrace> {
        None
    }

    /// Between the last answered ping and its pong.
    fn round_trip_time(&self) -> Option<Duration>;

    /// What the connection has carried; readable after its end too.
    fn counters(&self) -> &Arc<Counters>;

    /// What has arrived and the script has not taken.
    fn unread(&self) -> Amount {
        Amount::default()
    }

    /// Payload bytes accepted and not yet taken by the system.
    fn buffered_amount(&self) -> usize;

    /// Whether a poll would bring something, or has to move bytes.
    fn has_news(&self) -> bool {
        true
    }

    /// Whether a connection that is over for the script must still be polled, to deliver what was
    /// accepted.
    fn needs_polls(&self) -> bool;
}

/// The I/O thread moves the bytes and finishes by itself.
impl Carrier for Link {
    fn poll(&mut self, events: &mut Vec<LinkEvent>, _now: Now<'_>) {
        self.take_events(events);
    }

    fn push(
        &mut self,
        kind: MessageKind,
        payload: Bytes,
        delivery: Delivery,
        how: How<'_>,
    ) -> Result<(), SendError> {
        self.push_as(kind, payload, delivery, how)
    }

    fn close(&mut self, code: u16, reason: &str, _now: Now<'_>) {
        Link::close(self, code, reason);
    }

    fn leave(&mut self) {
        Link::leave(self);
    }

    fn consumed(&mut self, bytes: usize) {
        Link::consumed(self, bytes);
    }

    fn set(&mut self, setting: LiveSetting, _now: Now<'_>) {
        match setting {
            LiveSetting::SendLimits(limits) => self.set_send_limits(limits),
            LiveSetting::HeartbeatInterval(interval) => self.set_heartbeat_interval(interval),
            LiveSetting::CloseTimeout(timeout) => self.set_close_timeout(timeout),
            LiveSetting::NoDelay(enabled) => self.set_no_delay(enabled),
            LiveSetting::UnreliableLifetime(lifetime) => self.set_unreliable_lifetime(lifetime),
        }
    }

    fn set_trace(&mut self, trace: Option<ConnectionTrace>) {
        Link::set_trace(self, trace);
    }

    fn trace(&self) -> Option<&ConnectionTrace> {
        Link::trace(self)
    }

    fn round_trip_time(&self) -> Option<Duration> {
        Link::round_trip_time(self)
    }

    fn counters(&self) -> &Arc<Counters> {
        Link::counters(self)
    }

    fn unread(&self) -> Amount {
        Link::unread(self)
    }

    fn buffered_amount(&self) -> usize {
        Link::buffered_amount(self)
    }

    fn has_news(&self) -> bool {
        Link::has_events(self)
    }

    fn needs_polls(&self) -> bool {
        false
    }
}
