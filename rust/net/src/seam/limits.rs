//! What was reported to an owner and not consumed, as both threads see it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rust_websocket_proto::{Amount, ReceiveLimits};

/// Inbound accounting: what was reported and not consumed. The connection's endpoint keeps the same account;
/// here the owner's thread finds out whether the I/O thread waits for it.
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

    fn has_room(&self) -> bool {
        self.messages.load(Ordering::SeqCst) < self.limits.messages
            && self.bytes.load(Ordering::SeqCst) < self.limits.bytes
    }

    /// What was reported and not consumed.
    pub(crate) fn unread(&self) -> Amount {
        Amount { bytes: self.bytes.load(Ordering::SeqCst), messages: self.messages.load(Ordering::SeqCst) }
    }

    /// A message was reported.
    pub(crate) fn delivered(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::SeqCst);
        self.messages.fetch_add(1, Ordering::SeqCst);
    }

    /// Announces that messages wait for room; false if there is room after all.
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
        // Looked at before it is changed: the I/O thread has this in its cache, and nearly always it is
        // false.
        self.has_room() && self.paused.load(Ordering::SeqCst) && self.paused.swap(false, Ordering::SeqCst)
    }
}
