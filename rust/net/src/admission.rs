//! Whom a listener lets in, and who decides on that.

use std::time::Duration;

use rust_websocket_proto::{
    admission::{Address, AllowedOrigins, Limits, Networks, Refusal},
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
    /// How many clients there may be. Everybody who is in counts, whenever the limits were set.
    pub limits: Limits,
    /// The pages that may connect.
    pub origins: AllowedOrigins,
    /// The proxies whose word on the client's address counts.
    pub trusted: Networks,
    /// Connections from [trusted](Self::trusted) addresses, or from all if there are none, begin with a PROXY header. Counts for
    /// connections accepted from now on.
    pub proxy_protocol: bool,
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            max_pending: MAX_PENDING,
            asks_owner: None,
            limits: Limits::default(),
            origins: AllowedOrigins::default(),
            trusted: Networks::default(),
            proxy_protocol: false,
        }
    }
}

impl Admission {
    /// Whether something in here depends on what a request says.
    pub(crate) fn has_rules(&self) -> bool {
        self.limits != Limits::default() || !self.origins.is_empty() || !self.trusted.is_empty()
    }

    /// Whether a connection from there has to begin with a PROXY header.
    pub(crate) fn expects_proxy_header(&self, from: Address) -> bool {
        self.proxy_protocol && self.trusted.expects_proxy_header(from)
    }

    /// Whether the page that asks may.
    pub(crate) fn check_origin(&self, request: &Request) -> Result<(), Refusal> {
        let origin = request.origin();
        if self.origins.allows(origin.as_deref()) { Ok(()) } else { Err(Refusal::Origin) }
    }
}
