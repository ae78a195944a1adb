//! What a connection is told when it starts.

use std::time::Duration;

use crate::{HandshakeLineError, Target, fields, token};

/// Limits, timeouts and handshake contents of a connection, or of many that share them. Fixed from the handshake on.
#[derive(Debug, Clone)]
pub struct Config {
    /// Largest message accepted, in bytes, after reassembly. A larger one closes the connection with 1009, at the
    /// frame header where possible. Default 65535 (the engine's `inbound_buffer_size`).
    pub max_message_size: usize,
    /// From creation to the completed upgrade: name resolution, TCP, TLS and HTTP together. Default 30 s.
    pub connect_timeout: Duration,
    /// From our close frame to the other side's; also how long a closed connection may linger to deliver what was
    /// accepted. Default 5 s.
    pub close_timeout: Duration,
    /// A ping goes out every interval; nothing received since the last one when the next is due ends the
    /// connection without a close handshake. `None`: no heartbeat (default).
    pub heartbeat_interval: Option<Duration>,
    /// Subprotocols in order of preference: offered by a client, accepted by a server (RFC 6455 section 1.9). Checked
    /// by [`Config::check_supported_protocols`] before; what does not pass is left out.
    pub supported_protocols: Vec<String>,
    /// Extra `Name: value` lines of the request (client) or the 101 response (server). Checked by
    /// [`Config::check_handshake_headers`] before; what does not pass is left out.
    pub handshake_headers: Vec<String>,
    /// Compression of messages (permessage-deflate, RFC 7692): offered by a client, accepted by a server. `None`: off
    /// (default).
    pub deflate: Option<DeflateConfig>,
    /// How long messages that were put as [`Delivery::Unreliable`](crate::Delivery::Unreliable) are worth sending; can be changed later.
    /// `None`: for ever (default).
    pub unreliable_lifetime: Option<Duration>,
    /// A server: each valid request is shown ([`Connection::pending_request`](crate::Connection::pending_request)) and waits
    /// that long for a decision, then it is answered with 503. `None`: upgrades are accepted and everything else is refused
    /// without asking (default).
    pub request_timeout: Option<Duration>,
}

/// How messages are compressed where the other side agrees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeflateConfig {
    /// Messages of fewer bytes go uncompressed. Default 1024.
    pub threshold: usize,
    /// Whether messages may refer to earlier ones, which makes them smaller and costs memory per connection: about 40 KiB
    /// for receiving, and 370 KiB for sending while the connection is in use. Default false: a message that goes to
    /// several connections is then compressed once.
    pub context_takeover: bool,
    /// Largest window that the server compresses with, as the binary logarithm of its size: 8 to 15 (default).
    pub server_max_window_bits: u8,
    /// Largest window that the client compresses with. Default 15.
    pub client_max_window_bits: u8,
}

impl Default for DeflateConfig {
    fn default() -> Self {
        Self {
            threshold: 1024,
            context_takeover: false,
            server_max_window_bits: 15,
            client_max_window_bits: 15,
        }
    }
}

impl DeflateConfig {
    pub(crate) fn server_window_bits(&self) -> u8 {
        self.server_max_window_bits.clamp(8, 15)
    }

    pub(crate) fn client_window_bits(&self) -> u8 {
        self.client_max_window_bits.clamp(8, 15)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_message_size: 65535,
            connect_timeout: Duration::from_secs(30),
            close_timeout: Duration::from_secs(5),
            heartbeat_interval: None,
            supported_protocols: Vec::new(),
            handshake_headers: Vec::new(),
            deflate: None,
            unreliable_lifetime: None,
            request_timeout: None,
        }
    }
}

impl Config {
    /// Checks lines for [`handshake_headers`](Self::handshake_headers): a client's `Host` replaces ours, what else the handshake
    /// writes itself is refused.
    ///
    /// # Errors
    /// What is wrong with the first bad line.
    pub fn check_handshake_headers(lines: &[String]) -> Result<(), HandshakeLineError> {
        fields::check_lines(lines)
    }

    /// Checks entries for [`supported_protocols`](Self::supported_protocols).
    ///
    /// # Errors
    /// What is wrong with the first bad entry.
    pub fn check_supported_protocols(protocols: &[String]) -> Result<(), HandshakeLineError> {
        match protocols.iter().find(|protocol| !token::is_token(protocol.as_bytes())) {
            Some(protocol) => Err(HandshakeLineError::Protocol(protocol.clone())),
            None => Ok(()),
        }
    }
}

/// What a client asks for.
#[derive(Debug, Clone)]
pub struct ClientRequest {
    /// Parsed from the URL.
    pub target: Target,
}

/// A source of unpredictable bytes: keys (RFC 6455 section 4.1), masks (section 5.3) and peer ids.
pub trait Random: Send + Sync {
    /// Fills `buffer`.
    fn fill(&self, buffer: &mut [u8]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocol_names() {
        let check = |name: &str| Config::check_supported_protocols(&["chat".to_owned(), name.to_owned()]);
        assert_eq!(check("v1.json+x"), Ok(()));
        for name in ["", "a b", "a,b", "a\r\nb", "ä", "a/b"] {
            assert_eq!(check(name), Err(HandshakeLineError::Protocol(name.to_owned())));
        }
    }
}
