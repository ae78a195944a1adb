//! Whether an owner polls once per frame or in a tight loop, in which its poll may as well do the I/O
//! thread's work.

use std::time::{Duration, Instant};

/// The clock is asked once in so many polls: it costs a quarter of one.
const POLLS: u16 = 16;
/// An owner that has polled so often in this time does nothing else. A game polls that often in a quarter of
/// a second.
const TIGHT: Duration = Duration::from_micros(500);
/// One that did so before still does while it takes no longer than this: other threads have used its
/// processor. A game takes five times as long.
const STILL_TIGHT: Duration = Duration::from_millis(20);
/// What it may take to handle a message that was taken: time that is not counted.
const PER_MESSAGE: Duration = Duration::from_micros(10);
/// So long may nothing come until the I/O thread is left to wait for it: each change of the one who runs the
/// reactor costs the other side of the conversation some of its processor.
const PATIENCE: Duration = Duration::from_millis(20);
/// How long large messages are left to the I/O thread before it is seen whether they still come.
const SHARING: Duration = Duration::from_millis(50);

/// How often an owner polls, and what for.
///
/// One that polls once per frame must not wait for sockets: the I/O thread has them. One that sends something
/// and polls in a tight loop until the answer is there has nothing better to do, and gets it sooner without a
/// change of threads. Unless messages are large and the owner has work of its own with them: then two threads
/// at the same time do more.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    polls: u16,
    counted_from: Option<Instant>,
    /// Turns of the reactor in polls since then.
    drove: Duration,
    /// What the messages that were taken since then may have cost to handle.
    handling: Duration,
    /// Much was copied in these turns.
    has_copied_much: bool,
    is_tight: bool,
    /// Something is waited for.
    is_waiting: bool,
    /// When it was known last that something had been taken.
    took_at: Option<Instant>,
    /// That was long ago.
    is_in_vain: bool,
    /// The I/O thread is left its work until then, whatever comes.
    shares_until: Option<Instant>,
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
        if !self.is_waiting {
            return Step::Take;
        }
        if !self.is_tight || self.is_in_vain || self.shares_until.is_some() {
            self.is_waiting = false;
            return Step::Leave;
        }
        Step::Drive
    }

    fn measure(&mut self, now: Instant) {
        let passed = self.counted_from.map(|from| now.saturating_duration_since(from));
        let usual = if self.is_tight { STILL_TIGHT } else { TIGHT };
        self.is_tight = passed.is_some_and(|passed| passed < usual + self.drove + self.handling);
        if self.handling > Duration::ZERO {
            self.took_at = Some(now);
        }
        self.is_in_vain = self.took_at.is_some_and(|took| now.saturating_duration_since(took) > PATIENCE);
        let own = passed.unwrap_or_default().saturating_sub(self.drove);
        if self.is_tight && self.has_copied_much && own > self.drove / 2 {
            self.shares_until = Some(now + SHARING);
        } else if self.shares_until.is_some_and(|until| until <= now) {
            self.shares_until = None;
        }
        (self.drove, self.handling, self.has_copied_much) = (Duration::ZERO, Duration::ZERO, false);
        self.counted_from = Some(now);
    }

    /// The poll has run the reactor for so long, and may have copied much.
    pub(crate) fn drove(&mut self, time: Duration, has_copied_much: bool) {
        self.drove += time;
        self.has_copied_much |= has_copied_much;
    }

    /// Whether this owner is one who runs the reactor.
    pub(crate) fn is_waiting(&self) -> bool {
        self.is_waiting
    }

    /// There was something to take: more is to come.
    pub(crate) fn took(&mut self, messages: usize) {
        self.handling += PER_MESSAGE * u32::try_from(messages).unwrap_or(u32::MAX);
        if self.is_tight && self.shares_until.is_none() {
            self.is_waiting = true;
            self.is_in_vain = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll_every(pace: &mut Pace, from: Instant, step: Duration) -> Vec<Step> {
        (1..=u32::from(POLLS) * 2).map(|poll| pace.polled(|| from + step * poll)).collect()
    }

    fn tight(now: &mut Instant) -> Pace {
        let mut pace = Pace::default();
        poll_every(&mut pace, *now, Duration::from_micros(1));
        *now += Duration::from_micros(1) * u32::from(POLLS) * 2;
        assert!(pace.is_tight);
        pace
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
        let steps = poll_every(&mut pace, later(20), Duration::from_millis(2));
        assert_eq!(steps.iter().filter(|step| **step == Step::Leave).count(), 1);
        assert_eq!(steps.last(), Some(&Step::Take));
    }

    #[test]
    fn a_tight_loop_waits_for_a_while_and_not_for_ever() {
        let (mut now, step) = (Instant::now(), Duration::from_micros(1));
        let mut pace = tight(&mut now);
        pace.took(1);
        let mut drives = 0;
        let began = now;
        loop {
            now += step;
            match pace.polled(|| now) {
                Step::Drive => drives += 1,
                Step::Take => {}
                Step::Leave => break,
            }
        }
        let waited = now - began;
        assert!(waited > PATIENCE && waited < PATIENCE * 2, "{waited:?}");
        assert!(drives > waited.as_micros() / 2, "{drives} in {waited:?}");
        assert_eq!(pace.polled(|| now), Step::Take);
        pace.took(1);
        assert_eq!(pace.polled(|| now), Step::Drive, "the next message wakes it again");
    }

    #[test]
    fn large_messages_are_shared_with_the_io_thread_by_an_owner_that_works_with_them() {
        let drive = Duration::from_micros(40);
        for (own, is_shared) in [(Duration::from_micros(2), false), (Duration::from_micros(40), true)] {
            let mut now = Instant::now();
            let mut pace = tight(&mut now);
            let mut leaves = 0;
            for _ in 0..POLLS * 4 {
                now += own;
                pace.took(1);
                match pace.polled(|| now) {
                    Step::Drive => {
                        now += drive;
                        pace.drove(drive, true);
                    }
                    Step::Leave => leaves += 1,
                    Step::Take => {}
                }
            }
            assert_eq!(leaves > 0, is_shared, "{own:?}");
            now += SHARING;
            poll_every(&mut pace, now, Duration::from_micros(1));
            pace.took(1);
            assert_eq!(pace.polled(|| now), Step::Drive, "small ones come later");
        }
    }

    #[test]
    fn a_loop_that_others_interrupt_for_a_while_stays_tight() {
        let (mut now, mut pace) = (Instant::now(), Pace::default());
        let poll = |pace: &mut Pace, now: &mut Instant, step| {
            for _ in 0..POLLS {
                *now += step;
                pace.polled(|| *now);
            }
        };
        poll(&mut pace, &mut now, Duration::from_micros(1));
        poll(&mut pace, &mut now, Duration::from_micros(1));
        assert!(pace.is_tight);
        poll(&mut pace, &mut now, Duration::from_millis(1));
        assert!(pace.is_tight);
        poll(&mut pace, &mut now, Duration::from_millis(5));
        assert!(!pace.is_tight);
        poll(&mut pace, &mut now, Duration::from_millis(1));
        assert!(!pace.is_tight, "it is not tight by itself");
    }

    #[test]
    fn work_in_and_between_polls_does_not_make_a_loop_less_tight() {
        let start = Instant::now();
        let mut pace = Pace::default();
        // 100 messages per poll, a millisecond of the reactor and another to handle them.
        for poll in 0..u32::from(POLLS) * 3 {
            pace.polled(|| start + Duration::from_millis(2) * poll);
            pace.drove(Duration::from_millis(1), false);
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
