//! The server side: a listener and its members.

use std::{cell::Cell, collections::VecDeque, mem, sync::Arc};

use bytes::Bytes;
use rust_websocket_net::{
    Batch, CertificateChange, How, IdMap, LinkId, ListenerEvent, Statistics, SystemRandom, Tally, Trace,
};
use rust_websocket_proto::{Closed, Delivery, Event, Message, MessageKind, Opened, admission::Endpoint};

use super::{
    Incoming, Listening, Refusals, Signal, TakesCopies,
    protocol::{PeerIds, Recipients, encode_peer_id, server_recipients},
};
use crate::{
    Asking, Carrier, Locked, Now, Peer, PeerState, ReadyState, Refused, Settings,
    close_requests::CloseRequests, held_end::HeldEnd, peer::checked_close_code, requests::Requests,
    settings::SharedSettings,
};

/// A burst does not keep its memory.
const KEPT_REPORTS: usize = 1024;

/// A client that has an id.
struct Member<O> {
    state: Arc<PeerState>,
    link: LinkId,
    outbox: O,
    /// Its packets that nobody has taken yet.
    unread: usize,
    held_end: HeldEnd,
    /// `peer_disconnected` has been emitted; the member goes when its handlers have run.
    end_is_shown: bool,
    /// Somebody has asked for its peer. Stands here because counting who has the state would fetch that for each message.
    was_asked_for: Cell<bool>,
}

impl<O> Member<O> {
    /// Whether a script may have the peer of this member (`get_peer`), and so have changed it. The
    /// engine object, which keeps the state, is kept as long as the member.
    fn is_shown(&self) -> bool {
        if self.was_asked_for.get() {
            self.was_asked_for.set(Arc::strong_count(&self.state) > 1);
        }
        self.was_asked_for.get()
    }

    /// The shorter way, past the peer; false if it has to be the longer one.
    fn push(&self, payload: &Bytes, delivery: Delivery, how: How<'_>) -> bool
    where
        O: TakesCopies,
    {
        !self.is_shown() && self.outbox.push(MessageKind::Binary, payload, delivery, how).is_ok()
    }

    fn is_open(&self) -> bool {
        self.state.with(|peer| peer.ready_state()) == ReadyState::Open
    }

    fn receive(&mut self, id: i32, message: Message, incoming: &mut Incoming) {
        // Sent away already: what it still says is not handed out.
        if self.is_open() && incoming.push(id, &self.state, message) {
            self.unread += 1;
        }
    }

    /// The longer way to send: it knows why not, and what a script has set for this peer alone.
    fn send(&self, id: i32, send: impl FnOnce(&mut Peer) -> Result<(), Refused>, refused: &mut Refusals) {
        match self.state.with(send) {
            // Lost or sent away, which the next poll shows: it counts as taken.
            Ok(()) | Err(Refused::Lost | Refused::Closed { .. } | Refused::Ended { .. }) => {}
            Err(problem) => {
                let problem = Refused::Recipient { id, refused: Box::new(problem) };
                refused.push((Arc::clone(&self.state), problem));
            }
        }
    }
}

/// What a step of a poll has found.
pub(crate) enum Happening {
    /// To be emitted.
    Signal(Signal),
    /// To be decided on.
    Ask(Arc<Asking>),
}

/// A multiplayer peer that is a server.
pub(crate) struct Server<L: Listening> {
    listener: L,
    ids: PeerIds,
    members: IdMap<i32, Member<L::Outbox>>,
    by_link: IdMap<LinkId, i32>,
    close_requests: Arc<CloseRequests>,
    requests: Requests,
    /// Of a room: what its server's connections begin with.
    base: Option<SharedSettings>,
    /// Of the current poll, not looked at yet.
    events: VecDeque<ListenerEvent<L::Link>>,
    /// Empty; changes places with the listener's mailbox, so that neither has to grow anew for each
    /// poll.
    reports: Vec<ListenerEvent<L::Link>>,
    /// The ids for the members that the current poll welcomes: the I/O thread is notified once,
    /// since that takes longer than the rest of a welcome.
    welcomed: Batch,
    /// Members whose end the current poll shows.
    due: VecDeque<(i32, Option<Box<Closed>>)>,
    /// Members whose end is met and kept back.
    held: Vec<i32>,
    /// What members that are gone have carried.
    carried: Statistics,
    /// Of the listener.
    tally: Arc<Tally>,
    /// Why TLS of a client has failed, the last time.
    tls_failure: Option<String>,
}

impl<L: Listening> Server<L> {
    /// A server without members.
    pub(crate) fn new(listener: L) -> Self {
        Self {
            tally: listener.tally(),
            listener,
            ids: PeerIds::default(),
            members: IdMap::default(),
            by_link: IdMap::default(),
            close_requests: Arc::default(),
            requests: Requests::default(),
            base: None,
            events: VecDeque::new(),
            reports: Vec::new(),
            welcomed: Batch::default(),
            due: VecDeque::new(),
            held: Vec::new(),
            carried: Statistics::default(),
            tls_failure: None,
        }
    }

    /// A server without members, which gets them from one with those settings.
    pub(crate) fn in_room(listener: L, base: SharedSettings) -> Self {
        Self { base: Some(base), ..Self::new(listener) }
    }

    pub(crate) fn asked(&mut self) {
        self.requests.asked();
    }

    /// For whoever may keep it and show it to a script.
    pub(crate) fn member(&self, id: i32) -> Option<&Arc<PeerState>> {
        let member = self.members.get(&id)?;
        member.was_asked_for.set(true);
        Some(&member.state)
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &Arc<PeerState>> {
        self.members.values().map(|member| &member.state)
    }

    pub(crate) fn member_ids(&self) -> impl Iterator<Item = i32> {
        self.members.keys().copied()
    }

    pub(crate) fn local_port(&self) -> u16 {
        self.listener.local_port()
    }

    pub(crate) fn tally(&self) -> Arc<Tally> {
        Arc::clone(&self.tally)
    }

    /// Why the latest client that has come to nothing in TLS has; empty unless this server asks more of clients than TLS does by
    /// itself.
    pub(crate) fn end_message(&self) -> String {
        let phrase = self.tls_failure.as_ref();
        phrase
            .map(|phrase| format!("a client did not come in: the TLS handshake failed: {phrase}"))
            .unwrap_or_default()
    }

    pub(crate) fn set_accepting(&self, accepting: bool) {
        self.listener.set_accepting(accepting);
    }

    pub(crate) fn is_room(&self) -> bool {
        self.base.is_some()
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.listener.is_tls()
    }

    pub(crate) fn change_certificate(&self, change: CertificateChange) {
        self.listener.change_certificate(change);
    }

    /// What the script has set counts for connections accepted from now on.
    pub(crate) fn apply_settings(&self, settings: &Settings, asks: bool) {
        self.listener.set_link_options(settings.link_options());
        self.listener.set_admission(settings.admission(asks));
    }

    /// Collects what has happened since the last poll.
    pub(crate) fn begin_poll(&mut self, was_read: bool) {
        self.requests.begin_poll();
        if let Some(phrase) = self.tally.take_tls_failure() {
            self.tls_failure = Some(phrase);
        }
        self.release_ends(was_read);
        self.due.extend(self.close_requests.take().into_iter().map(|id| (id, None)));
        self.listener.take_events(&mut self.reports);
        if self.events.is_empty() {
            // The two change places, as they are.
            let spent = mem::replace(&mut self.events, mem::take(&mut self.reports).into());
            self.reports = spent.into();
        } else {
            self.events.extend(self.reports.drain(..));
        }
        if self.reports.capacity() > KEPT_REPORTS {
            self.reports.shrink_to(KEPT_REPORTS);
        }
    }

    /// Ends that were kept back are due, unless somebody reads what came before them.
    fn release_ends(&mut self, was_read: bool) {
        let (members, due) = (&mut self.members, &mut self.due);
        self.held.retain(|id| {
            let Some(member) = members.get_mut(id) else { return false };
            let end = member.held_end.poll(member.unread, was_read);
            let is_due = end.is_some() || member.held_end.get().is_none();
            if let Some(end) = end {
                due.push_back((*id, Some(end)));
            }
            !is_due
        });
    }

    /// Goes on until there is something to emit.
    pub(crate) fn step(
        &mut self,
        incoming: &mut Incoming,
        refuses: bool,
        settings: &Arc<Settings>,
        now: Now<'_>,
    ) -> Option<Happening> {
        while let Some((id, closed)) = self.due.pop_front() {
            if let Some(signal) = self.show_end(id, closed, incoming) {
                return Some(Happening::Signal(signal));
            }
        }
        while let Some(event) = self.events.pop_front() {
            if self.must_wait(&event, settings) {
                self.events.push_front(event);
                break;
            }
            let signal = match event {
                ListenerEvent::Accepted(link, address, opened, tag) => {
                    let request = self.requests.opened(L::id_of(&link), tag);
                    // Dropping the link turns the client away.
                    (!refuses).then(|| self.welcome(link, address, opened, request, settings, now))
                }
                ListenerEvent::Link(link, event) => self.handle(link, event, incoming),
                ListenerEvent::Asked(asked) => {
                    self.requests.come(asked);
                    None
                }
                ListenerEvent::Over(link) => {
                    self.requests.over(link);
                    None
                }
            };
            if signal.is_some() {
                return signal.map(Happening::Signal);
            }
        }
        drop(mem::take(&mut self.welcomed));
        self.requests.next().map(Happening::Ask)
    }

    /// A newcomer whose place was that of a member whose end is kept back: scripts never count more than `max_clients`.
    fn must_wait(&self, event: &ListenerEvent<L::Link>, settings: &Settings) -> bool {
        matches!(event, ListenerEvent::Accepted(..))
            && !self.held.is_empty()
            && usize::try_from(settings.max_clients).is_ok_and(|most| self.members.len() >= most)
    }

    fn welcome(
        &mut self,
        mut link: L::Link,
        address: Endpoint,
        opened: Opened,
        request: Option<Arc<Asking>>,
        settings: &Arc<Settings>,
        now: Now<'_>,
    ) -> Signal {
        let id = self.ids.assign(&SystemRandom);
        let (name, outbox) = (L::id_of(&link), L::outbox_of(&link));
        self.trace_member(&mut link, id, settings);
        // Refused only if the client is already gone, which its next event tells.
        let greeting = Bytes::copy_from_slice(&encode_peer_id(id));
        _ = link.push(MessageKind::Binary, greeting, Delivery::Reliable, How::With(&mut self.welcomed));
        let close_requests = (Arc::clone(&self.close_requests), id);
        let settings = match &self.base {
            Some(base) => settings.for_room(&base.get(), &mut link, now),
            None => Arc::clone(settings),
        };
        let peer = Peer::fed_member(settings, Box::new(link), address, opened, request, close_requests);
        let member = Member {
            state: Arc::new(Locked::new(peer)),
            link: name,
            outbox,
            unread: 0,
            held_end: HeldEnd::default(),
            end_is_shown: false,
            was_asked_for: Cell::new(false),
        };
        self.members.insert(id, member);
        self.by_link.insert(name, id);
        Signal::Connected(id)
    }

    /// A room has its connections to itself from here on.
    fn trace_member(&self, link: &mut L::Link, id: i32, settings: &Settings) {
        let of_room = self.base.as_ref().and(settings.trace.as_ref()).map(Trace::connection);
        if let Some(trace) = of_room.as_ref().or(link.trace()) {
            trace.set_peer_id(id);
        }
        if of_room.is_some() {
            link.set_trace(of_room);
        }
    }

    fn handle(&mut self, link: LinkId, event: Event, incoming: &mut Incoming) -> Option<Signal> {
        let id = *self.by_link.get(&link)?;
        let member = self.members.get_mut(&id)?;
        match event {
            Event::Message(message) => {
                member.receive(id, message, incoming);
                None
            }
            Event::Closed(closed) => {
                let has_unread = member.unread > 0 && member.is_open();
                match member.held_end.meet(Box::new(closed), has_unread) {
                    Some(closed) => self.show_end(id, Some(closed), incoming),
                    None => {
                        self.held.push(id);
                        None
                    }
                }
            }
            Event::Opened(_) => None,
        }
    }

    /// Shows the loss of a member to the script's handlers; [`remove`](Self::remove) follows.
    fn show_end(&mut self, id: i32, closed: Option<Box<Closed>>, incoming: &mut Incoming) -> Option<Signal> {
        let member = self.members.get_mut(&id)?;
        if mem::replace(&mut member.end_is_shown, true) {
            return None; // a handler has polled, or closed the connection once more
        }
        if !member.is_open() {
            // The script has sent it away: nobody wants its packets.
            incoming.forget(id);
        }
        if let Some(closed) = closed.or_else(|| member.held_end.take()) {
            member.state.with(|peer| peer.feed([Event::Closed(*closed)]));
        }
        Some(Signal::Disconnected(id))
    }

    /// Forgets a member; a close handshake under way is completed by the I/O thread.
    pub(crate) fn remove(&mut self, id: i32, incoming: &mut Incoming, now: Now<'_>) {
        let Some(member) = self.members.remove(&id) else { return };
        self.by_link.remove(&member.link);
        self.ids.release(id, now());
        self.carried += member.state.with(|peer| {
            peer.release();
            peer.statistics()
        });
        incoming.trim(|id| self.members.contains_key(&id));
    }

    /// What all members have carried, those that are gone included.
    pub(crate) fn statistics(&self) -> Statistics {
        let mut sum = self.carried;
        for member in self.members.values() {
            sum += member.state.with(|peer| peer.statistics());
        }
        sum
    }

    /// A packet of that member was taken.
    pub(crate) fn packet_taken(&mut self, id: i32) {
        if let Some(member) = self.members.get_mut(&id) {
            member.unread -= 1;
        }
    }

    /// Sends to everybody meant by `target`. Those who refuse are returned, each with what to print
    /// for it.
    ///
    /// # Errors
    /// The target does not exist.
    pub(crate) fn send(&self, target: i32, payload: &Bytes, delivery: Delivery) -> Result<Refusals, Refused> {
        let mut one = None;
        let find = |id| {
            one = self.members.get(&id);
            one.is_some()
        };
        let recipients = server_recipients(target, find).map_err(|unknown| {
            let has_left = self.ids.has_left(unknown.0);
            if has_left { Refused::TargetHasLeft(unknown.0) } else { Refused::UnknownTarget(unknown.0) }
        })?;
        let mut refused = Vec::new();
        if let (Recipients::One(id), Some(member)) = (&recipients, one) {
            if !member.push(payload, delivery, How::Now) {
                member.send(
                    *id,
                    |peer| peer.put_packet_as(payload.clone(), delivery, How::Now),
                    &mut refused,
                );
            }
            return Ok(refused);
        }
        self.prefetch();
        let mut batch = Batch::default();
        for (id, member) in self.members.iter().filter(|(id, _)| recipients.includes(**id)) {
            if !member.push(payload, delivery, How::With(&mut batch)) {
                member.send(
                    *id,
                    |peer| peer.put_packet_as(payload.clone(), delivery, How::With(&mut batch)),
                    &mut refused,
                );
            }
        }
        Ok(refused)
    }

    /// Has the processor fetch what a message to everybody touches.
    pub(crate) fn prefetch(&self) {
        for member in self.members.values() {
            member.outbox.prefetch();
        }
    }

    pub(crate) fn member_count(&self) -> usize {
        self.members.len()
    }

    /// Sends a member away: with a close frame as of [`Peer::close`], and `peer_disconnected` in the next poll.
    pub(crate) fn disconnect(
        &mut self,
        id: i32,
        (code, reason): (i64, &str),
        incoming: &mut Incoming,
        now: Now<'_>,
    ) -> Result<(), Refused> {
        let member = self.members.get_mut(&id).ok_or_else(|| unknown_peer(id))?;
        incoming.forget(id);
        member.unread = 0;
        member.state.with(|peer| peer.close(code, reason, now))
    }

    /// Drops a member at once and without a signal.
    pub(crate) fn drop_member(
        &mut self,
        id: i32,
        incoming: &mut Incoming,
        now: Now<'_>,
    ) -> Result<(), Refused> {
        let member = self.members.get(&id).ok_or_else(|| unknown_peer(id))?;
        _ = member.state.with(|peer| peer.close(1000, "", now)); // a code that is never refused
        incoming.forget(id);
        self.remove(id, incoming, now);
        Ok(())
    }

    /// Says goodbye to everybody, as of [`Peer::close`]; the I/O thread finishes the connections.
    ///
    /// # Errors
    /// [`Refused::CloseCode`], only to be reported.
    pub(crate) fn close(mut self, code: i64, reason: &str, now: Now<'_>) -> Result<(), Refused> {
        let checked = checked_close_code(code);
        let sent = *checked.as_ref().unwrap_or(&Some(1000));
        self.begin_poll(false);
        for event in self.events.drain(..) {
            match (event, sent) {
                (ListenerEvent::Accepted(mut link, ..), Some(code)) => link.close(code, reason, now),
                (ListenerEvent::Accepted(mut link, ..), None) => link.leave(),
                (ListenerEvent::Asked(asked), _) => self.requests.come(asked),
                _ => {}
            }
        }
        self.requests.close();
        for member in self.members.values() {
            member.state.with(|peer| {
                _ = peer.close(sent.map_or(-1, i64::from), reason, now); // a code that is never refused
                peer.release();
            });
        }
        checked.map(|_| ())
    }
}

fn unknown_peer(id: i32) -> Refused {
    Refused::UnknownPeer { call: "disconnect_peer", id: id.into() }
}
