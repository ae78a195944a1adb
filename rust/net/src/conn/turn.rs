//! What a connection is lent for one turn.

use std::time::{Duration, Instant};

use rust_websocket_proto::{Budget, Compressor};

use crate::socket::Sockets;

/// Bytes of one system call that take the kernel as long as a change of threads does.
const MUCH: usize = 32 * 1024;
/// Bytes of one read that take long enough to look at the clock behind it.
const WORTH_A_LOOK: usize = 4 * 1024;

/// What a connection works with during one turn.
pub(crate) struct Turn<'a> {
    pub(crate) now: Instant,
    /// What reading and decoding may cost.
    pub(crate) budget: Budget,
    /// The same when the turn began.
    pub(crate) share: Duration,
    /// Bytes that the connections of listeners may still read ahead of their owners, all together.
    pub(crate) read_ahead: &'a mut isize,
    pub(crate) scratch: &'a mut [u8],
    /// Shared by all connections, so that a broadcast is compressed once.
    pub(crate) compressor: &'a mut Compressor,
    pub(crate) sockets: &'a mut Sockets<'a>,
    /// Set if much was copied from or to the kernel at once.
    pub(crate) has_copied_much: &'a mut bool,
}

impl Turn<'_> {
    /// The part of `scratch` that a read may fill.
    pub(super) fn room(&mut self) -> &mut [u8] {
        let most = self.scratch.len().min(self.budget.read_size());
        &mut self.scratch[..most]
    }

    /// Counts a read of `count` bytes. What the kernel does for a large one differs widely: it may have the sender go on.
    pub(super) fn charge_read(&mut self, count: usize) {
        self.budget.charge_read(count);
        if count >= WORTH_A_LOOK {
            self.budget.limit(self.share.saturating_sub(self.now.elapsed()));
        }
        self.note_copied(count);
    }

    /// Counts a read that brought something, but not for the protocol.
    pub(super) fn charge_unknown_read(&mut self) {
        self.charge_read(WORTH_A_LOOK);
    }

    /// `count` bytes went through one system call.
    pub(super) fn note_copied(&mut self, count: usize) {
        *self.has_copied_much |= count >= MUCH;
    }
}
