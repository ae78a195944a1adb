//! What a server answers to a request, in bytes, and what follows from it.

use bytes::Bytes;
use tungstenite::handshake::derive_accept_key;

use super::{
    extensions::extensions,
    upgraded::{Upgraded, push_extra_lines, push_lines},
};
use crate::{
    CloseCause, Config, DeflateConfig, Opened, RequestError, Scheme,
    deflate::{self, Agreed},
    http::{Decision, EncodedAnswer, Headers, Method, Request, is_key},
    token::is_token,
};

/// An answered request.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) head: Vec<u8>,
    pub(crate) body: Bytes,
    pub(crate) outcome: Outcome,
}

/// What follows the answer.
#[derive(Debug)]
pub(crate) enum Outcome {
    Open(Box<Upgraded>),
    /// The connection is a WebSocket's, and closed at once.
    Close {
        code: u16,
        reason: String,
    },
    End(CloseCause),
}

impl Answered {
    /// Carries a decision out.
    pub(super) fn new(request: &Request, decision: Decision, scheme: Scheme, config: &Config) -> Self {
        let answered = match decision {
            Decision::Accept { protocol, headers } => accept(request, scheme, config, protocol, &headers),
            Decision::Refuse { code, reason } => refuse(request, config, code, reason),
            Decision::Answer(answer) => {
                let EncodedAnswer { head, body } = answer.encode(request.method());
                let outcome = Outcome::End(CloseCause::Answered { status: answer.status() });
                Ok(Self { head, body, outcome })
            }
        };
        answered.unwrap_or_else(Self::error)
    }

    /// For a request that is not valid.
    pub(super) fn error(error: RequestError) -> Self {
        let outcome = Outcome::End(CloseCause::Request(error));
        Self { head: refusal(error), body: Bytes::new(), outcome }
    }
}

fn accept(
    request: &Request,
    scheme: Scheme,
    config: &Config,
    protocol: Option<String>,
    extra: &[String],
) -> Result<Answered, RequestError> {
    let fields = request.fields();
    let headers = Headers(&fields);
    let accept = check_upgrade(request, headers)?;
    let selected_protocol = match protocol {
        Some(protocol) if request.protocols().contains(&protocol) => protocol,
        Some(_) => return Err(RequestError::Subprotocol),
        None => select_protocol(headers, &config.supported_protocols)?,
    };
    let (deflate, extension) = select_deflate(headers, config.deflate.as_ref())?.unzip();
    let head = acceptance(&accept, &selected_protocol, extension.as_deref(), config, extra);
    let requested_url = Some(requested_url(scheme, request));
    let opened =
        Opened { selected_protocol, requested_url, is_compressed: deflate.is_some(), response: None };
    let outcome = Outcome::Open(Box::new(Upgraded { opened, deflate }));
    Ok(Answered { head, body: Bytes::new(), outcome })
}

/// A client that offers subprotocols fails the connection unless one is selected (the WebSockets Standard has browsers do so),
/// and would not see the close frame: any will do.
fn refuse(request: &Request, config: &Config, code: u16, reason: String) -> Result<Answered, RequestError> {
    let fields = request.fields();
    let headers = Headers(&fields);
    let accept = check_upgrade(request, headers)?;
    let selected = select_protocol(headers, &config.supported_protocols).unwrap_or_default();
    let selected = match request.protocols().into_iter().next() {
        Some(first) if selected.is_empty() => first,
        _ => selected,
    };
    let head = acceptance(&accept, &selected, None, config, &[]);
    Ok(Answered { head, body: Bytes::new(), outcome: Outcome::Close { code, reason } })
}

/// What can be wrong with a valid request before anybody is asked about it: it has a body, or asks for our protocol in
/// another way than ours.
pub(super) fn check_request(request: &Request, config: &Config) -> Result<(), RequestError> {
    if request.has_body() {
        return Err(RequestError::Body);
    }
    if request.is_upgrade() {
        let fields = request.fields();
        check_upgrade(request, Headers(&fields))?;
        select_deflate(Headers(&fields), config.deflate.as_ref())?;
    }
    Ok(())
}

/// The accept key of a request that asks for our protocol.
fn check_upgrade(request: &Request, headers: Headers<'_>) -> Result<String, RequestError> {
    if request.method() != Method::Get {
        return Err(RequestError::Method);
    }
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

/// Scheme, host and target put together, as the engine's server side shows it.
fn requested_url(scheme: Scheme, request: &Request) -> String {
    let prefix = match scheme {
        Scheme::Ws => "ws://",
        Scheme::Wss => "wss://",
    };
    format!("{prefix}{}{}", request.authority(), request.target())
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
fn acceptance(
    accept: &str,
    selected_protocol: &str,
    extension: Option<&str>,
    config: &Config,
    extra: &[String],
) -> Vec<u8> {
    let mut head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n"
    );
    if !selected_protocol.is_empty() {
        head.push_str(&format!("Sec-WebSocket-Protocol: {selected_protocol}\r\n"));
    }
    if let Some(extension) = extension {
        head.push_str(&format!("Sec-WebSocket-Extensions: {extension}\r\n"));
    }
    push_extra_lines(&mut head, config, |_| true);
    push_lines(&mut head, extra);
    head.push_str("\r\n");
    head.into_bytes()
}

fn refusal(error: RequestError) -> Vec<u8> {
    let (phrase, lines) = match error.status() {
        405 if error == RequestError::OtherMethod => {
            ("Method Not Allowed", "Connection: close\r\nAllow: GET, HEAD\r\n")
        }
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
