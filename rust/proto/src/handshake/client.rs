//! Our request and the server's answer (RFC 6455 section 4.1).

use std::time::Duration;

use data_encoding::BASE64;
use tungstenite::handshake::derive_accept_key;

use super::{
    extensions::extensions,
    lines::AnswerHead,
    upgraded::{Upgraded, push_extra_lines, speaks_tls},
};
use crate::{
    CloseCause, Config, DeflateConfig, HttpResponse, Opened, Random, ResponseError, Target,
    buffer::ReceiveBuffer,
    deflate,
    fields::is_named,
    http::{HeadError, HeadScan, Headers, MAX_INTERIM},
    token::is_token,
    trace::Trace,
};

/// How much of a refusing server's body is kept.
const MAX_BODY: usize = 4 * 1024;
/// How long a body is waited for whose end can be told.
const BODY_WAIT: Duration = Duration::from_secs(1);
/// The same where only the end of the connection would tell, which may never come: the body mostly arrives with the head.
const OPEN_BODY_WAIT: Duration = Duration::from_millis(50);

/// How far the handshake has come.
#[derive(Debug)]
pub(crate) enum ClientProgress {
    /// More has to come in.
    Head,
    /// The server refused; the rest of what it says is worth waiting for that long after the head.
    RefusalBody(Duration),
    Done(Result<Upgraded, CloseCause>),
}

/// Waits for the answer to the request.
#[derive(Debug)]
pub(crate) struct ClientHandshake {
    key: String,
    protocols: Vec<String>,
    deflate: Option<DeflateConfig>,
    scan: HeadScan,
    /// Interim answers so far.
    interim: usize,
    refusal: Option<Refusal>,
}

/// An answer that is no upgrade, and how its body ends.
#[derive(Debug)]
struct Refusal {
    response: HttpResponse,
    body_size: Option<usize>,
    is_chunked: bool,
}

impl ClientHandshake {
    /// With the request to send.
    pub(crate) fn new(target: &Target, config: &Config, random: &dyn Random) -> (Self, Vec<u8>) {
        let mut key = [0; 16];
        random.fill(&mut key);
        let key = BASE64.encode(&key);
        let mut protocols = config.supported_protocols.clone();
        protocols.retain(|protocol| is_token(protocol.as_bytes()));
        let request = request(target, config, &key, &protocols);
        let deflate = config.deflate.clone();
        (Self { key, protocols, deflate, scan: HeadScan::default(), interim: 0, refusal: None }, request)
    }

    /// Reads on. `is_over`: nothing more comes in, or has been waited for long enough.
    pub(crate) fn poll(
        &mut self,
        input: &mut ReceiveBuffer,
        is_over: bool,
        trace: &mut Trace,
    ) -> ClientProgress {
        loop {
            if self.refusal.is_some() {
                return self.poll_refusal(input, is_over);
            }
            let size = match self.find_head(input.bytes()) {
                Ok(Some(size)) => size,
                Ok(None) => return ClientProgress::Head,
                Err(error) => return ClientProgress::Done(Err(error.into())),
            };
            let head = input.bytes().get(..size).unwrap_or_default();
            trace.head(head);
            let answer = self.read_answer(head);
            input.consume(size);
            self.scan = HeadScan::default();
            match answer {
                Ok(Answer::Upgrade(upgraded)) => return ClientProgress::Done(Ok(upgraded)),
                Ok(Answer::Interim) if self.interim < MAX_INTERIM => self.interim += 1,
                Ok(Answer::Interim) => {
                    let error = ResponseError::Malformed("too many interim answers");
                    return ClientProgress::Done(Err(error.into()));
                }
                Ok(Answer::Refusal(refusal)) => self.refusal = Some(refusal),
                Err(error) => return ClientProgress::Done(Err(error.into())),
            }
        }
    }

    fn find_head(&mut self, bytes: &[u8]) -> Result<Option<usize>, ResponseError> {
        let start = b"HTTP/";
        if !bytes.iter().zip(start).all(|(byte, expected)| byte == expected) {
            return Err(if speaks_tls(bytes) { ResponseError::Tls } else { ResponseError::NotHttp });
        }
        self.scan.find_end(bytes).map_err(|error| match error {
            HeadError::TooLarge => ResponseError::HeadTooLarge,
            HeadError::BareLineFeed => ResponseError::Malformed("bare line feed"),
        })
    }

    fn read_answer(&self, head: &[u8]) -> Result<Answer, ResponseError> {
        let mut head = head.to_vec();
        let head = AnswerHead::read(&mut head)?;
        match head.status {
            101 if head.version != 1 => Err(ResponseError::HttpVersion),
            101 => {
                let mut upgraded = self.check_upgrade(head.headers())?;
                upgraded.opened.response = Some(Box::new(head.response()));
                Ok(Answer::Upgrade(upgraded))
            }
            100..200 => Ok(Answer::Interim),
            _ => Ok(Answer::Refusal(Refusal::new(head.response(), head.headers()))),
        }
    }

    fn check_upgrade(&self, headers: Headers<'_>) -> Result<Upgraded, ResponseError> {
        if !headers.has_token("Upgrade", "websocket") {
            return Err(ResponseError::NoUpgrade);
        }
        if !headers.has_token("Connection", "upgrade") {
            return Err(ResponseError::NoConnectionUpgrade);
        }
        let accept = derive_accept_key(self.key.as_bytes());
        if headers.single("Sec-WebSocket-Accept") != Ok(Some(accept.as_bytes())) {
            return Err(ResponseError::Accept);
        }
        let extensions =
            extensions(headers).map_err(|_| ResponseError::Malformed("Sec-WebSocket-Extensions"))?;
        let deflate = deflate::check_answer(&extensions, self.deflate.as_ref())?;
        let selected_protocol = self.check_protocol(headers)?;
        let opened = Opened { selected_protocol, is_compressed: deflate.is_some(), ..Opened::default() };
        Ok(Upgraded { opened, deflate })
    }

    fn check_protocol(&self, headers: Headers<'_>) -> Result<String, ResponseError> {
        let mut answered = headers.all("Sec-WebSocket-Protocol").map(String::from_utf8_lossy);
        match (answered.next(), answered.next()) {
            (None, _) if self.protocols.is_empty() => Ok(String::new()),
            (None, _) => Err(ResponseError::NoProtocol),
            (Some(name), None) if self.protocols.iter().any(|known| known == name.trim()) => {
                Ok(name.trim().to_owned())
            }
            (Some(name), None) => Err(ResponseError::UnaskedProtocol(name.into_owned())),
            (Some(first), Some(second)) => Err(ResponseError::UnaskedProtocol(format!("{first}, {second}"))),
        }
    }

    fn poll_refusal(&mut self, input: &mut ReceiveBuffer, is_over: bool) -> ClientProgress {
        let is_complete = self.refusal.as_ref().is_none_or(|refusal| refusal.is_complete(input.bytes()));
        let wait = self.refusal.as_ref().map_or(Duration::ZERO, Refusal::body_wait);
        match self.refusal.take_if(|_| is_complete || is_over) {
            Some(refusal) => {
                ClientProgress::Done(Err(CloseCause::HttpStatus(Box::new(refusal.finish(input.bytes())))))
            }
            None => ClientProgress::RefusalBody(wait),
        }
    }
}

/// What a whole head means.
enum Answer {
    Upgrade(Upgraded),
    /// RFC 9110 section 15.2: 1xx other than 101, another head follows.
    Interim,
    Refusal(Refusal),
}

/// In the engine's order. A script's `Host` takes the place of ours.
fn request(target: &Target, config: &Config, key: &str, protocols: &[String]) -> Vec<u8> {
    let mut head = format!("GET {} HTTP/1.1\r\n", target.request_target);
    let before = head.len();
    push_extra_lines(&mut head, config, |line| is_named(line, "Host"));
    if head.len() == before {
        head.push_str(&format!("Host: {}\r\n", target.host_header()));
    }
    head.push_str(&format!(
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
    ));
    if !protocols.is_empty() {
        head.push_str(&format!("Sec-WebSocket-Protocol: {}\r\n", protocols.join(",")));
    }
    if let Some(config) = &config.deflate {
        head.push_str(&format!("Sec-WebSocket-Extensions: {}\r\n", deflate::offer(config)));
    }
    let has_own = config.handshake_headers.iter().any(|line| is_named(line, "Authorization"));
    if let Some(authorization) = target.authorization().filter(|_| !has_own) {
        head.push_str(&format!("Authorization: {authorization}\r\n"));
    }
    push_extra_lines(&mut head, config, |line| !is_named(line, "Host"));
    head.push_str("\r\n");
    head.into_bytes()
}

impl Refusal {
    fn new(response: HttpResponse, headers: Headers<'_>) -> Self {
        let is_chunked = headers.has_token("Transfer-Encoding", "chunked");
        let length = headers
            .all("Content-Length")
            .next()
            .and_then(|value| str::from_utf8(value).ok()?.trim().parse().ok());
        let body_size = match response.status {
            204 | 304 => Some(0),
            _ if is_chunked => None,
            _ => length,
        };
        Self { response, body_size, is_chunked }
    }

    fn body_wait(&self) -> Duration {
        if self.body_size.is_some() || self.is_chunked { BODY_WAIT } else { OPEN_BODY_WAIT }
    }

    fn is_complete(&self, bytes: &[u8]) -> bool {
        let enough = self.body_size.map_or(MAX_BODY, |size| size.min(MAX_BODY));
        bytes.len() >= enough || self.is_chunked && unchunk(bytes).1
    }

    fn finish(mut self, bytes: &[u8]) -> HttpResponse {
        let mut body = if self.is_chunked { unchunk(bytes).0 } else { bytes.to_vec() };
        body.truncate(self.body_size.unwrap_or(MAX_BODY).min(MAX_BODY));
        self.response.body = body;
        self.response
    }
}

/// What there is of a chunked body (RFC 9112 section 7.1), and whether it is whole. It is for people to read: what cannot
/// be understood ends it.
fn unchunk(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Ok(httparse::Status::Complete((line, size))) = httparse::parse_chunk_size(bytes) {
        if size == 0 {
            return (body, true);
        }
        let rest = bytes.get(line..).unwrap_or_default();
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let Some(chunk) = rest.get(..size) else {
            body.extend_from_slice(rest);
            return (body, false);
        };
        body.extend_from_slice(chunk);
        bytes = rest.get(size..).and_then(|rest| rest.strip_prefix(b"\r\n")).unwrap_or_default();
    }
    (body, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunked_bodies() {
        assert_eq!(unchunk(b"4\r\nWiki\r\n5;x=y\r\npedia\r\n0\r\n\r\n"), (b"Wikipedia".to_vec(), true));
        assert_eq!(unchunk(b"4\r\nWiki\r\n5\r\npe"), (b"Wikipe".to_vec(), false));
        assert_eq!(unchunk(b"4\r\nWikix"), (b"Wiki".to_vec(), false));
        assert_eq!(unchunk(b"ffffffffffffffff\r\nab"), (b"ab".to_vec(), false));
        assert_eq!(unchunk(b"zz"), (Vec::new(), false));
    }
}
