//! `ws://` and `wss://` URLs, as leniently as the engine reads them.

/// Plain or TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `ws://`, default port 80.
    Ws,
    /// `wss://`, default port 443.
    Wss,
}

/// A parsed URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Plain or TLS.
    pub scheme: Scheme,
    /// Host name or IP literal, lower-cased, without brackets: what to resolve and to verify.
    pub host: String,
    /// Given, or the scheme's default.
    pub port: u16,
    /// Path and query of the request line.
    pub request_target: String,
}

/// Why a URL is refused, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// See [`TargetError`].
    pub fn parse(_url: &str) -> Result<Self, TargetError> {
        unimplemented!()
    }

    /// The value of the `Host` header: IPv6 literals in brackets, the port unless it is the scheme's default.
    pub fn host_header(&self) -> String {
        unimplemented!()
    }
}
