//! `allowed_origins`: the web pages that may connect (RFC 6454, RFC 6455 section 10.2).

use url::Host;

/// The origins whose pages may connect. Without entries everybody may.
///
/// Entries are written as browsers send them: `https://game.example`, `https://game.example:8443`, and besides
/// `https://*.game.example` (one or more labels in front), `http://localhost:*` (any port), `null` (pages from files and
/// sandboxed frames). They are compared without case, default ports left out, names in their ASCII form (punycode), and a
/// dot behind the name does not count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedOrigins {
    entries: Vec<Entry>,
}

/// Why an entry of `allowed_origins` is refused, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OriginError {
    /// Nothing at all, or `*`.
    #[error(
        "the allowed origin {0:?} names no origin: write for example \"https://game.example\"; leave the list empty to let every origin in"
    )]
    Empty(String),
    /// `game.example`.
    #[error("the allowed origin {0:?} has no scheme: write for example \"https://game.example\"")]
    NoScheme(String),
    /// Letters, digits and `+-.` only.
    #[error(
        "the allowed origin {0:?} has no valid scheme: write \"https://\" or \"http://\" in front of the host"
    )]
    Scheme(String),
    /// A path, a query, a fragment, or a user.
    #[error(
        "the allowed origin {0:?} has more than scheme, host and port: an origin has no path, query or user, as in \"https://game.example\""
    )]
    NotOnlyOrigin(String),
    /// Not a number, or out of range.
    #[error("the allowed origin {0:?} has no valid port: use a number from 1 to 65535, or * for any")]
    Port(String),
    /// Illegal characters, or nothing.
    #[error("the allowed origin {0:?} has no valid host name or IP address")]
    Host(String),
    /// A `*` elsewhere than in front of a domain, or as the port.
    #[error(
        "the allowed origin {0:?} has a * in a place where it means nothing: it stands for the labels in front of a domain (\"https://*.game.example\") or for any port (\"http://localhost:*\")"
    )]
    Wildcard(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    /// The opaque origin.
    Null,
    Pattern {
        scheme: String,
        host: HostPattern,
        port: PortPattern,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostPattern {
    Exact(String),
    /// One or more labels in front of this domain.
    Under(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PortPattern {
    Any,
    /// `None`: none is written and the scheme has no default.
    Exact(Option<u16>),
}

/// Scheme, host and port as written.
struct Parts<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<&'a str>,
}

/// What keeps a text from being an origin; the entry that it is about is added for people.
type Fault = fn(String) -> OriginError;

impl AllowedOrigins {
    /// Reads a list of entries.
    ///
    /// # Errors
    /// What is wrong with the first bad entry.
    pub fn parse<S: AsRef<str>>(entries: &[S]) -> Result<Self, OriginError> {
        let read = |entry: &S| {
            let entry = entry.as_ref();
            parse_entry(entry).map_err(|fault| fault(entry.to_owned()))
        };
        Ok(Self { entries: entries.iter().map(read).collect::<Result<_, _>>()? })
    }

    /// Whether there is no entry: every origin may connect.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a request with this `Origin` header may connect. `None`: it has none, so it is no browser's, and passes.
    pub fn allows(&self, origin: Option<&str>) -> bool {
        let Some(origin) = origin.filter(|_| !self.is_empty()) else { return true };
        let Some(origin) = Received::parse(origin) else { return false };
        self.entries.iter().any(|entry| entry.matches(&origin))
    }
}

/// An `Origin` header.
enum Received {
    Null,
    Tuple { scheme: String, host: String, port: Option<u16> },
}

impl Received {
    fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("null") {
            return Some(Self::Null);
        }
        let parts = split(text).ok().filter(|parts| !parts.host.contains('*'))?;
        let scheme = parts.scheme.to_ascii_lowercase();
        let host = normal_host(&scheme, parts.host).ok()?;
        let port = match parts.port {
            Some(port) => Some(parse_port(port).ok()?),
            None => default_port(&scheme),
        };
        Some(Self::Tuple { scheme, host, port })
    }
}

impl Entry {
    fn matches(&self, origin: &Received) -> bool {
        match (self, origin) {
            (Self::Null, Received::Null) => true,
            (
                Self::Pattern { scheme, host, port },
                Received::Tuple { scheme: its_scheme, host: its_host, port: its_port },
            ) => {
                let is_port = match port {
                    PortPattern::Any => true,
                    PortPattern::Exact(port) => port == its_port,
                };
                scheme == its_scheme && is_port && host.matches(its_host)
            }
            _ => false,
        }
    }
}

impl HostPattern {
    fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => name == host,
            Self::Under(domain) => host
                .strip_suffix(domain.as_str())
                .and_then(|front| front.strip_suffix('.'))
                .is_some_and(|labels| labels.split('.').all(|label| !label.is_empty())),
        }
    }
}

fn parse_entry(entry: &str) -> Result<Entry, Fault> {
    let text = entry.trim_ascii();
    if text.is_empty() || text == "*" {
        return Err(OriginError::Empty);
    }
    if text.eq_ignore_ascii_case("null") {
        return Ok(Entry::Null);
    }
    // As people copy it from the address bar. Only behind a host: `file://` has none.
    let text = text.strip_suffix('/').filter(|rest| !rest.ends_with(['/', ':'])).unwrap_or(text);
    let parts = split(text)?;
    let scheme = parts.scheme.to_ascii_lowercase();
    let host = match parts.host.strip_prefix("*.") {
        Some(domain) => HostPattern::Under(domain_of(&scheme, domain)?),
        None if parts.host.contains('*') => return Err(OriginError::Wildcard),
        None => HostPattern::Exact(normal_host(&scheme, parts.host)?),
    };
    let port = match parts.port {
        Some("*") => PortPattern::Any,
        Some(port) => PortPattern::Exact(Some(parse_port(port)?)),
        None => PortPattern::Exact(default_port(&scheme)),
    };
    Ok(Entry::Pattern { scheme, host, port })
}

fn split(text: &str) -> Result<Parts<'_>, Fault> {
    let (scheme, rest) = text.split_once("://").ok_or(OriginError::NoScheme as Fault)?;
    let is_scheme = scheme.bytes().next().is_some_and(|first| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if !is_scheme {
        return Err(OriginError::Scheme);
    }
    if rest.contains(['/', '?', '#', '@', '\\']) {
        return Err(OriginError::NotOnlyOrigin);
    }
    let host_end = if rest.starts_with('[') {
        rest.find(']').ok_or(OriginError::Host as Fault)? + 1
    } else {
        rest.find(':').unwrap_or(rest.len())
    };
    let (host, rest) = rest.split_at_checked(host_end).ok_or(OriginError::Host as Fault)?;
    match rest.strip_prefix(':') {
        None if rest.is_empty() => Ok(Parts { scheme, host, port: None }),
        Some(port) => Ok(Parts { scheme, host, port: Some(port) }),
        None => Err(OriginError::Host),
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

fn parse_port(text: &str) -> Result<u16, Fault> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port != 0).ok_or(OriginError::Port)
}

/// In the form in which hosts are compared. Only the schemes of the web insist on one: `file://` has none, and what
/// stands behind `chrome-extension://` is an id.
fn normal_host(scheme: &str, text: &str) -> Result<String, Fault> {
    if text.is_empty() && default_port(scheme).is_none() {
        return Ok(String::new());
    }
    match Host::parse(text) {
        Ok(Host::Domain(name)) => without_root_dot(name),
        Ok(address) => Ok(address.to_string()),
        Err(_) => Err(OriginError::Host),
    }
}

fn domain_of(scheme: &str, text: &str) -> Result<String, Fault> {
    if text.contains('*') {
        return Err(OriginError::Wildcard);
    }
    match Host::parse(text) {
        Ok(Host::Domain(name)) => without_root_dot(name),
        // There are no labels in front of an address.
        Ok(_) => Err(OriginError::Wildcard),
        Err(_) if text.is_empty() && default_port(scheme).is_some() => Err(OriginError::Wildcard),
        Err(_) => Err(OriginError::Host),
    }
}

fn without_root_dot(mut name: String) -> Result<String, Fault> {
    if name.ends_with('.') {
        name.pop();
    }
    if name.split('.').any(str::is_empty) { Err(OriginError::Host) } else { Ok(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(entries: &[&str]) -> AllowedOrigins {
        AllowedOrigins::parse(entries).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn no_entry_lets_everybody_in() {
        for origin in [None, Some(""), Some("null"), Some("https://evil.example"), Some("\u{0}")] {
            assert!(AllowedOrigins::default().allows(origin), "{origin:?}");
            assert!(allowed(&[]).allows(origin), "{origin:?}");
        }
    }

    #[test]
    fn no_origin_passes() {
        assert!(allowed(&["https://game.example"]).allows(None));
        assert!(!allowed(&["https://game.example"]).allows(Some("")), "an empty one is one");
    }

    #[test]
    fn exact_entries() {
        let rows = [
            ("https://game.example", "https://game.example", true),
            ("https://game.example", "HTTPS://Game.EXAMPLE", true),
            ("HTTPS://GAME.example", "https://game.example", true),
            ("https://game.example", "https://game.example:443", true),
            ("https://game.example:443", "https://game.example", true),
            ("https://game.example", "https://game.example.", true),
            ("https://game.example.", "https://game.example", true),
            ("https://game.example/", "https://game.example", true),
            (" https://game.example ", "https://game.example", true),
            ("https://game.example", "http://game.example", false),
            ("https://game.example", "https://game.example:8443", false),
            ("https://game.example:8443", "https://game.example:8443", true),
            ("https://game.example:8443", "https://game.example", false),
            ("https://game.example", "https://www.game.example", false),
            ("https://game.example", "https://game.example.evil.example", false),
            ("https://game.example", "https://evilgame.example", false),
            ("https://game.example", "https://game.example/", false),
            ("https://game.example", "https://game.example/path", false),
            ("https://game.example", "https://user@game.example", false),
            ("https://game.example", "https://game.example, https://game.example", false),
            ("https://game.example", "https://game.example https://evil.example", false),
            ("https://game.example", "null", false),
            ("https://game.example", "game.example", false),
            ("https://game.example", "https://game.example:", false),
            ("https://game.example", "https://game.example:443x", false),
            ("https://game.example", "https://game.example..", false),
            ("http://game.example", "http://game.example:80", true),
            ("http://game.example", "http://game.example:443", false),
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000", true),
            ("http://127.0.0.1:8000", "http://127.1:8000", true),
            ("http://[::1]:8000", "http://[0:0:0:0:0:0:0:1]:8000", true),
            ("http://[::1]", "http://[::1]:80", true),
            ("http://[::1]", "http://[::2]", false),
            ("null", "null", true),
            ("NULL", "null", true),
            ("null", "https://null", false),
            ("https://null", "null", false),
            ("file://", "file://", true),
            ("file://", "null", false),
            ("chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop", true),
            ("capacitor://localhost", "capacitor://localhost", true),
            ("capacitor://localhost", "ionic://localhost", false),
        ];
        for (entry, origin, is_allowed) in rows {
            assert_eq!(allowed(&[entry]).allows(Some(origin)), is_allowed, "{entry} and {origin}");
        }
    }

    #[test]
    fn names_beyond_ascii() {
        for entry in ["https://bücher.example", "https://BÜCHER.example", "https://xn--bcher-kva.example"] {
            for origin in
                ["https://xn--bcher-kva.example", "https://XN--BCHER-KVA.example.", "https://bücher.example"]
            {
                assert!(allowed(&[entry]).allows(Some(origin)), "{entry} and {origin}");
            }
            assert!(!allowed(&[entry]).allows(Some("https://bucher.example")));
        }
        let under = allowed(&["https://*.bücher.example"]);
        assert!(under.allows(Some("https://a.xn--bcher-kva.example")));
        assert!(under.allows(Some("https://xn--mnchen-3ya.xn--bcher-kva.example")));
    }

    #[test]
    fn labels_in_front() {
        let entry = allowed(&["https://*.game.example"]);
        for origin in [
            "https://a.game.example",
            "https://a.b.game.example",
            "https://A.GAME.example",
            "https://a.game.example.",
            "https://a.game.example:443",
            "https://-.game.example",
        ] {
            assert!(entry.allows(Some(origin)), "{origin}");
        }
        for origin in [
            "https://game.example",
            "https://.game.example",
            "https://a..game.example",
            "https://agame.example",
            "https://a.game.example.evil.example",
            "https://a.game.example:8443",
            "http://a.game.example",
            "https://*.game.example",
            "https://evil.example/.game.example",
            "https://evil.example#.game.example",
            "https://evil.example?.game.example",
            "https://evil.example\\.game.example",
            "https://evil.example@a.game.example",
        ] {
            assert!(!entry.allows(Some(origin)), "{origin}");
        }
    }

    #[test]
    fn any_port() {
        let entry = allowed(&["http://localhost:*"]);
        for origin in
            ["http://localhost", "http://localhost:80", "http://localhost:8060", "http://LOCALHOST.:1"]
        {
            assert!(entry.allows(Some(origin)), "{origin}");
        }
        for origin in [
            "https://localhost",
            "http://localhost:0",
            "http://localhost:65536",
            "http://localhost:*",
            "http://x:80",
        ] {
            assert!(!entry.allows(Some(origin)), "{origin}");
        }
        assert!(allowed(&["https://*.game.example:*"]).allows(Some("https://a.game.example:81")));
        assert!(allowed(&["http://[::1]:*"]).allows(Some("http://[::1]:81")));
    }

    #[test]
    fn any_entry_of_several() {
        let entries = allowed(&["https://a.example", "http://localhost:*", "null"]);
        for origin in ["https://a.example", "http://localhost:1", "null"] {
            assert!(entries.allows(Some(origin)));
        }
        assert!(!entries.allows(Some("https://b.example")));
    }

    #[test]
    fn refused_entries() {
        let rows: [(&str, Fault); 32] = [
            ("", OriginError::Empty),
            (" ", OriginError::Empty),
            ("*", OriginError::Empty),
            ("game.example", OriginError::NoScheme),
            ("localhost:8080", OriginError::NoScheme),
            ("//game.example", OriginError::NoScheme),
            ("https:/game.example", OriginError::NoScheme),
            ("://game.example", OriginError::Scheme),
            ("*://game.example", OriginError::Scheme),
            ("1http://game.example", OriginError::Scheme),
            ("https://game.example/path", OriginError::NotOnlyOrigin),
            ("https://game.example//", OriginError::NotOnlyOrigin),
            ("https://game.example?x", OriginError::NotOnlyOrigin),
            ("https://game.example#x", OriginError::NotOnlyOrigin),
            ("https://user:secret@game.example", OriginError::NotOnlyOrigin),
            ("https://game.example:", OriginError::Port),
            ("https://game.example:0", OriginError::Port),
            ("https://game.example:65536", OriginError::Port),
            ("https://game.example:+80", OriginError::Port),
            ("https://game.example:80*", OriginError::Port),
            ("https://", OriginError::Host),
            ("https://:80", OriginError::Host),
            ("https://a b", OriginError::Host),
            ("https://a..b", OriginError::Host),
            ("https://a, https://b", OriginError::NotOnlyOrigin),
            ("https://[::1", OriginError::Host),
            ("https://256.0.0.1", OriginError::Host),
            ("https://*", OriginError::Wildcard),
            ("https://*.", OriginError::Wildcard),
            ("https://a.*.example", OriginError::Wildcard),
            ("https://*.*.example", OriginError::Wildcard),
            ("https://*.10.0.0.1", OriginError::Wildcard),
        ];
        for (entry, fault) in rows {
            let list = ["https://good.example", entry];
            assert_eq!(AllowedOrigins::parse(&list), Err(fault(entry.to_owned())), "{entry}");
        }
    }

    #[test]
    fn the_sentence_names_the_entry() {
        let error = AllowedOrigins::parse(&["game.example"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the allowed origin \"game.example\" has no scheme: write for example \"https://game.example\""
        );
    }
}
