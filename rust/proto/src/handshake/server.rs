//! A client's request and our answer (RFC 6455 section 4.2).

use tungstenite::handshake::derive_accept_key;

use super::{
    extensions::extensions,
    headers::{HeadError, HeadScan, Headers, MAX_LINES, is_key},
    upgraded::{Upgraded, push_extra_lines, speaks_tls},
};
use crate::{
    Config, DeflateConfig, Opened, RequestError, Scheme,
    authority::is_authority,
    buffer::ReceiveBuffer,
    deflate::{self, Agreed},
    token::{is_token, is_token_byte},
};

/// Waits for a request.
#[derive(Debug)]
pub(crate) struct ServerHandshake {
    scheme: Scheme,
    scan: HeadScan,
}

/// An answered request.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) response: Vec<u8>,
    pub(crate) result: Result<Upgraded, RequestError>,
}

impl ServerHandshake {
    pub(crate) fn new(scheme: Scheme) -> Self {
        Self { scheme, scan: HeadScan::default() }
    }

    /// Reads on; `None` if there is more to come.
    pub(crate) fn poll(&mut self, input: &mut ReceiveBuffer, config: &Config) -> Option<Answered> {
        let request = match self.find_head(input.bytes()) {
            Ok(size) => {
                let size = size?;
                let request =
                    read_request(input.bytes().get(..size).unwrap_or_default(), self.scheme, config);
                input.consume(size);
                request
            }
            Err(error) => Err(error),
        };
        Some(match request {
            Ok(request) => Answered { response: acceptance(&request, config), result: Ok(request.upgraded) },
            Err(error) => Answered { response: refusal(error), result: Err(error) },
        })
    }

    fn find_head(&mut self, bytes: &[u8]) -> Result<Option<usize>, RequestError> {
        // Neither has line ends to wait for.
        if speaks_tls(bytes) {
            return Err(RequestError::Tls);
        }
        if bytes.first().is_some_and(|byte| !is_token_byte(*byte) && *byte != b'\r' && *byte != b'\n') {
            return Err(RequestError::NotHttp);
        }
        self.scan.find_end(bytes).map_err(|error| match error {
            HeadError::TooLarge => RequestError::HeadTooLarge,
            HeadError::BareLineFeed => RequestError::Malformed("bare line feed"),
        })
    }
}

/// A request worth a 101.
struct Request {
    accept: String,
    /// What is answered for permessage-deflate.
    extension: Option<String>,
    upgraded: Upgraded,
}

fn read_request(head: &[u8], scheme: Scheme, config: &Config) -> Result<Request, RequestError> {
    let mut lines = [httparse::EMPTY_HEADER; MAX_LINES];
    let mut request = httparse::Request::new(&mut lines);
    match request.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(RequestError::Malformed("cut short")),
        Err(httparse::Error::TooManyHeaders) => return Err(RequestError::TooManyHeaders),
        Err(httparse::Error::Version) => return Err(RequestError::HttpVersion),
        Err(httparse::Error::HeaderName) => return Err(RequestError::Malformed("header name")),
        Err(httparse::Error::HeaderValue) => return Err(RequestError::Malformed("header value")),
        Err(_) => return Err(RequestError::Malformed("request line")),
    }
    if request.method != Some("GET") {
        return Err(RequestError::Method);
    }
    if request.version != Some(1) {
        return Err(RequestError::HttpVersion);
    }
    let headers = Headers(request.headers);
    let host = host(headers)?;
    let requested_url = Some(requested_url(scheme, host, request.path.unwrap_or_default())?);
    let accept = check_upgrade(headers)?;
    let selected_protocol = select_protocol(headers, &config.supported_protocols)?;
    let (deflate, extension) = select_deflate(headers, config.deflate.as_ref())?.unzip();
    let opened =
        Opened { selected_protocol, requested_url, is_compressed: deflate.is_some(), response: None };
    Ok(Request { accept, extension, upgraded: Upgraded { opened, deflate } })
}

fn host(headers: Headers<'_>) -> Result<&str, RequestError> {
    match headers.single("Host") {
        Ok(Some(host)) => {
            str::from_utf8(host).ok().filter(|host| is_authority(host)).ok_or(RequestError::Host)
        }
        _ => Err(RequestError::Host),
    }
}

/// Scheme, host and target put together. An absolute target names the host itself (RFC 9112 section 3.2.2).
fn requested_url(scheme: Scheme, host: &str, target: &str) -> Result<String, RequestError> {
    let prefix = match scheme {
        Scheme::Ws => "ws://",
        Scheme::Wss => "wss://",
    };
    if target.starts_with('/') {
        return Ok(format!("{prefix}{host}{target}"));
    }
    let (target_scheme, rest) = target.split_once("://").ok_or(RequestError::Target)?;
    let known = ["http", "https", "ws", "wss"];
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if !is_authority(authority) || !known.iter().any(|known| target_scheme.eq_ignore_ascii_case(known)) {
        return Err(RequestError::Target);
    }
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok(format!("{prefix}{authority}{slash}{path}"))
}

/// The accept key of a request that asks for our protocol.
fn check_upgrade(headers: Headers<'_>) -> Result<String, RequestError> {
    if !headers.has_token("Upgrade", "websocket") {
        return Err(RequestError::NoUpgrade);
    }
    if !headers.has_token("Connection", "upgrade") {
        return Err(RequestError::NoConnectionUpgrade);
    }
    if headers.single("Sec-WebSocket-Version") != Ok(Some(b"13")) {
        return Err(RequestError::WebSocketVersion);
    }
    match headers.single("Sec-WebSocket-Key") {
        Ok(Some(key)) if is_key(key) => Ok(derive_accept_key(key)),
        _ => Err(RequestError::Key),
    }
}

/// The first of the client's protocols that we support. A server without any goes on without one, as RFC 6455 section
/// 4.2.2 has it; one with some insists, as the engine's does.
fn select_protocol(headers: Headers<'_>, supported: &[String]) -> Result<String, RequestError> {
    let mut offered = headers.list("Sec-WebSocket-Protocol");
    if supported.is_empty() {
        return Ok(String::new());
    }
    let is_supported = |name: &&[u8]| supported.iter().any(|known| known.as_bytes() == *name);
    let selected =
        offered.find(|name| is_token(name) && is_supported(name)).ok_or(RequestError::Subprotocol)?;
    Ok(String::from_utf8_lossy(selected).into_owned())
}

/// What is agreed on and answered, if the client offers compression and we want it.
fn select_deflate(
    headers: Headers<'_>,
    config: Option<&DeflateConfig>,
) -> Result<Option<(Agreed, String)>, RequestError> {
    let Some(config) = config else { return Ok(None) };
    let offers = extensions(headers).map_err(|_| RequestError::Extensions)?;
    Ok(deflate::select(&offers, config))
}

/// In the engine's order.
fn acceptance(request: &Request, config: &Config) -> Vec<u8> {
    let mut head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n",
        request.accept
    );
    let selected_protocol = &request.upgraded.opened.selected_protocol;
    if !selected_protocol.is_empty() {
        head.push_str(&format!("Sec-WebSocket-Protocol: {selected_protocol}\r\n"));
    }
    if let Some(extension) = &request.extension {
        head.push_str(&format!("Sec-WebSocket-Extensions: {extension}\r\n"));
    }
    push_extra_lines(&mut head, config, |_| true);
    head.push_str("\r\n");
    head.into_bytes()
}

fn refusal(error: RequestError) -> Vec<u8> {
    let (phrase, lines) = match error.status() {
        405 => ("Method Not Allowed", "Connection: close\r\nAllow: GET\r\n"),
        // RFC 9110 section 7.8: whoever sends Upgrade names it in Connection.
        426 => (
            "Upgrade Required",
            "Connection: close, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
        ),
        431 => ("Request Header Fields Too Large", "Connection: close\r\n"),
        505 => ("HTTP Version Not Supported", "Connection: close\r\n"),
        _ => ("Bad Request", "Connection: close\r\n"),
    };
    let body = format!("{error}\n");
    format!(
        "HTTP/1.1 {} {phrase}\r\n{lines}Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        error.status(),
        body.len()
    )
    .into_bytes()
}
