//! TLS by rustls: settings made by the calling side, sessions on the I/O thread.

mod certificate;
mod chain;
mod client;
mod roots;
mod server;
mod stream;
mod verify;
mod words;

use std::sync::{Arc, Once, OnceLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use thiserror::Error;

use crate::helper;

pub(crate) use self::stream::{Received, TlsLayer, TlsSession};
pub use self::{
    chain::{CertificateChain, ChainCapture},
    client::{ClientTls, ExpectedName, ServerTrust},
    roots::DefaultRoots,
    server::ServerTls,
};

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

/// Lets a thread ask the cryptography for its first random number, for which it gathers entropy for tens of
/// milliseconds, once per process.
fn warm_up() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        // If there is no thread to be had, the first handshake takes that much longer.
        _ = helper::spawn("websocket-entropy", || {
            // A failure shows again, where it matters.
            _ = provider().secure_random.fill(&mut [0; 32]);
        });
    });
}

/// The cryptography, one for the process.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(aws_lc_rs::default_provider())))
}
