//! How much may wait: the limits of a link and what counts against them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Payload bytes per link that may wait for the I/O thread to offer them to the kernel, or, without an outbound
/// limit, for the kernel to take them.
pub const UNOFFERED_CAP: usize = 8 * 1024 * 1024;

/// What a queued message costs beside its payload, so that empty messages are bounded too.
const MESSAGE_OVERHEAD: usize = 32;

/// Outbound limits of a link; 0 means none (see [`UNOFFERED_CAP`]).
#[derive(Debug, Clone, Copy)]
pub struct SendLimits {
    /// Payload bytes that the kernel has refused so far (`outbound_buffer_size`).
    pub bytes: usize,
    /// Messages that the kernel has refused so far (`max_queued_packets`).
    pub messages: usize,
}

/// Inbound limits of a link: reading pauses while this much was received and not consumed.
#[derive(Debug, Clone, Copy)]
pub struct ReceiveLimits {
    /// Payload bytes (`inbound_buffer_size`).
    pub bytes: usize,
    /// Messages (`max_queued_packets`).
    pub messages: usize,
}

/// Outbound accounting, kept under the outbox's lock. The limits of the engine's properties count what the kernel has
/// refused; what nobody has offered to it yet is only capped.
#[derive(Debug)]
pub(crate) struct Sending {
    limits: SendLimits,
    /// Accepted and not taken by the kernel.
    held: Amount,
    /// The part of it that was offered: what was left after the last write.
    refused: Amount,
}

/// Payload bytes and messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) bytes: usize,
    pub(crate) messages: usize,
}

impl Sending {
    pub(crate) fn new(limits: SendLimits) -> Self {
        Self { limits, held: Amount::default(), refused: Amount::default() }
    }

    pub(crate) fn set_limits(&mut self, limits: SendLimits) {
        self.limits = limits;
    }

    /// Whether a message of `len` bytes may be queued.
    pub(crate) fn has_room(&self, len: usize) -> bool {
        let SendLimits { bytes, messages } = self.limits;
        let within_bytes = bytes == 0 || self.refused.bytes.saturating_add(len) <= bytes;
        let within_messages = messages == 0 || self.refused.messages < messages;
        // A message larger than the cap goes when nothing else waits: the limits above have allowed it.
        let held = self.held.bytes.saturating_add(self.held.messages * MESSAGE_OVERHEAD);
        let within_cap = self.held.messages == 0 || held.saturating_add(len) <= UNOFFERED_CAP.max(bytes);
        within_bytes && within_messages && within_cap
    }

    /// Payload bytes accepted and not taken by the kernel.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held.bytes
    }

    /// The connection is over: nothing waits any more.
    pub(crate) fn clear(&mut self) {
        self.held = Amount::default();
        self.refused = Amount::default();
    }

    pub(crate) fn accepted(&mut self, len: usize) {
        self.held.bytes += len;
        self.held.messages += 1;
    }

    /// The kernel has taken `taken` of what was held, and left `left`.
    pub(crate) fn offered(&mut self, taken: Amount, left: Amount) {
        self.held.bytes = self.held.bytes.saturating_sub(taken.bytes);
        self.held.messages = self.held.messages.saturating_sub(taken.messages);
        self.refused = left;
    }
}

/// Inbound accounting: what was reported and not consumed.
#[derive(Debug)]
pub(crate) struct Receiving {
    limits: ReceiveLimits,
    bytes: AtomicUsize,
    messages: AtomicUsize,
    /// The I/O thread waits for room.
    paused: AtomicBool,
}

impl Receiving {
    pub(crate) fn new(limits: ReceiveLimits) -> Self {
        Self {
            limits,
            bytes: AtomicUsize::new(0),
            messages: AtomicUsize::new(0),
            paused: AtomicBool::new(false),
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.messages.load(Ordering::SeqCst) < self.limits.messages
            && self.bytes.load(Ordering::SeqCst) < self.limits.bytes
    }

    /// A message was reported.
    pub(crate) fn delivered(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::SeqCst);
        self.messages.fetch_add(1, Ordering::SeqCst);
    }

    /// Announces that reading stops for want of room; false if there is room after all.
    pub(crate) fn pause(&self) -> bool {
        self.paused.store(true, Ordering::SeqCst);
        // A message consumed between the caller's look and the store would otherwise be missed by both sides.
        if self.has_room() {
            self.paused.store(false, Ordering::SeqCst);
            return false;
        }
        true
    }

    /// A message was consumed; true if the I/O thread waits for that.
    pub(crate) fn consumed(&self, bytes: usize) -> bool {
        self.bytes.fetch_sub(bytes, Ordering::SeqCst);
        self.messages.fetch_sub(1, Ordering::SeqCst);
        // Looked at before it is changed: the I/O thread has this in its cache, and nearly always it is false.
        self.has_room() && self.paused.load(Ordering::SeqCst) && self.paused.swap(false, Ordering::SeqCst)
    }
}
