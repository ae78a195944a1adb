//! What the reactor asks of an accepted connection that is not open yet, and of one that never will be.

use std::time::Instant;

use rust_websocket_proto::admission::AddressKey;

use super::{Conn, Cost, Owner, SentAway, Stage, Turn};
use crate::seam::Arrival;

impl Conn {
    /// Its handshake has come to nothing, or to an answer. What it still has to say, and waiting for the other side's end, is no
    /// handshake: others may come.
    pub(super) fn send_away(&mut self, now: Instant) {
        let Some(pending) = self.pending.take() else { return };
        // Who was asked about it is told; nobody else knows of it.
        if let (true, Owner::Listener(arrivals)) = (pending.is_owner_asked, &self.owner) {
            arrivals.reports.push(Arrival::Over(self.shared.id()));
        }
        let address = pending.client(&self.stage).address.key();
        self.refuse_sends();
        self.sent_away = Some(Box::new(SentAway { address, since: now }));
        self.place = None;
        self.owner = Owner::Gone;
    }

    /// Whether its TLS handshake is past the step that takes long, or complete.
    pub(crate) fn is_past_signature(&self) -> bool {
        matches!(&self.stage, Stage::Connected(wire) if wire.transport.is_tls() && !wire.transport.awaits_first_bytes())
    }

    /// What its next turn may cost.
    pub(crate) fn cost(&self) -> Cost {
        match &self.stage {
            Stage::Connected(wire) if wire.transport.is_established() => Cost::Low,
            Stage::Connected(wire) if wire.transport.is_tls() => {
                if self.pending.is_some() && wire.transport.awaits_first_bytes() {
                    Cost::Signature
                } else {
                    Cost::Handshake
                }
            }
            _ => Cost::Low,
        }
    }

    /// Whose pending handshake it is, if it is one.
    pub(crate) fn handshake_of(&self) -> Option<AddressKey> {
        self.pending.as_ref().map(|pending| pending.client(&self.stage).address.key())
    }

    /// Whose it is and since when it hangs, if it may have to make way for others: its handshake is pending and there is no complete
    /// request so far, or it was sent away.
    pub(crate) fn hangs(&self) -> Option<(AddressKey, Instant)> {
        match (&self.pending, &self.sent_away) {
            (Some(pending), _) if pending.has_asked => None,
            (Some(pending), _) => Some((pending.client(&self.stage).address.key(), pending.since)),
            (None, sent_away) => sent_away.as_ref().map(|sent_away| (sent_away.address, sent_away.since)),
        }
    }

    /// Bytes of an answer that were not fetched yet, by a client that was sent away.
    pub(crate) fn unfetched(&self) -> u64 {
        self.sent_away.as_ref().map_or(0, |_| self.endpoint.output_size())
    }

    /// Whether nobody will ever own it and all that it had to say is written: it waits for the other side's end alone.
    pub(crate) fn lingers(&self) -> bool {
        let Stage::Connected(wire) = &self.stage else { return false };
        matches!(self.owner, Owner::Gone)
            && self.pending.is_none()
            && (self.endpoint.is_over() || self.endpoint.is_refused())
            && !(self.endpoint.has_output() && wire.transport.is_established())
            && !wire.transport.has_pending_output()
    }

    /// Whether the time for its handshake is over before TLS stands.
    pub(super) fn is_late_for_tls(&self, now: Instant) -> bool {
        let Stage::Connected(wire) = &self.stage else { return false };
        self.pending.is_some()
            && !wire.transport.is_established()
            && self.endpoint.next_deadline().is_some_and(|deadline| deadline <= now)
    }

    /// Closes it without a look at what has come: of many who are late, none is worth a signature, and there is nobody to
    /// tell anything.
    pub(super) fn give_up_tls(&mut self, turn: &mut Turn<'_>) {
        self.endpoint.handle_timeout(turn.now);
        self.deliver_events(turn);
        self.end(turn.sockets);
    }

    /// Whether its handshake has failed.
    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.owner, Owner::Gone) && self.pending.is_none()
    }
}
