//! Addresses of this machine to listen on.

use std::{
    net::{IpAddr, SocketAddr, SocketAddrV6, ToSocketAddrs},
    str::FromStr,
};

use rust_websocket_proto::{Quoted, parse_ip_address};
use thiserror::Error;

/// An IP address of this machine, a link-local one (`fe80::1%eth0`) with its network interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalAddress {
    ip: IpAddr,
    /// The number of the interface; 0 for none.
    scope_id: u32,
}

/// Why a text is no address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LocalAddressError {
    /// A host name, for example.
    #[error("{} is not an IP address", Quoted(.0))]
    NoAddress(String),
    /// The part behind the `%`.
    #[error("this machine has no network interface {} for an address like that", Quoted(.0))]
    NoInterface(String),
}

impl LocalAddress {
    pub(crate) fn with_port(self, port: u16) -> SocketAddr {
        match self.ip {
            IpAddr::V4(ip) => (ip, port).into(),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, port, 0, self.scope_id).into(),
        }
    }
}

impl From<IpAddr> for LocalAddress {
    fn from(ip: IpAddr) -> Self {
        // An IPv4 address in IPv6's clothes, which a socket for IPv6 alone cannot have.
        Self { ip: ip.to_canonical(), scope_id: 0 }
    }
}

impl FromStr for LocalAddress {
    type Err = LocalAddressError;

    fn from_str(text: &str) -> Result<Self, LocalAddressError> {
        let (ip, zone) =
            parse_ip_address(text).ok_or_else(|| LocalAddressError::NoAddress(text.to_owned()))?;
        let Some(zone) = zone else { return Ok(ip.into()) };
        // The system knows names and numbers of interfaces; for an address nobody is asked.
        let found = (format!("{ip}%{zone}").as_str(), 0).to_socket_addrs();
        match found.ok().and_then(|mut addresses| addresses.next()) {
            Some(SocketAddr::V6(address)) => Ok(Self { scope_id: address.scope_id(), ..ip.into() }),
            _ => Err(LocalAddressError::NoInterface(zone)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, LocalAddressError> {
        text.parse().map(|address: LocalAddress| address.with_port(1).to_string())
    }

    #[test]
    fn addresses() {
        assert_eq!(read("127.0.0.1").as_deref(), Ok("127.0.0.1:1"));
        assert_eq!(read("::1").as_deref(), Ok("[::1]:1"));
        assert_eq!(read("::ffff:127.0.0.1").as_deref(), Ok("127.0.0.1:1"));
        assert_eq!(read("::ffff:7f00:1").as_deref(), Ok("127.0.0.1:1"));
        for text in ["", "localhost", "[::1]", "127.0.0.1%lo", "a\nb", "::1%"] {
            assert_eq!(read(text), Err(LocalAddressError::NoAddress(text.to_owned())));
        }
        let error = read("a\nb").expect_err("no address").to_string();
        assert_eq!(error, r"'a\nb' is not an IP address");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn interfaces() {
        for text in ["fe80::1%lo", "fe80::1%25lo", "fe80::1%1"] {
            assert_eq!(read(text).as_deref(), Ok("[fe80::1%1]:1"), "{text}");
        }
        let missing = LocalAddressError::NoInterface("none0".to_owned());
        assert_eq!(read("fe80::1%none0"), Err(missing));
    }
}
