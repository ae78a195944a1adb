//! Signs of life: pings, pongs, and what the output tells of the other side.

use std::{
    mem,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{Backlog, Connection, InputEnd, State};
use crate::{
    CloseCause,
    frame::FrameKind,
    timer::{Beat, Timer},
};

/// Pongs that may wait in the output; of the pings beyond, only the latest is answered (RFC 6455 section 5.5.3).
const MAX_QUEUED_PONGS: usize = 32;

impl Connection {
    pub(super) fn beat(&mut self, now: Instant) {
        match self.heartbeat.expired(now) {
            Some(Beat::Dead(interval)) => {
                self.end_input(InputEnd::Cause(CloseCause::HeartbeatTimeout { interval }))
            }
            Some(Beat::Ping) => {
                // One that has not even been written yet will do.
                if self.output.pings() == 0 {
                    self.queue_control(FrameKind::Ping, Bytes::new());
                    self.heartbeat.ping_queued(now);
                }
                self.schedule_heartbeat();
            }
            None => {}
        }
    }

    pub(super) fn schedule_heartbeat(&mut self) {
        if matches!(self.state, State::Open(_)) && self.input_end.is_none() {
            self.timers.set(Timer::Heartbeat, self.heartbeat.deadline());
        }
    }

    /// Behind our own close frame none is answered, as in the engine: section 5.5.2 asks for it, but there are clients (Chromium) to
    /// whom whatever follows a close frame is an error.
    pub(super) fn answer_ping(&mut self, payload: Vec<u8>) {
        if !matches!(self.state, State::Open(_)) {
            return;
        }
        if self.output.pongs() < MAX_QUEUED_PONGS {
            self.queue_control(FrameKind::Pong, payload.into());
        } else {
            self.unanswered_ping = Some(payload);
        }
    }

    pub(super) fn note_pong(&mut self) {
        if let Some(sent_at) = self.ping_sent_at.take() {
            self.round_trip_time = Some(self.received_at.saturating_duration_since(sent_at));
        }
    }

    /// Tells that the driver stopped or resumed reading: silence while paused does not count against the heartbeat.
    pub fn set_receive_paused(&mut self, paused: bool, now: Instant) {
        self.heartbeat.set_paused(paused, now);
        self.schedule_heartbeat();
    }

    /// `count` bytes of the output were written.
    pub fn advance_output(&mut self, count: usize, now: Instant) {
        let pings = self.output.pings();
        self.output.advance(count);
        self.trace_written();
        if let Some(backlog) = &mut self.backlog
            && count > 0
            && mem::take(&mut backlog.is_refused)
        {
            self.heartbeat.alive();
        }
        if self.output.pings() < pings {
            self.pings_sent += 1;
            let busy =
                self.backlog.map_or(Duration::ZERO, |backlog| now.saturating_duration_since(backlog.since));
            self.heartbeat.ping_left(busy, now);
            self.ping_sent_at = Some(now);
            self.schedule_heartbeat();
        }
        self.note_begun();
        if self.output.is_empty() && self.waiting_amount().messages == 0 {
            self.backlog = None;
        }
        if self.output.pongs() < MAX_QUEUED_PONGS
            && let Some(payload) = self.unanswered_ping.take()
        {
            self.answer_ping(payload);
        }
    }

    /// The transport takes no more for now. What it takes later tells that the other side still takes bytes in.
    pub fn output_refused(&mut self, now: Instant) {
        if !self.output.is_empty() {
            self.backlog.get_or_insert(Backlog { since: now, is_refused: true }).is_refused = true;
        }
        self.note_refused();
    }

    /// Changes the heartbeat at once, counted from the last ping; `None` turns it off.
    pub fn set_heartbeat_interval(&mut self, interval: Option<Duration>, now: Instant) {
        self.heartbeat.set_interval(interval, now);
        self.schedule_heartbeat();
    }

    /// Pings that went out since the last call.
    pub fn take_pings(&mut self) -> u64 {
        mem::take(&mut self.pings_sent)
    }

    /// Between the last answered ping and its pong.
    pub fn round_trip_time(&self) -> Option<Duration> {
        self.round_trip_time
    }
}
