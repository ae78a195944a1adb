//! What a connection reports.

use bytes::Bytes;

use crate::{CloseCause, HttpResponse};

/// Reported by [`Connection::poll_event`](crate::Connection::poll_event), in the order it happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// The upgrade succeeded; messages may follow.
    Opened(Opened),
    /// A whole message.
    Message(Message),
    /// The connection is over for its user: nothing follows. Output may remain to be written (a close frame, an
    /// HTTP error response).
    Closed(Closed),
}

/// The result of a successful upgrade.
#[derive(Debug, Clone, Default)]
pub struct Opened {
    /// The subprotocol agreed on, or empty.
    pub selected_protocol: String,
    /// Server only: scheme, `Host` header and request target put together, as the engine's server side shows it.
    pub requested_url: Option<String>,
    /// Whether permessage-deflate (RFC 7692) was agreed on.
    pub is_compressed: bool,
    /// Client only: the server's answer, which may set cookies and the like. It has no body.
    pub response: Option<Box<HttpResponse>>,
}

/// Text or binary (RFC 6455 section 5.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// UTF-8 text, opcode 1.
    Text,
    /// Arbitrary bytes, opcode 2.
    Binary,
}

/// A message as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Text (already validated) or binary.
    pub kind: MessageKind,
    /// The payload, unmasked and whole.
    pub payload: Bytes,
}

/// How a connection ended.
#[derive(Debug, Clone)]
pub struct Closed {
    /// The close code to show: received, or of our own protocol error; 1005 when the other side's close frame had
    /// none; `None` when there was no close handshake (the engine shows -1).
    pub code: Option<u16>,
    /// The reason that goes with the code.
    pub reason: String,
    /// Why, for people.
    pub cause: CloseCause,
}
