//! A request that waits for its owner's decision.

use std::{fmt, sync::Arc};

use rust_websocket_proto::{
    admission::Remote,
    http::{Answer, Decision, Request},
};

use super::{LinkId, Order, Shared, Tag};

/// What a client has told in its TLS handshake.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFacts {
    /// The name that it has asked for (SNI).
    pub server_name: Option<Box<str>>,
    /// The certificate that it has shown, as DER; checked.
    pub client_certificate: Option<Box<[u8]>>,
}

/// A client's request, as the listener's owner holds it until it decides. Dropping it undecided answers with 500.
///
/// The client may leave meanwhile and the time for a decision may pass, which the listener reports; a decision then changes
/// nothing.
pub struct Asked {
    id: LinkId,
    request: Arc<Request>,
    remote: Remote,
    tls: TlsFacts,
    /// `None`: decided.
    decide: Option<Box<Decide>>,
}

type Decide = dyn FnOnce(Decision, Option<Tag>) + Send;

impl fmt::Debug for Asked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Asked").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Asked {
    /// A request on the connection `id`; `decide` takes the decision to it.
    pub fn new(
        id: LinkId,
        request: Arc<Request>,
        remote: Remote,
        tls: TlsFacts,
        decide: impl FnOnce(Decision, Option<Tag>) + Send + 'static,
    ) -> Self {
        Self { id, request, remote, tls, decide: Some(Box::new(decide)) }
    }

    pub(crate) fn on(shared: Arc<Shared>, request: Arc<Request>, remote: Remote, tls: TlsFacts) -> Self {
        Self::new(shared.id(), request, remote, tls, move |decision, tag| {
            shared.order(Order::Decide(Box::new((decision, tag))));
        })
    }

    /// The name of the connection, and of the link that it becomes if it is accepted.
    pub fn id(&self) -> LinkId {
        self.id
    }

    /// What is asked.
    pub fn request(&self) -> &Arc<Request> {
        &self.request
    }

    /// Who asks.
    pub fn remote(&self) -> Remote {
        self.remote
    }

    /// What the client has told in TLS; nothing without it.
    pub fn tls(&self) -> &TlsFacts {
        &self.tls
    }

    /// Decides; [check](Decision::check) the decision before. If it is to accept, `tag` comes back with the connection.
    pub fn decide(mut self, decision: Decision, tag: Option<Tag>) {
        if let Some(decide) = self.decide.take() {
            decide(decision, tag);
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some(decide) = self.decide.take() {
            decide(Decision::Answer(Answer::internal_error()), None);
        }
    }
}
