//! A server's request that waits for a decision.

use std::{sync::Arc, time::Duration};

use super::Endpoint;
use crate::http::{Decision, Request};

impl Endpoint {
    /// The request that waits for [`decide`](Self::decide); see
    /// [`Connection::pending_request`](crate::Connection::pending_request). Look when [`poll_event`](Self::poll_event) has
    /// nothing more.
    pub fn pending_request(&self) -> Option<&Arc<Request>> {
        self.protocol.pending_request()
    }

    /// Whether a client was let in only to be told by a close frame why it is sent away (to browsers, which show no status). Nobody
    /// is told of it, and what it sends is thrown away.
    pub fn is_refused(&self) -> bool {
        self.protocol.is_refused()
    }

    /// Decides on the pending request; then ask for events. See [`Connection::decide`](crate::Connection::decide).
    pub fn decide(&mut self, decision: Decision) {
        self.protocol.decide(decision);
    }

    /// The client has come by TLS, as a proxy says: the URL shown is `wss://`. For a request that is not decided on.
    pub fn set_secure(&mut self) {
        self.protocol.set_secure();
    }

    /// Changes who is asked about a request that is not complete yet; see
    /// [`Connection::set_request_timeout`](crate::Connection::set_request_timeout).
    pub fn set_request_timeout(&mut self, timeout: Option<Duration>) {
        self.protocol.set_request_timeout(timeout);
    }
}
