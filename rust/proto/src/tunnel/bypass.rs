//! `no_proxy`: the servers to which the environment's proxies do not apply.

use std::net::IpAddr;

use crate::{
    Target,
    admission::{Address, Networks},
};

/// Whether a server is on this machine: such ones are never proxied by the environment.
pub(super) fn is_local(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    match host.parse::<IpAddr>() {
        Ok(address) => {
            let address = address.to_canonical();
            address.is_loopback() || address.is_unspecified()
        }
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// Whether the list names the server. Its members, between commas or spaces: `*`; names, which stand for what is under them
/// too (`example.com`, `.example.com`, `*.example.com`); addresses and networks, which are compared with addresses only;
/// each perhaps with a port. What cannot be read names nobody.
pub(super) fn is_bypassed(target: &Target, no_proxy: &str) -> bool {
    no_proxy
        .split(|separator: char| separator == ',' || separator.is_whitespace())
        .filter(|member| !member.is_empty())
        .any(|member| names(member, target))
}

fn names(member: &str, target: &Target) -> bool {
    if member == "*" {
        return true;
    }
    let host = target.host.strip_suffix('.').unwrap_or(&target.host);
    if let Ok(networks) = Networks::parse(&[without_brackets(member)]) {
        return host.parse::<IpAddr>().is_ok_and(|address| networks.contains(Address::from(address)));
    }
    let (name, port) = match member.rsplit_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (member, None),
    };
    if port.is_some_and(|port| port.parse() != Ok(target.port)) {
        return false;
    }
    if let Ok(address) = without_brackets(name).parse::<IpAddr>() {
        return host.parse::<IpAddr>().is_ok_and(|host| host.to_canonical() == address.to_canonical());
    }
    is_under(host, name)
}

fn without_brackets(text: &str) -> &str {
    text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text)
}

/// Whether the host is the domain or lies under it.
fn is_under(host: &str, domain: &str) -> bool {
    let domain = domain.strip_prefix('*').unwrap_or(domain);
    let domain = domain.trim_start_matches('.').to_lowercase();
    let domain = domain.strip_suffix('.').unwrap_or(&domain);
    let front = host.strip_suffix(domain).filter(|_| !domain.is_empty());
    front.is_some_and(|front| front.is_empty() || front.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine() {
        for host in [
            "localhost",
            "localhost.",
            "game.localhost",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::ffff:127.0.0.1",
            "0.0.0.0",
        ] {
            assert!(is_local(host), "{host}");
        }
        for host in ["localhost.example", "notlocalhost", "10.0.0.1", "::2", "game.example"] {
            assert!(!is_local(host), "{host}");
        }
    }

    #[test]
    fn members() {
        let rows: [(&str, &[&str], &[&str]); 13] = [
            ("", &[], &["ws://a.example"]),
            (" , ,", &[], &["ws://a.example"]),
            ("*", &["ws://a.example", "ws://10.0.0.1"], &[]),
            ("a.example,*", &["ws://b.example"], &[]),
            (
                "a.example",
                &["ws://a.example", "ws://A.EXAMPLE:9", "ws://b.a.example", "ws://a.example."],
                &["ws://ba.example", "ws://example", "ws://a.example.evil"],
            ),
            (".a.example", &["ws://a.example", "ws://b.a.example"], &["ws://ba.example"]),
            ("*.A.Example.", &["ws://a.example", "ws://b.a.example"], &["ws://ba.example"]),
            ("x.example b.example\t,c.example", &["ws://b.example", "ws://c.example"], &["ws://a.example"]),
            ("a.example:8080", &["ws://a.example:8080"], &["ws://a.example", "ws://a.example:80"]),
            ("10.0.0.1", &["ws://10.0.0.1:9"], &["ws://10.0.0.2", "ws://10.0.0.1.example"]),
            (
                "10.0.0.0/8,fd00::/8",
                &["ws://10.9.9.9", "ws://[fd00::1]:9"],
                &["ws://11.0.0.1", "ws://[fe00::1]"],
            ),
            (
                "[::2],10.0.0.1:80,[::3]:80",
                &["ws://[::2]:9", "ws://10.0.0.1", "ws://[::3]"],
                &["ws://10.0.0.1:81", "ws://[::3]:81"],
            ),
            ("::2", &["ws://[::2]"], &["ws://[::3]"]),
        ];
        for (list, named, others) in rows {
            let is_named = |url: &&str| is_bypassed(&Target::parse(url).unwrap(), list);
            assert_eq!(named.iter().find(|url| !is_named(url)), None, "{list} names it");
            assert_eq!(others.iter().find(|url| is_named(url)), None, "{list} does not name it");
        }
    }

    #[test]
    fn what_cannot_be_read_names_nobody() {
        for list in
            ["http://a.example", "10.0.0.0/33", "[::1", ":", ".", "*.", "a.example:x", "10.*", "\u{0}"]
        {
            assert!(!is_bypassed(&Target::parse("ws://a.example").unwrap(), list), "{list}");
            assert!(!is_bypassed(&Target::parse("ws://10.0.0.1").unwrap(), list), "{list}");
        }
    }
}
