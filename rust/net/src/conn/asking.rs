//! A connection whose request is complete: who decides on it.

use std::sync::Arc;

use rust_websocket_proto::{
    Polled,
    admission::{Endpoint, Remote},
    http::{Answer, Decision, Request},
};

use super::{Conn, Owner, Pending, Stage, Turn};
use crate::{
    seam::{Arrival, Asked, Tag, TlsFacts, Unseen},
    tally::HandshakeEnd,
};

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
        let Some(request) = self.endpoint.pending_request().map(Arc::clone) else { return false };
        pending.has_asked = true;
        let listener = Arc::clone(&pending.listener);
        let admission = listener.admission();
        let remote = pending.remote(&self.stage).with_request(&request, &admission.trusted);
        pending.forwarded = Some(remote.client);
        if listener.is_routed() {
            pending.path = Some(request.path().into());
        }
        if remote.is_secure {
            self.endpoint.set_secure();
        }
        let decision = match listener.admit(&request, &remote, &admission) {
            Err(refusal) => {
                let is_counted = listener.gate.tally.refused(refusal);
                pending.settle(if is_counted {
                    HandshakeEnd::CountedElsewhere
                } else {
                    HandshakeEnd::Failed
                });
                refusal.decision(&request)
            }
            Ok(place) => {
                self.place = place;
                if admission.asks_owner.is_some() {
                    self.ask_owner(request, remote);
                    return false;
                }
                Decision::accept()
            }
        };
        self.endpoint.decide(decision);
        true
    }

    fn ask_owner(&mut self, request: Arc<Request>, remote: Remote) {
        let (Some(pending), Owner::Listener(arrivals)) = (&mut self.pending, &self.owner) else { return };
        pending.is_owner_asked = true;
        // It counts twice until the owner looks: who asks and leaves is pending no longer.
        let listener = &pending.listener;
        let unseen = Unseen::new(Arc::clone(&listener.unseen), Arc::clone(self.shared.runner()), listener.id);
        let tls = match &self.stage {
            Stage::Connected(wire) => wire.transport.tls_facts(),
            _ => TlsFacts::default(),
        };
        let asked = Asked::on(Arc::clone(&self.shared), request, remote, tls);
        arrivals.reports.push(Arrival::Asked { asked, _unseen: unseen });
    }

    /// The owner has decided.
    pub(super) fn decide(&mut self, decision: Decision, tag: Option<Tag>) {
        if let Some(pending) = &mut self.pending {
            pending.tag = tag;
            match &decision {
                Decision::Answer(answer) if answer.is_given() => pending.settle(HandshakeEnd::Answered),
                Decision::Refuse { .. } => pending.settle(HandshakeEnd::CountedElsewhere),
                _ => {}
            }
        }
        if !matches!(decision, Decision::Accept { .. }) {
            self.place = None;
        }
        self.endpoint.decide(decision);
    }

    /// The listener is gone, and with it whoever decides. An answer that is under way still goes out, and a complete request gets
    /// one. False: there is nothing to wait for.
    pub(crate) fn listener_closed(&mut self, turn: &mut Turn<'_>) -> bool {
        self.carry_out_orders(turn.compressor, turn.now);
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
    /// Who is at the other end, as far as that is known without the request.
    fn remote(&self, stage: &Stage) -> Remote {
        let Stage::Connected(wire) = stage else { return Remote::new(self.address, false) };
        let remote = Remote::new(self.address, wire.transport.is_secure());
        match wire.transport.proxy_header() {
            Some(header) => remote.with_proxy_header(header),
            None => remote,
        }
    }

    /// The client, once the upgrade is complete.
    pub(super) fn client(&self, stage: &Stage) -> Endpoint {
        self.forwarded.unwrap_or_else(|| self.remote(stage).client)
    }

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
