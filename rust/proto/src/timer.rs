//! Deadlines: a table indexed by an enum. The clock is the caller's.

use std::time::{Duration, Instant};

/// What can be due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    /// `connect_timeout`, from creation to the completed upgrade.
    Connect,
    /// How long a refusing server's body is waited for.
    RefusalBody,
    /// The next ping, or the end of a silent connection.
    Heartbeat,
    /// `close_timeout`, from our close frame to the other side's.
    Close,
    /// Looks whether the compression context has been idle.
    Deflate,
    /// How long the answers to what came before a fault are waited for.
    Fault,
}

impl Timer {
    const COUNT: usize = Self::Fault as usize + 1;
}

/// The deadlines that run.
#[derive(Debug, Default)]
pub(crate) struct Timers([Option<Instant>; Timer::COUNT]);

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer, deadline: Option<Instant>) {
        if let Some(slot) = self.0.get_mut(timer as usize) {
            *slot = deadline;
        }
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        matches!(self.0.get(timer as usize), Some(Some(_)))
    }

    pub(crate) fn stop_all(&mut self) {
        self.0 = [None; Timer::COUNT];
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.0.iter().flatten().min().copied()
    }

    /// Whether the timer is due; it then stops.
    pub(crate) fn take_expired(&mut self, timer: Timer, now: Instant) -> bool {
        let Some(slot) = self.0.get_mut(timer as usize) else { return false };
        slot.take_if(|deadline| *deadline <= now).is_some()
    }
}

/// `now + duration`; a duration beyond what the clock can hold never ends.
pub(crate) fn deadline(now: Instant, duration: Duration) -> Option<Instant> {
    now.checked_add(duration)
}

/// What a due heartbeat asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    Ping,
    Dead(Duration),
}

/// When to ping, and whether the other side still lives.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    interval: Option<Duration>,
    /// When the current interval began: at the last ping, or when the heartbeat was turned on.
    since: Instant,
    /// A ping went out and nothing has been received since.
    silent: bool,
    /// While we do not read, silence is our own doing.
    paused_at: Option<Instant>,
}

impl Heartbeat {
    pub(crate) fn new(interval: Option<Duration>, now: Instant) -> Self {
        Self { interval: usable(interval), since: now, silent: false, paused_at: None }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.paused_at {
            None => deadline(self.since, self.interval?),
            Some(_) => None,
        }
    }

    /// The upgrade is complete: the first interval begins.
    pub(crate) fn start(&mut self, now: Instant) {
        self.since = now;
        self.silent = false;
        self.paused_at = self.paused_at.map(|_| now);
    }

    /// Based on the last ping and not on `now`, so that setting it again and again does not postpone the next ping.
    pub(crate) fn set_interval(&mut self, interval: Option<Duration>, now: Instant) {
        if self.interval.is_none() {
            self.start(now);
        }
        self.interval = usable(interval);
    }

    pub(crate) fn set_paused(&mut self, paused: bool, now: Instant) {
        match (paused, self.paused_at) {
            (true, None) => self.paused_at = Some(now),
            (false, Some(paused_at)) => {
                self.since += now.saturating_duration_since(paused_at);
                self.paused_at = None;
            }
            _ => {}
        }
    }

    pub(crate) fn received(&mut self) {
        self.silent = false;
    }

    /// The deadline has passed.
    pub(crate) fn expired(&mut self, now: Instant) -> Option<Beat> {
        let interval = self.interval?;
        if self.silent {
            return Some(Beat::Dead(interval));
        }
        self.since = now;
        self.silent = true;
        Some(Beat::Ping)
    }
}

fn usable(interval: Option<Duration>) -> Option<Duration> {
    interval.filter(|duration| !duration.is_zero())
}
