//! `X-Forwarded-For` and `X-Forwarded-Proto`: written by proxies, each behind what was there, and by anybody else too.

use std::net::{IpAddr, Ipv6Addr};

use super::{Address, Networks};

/// Most addresses that are looked at.
const MAX_HOPS: usize = 32;

/// The client in `X-Forwarded-For`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) address: Address,
    /// How many entries stand to the right of it.
    pub(super) hop: usize,
}

/// From right to left, past trusted addresses; `None` if not even the rightmost entry can be read.
pub(super) fn client<'a>(
    lines: impl DoubleEndedIterator<Item = &'a [u8]>,
    trusted: &Networks,
) -> Option<Found> {
    let mut found = None;
    for (hop, entry) in entries(lines).take(MAX_HOPS).enumerate() {
        let Some(address) = read(entry) else { break };
        found = Some(Found { address, hop });
        if !trusted.contains(address) {
            break;
        }
    }
    found
}

/// Whether the client used TLS: what the proxy that saw it at `hop` says; where there are fewer entries, the leftmost.
pub(super) fn is_secure<'a>(lines: impl DoubleEndedIterator<Item = &'a [u8]>, hop: usize) -> bool {
    let entry = entries(lines).take(hop.saturating_add(1)).last().unwrap_or_default();
    // Some proxies tell the scheme of the WebSocket URL.
    [&b"https"[..], b"wss"].iter().any(|scheme| entry.eq_ignore_ascii_case(scheme))
}

/// The members of the list, from right to left; empty ones do not count (RFC 9110 section 5.6.1).
fn entries<'a>(lines: impl DoubleEndedIterator<Item = &'a [u8]>) -> impl Iterator<Item = &'a [u8]> {
    lines
        .rev()
        .flat_map(|line| line.rsplit(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|entry| !entry.is_empty())
}

/// An address, perhaps in brackets, perhaps with a port. Proxies behind a Unix socket write `unix:`.
fn read(entry: &[u8]) -> Option<Address> {
    let text = str::from_utf8(entry).ok()?;
    if text.eq_ignore_ascii_case("unix:") || text.eq_ignore_ascii_case("unix") {
        return Some(Address::Unix);
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        let is_port = rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
        return address
            .parse::<Ipv6Addr>()
            .ok()
            .filter(|_| is_port)
            .map(|address| IpAddr::from(address).into());
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.into());
    }
    let (address, port) = text.split_once(':')?;
    address
        .parse::<std::net::Ipv4Addr>()
        .ok()
        .filter(|_| is_port(port))
        .map(|address| IpAddr::from(address).into())
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(trusted: &[&str], lines: &[&str]) -> Option<String> {
        let trusted = Networks::parse(trusted).unwrap();
        let lines = lines.iter().map(|line| line.as_bytes());
        client(lines, &trusted).map(|found| found.address.to_string())
    }

    #[test]
    fn the_first_that_is_not_trusted_counts() {
        let rows: [(&[&str], Option<&str>); 14] = [
            (&["203.0.113.7"], Some("203.0.113.7")),
            (&["6.6.6.6, 203.0.113.7"], Some("203.0.113.7")),
            (&["6.6.6.6, 203.0.113.7, 10.0.0.9"], Some("203.0.113.7")),
            (&["6.6.6.6", "203.0.113.7", "10.0.0.9,10.0.0.8"], Some("203.0.113.7")),
            (&["6.6.6.6,203.0.113.7 ,\t10.0.0.9"], Some("203.0.113.7")),
            (&["10.0.0.7, 10.0.0.8, 10.0.0.9"], Some("10.0.0.7")),
            (&["", ",", " , 203.0.113.7,, "], Some("203.0.113.7")),
            (&[], None),
            (&[""], None),
            (&["2001:db8::7"], Some("2001:db8::7")),
            (&["::ffff:203.0.113.7"], Some("203.0.113.7")),
            (&["203.0.113.7, ::ffff:10.0.0.9"], Some("203.0.113.7")),
            (&["203.0.113.7, unix:"], Some("unix")),
            (&["203.0.113.7, 10.0.0.9, 203.0.113.8"], Some("203.0.113.8")),
        ];
        for (lines, client) in rows {
            assert_eq!(find(&["10.0.0.0/8"], lines).as_deref(), client, "{lines:?}");
        }
        assert_eq!(find(&["unix"], &["203.0.113.7, unix:"]).as_deref(), Some("203.0.113.7"));
    }

    #[test]
    fn behind_an_unreadable_entry_nothing_counts() {
        for entry in [
            "unknown",
            "_hidden",
            "client.example",
            "203.0.113",
            "203.0.113.7:",
            "203.0.113.7:x",
            "203.0.113.7:65536",
            "203.0.113.7:-1",
            "[203.0.113.7]",
            "[2001:db8::7",
            "[2001:db8::7]x",
            "[2001:db8::7]:",
            "2001:db8::7]:1",
            "\"203.0.113.7\"",
            "fe80::1%eth0",
            "203.0.113.7 203.0.113.8",
            "for=203.0.113.7",
            "\u{e4}",
            "0x7f.1",
            "017.0.0.1",
        ] {
            let line = format!("6.6.6.6, {entry}, 10.0.0.8, 10.0.0.9");
            assert_eq!(find(&["10.0.0.0/8"], &[&line]).as_deref(), Some("10.0.0.8"), "{entry}");
            assert_eq!(find(&["10.0.0.0/8"], &["6.6.6.6", entry]), None, "{entry}");
        }
        let trusted = Networks::parse(&["10.0.0.0/8"]).unwrap();
        let lines = [&b"6.6.6.6, \xff\xfe, 10.0.0.8"[..]];
        assert_eq!(client(lines.into_iter(), &trusted).unwrap().address.to_string(), "10.0.0.8");
    }

    #[test]
    fn ports_and_brackets() {
        for entry in ["2001:db8::7", "[2001:db8::7]", "[2001:db8::7]:1", "[2001:DB8:0::7]:65535"] {
            assert_eq!(find(&[], &[entry]).as_deref(), Some("2001:db8::7"), "{entry}");
        }
        for entry in ["203.0.113.7", "203.0.113.7:1", "203.0.113.7:65535", "[::ffff:203.0.113.7]:0"] {
            assert_eq!(find(&[], &[entry]).as_deref(), Some("203.0.113.7"), "{entry}");
        }
    }

    #[test]
    fn thirty_two_hops() {
        let hops =
            |count: usize| (1..=count).rev().map(|hop| format!("10.0.0.{hop}")).collect::<Vec<_>>().join(",");
        assert_eq!(find(&["10.0.0.0/8"], &["6.6.6.6", &hops(31)]).as_deref(), Some("6.6.6.6"));
        assert_eq!(find(&["10.0.0.0/8"], &["6.6.6.6", &hops(32)]).as_deref(), Some("10.0.0.32"));
        assert_eq!(find(&["10.0.0.0/8"], &["6.6.6.6", &hops(200)]).as_deref(), Some("10.0.0.32"));
    }

    #[test]
    fn the_scheme_that_the_client_used() {
        let secure = |lines: &[&str], hop| is_secure(lines.iter().map(|line| line.as_bytes()), hop);
        for (lines, hop, expected) in [
            (&["https"][..], 0, true),
            (&["HTTPS"], 3, true),
            (&["wss"], 0, true),
            (&["http"], 0, false),
            (&["ws"], 0, false),
            (&[], 0, false),
            (&[""], 0, false),
            (&["httpss"], 0, false),
            (&["https, http"], 0, false),
            (&["https, http"], 1, true),
            (&["http", "https"], 0, true),
            (&["https, http, http"], 1, false),
            (&["https, http"], 9, true),
        ] {
            assert_eq!(secure(lines, hop), expected, "{lines:?} {hop}");
        }
    }
}
