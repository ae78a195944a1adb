//! What brings a server its clients.

use std::sync::Arc;

use bytes::Bytes;
use rust_websocket_net::{
    Admission, CertificateChange, How, Link, LinkId, LinkOptions, Listener, ListenerEvent, Outbox,
    PipeSocket, Tally,
};
use rust_websocket_proto::{Delivery, MessageKind, SendError, admission::Endpoint};

use crate::Carrier;

/// A listening socket, or what stands for one in tests. Dropping it closes the socket.
pub trait Listening {
    /// A client's connection.
    type Link: Carrier + 'static;
    /// Takes messages for it.
    type Outbox: TakesCopies;

    /// The port that it listens on.
    fn local_port(&self) -> u16;

    /// Appends what has happened since the last call; `events` is empty, its memory may be kept.
    fn take_events(&mut self, events: &mut Vec<ListenerEvent<Self::Link>>);

    /// The name under which a link's events come.
    fn id_of(link: &Self::Link) -> LinkId;

    /// For messages to many.
    fn outbox_of(link: &Self::Link) -> Self::Outbox;

    /// Stops or resumes accepting.
    fn set_accepting(&self, accepting: bool);

    /// Changes the options of connections accepted from now on.
    fn set_link_options(&self, options: LinkOptions);

    /// Changes whom it lets in.
    fn set_admission(&self, admission: Admission);

    /// Takes the connections for one path; `None` if that is taken. See [`Listener::room`].
    fn room(&self, path: &str) -> Option<Self>
    where
        Self: Sized;

    /// What became of those who came.
    fn tally(&self) -> Arc<Tally>;

    /// Lets in a stream that somebody else has accepted. See [`Listener::adopt`].
    fn adopt(&self, socket: PipeSocket, from: Endpoint);

    /// Whether it listens with TLS.
    fn is_tls(&self) -> bool;

    /// Exchanges a certificate for handshakes to come.
    fn change_certificate(&self, change: CertificateChange);
}

/// Takes copies of messages that go to many.
pub trait TakesCopies {
    /// Has the processor fetch what [`push`](Self::push) touches.
    fn prefetch(&self);

    /// Like [`Carrier::push`], but a refusal is not counted.
    ///
    /// # Errors
    /// As there.
    fn push(
        &self,
        kind: MessageKind,
        payload: &Bytes,
        delivery: Delivery,
        how: How<'_>,
    ) -> Result<(), SendError>;
}

impl Listening for Listener {
    type Link = Link;
    type Outbox = Outbox;

    fn local_port(&self) -> u16 {
        self.local_address().port()
    }

    fn take_events(&mut self, events: &mut Vec<ListenerEvent>) {
        Listener::take_events(self, events);
    }

    fn id_of(link: &Link) -> LinkId {
        link.id()
    }

    fn outbox_of(link: &Link) -> Outbox {
        link.outbox()
    }

    fn set_accepting(&self, accepting: bool) {
        Listener::set_accepting(self, accepting);
    }

    fn set_link_options(&self, options: LinkOptions) {
        Listener::set_link_options(self, options);
    }

    fn set_admission(&self, admission: Admission) {
        Listener::set_admission(self, admission);
    }

    fn room(&self, path: &str) -> Option<Self> {
        Listener::room(self, path)
    }

    fn tally(&self) -> Arc<Tally> {
        Arc::clone(Listener::tally(self))
    }

    fn adopt(&self, socket: PipeSocket, from: Endpoint) {
        Listener::adopt(self, socket, from);
    }

    fn is_tls(&self) -> bool {
        Listener::is_tls(self)
    }

    fn change_certificate(&self, change: CertificateChange) {
        Listener::change_certificate(self, change);
    }
}

impl TakesCopies for Outbox {
    fn prefetch(&self) {
        Outbox::prefetch(self);
    }

    fn push(
        &self,
        kind: MessageKind,
        payload: &Bytes,
        delivery: Delivery,
        how: How<'_>,
    ) -> Result<(), SendError> {
        Outbox::push(self, kind, payload, delivery, how)
    }
}
