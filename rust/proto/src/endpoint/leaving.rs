//! Parting from the other side without destroying what is in flight.

use std::time::{Duration, Instant};

use crate::{CloseCause, timer::deadline};

/// Silence after which the other side is taken to have heard our last words, where the transport cannot be half closed.
const QUIET: Duration = Duration::from_millis(100);

/// How long a client may take to fetch an HTTP answer, which may be large.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// What a driver has to do after the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Farewell {
    /// Write what [`output`](crate::Endpoint::output) offers, when the transport takes it.
    WriteMore,
    /// All is written: close the sending direction (half-close), then call [`fin_sent`](crate::Endpoint::fin_sent).
    SendFin,
    /// Read, and hand in what comes, until the other side has ended too: closing a socket over unread input sends a reset, and a
    /// reset destroys data in flight.
    ReadOn,
    /// Close the transport.
    Done,
}

/// How far parting has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Our last words are on their way out; the other side may have ended already.
    Speaking { other_has_ended: bool },
    /// Our sending direction is closed, or as good as; the other side's end is waited for.
    Listening,
    /// There is nothing left to say or to hear.
    Parted,
}

/// A connection that is over for its owner.
#[derive(Debug)]
pub(super) struct Leaving {
    stage: Stage,
    /// `close_timeout` after the end; it is not waited beyond.
    deadline: Option<Instant>,
    /// What the deadline is set to once all is written, where writing may take longer.
    close_timeout: Option<Duration>,
    ending: Ending,
}

/// How our own end is told.
#[derive(Debug, Clone, Copy)]
enum Ending {
    /// By FIN.
    HalfClose,
    /// By closing the transport, since it knows no half-close: at once where the other side knows of the end, otherwise once it has
    /// been quiet since then.
    Close { quiet_since: Option<Instant> },
}

impl Leaving {
    /// The connection is over for `cause`.
    pub(super) fn new(cause: &CloseCause, half_close: bool, close_timeout: Duration, now: Instant) -> Self {
        let stage = match cause {
            // Nothing was said that a reset could destroy.
            CloseCause::ConnectTimeout { .. } | CloseCause::ClosedWhileConnecting { .. } => Stage::Parted,
            _ => Stage::Speaking { other_has_ended: false },
        };
        // Where we complain, the other side may be sending still.
        let answers = matches!(cause, CloseCause::Answered { .. } | CloseCause::RequestTimeout { .. });
        let complains = cause.own_close().is_some() || answers || matches!(cause, CloseCause::Request(_));
        let ending = match half_close {
            true => Ending::HalfClose,
            false => Ending::Close { quiet_since: complains.then_some(now) },
        };
        let (limit, close_timeout) = match answers && close_timeout < ANSWER_TIMEOUT {
            true => (ANSWER_TIMEOUT, Some(close_timeout)),
            false => (close_timeout, None),
        };
        Self { stage, deadline: deadline(now, limit), close_timeout, ending }
    }

    /// What is to be done now.
    pub(super) fn next(&mut self, has_output: bool, now: Instant) -> Farewell {
        if let Some(close_timeout) = self.close_timeout.take_if(|_| !has_output) {
            self.deadline = self.deadline.into_iter().chain(deadline(now, close_timeout)).min();
        }
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.stage = Stage::Parted;
        }
        match (self.stage, self.ending) {
            (Stage::Parted, _) => Farewell::Done,
            (Stage::Speaking { .. }, _) if has_output => Farewell::WriteMore,
            (Stage::Speaking { .. }, Ending::HalfClose) => Farewell::SendFin,
            (Stage::Listening, Ending::HalfClose) => Farewell::ReadOn,
            (_, Ending::Close { .. }) if self.quiet_deadline().is_some_and(|quiet| quiet > now) => {
                self.stage = Stage::Listening;
                Farewell::ReadOn
            }
            (_, Ending::Close { .. }) => {
                self.stage = Stage::Parted;
                Farewell::Done
            }
        }
    }

    /// Our sending direction is closed.
    pub(super) fn fin_sent(&mut self) {
        self.stage = match self.stage {
            Stage::Speaking { other_has_ended: false } => Stage::Listening,
            _ => Stage::Parted,
        };
    }

    /// The other side is still sending.
    pub(super) fn heard(&mut self, now: Instant) {
        if let Ending::Close { quiet_since: Some(since) } = &mut self.ending {
            *since = now;
        }
    }

    /// The other side has ended its sending direction.
    pub(super) fn other_ended(&mut self) {
        self.stage = match (self.stage, self.ending) {
            (Stage::Speaking { .. }, Ending::HalfClose) => Stage::Speaking { other_has_ended: true },
            // Without a half-close this is the end of both directions.
            _ => Stage::Parted,
        };
    }

    /// The transport is of no use any more.
    pub(super) fn broken(&mut self) {
        self.stage = Stage::Parted;
    }

    pub(super) fn has_parted(&self) -> bool {
        self.stage == Stage::Parted
    }

    /// When [`next`](Self::next) has news by itself.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        if self.has_parted() {
            return None;
        }
        let quiet = self.quiet_deadline().filter(|_| self.stage == Stage::Listening);
        [self.deadline, quiet].into_iter().flatten().min()
    }

    fn quiet_deadline(&self) -> Option<Instant> {
        match self.ending {
            Ending::Close { quiet_since: Some(since) } => deadline(since, QUIET),
            _ => None,
        }
    }
}
