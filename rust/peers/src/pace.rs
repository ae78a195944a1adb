//! Whether a script polls once per frame or waits in a tight loop.

use std::time::{Duration, Instant};

use crate::Now;

/// The clock is asked once in so many polls: it costs a quarter of one.
const POLLS: u16 = 16;
/// A script that has polled so often in this time does nothing else. A game polls that often in a quarter of a second.
const TIGHT: Duration = Duration::from_micros(500);
/// So many polls may an answer take: some milliseconds.
const PATIENCE: u16 = 4096;

/// One poll in so many looks for the answer: asking the kernel costs several polls and holds up what comes in.
const POLLS_PER_LOOK: u16 = 4;

/// How often a peer is polled, and what for.
///
/// A script that polls once per frame must not wait for sockets: the I/O thread has them. One that sends something and waits in a
/// tight loop for the answer has nothing better to do, and gets it sooner if it writes and reads by itself.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    polls: u16,
    counted_from: Option<Instant>,
    is_tight: bool,
    /// Polls for which the answer is still waited for.
    patience: u16,
}

impl Pace {
    /// To be called by each poll; `now` is asked seldom.
    pub(crate) fn polled(&mut self, now: Now<'_>) {
        self.patience = self.patience.saturating_sub(1);
        self.polls += 1;
        if self.polls < POLLS {
            return;
        }
        self.polls = 0;
        let now = now();
        self.is_tight = self.counted_from.is_some_and(|from| now.saturating_duration_since(from) < TIGHT);
        self.counted_from = Some(now);
        if !self.is_tight {
            self.patience = 0;
        }
    }

    /// Something is sent, and there is nothing left to take.
    pub(crate) fn asked(&mut self) {
        if self.is_tight {
            self.patience = PATIENCE;
        }
    }

    /// Whether the script polls in a tight loop.
    pub(crate) fn is_tight(&self) -> bool {
        self.is_tight
    }

    /// Whether it waits there for an answer and this poll is to look for it.
    pub(crate) fn looks_for_answer(&self) -> bool {
        self.awaits_answer() && self.patience.is_multiple_of(POLLS_PER_LOOK)
    }

    /// Whether it waits there for an answer.
    pub(crate) fn awaits_answer(&self) -> bool {
        self.patience > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn a_tight_loop_is_told_from_frames() {
        let start = Instant::now();
        let poll_every = |pace: &mut Pace, from: Instant, step: Duration| {
            for poll in 1..=u32::from(POLLS) * 2 {
                pace.polled(&|| from + step * poll);
            }
        };
        let mut pace = Pace::default();
        poll_every(&mut pace, start, Duration::from_millis(16));
        pace.asked();
        assert!(!pace.is_tight() && !pace.awaits_answer());
        poll_every(&mut pace, start + Duration::from_secs(10), Duration::from_micros(1));
        assert!(pace.is_tight() && !pace.awaits_answer());
        pace.asked();
        assert!(pace.awaits_answer());
        for _ in 0..PATIENCE {
            pace.polled(&|| start + Duration::from_secs(10));
        }
        assert!(!pace.awaits_answer(), "it waits for ever");
        pace.asked();
        poll_every(&mut pace, start + Duration::from_secs(20), Duration::from_millis(1));
        assert!(!pace.is_tight() && !pace.awaits_answer());
    }
}
