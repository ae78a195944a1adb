//! Work budgets: how much of a turn one connection may take.
//!
//! Bytes read say little about the time that they cost: 64 KiB are one message or thirty thousand empty fragments, and a compressed
//! block that inflates to nothing costs more than one that inflates to a page. So work is counted where it is done, in estimated
//! nanoseconds of a desktop processor; there is no clock here, and the same bytes always cost the same.

use std::time::Duration;

/// A header read and judged.
pub(crate) const FRAME: u64 = 30;
/// A message assembled and handed on.
pub(crate) const MESSAGE: u64 = 100;
/// A control frame taken and, if it is a ping, answered.
pub(crate) const CONTROL: u64 = 50;
/// A call of the inflater.
pub(crate) const INFLATE_CALL: u64 = 100;
/// An inflater for one message, where no context is kept.
pub(crate) const INFLATER: u64 = 500;
/// A byte read from a transport; a call is an entry into the kernel.
const READ_CALL: u64 = 1_000;
const READ_BYTES_PER_NANOSECOND: u64 = 4;

/// What may be done in one turn. It may be exceeded by one step: a frame, or a small piece of a compressed payload.
#[derive(Debug, Clone)]
pub struct Budget {
    left: u64,
}

impl Budget {
    /// Work for about that long.
    pub fn new(time: Duration) -> Self {
        Self { left: u64::try_from(time.as_nanos()).unwrap_or(u64::MAX) }
    }

    /// No limit: for tests and for who has all the time.
    pub const fn unlimited() -> Self {
        Self { left: u64::MAX }
    }

    /// Whether nothing may be done any more in this turn.
    pub fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// About how long work may still go on.
    pub fn left(&self) -> Duration {
        Duration::from_nanos(self.left)
    }

    /// Counts a read of the driver that brought `bytes`, whatever becomes of them.
    pub fn charge_read(&mut self, bytes: usize) {
        self.charge(READ_CALL + bytes as u64 / READ_BYTES_PER_NANOSECOND);
    }

    /// Counts time that the driver has measured.
    pub fn charge_time(&mut self, time: Duration) {
        self.charge(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Counts a piece of a compressed payload. What becomes longer costs by its length; what does not is made of block headers,
    /// each of which costs as much as hundreds of bytes.
    pub(crate) fn charge_inflation(&mut self, input: usize, output: usize) {
        const INPUT_BYTE: u64 = 4;
        const BARREN_BYTE: u64 = 80;
        let barren = input.saturating_sub(output) as u64;
        self.charge(INFLATE_CALL + input as u64 * INPUT_BYTE + output as u64 + barren * BARREN_BYTE);
    }

    pub(crate) fn charge(&mut self, cost: u64) {
        self.left = self.left.saturating_sub(cost);
    }
}
