//! What waits on connections just now, beside what they have carried.

use rust_websocket_proto::Amount;

/// Of one connection, or of several together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Levels {
    /// What has arrived and the script has not taken.
    pub unread: Amount,
    /// Payload bytes accepted for sending and not yet taken by the system.
    pub unsent_bytes: usize,
    /// When the connection was opened, in Unix seconds; 0 before. Of several: the first of them.
    pub opened_at: u64,
}

impl Levels {
    /// Adds another connection's.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let opened_at = match (self.opened_at, other.opened_at) {
            (0, only) | (only, 0) => only,
            (one, other) => one.min(other),
        };
        Self {
            unread: Amount {
                bytes: self.unread.bytes + other.unread.bytes,
                messages: self.unread.messages + other.unread.messages,
            },
            unsent_bytes: self.unsent_bytes + other.unsent_bytes,
            opened_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_several_counts() {
        let at = |opened_at| Levels { unread: Amount::message(5), unsent_bytes: 3, opened_at };
        let all = Levels::default().and(at(9)).and(at(7)).and(at(0));
        assert_eq!(all, Levels { unread: Amount { bytes: 15, messages: 3 }, unsent_bytes: 9, opened_at: 7 });
    }
}
