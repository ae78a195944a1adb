//! Why connections end and sends are refused.

use thiserror::Error;

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

/// Why a connection ended, in one sentence (`Display`).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CloseCause {
    /// Both sides' close frames were exchanged.
    #[error("")]
    Clean,
    // the proto author extends this: timeouts with their phase, transport ends, protocol errors with the rule, ...
}
