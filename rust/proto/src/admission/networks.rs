//! `trusted_proxies`: addresses and networks; and the addresses by which clients are counted.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Who is at the other end of a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Address {
    /// Never an IPv4 address in IPv6's form (`::ffff:10.0.0.1`): see [`Address::from`].
    Ip(IpAddr),
    /// A Unix socket, which has no address.
    Unix,
    /// A stream of whose other end nothing is known. No list contains it.
    Unknown,
}

impl From<IpAddr> for Address {
    /// An IPv4 address in IPv6's form, as a socket for both reports it, becomes what it stands for.
    fn from(address: IpAddr) -> Self {
        Self::Ip(address.to_canonical())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(formatter),
            Self::Unix => formatter.write_str("unix"),
            Self::Unknown => Ok(()),
        }
    }
}

impl Address {
    /// By what a limit per address counts this one.
    pub fn key(self) -> AddressKey {
        AddressKey(match self {
            Self::Ip(IpAddr::V4(address)) => Self::Ip(address.into()),
            Self::Ip(IpAddr::V6(address)) => {
                let network = Ipv6Addr::from_bits(address.to_bits() & v6_mask(64));
                Self::Ip(network.into())
            }
            Self::Unix | Self::Unknown => self,
        })
    }
}

/// What counts as one client address: an IPv4 address, an IPv6 network of 64 bits (what one household gets), or all
/// that comes through Unix sockets, or all of whom nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressKey(Address);

/// A list of addresses and networks.
///
/// Entries are addresses (`10.1.2.3`, `fd00::1`), networks (`10.0.0.0/8`, `fd00::/8`; bits behind the prefix do not
/// count), and the words `loopback` (127.0.0.0/8, ::1), `private` (RFC 1918: 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16; RFC
/// 4193: fc00::/7) and `unix` (whoever comes through a Unix socket).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks {
    entries: Vec<Network>,
}

/// Why an entry of `trusted_proxies` is refused, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// A name, a port, a typing error.
    #[error(
        "{0:?} is not a trusted proxy: write an address (\"10.1.2.3\", \"fd00::1\"), a network (\"10.0.0.0/8\"), or one of the words loopback, private, unix; host names are not looked up"
    )]
    Unreadable(String),
    /// `10.0.0.0/33`.
    #[error(
        "the network {0:?} among the trusted proxies has no valid prefix length: use 0 to 32 behind an IPv4 address and 0 to 128 behind an IPv6 one"
    )]
    Prefix(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Network {
    V4 { bits: u32, prefix: u32 },
    V6 { bits: u128, prefix: u32 },
    Unix,
}

const LOOPBACK: [Network; 2] =
    [Network::v4(Ipv4Addr::new(127, 0, 0, 0), 8), Network::v6(Ipv6Addr::LOCALHOST, 128)];
const PRIVATE: [Network; 4] = [
    Network::v4(Ipv4Addr::new(10, 0, 0, 0), 8),
    Network::v4(Ipv4Addr::new(172, 16, 0, 0), 12),
    Network::v4(Ipv4Addr::new(192, 168, 0, 0), 16),
    Network::v6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
];

impl Networks {
    /// Reads a list of entries; words are taken in any case.
    ///
    /// # Errors
    /// What is wrong with the first bad entry.
    pub fn parse<S: AsRef<str>>(entries: &[S]) -> Result<Self, NetworkError> {
        let mut networks = Self::default();
        for entry in entries {
            networks.add(entry.as_ref())?;
        }
        Ok(networks)
    }

    fn add(&mut self, entry: &str) -> Result<(), NetworkError> {
        let text = entry.trim_ascii();
        match text.to_ascii_lowercase().as_str() {
            "loopback" => self.entries.extend(LOOPBACK),
            "private" => self.entries.extend(PRIVATE),
            "unix" => self.entries.push(Network::Unix),
            _ => self.entries.push(Network::parse(text).map_err(|fault| fault(entry.to_owned()))?),
        }
        Ok(())
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether one of the entries holds this address.
    pub fn contains(&self, address: Address) -> bool {
        self.entries.iter().any(|network| network.contains(address))
    }

    /// Whether a connection from this address has to begin with a PROXY header, where `proxy_protocol` is on: from every
    /// address if nobody in particular is trusted, else from the trusted ones.
    pub fn expects_proxy_header(&self, from: Address) -> bool {
        self.is_empty() || self.contains(from)
    }
}

impl Network {
    const fn v4(address: Ipv4Addr, prefix: u32) -> Self {
        Self::V4 { bits: address.to_bits() & v4_mask(prefix), prefix }
    }

    const fn v6(address: Ipv6Addr, prefix: u32) -> Self {
        Self::V6 { bits: address.to_bits() & v6_mask(prefix), prefix }
    }

    /// An address or a network.
    fn parse(text: &str) -> Result<Self, fn(String) -> NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Unreadable as fn(String) -> _)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => most,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits
                .parse()
                .ok()
                .filter(|prefix| *prefix <= most)
                .ok_or(NetworkError::Prefix as fn(String) -> _)?,
            Some(_) => return Err(NetworkError::Prefix),
        };
        Ok(match address {
            IpAddr::V4(address) => Self::v4(address, prefix),
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(mapped) if prefix >= 96 => Self::v4(mapped, prefix - 96),
                _ => Self::v6(address, prefix),
            },
        })
    }

    fn contains(self, address: Address) -> bool {
        match (self, address) {
            (Self::V4 { bits, prefix }, Address::Ip(IpAddr::V4(address))) => {
                address.to_bits() & v4_mask(prefix) == bits
            }
            (Self::V6 { bits, prefix }, Address::Ip(IpAddr::V6(address))) => {
                address.to_bits() & v6_mask(prefix) == bits
            }
            (Self::Unix, Address::Unix) => true,
            _ => false,
        }
    }
}

/// Shifting by the whole width is no shift.
const fn v4_mask(prefix: u32) -> u32 {
    match u32::MAX.checked_shl(32 - prefix) {
        Some(mask) => mask,
        None => 0,
    }
}

const fn v6_mask(prefix: u32) -> u128 {
    match u128::MAX.checked_shl(128 - prefix) {
        Some(mask) => mask,
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        if text == "unix" { Address::Unix } else { text.parse::<IpAddr>().unwrap().into() }
    }

    #[test]
    fn members() {
        let rows: [(&[&str], &[&str], &[&str]); 15] = [
            (&[], &[], &["127.0.0.1", "::1", "unix"]),
            (&["10.1.2.3"], &["10.1.2.3", "::ffff:10.1.2.3"], &["10.1.2.4", "::a01:203", "unix"]),
            (&["::ffff:10.1.2.3"], &["10.1.2.3"], &["10.1.2.4"]),
            (&["fd00::1"], &["fd00::1", "fd00:0:0:0:0:0:0:1"], &["fd00::2"]),
            (&["10.0.0.0/8"], &["10.0.0.0", "10.255.255.255"], &["9.255.255.255", "11.0.0.0", "a00::"]),
            (&["10.1.2.3/8"], &["10.9.9.9"], &["11.1.2.3"]),
            (&["192.0.2.128/25"], &["192.0.2.128", "192.0.2.255"], &["192.0.2.127"]),
            (&["0.0.0.0/0"], &["0.0.0.0", "255.255.255.255", "::ffff:1.1.1.1"], &["::1", "unix"]),
            (&["::/0"], &["::", "ffff::"], &["1.1.1.1", "unix"]),
            (&["fd00::/8"], &["fd00::", "fdff::1"], &["fc00::1", "fe00::"]),
            (&["2001:db8::/33"], &["2001:db8:7fff::1"], &["2001:db8:8000::1"]),
            (&["::ffff:10.0.0.0/104"], &["10.200.0.1"], &["11.0.0.1"]),
            (
                &["Loopback"],
                &["127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1"],
                &["128.0.0.1", "::2", "unix"],
            ),
            (
                &["private"],
                &["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.9.9", "fc00::1", "fdff::1"],
                &[
                    "172.15.0.1",
                    "172.32.0.1",
                    "192.169.0.1",
                    "127.0.0.1",
                    "169.254.0.1",
                    "fe80::1",
                    "100.64.0.1",
                ],
            ),
            (&["unix", " ::1 "], &["unix", "::1"], &["127.0.0.1"]),
        ];
        for (entries, inside, outside) in rows {
            let networks = Networks::parse(entries).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(networks.is_empty(), entries.is_empty());
            for text in inside {
                assert!(networks.contains(address(text)), "{entries:?} holds {text}");
            }
            for text in outside {
                assert!(!networks.contains(address(text)), "{entries:?} holds no {text}");
            }
        }
    }

    #[test]
    fn refused_entries() {
        for text in [
            "",
            "localhost",
            "10.0.0",
            "10.0.0.0.0",
            "010.0.0.1",
            "256.0.0.1",
            "10.0.0.1:80",
            "[::1]",
            "::1%lo",
            "*",
            "all",
            "10.*",
            "/8",
            "10.0.0.0/8/8x y",
            "fd00::/8 fd01::/8",
            "10.0.0.1,10.0.0.2",
        ] {
            let list = ["127.0.0.1", text];
            let error = Networks::parse(&list).unwrap_err();
            assert!(
                matches!(&error, NetworkError::Unreadable(entry) | NetworkError::Prefix(entry) if entry == text),
                "{text}: {error}"
            );
        }
        for text in [
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.0/255.0.0.0",
            "::1/99999999999",
        ] {
            assert_eq!(Networks::parse(&[text]), Err(NetworkError::Prefix(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn the_sentence_names_the_entry() {
        let error = Networks::parse(&["loopback", "proxy.example"]).unwrap_err().to_string();
        assert!(error.starts_with("\"proxy.example\" is not a trusted proxy: write an address"), "{error}");
    }

    #[test]
    fn who_has_to_send_a_proxy_header() {
        let nobody = Networks::default();
        assert!(
            nobody.expects_proxy_header(address("203.0.113.7")) && nobody.expects_proxy_header(Address::Unix)
        );
        let loopback = Networks::parse(&["loopback"]).unwrap();
        assert!(loopback.expects_proxy_header(address("127.0.0.1")));
        assert!(!loopback.expects_proxy_header(address("203.0.113.7")));
    }

    #[test]
    fn keys() {
        let same = |one: &str, other: &str| address(one).key() == address(other).key();
        assert!(same("10.0.0.1", "10.0.0.1") && same("10.0.0.1", "::ffff:10.0.0.1"));
        assert!(!same("10.0.0.1", "10.0.0.2") && !same("10.0.0.1", "::a00:1"));
        assert!(same("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
        assert!(same("unix", "unix") && !same("unix", "::") && !same("unix", "0.0.0.0"));
        assert_ne!(address("0.0.0.0").key(), address("::").key());
    }

    #[test]
    fn shown() {
        assert_eq!(address("::ffff:10.0.0.1").to_string(), "10.0.0.1");
        assert_eq!(address("2001:DB8::1").to_string(), "2001:db8::1");
        assert_eq!(Address::Unix.to_string(), "unix");
    }
}
