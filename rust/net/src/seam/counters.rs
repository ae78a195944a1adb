//! What a connection has carried so far, for people who look for overflow.

use std::{
    ops::AddAssign,
    sync::atomic::{AtomicU64, Ordering},
};

/// Counts of one connection, kept by whoever meets the event; each stands for itself, so no order is needed between
/// them. Messages are counted often and by one thread at a time in each direction, so that a load and a store do.
#[derive(Debug, Default)]
pub struct Counters {
    messages_in: AtomicU64,
    messages_out: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    sends_refused: AtomicU64,
    reads_paused: AtomicU64,
}

impl Counters {
    /// A message of `bytes` payload bytes has arrived.
    pub fn received(&self, bytes: usize) {
        add(&self.messages_in, 1);
        add(&self.bytes_in, bytes as u64);
    }

    /// That many messages, of `bytes` payload bytes together, were accepted for sending.
    pub fn sent(&self, messages: usize, bytes: usize) {
        add(&self.messages_out, messages as u64);
        add(&self.bytes_out, bytes as u64);
    }

    /// A message was refused for want of room.
    pub fn send_refused(&self) {
        self.sends_refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Reading has stopped for want of room.
    pub fn read_paused(&self) {
        self.reads_paused.fetch_add(1, Ordering::Relaxed);
    }

    /// The counts as they are now.
    pub fn read(&self) -> Statistics {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Statistics {
            messages_in: count(&self.messages_in),
            messages_out: count(&self.messages_out),
            bytes_in: count(&self.bytes_in),
            bytes_out: count(&self.bytes_out),
            sends_refused: count(&self.sends_refused),
            reads_paused: count(&self.reads_paused),
        }
    }
}

/// For a counter that has one writer at a time.
fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
}

/// What [`Counters`] showed at one moment, or the sum of several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Messages received.
    pub messages_in: u64,
    /// Messages accepted for sending.
    pub messages_out: u64,
    /// Their payload bytes.
    pub bytes_in: u64,
    /// Their payload bytes.
    pub bytes_out: u64,
    /// Messages refused for want of room.
    pub sends_refused: u64,
    /// How often reading stopped because nobody took what had arrived.
    pub reads_paused: u64,
}

impl AddAssign for Statistics {
    fn add_assign(&mut self, other: Self) {
        self.messages_in += other.messages_in;
        self.messages_out += other.messages_out;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.sends_refused += other.sends_refused;
        self.reads_paused += other.reads_paused;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_and_summing() {
        let counters = Counters::default();
        counters.received(5);
        counters.received(0);
        counters.sent(1, 7);
        counters.send_refused();
        counters.read_paused();
        let once = Statistics {
            messages_in: 2,
            messages_out: 1,
            bytes_in: 5,
            bytes_out: 7,
            sends_refused: 1,
            reads_paused: 1,
        };
        assert_eq!(counters.read(), once);
        let mut sum = once;
        sum += once;
        assert_eq!((sum.messages_in, sum.bytes_out), (4, 14));
    }
}
