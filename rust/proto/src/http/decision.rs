//! What becomes of a request.

use super::{Answer, Request};
use crate::{HandshakeLineError, fields, frame::is_valid_close_code};

/// What a server does with a valid request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// 101. A plain request gets what it gets from a server that serves nothing else: 426, or 405 for HEAD.
    Accept {
        /// One of those that the client offers. `None`: chosen from
        /// [`supported_protocols`](crate::Config::supported_protocols), with 400 if there is none in common.
        protocol: Option<String>,
        /// Header lines behind [`handshake_headers`](crate::Config::handshake_headers).
        headers: Vec<String>,
    },
    /// 101, and then a close frame: the only refusal whose cause browsers show to a page.
    Refuse {
        /// Valid for [`is_valid_close_code`].
        code: u16,
        /// Cut to 123 bytes.
        reason: String,
    },
    /// An HTTP answer, and the end of the connection.
    Answer(Answer),
}

/// Why a request cannot be decided on like that. It is still pending.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecisionError {
    /// It asks for no WebSocket.
    #[error("this is a plain request, not one for a WebSocket: it can only be answered")]
    PlainRequest,
    /// The client would fail the connection (RFC 6455 section 4.1).
    #[error("the client does not offer the subprotocol {0:?}: choose one of those it offers, or none")]
    ProtocolNotOffered(String),
    /// As for `handshake_headers`.
    #[error(transparent)]
    Header(#[from] HandshakeLineError),
    /// RFC 6455 section 7.4.
    #[error("the close code {0} must not be sent: use 1000 to 1003, 1007 to 1014, or 3000 to 4999")]
    CloseCode(i64),
}

impl Decision {
    /// The decision of a server that asks nobody.
    pub fn accept() -> Self {
        Self::Accept { protocol: None, headers: Vec::new() }
    }

    /// Refuses with a close code as scripts give it.
    ///
    /// # Errors
    /// The code must not be sent.
    pub fn refuse(code: i64, reason: impl Into<String>) -> Result<Self, DecisionError> {
        match u16::try_from(code) {
            Ok(short) if is_valid_close_code(code) => Ok(Self::Refuse { code: short, reason: reason.into() }),
            _ => Err(DecisionError::CloseCode(code)),
        }
    }

    /// Whether it can be had for this request. What cannot ends in an error answer when it is carried out.
    ///
    /// # Errors
    /// See [`DecisionError`].
    pub fn check(&self, request: &Request) -> Result<(), DecisionError> {
        match self {
            Self::Accept { .. } | Self::Refuse { .. } if !request.is_upgrade() => {
                Err(DecisionError::PlainRequest)
            }
            Self::Accept { protocol, headers } => {
                if let Some(protocol) = protocol
                    && !request.protocols().contains(protocol)
                {
                    return Err(DecisionError::ProtocolNotOffered(protocol.clone()));
                }
                Ok(fields::check_lines(headers)?)
            }
            Self::Refuse { .. } | Self::Answer(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(lines: &str) -> Request {
        Request::parse(format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n").as_bytes()).unwrap()
    }

    fn accept(protocol: Option<&str>, headers: &[&str]) -> Decision {
        let headers = headers.iter().map(|line| (*line).to_owned()).collect();
        Decision::Accept { protocol: protocol.map(str::to_owned), headers }
    }

    #[test]
    fn what_can_be_had() {
        let upgrade = request("Upgrade: websocket\r\nSec-WebSocket-Protocol: v2, v1\r\n");
        let plain = request("");
        let answer = Decision::Answer(Answer::text(200, "ok", Vec::new()).unwrap());
        let refuse = Decision::refuse(4003, "no").unwrap();
        for decision in
            [Decision::accept(), accept(Some("v1"), &["X-A: b", "Set-Cookie: c=d"]), refuse.clone()]
        {
            assert_eq!(decision.check(&upgrade), Ok(()), "{decision:?}");
            assert_eq!(decision.check(&plain), Err(DecisionError::PlainRequest), "{decision:?}");
        }
        assert_eq!((answer.check(&upgrade), answer.check(&plain)), (Ok(()), Ok(())));
        for protocol in ["v3", "V1", "v1,v2", ""] {
            let error = Err(DecisionError::ProtocolNotOffered(protocol.to_owned()));
            assert_eq!(accept(Some(protocol), &[]).check(&upgrade), error);
        }
        for line in [
            "A: b\r\nC: d",
            "no colon",
            "Connection: close",
            "upgrade: h2c",
            "Sec-WebSocket-Accept: x",
            "Content-Length: 1",
            "Transfer-Encoding: chunked",
        ] {
            let checked = accept(None, &["X-A: b", line]).check(&upgrade);
            assert!(matches!(checked, Err(DecisionError::Header(_))), "{line}: {checked:?}");
        }
    }

    #[test]
    fn close_codes() {
        for code in [0, 1000, 1008, 1013, 3000, 4999] {
            assert!(Decision::refuse(code, "").is_ok(), "{code}");
        }
        for code in [-1, 1, 999, 1004, 1005, 1006, 1015, 2000, 5000, 65_536 + 1000, i64::MIN] {
            assert_eq!(Decision::refuse(code, ""), Err(DecisionError::CloseCode(code)));
        }
    }
}
