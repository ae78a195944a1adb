//! What a connection is lent for one turn.

use std::time::Instant;

use rust_websocket_proto::{Budget, Compressor};

use crate::socket::Sockets;

/// Bytes of one system call that take the kernel as long as a change of threads does.
const MUCH: usize = 32 * 1024;

/// What a connection works with during one turn.
pub(crate) struct Turn<'a> {
    pub(crate) now: Instant,
    /// What reading and decoding may cost.
    pub(crate) budget: Budget,
    /// Bytes that the connections of listeners may still read ahead of their owners, all together.
    pub(crate) read_ahead: &'a mut usize,
    pub(crate) scratch: &'a mut [u8],
    /// Shared by all connections, so that a broadcast is compressed once.
    pub(crate) compressor: &'a mut Compressor,
    pub(crate) sockets: &'a mut Sockets<'a>,
    /// Set if much was copied from or to the kernel at once.
    pub(crate) has_copied_much: &'a mut bool,
}

impl Turn<'_> {
    /// `count` bytes went through one system call.
    pub(super) fn note_copied(&mut self, count: usize) {
        *self.has_copied_much |= count >= MUCH;
    }
}
