//! What a server answers to a request that does not become a WebSocket.

use std::fmt::Write;

use bytes::Bytes;

use super::{Method, status_name};
use crate::{HandshakeLineError, fields};

/// Largest body, in bytes.
const MAX_BODY: usize = 16 * 1024 * 1024;
const TEXT: &str = "text/plain; charset=utf-8";
const BINARY: &str = "application/octet-stream";

/// An HTTP answer. The connection ends behind it.
///
/// `Content-Length` and `Connection: close` are written here; `Content-Type` and `Cache-Control: no-store` unless they are
/// given. An empty body of a status from 400 is the status's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    status: u16,
    /// Without those that are written here.
    headers: Vec<String>,
    content_type: &'static str,
    body: Bytes,
    /// By whoever decides, not by the server itself.
    is_given: bool,
}

/// Why an answer cannot be given, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// Not 200 to 599.
    #[error("{0} is no status to answer a request with: use 200 to 599, for example 404")]
    Status(i64),
    /// Over 16 MiB.
    #[error(
        "the body has {0} bytes, and at most 16777216 can be answered: serve large files with a web server"
    )]
    BodyTooLarge(usize),
    /// Not a header line.
    #[error(transparent)]
    Header(#[from] HandshakeLineError),
    /// One that says where the answer ends.
    #[error(
        "the header {0:?} cannot be given: the server writes Connection, Content-Length and Transfer-Encoding itself"
    )]
    ReservedHeader(String),
}

/// An answer in bytes, in two parts so that a large body need not be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedAnswer {
    /// Status line and header lines, the empty line included.
    pub head: Vec<u8>,
    /// Empty where none goes out.
    pub body: Bytes,
}

impl Answer {
    /// An answer in text.
    ///
    /// # Errors
    /// See [`AnswerError`].
    pub fn text(status: i64, body: impl Into<String>, headers: Vec<String>) -> Result<Self, AnswerError> {
        Self::new(status, Bytes::from(body.into().into_bytes()), headers, TEXT)
    }

    /// An answer of bytes.
    ///
    /// # Errors
    /// See [`AnswerError`].
    pub fn binary(status: i64, body: Bytes, headers: Vec<String>) -> Result<Self, AnswerError> {
        Self::new(status, body, headers, BINARY)
    }

    /// 500, for a request that whoever decides on it forgets.
    pub fn internal_error() -> Self {
        Self::short(500, "the server failed to answer this request\n".to_owned(), Vec::new())
    }

    /// 503, for a request that nobody will decide on any more.
    pub fn shutting_down() -> Self {
        Self::short(503, "the server is shutting down\n".to_owned(), Vec::new())
    }

    /// Of the server's own, with a body that is there and headers that are right.
    pub(crate) fn short(status: u16, body: String, headers: Vec<String>) -> Self {
        Self { status, headers, content_type: TEXT, body: body.into(), is_given: false }
    }

    fn new(
        status: i64,
        body: Bytes,
        headers: Vec<String>,
        content_type: &'static str,
    ) -> Result<Self, AnswerError> {
        let known = u16::try_from(status).ok().filter(|status| (200..600).contains(status));
        let status = known.ok_or(AnswerError::Status(status))?;
        for line in &headers {
            check_header(line)?;
        }
        if body.len() > MAX_BODY {
            return Err(AnswerError::BodyTooLarge(body.len()));
        }
        Ok(if body.is_empty() && status >= 400 {
            Self { status, headers, content_type: TEXT, body: named_body(status), is_given: true }
        } else {
            Self { status, headers, content_type, body, is_given: true }
        })
    }

    /// Whether it was made by whoever decides on requests, and not by the server because nobody has.
    pub fn is_given(&self) -> bool {
        self.is_given
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The answer to a request with this method: to HEAD, and with 204, 205 and 304, no body goes out.
    pub fn encode(&self, method: Method) -> EncodedAnswer {
        let has_content = !matches!(self.status, 204 | 205 | 304);
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, status_name(self.status));
        let mut line = |text: &str| {
            head.push_str(text);
            head.push_str("\r\n");
        };
        if has_content && !self.has_header("Content-Type") {
            line(&format!("Content-Type: {}", self.content_type));
        }
        if !self.has_header("Cache-Control") {
            line("Cache-Control: no-store");
        }
        self.headers.iter().for_each(|header| line(header));
        // RFC 9110 section 7.8: whoever sends Upgrade names it in Connection.
        line(if self.has_header("Upgrade") { "Connection: close, Upgrade" } else { "Connection: close" });
        // RFC 9110 section 8.6: none with 204; with 304 it would be that of another answer.
        if has_content {
            let _ = write!(head, "Content-Length: {}\r\n", self.body.len()); // writing to a String does not fail
        } else if self.status == 205 {
            head.push_str("Content-Length: 0\r\n");
        }
        head.push_str("\r\n");
        let is_sent = has_content && method == Method::Get;
        let body = if is_sent { self.body.clone() } else { Bytes::new() };
        EncodedAnswer { head: head.into_bytes(), body }
    }

    fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|line| name_of(line).eq_ignore_ascii_case(name))
    }
}

fn check_header(line: &str) -> Result<(), AnswerError> {
    fields::check_grammar(line)?;
    let reserved = ["Connection", "Content-Length", "Transfer-Encoding"];
    if reserved.iter().any(|reserved| name_of(line).eq_ignore_ascii_case(reserved)) {
        return Err(AnswerError::ReservedHeader(name_of(line).to_owned()));
    }
    Ok(())
}

fn name_of(line: &str) -> &str {
    line.split_once(':').map_or(line, |(name, _)| name)
}

fn named_body(status: u16) -> Bytes {
    match status_name(status) {
        "" => format!("Status {status}").into(),
        name => Bytes::from_static(name.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(answer: &Answer, method: Method) -> String {
        let EncodedAnswer { head, body } = answer.encode(method);
        String::from_utf8([head, body.to_vec()].concat()).unwrap()
    }

    fn text(status: i64, body: &str, headers: &[&str]) -> Result<Answer, AnswerError> {
        Answer::text(status, body, headers.iter().map(|line| (*line).to_owned()).collect())
    }

    fn sent(status: i64, body: &str, headers: &[&str]) -> String {
        encode(&text(status, body, headers).unwrap(), Method::Get)
    }

    #[test]
    fn byte_for_byte() {
        assert_eq!(
            sent(200, "ok", &[]),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n\
             Connection: close\r\nContent-Length: 2\r\n\r\nok"
        );
        assert_eq!(
            sent(403, "", &["X-Why: because", "Set-Cookie: a=1", "Set-Cookie: b=2"]),
            "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n\
             X-Why: because\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nConnection: close\r\nContent-Length: 9\r\n\r\nForbidden"
        );
        let page = Answer::binary(200, Bytes::from_static(b"\0\xff"), Vec::new()).unwrap();
        let EncodedAnswer { head, body } = page.encode(Method::Get);
        assert_eq!(&body[..], b"\0\xff");
        assert_eq!(
            String::from_utf8(head).unwrap(),
            "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nCache-Control: no-store\r\n\
             Connection: close\r\nContent-Length: 2\r\n\r\n"
        );
    }

    #[test]
    fn given_headers_take_the_place_of_the_usual_ones() {
        let answer = sent(200, "<p>", &["content-type: text/html", "CACHE-CONTROL: max-age=60"]);
        assert_eq!(
            answer,
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nCACHE-CONTROL: max-age=60\r\n\
             Connection: close\r\nContent-Length: 3\r\n\r\n<p>"
        );
        let upgrade = sent(426, "", &["Upgrade: websocket", "Sec-WebSocket-Version: 13"]);
        assert!(upgrade.contains("\r\nConnection: close, Upgrade\r\n"), "{upgrade}");
    }

    #[test]
    fn empty_bodies() {
        assert!(sent(200, "", &[]).ends_with("Content-Length: 0\r\n\r\n"));
        assert!(sent(302, "", &["Location: /x"]).ends_with("Content-Length: 0\r\n\r\n"));
        for (status, body) in [
            (400, "Bad Request"),
            (404, "Not Found"),
            (429, "Too Many Requests"),
            (503, "Service Unavailable"),
            (599, "Status 599"),
        ] {
            assert!(
                sent(status, "", &[]).ends_with(&format!("\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
            );
        }
        let raw = encode(&Answer::binary(404, Bytes::new(), Vec::new()).unwrap(), Method::Get);
        assert!(raw.contains("Content-Type: text/plain") && raw.ends_with("Not Found"), "{raw}");
        assert!(sent(499, "own", &[]).starts_with("HTTP/1.1 499 \r\n"));
    }

    #[test]
    fn no_body_goes_out() {
        let head = encode(&text(200, "hello", &[]).unwrap(), Method::Head);
        assert!(head.ends_with("Content-Length: 5\r\n\r\n"), "the size is that of the body for GET: {head}");
        let head = encode(&text(404, "", &[]).unwrap(), Method::Head);
        assert!(head.ends_with("Content-Length: 9\r\n\r\n"), "{head}");
        for status in [204, 304] {
            let answer = sent(status, "hello", &["ETag: \"x\""]);
            assert!(answer.ends_with("\r\n\r\n") && !answer.contains("Content-Length"), "{answer}");
            assert!(!answer.contains("Content-Type") && answer.contains("ETag"), "{answer}");
        }
        assert!(sent(205, "hello", &[]).ends_with("Content-Length: 0\r\n\r\n"));
    }

    #[test]
    fn statuses() {
        for status in [200, 299, 301, 418, 599] {
            assert_eq!(text(status, "x", &[]).map(|answer| i64::from(answer.status())), Ok(status));
        }
        for status in [i64::MIN, -1, 0, 99, 100, 101, 199, 600, 999, 65_736, i64::MAX] {
            assert_eq!(text(status, "x", &[]), Err(AnswerError::Status(status)));
        }
    }

    #[test]
    fn header_injection() {
        for line in ["A: b\r\nC: d", "A: b\n", "A: b\r", "A: \0", "A\r\n\r\n<script>: b"] {
            let error = HandshakeLineError::ControlCharacter(line.to_owned());
            assert_eq!(text(200, "", &["X: y", line]), Err(AnswerError::Header(error)));
        }
        for line in ["no colon", "", ": x", "A B: c"] {
            assert!(matches!(text(200, "", &[line]), Err(AnswerError::Header(_))), "{line}");
        }
        for (line, name) in [
            ("Content-Length: 5", "Content-Length"),
            ("content-length:5", "content-length"),
            ("Transfer-Encoding: chunked", "Transfer-Encoding"),
            ("CONNECTION: keep-alive", "CONNECTION"),
        ] {
            assert_eq!(text(200, "", &[line]), Err(AnswerError::ReservedHeader(name.to_owned())));
        }
    }

    #[test]
    fn bodies_of_just_the_limit() {
        let body = |size| Bytes::from(vec![0; size]);
        assert!(Answer::binary(200, body(MAX_BODY), Vec::new()).is_ok());
        assert_eq!(
            Answer::binary(200, body(MAX_BODY + 1), Vec::new()),
            Err(AnswerError::BodyTooLarge(MAX_BODY + 1))
        );
    }
}
