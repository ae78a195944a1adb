//! How much of a frame the connections may take that a script's polls drive on its own thread.

use std::time::{Duration, Instant};

/// What all of them together may cost within [`FRAME`]: a game has other things to do in a frame.
const SHARE: Duration = Duration::from_millis(2);
const FRAME: Duration = Duration::from_millis(16);

/// What such connections have cost lately. It knows no frames of the engine: one of its own begins with the first work after the one
/// before is over.
#[derive(Debug, Clone, Copy, Default)]
pub struct FrameShare {
    since: Option<Instant>,
    spent: Duration,
}

impl FrameShare {
    /// Nothing was done yet.
    pub const fn new() -> Self {
        Self { since: None, spent: Duration::ZERO }
    }

    /// What is left of the share.
    pub fn left(&self, now: Instant) -> Duration {
        if self.is_current(now) { SHARE.saturating_sub(self.spent) } else { SHARE }
    }

    /// Work that began at `now` has cost so much.
    pub fn spend(&mut self, now: Instant, cost: Duration) {
        if !self.is_current(now) {
            *self = Self { since: Some(now), spent: Duration::ZERO };
        }
        self.spent += cost;
    }

    fn is_current(&self, now: Instant) -> bool {
        self.since.is_some_and(|since| now.saturating_duration_since(since) < FRAME)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any instant will do")]
mod tests {
    use super::*;

    #[test]
    fn all_polls_of_a_frame_share_two_milliseconds() {
        let (mut share, start) = (FrameShare::new(), Instant::now());
        let at = |micros| start + Duration::from_micros(micros);
        assert_eq!(share.left(at(0)), SHARE);
        share.spend(at(0), Duration::from_micros(500));
        assert_eq!(share.left(at(600)), Duration::from_micros(1500));
        share.spend(at(600), Duration::from_millis(9));
        assert_eq!(share.left(at(15_999)), Duration::ZERO, "it may be exceeded by a step");
        assert_eq!(share.left(at(16_000)), SHARE, "the next frame");
        share.spend(at(40_000), Duration::from_micros(1));
        assert_eq!(share.left(at(55_999)), Duration::from_micros(1999), "which begins with its first work");
    }
}
