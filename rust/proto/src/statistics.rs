//! What a connection has carried so far, for people who look for overflow.

use std::ops::AddAssign;

/// Counts of one connection, or the sum of several.
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
    /// How often what had arrived had to wait because nobody took what came before.
    pub reads_paused: u64,
    /// Bytes received, of frames and handshakes, compressed as they are and without TLS.
    pub wire_bytes_in: u64,
    /// Bytes that the transport has taken, counted alike.
    pub wire_bytes_out: u64,
    /// Pings sent by this side's heartbeat.
    pub pings_out: u64,
    /// Messages accepted for sending and dropped: they had grown stale, or another of the same key took their place.
    pub unreliable_dropped: u64,
    /// Messages that were compressed for sending.
    pub compressed_out: u64,
    /// How often the codec ran for them: less often, where the same payload went to several connections that keep no context.
    pub compressions: u64,
}

impl Statistics {
    pub(crate) fn received(&mut self, bytes: usize) {
        self.messages_in += 1;
        self.bytes_in += bytes as u64;
    }

    pub(crate) fn sent(&mut self, bytes: usize) {
        self.messages_out += 1;
        self.bytes_out += bytes as u64;
    }
}

impl AddAssign for Statistics {
    fn add_assign(&mut self, other: Self) {
        self.messages_in += other.messages_in;
        self.messages_out += other.messages_out;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.sends_refused += other.sends_refused;
        self.reads_paused += other.reads_paused;
        self.wire_bytes_in += other.wire_bytes_in;
        self.wire_bytes_out += other.wire_bytes_out;
        self.pings_out += other.pings_out;
        self.unreliable_dropped += other.unreliable_dropped;
        self.compressed_out += other.compressed_out;
        self.compressions += other.compressions;
    }
}
