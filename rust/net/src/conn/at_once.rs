//! What the owner's thread does of a connection's work.
//!
//! A script that waits in a tight loop for an answer gets it later through the I/O thread, which has to be woken on the way out
//! and on the way in. It does those two steps itself; everything else stays with the I/O thread.

use std::time::{Duration, Instant};

use mio::Interest;
use rust_websocket_proto::Compressor;

use super::{Conn, Delivery, Stage};
use crate::{orders::Orders, reactor::Turn, wire::Wire};

/// How long the owner's thread is trusted to go on reading: a message that it leaves behind waits up to twice as long.
const OWNER_READS_FOR: Duration = Duration::from_millis(2);

impl Conn {
    /// On the owner's thread: writes what was just ordered. True if the I/O thread has to go on.
    pub(crate) fn write_at_once(&mut self, now: Instant) -> bool {
        let deadline = self.protocol.next_deadline();
        let mut orders = Orders::default();
        self.carry_out_orders(&mut orders, &mut Compressor::default(), now);
        self.write();
        self.account_for_writes(&mut orders);
        self.protocol.next_deadline() != deadline
            || !matches!(&self.stage, Stage::Connected(wire) if wire.writable)
    }

    /// Whether a message would go straight to the kernel: nothing is in front of it, and nothing has to be encrypted or
    /// compressed.
    pub(crate) fn can_write_at_once(&self) -> bool {
        matches!(&self.stage, Stage::Connected(wire) if wire.writable && !wire.transport.is_tls())
            && self.protocol.is_open()
            && !self.protocol.is_compressed()
            && !self.protocol.has_output()
    }

    /// On the owner's thread: reads what has come and answers pings. True if the I/O thread has to go on.
    pub(crate) fn read_at_once(&mut self, scratch: &mut [u8], now: Instant) -> bool {
        let is_plain = |wire: &Wire| !wire.transport.is_tls() && !wire.is_ending;
        match &mut self.stage {
            Stage::Connected(wire) if is_plain(wire) && self.protocol.is_open() && !self.paused => {
                // The kernel will tell the I/O thread, if it has not: this is quicker.
                wire.readable = true;
            }
            _ => return false,
        }
        self.owner_has_read = true;
        let deadline = self.protocol.next_deadline();
        // The second read finds nothing, on systems that want to be asked before they tell anew.
        for _ in 0..2 {
            if !self.read(scratch, now) {
                break;
            }
            match self.take_events(now) {
                Delivery::Done => {}
                Delivery::NoRoom => return false,
                Delivery::Over | Delivery::OverBeforeAWord => {
                    self.linger_from(now);
                    return true;
                }
            }
        }
        if self.protocol.has_output() {
            self.write();
        }
        self.owner_reads_until.is_none()
            || self.protocol.next_deadline() != deadline
            || !matches!(&self.stage, Stage::Connected(wire) if wire.writable && !wire.readable)
    }

    /// On the owner's thread: it reads no more. True if the I/O thread has to go on.
    pub(crate) fn leave_reading(&mut self, now: Instant) -> bool {
        self.owner_has_read = false;
        match &mut self.owner_reads_until {
            Some(until) => {
                *until = now;
                true
            }
            None => false,
        }
    }

    /// Leaves the input to the owner's thread while that reads, and takes it back when it has stopped or the connection is over.
    pub(super) fn share_reading(&mut self, turn: &mut Turn<'_>) {
        let is_over = matches!(self.stage, Stage::Lingering { .. });
        let (Stage::Connected(wire) | Stage::Lingering { wire, .. }) = &mut self.stage else { return };
        if !is_over && self.owner_reads_until.is_some_and(|until| until > turn.now) {
            return;
        }
        let is_shared = self.owner_reads_until.is_some();
        let is_read = std::mem::take(&mut self.owner_has_read) && !is_over;
        if is_read != is_shared {
            let interest = if is_read { Interest::WRITABLE } else { Interest::READABLE | Interest::WRITABLE };
            if turn.sockets.change_interest(wire.token, wire.transport.socket(), interest).is_err() {
                // For want of memory in the kernel, which goes on as before. It wakes this thread without need then; or, where
                // the input is to be taken back, the next turn, which is due at once, tries again.
                return;
            }
            wire.readable |= !is_read;
        }
        self.owner_reads_until = is_read.then(|| turn.now + OWNER_READS_FOR);
    }
}
