//! A connection whose request is complete: who decides on it.

use std::sync::Arc;

use rust_websocket_proto::{
    Polled,
    admission::Remote,
    http::{Answer, Decision},
};

use super::{Conn, Owner, Pending, Stage, Turn};
use crate::seam::{Arrival, Asked};

impl Conn {
    /// The listener's rules as they are now count for a request that is not complete yet.
    pub(super) fn note_admission(&mut self) {
        if let Some(pending) = self.pending.as_ref().filter(|pending| !pending.has_asked) {
            self.endpoint.set_request_timeout(pending.listener.request_timeout());
        }
    }

    /// Looks whether a request is complete. True if it is decided on at once, so that there is an event to ask for.
    pub(super) fn consider_request(&mut self) -> bool {
        let Some(pending) = self.pending.as_mut().filter(|pending| !pending.has_asked) else { return false };
        let Some(request) = self.endpoint.pending_request() else { return false };
        pending.has_asked = true;
        let remote = remote_of(pending, &self.stage);
        if pending.listener.is_routed() {
            pending.path = Some(request.path().into());
        }
        if let Some(decision) = pending.listener.decide(request, remote) {
            self.endpoint.decide(decision);
            return true;
        }
        pending.is_owner_asked = true;
        if let Owner::Listener(arrivals) = &self.owner {
            let server_name = match &self.stage {
                Stage::Connected(wire) => wire.transport.server_name(),
                _ => None,
            };
            let asked = Asked::on(Arc::clone(&self.shared), Arc::clone(request), remote, server_name);
            arrivals.reports.push(Arrival::Asked(asked));
        }
        false
    }

    /// The listener is gone, and with it whoever decides. An answer that is under way still goes out, and a complete request gets
    /// one. False: there is nothing to wait for.
    pub(crate) fn listener_closed(&mut self, turn: &mut Turn<'_>) -> bool {
        self.carry_out_orders(turn.orders, turn.compressor, turn.now);
        turn.orders.release_memory();
        self.owner = Owner::Gone;
        if !self.pending.take().is_some_and(|pending| pending.has_asked) {
            self.end(turn.sockets);
            return false;
        }
        self.endpoint.decide(Decision::Answer(Answer::shutting_down())); // unless there is a decision
        while let Polled::Event(_) = self.endpoint.poll_event(&mut turn.budget, turn.now) {}
        // Accepted, and nobody there to take it.
        self.endpoint.close(1001, "", turn.now);
        true
    }
}

impl Pending {
    /// To whom the connection reports from now on, when it is open.
    pub(super) fn owner(&self) -> Owner {
        let room = self.path.as_ref().and_then(|path| self.listener.room(path));
        match room {
            Some(room) => Owner::Listener(Arc::clone(&room.arrivals)),
            None if self.listener.is_routed() => Owner::Link(Arc::default()),
            None => Owner::Listener(Arc::clone(&self.listener.arrivals)),
        }
    }
}

/// Who is at the other end.
fn remote_of(pending: &Pending, stage: &Stage) -> Remote {
    let (announced, is_tls) = match stage {
        Stage::Connected(wire) => (wire.transport.announced_address(), wire.transport.is_tls()),
        _ => (None, false),
    };
    Remote::new(announced.unwrap_or(pending.address).into(), is_tls)
}
