//! `ws://` and `wss://` URLs, as leniently as the engine reads them.

use std::{
    fmt::{self, Debug, Formatter, Write},
    net::{IpAddr, Ipv6Addr},
};

use data_encoding::BASE64;
use url::Host;

use crate::{Quoted, authority};

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
    /// Host name or IP literal, lower-cased, without brackets and zone: what to verify.
    pub host: String,
    /// The interface behind which an IPv6 address is (RFC 4007), by name or number: of meaning to this machine only.
    pub zone: Option<String>,
    /// Given, or the scheme's default.
    pub port: u16,
    /// Path and query of the request line.
    pub request_target: String,
    /// The socket file to connect to instead of a host, which is `localhost` then.
    pub socket_path: Option<String>,
    /// What the user name and password of the URL come to.
    authorization: Option<Secret>,
}

/// A text that `Debug` does not show.
#[derive(Clone, PartialEq, Eq)]
struct Secret(String);

impl Debug for Secret {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("...")
    }
}

/// Why a URL is refused, and what to do. Says nothing of a user name and password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Nothing at all.
    #[error("the URL is empty: write for example ws://localhost:9080 or wss://game.example/lobby")]
    Empty,
    /// `http://` and the like.
    #[error("the URL scheme {} is not a WebSocket one: use ws:// or wss://", Quoted(.0))]
    Scheme(String),
    /// `ws://`, `ws:///path`, `/only/path`.
    #[error("the URL names no host: write for example ws://localhost:9080/path")]
    NoHost,
    /// Illegal characters, a bracket without its other half, ...
    #[error(
        "{} is not a valid host name or IP address (IPv6 addresses are written in brackets, as in ws://[::1]:9080)",
        Quoted(.0)
    )]
    Host(String),
    /// Not a number, or out of range.
    #[error("{} is not a valid port: use a number from 1 to 65535", Quoted(.0))]
    Port(String),
    /// `ws+unix:` without a path.
    #[error(
        "a ws+unix: URL names a socket file by its absolute path, and perhaps, behind a colon, what is asked for: write for \
         example ws+unix:/run/game.sock:/path"
    )]
    SocketPath,
    /// `ws://name:pass/word@host`: what was meant as a password is not shown.
    #[error(
        "what stands before its first '/', '?' or '#' is no host and port; in a name and password before an '@' \
         these characters are written as %2F, %3F and %23"
    )]
    Credentials,
}

impl Target {
    /// Reads a URL. White space around it is left out.
    ///
    /// # Errors
    /// See [`TargetError`].
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        let url = trim(url);
        if url.is_empty() {
            return Err(TargetError::Empty);
        }
        if let Some(rest) = unix_part(url) {
            return Self::of_socket(rest);
        }
        let (scheme, rest) = split_scheme(url)?;
        let (authority, path) = split_authority(rest);
        let (user, host) = split_user(authority);
        let (host, port) = split_port(host)
            .and_then(|(host, port)| Ok((host, port.map_or(Ok(scheme.default_port()), parse_port)?)))
            .map_err(
                |error| if user.is_none() && path.contains('@') { TargetError::Credentials } else { error },
            )?;
        let (host, zone) = parse_host(host)?;
        let path = path.split_once('#').map_or(path, |(before, _fragment)| before);
        let authorization = user.and_then(authorization);
        let request_target = request_target(path);
        Ok(Self { scheme, host, zone, port, request_target, socket_path: None, authorization })
    }

    /// What stands behind `ws+unix:`: the path of a socket file, and behind a colon path and query of the request.
    fn of_socket(rest: &str) -> Result<Self, TargetError> {
        // Behind `//` a host would stand, which there is none of.
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let (file, path) = rest.split_once(':').unwrap_or((rest, "/"));
        if !file.starts_with('/') || file.contains('\0') {
            return Err(TargetError::SocketPath);
        }
        let path = path.split_once('#').map_or(path, |(before, _fragment)| before);
        Ok(Self {
            scheme: Scheme::Ws,
            host: "localhost".to_owned(),
            zone: None,
            port: Scheme::Ws.default_port(),
            request_target: request_target(path),
            socket_path: Some(file.to_owned()),
            authorization: None,
        })
    }

    /// The value of the `Host` header: IPv6 literals in brackets and without their zone (RFC 6874 section 3), the port
    /// unless it is the scheme's default.
    pub fn host_header(&self) -> String {
        let is_ipv6 = self.host.contains(':');
        let (open, close) = if is_ipv6 { ("[", "]") } else { ("", "") };
        let mut header = format!("{open}{}{close}", self.host);
        if self.port != self.scheme.default_port() {
            let _ = write!(header, ":{}", self.port); // writing to a String does not fail
        }
        header
    }

    /// The host as name lookups take it: with the zone, if there is one (RFC 4007 section 11).
    pub fn lookup_name(&self) -> String {
        match &self.zone {
            Some(zone) => format!("{}%{zone}", self.host),
            None => self.host.clone(),
        }
    }

    /// The value of the `Authorization` header for the URL's user name and password (RFC 7617). It is a secret.
    pub fn authorization(&self) -> Option<&str> {
        self.authorization.as_ref().map(|secret| secret.0.as_str())
    }
}

/// A URL as messages may show it: without user name, password, query and fragment, which may hold secrets. To be put into
/// quotes, see [`Quoted`].
pub fn shown_url(url: &str) -> String {
    let url = trim(url);
    if unix_part(url).is_some() {
        return without_query(url).to_owned();
    }
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => (format!("{scheme}://"), rest),
        _ => (String::new(), url),
    };
    // Where a password with a '/' in it ends is not to be told from a URL that has to be refused.
    if Target::parse(url).is_err()
        && let Some((_, host)) = rest.rsplit_once('@')
    {
        return format!("{scheme}...@{}", without_query(host));
    }
    let (authority, path) = split_authority(rest);
    format!("{scheme}{}{}", split_user(authority).1, without_query(path))
}

/// The ASCII form of a host name with letters beyond (IDNA): `xn--bcher-kva.example` for `bücher.example`. `None` if it is ASCII
/// already, or no host name.
pub fn ascii_host_name(name: &str) -> Option<String> {
    if name.is_ascii() {
        return None;
    }
    match Host::parse(name) {
        Ok(Host::Domain(name)) if authority::is_reg_name(&name) => Some(name),
        _ => None,
    }
}

/// Without white space and control characters at either end.
fn trim(url: &str) -> &str {
    let is_blank =
        |character: char| character.is_whitespace() || character.is_control() || character == '\u{feff}';
    url.trim_matches(is_blank)
}

fn is_scheme(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// What stands behind `ws+unix:`, which knows no host.
fn unix_part(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_at_checked("ws+unix:".len())?;
    scheme.eq_ignore_ascii_case("ws+unix:").then_some(rest)
}

/// No scheme at all means `ws://`. What stands before a `://` is a scheme only if it could be one: the engine's rule,
/// which leaves `host/?next=http://...` alone.
fn split_scheme(url: &str) -> Result<(Scheme, &str), TargetError> {
    match url.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) {
        None => Ok((Scheme::Ws, url)),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("ws") => Ok((Scheme::Ws, rest)),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("wss") => Ok((Scheme::Wss, rest)),
        Some((scheme, _)) => Err(TargetError::Scheme(scheme.to_owned())),
    }
}

/// Splits off path, query and fragment.
fn split_authority(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()))
}

/// User information, and host with port.
fn split_user(authority: &str) -> (Option<&str>, &str) {
    match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    }
}

fn without_query(path: &str) -> &str {
    path.split_at(path.find(['?', '#']).unwrap_or(path.len())).0
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

/// Host and zone. The URL parser knows neither zones nor, beyond what no name can have, which characters servers take.
fn parse_host(text: &str) -> Result<(String, Option<String>), TargetError> {
    let invalid = || TargetError::Host(text.to_owned());
    let literal = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    if let Some(literal) = literal.filter(|literal| literal.contains('%')) {
        let (address, zone) = parse_ip_address(literal).ok_or_else(invalid)?;
        return Ok((address.to_string(), zone));
    }
    match Host::parse(text) {
        Ok(Host::Domain(name)) if authority::is_reg_name(&name) => Ok((name, None)),
        Ok(Host::Ipv4(address)) => Ok((address.to_string(), None)),
        Ok(Host::Ipv6(address)) => Ok((address.to_string(), None)),
        _ => Err(invalid()),
    }
}

/// Reads an IP address without brackets, an IPv6 one perhaps with the zone behind a `%` that says through which interface it
/// is reached.
pub fn parse_ip_address(text: &str) -> Option<(IpAddr, Option<String>)> {
    match text.split_once('%') {
        Some((address, zone)) => {
            Some((IpAddr::V6(address.parse::<Ipv6Addr>().ok()?), Some(parse_zone(zone)?)))
        }
        None => Some((text.parse().ok()?, None)),
    }
}

/// What stands behind the `%` of an IPv6 address: URLs write it as `%25` (RFC 6874), people as they know it from elsewhere.
fn parse_zone(text: &str) -> Option<String> {
    let zone = match text.strip_prefix("25") {
        Some(encoded) if !encoded.is_empty() => String::from_utf8(percent_decode(encoded)).ok()?,
        _ => text.to_owned(),
    };
    let is_allowed = |byte: u8| byte.is_ascii_graphic() && !b"%/[]".contains(&byte);
    (!zone.is_empty() && zone.bytes().all(is_allowed)).then_some(zone)
}

/// `name:password` of a URL as the value of an `Authorization` header; `None` if there is neither.
fn authorization(user: &str) -> Option<Secret> {
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    if name.is_empty() && password.is_empty() {
        return None;
    }
    let pair = [percent_decode(name), percent_decode(password)].join(&b':');
    Some(Secret(format!("Basic {}", BASE64.encode(&pair))))
}

/// A `%` that is not followed by two digits stands for itself.
fn percent_decode(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let code = behind.split_at_checked(2).filter(|_| byte == b'%').and_then(|(digits, behind)| {
            let is_code = digits.iter().all(u8::is_ascii_hexdigit);
            let code = str::from_utf8(digits).ok().filter(|_| is_code)?;
            Some((u8::from_str_radix(code, 16).ok()?, behind))
        });
        let (byte, behind) = code.unwrap_or((byte, behind));
        decoded.push(byte);
        rest = behind;
    }
    decoded
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
    fn sockets() {
        let parts = |url: &str| {
            let target = Target::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!((target.scheme, &*target.host_header()), (Scheme::Ws, "localhost"));
            (target.socket_path.unwrap(), target.request_target)
        };
        let is = |file: &str, path: &str| (file.to_owned(), path.to_owned());
        assert_eq!(parts("ws+unix:/run/game.sock"), is("/run/game.sock", "/"));
        assert_eq!(parts(" WS+Unix:/run/game.sock:/path?q=a:b#no"), is("/run/game.sock", "/path?q=a:b"));
        assert_eq!(parts("ws+unix:///run/game.sock:path"), is("/run/game.sock", "/path"));
        for url in ["ws+unix:", "ws+unix:game.sock", "ws+unix:://path", "ws+unix:/a\0b", "ws+unix://host/x"] {
            assert_eq!(Target::parse(url), Err(TargetError::SocketPath), "{url}");
        }
        assert!(matches!(Target::parse("wss+unix://x"), Err(TargetError::Scheme(_))));
        assert_eq!(shown_url("ws+unix:/run/game.sock:/path?secret"), "ws+unix:/run/game.sock:/path");
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
            (" ws://host:1/a \r\n", Ws, "host", 1, "/a"),
            ("\u{feff}\tws://host:1\u{a0}\0", Ws, "host", 1, "/"),
            ("\nlocalhost\n", Ws, "localhost", 80, "/"),
            ("ws://localhost:1 ", Ws, "localhost", 1, "/"),
            ("ws://[::ffff:127.0.0.1]:1", Ws, "::ffff:127.0.0.1", 1, "/"),
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
            (" \n ", TargetError::Empty),
            ("ws://localhost:1 /", port("1 ")),
            ("ws://localhost:1\n2", port("1\n2")),
            ("ws:// localhost", host(" localhost")),
            ("ws://name:pa/ss@host", TargetError::Credentials),
            ("ws://name:pa?ss@host:1/x", TargetError::Credentials),
            ("ws://:pa#ss@host", TargetError::Credentials),
            ("ws://name:password@", TargetError::NoHost),
            ("ws://name:password@host:x/@", port("x")),
            ("ws://[::1", host("[::1")),
            ("ws://[::1]x", host("[::1]x")),
            ("ws://::1", host("::1")),
            ("ws://[x]", host("[x]")),
            ("ws://a b", host("a b")),
            ("ws://a\r\nb", host("a\r\nb")),
            ("ws://256.1.1.1", host("256.1.1.1")),
            ("ws://`", host("`")),
            ("ws://a{b}", host("a{b}")),
            ("ws://\"a\"", host("\"a\"")),
            ("ws://[fe80::1%]", host("[fe80::1%]")),
            ("ws://[127.0.0.1%eth0]", host("[127.0.0.1%eth0]")),
            ("ws://[fe80::1%a%b]", host("[fe80::1%a%b]")),
            ("ws://[fe80::1%25a%2Fb]", host("[fe80::1%25a%2Fb]")),
            ("ws://[fe80::1%a b]", host("[fe80::1%a b]")),
            ("ws://host%eth0", host("host%eth0")),
        ];
        for (url, error) in rows {
            assert_eq!(Target::parse(url), Err(error), "{url}");
        }
    }

    /// Whatever the URL parser takes as a host, a server takes in a `Host` header.
    #[test]
    fn hosts_that_are_accepted_can_be_asked_for() {
        let characters = || (0..0x80u8).map(char::from).chain("äß\u{ad}\u{3002}½".chars());
        let mut accepted = 0;
        for host in characters().flat_map(|first| characters().map(move |last| format!("{first}a{last}"))) {
            for url in [format!("ws://{host}:81"), format!("ws://{host}"), format!("ws://b{host}b/x")] {
                if let Ok(target) = Target::parse(&url) {
                    accepted += 1;
                    assert!(authority::is_authority(&target.host_header()), "{url:?} {target:?}");
                }
            }
        }
        assert!(accepted > 5000, "{accepted}");
    }

    #[test]
    fn zones_of_ipv6_addresses() {
        for (url, zone) in [
            ("ws://[fe80::1%25eth0]:9080", "eth0"),
            ("ws://[FE80::1%eth0]:9080/", "eth0"),
            ("ws://[fe80:0:0::1%2512]:9080", "12"),
            ("ws://[fe80::1%12]:9080", "12"),
            // An index that looks like the beginning of an encoded zone.
            ("ws://[fe80::1%25]:9080", "25"),
            ("ws://[fe80::1%25en%2D0]:9080", "en-0"),
        ] {
            let target = Target::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!((target.host.as_str(), target.zone.as_deref()), ("fe80::1", Some(zone)), "{url}");
            assert_eq!(target.lookup_name(), format!("fe80::1%{zone}"));
            assert_eq!(target.host_header(), "[fe80::1]:9080");
        }
        assert_eq!(Target::parse("ws://[::1]").map(|target| target.lookup_name()), Ok("::1".to_owned()));
        assert_eq!(parse_ip_address("127.0.0.1%eth0"), None);
        assert_eq!(parse_ip_address("::1%1"), Some((IpAddr::V6(Ipv6Addr::LOCALHOST), Some("1".to_owned()))));
        assert_eq!(parse_ip_address("[::1]"), None);
    }

    /// RFC 7617 section 2, with its example.
    #[test]
    fn user_names_and_passwords() {
        let rows = [
            ("ws://Aladdin:open%20sesame@host", Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")),
            ("wss://test:123%C2%A3@host/x", Some("Basic dGVzdDoxMjPCow==")),
            ("ws://test:123£@host", Some("Basic dGVzdDoxMjPCow==")),
            ("name:p@ss:w@host:81", Some("Basic bmFtZTpwQHNzOnc=")),
            ("ws://name@host", Some("Basic bmFtZTo=")),
            ("ws://:secret@host", Some("Basic OnNlY3JldA==")),
            ("ws://a%zz%4:%2F%3f%23%25@host", Some("Basic YSV6eiU0Oi8/IyU=")),
            ("ws://a%:%4@host", Some("Basic YSU6JTQ=")),
            ("ws://host/a@b", None),
            ("ws://@host", None),
            ("ws://:@host", None),
        ];
        for (url, authorization) in rows {
            let target = Target::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(target.authorization(), authorization, "{url}");
            assert!(authorization.is_none_or(|value| !format!("{target:?}").contains(value)), "{url}");
        }
    }

    #[test]
    fn messages_show_no_secrets() {
        for (url, shown) in [
            ("ws://host:81/path", "ws://host:81/path"),
            (" WSS://Host/ä \n", "WSS://Host/ä"),
            ("host/p?token=secret", "host/p"),
            ("ws://host?token=secret", "ws://host"),
            ("ws://host/a#secret", "ws://host/a"),
            ("ws://name:secret@host:81/p@q?x", "ws://host:81/p@q"),
            ("ws://name:se@cret@host", "ws://host"),
            ("http://name:secret@host/x", "http://...@host/x"),
            ("ws://name:se/cret@host:81/x?y", "ws://...@host:81/x"),
            ("ws://name:se?cret@host", "ws://...@host"),
            ("ws://name:se#cret@host", "ws://...@host"),
            ("ws://name:secret@", "ws://...@"),
            ("name:secret@host:x", "...@host:x"),
            ("", ""),
        ] {
            assert_eq!(shown_url(url), shown, "{url}");
            let error = Target::parse(url).map_or_else(|error| error.to_string(), |_| String::new());
            assert!(!error.contains("cret"), "{url}: {error}");
        }
    }

    #[test]
    fn messages_stay_on_one_line() {
        for url in ["ws://a\nb", "ws://a:1\n2", "x\n://a", "a\u{2028}:1:2", "ws://[\r\n"] {
            let error = Target::parse(url).expect_err(url).to_string();
            assert!(
                !error.chars().any(|character| character.is_control() || character == '\u{2028}'),
                "{error}"
            );
        }
    }

    #[test]
    fn host_names_in_ascii() {
        assert_eq!(ascii_host_name("bücher.example").as_deref(), Some("xn--bcher-kva.example"));
        assert_eq!(ascii_host_name("BÜCHER.example").as_deref(), Some("xn--bcher-kva.example"));
        for name in ["game.example", "My Game Server", "Spiel für alle", "ä`", ""] {
            assert_eq!(ascii_host_name(name), None, "{name}");
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
