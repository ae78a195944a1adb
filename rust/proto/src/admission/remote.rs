//! The other end of a server's connection: the client, and the proxies between.

use super::{Endpoint, Networks, ProxyHeader, forwarded};
use crate::http::Request;

/// Who is at the other end, as far as it is known: first from the socket, then from a PROXY header, then from the
/// request's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remote {
    /// The client; without a proxy, who connected.
    pub client: Endpoint,
    /// Who really connected, if that is a proxy whose word was taken.
    pub proxy: Option<Endpoint>,
    /// TLS here, or at a trusted proxy that says so.
    pub is_secure: bool,
}

impl Remote {
    /// Somebody who connected; `is_tls`: with TLS.
    pub fn new(connected: Endpoint, is_tls: bool) -> Self {
        Self { client: connected, proxy: None, is_secure: is_tls }
    }

    /// What the PROXY header says counts, from whom it was read; a proxy that speaks for itself stays the client.
    #[must_use]
    pub fn with_proxy_header(self, header: &ProxyHeader) -> Self {
        match header.client {
            Some(client) => Self { client, proxy: self.proxy.or(Some(self.client)), ..self },
            None => self,
        }
    }

    /// [`with_forwarded`](Self::with_forwarded) of what the request says.
    #[must_use]
    pub fn with_request(self, request: &Request, trusted: &Networks) -> Self {
        let lines = |name| request.values(name);
        self.with_forwarded(lines("X-Forwarded-For"), lines("X-Forwarded-Proto"), trusted)
    }

    /// What the headers `X-Forwarded-For` and `X-Forwarded-Proto` say counts if they come from a trusted address. Values
    /// are given line by line, in the order received.
    ///
    /// The client is looked for from right to left, past trusted addresses and over at most 32 of them: the first that is
    /// not trusted, else the leftmost. Whatever stands further left may be forged. An entry that cannot be read ends the
    /// search at the address to its right.
    #[must_use]
    pub fn with_forwarded<'a>(
        self,
        forwarded_for: impl DoubleEndedIterator<Item = &'a [u8]>,
        forwarded_proto: impl DoubleEndedIterator<Item = &'a [u8]>,
        trusted: &Networks,
    ) -> Self {
        if !trusted.contains(self.client.address) {
            return self;
        }
        let found = forwarded::client(forwarded_for, trusted);
        let is_secure =
            self.is_secure || forwarded::is_secure(forwarded_proto, found.map_or(0, |found| found.hop));
        match found {
            Some(found) => Self {
                // The port in the header is the proxy's knowledge, and few say it.
                client: Endpoint { address: found.address, port: 0 },
                proxy: self.proxy.or(Some(self.client)),
                is_secure,
            },
            None => Self { is_secure, ..self },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn endpoint(text: &str, port: u16) -> Endpoint {
        Endpoint { address: text.parse::<IpAddr>().unwrap().into(), port }
    }

    fn remote(socket: Endpoint, trusted: &[&str], lines: &[&str], proto: &[&str]) -> Remote {
        let trusted = Networks::parse(trusted).unwrap();
        let lines = lines.iter().map(|line| line.as_bytes());
        let proto = proto.iter().map(|line| line.as_bytes());
        Remote::new(socket, false).with_forwarded(lines, proto, &trusted)
    }

    #[test]
    fn nobody_is_believed_without_trust() {
        let socket = endpoint("203.0.113.7", 5000);
        for trusted in [&[][..], &["loopback"], &["203.0.113.8"]] {
            assert_eq!(remote(socket, trusted, &["1.1.1.1"], &["https"]), Remote::new(socket, false));
        }
    }

    #[test]
    fn a_trusted_proxy_is_believed() {
        let socket = endpoint("127.0.0.1", 5000);
        let expected = Remote { client: endpoint("203.0.113.7", 0), proxy: Some(socket), is_secure: true };
        assert_eq!(remote(socket, &["loopback"], &["203.0.113.7"], &["https"]), expected);
        let plain = Remote { is_secure: false, ..expected };
        assert_eq!(remote(socket, &["loopback"], &["6.6.6.6, 203.0.113.7:99"], &["http"]), plain);
        // A request of the proxy's own.
        assert_eq!(remote(socket, &["loopback"], &[], &[]), Remote::new(socket, false));
        assert_eq!(
            remote(socket, &["loopback"], &[], &["https"]),
            Remote { is_secure: true, ..Remote::new(socket, false) }
        );
        assert_eq!(remote(socket, &["loopback"], &["rubbish"], &[]), Remote::new(socket, false));
    }

    #[test]
    fn unix_sockets() {
        let expected =
            Remote { client: endpoint("2001:db8::7", 0), proxy: Some(Endpoint::UNIX), is_secure: false };
        assert_eq!(remote(Endpoint::UNIX, &["unix"], &["[2001:db8::7]:1"], &[]), expected);
        assert_eq!(
            remote(Endpoint::UNIX, &["loopback"], &["1.1.1.1"], &[]),
            Remote::new(Endpoint::UNIX, false)
        );
    }

    #[test]
    fn a_proxy_header_and_behind_it_another_proxy() {
        let socket = endpoint("10.0.0.1", 5000);
        let header = ProxyHeader { client: Some(endpoint("10.0.0.2", 6000)) };
        let balanced = Remote::new(socket, true).with_proxy_header(&header);
        assert_eq!(
            balanced,
            Remote { client: endpoint("10.0.0.2", 6000), proxy: Some(socket), is_secure: true }
        );
        let forwarded = [&b"203.0.113.7"[..]];
        let trusted = Networks::parse(&["10.0.0.0/8"]).unwrap();
        let behind = balanced.with_forwarded(forwarded.into_iter(), [].into_iter(), &trusted);
        assert_eq!(behind.client, endpoint("203.0.113.7", 0));
        assert_eq!(behind.proxy, Some(socket), "who really connected");
        let distrusted = Networks::parse(&["10.0.0.1"]).unwrap();
        assert_eq!(balanced.with_forwarded(forwarded.into_iter(), [].into_iter(), &distrusted), balanced);
        let own = ProxyHeader { client: None };
        assert_eq!(Remote::new(socket, false).with_proxy_header(&own), Remote::new(socket, false));
    }
}
