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

/// Outbound accounting. The limits of the engine's properties count what the kernel has refused; what nobody has
/// offered to it yet is only capped.
#[derive(Debug)]
pub(crate) struct Sending {
    limit_bytes: AtomicUsize,
    limit_messages: AtomicUsize,
    /// Accepted and not taken by the kernel.
    held: Amount,
    /// The part of it that was offered: what was left after the last write.
    refused: Amount,
}

/// Payload bytes and messages.
#[derive(Debug, Default)]
struct Amount {
    bytes: AtomicUsize,
    messages: AtomicUsize,
}

impl Amount {
    fn set(&self, bytes: usize, messages: usize) {
        self.bytes.store(bytes, Ordering::Relaxed);
        self.messages.store(messages, Ordering::Relaxed);
    }
}

impl Sending {
    pub(crate) fn new(limits: SendLimits) -> Self {
        Self {
            limit_bytes: AtomicUsize::new(limits.bytes),
            limit_messages: AtomicUsize::new(limits.messages),
            held: Amount::default(),
            refused: Amount::default(),
        }
    }

    pub(crate) fn set_limits(&self, limits: SendLimits) {
        self.limit_bytes.store(limits.bytes, Ordering::Relaxed);
        self.limit_messages.store(limits.messages, Ordering::Relaxed);
    }

    /// Whether a message of `len` bytes may be queued.
    pub(crate) fn has_room(&self, len: usize) -> bool {
        let limit_bytes = self.limit_bytes.load(Ordering::Relaxed);
        let limit_messages = self.limit_messages.load(Ordering::Relaxed);
        let refused = self.refused.bytes.load(Ordering::Relaxed);
        let within_bytes = limit_bytes == 0 || refused.saturating_add(len) <= limit_bytes;
        let within_messages =
            limit_messages == 0 || self.refused.messages.load(Ordering::Relaxed) < limit_messages;
        // A message larger than the cap goes when nothing else waits: the limits above have allowed it.
        let held_messages = self.held.messages.load(Ordering::Relaxed);
        let held = self.held.bytes.load(Ordering::Relaxed) + held_messages * MESSAGE_OVERHEAD;
        let within_cap = held_messages == 0 || held.saturating_add(len) <= UNOFFERED_CAP.max(limit_bytes);
        within_bytes && within_messages && within_cap
    }

    /// Payload bytes accepted and not taken by the kernel.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held.bytes.load(Ordering::Relaxed)
    }

    /// The connection is over: nothing waits any more.
    pub(crate) fn clear(&self) {
        self.held.set(0, 0);
        self.refused.set(0, 0);
    }

    pub(crate) fn accepted(&self, len: usize) {
        self.held.bytes.fetch_add(len, Ordering::Relaxed);
        self.held.messages.fetch_add(1, Ordering::Relaxed);
    }

    /// The kernel has taken `bytes` of payload in `messages`, and left `bytes_left` in `messages_left`.
    pub(crate) fn offered(&self, bytes: usize, messages: usize, bytes_left: usize, messages_left: usize) {
        self.held.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.held.messages.fetch_sub(messages, Ordering::Relaxed);
        self.refused.set(bytes_left, messages_left);
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
