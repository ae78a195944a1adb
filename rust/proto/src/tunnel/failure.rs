//! Why there is no tunnel.

use std::fmt;

use super::proxy::ProxyKind;

/// Why there is no tunnel. Credentials are in none of the words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelError {
    pub(super) proxy: String,
    pub(super) kind: ProxyKind,
    pub(super) reason: TunnelFailure,
}

/// What went wrong with a tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TunnelFailure {
    /// An HTTP proxy's answer to CONNECT, with what it calls its status.
    Status(u16, String),
    /// A SOCKS proxy's answer, in words.
    Reply(&'static str),
    /// Another reply code of a SOCKS proxy.
    UnknownReply(u8),
    /// What came is no answer of such a proxy.
    Malformed(&'static str),
    /// It asks for a login, and there is none.
    NeedsLogin,
    /// It asks for another kind of login than there is.
    OtherLogin,
    /// It does not take the login.
    LoginRefused,
    /// It ended the connection.
    Ended,
}

impl TunnelError {
    /// What an HTTP proxy answered to CONNECT; 0 if that is not why.
    pub fn response_code(&self) -> u16 {
        match &self.reason {
            TunnelFailure::Status(status, _) => *status,
            _ => 0,
        }
    }

    /// What went wrong.
    pub fn reason(&self) -> &TunnelFailure {
        &self.reason
    }
}

impl std::error::Error for TunnelError {}

impl fmt::Display for TunnelError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { proxy, kind, reason } = self;
        let name = match kind {
            ProxyKind::Http => "proxy",
            ProxyKind::Socks5 => "SOCKS proxy",
        };
        match reason {
            TunnelFailure::Status(status, text) if text.is_empty() => {
                write!(formatter, "the {name} {proxy} refused the tunnel: {status}")
            }
            TunnelFailure::Status(status, text) => {
                write!(formatter, "the {name} {proxy} refused the tunnel: {status} {text}")
            }
            TunnelFailure::Reply(words) => write!(formatter, "the {name} {proxy}: {words}"),
            TunnelFailure::UnknownReply(code) => {
                write!(formatter, "the {name} {proxy} refused the tunnel with the unknown code {code}")
            }
            TunnelFailure::Malformed(what) => write!(formatter, "what the {name} {proxy} answers is {what}"),
            TunnelFailure::NeedsLogin => {
                write!(formatter, "the {name} {proxy} asks for a login: set its user and password")
            }
            TunnelFailure::OtherLogin => {
                write!(formatter, "the {name} {proxy} asks for another kind of login than user and password")
            }
            TunnelFailure::LoginRefused => {
                write!(formatter, "the {name} {proxy} does not take this user and password")
            }
            TunnelFailure::Ended => {
                write!(formatter, "the {name} {proxy} ended the connection before there was a tunnel")
            }
        }
    }
}
