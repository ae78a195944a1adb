//! What a connection has carried so far, for people who look for overflow.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use rust_websocket_proto::Statistics;

/// Counts of one connection, kept by whoever meets the event; each stands for itself, so no order is needed
/// between them. Messages are counted often and by one thread at a time in each direction, so that a load and
/// a store do.
#[derive(Debug, Default)]
pub struct Counters {
    messages_in: AtomicU64,
    messages_out: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    sends_refused: AtomicU64,
    reads_paused: AtomicU64,
    wire_bytes_in: AtomicU64,
    wire_bytes_out: AtomicU64,
    pings_out: AtomicU64,
    unreliable_dropped: AtomicU64,
    compressed_out: AtomicU64,
    compressions: AtomicU64,
    /// Unix seconds; 0 before.
    opened_at: AtomicU64,
}

impl Counters {
    /// Adds what a connection has counted. Received messages and bytes may be added by one thread at a time.
    pub fn add(&self, more: &Statistics) {
        if more.messages_in > 0 {
            add(&self.messages_in, more.messages_in);
            add(&self.bytes_in, more.bytes_in);
        }
        if more.messages_out > 0 {
            add(&self.messages_out, more.messages_out);
            add(&self.bytes_out, more.bytes_out);
        }
        if more.sends_refused > 0 {
            self.sends_refused.fetch_add(more.sends_refused, Ordering::Relaxed);
        }
        if more.reads_paused > 0 {
            self.reads_paused.fetch_add(more.reads_paused, Ordering::Relaxed);
        }
        for (counter, more) in [
            (&self.wire_bytes_in, more.wire_bytes_in),
            (&self.wire_bytes_out, more.wire_bytes_out),
            (&self.pings_out, more.pings_out),
            (&self.unreliable_dropped, more.unreliable_dropped),
            (&self.compressed_out, more.compressed_out),
            (&self.compressions, more.compressions),
        ] {
            if more > 0 {
                add(counter, more);
            }
        }
    }

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

    /// The connection is open from now on.
    pub fn opened(&self) {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.opened_at.store(time.as_secs(), Ordering::Relaxed);
    }

    /// When the connection was opened, in Unix seconds; 0 before.
    pub fn opened_at(&self) -> u64 {
        self.opened_at.load(Ordering::Relaxed)
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
            wire_bytes_in: count(&self.wire_bytes_in),
            wire_bytes_out: count(&self.wire_bytes_out),
            pings_out: count(&self.pings_out),
            unreliable_dropped: count(&self.unreliable_dropped),
            compressed_out: count(&self.compressed_out),
            compressions: count(&self.compressions),
        }
    }
}

/// For a counter that has one writer at a time.
fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_and_summing() {
        let counters = Counters::default();
        let received = Statistics {
            messages_in: 2,
            bytes_in: 5,
            reads_paused: 1,
            wire_bytes_in: 9,
            ..Statistics::default()
        };
        counters.add(&received);
        counters.sent(1, 7);
        counters.send_refused();
        let once = Statistics {
            messages_in: 2,
            messages_out: 1,
            bytes_in: 5,
            bytes_out: 7,
            sends_refused: 1,
            reads_paused: 1,
            wire_bytes_in: 9,
            ..Statistics::default()
        };
        assert_eq!(counters.read(), once);
        let mut sum = once;
        sum += once;
        assert_eq!((sum.messages_in, sum.bytes_out), (4, 14));
    }
}
