//! What a connection reports to its owner, and what it learns of what the owner has taken.

use std::{sync::Arc, time::Instant};

use rust_websocket_proto::{Amount, CloseCause, Closed, ConnectPhase, Event, Opened, Polled};

use super::{Conn, Owner, Turn};
use crate::{
    seam::{Arrival, Claim, LinkEvent, Newcomer, Unseen},
    tally::HandshakeEnd,
};

impl Conn {
    /// Tells the owner that this connection ended with the I/O thread.
    pub(crate) fn report_stopped(&mut self) {
        self.trace_end("networking was shut down");
        self.report_closed(Closed {
            code: None,
            reason: String::new(),
            cause: CloseCause::TransportLost("networking was shut down".to_owned()),
        });
    }

    /// Reports what has been decoded as far as there is room. True if the budget did not do for all of it.
    pub(super) fn deliver_events(&mut self, turn: &mut Turn<'_>) -> bool {
        self.note_consumed(turn.now);
        loop {
            let (is_spent, is_full) = match self.endpoint.poll_event(&mut turn.budget, turn.now) {
                Polled::Event(event) => {
                    self.report_event(event);
                    continue;
                }
                Polled::BudgetSpent => (true, false),
                Polled::Full => (false, true),
                Polled::Idle => (false, false),
            };
            if self.pending.is_some() && self.consider_request() {
                continue;
            }
            if self.endpoint.is_refused() {
                self.send_away(turn.now);
            }
            let waits = is_full || self.endpoint.is_holding() || self.endpoint.is_paused();
            // What was consumed since the last look makes room now; what is consumed from here on is ordered (`Resume`).
            if waits && !self.shared.receiving.pause() && self.note_consumed(turn.now) {
                continue;
            }
            self.report_waiting(turn.now);
            self.shared.set_round_trip_time(self.endpoint.round_trip_time());
            self.shared.counters.add(&self.endpoint.take_statistics());
            return is_spent;
        }
    }

    /// Tells the endpoint what the owner has consumed. False if that was nothing.
    ///
    /// The owner counts a message's bytes first and the message after. Bytes alone count too: whoever left them for the message would have
    /// seen that there is room, would not ask to be notified, and would wait for ever.
    fn note_consumed(&mut self, now: Instant) -> bool {
        let consumed = self.endpoint.unread().without(self.shared.receiving.unread());
        if consumed == Amount::default() {
            return false;
        }
        self.endpoint.consumed(consumed, now);
        true
    }

    /// What the owner sends in answer to the messages before a fault still goes out; it is asked to say when it has.
    pub(super) fn report_waiting(&mut self, now: Instant) {
        if self.awaits_owner || !self.endpoint.awaits_owner() {
            return;
        }
        self.awaits_owner = true;
        match &self.owner {
            Owner::Link(reports) => reports.push_fault(self.shared.clone()),
            Owner::Listener(arrivals) => arrivals.reports.push_fault(self.shared.clone()),
            Owner::Gone => self.endpoint.settle(now),
        }
    }

    fn report_event(&mut self, event: Event) {
        match event {
            Event::Message(message) => {
                self.shared.counters.add(&self.endpoint.take_statistics());
                self.shared.receiving.delivered(message.payload.len());
                self.report(Event::Message(message));
            }
            Event::Opened(opened) => self.report_opened(opened),
            Event::Closed(closed) => self.report_closed(closed),
        }
    }

    fn report_opened(&mut self, opened: Opened) {
        self.shared.counters.opened();
        self.shared.opened();
        let Some(mut pending) = self.pending.take() else {
            self.report(Event::Opened(opened));
            return;
        };
        let client = pending.client(&self.stage);
        if self.place.is_none() {
            self.place = pending.listener.enter(client.address);
        }
        if let Some(place) = &mut self.place {
            place.came_in();
        }
        pending.settle(HandshakeEnd::CountedElsewhere);
        let owner = pending.owner();
        let tag = pending.tag.take();
        let listener = &pending.listener;
        let (arrivals, reports) = match &owner {
            Owner::Listener(arrivals) => (arrivals, None),
            Owner::Link(reports) => (&listener.arrivals, Some(Arc::clone(reports))),
            Owner::Gone => return,
        };
        if pending.is_owner_asked && !Arc::ptr_eq(arrivals, &listener.arrivals) {
            listener.arrivals.reports.push(Arrival::Over(self.shared.id()));
        }
        arrivals.reports.push(Arrival::Accepted(Box::new(Newcomer {
            claim: Claim::new(Arc::clone(&self.shared)),
            client,
            opened,
            tag,
            reports,
            _unseen: Unseen::new(Arc::clone(&listener.unseen), Arc::clone(self.shared.runner()), listener.id),
        })));
        self.owner = owner;
    }

    /// The last report. Nobody knows of a connection whose handshake was pending, so its end is not reported, unless its request
    /// was.
    pub(super) fn report_closed(&mut self, closed: Closed) {
        self.refuse_sends();
        if let (Some(pending), CloseCause::RequestTimeout { .. }) = (&mut self.pending, &closed.cause) {
            pending.settle(HandshakeEnd::TimedOut);
        }
        if let (Some(pending), CloseCause::ConnectFailed { phase: ConnectPhase::Tls, error }) =
            (&self.pending, &closed.cause)
        {
            pending.listener.note_tls_failure(error);
        }
        if self.pending.is_some() {
            self.send_away(Instant::now());
        } else {
            self.report(Event::Closed(closed));
        }
        self.place = None;
        self.owner = Owner::Gone;
    }

    pub(super) fn refuse_sends(&mut self) {
        if !std::mem::replace(&mut self.refuses_sends, true) {
            self.shared.refuse_sends();
        }
    }

    fn report(&self, event: Event) {
        match &self.owner {
            Owner::Link(reports) => reports.push(LinkEvent::Protocol(event)),
            Owner::Listener(arrivals) => arrivals.reports.push(Arrival::Link(self.shared.id(), event)),
            Owner::Gone => {}
        }
    }
}
