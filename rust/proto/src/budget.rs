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
/// A stream begun anew behind a final block, with the window of the one before.
const INFLATE_RESTART: u64 = 1_500;
/// A call that reads from a transport is an entry into the kernel.
const READ_CALL: u64 = 1_000;
/// A byte read: it is copied, and the kernel gives its memory back and tells the other side that there is room, which has it send.
const READ_BYTE: u64 = 2;
/// A read that is worth its call.
const LEAST_READ: usize = 4 * 1024;

/// What may be done in one turn. It may be exceeded by one step: a frame, or a small piece of a compressed payload.
#[derive(Debug, Clone)]
pub struct Budget {
    left: u64,
    overdrawn: u64,
}

impl Budget {
    /// Work for about that long.
    pub fn new(time: Duration) -> Self {
        Self { left: nanos(time), overdrawn: 0 }
    }

    /// No limit: for tests and for who has all the time.
    pub const fn unlimited() -> Self {
        Self { left: u64::MAX, overdrawn: 0 }
    }

    /// Of that time, with what an earlier turn has [`overdrawn`](Self::overdrawn): whose steps cost more than a turn has gets fewer turns.
    pub fn in_debt(time: Duration, debt: Duration) -> Self {
        let mut budget = Self::new(time);
        budget.charge_time(debt);
        budget
    }

    /// By how much it was exceeded.
    pub fn overdrawn(&self) -> Duration {
        Duration::from_nanos(self.overdrawn)
    }

    /// Whether nothing may be done any more in this turn.
    pub fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// About how long work may still go on.
    pub fn left(&self) -> Duration {
        Duration::from_nanos(self.left)
    }

    /// How many bytes a read may ask for, so that one alone does not exceed what is left by much.
    pub fn read_size(&self) -> usize {
        usize::try_from(self.left / READ_BYTE).unwrap_or(usize::MAX).max(LEAST_READ)
    }

    /// No more than that is left: for a driver with a clock, which knows what its own calls have taken.
    pub fn limit(&mut self, left: Duration) {
        self.left = self.left.min(Self::new(left).left);
    }

    /// Counts a read of the driver that brought `bytes`, whatever becomes of them.
    pub fn charge_read(&mut self, bytes: usize) {
        self.charge(READ_CALL + bytes as u64 * READ_BYTE);
    }

    /// Counts time that the driver has measured.
    pub fn charge_time(&mut self, time: Duration) {
        self.charge(nanos(time));
    }

    /// Counts a piece of a compressed payload. What becomes longer costs by its length; what does not is made of block headers,
    /// each of which costs as much as hundreds of bytes.
    pub(crate) fn charge_inflation(&mut self, input: usize, output: usize, restarts: usize) {
        const INPUT_BYTE: u64 = 4;
        const BARREN_BYTE: u64 = 80;
        let barren = input.saturating_sub(output) as u64;
        self.charge(INFLATE_CALL + input as u64 * INPUT_BYTE + output as u64 + barren * BARREN_BYTE);
        self.charge(restarts as u64 * INFLATE_RESTART);
    }

    pub(crate) fn charge(&mut self, cost: u64) {
        self.overdrawn = self.overdrawn.saturating_add(cost.saturating_sub(self.left));
        self.left = self.left.saturating_sub(cost);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_asks_for_no_more_than_is_left_to_spend_on_it() {
        let mut budget = Budget::new(Duration::from_micros(50));
        assert_eq!(budget.read_size(), 25_000);
        budget.charge_read(20_000);
        assert_eq!(budget.left(), Duration::from_micros(9));
        assert_eq!(budget.read_size(), 4500);
        budget.charge_read(4500);
        assert!(budget.is_spent());
        assert_eq!(budget.read_size(), LEAST_READ, "a call is worth that much");
        assert_eq!(Budget::unlimited().read_size(), usize::MAX / usize::try_from(READ_BYTE).unwrap());
    }

    #[test]
    fn what_is_overdrawn_is_paid_by_later_turns() {
        let share = Duration::from_micros(50);
        let mut budget = Budget::new(share);
        budget.charge_time(Duration::from_micros(40));
        budget.charge_time(Duration::from_micros(130));
        assert_eq!(budget.overdrawn(), Duration::from_micros(120));
        let mut turns = Vec::new();
        let mut debt = budget.overdrawn();
        while turns.len() < 4 {
            let budget = Budget::in_debt(share, debt);
            debt = budget.overdrawn();
            turns.push(budget.left());
        }
        assert_eq!(turns, [Duration::ZERO, Duration::ZERO, Duration::from_micros(30), share]);
    }

    #[test]
    fn what_a_clock_says_is_left_only_makes_it_less() {
        let mut budget = Budget::new(Duration::from_micros(50));
        budget.limit(Duration::from_micros(30));
        budget.limit(Duration::from_micros(40));
        assert_eq!(budget.left(), Duration::from_micros(30));
        budget.limit(Duration::ZERO);
        assert!(budget.is_spent());
    }
}
