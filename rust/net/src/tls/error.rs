//! Why settings cannot be used.

use thiserror::Error;

/// Why settings cannot be used. Says nothing of a key's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// No PEM block of a certificate at all.
    #[error("there is no certificate in it")]
    NoCertificate,
    /// Broken PEM or DER.
    #[error("the certificate cannot be read")]
    BadCertificate,
    /// No PEM block of a private key at all.
    #[error("there is no private key in it")]
    NoKey,
    /// Broken, or of a kind that TLS here does not use.
    #[error(
        "the private key cannot be used; RSA keys of 2048 bits or more and EC keys on the curves P-256, P-384 and P-521 can"
    )]
    BadKey,
    /// Each may be fine by itself.
    #[error("the private key is not that of the certificate")]
    KeyMismatch,
    /// The library's own defaults do not fit together.
    #[error("TLS is not available")]
    Unavailable,
}
