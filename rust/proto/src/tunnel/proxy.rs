//! A proxy: where it is, what it speaks, and who we are to it.

use std::fmt;

use data_encoding::BASE64;
use url::Host;

/// What a proxy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProxyKind {
    /// HTTP/1.1 with CONNECT, in plain text.
    Http,
    /// SOCKS version 5. The proxy looks up names.
    Socks5,
}

/// A proxy. Neither `Debug` nor `Display` show the credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    kind: ProxyKind,
    /// Name or address, without brackets.
    host: String,
    port: u16,
    credentials: Option<Credentials>,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

/// Why a proxy is refused, and what to write. Credentials are in none of the words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// `http://proxy.example`.
    #[error(
        "the proxy's host is a URL: give the host name alone, for example \"proxy.example\", and the port as a number"
    )]
    HostIsUrl,
    /// Illegal characters.
    #[error("{0:?} is not a valid host name or IP address of a proxy")]
    Host(String),
    /// Out of range.
    #[error("{0} is not a valid port of a proxy: use a number from 1 to 65535")]
    Port(i64),
    /// RFC 7617 section 2.
    #[error("the user name for an HTTP proxy must not contain a colon or control characters")]
    User,
    /// RFC 7617 section 2.
    #[error("the password for an HTTP proxy must not contain control characters")]
    Password,
    /// RFC 1929 section 2.
    #[error(
        "user name and password for a SOCKS proxy have at most 255 bytes each, and the user name at least one"
    )]
    TooLong,
    /// There is nobody to have it.
    #[error("there is a password for the proxy and no user name")]
    NoUser,
}

impl Proxy {
    /// A proxy as scripts set it. `None` if `host` is empty or `port` is -1: no proxy. An empty `user` means no
    /// credentials.
    ///
    /// # Errors
    /// See [`ProxyError`].
    pub fn new(
        kind: ProxyKind,
        host: &str,
        port: i64,
        user: &str,
        password: &str,
    ) -> Result<Option<Self>, ProxyError> {
        if host.is_empty() || port == -1 {
            return Ok(None);
        }
        if host.contains("://") {
            return Err(ProxyError::HostIsUrl);
        }
        let known = u16::try_from(port).ok().filter(|port| *port != 0);
        let port = known.ok_or(ProxyError::Port(port))?;
        let host = parse_host(host).ok_or_else(|| ProxyError::Host(host.to_owned()))?;
        let credentials = match (user, password) {
            ("", "") => None,
            ("", _) => return Err(ProxyError::NoUser),
            _ => Some(Credentials::new(kind, user, password)?),
        };
        Ok(Some(Self { kind, host, port, credentials }))
    }

    /// What it speaks.
    pub fn kind(&self) -> ProxyKind {
        self.kind
    }

    /// Name or address to connect to, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(formatter, "{open}{}{close}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let login = if self.credentials.is_some() { " with credentials" } else { "" };
        write!(formatter, "{:?} {self}{login}", self.kind)
    }
}

impl Credentials {
    fn new(kind: ProxyKind, user: &str, password: &str) -> Result<Self, ProxyError> {
        let has_control = |text: &str| text.chars().any(char::is_control);
        match kind {
            ProxyKind::Http if user.contains(':') || has_control(user) => return Err(ProxyError::User),
            ProxyKind::Http if has_control(password) => return Err(ProxyError::Password),
            ProxyKind::Socks5 if user.len() > 255 || password.len() > 255 => return Err(ProxyError::TooLong),
            _ => {}
        }
        Ok(Self { user: user.to_owned(), password: password.to_owned() })
    }

    /// The value of `Proxy-Authorization` (RFC 7617).
    pub(super) fn basic(&self) -> String {
        format!("Basic {}", BASE64.encode(format!("{}:{}", self.user, self.password).as_bytes()))
    }
}

/// Also an IPv6 address without its brackets.
fn parse_host(text: &str) -> Option<String> {
    if let Ok(address) = text.parse::<std::net::Ipv6Addr>() {
        return Some(address.to_string());
    }
    match Host::parse(text).ok()? {
        Host::Domain(name) => Some(name),
        Host::Ipv4(address) => Some(address.to_string()),
        Host::Ipv6(address) => Some(address.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(host: &str, port: i64, user: &str, password: &str) -> Result<Option<Proxy>, ProxyError> {
        Proxy::new(ProxyKind::Http, host, port, user, password)
    }

    #[test]
    fn none() {
        for (host, port) in [("", 8080), ("proxy.example", -1), ("", -1), ("", 0)] {
            assert_eq!(http(host, port, "ada", "secret"), Ok(None));
        }
    }

    #[test]
    fn hosts_and_ports() {
        for (host, port, shown) in [
            ("Proxy.Example", 8080, "proxy.example:8080"),
            ("127.0.0.1", 1, "127.0.0.1:1"),
            ("::1", 65535, "[::1]:65535"),
            ("[::1]", 80, "[::1]:80"),
            ("bücher.example", 80, "xn--bcher-kva.example:80"),
        ] {
            assert_eq!(http(host, port, "", "").unwrap().unwrap().to_string(), shown);
        }
        for port in [0, -2, 65536, i64::MAX, i64::MIN] {
            assert_eq!(http("a", port, "", ""), Err(ProxyError::Port(port)));
        }
        for host in ["a b", "a\r\nb", "a/b", "a@b", "[::1", "a:80"] {
            assert_eq!(http(host, 80, "", ""), Err(ProxyError::Host(host.to_owned())));
        }
        assert_eq!(http("http://u:secret@proxy.example", 80, "", ""), Err(ProxyError::HostIsUrl));
    }

    #[test]
    fn credentials_are_checked_and_not_shown() {
        let proxy = http("a", 80, "ada", "secret").unwrap().unwrap();
        assert_eq!(proxy.credentials().unwrap().basic(), "Basic YWRhOnNlY3JldA==");
        let shown = format!("{proxy} {proxy:?} {:#?}", Some(&proxy));
        assert!(!shown.contains("secret") && !shown.contains("ada") && shown.contains("with credentials"));
        assert_eq!(http("a", 80, "a:b", ""), Err(ProxyError::User));
        assert_eq!(http("a", 80, "a\r\n", ""), Err(ProxyError::User));
        assert_eq!(http("a", 80, "a", "b\n"), Err(ProxyError::Password));
        assert_eq!(http("a", 80, "", "secret"), Err(ProxyError::NoUser));
        assert!(http("a", 80, "ada", "").is_ok_and(|proxy| proxy.is_some()));
        assert!(http("a", 80, "ädä", "sécret:").is_ok_and(|proxy| proxy.is_some()));
        let long = "x".repeat(255);
        let socks = |user: &str, password: &str| Proxy::new(ProxyKind::Socks5, "a", 1080, user, password);
        assert!(socks(&long, &long).is_ok());
        assert_eq!(socks(&format!("{long}x"), ""), Err(ProxyError::TooLong));
        assert_eq!(socks("a", &format!("{long}x")), Err(ProxyError::TooLong));
    }
}
