//! `ws://` and `wss://` URLs, as leniently as the engine reads them.

use std::fmt::Write;

use url::Host;

/// Plain or TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `ws://`, default port 80.
    Ws,
    /// `wss://`, default port 443.
    Wss,
}

impl Scheme {
    /// The port when none is given.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }
}

/// A parsed URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Plain or TLS.
    pub scheme: Scheme,
    /// Host name or IP literal, lower-cased, without brackets: what to resolve and to verify.
    pub host: String,
    /// Given, or the scheme's default.
    pub port: u16,
    /// Path and query of the request line.
    pub request_target: String,
}

/// Why a URL is refused, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Nothing at all.
    #[error("the URL is empty: write for example ws://localhost:9080 or wss://game.example/lobby")]
    Empty,
    /// `http://` and the like.
    #[error("the URL scheme '{0}://' is not a WebSocket one: use ws:// or wss://")]
    Scheme(String),
    /// `ws://`, `ws:///path`, `/only/path`.
    #[error("the URL names no host: write for example ws://localhost:9080/path")]
    NoHost,
    /// Illegal characters, a bracket without its other half, ...
    #[error(
        "'{0}' is not a valid host name or IP address (IPv6 addresses are written in brackets, as in ws://[::1]:9080)"
    )]
    Host(String),
    /// Not a number, or out of range.
    #[error("'{0}' is not a valid port: use a number from 1 to 65535")]
    Port(String),
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// See [`TargetError`].
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        if url.is_empty() {
            return Err(TargetError::Empty);
        }
        let (scheme, rest) = split_scheme(url)?;
        let rest = rest.split_once('#').map_or(rest, |(before, _fragment)| before);
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let authority = authority.rsplit_once('@').map_or(authority, |(_user, host)| host);
        let (host, port) = split_port(authority)?;
        let port = port.map_or(Ok(scheme.default_port()), parse_port)?;
        Ok(Self { scheme, host: parse_host(host)?, port, request_target: request_target(path) })
    }

    /// The value of the `Host` header: IPv6 literals in brackets, the port unless it is the scheme's default.
    pub fn host_header(&self) -> String {
        let is_ipv6 = self.host.contains(':');
        let (open, close) = if is_ipv6 { ("[", "]") } else { ("", "") };
        let mut header = format!("{open}{}{close}", self.host);
        if self.port != self.scheme.default_port() {
            let _ = write!(header, ":{}", self.port); // writing to a String does not fail
        }
        header
    }
}

/// No scheme at all means `ws://`. What stands before a `://` is a scheme only if it could be one: the engine's rule,
/// which leaves `host/?next=http://...` alone.
fn split_scheme(url: &str) -> Result<(Scheme, &str), TargetError> {
    let is_scheme =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    match url.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) {
        None => Ok((Scheme::Ws, url)),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("ws") => Ok((Scheme::Ws, rest)),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("wss") => Ok((Scheme::Wss, rest)),
        Some((scheme, _)) => Err(TargetError::Scheme(scheme.to_owned())),
    }
}

/// Host (brackets kept) and the text after its colon.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), TargetError> {
    let invalid = || TargetError::Host(authority.to_owned());
    let host_end = if authority.starts_with('[') {
        authority.find(']').ok_or_else(invalid)? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, rest) = authority.split_at_checked(host_end).ok_or_else(invalid)?;
    match rest.strip_prefix(':') {
        _ if host.is_empty() && !rest.starts_with("::") => Err(TargetError::NoHost),
        None if rest.is_empty() => Ok((host, None)),
        // More than one colon outside of brackets: an IPv6 literal that lacks them.
        Some(port) if !port.contains(':') => Ok((host, Some(port))),
        _ => Err(invalid()),
    }
}

fn parse_port(text: &str) -> Result<u16, TargetError> {
    match text.parse() {
        Ok(port) if port != 0 => Ok(port),
        _ => Err(TargetError::Port(text.to_owned())),
    }
}

fn parse_host(text: &str) -> Result<String, TargetError> {
    match Host::parse(text) {
        Ok(Host::Domain(name)) => Ok(name),
        Ok(Host::Ipv4(address)) => Ok(address.to_string()),
        Ok(Host::Ipv6(address)) => Ok(address.to_string()),
        Err(_) => Err(TargetError::Host(text.to_owned())),
    }
}

/// The text as given, dot segments and all, but for what would break the request line.
fn request_target(path: &str) -> String {
    let mut target = String::with_capacity(path.len() + 1);
    if !path.starts_with('/') {
        target.push('/');
    }
    for byte in path.bytes() {
        if byte.is_ascii_graphic() {
            target.push(char::from(byte));
        } else {
            let _ = write!(target, "%{byte:02X}"); // writing to a String does not fail
        }
    }
    target
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> (Scheme, String, u16, String) {
        let target = Target::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        (target.scheme, target.host, target.port, target.request_target)
    }

    #[test]
    fn accepted() {
        use Scheme::{Ws, Wss};
        let rows = [
            ("ws://localhost", Ws, "localhost", 80, "/"),
            ("wss://localhost", Wss, "localhost", 443, "/"),
            ("WS://LocalHost:9080/Path", Ws, "localhost", 9080, "/Path"),
            ("wSs://a.example/", Wss, "a.example", 443, "/"),
            ("127.0.0.1:1", Ws, "127.0.0.1", 1, "/"),
            ("127.0.0.1", Ws, "127.0.0.1", 80, "/"),
            ("localhost/p?q", Ws, "localhost", 80, "/p?q"),
            ("localhost/?next=http://x/", Ws, "localhost", 80, "/?next=http://x/"),
            ("ws://[::1]", Ws, "::1", 80, "/"),
            ("ws://[0:0:0:0:0:0:0:1]:9080/x", Ws, "::1", 9080, "/x"),
            ("ws://user:pass@host:5/x", Ws, "host", 5, "/x"),
            ("ws://u@h@host", Ws, "host", 80, "/"),
            ("ws://host/a@b:c", Ws, "host", 80, "/a@b:c"),
            ("ws://host/a b\tc", Ws, "host", 80, "/a%20b%09c"),
            ("ws://host/\r\nX: y", Ws, "host", 80, "/%0D%0AX:%20y"),
            ("ws://host/ü/%20?ä=\"<>\\^`{|}", Ws, "host", 80, "/%C3%BC/%20?%C3%A4=\"<>\\^`{|}"),
            ("ws://host/a/../b/./c", Ws, "host", 80, "/a/../b/./c"),
            ("ws://host//a", Ws, "host", 80, "//a"),
            ("ws://host/p?q=1#fragment", Ws, "host", 80, "/p?q=1"),
            ("ws://host#fragment/x", Ws, "host", 80, "/"),
            ("ws://host?x=1", Ws, "host", 80, "/?x=1"),
            ("ws://host:81?x=1", Ws, "host", 81, "/?x=1"),
            ("ws://host:+81", Ws, "host", 81, "/"),
            ("ws://host:0081", Ws, "host", 81, "/"),
            ("ws://host:65535", Ws, "host", 65535, "/"),
            ("ws://127.1:1", Ws, "127.0.0.1", 1, "/"),
            ("ws://under_score", Ws, "under_score", 80, "/"),
            ("ws://bücher.example", Ws, "xn--bcher-kva.example", 80, "/"),
        ];
        for (url, scheme, host, port, target) in rows {
            assert_eq!(parts(url), (scheme, host.to_owned(), port, target.to_owned()), "{url}");
        }
    }

    #[test]
    fn refused() {
        let host = |text: &str| TargetError::Host(text.to_owned());
        let port = |text: &str| TargetError::Port(text.to_owned());
        let rows = [
            ("", TargetError::Empty),
            ("http://localhost", TargetError::Scheme("http".to_owned())),
            ("ftp://x", TargetError::Scheme("ftp".to_owned())),
            ("://x", TargetError::Scheme(String::new())),
            ("ws://", TargetError::NoHost),
            ("ws:///path", TargetError::NoHost),
            ("ws://?x", TargetError::NoHost),
            ("ws://:80", TargetError::NoHost),
            ("ws://user@/x", TargetError::NoHost),
            ("/only/path", TargetError::NoHost),
            ("//localhost", TargetError::NoHost),
            ("ws://localhost:99999", port("99999")),
            ("ws://localhost:65536", port("65536")),
            ("ws://localhost:0", port("0")),
            ("ws://localhost:-1", port("-1")),
            ("ws://localhost:abc", port("abc")),
            ("ws://localhost:", port("")),
            ("ws:localhost", port("localhost")),
            ("ws://localhost:1 ", port("1 ")),
            (" ws://localhost", port("")),
            ("ws://[::1", host("[::1")),
            ("ws://[::1]x", host("[::1]x")),
            ("ws://::1", host("::1")),
            ("ws://[x]", host("[x]")),
            ("ws://a b", host("a b")),
            ("ws://a\r\nb", host("a\r\nb")),
            ("ws://256.1.1.1", host("256.1.1.1")),
        ];
        for (url, error) in rows {
            assert_eq!(Target::parse(url), Err(error), "{url}");
        }
    }

    #[test]
    fn host_headers() {
        let rows = [
            ("ws://a", "a"),
            ("ws://a:80", "a"),
            ("ws://a:443", "a:443"),
            ("wss://a:443", "a"),
            ("wss://a:80", "a:80"),
            ("ws://[::1]:80", "[::1]"),
            ("ws://[::1]:9080", "[::1]:9080"),
        ];
        for (url, header) in rows {
            assert_eq!(Target::parse(url).map(|target| target.host_header()), Ok(header.to_owned()), "{url}");
        }
    }
}
