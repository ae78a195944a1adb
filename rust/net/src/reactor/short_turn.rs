//! A turn on the thread of somebody who polls in a tight loop.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use super::{Command, Reactor, SHORT_TURN, ShortTurn};
use crate::{conn::Cost, seam::Commands};

/// While a single connection is heard from, the kernel is asked about all of them in one of so many turns.
const TURNS_PER_POLL: u8 = 4;

impl Reactor {
    /// A turn that neither waits nor does what is slow.
    pub(crate) fn short_turn(&mut self, commands: &Commands<Command>) -> ShortTurn {
        let begun = Instant::now();
        let ends_at = begun + SHORT_TURN;
        self.recent.ends_at = Some(ends_at);
        self.has_copied_much = false;
        self.take_in_without_waiting(commands, begun);
        self.share_turn();
        let was_idle = self.ready.is_empty();
        let is_one = self.ready.len() == 1;
        for left in (0..self.ready.len()).rev() {
            let Some(id) = self.ready.pop() else { break };
            self.recent.partner = is_one.then_some(id);
            self.work_unless_slow(id);
            if left > 0 && Instant::now() >= ends_at {
                break;
            }
        }
        self.shake_hands_quickly(ends_at);
        self.recent.ends_at = None;
        self.release_compressor();
        self.lending_asked = false;
        ShortTurn {
            began_at: begun,
            took: if was_idle { Duration::ZERO } else { begun.elapsed() },
            wants_thread: !self.running || self.ready.has_slow(),
            was_idle,
            has_copied_much: self.has_copied_much,
        }
    }

    /// Orders come before the kernel is asked who is ready, for the answer to a message that goes out now cannot be there yet.
    /// In a conversation with one peer reading is tried in most turns without asking: that is the quicker of the two.
    fn take_in_without_waiting(&mut self, commands: &Commands<Command>, now: Instant) {
        self.handle_commands(commands);
        let may_wait = if self.ready.is_empty() { self.looks_at_partner() } else { self.recent.has_polled };
        self.recent.has_polled = !may_wait;
        if may_wait {
            return;
        }
        let polled = self.poll.poll(&mut self.events, Some(Duration::ZERO));
        if self.has_polled(polled) {
            self.handle_events(now);
            self.expire_deadlines(now);
        }
    }

    /// Reads from the only connection that was heard from. False if it is time to ask about all of them.
    fn looks_at_partner(&mut self) -> bool {
        self.recent.looks = (self.recent.looks + 1) % TURNS_PER_POLL;
        let Some(partner) = self.recent.partner.filter(|_| self.recent.looks != 0) else { return false };
        let has_input = self.with_conn(partner, |conn, turn| {
            catch_unwind(AssertUnwindSafe(|| conn.look(turn))).unwrap_or_else(|_| {
                conn.fail(turn.sockets);
                Some(true)
            })
        });
        let Some(Some(has_input)) = has_input else { return false };
        if has_input {
            self.ready.push(partner);
        }
        true
    }

    pub(super) fn work_unless_slow(&mut self, id: usize) {
        match self.conns.get(&id) {
            Some(entry) if entry.cost != Cost::Low => {
                self.ready.push_handshake(entry.as_handshake(id), Instant::now());
            }
            _ => self.work(id),
        }
    }
}
