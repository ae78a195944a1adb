//! One end of a connection.

use super::Address;

/// An address and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Where from.
    pub address: Address,
    /// 0 if it is not known, and for Unix sockets.
    pub port: u16,
}

impl Endpoint {
    /// A Unix socket.
    pub const UNIX: Self = Self { address: Address::Unix, port: 0 };
    /// Nothing is known of it.
    pub const UNKNOWN: Self = Self { address: Address::Unknown, port: 0 };
}

impl From<std::net::SocketAddr> for Endpoint {
    fn from(address: std::net::SocketAddr) -> Self {
        Self { address: address.ip().into(), port: address.port() }
    }
}
