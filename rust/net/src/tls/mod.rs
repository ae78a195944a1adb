//! TLS by rustls: settings made by the calling side, sessions on the I/O thread.

mod certificate;
mod chain;
mod client;
mod error;
mod provider;
mod roots;
mod server;
mod stream;
mod trust;
mod verify;
mod words;

pub(crate) use self::stream::{Received, TlsLayer, TlsSession};
pub use self::{
    chain::{CertificateChain, ChainCapture},
    client::ClientTls,
    error::TlsError,
    roots::DefaultRoots,
    server::ServerTls,
    trust::{ExpectedName, ServerTrust},
};
