//! Names, options and events of a link.

use std::sync::{
    Arc,
    atomic::{AtomicU16, AtomicUsize, Ordering},
};

use rust_websocket_proto::{Config, Event, ReceiveLimits, SendLimits, admission::Endpoint, tunnel::Proxy};

use crate::trace::Trace;

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
    /// Of a client: the proxy that it goes through. `None`: straight to its server.
    pub way: Option<Arc<ProxyWay>>,
    /// What happens on it is written there.
    pub trace: Option<Trace>,
}

/// A client's way through a proxy, and what that has answered.
#[derive(Debug)]
pub struct ProxyWay {
    proxy: Proxy,
    response_code: AtomicU16,
}

impl ProxyWay {
    /// Through this proxy.
    pub fn new(proxy: Proxy) -> Self {
        Self { proxy, response_code: AtomicU16::new(0) }
    }

    /// The proxy.
    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// What an HTTP proxy has answered to CONNECT instead of opening a tunnel; 0 if it has not.
    pub fn response_code(&self) -> u16 {
        self.response_code.load(Ordering::Relaxed)
    }

    pub(crate) fn set_response_code(&self, code: u16) {
        self.response_code.store(code, Ordering::Relaxed);
    }
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
