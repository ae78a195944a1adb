//! What brings a server its clients.

use bytes::Bytes;
use rust_websocket_net::{Batch, Link, LinkId, LinkOptions, Listener, ListenerEvent, Sender};
use rust_websocket_proto::MessageKind;

use crate::Carrier;

/// A listening socket, or what stands for one in tests. Dropping it closes the socket.
pub trait Listening {
    /// A client's connection.
    type Link: Carrier + 'static;
    /// Sends to it as one of many.
    type Sender: Sending;

    /// The port that it listens on.
    fn local_port(&self) -> u16;

    /// Appends what has happened since the last call; `events` is empty, its memory may be kept.
    fn take_events(&self, events: &mut Vec<ListenerEvent<Self::Link>>);

    /// The name under which a link's events come.
    fn id_of(link: &Self::Link) -> LinkId;

    /// For messages to many.
    fn sender_of(link: &Self::Link) -> Self::Sender;

    /// Stops or resumes accepting.
    fn set_accepting(&self, accepting: bool);

    /// Changes what connections accepted from now on are told.
    fn set_link_options(&self, options: LinkOptions);
}

/// Sends one of the copies of a message to many.
pub trait Sending {
    /// Fetches what sending touches into the processor's cache.
    fn fetch(&self);

    /// Sends, unless the message is not taken; that is not counted as refused.
    fn try_send_in(&self, batch: &mut Batch, kind: MessageKind, payload: &Bytes) -> bool;
}

impl Listening for Listener {
    type Link = Link;
    type Sender = Sender;

    fn local_port(&self) -> u16 {
        self.local_address().port()
    }

    fn take_events(&self, events: &mut Vec<ListenerEvent>) {
        Listener::take_events(self, events);
    }

    fn id_of(link: &Link) -> LinkId {
        link.id()
    }

    fn sender_of(link: &Link) -> Sender {
        link.sender()
    }

    fn set_accepting(&self, accepting: bool) {
        Listener::set_accepting(self, accepting);
    }

    fn set_link_options(&self, options: LinkOptions) {
        Listener::set_link_options(self, options);
    }
}

impl Sending for Sender {
    fn fetch(&self) {
        Sender::fetch(self);
    }

    fn try_send_in(&self, batch: &mut Batch, kind: MessageKind, payload: &Bytes) -> bool {
        Sender::try_send_in(self, batch, kind, payload)
    }
}
