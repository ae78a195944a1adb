//! What a connection is told when it starts.

use std::time::Duration;

use crate::Target;

/// Limits, timeouts and handshake contents of one connection. Fixed from the handshake on.
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
    /// Subprotocols in order of preference: offered by a client, accepted by a server (RFC 6455 section 1.9).
    pub supported_protocols: Vec<String>,
    /// Extra `Name: value` lines of the request (client) or the 101 response (server), checked by
    /// [`Config::check_handshake_headers`] before.
    pub handshake_headers: Vec<String>,
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
