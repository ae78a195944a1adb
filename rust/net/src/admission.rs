//! Whom a listener lets in, and who decides on that.

use std::time::Duration;

use rust_websocket_proto::{
    admission::{Refusal, Remote},
    http::Request,
};

/// Connections per listener that the owner has not seen, unless it says otherwise.
const MAX_PENDING: usize = 4096;

/// What becomes of the requests that come in through a listener. Changes count for every request whose head is not complete.
///
/// By default nobody is asked: upgrades are accepted and everything else is refused, as the engine does.
#[derive(Debug, Clone)]
pub struct Admission {
    /// Connections that the owner has not seen: their handshake is pending, a decision on them is waited for, or they are open
    /// and nobody has taken them. The others wait in the kernel's backlog, so that a server that stalls does not use up its file
    /// descriptors. Default 4096.
    pub max_pending: usize,
    /// Each valid request, plain ones too, is reported to the owner and waits that long for its decision, then it is answered
    /// with 503. `None`: the owner is not asked (default).
    pub asks_owner: Option<Duration>,
}

impl Default for Admission {
    fn default() -> Self {
        Self { max_pending: MAX_PENDING, asks_owner: None }
    }
}

impl Admission {
    /// How long a complete request may wait for its decision; `None`: nothing in here needs to see it.
    pub(crate) fn request_timeout(&self) -> Option<Duration> {
        self.asks_owner
    }

    /// What the rules say about a complete and valid request, in their order; `None`: nothing against it.
    ///
    /// Rules that need no owner have their place here, and make [`request_timeout`](Self::request_timeout) return something.
    pub(crate) fn refusal(&self, _request: &Request, _remote: Remote) -> Option<Refusal> {
        None
    }
}
