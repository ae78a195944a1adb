//! Whom a client trusts, as the calling side says it.

use super::DefaultRoots;

/// Whose certificate a client takes.
#[derive(Debug, Clone)]
pub enum ServerTrust {
    /// Signed by one of the system's authorities, or what stands for them.
    Default(DefaultRoots),
    /// These, or signed by one of them: one or more certificates as PEM text.
    Certificates(Vec<u8>),
    /// Anybody's: no protection against an impostor.
    Anything,
}

/// The name that a server's certificate must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedName {
    /// The host that is connected to.
    Host,
    /// This one instead; letters beyond ASCII are converted as in a URL (IDNA).
    Other(String),
    /// Whatever.
    Any,
}
