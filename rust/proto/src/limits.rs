//! How much may wait on either side of a connection, and what counts against that.

/// Payload bytes per connection that may wait to be offered to the transport, or, without an outbound limit, for the transport to
/// take them.
pub const UNOFFERED_CAP: usize = 8 * 1024 * 1024;

/// What a queued message costs beside its payload, so that empty messages are bounded too.
const MESSAGE_OVERHEAD: usize = 32;

/// Outbound limits of a connection; 0 means none (see [`UNOFFERED_CAP`]).
#[derive(Debug, Clone, Copy)]
pub struct SendLimits {
    /// Payload bytes that the transport has refused so far (`outbound_buffer_size`).
    pub bytes: usize,
    /// Messages that the transport has refused so far (`max_queued_packets`).
    pub messages: usize,
}

impl SendLimits {
    /// Whether a message of `len` bytes may be accepted where `held` was accepted and not taken by the transport, of which it has
    /// `refused` so much.
    pub fn have_room(&self, held: Amount, refused: Amount, len: usize) -> bool {
        let within_bytes = self.bytes == 0 || refused.bytes.saturating_add(len) <= self.bytes;
        let within_messages = self.messages == 0 || refused.messages < self.messages;
        // A message larger than the cap goes when nothing else waits: the limits above have allowed it.
        let held_bytes = held.bytes.saturating_add(held.messages * MESSAGE_OVERHEAD);
        let within_cap =
            held.messages == 0 || held_bytes.saturating_add(len) <= UNOFFERED_CAP.max(self.bytes);
        within_bytes && within_messages && within_cap
    }
}

/// Inbound limits of a connection: no more is handed out while this much was handed out and not consumed.
#[derive(Debug, Clone, Copy)]
pub struct ReceiveLimits {
    /// Payload bytes (`inbound_buffer_size`).
    pub bytes: usize,
    /// Messages (`max_queued_packets`).
    pub messages: usize,
}

/// Payload bytes and messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Payload bytes.
    pub bytes: usize,
    /// Messages.
    pub messages: usize,
}

impl Amount {
    /// One message of that size.
    pub fn message(bytes: usize) -> Self {
        Self { bytes, messages: 1 }
    }

    /// What is left without `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(other.bytes),
            messages: self.messages.saturating_sub(other.messages),
        }
    }
}

/// Outbound accounting. The limits of the engine's properties count what the transport has refused; what nobody has offered to it yet
/// is only capped.
///
/// [`Endpoint::send`](crate::Endpoint::send) keeps one; whoever accepts messages on another thread than the connection's keeps an
/// account of its own by [`SendLimits::have_room`], and is told by [`Endpoint::take_offered`](crate::Endpoint::take_offered).
#[derive(Debug)]
pub struct SendAccount {
    limits: SendLimits,
    /// Accepted and not taken by the transport.
    held: Amount,
    /// The part of it that was offered: what was left after the last write.
    refused: Amount,
}

impl SendAccount {
    /// Nothing is held.
    pub fn new(limits: SendLimits) -> Self {
        Self { limits, held: Amount::default(), refused: Amount::default() }
    }

    /// Counts from now on.
    pub fn set_limits(&mut self, limits: SendLimits) {
        self.limits = limits;
    }

    /// Whether a message of `len` bytes may be accepted.
    pub fn has_room(&self, len: usize) -> bool {
        self.limits.have_room(self.held, self.refused, len)
    }

    /// Payload bytes accepted and not taken by the transport.
    pub fn held_bytes(&self) -> usize {
        self.held.bytes
    }

    /// The connection is over: nothing waits any more.
    pub fn clear(&mut self) {
        self.held = Amount::default();
        self.refused = Amount::default();
    }

    /// A message of `len` bytes was accepted.
    pub fn accepted(&mut self, len: usize) {
        self.held.bytes += len;
        self.held.messages += 1;
    }

    /// The transport has taken `taken` of what was held, and left `left`.
    pub fn offered(&mut self, offered: Offered) {
        self.held = self.held.without(offered.taken);
        self.refused = offered.left;
    }
}

/// What came of offering messages to the transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offered {
    /// Taken since this was told last.
    pub taken: Amount,
    /// Refused so far: still to be written.
    pub left: Amount,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Amount = Amount { bytes: 0, messages: 0 };

    fn refused(account: &mut SendAccount, bytes: usize, messages: usize) {
        account.offered(Offered { taken: NONE, left: Amount { bytes, messages } });
    }

    #[test]
    fn limits_count_what_was_refused() {
        let mut account = SendAccount::new(SendLimits { bytes: 100, messages: 3 });
        for _ in 0..10 {
            assert!(account.has_room(100), "nobody has offered any of it");
            account.accepted(100);
        }
        refused(&mut account, 60, 1);
        assert!(account.has_room(40) && !account.has_room(41));
        refused(&mut account, 0, 3);
        assert!(!account.has_room(0));
        account.set_limits(SendLimits { bytes: 0, messages: 0 });
        assert!(account.has_room(41));
        account.offered(Offered { taken: Amount { bytes: 700, messages: 7 }, left: NONE });
        assert_eq!(account.held_bytes(), 300);
        account.clear();
        assert_eq!(account.held_bytes(), 0);
    }

    #[test]
    fn what_was_not_offered_is_capped() {
        let mut account = SendAccount::new(SendLimits { bytes: 0, messages: 0 });
        assert!(account.has_room(2 * UNOFFERED_CAP), "alone it may be as large as it likes");
        account.accepted(0);
        assert!(!account.has_room(UNOFFERED_CAP) && account.has_room(UNOFFERED_CAP - MESSAGE_OVERHEAD));
        while account.has_room(0) {
            account.accepted(0);
        }
        assert_eq!(account.held.messages, UNOFFERED_CAP / MESSAGE_OVERHEAD + 1);
    }
}
