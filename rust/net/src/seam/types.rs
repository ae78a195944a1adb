//! Names, options and events of a link.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use rust_websocket_proto::{Config, Event, ReceiveLimits, SendLimits, admission::Endpoint};

/// Everything a new connection is told.
#[derive(Debug, Clone)]
pub struct LinkOptions {
    /// Protocol limits, timeouts, handshake contents; shared by the connections of a listener.
    pub config: Arc<Config>,
    /// Outbound limits; can be changed later.
    pub send_limits: SendLimits,
    /// Inbound limits; fixed.
    pub receive_limits: ReceiveLimits,
    /// TCP_NODELAY.
    pub no_delay: bool,
}

/// Names a link within the process; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(pub usize);

/// A number for a link, a listener or a socket; never 0, never given out twice.
pub(crate) fn next_id() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// What a link reports.
#[derive(Debug)]
pub enum LinkEvent {
    /// The transport's connection stands; the other side's address.
    Connected(Endpoint),
    /// From the protocol.
    Protocol(Event),
}

impl LinkEvent {
    /// The other side's address, if that is what it tells.
    pub fn address(&self) -> Option<Endpoint> {
        match self {
            Self::Connected(address) => Some(*address),
            Self::Protocol(_) => None,
        }
    }
}
