//! What a script sees of a connection between two polls.

use std::collections::VecDeque;

use crate::{CloseCause, Closed, Event, Message, MessageKind};

/// The engine's `WebSocketPeer.State`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadyState {
    /// Upgrade under way.
    Connecting,
    /// Messages flow.
    Open,
    /// A close frame went out, the other side's has not come yet.
    Closing,
    /// Over.
    Closed,
}

/// A script's view: changes only by [`apply`](Self::apply) (the script's `poll`) and by the script's own calls.
///
/// The poll that meets the close stays [`ReadyState::Open`] while packets are unread, so that the usual loop (poll, then
/// read while open) gets them all; the next poll shows the close. Packets still unread then stay readable until
/// [`start`](Self::start).
pub struct PeerView {
    state: ReadyState,
    /// Met by the last poll, shown by the next.
    unshown: Option<Closed>,
    /// Shown since the state became CLOSED.
    shown: Option<Closed>,
    packets: VecDeque<Message>,
    packet_bytes: usize,
    last_popped: MessageKind,
    requested_url: String,
    selected_protocol: String,
}

impl PeerView {
    /// A fresh peer: closed, code -1.
    pub fn new() -> Self {
        Self {
            state: ReadyState::Closed,
            unshown: None,
            shown: None,
            packets: VecDeque::new(),
            packet_bytes: 0,
            last_popped: MessageKind::Binary,
            requested_url: String::new(),
            selected_protocol: String::new(),
        }
    }

    /// `connect_to_url` or `accept_stream` accepted: everything of the old connection is forgotten.
    pub fn start(&mut self, requested_url: String) {
        *self = Self { state: ReadyState::Connecting, requested_url, ..Self::new() };
    }

    /// One poll: takes all events that arrived since the last.
    pub fn apply(&mut self, events: impl IntoIterator<Item = Event>) {
        if let Some(closed) = self.unshown.take() {
            self.show(closed);
        }
        for event in events {
            if self.state == ReadyState::Closed {
                return; // What a connection that is over for the script still reports.
            }
            match event {
                Event::Opened(opened) => {
                    // The script may have called close() meanwhile; then it stays CLOSED and does not get here.
                    self.state = ReadyState::Open;
                    self.selected_protocol = opened.selected_protocol;
                    if let Some(url) = opened.requested_url {
                        self.requested_url = url;
                    }
                }
                Event::Message(message) => {
                    self.packet_bytes += message.payload.len();
                    self.packets.push_back(message);
                }
                Event::Closed(closed) if self.state == ReadyState::Open && !self.packets.is_empty() => {
                    self.unshown = Some(closed);
                }
                Event::Closed(closed) => self.show(closed),
            }
        }
    }

    fn show(&mut self, closed: Closed) {
        self.state = ReadyState::Closed;
        self.shown = Some(closed);
    }

    /// The script's `close(code)` with a code >= 0: CLOSING at once, CLOSED when still connecting.
    pub fn close_called(&mut self) {
        match self.state {
            ReadyState::Connecting => self.state = ReadyState::Closed,
            ReadyState::Open => self.state = ReadyState::Closing,
            ReadyState::Closing | ReadyState::Closed => {}
        }
    }

    /// The script's `close(-1)`.
    pub fn aborted(&mut self) {
        self.state = ReadyState::Closed;
        self.unshown = None;
    }

    /// The state to show.
    pub fn ready_state(&self) -> ReadyState {
        self.state
    }

    /// Whether a message may be sent: shown open, and no close met.
    pub fn can_send(&self) -> bool {
        self.state == ReadyState::Open && self.unshown.is_none()
    }

    /// Whether the end was met by the last poll and is still to be shown by the next.
    pub fn is_close_unshown(&self) -> bool {
        self.unshown.is_some()
    }

    /// The next packet, if any.
    pub fn pop(&mut self) -> Option<Message> {
        let message = self.packets.pop_front()?;
        self.packet_bytes -= message.payload.len();
        self.last_popped = message.kind;
        Some(message)
    }

    /// Packets to read.
    pub fn available(&self) -> usize {
        self.packets.len()
    }

    /// Payload bytes of the packets to read.
    pub fn available_bytes(&self) -> usize {
        self.packet_bytes
    }

    /// Forgets the packets that nobody will read; returns how many bytes they held.
    pub fn discard_packets(&mut self) -> usize {
        self.packets.clear();
        std::mem::take(&mut self.packet_bytes)
    }

    /// Whether the last popped packet was text.
    pub fn was_string_packet(&self) -> bool {
        self.last_popped == MessageKind::Text
    }

    /// The close code to show, -1 for none.
    pub fn close_code(&self) -> i32 {
        self.shown.as_ref().and_then(|closed| closed.code).map_or(-1, i32::from)
    }

    /// The reason that goes with the code.
    pub fn close_reason(&self) -> &str {
        self.shown.as_ref().map_or("", |closed| &closed.reason)
    }

    /// Why the connection ended, once that is shown; `None` too after the script's own `close(-1)` or `close()` while
    /// connecting.
    pub fn close_cause(&self) -> Option<&CloseCause> {
        self.shown.as_ref().map(|closed| &closed.cause)
    }

    /// The cause in one sentence; empty while connected and after a clean close.
    pub fn error_message(&self) -> String {
        self.close_cause().map(ToString::to_string).unwrap_or_default()
    }

    /// As passed by a client's script, or put together from a request.
    pub fn requested_url(&self) -> &str {
        &self.requested_url
    }

    /// The subprotocol agreed on, or empty.
    pub fn selected_protocol(&self) -> &str {
        &self.selected_protocol
    }
}

impl Default for PeerView {
    fn default() -> Self {
        Self::new()
    }
}
