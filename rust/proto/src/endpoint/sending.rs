//! What goes out: the owner's messages, within the outbound limits, and the bytes that the transport is offered.

use std::{
    io::IoSlice,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::Endpoint;
use crate::{Amount, Compressor, Delivery, MessageKind, Offered, SendError, SendLimits};

impl Endpoint {
    /// Puts what the transport can be offered next into the output. Only messages that need not be [worth sending for
    /// ever](Delivery) wait for that: they are framed, and compressed, when it is their turn.
    pub fn fill_output(&mut self, now: Instant, compressor: &mut Compressor) {
        self.protocol.fill_output(now, compressor);
    }

    /// Fills `slices` with what is to be written, in order; returns how many were filled.
    pub fn output<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.protocol.output(slices)
    }

    /// Whether anything is to be written.
    pub fn has_output(&self) -> bool {
        self.protocol.has_output()
    }

    /// Bytes that are to be written, as far as they are framed.
    pub fn output_size(&self) -> u64 {
        self.protocol.output_size()
    }

    /// `count` bytes of the output were written.
    pub fn wrote(&mut self, count: usize, now: Instant) {
        self.statistics.wire_bytes_out += count as u64;
        self.protocol.advance_output(count, now);
    }

    /// The transport takes no more for now.
    pub fn write_refused(&mut self, now: Instant) {
        self.protocol.output_refused(now);
    }

    /// Like [`write_refused`](Self::write_refused), by a transport that has to be offered the same bytes again.
    pub fn write_held(&mut self, now: Instant) {
        self.protocol.pin_output();
        self.protocol.output_refused(now);
    }

    /// Drops what is still to be written: the transport does not carry bytes (yet), or no more.
    pub fn discard_output(&mut self) {
        self.protocol.discard_output();
    }

    /// What the transport has taken since the last call and what it has left, after it was offered everything; `None` if nothing has
    /// changed, and once the connection is over: then nothing counts any more.
    pub fn take_offered(&mut self) -> Option<Offered> {
        if self.is_over() {
            return None;
        }
        let left =
            Amount { bytes: self.protocol.buffered_amount(), messages: self.protocol.buffered_messages() };
        if left == self.refused && self.unsent == self.refused {
            return None;
        }
        let offered = Offered { taken: self.unsent.without(left), left };
        (self.unsent, self.refused) = (left, left);
        self.sending.offered(offered);
        Some(offered)
    }

    /// Whether a message of `len` bytes is within the outbound limits.
    pub fn has_send_room(&self, len: usize) -> bool {
        self.sending.has_room(len)
    }

    /// Queues a message that arrives, in its place.
    ///
    /// # Errors
    /// As [`send_as`](Self::send_as).
    pub fn send(
        &mut self,
        kind: MessageKind,
        payload: Bytes,
        compressor: &mut Compressor,
    ) -> Result<(), SendError> {
        self.send_as(kind, payload, Delivery::Reliable, compressor)
    }

    /// Queues a message.
    ///
    /// # Errors
    /// [`SendError::BufferFull`] when the limits are reached, [`SendError::NotOpen`] before the upgrade and once closing has begun on
    /// either side. Nothing is queued then.
    pub fn send_as(
        &mut self,
        kind: MessageKind,
        payload: Bytes,
        delivery: Delivery,
        compressor: &mut Compressor,
    ) -> Result<(), SendError> {
        if !self.protocol.is_open() {
            return Err(SendError::NotOpen);
        }
        let len = payload.len();
        if !self.sending.has_room(len) {
            self.statistics.sends_refused += 1;
            return Err(SendError::BufferFull);
        }
        self.send_accepted(kind, payload, delivery, compressor)?;
        self.sending.accepted(len);
        self.statistics.sent(len);
        Ok(())
    }

    /// Queues a message that was accepted and counted on another account than this one.
    ///
    /// # Errors
    /// [`SendError::NotOpen`], as [`send`](Self::send).
    pub fn send_accepted(
        &mut self,
        kind: MessageKind,
        payload: Bytes,
        delivery: Delivery,
        compressor: &mut Compressor,
    ) -> Result<(), SendError> {
        self.unsent.bytes += payload.len();
        self.unsent.messages += 1;
        self.protocol.send_as(kind, payload, delivery, compressor)
    }

    /// Payload bytes of messages not yet written whole.
    pub fn buffered_amount(&self) -> usize {
        self.protocol.buffered_amount()
    }

    /// Changes the outbound limits at once.
    pub fn set_send_limits(&mut self, limits: SendLimits) {
        self.sending.set_limits(limits);
    }

    /// Changes at once for how long unreliable messages are worth sending; see [`Connection::set_unreliable_lifetime`](crate::Connection::set_unreliable_lifetime).
    pub fn set_unreliable_lifetime(&mut self, lifetime: Option<Duration>) {
        self.protocol.set_unreliable_lifetime(lifetime);
    }
}
