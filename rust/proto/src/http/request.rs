//! A request's head, kept as received.

use std::{borrow::Cow, collections::HashSet, ops::Range};

use url::form_urlencoded;

use super::{
    cookies::cookies,
    headers::{Headers, MAX_HEAD, MAX_LINES},
};
use crate::{RequestError, authority::is_authority, token::is_token};

/// What a request asks for. Others than these are not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// An upgrade, or a document.
    Get,
    /// A document without its content.
    Head,
}

impl Method {
    /// As in the request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
        }
    }
}

/// A request whose head is whole and valid. It keeps the head (at most 16 KiB) and reads from it when it is asked.
///
/// Bytes that are no UTF-8 are shown as U+FFFD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    head: Box<[u8]>,
    method: Method,
    /// Without the query, and without scheme and host.
    path: Span,
    /// Behind the question mark.
    query: Option<Span>,
    /// The host in the request line, where it has one.
    authority: Option<Span>,
    lines: Box<[Line]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line {
    name: Span,
    value: Span,
}

/// A part of the head. Heads are too short for more than 16 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: u16,
    end: u16,
}

impl Span {
    /// `part` lies within `whole`.
    fn of(part: &[u8], whole: &[u8]) -> Self {
        let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
        let narrow = |offset: usize| u16::try_from(offset).unwrap_or(u16::MAX);
        Self { start: narrow(start), end: narrow(start.wrapping_add(part.len())) }
    }

    fn range(self) -> Range<usize> {
        usize::from(self.start)..usize::from(self.end)
    }
}

impl Request {
    /// Reads a whole head, the empty line included.
    ///
    /// # Errors
    /// What is wrong with it, with the status for the answer: 400, 405, 431 or 505.
    pub fn parse(head: &[u8]) -> Result<Self, RequestError> {
        if head.len() > MAX_HEAD {
            return Err(RequestError::HeadTooLarge);
        }
        let head: Box<[u8]> = head.into();
        let mut lines = [httparse::EMPTY_HEADER; MAX_LINES];
        let mut request = httparse::Request::new(&mut lines);
        match request.parse(&head) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) => return Err(RequestError::Malformed("cut short")),
            Err(httparse::Error::TooManyHeaders) => return Err(RequestError::TooManyHeaders),
            Err(httparse::Error::Version) => return Err(RequestError::HttpVersion),
            Err(httparse::Error::HeaderName) => return Err(RequestError::Malformed("header name")),
            Err(httparse::Error::HeaderValue) => return Err(RequestError::Malformed("header value")),
            Err(_) => return Err(RequestError::Malformed("request line")),
        }
        let method = match request.method {
            Some("GET") => Method::Get,
            Some("HEAD") => Method::Head,
            _ => return Err(RequestError::Method),
        };
        if request.version != Some(1) {
            return Err(RequestError::HttpVersion);
        }
        check_host(Headers(request.headers))?;
        let target = Target::parse(request.path.unwrap_or_default())?;
        let span = |part: &[u8]| Span::of(part, &head);
        let line = |header: &httparse::Header<'_>| Line {
            name: span(header.name.as_bytes()),
            value: span(header.value.trim_ascii()),
        };
        let lines = request.headers.iter().map(line).collect();
        let path = span(target.path.as_bytes());
        let query = target.query.map(|query| span(query.as_bytes()));
        let authority = target.authority.map(|authority| span(authority.as_bytes()));
        Ok(Self { method, path, query, authority, lines, head })
    }

    /// What is asked for.
    pub fn method(&self) -> Method {
        self.method
    }

    /// As sent, without the query; `/` if the request line names a host only.
    pub fn path(&self) -> Cow<'_, str> {
        match self.text(self.path) {
            Cow::Borrowed("") => Cow::Borrowed("/"),
            path => path,
        }
    }

    /// As sent, without the question mark; empty without one.
    pub fn query(&self) -> Cow<'_, str> {
        self.query.map(|query| self.text(query)).unwrap_or_default()
    }

    /// Path and query as sent, with the slash that a URL may leave out.
    pub fn target(&self) -> String {
        match self.query {
            Some(query) => format!("{}?{}", self.path(), self.text(query)),
            None => self.path().into_owned(),
        }
    }

    /// Names and values of the query in order, percent-decoded, a plus sign being a space. Of a repeated name the first;
    /// a name without a value has an empty one.
    pub fn query_parameters(&self) -> Vec<(String, String)> {
        let query = self.query.map(|query| self.bytes(query)).unwrap_or_default();
        let mut known = HashSet::new();
        form_urlencoded::parse(query).into_owned().filter(|(name, _)| known.insert(name.clone())).collect()
    }

    /// Names and values in order, names as written.
    pub fn headers(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        self.lines.iter().map(|line| (self.text(line.name), self.text(line.value)))
    }

    /// The value of a header, its name in any case; of several lines all values, joined by `, `.
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut values = self.values(name).map(String::from_utf8_lossy);
        let first = values.next()?;
        Some(values.fold(first, |joined, value| Cow::Owned(format!("{joined}, {value}"))))
    }

    /// Whether there is such a header, its name in any case.
    pub fn has_header(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// The values of all lines of that name, as received.
    pub fn values(&self, name: &str) -> impl DoubleEndedIterator<Item = &[u8]> {
        let is_named = move |line: &&Line| self.bytes(line.name).eq_ignore_ascii_case(name.as_bytes());
        self.lines.iter().filter(is_named).map(|line| self.bytes(line.value))
    }

    /// Names and values of the cookies, in order; of a repeated name the first.
    pub fn cookies(&self) -> Vec<(String, String)> {
        cookies(self.values("Cookie"))
    }

    /// The page that asks, if it is one (RFC 6454 section 7).
    pub fn origin(&self) -> Option<Cow<'_, str>> {
        self.header("Origin")
    }

    /// The `Host` header.
    pub fn host(&self) -> Cow<'_, str> {
        self.header("Host").unwrap_or_default()
    }

    /// The host asked for: from the request line where it has one (RFC 9112 section 3.2.2), else the `Host` header.
    pub fn authority(&self) -> Cow<'_, str> {
        self.authority.map_or_else(|| self.host(), |authority| self.text(authority))
    }

    /// The offered subprotocols in the client's order; what is none is left out.
    pub fn protocols(&self) -> Vec<String> {
        self.list("Sec-WebSocket-Protocol")
            .filter(|name| is_token(name))
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect()
    }

    /// Whether the client asks for a WebSocket; otherwise it is a plain request, as every HEAD is.
    pub fn is_upgrade(&self) -> bool {
        let is_websocket = |member: &[u8]| member.eq_ignore_ascii_case(b"websocket");
        self.method == Method::Get && self.list("Upgrade").any(is_websocket)
    }

    /// Whether content follows the head, or may: what comes next is then neither a frame nor another request.
    pub fn has_body(&self) -> bool {
        let is_zero = |value: &[u8]| !value.is_empty() && value.iter().all(|digit| *digit == b'0');
        self.has_header("Transfer-Encoding") || self.values("Content-Length").any(|value| !is_zero(value))
    }

    /// The members of a list, which may be spread over several lines (RFC 9110 section 5.6.1).
    fn list(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.values(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .filter(|member| !member.is_empty())
    }

    /// All lines. Their names are tokens.
    pub(crate) fn fields(&self) -> Vec<httparse::Header<'_>> {
        let field = |line: &Line| httparse::Header {
            name: str::from_utf8(self.bytes(line.name)).unwrap_or_default(),
            value: self.bytes(line.value),
        };
        self.lines.iter().map(field).collect()
    }

    fn bytes(&self, span: Span) -> &[u8] {
        self.head.get(span.range()).unwrap_or_default()
    }

    fn text(&self, span: Span) -> Cow<'_, str> {
        String::from_utf8_lossy(self.bytes(span))
    }
}

fn check_host(headers: Headers<'_>) -> Result<(), RequestError> {
    match headers.single("Host") {
        Ok(Some(host)) if str::from_utf8(host).is_ok_and(is_authority) => Ok(()),
        _ => Err(RequestError::Host),
    }
}

/// A request target in its parts.
struct Target<'a> {
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Target<'a> {
    /// A path, or a URL (RFC 9112 section 3.2).
    fn parse(target: &'a str) -> Result<Self, RequestError> {
        let (authority, rest) = if target.starts_with('/') {
            (None, target)
        } else {
            let (scheme, rest) = target.split_once("://").ok_or(RequestError::Target)?;
            let known = ["http", "https", "ws", "wss"];
            let (authority, rest) = rest
                .split_at_checked(rest.find(['/', '?']).unwrap_or(rest.len()))
                .ok_or(RequestError::Target)?;
            if !is_authority(authority) || !known.iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
                return Err(RequestError::Target);
            }
            (Some(authority), rest)
        };
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        Ok(Self { authority, path, query })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(head: &str) -> Result<Request, RequestError> {
        Request::parse(head.replace('\n', "\r\n").as_bytes())
    }

    fn get(target: &str, lines: &str) -> Request {
        parse(&format!("GET {target} HTTP/1.1\nHost: game.example\n{lines}\n")).unwrap()
    }

    fn pairs(pairs: Vec<(String, String)>) -> String {
        pairs.into_iter().map(|(name, value)| format!("{name}:{value}")).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn path_and_query_as_sent() {
        for (target, path, query) in [
            ("/", "/", ""),
            ("/room/7", "/room/7", ""),
            ("/room/7?a=1&b=x%20y", "/room/7", "a=1&b=x%20y"),
            ("/?", "/", ""),
            ("/??a", "/", "?a"),
            ("/a%2fb/../c", "/a%2fb/../c", ""),
            ("//double", "//double", ""),
            ("http://other.example/x?y", "/x", "y"),
            ("ws://other.example", "/", ""),
            ("wss://other.example:1?y", "/", "y"),
        ] {
            let request = get(target, "");
            assert_eq!((&*request.path(), &*request.query()), (path, query), "{target}");
            assert_eq!(request.host(), "game.example");
            assert!(target.ends_with(&request.target()) || request.target().starts_with('/'), "{target}");
        }
        assert_eq!(get("/a?", "").target(), "/a?");
        assert_eq!(get("wss://other.example:1?y", "").target(), "/?y");
        assert_eq!(get("/", "").authority(), "game.example");
        assert_eq!(get("http://other.example:1/x", "").authority(), "other.example:1");
    }

    #[test]
    fn query_parameters() {
        for (query, expected) in [
            ("", ""),
            ("a=1&b=2", "a:1|b:2"),
            ("a=1&a=2&b=3", "a:1|b:3"),
            ("a=x%20y+z&b%3d=%26", "a:x y z|b=:&"),
            ("a&b=&=c", "a:|b:|:c"),
            ("&&a=1&&", "a:1"),
            ("a=1=2", "a:1=2"),
            ("a=%C3%BC&b=%ff&c=%zz&d=%", "a:\u{fc}|b:\u{fffd}|c:%zz|d:%"),
            ("ticket=a.b-c_d~e", "ticket:a.b-c_d~e"),
        ] {
            assert_eq!(pairs(get(&format!("/?{query}"), "").query_parameters()), expected, "{query}");
        }
    }

    #[test]
    fn headers() {
        let request = get("/", "X-One:  1 \nx-two: a\nX-TWO:b\nEmpty:\n");
        let all: Vec<_> = request.headers().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(all, ["Host=game.example", "X-One=1", "x-two=a", "X-TWO=b", "Empty="]);
        assert_eq!(request.header("x-ONE").as_deref(), Some("1"));
        assert_eq!(request.header("X-Two").as_deref(), Some("a, b"));
        assert_eq!(request.header("empty").as_deref(), Some(""));
        assert_eq!(request.header("X"), None);
        assert!(request.has_header("EMPTY") && !request.has_header("X-Three"));
    }

    #[test]
    fn cookies_origin_and_protocols() {
        let request = get(
            "/",
            "Cookie: a=1; b=\"2\"\nOrigin: https://game.example\nSec-WebSocket-Protocol: v2, v1\nsec-websocket-protocol: bad name, x\n",
        );
        assert_eq!(pairs(request.cookies()), "a:1|b:2");
        assert_eq!(request.origin().as_deref(), Some("https://game.example"));
        assert_eq!(request.protocols(), ["v2", "v1", "x"]);
        assert_eq!((get("/", "").origin(), get("/", "").protocols().len()), (None, 0));
        let twice = get("/", "Origin: https://a.example\nOrigin: https://b.example\n");
        assert_eq!(twice.origin().as_deref(), Some("https://a.example, https://b.example"));
    }

    #[test]
    fn upgrades_and_plain_requests() {
        assert!(get("/", "Upgrade: WebSocket\n").is_upgrade());
        assert!(get("/", "Upgrade: h2c, websocket\n").is_upgrade());
        assert!(!get("/", "").is_upgrade() && !get("/", "Upgrade: h2c\n").is_upgrade());
        let head = parse("HEAD /health HTTP/1.1\nHost: a\nUpgrade: websocket\n\n").unwrap();
        assert!(!head.is_upgrade());
        assert_eq!((head.method(), head.method().as_str()), (Method::Head, "HEAD"));
        assert_eq!(get("/", "").method(), Method::Get);
    }

    #[test]
    fn bodies() {
        for (lines, has_body) in [
            ("", false),
            ("Content-Length: 0\n", false),
            ("Content-Length: 00\n", false),
            ("Content-Length: 5\n", true),
            ("content-length: 0\nContent-Length: 5\n", true),
            ("Content-Length:\n", true),
            ("Content-Length: x\n", true),
            ("Content-Length: 0, 5\n", true),
            ("Transfer-Encoding: chunked\n", true),
            ("transfer-encoding: identity\n", true),
        ] {
            assert_eq!(get("/", lines).has_body(), has_body, "{lines}");
        }
    }

    #[test]
    fn refused() {
        let long = format!("GET / HTTP/1.1\nHost: a\nX: {}\n\n", "x".repeat(MAX_HEAD));
        let many = format!("GET / HTTP/1.1\nHost: a\n{}\n", "X: y\n".repeat(MAX_LINES));
        for (head, error) in [
            ("POST / HTTP/1.1\nHost: a\n\n", RequestError::Method),
            ("get / HTTP/1.1\nHost: a\n\n", RequestError::Method),
            ("OPTIONS * HTTP/1.1\nHost: a\n\n", RequestError::Method),
            ("CONNECT a:1 HTTP/1.1\nHost: a\n\n", RequestError::Method),
            ("GET / HTTP/1.0\nHost: a\n\n", RequestError::HttpVersion),
            ("GET / HTTP/2.0\nHost: a\n\n", RequestError::HttpVersion),
            ("GET / HTTP/1.1\n\n", RequestError::Host),
            ("GET / HTTP/1.1\nHost: a\nHost: a\n\n", RequestError::Host),
            ("GET / HTTP/1.1\nHost: a b\n\n", RequestError::Host),
            ("GET / HTTP/1.1\nHost: a@b\n\n", RequestError::Host),
            ("GET a HTTP/1.1\nHost: a\n\n", RequestError::Target),
            ("GET * HTTP/1.1\nHost: a\n\n", RequestError::Target),
            ("GET ftp://a/ HTTP/1.1\nHost: a\n\n", RequestError::Target),
            ("GET http:/// HTTP/1.1\nHost: a\n\n", RequestError::Target),
            ("GET http://u@a/ HTTP/1.1\nHost: a\n\n", RequestError::Target),
            ("GET / HTTP/1.1\nHost: a\nA B: c\n\n", RequestError::Malformed("header name")),
            ("GET / HTTP/1.1\nHost: a\nA: \u{1}\n\n", RequestError::Malformed("header value")),
            ("GET / HTTP/1.1\nHost: a\nA: b\n c\n\n", RequestError::Malformed("header name")),
            ("GET /\nHost: a\n\n", RequestError::Malformed("request line")),
            ("GET / HTTP/1.1\nHost: a\n", RequestError::Malformed("cut short")),
            (&long, RequestError::HeadTooLarge),
            (&many, RequestError::TooManyHeaders),
        ] {
            assert_eq!(parse(head), Err(error), "{}", head.get(..60).unwrap_or(head));
        }
    }

    #[test]
    fn bytes_that_are_no_text() {
        let request = Request::parse(b"\r\nGET /\xff?\xfe=1 HTTP/1.1\r\nHost: a\r\nX: \xff\r\n\r\n");
        // Whether such a target passes is httparse's rule; a value does.
        if let Ok(request) = request {
            assert_eq!(request.header("X").as_deref(), Some("\u{fffd}"));
        }
        let request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\nX: \xff\r\n\r\n").unwrap();
        assert_eq!(request.header("X").as_deref(), Some("\u{fffd}"));
    }

    #[test]
    fn little_is_kept() {
        assert!(size_of::<Line>() == 8);
    }
}
