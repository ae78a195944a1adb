//! What the reactor asks of an accepted connection that is not open yet, and of one that never will be.

use std::time::{Duration, Instant};

use rust_websocket_proto::admission::AddressKey;

use super::{Conn, Owner, Stage, Turn};

/// A handshake that has come to nothing by then may be cut off where its descriptor is wanted.
const LEAST_TIME: Duration = Duration::from_secs(1);

impl Conn {
    /// Whose pending handshake it is, if it is one.
    pub(crate) fn handshake_of(&self) -> Option<AddressKey> {
        self.pending.as_ref().map(|pending| pending.client(&self.stage).address.key())
    }

    /// Whether it may be cut off in its handshake for want of descriptors: it has had its time and no complete request.
    pub(crate) fn may_be_sacrificed(&self, now: Instant) -> bool {
        self.pending.as_ref().is_some_and(|pending| {
            !pending.has_asked && now.saturating_duration_since(pending.since) >= LEAST_TIME
        })
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
        turn.orders.release_memory();
    }

    /// Whether its handshake has failed.
    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.owner, Owner::Gone) && self.pending.is_none()
    }
}
