//! Whether an owner polls once per frame or in a tight loop, in which its poll may as well do the I/O
//! thread's work.

use std::time::{Duration, Instant};

/// The clock is asked once in so many polls: it costs a quarter of one.
const POLLS: u16 = 16;
/// An owner that has polled so often in this time does nothing else. A game polls that often in a quarter of
/// a second.
const TIGHT: Duration = Duration::from_micros(500);
/// What it may take to handle a message that was taken: time that is not counted.
const PER_MESSAGE: Duration = Duration::from_micros(10);
/// So many polls may nothing come: some milliseconds.
const PATIENCE: u16 = 4096;
/// While nothing comes one poll in so many looks for it: asking the kernel costs several polls.
const POLLS_PER_LOOK: u16 = 4;

/// How often an owner polls, and what for.
///
/// One that polls once per frame must not wait for sockets: the I/O thread has them. One that sends something
/// and polls in a tight loop until the answer is there has nothing better to do, and gets it sooner without a
/// change of threads.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    polls: u16,
    counted_from: Option<Instant>,
    /// Time since then that is not the owner's own: turns of the reactor in its polls, and the handling of
    /// messages.
    uncounted: Duration,
    is_tight: bool,
    /// Polls for which something is still waited for.
    patience: u16,
    /// Something was taken by the last poll: the next one looks.
    is_active: bool,
}

/// What a poll is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Take what the I/O thread has reported.
    Take,
    /// Run the reactor before.
    Drive,
    /// Leave the reactor to the I/O thread again.
    Leave,
}

impl Pace {
    /// To be called by each poll; `now` is asked seldom.
    pub(crate) fn polled(&mut self, now: impl FnOnce() -> Instant) -> Step {
        self.polls += 1;
        if self.polls >= POLLS {
            self.polls = 0;
            self.measure(now());
        }
        if self.patience == 0 {
            return Step::Take;
        }
        self.patience -= 1;
        if !self.is_tight || self.patience == 0 {
            self.patience = 0;
            return Step::Leave;
        }
        let is_due = std::mem::take(&mut self.is_active) || self.patience.is_multiple_of(POLLS_PER_LOOK);
        if is_due { Step::Drive } else { Step::Take }
    }

    fn measure(&mut self, now: Instant) {
        let allowed = TIGHT + std::mem::take(&mut self.uncounted);
        self.is_tight = self.counted_from.is_some_and(|from| now.saturating_duration_since(from) < allowed);
        self.counted_from = Some(now);
    }

    /// The poll has run the reactor for so long.
    pub(crate) fn drove(&mut self, time: Duration) {
        self.uncounted += time;
    }

    /// There was something to take: more is to come.
    pub(crate) fn took(&mut self, messages: usize) {
        self.uncounted += PER_MESSAGE * u32::try_from(messages).unwrap_or(u32::MAX);
        if self.is_tight {
            self.patience = PATIENCE;
            self.is_active = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll_every(pace: &mut Pace, from: Instant, step: Duration) -> Vec<Step> {
        (1..=u32::from(POLLS) * 2).map(|poll| pace.polled(|| from + step * poll)).collect()
    }

    #[test]
    fn a_tight_loop_is_told_from_frames() {
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        let mut pace = Pace::default();
        poll_every(&mut pace, start, Duration::from_millis(16));
        pace.took(1);
        assert_eq!(pace.polled(|| start), Step::Take);
        let steps = poll_every(&mut pace, later(10), Duration::from_micros(1));
        assert!(steps.iter().all(|step| *step == Step::Take), "nothing is waited for");
        pace.took(1);
        assert_eq!(pace.polled(|| later(10)), Step::Drive);
        let steps: Vec<_> = (0..PATIENCE).map(|_| pace.polled(|| later(10))).collect();
        let drives = steps.iter().filter(|step| **step == Step::Drive).count();
        assert_eq!(drives, usize::from(PATIENCE / POLLS_PER_LOOK) - 1);
        assert_eq!(steps.iter().filter(|step| **step == Step::Leave).count(), 1, "it waits for ever");
        pace.took(1);
        let steps = poll_every(&mut pace, later(20), Duration::from_millis(1));
        assert_eq!(steps.iter().filter(|step| **step == Step::Leave).count(), 1);
        assert_eq!(steps.last(), Some(&Step::Take));
    }

    #[test]
    fn work_in_and_between_polls_does_not_make_a_loop_less_tight() {
        let start = Instant::now();
        let mut pace = Pace::default();
        // 100 messages per poll, a millisecond of the reactor and another to handle them.
        for poll in 0..u32::from(POLLS) * 3 {
            pace.polled(|| start + Duration::from_millis(2) * poll);
            pace.drove(Duration::from_millis(1));
            pace.took(100);
        }
        assert!(pace.is_tight);
        // As many once per frame.
        for poll in 0..u32::from(POLLS) * 3 {
            pace.polled(|| start + Duration::from_secs(1) + Duration::from_millis(16) * poll);
            pace.took(100);
        }
        assert!(!pace.is_tight);
    }
}
