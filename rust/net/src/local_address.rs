//! Addresses of this machine to listen on.

use std::{
    net::{IpAddr, SocketAddr, SocketAddrV6, ToSocketAddrs},
    path::{Path, PathBuf},
    str::FromStr,
};

use rust_websocket_proto::{Quoted, parse_ip_address};
use thiserror::Error;

/// An IP address of this machine, a link-local one (`fe80::1%eth0`) with its network interface, or a socket file (`unix:/run/x`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalAddress(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Ip {
        ip: IpAddr,
        /// The number of the interface; 0 for none.
        scope_id: u32,
    },
    File(PathBuf),
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
    /// Behind `unix:`.
    #[error("{} is not the absolute path of a socket file, as in unix:/run/game/ws.sock", Quoted(.0))]
    NoPath(String),
    /// This system has no socket files.
    #[error("Unix sockets do not exist on this system")]
    NoUnixSockets,
}

/// Where a listener's socket is bound.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    Ip(SocketAddr),
    File(&'a Path),
}

impl LocalAddress {
    /// With a port; a file has none.
    pub(crate) fn with_port(&self, port: u16) -> Place<'_> {
        match &self.0 {
            Kind::Ip { ip: IpAddr::V4(ip), .. } => Place::Ip((*ip, port).into()),
            Kind::Ip { ip: IpAddr::V6(ip), scope_id } => {
                Place::Ip(SocketAddrV6::new(*ip, port, 0, *scope_id).into())
            }
            Kind::File(path) => Place::File(path),
        }
    }
}

impl From<IpAddr> for LocalAddress {
    fn from(ip: IpAddr) -> Self {
        // An IPv4 address in IPv6's clothes, which a socket for IPv6 alone cannot have.
        Self(Kind::Ip { ip: ip.to_canonical(), scope_id: 0 })
    }
}

impl FromStr for LocalAddress {
    type Err = LocalAddressError;

    fn from_str(text: &str) -> Result<Self, LocalAddressError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return file(path);
        }
        let (ip, zone) =
            parse_ip_address(text).ok_or_else(|| LocalAddressError::NoAddress(text.to_owned()))?;
        let Some(zone) = zone else { return Ok(ip.into()) };
        // The system knows names and numbers of interfaces; for an address nobody is asked.
        let found = (format!("{ip}%{zone}").as_str(), 0).to_socket_addrs();
        match found.ok().and_then(|mut addresses| addresses.next()) {
            Some(SocketAddr::V6(address)) => Ok(Self(Kind::Ip { ip, scope_id: address.scope_id() })),
            _ => Err(LocalAddressError::NoInterface(zone)),
        }
    }
}

fn file(path: &str) -> Result<LocalAddress, LocalAddressError> {
    if !cfg!(unix) {
        return Err(LocalAddressError::NoUnixSockets);
    }
    if !path.starts_with('/') || path.contains('\0') {
        return Err(LocalAddressError::NoPath(path.to_owned()));
    }
    Ok(LocalAddress(Kind::File(path.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, LocalAddressError> {
        text.parse().map(|address: LocalAddress| match address.with_port(1) {
            Place::Ip(address) => address.to_string(),
            Place::File(path) => path.display().to_string(),
        })
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

    #[cfg(unix)]
    #[test]
    fn files() {
        assert_eq!(read("unix:/run/a").as_deref(), Ok("/run/a"));
        for path in ["", "a", "/a\0b"] {
            let refused = LocalAddressError::NoPath(path.to_owned());
            assert_eq!(read(&format!("unix:{path}")), Err(refused));
        }
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
