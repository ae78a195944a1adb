//! The client side: one connection, which counts once the server has assigned an id.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use godot::global::Error;
use rust_websocket_net::Statistics;
use rust_websocket_proto::{
    ClientRequest, Closed, Event, Message, ReadyState,
    multiplayer::{SERVER_ID, decode_peer_id},
};

use super::{Incoming, Signal};
use crate::{
    driver::{Driver, Security},
    peer::{Peer, PeerState},
    report::Refusal,
    settings::Settings,
};

/// A multiplayer peer that is a client.
pub(crate) struct Client {
    server: Arc<PeerState>,
    /// Assigned by the server's first message.
    id: Option<i32>,
    /// By when the id must be there.
    deadline: Option<Instant>,
    timeout: Duration,
    /// What this side found wrong with the way the server assigns ids.
    fault: Option<String>,
    /// Of the current poll, not looked at yet.
    events: VecDeque<Event>,
    /// Packets of the server that nobody has taken yet.
    unread: usize,
    /// Met while packets were unread: the next poll shows it.
    met_end: Option<Closed>,
    /// To be shown by the current poll; `None` when the script has ended the connection itself.
    due_end: Option<Option<Closed>>,
}

/// What a step of a poll came to.
pub(crate) enum Step {
    Emit(Signal),
    /// It never got in, or no longer knows why: status DISCONNECTED, without a signal.
    Vanish,
    Idle,
}

impl Client {
    /// Starts connecting.
    pub(crate) fn new(
        request: ClientRequest,
        security: Security,
        url: &str,
        settings: &Arc<Settings>,
    ) -> Self {
        let timeout = Duration::try_from_secs_f64(settings.connect_timeout).unwrap_or(Duration::MAX);
        let deadline = Instant::now().checked_add(timeout);
        let driver = Driver::connect(request, security, settings.link_options());
        let peer = Peer::fed_client(Arc::clone(settings), url, driver);
        Self {
            server: Arc::new(PeerState::new(peer)),
            id: None,
            deadline,
            timeout,
            fault: None,
            events: VecDeque::new(),
            unread: 0,
            met_end: None,
            due_end: None,
        }
    }

    pub(crate) fn server(&self) -> &Arc<PeerState> {
        &self.server
    }

    /// Why there will be no id although the connection stands; its own end is told by the connection.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.server.with(|peer| peer.statistics())
    }

    pub(crate) fn id(&self) -> Option<i32> {
        self.id
    }

    /// Collects what has happened since the last poll.
    pub(crate) fn begin_poll(&mut self) {
        if let Some(closed) = self.met_end.take() {
            self.due_end = Some(Some(closed));
        }
        let mut events = Vec::new();
        self.server.with(|peer| {
            peer.take_events(&mut events);
            if peer.ready_state() == ReadyState::Closed {
                self.due_end.get_or_insert(None);
            }
        });
        self.events.extend(events);
    }

    /// Goes on until there is something to emit.
    pub(crate) fn step(&mut self, incoming: &mut Incoming) -> Step {
        if let Some(closed) = self.due_end.take() {
            return self.end(closed);
        }
        while let Some(event) = self.events.pop_front() {
            match event {
                Event::Opened(opened) => self.server.with(|peer| peer.feed([Event::Opened(opened)])),
                Event::Message(message) => match self.receive(message, incoming) {
                    Step::Idle => {}
                    step => return step,
                },
                Event::Closed(closed) if self.unread > 0 && self.is_open() => self.met_end = Some(closed),
                Event::Closed(closed) => return self.end(Some(closed)),
            }
        }
        // Before the upgrade the connection watches the same limit, and knows what did not finish.
        if self.id.is_none()
            && self.is_open()
            && self.deadline.is_some_and(|deadline| deadline <= Instant::now())
        {
            let timeout = self.timeout;
            self.fault = Some(format!(
                "the server did not assign a peer id in time: the handshake timeout of {timeout:?} has passed"
            ));
            self.server.with(Peer::release);
            return Step::Vanish;
        }
        Step::Idle
    }

    fn is_open(&self) -> bool {
        self.server.with(|peer| peer.ready_state()) == ReadyState::Open
    }

    fn receive(&mut self, message: Message, incoming: &mut Incoming) -> Step {
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
                Step::Emit(Signal::Connected(SERVER_ID))
            }
            Err(error) => {
                self.fault = Some(error.to_string());
                self.server.with(|peer| {
                    _ = peer.close(1000, ""); // a code that is never refused
                    peer.release();
                });
                Step::Vanish
            }
        }
    }

    fn end(&mut self, closed: Option<Closed>) -> Step {
        self.server.with(|peer| peer.feed(closed.map(Event::Closed)));
        if self.id.is_some() { Step::Emit(Signal::Disconnected(SERVER_ID)) } else { Step::Vanish }
    }

    /// A packet of the server was taken.
    pub(crate) fn packet_taken(&mut self) {
        self.unread -= 1;
    }

    /// Sends to the server, whatever the target.
    pub(crate) fn send(&self, payload: Bytes) -> Result<(), Refusal> {
        if self.met_end.is_some() {
            return Ok(()); // Lost, which the next poll shows.
        }
        self.server.with(|peer| match peer.put_packet(payload) {
            // Lost, which a poll will show; after the script's own close it is refused.
            Err(refusal) if refusal.error == Error::FAILED && peer.ready_state() == ReadyState::Open => {
                Ok(())
            }
            result => result,
        })
    }

    /// Starts the close handshake; the loss shows when it is complete.
    pub(crate) fn disconnect(&mut self) {
        // Refused codes are the only thing that this could report.
        _ = self.server.with(|peer| peer.close(1000, ""));
        self.unread = 0;
    }
}
