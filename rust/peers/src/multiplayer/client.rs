//! The client side: one connection, which counts once the server has assigned an id.

use std::{
    collections::VecDeque,
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rust_websocket_net::{How, Statistics};
use rust_websocket_proto::{CloseCause, Closed, Delivery, Event, Message};
use thiserror::Error;

use super::{
    Incoming, Signal,
    protocol::{PeerIdError, SERVER_ID, decode_peer_id},
};
use crate::{Carrier, Locked, Now, Peer, PeerState, ReadyState, Refused, Settings, held_end::HeldEnd};

/// What this side found wrong with the way a server assigns ids: there will be none although the
/// connection stands.
#[derive(Debug, Error)]
enum Fault {
    /// No message came.
    #[error("the server did not assign a peer id in time: the handshake timeout of {0:?} has passed")]
    NoId(Duration),
    /// The first message is no id.
    #[error(transparent)]
    NotAnId(#[from] PeerIdError),
}

/// A multiplayer peer that is a client.
pub(crate) struct Client {
    server: Arc<PeerState>,
    /// Assigned by the server's first message.
    id: Option<i32>,
    /// By when the id must be there.
    deadline: Option<Instant>,
    timeout: Duration,
    fault: Option<Fault>,
    /// Of the current poll, not looked at yet.
    events: VecDeque<Event>,
    /// Packets of the server that nobody has taken yet.
    unread: usize,
    held_end: HeldEnd,
    /// The first poll never shows the end, for scripts that look for it while connecting.
    age: Age,
    /// To be shown by the current poll; `None` when the script has ended the connection itself.
    due_end: Option<Option<Box<Closed>>>,
    /// It is told, to a handler that may poll.
    end_is_told: bool,
}

/// How often a client has been polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    Unpolled,
    InFirstPoll,
    Polled,
}

/// What a step of a poll came to.
pub(crate) enum Step {
    Emit(Signal),
    /// It never got in, or no longer knows why: status DISCONNECTED, without a signal. The sentence
    /// is for those who did not ask for that.
    Vanish(Option<String>),
    Idle,
}

impl Client {
    /// A client over a connection that has just been started.
    pub(crate) fn new(carrier: Box<dyn Carrier>, url: &str, settings: &Arc<Settings>, now: Instant) -> Self {
        let timeout = settings.connect_limit();
        let peer = Peer::fed_client(Arc::clone(settings), url, carrier);
        Self {
            server: Arc::new(Locked::new(peer)),
            id: None,
            deadline: now.checked_add(timeout),
            timeout,
            fault: None,
            events: VecDeque::new(),
            unread: 0,
            held_end: HeldEnd::default(),
            age: Age::Unpolled,
            due_end: None,
            end_is_told: false,
        }
    }

    pub(crate) fn server(&self) -> &Arc<PeerState> {
        &self.server
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.server.with(|peer| peer.statistics())
    }

    pub(crate) fn id(&self) -> Option<i32> {
        self.id
    }

    /// Collects what has happened since the last poll.
    pub(crate) fn begin_poll(&mut self, was_read: bool, now: Now<'_>) {
        self.age = match self.age {
            Age::Unpolled => Age::InFirstPoll,
            _ => Age::Polled,
        };
        if let Some(closed) = self.held_end.poll(self.unread, was_read) {
            self.due_end = Some(Some(closed));
        }
        let events = &mut self.events;
        let is_closed = self.server.with(|peer| {
            peer.take_events(events, now);
            peer.ready_state() == ReadyState::Closed
        });
        if is_closed {
            self.due_end.get_or_insert(None);
        }
    }

    /// Goes on until there is something to emit.
    pub(crate) fn step(&mut self, incoming: &mut Incoming, now: Now<'_>) -> Step {
        if let Some(closed) = self.due_end.take() {
            return self.end(closed);
        }
        while let Some(event) = self.events.pop_front() {
            match event {
                Event::Opened(opened) => self.server.with(|peer| peer.feed([Event::Opened(opened)])),
                Event::Message(message) if self.must_wait(&message) => {
                    self.events.push_front(Event::Message(message));
                    return Step::Idle;
                }
                Event::Message(message) => match self.receive(message, incoming, now) {
                    Step::Idle => {}
                    step => return step,
                },
                Event::Closed(closed) => {
                    // After the script's own close nobody waits for packets.
                    let has_unread = self.unread > 0 && self.is_open();
                    let is_awaited = has_unread || self.age == Age::InFirstPoll;
                    if let Some(closed) = self.held_end.meet(Box::new(closed), is_awaited) {
                        return self.end(Some(closed));
                    }
                }
            }
        }
        if self.is_late(now) {
            self.server.with(Peer::release);
            return self.fail(Fault::NoId(self.timeout));
        }
        Step::Idle
    }

    /// Whether a message that ends this session comes too early for that.
    fn must_wait(&self, message: &Message) -> bool {
        self.age == Age::InFirstPoll && self.id.is_none() && decode_peer_id(&message.payload).is_err()
    }

    /// Whether the id is overdue. Before the upgrade the connection watches the same limit, and
    /// knows what did not finish.
    fn is_late(&self, now: Now<'_>) -> bool {
        self.id.is_none()
            && self.age != Age::InFirstPoll
            && self.is_open()
            && self.deadline.is_some_and(|deadline| deadline <= now())
    }

    fn fail(&mut self, fault: Fault) -> Step {
        let sentence = fault.to_string();
        self.fault = Some(fault);
        Step::Vanish(Some(sentence))
    }

    fn is_open(&self) -> bool {
        self.server.with(|peer| peer.ready_state()) == ReadyState::Open
    }

    fn receive(&mut self, message: Message, incoming: &mut Incoming, now: Now<'_>) -> Step {
        if self.id.is_some() {
            // After the script's own close nothing is handed out any more.
            if self.is_open() && incoming.push(SERVER_ID, &self.server, message) {
                self.unread += 1;
            }
            return Step::Idle;
        }
        self.server.with(|peer| peer.consumed_by_owner(message.payload.len()));
        match decode_peer_id(&message.payload) {
            Ok(id) => {
                self.id = Some(id);
                self.server.with(|peer| peer.set_id_in_session(id));
                Step::Emit(Signal::Connected(SERVER_ID))
            }
            Err(error) => {
                self.server.with(|peer| {
                    _ = peer.close(1000, "", now); // a code that is never refused
                    peer.release();
                });
                self.fail(error.into())
            }
        }
    }

    fn end(&mut self, closed: Option<Box<Closed>>) -> Step {
        if self.id.is_some() && mem::replace(&mut self.end_is_told, true) {
            return Step::Idle;
        }
        let sentence = closed.as_ref().map(|closed| sentence_of(&closed.cause));
        self.server.with(|peer| peer.feed(closed.map(|closed| Event::Closed(*closed))));
        if self.id.is_some() { Step::Emit(Signal::Disconnected(SERVER_ID)) } else { Step::Vanish(sentence) }
    }

    /// Why there is no connection, or not any more; empty while all is well.
    pub(crate) fn end_message(&self) -> String {
        match &self.fault {
            Some(fault) => fault.to_string(),
            None => end_message(&self.server),
        }
    }

    /// A packet of the server was taken.
    pub(crate) fn packet_taken(&mut self) {
        self.unread -= 1;
    }

    /// Sends to the server, whatever the target.
    pub(crate) fn send(&self, payload: Bytes, delivery: Delivery) -> Result<(), Refused> {
        if self.held_end.get().is_some() {
            return Ok(()); // Lost, which a later poll shows.
        }
        self.server.with(|peer| match peer.put_packet_as(payload, delivery, How::Now) {
            // Lost, which a poll will show; after the script's own close it is refused.
            Err(Refused::Lost | Refused::Closed { .. }) if peer.ready_state() == ReadyState::Open => Ok(()),
            result => result,
        })
    }

    /// Starts the close handshake as of [`Peer::close`]; the loss shows when it is complete.
    pub(crate) fn disconnect(&mut self, code: i64, reason: &str, now: Now<'_>) -> Result<(), Refused> {
        self.unread = 0;
        self.server.with(|peer| peer.close(code, reason, now))
    }
}

/// Why a client's connection ended; empty while it has not and after a clean close.
fn end_message(server: &PeerState) -> String {
    server.with(|peer| peer.view().close_cause().map(sentence_of).unwrap_or_default())
}

/// Why a connection ended, in the words of this class.
fn sentence_of(cause: &CloseCause) -> String {
    match cause {
        CloseCause::ConnectTimeout { phase, timeout } => {
            format!("the {phase} did not finish in time: the handshake timeout of {timeout:?} has passed")
        }
        cause => cause.to_string(),
    }
}
