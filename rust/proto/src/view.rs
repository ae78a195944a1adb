//! What a script sees of a connection between two polls.

use crate::{Event, Message};

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
pub struct PeerView {}

impl PeerView {
    /// A fresh peer: closed, code -1.
    pub fn new() -> Self {
        unimplemented!()
    }
    /// `connect_to_url` or `accept_stream` accepted: everything of the old connection is forgotten.
    pub fn start(&mut self, _requested_url: String) {}
    /// One poll: takes all events that arrived since the last.
    pub fn apply(&mut self, _events: impl IntoIterator<Item = Event>) {}
    /// The script's `close(code)` with a code >= 0: CLOSING at once, CLOSED when still connecting.
    pub fn close_called(&mut self) {}
    /// The script's `close(-1)`.
    pub fn aborted(&mut self) {}
    /// The state to show.
    pub fn ready_state(&self) -> ReadyState {
        unimplemented!()
    }
    /// Whether a message may be sent: shown open, and no close met.
    pub fn can_send(&self) -> bool {
        unimplemented!()
    }
    /// The next packet, if any.
    pub fn pop(&mut self) -> Option<Message> {
        unimplemented!()
    }
    /// Packets to read.
    pub fn available(&self) -> usize {
        unimplemented!()
    }
}
