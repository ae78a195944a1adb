//! Hosts and ports, as URLs and `Host` headers have them (RFC 3986 section 3.2): one rule for what is sent and what is taken.

use std::net::Ipv6Addr;

/// Whether a host name may consist of these bytes: `reg-name` of RFC 3986 section 3.2.2.
pub(crate) fn is_reg_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

/// Whether this is a host, perhaps with a port; user information is none. The engine's own client leaves the brackets of an
/// IPv6 address out.
pub(crate) fn is_authority(text: &str) -> bool {
    if text.matches(':').count() > 1 && !text.starts_with('[') {
        let without_port =
            text.rsplit_once(':').filter(|(_, port)| is_port(port)).map(|(address, _)| address);
        return is_ipv6(text) || without_port.is_some_and(is_ipv6);
    }
    let (is_host, rest) = match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        Some((address, rest)) => (is_ipv6(address), rest),
        None => {
            let (name, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
            (is_reg_name(name), rest)
        }
    };
    is_host && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A zone belongs to the sender's machine and should not be sent (RFC 6874 section 3), which not everybody knows.
fn is_ipv6(text: &str) -> bool {
    let (address, zone) = text.split_once('%').unzip();
    address.unwrap_or(text).parse::<Ipv6Addr>().is_ok() && zone.is_none_or(is_reg_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities() {
        for text in [
            "a",
            "a.example:80",
            "a:",
            "127.0.0.1:1",
            "[::1]",
            "[::1]:80",
            "[fe80::1%25eth0]:1",
            "::1",
            "::1:65535",
            "fd00::2:1",
            "a_b~!$&'()*+,;=%20",
        ] {
            assert!(is_authority(text), "{text}");
        }
        for text in [
            "", ":80", "a b", "a/b", "a@b", "a:b", "a:1:2", "x::1", "[::1", "[::1]x", "[x]", "[]", "]",
            "[::1%]", "ä", "`", "{a}", "\"", "a\\b", "<", "a|b", "a^b",
        ] {
            assert!(!is_authority(text), "{text}");
        }
    }
}
