//! A request that waits for its owner's decision.

use std::sync::Arc;

use rust_websocket_proto::{
    admission::Remote,
    http::{Answer, Decision, Request},
};

use super::{LinkId, Order, Shared};

/// A client's request, as the listener's owner holds it until it decides. Dropping it undecided answers with 500.
///
/// The client may leave meanwhile and the time for a decision may pass, which the listener reports; a decision then changes
/// nothing.
#[derive(Debug)]
pub struct Asked {
    shared: Arc<Shared>,
    request: Arc<Request>,
    remote: Remote,
    server_name: Option<Box<str>>,
    is_decided: bool,
}

impl Asked {
    pub(crate) fn new(
        shared: Arc<Shared>,
        request: Arc<Request>,
        remote: Remote,
        server_name: Option<Box<str>>,
    ) -> Self {
        Self { shared, request, remote, server_name, is_decided: false }
    }

    /// The name of the connection, and of the link that it becomes if it is accepted.
    pub fn id(&self) -> LinkId {
        self.shared.id
    }

    /// What is asked.
    pub fn request(&self) -> &Arc<Request> {
        &self.request
    }

    /// Who asks.
    pub fn remote(&self) -> Remote {
        self.remote
    }

    /// The name that the client has asked for in TLS (SNI), if it has.
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// Decides; [check](Decision::check) the decision before.
    pub fn decide(mut self, decision: Decision) {
        self.order(decision);
    }

    fn order(&mut self, decision: Decision) {
        if !std::mem::replace(&mut self.is_decided, true) {
            self.shared.order(Order::Decide(Box::new(decision)));
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.is_decided {
            self.order(Decision::Answer(Answer::internal_error()));
        }
    }
}
