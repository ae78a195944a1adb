//! What others ask of whoever runs the reactor.

use bytes::Bytes;
use rust_websocket_proto::{Delivery, MessageKind, admission::Endpoint};

use crate::{
    conn::Conn,
    listener::Acceptor,
    seam::{LinkId, Order},
    socket::Socket,
};

/// To whoever runs the reactor.
pub(crate) enum Command {
    /// Look at a link or listener.
    Notify(LinkId),
    /// From a link's owner.
    Order(LinkId, Order),
    /// A message that may go to many.
    Copies(Copies),
    /// A new connection without a listener: mostly a client.
    Connect(Box<Conn>),
    Listen(Acceptor),
    /// A connection for that listener, under the number that it has, from somebody who has accepted it.
    Adopt {
        listener: usize,
        id: usize,
        socket: Box<dyn Socket>,
        from: Endpoint,
    },
    ResumeAccepting(usize),
    CloseListener(usize),
    /// Somebody polls in a tight loop and wants to run the reactor.
    Lend,
    Shutdown,
}

/// One message to one link or several. As one command it costs whoever sends neither a count of the payload's users nor memory that
/// the I/O thread has written, which another processor would have to give up first, for each of them.
pub(crate) struct Copies {
    pub(crate) first: LinkId,
    pub(crate) others: Vec<LinkId>,
    pub(crate) kind: MessageKind,
    pub(crate) payload: Bytes,
    pub(crate) delivery: Delivery,
}

impl Copies {
    /// Whether they are of that message: of the same bytes in the same place.
    pub(crate) fn are_of(&self, kind: MessageKind, payload: &Bytes, delivery: Delivery) -> bool {
        self.payload.as_ptr() == payload.as_ptr()
            && self.payload.len() == payload.len()
            && self.kind == kind
            && self.delivery == delivery
    }
}

impl Command {
    /// It comes too late.
    pub(crate) fn discard(self) {
        if let Self::Connect(mut conn) = self {
            conn.report_stopped();
        }
    }
}
