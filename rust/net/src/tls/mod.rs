//! TLS by rustls: settings made by the calling side, sessions on the I/O thread.

mod certificate;
mod chain;
mod client;
mod crypto;
mod error;
mod expected_name;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod identity;
mod issuers;
mod key_log;
mod role;
mod roots;
mod server;
mod stream;
mod unfit;
mod verify;
mod verify_client;
mod version;
mod words;

use self::crypto::{provider, warm_up};
pub(crate) use self::server::ServerSessions;
pub(crate) use self::stream::{Received, TlsLayer, TlsSession};
pub use self::{
    chain::{CertificateChain, ChainCapture},
    client::{ClientTls, ServerTrust},
    error::TlsError,
    expected_name::ExpectedName,
    identity::Identity,
    key_log::log_tls_keys,
    roots::DefaultRoots,
    server::{CertificateChange, ServerRules, ServerTls},
    verify_client::ClientAuth,
    version::TlsVersion,
};
