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
    /// How long a decision on a request is waited for.
    Request,
    /// When a message that waits grows stale.
    Stale,
}

impl Timer {
    const COUNT: usize = Self::Stale as usize + 1;
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
///
/// Signs of life are bytes that come in, and bytes that go out after the transport had taken no more: its buffer has drained since,
/// which only the other side can have done. (What goes into a buffer that has room says nothing.)
#[derive(Debug)]
pub(crate) struct Heartbeat {
    interval: Option<Duration>,
    /// When the current interval began: at the last ping, or when the heartbeat was turned on.
    since: Instant,
    /// The ping that an answer is waited for.
    ping: Ping,
    /// When a ping was last put into the output.
    queued_at: Instant,
    /// While we do not read, silence is our own doing.
    paused_at: Option<Instant>,
}

/// Since the current interval began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ping {
    /// There is none, or there was a sign of life behind it.
    None,
    /// It waits in the output behind other bytes; nothing has moved since then.
    Waiting,
    /// It has left, and nothing has come since. The transport may hold it back behind as much as took that long to go out.
    Left { backlog: Duration },
}

impl Heartbeat {
    pub(crate) fn new(interval: Option<Duration>, now: Instant) -> Self {
        Self { interval: usable(interval), since: now, ping: Ping::None, queued_at: now, paused_at: None }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        if self.paused_at.is_some() {
            return None;
        }
        let due = deadline(self.since, self.interval?)?;
        match self.ping {
            Ping::Left { backlog } => deadline(due, backlog),
            Ping::None | Ping::Waiting => Some(due),
        }
    }

    /// The upgrade is complete: the first interval begins.
    pub(crate) fn start(&mut self, now: Instant) {
        self.since = now;
        self.ping = Ping::None;
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

    /// A sign of life.
    pub(crate) fn alive(&mut self) {
        self.ping = Ping::None;
    }

    /// A ping was put into the output.
    pub(crate) fn ping_queued(&mut self, now: Instant) {
        self.queued_at = now;
    }

    /// A ping has been written: its clock starts here. Bytes have had to wait for the transport for `busy` by now; what it holds back
    /// may take about as long again, but no longer than what the ping has seen of it.
    pub(crate) fn ping_left(&mut self, busy: Duration, now: Instant) {
        let waited = now.saturating_duration_since(self.queued_at);
        let backlog = busy.min(waited.saturating_add(self.interval.unwrap_or_default()));
        self.since = self.since.max(now);
        self.ping = Ping::Left { backlog };
    }

    /// The deadline has passed.
    pub(crate) fn expired(&mut self, now: Instant) -> Option<Beat> {
        let interval = self.interval?;
        if self.ping != Ping::None {
            return Some(Beat::Dead(interval));
        }
        self.since = now;
        self.ping = Ping::Waiting;
        Some(Beat::Ping)
    }
}

fn usable(interval: Option<Duration>) -> Option<Duration> {
    interval.filter(|duration| !duration.is_zero())
}
