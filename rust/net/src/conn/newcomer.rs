//! What the reactor asks of an accepted connection that is not open yet, and of one that never will be.

use std::time::Instant;

use rust_websocket_proto::admission::AddressKey;

use super::{Conn, Cost, Owner, Stage, Turn};

impl Conn {
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

    /// Since when its handshake is pending, if there is no complete request so far: then it may be cut off for want of room.
    pub(crate) fn hangs_since(&self) -> Option<Instant> {
        self.pending.as_ref().filter(|pending| !pending.has_asked).map(|pending| pending.since)
    }

    /// Whether nobody will ever own it and all that it had to say is written: it waits for the other side's end alone.
    pub(crate) fn lingers(&self) -> bool {
        let Stage::Connected(wire) = &self.stage else { return false };
        matches!(self.owner, Owner::Gone)
            && self.pending.is_none()
            && self.endpoint.is_over()
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
