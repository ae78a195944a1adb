//! What a server's certificate must be for.

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
