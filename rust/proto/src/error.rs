//! Why connections end and sends are refused.

use std::time::Duration;

use thiserror::Error;

use crate::{Escaped, Quoted, TargetError};

/// How far a client's connection attempt has come, or a server's newcomer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConnectPhase {
    /// Looking up the host name.
    #[error("name resolution")]
    NameResolution,
    /// Connecting.
    #[error("TCP connection")]
    Tcp,
    /// Connecting to a socket file.
    #[error("connection to the socket file")]
    SocketFile,
    /// Asking a proxy for a tunnel.
    #[error("way through the proxy")]
    Tunnel,
    /// TLS handshake.
    #[error("TLS handshake")]
    Tls,
    /// HTTP upgrade.
    #[error("WebSocket handshake")]
    Upgrade,
}

/// How the transport below a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportEnd {
    /// The other side sent FIN.
    Eof,
    /// The name could not be resolved, the connection was refused, reset, ...: one phrase for people.
    Error(String),
}

/// Why a send was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is not open (any more).
    #[error("the connection is not open")]
    NotOpen,
    /// The outbound limits are reached.
    #[error("the outbound buffer is full")]
    BufferFull,
}

/// Which rule of the framing protocol the other side broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// RSV1, RSV2 or RSV3 without an extension that uses it there.
    #[error("a reserved bit is set (RFC 6455 section 5.2)")]
    ReservedBits,
    /// 3-7 or 11-15.
    #[error("opcode {0} is reserved (RFC 6455 section 5.2)")]
    ReservedOpcode(u8),
    /// Clients must mask.
    #[error("a client's frame is not masked (RFC 6455 section 5.1)")]
    UnmaskedFrame,
    /// Servers must not mask.
    #[error("a server's frame is masked (RFC 6455 section 5.1)")]
    MaskedFrame,
    /// A length that fits a shorter form.
    #[error("a payload length is not in its shortest form (RFC 6455 section 5.2)")]
    LengthNotMinimal,
    /// The most significant bit of a 64-bit length.
    #[error("a payload length has its top bit set (RFC 6455 section 5.2)")]
    LengthTopBit,
    /// A control frame without FIN.
    #[error("a control frame is fragmented (RFC 6455 section 5.5)")]
    FragmentedControlFrame,
    /// A control frame of more than 125 bytes.
    #[error("a control frame has more than 125 bytes (RFC 6455 section 5.5)")]
    ControlFrameTooLong,
    /// A continuation frame outside of a message.
    #[error("a continuation frame continues nothing (RFC 6455 section 5.4)")]
    UnexpectedContinuation,
    /// A new message inside of a fragmented one.
    #[error("a message starts inside of a fragmented one (RFC 6455 section 5.4)")]
    MissingContinuation,
    /// Half a close code.
    #[error("a close frame has a payload of one byte (RFC 6455 section 5.5.1)")]
    CloseFrameOfOneByte,
    /// A code that must not be on the wire.
    #[error("a close frame carries the code {0} (RFC 6455 section 7.4)")]
    IllegalCloseCode(u16),
    /// Code 1007.
    #[error("a close frame's reason is not valid UTF-8 (RFC 6455 section 5.5.1)")]
    CloseReasonNotUtf8,
    /// Code 1007.
    #[error("a text message is not valid UTF-8 (RFC 6455 section 8.1)")]
    TextNotUtf8,
    /// Code 1007.
    #[error("a compressed message cannot be inflated (RFC 7692 section 7.2.2)")]
    CorruptDeflate,
}

/// Why a server refused an upgrade request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// 400.
    #[error("this is not an HTTP request")]
    NotHttp,
    /// 400: `wss://` at a plain server.
    #[error("the client speaks TLS, and this server does not (ws:// and wss:// mixed up?)")]
    Tls,
    /// 400: of a request that somebody is to decide on.
    #[error("a request with a body is not taken here")]
    Body,
    /// 405: the same.
    #[error("only GET and HEAD requests are taken here")]
    OtherMethod,
    /// 400: bare line feeds, folded lines, illegal bytes.
    #[error("the HTTP request is malformed ({0})")]
    Malformed(&'static str),
    /// 431.
    #[error("the request head is larger than 16 KiB")]
    HeadTooLarge,
    /// 431.
    #[error("the request has too many header lines")]
    TooManyHeaders,
    /// 505.
    #[error("only HTTP/1.1 is spoken here")]
    HttpVersion,
    /// 405.
    #[error("a WebSocket handshake is a GET request")]
    Method,
    /// 400.
    #[error("the request target is not a path")]
    Target,
    /// 400.
    #[error("the request needs exactly one valid Host header")]
    Host,
    /// 426.
    #[error("this is a WebSocket server: the header `Upgrade: websocket` is missing")]
    NoUpgrade,
    /// 400.
    #[error("the header `Connection: Upgrade` is missing")]
    NoConnectionUpgrade,
    /// 426.
    #[error("only version 13 of the WebSocket protocol is spoken here")]
    WebSocketVersion,
    /// 400.
    #[error("the request needs exactly one Sec-WebSocket-Key of 16 bytes in base64")]
    Key,
    /// 400.
    #[error("none of the subprotocols in Sec-WebSocket-Protocol is spoken here")]
    Subprotocol,
    /// 400.
    #[error("the header Sec-WebSocket-Extensions is malformed")]
    Extensions,
}

impl RequestError {
    /// The HTTP status of the answer.
    pub fn status(self) -> u16 {
        match self {
            Self::Method | Self::OtherMethod => 405,
            Self::NoUpgrade | Self::WebSocketVersion => 426,
            Self::HeadTooLarge | Self::TooManyHeaders => 431,
            Self::HttpVersion => 505,
            _ => 400,
        }
    }
}

/// What is wrong with a server's answer to our upgrade request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// No web server listens there.
    #[error("the answer is not HTTP")]
    NotHttp,
    /// `ws://` at a TLS server.
    #[error("the server speaks TLS here (ws:// and wss:// mixed up?)")]
    Tls,
    /// Bare line feeds; what cannot be read and cannot be skipped either.
    #[error("the HTTP answer is malformed ({0})")]
    Malformed(&'static str),
    /// RFC 6455 section 4.2.2: a 101 is HTTP/1.1 or newer.
    #[error("the server switches protocols in HTTP/1.0, which cannot")]
    HttpVersion,
    /// More than 16 KiB.
    #[error("the answer's head is larger than 16 KiB")]
    HeadTooLarge,
    /// Section 4.1.
    #[error("the answer lacks the header `Upgrade: websocket` (RFC 6455 section 4.1)")]
    NoUpgrade,
    /// Section 4.1.
    #[error("the answer lacks the header `Connection: Upgrade` (RFC 6455 section 4.1)")]
    NoConnectionUpgrade,
    /// Section 4.1.
    #[error("Sec-WebSocket-Accept does not belong to our key (RFC 6455 section 4.1)")]
    Accept,
    /// Section 4.1: we asked for none.
    #[error("the server selected an extension that was not offered (RFC 6455 section 4.1)")]
    UnaskedExtension,
    /// RFC 7692 section 5.1.
    #[error("the server's parameters for permessage-deflate do not match the offer (RFC 7692 section 7.1)")]
    ExtensionParameters,
    /// Section 4.1.
    #[error("the server selected the subprotocol {}, which was not offered (RFC 6455 section 4.1)", Quoted(.0))]
    UnaskedProtocol(String),
    /// The engine's rule.
    #[error("subprotocols were offered and the server selected none")]
    NoProtocol,
}

/// A server's answer to the upgrade request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status code, for example 404.
    pub status: u16,
    /// What the status line says after the code; may be empty.
    pub reason: String,
    /// `Name: value`, in order, names as written.
    pub headers: Vec<String>,
    /// The beginning of the body: at most 4 KiB, and only what came before the connection or a short wait ended.
    pub body: Vec<u8>,
}

/// Why a redirect is not followed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RedirectProblem {
    /// `max_redirects` were followed already.
    #[error("max_redirects allows {limit}")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// There is none, or it is empty.
    #[error("the answer has no Location")]
    NoLocation,
    /// Which differ.
    #[error("the answer has several Locations")]
    SeveralLocations,
    /// A URL that cannot be connected to.
    #[error("its Location {} cannot be used ({problem})", Quoted(.location))]
    Location {
        /// Without user name, password, query and fragment.
        location: String,
        /// What is wrong with it.
        problem: TargetError,
    },
    /// Without the `//` of a host.
    #[error("its Location names no host behind the scheme {}", Quoted(.0))]
    Scheme(String),
    /// A relative reference that is none.
    #[error("its Location is no path of this server")]
    Path,
    /// What was asked for in secret would be asked for in the open.
    #[error("its Location leads from wss:// to ws://")]
    Downgrade,
    /// A socket file of this machine is no server's to name, and who answers there is none to send a client elsewhere.
    #[error("a redirect leads neither to a socket file nor away from one")]
    SocketFile,
    /// The place was asked before.
    #[error("its Location was asked already: the server redirects in a circle")]
    Circle,
    /// This side has no way there: one phrase.
    #[error("{0}")]
    NoWay(String),
}

/// A redirect that is not followed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the server answered with HTTP status {}{}, which is not followed: {problem}",
    .response.status, spaced(&.response.reason)
)]
pub struct RefusedRedirect {
    /// The server's answer.
    pub response: HttpResponse,
    /// Why.
    pub problem: RedirectProblem,
}

/// Why a connection ended, in one sentence (`Display`); empty after a clean close.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CloseCause {
    /// Both sides' close frames were exchanged, and nobody complained.
    #[error("")]
    Clean,
    /// The other side's close frame had a code that stands for more than a normal end.
    #[error("the other side closed the connection with code {code}{}", quoted(.reason))]
    ClosedByRemote {
        /// As received.
        code: u16,
        /// As received.
        reason: String,
    },
    /// [`Connection::close`](crate::Connection::close) or [`abort`](crate::Connection::abort) before the upgrade.
    #[error("closed by this side during the {phase}")]
    ClosedWhileConnecting {
        /// How far it had come.
        phase: ConnectPhase,
    },
    /// [`Connection::abort`](crate::Connection::abort).
    #[error("ended by this side without a close handshake")]
    Aborted,
    /// `connect_timeout`.
    #[error("the {phase} did not finish in time: the connect timeout of {timeout:?} has passed")]
    ConnectTimeout {
        /// What did not finish.
        phase: ConnectPhase,
        /// The limit.
        timeout: Duration,
    },
    /// `heartbeat_interval`.
    #[error("heartbeat timeout: nothing was received within {interval:?} of a ping")]
    HeartbeatTimeout {
        /// The limit.
        interval: Duration,
    },
    /// `close_timeout`.
    #[error("close timeout: the other side did not answer the close frame within {timeout:?}")]
    CloseTimeout {
        /// The limit.
        timeout: Duration,
    },
    /// The transport ended before the upgrade was complete.
    #[error("the {phase} failed: {error}")]
    ConnectFailed {
        /// What failed.
        phase: ConnectPhase,
        /// One phrase.
        error: String,
    },
    /// The transport ended with an error after the upgrade.
    #[error("the connection was lost: {0}")]
    TransportLost(String),
    /// The transport ended after the upgrade, without a close frame.
    #[error("the other side ended the connection without a close frame")]
    TransportEof,
    /// The server answered the upgrade request with something else.
    #[error("the WebSocket handshake failed: the server answered with HTTP status {}{}", .0.status, spaced(&.0.reason))]
    HttpStatus(Box<HttpResponse>),
    /// The server answered with a redirect that a client which follows them does not follow.
    #[error("the WebSocket handshake failed: {0}")]
    Redirect(Box<RefusedRedirect>),
    /// The server's 101 breaks a rule.
    #[error("the WebSocket handshake failed: {0}")]
    Response(#[from] ResponseError),
    /// We refused the client's request.
    #[error("the WebSocket handshake was refused with HTTP status {}: {}", .0.status(), .0)]
    Request(#[from] RequestError),
    /// It was decided to answer the client's request with HTTP.
    #[error("the request was answered with HTTP status {status}")]
    Answered {
        /// For example 404.
        status: u16,
    },
    /// `request_timeout`.
    #[error("the request was answered with HTTP status 503: nobody decided on it within {timeout:?}")]
    RequestTimeout {
        /// The limit.
        timeout: Duration,
    },
    /// The other side broke a rule.
    #[error("protocol error: {0}")]
    Protocol(#[from] ProtocolError),
    /// A message over the limit.
    #[error(
        "a message of {size} bytes or more is larger than the limit of {limit} bytes (inbound_buffer_size)"
    )]
    MessageTooBig {
        /// As far as it was declared when it was refused.
        size: u64,
        /// `max_message_size`.
        limit: usize,
    },
    /// A message in too many pieces.
    #[error("a message has more than {limit} fragments")]
    TooManyFragments {
        /// Most frames of one message.
        limit: usize,
    },
}

impl CloseCause {
    /// The close code and reason of our own complaints; `None` for every other cause. The reason is for our side
    /// only, the close frame carries just the code.
    pub fn own_close(&self) -> Option<(u16, &'static str)> {
        match self {
            Self::Protocol(
                ProtocolError::TextNotUtf8
                | ProtocolError::CloseReasonNotUtf8
                | ProtocolError::CorruptDeflate,
            ) => Some((1007, "Invalid frame payload data")),
            Self::Protocol(_) => Some((1002, "Protocol error")),
            Self::MessageTooBig { .. } | Self::TooManyFragments { .. } => Some((1009, "Message too big")),
            _ => None,
        }
    }

    /// The server's answer, when that is why a client's handshake failed.
    pub fn http_response(&self) -> Option<&HttpResponse> {
        match self {
            Self::HttpStatus(response) => Some(response),
            Self::Redirect(refused) => Some(&refused.response),
            _ => None,
        }
    }
}

fn quoted(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" ({})", Quoted(reason)) }
}

fn spaced(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" {}", Escaped(reason)) }
}
