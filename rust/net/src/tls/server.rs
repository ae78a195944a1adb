//! A server's TLS settings.

use std::sync::{Arc, Mutex, OnceLock};

use rust_websocket_proto::{ServerName, ServerNames};
use rustls::{
    ServerConfig, ServerConnection,
    crypto::aws_lc_rs::Ticketer,
    pki_types::{PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ProducesTickets, ResolvesServerCert},
    sign::{CertifiedKey, SingleCertAndKey},
};

use super::{CertificateChain, TlsError, certificate::Certificate, provider, warm_up};
use crate::seam::lock;

/// How a server speaks TLS: a certificate with its key. Cloning shares the settings, and with them the sessions that can be
/// resumed.
#[derive(Debug, Clone)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    certified: Arc<CertifiedKey>,
}

impl ServerTls {
    /// TLS 1.2 and 1.3 with a private key as PEM text and the chain of its certificate.
    ///
    /// # Errors
    /// One of them cannot be used, or they do not belong together.
    pub fn new(key: &[u8], chain: CertificateChain) -> Result<Self, TlsError> {
        warm_up();
        let certified = Arc::new(certify(key, chain)?);
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|_| TlsError::Unavailable)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&certified))));
        // Tickets: who comes back needs no new key exchange with our certificate, and nothing is stored here for it.
        config.ticketer = Arc::new(LazyTicketer::default());
        Ok(Self { config: Arc::new(config), certified })
    }
}

/// An exchange of certificates while a server listens.
#[derive(Debug, Clone)]
pub enum CertificateChange {
    /// Shown to clients that announce no name, or one that has no certificate of its own.
    ForEverybodyElse(ServerTls),
    /// Shown to clients that announce this name; `None` takes the name away.
    ForName(ServerName, Option<ServerTls>),
}

/// Begins the sessions of one listener, with certificates that can be exchanged in between.
///
/// A session looks for its certificate when the client's greeting is there. Everything else, the tickets of earlier sessions
/// included, is that of the settings with which listening began.
#[derive(Debug)]
pub(crate) struct ServerSessions {
    config: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
}

impl ServerSessions {
    pub(crate) fn new(tls: ServerTls) -> Self {
        let shown = Shown { for_everybody_else: tls.certified, for_names: ServerNames::default() };
        let certificates = Arc::new(Certificates(Mutex::new(shown)));
        let mut config = ServerConfig::clone(&tls.config);
        config.cert_resolver = Arc::clone(&certificates) as _;
        Self { config: Arc::new(config), certificates }
    }

    pub(super) fn begin(&self) -> Result<ServerConnection, rustls::Error> {
        ServerConnection::new(Arc::clone(&self.config))
    }

    /// Holds for greetings that are read from now on.
    pub(crate) fn change(&self, change: CertificateChange) {
        let mut shown = lock(&self.certificates.0);
        match change {
            CertificateChange::ForEverybodyElse(tls) => shown.for_everybody_else = tls.certified,
            CertificateChange::ForName(name, tls) => shown.for_names.set(name, tls.map(|tls| tls.certified)),
        }
    }
}

/// What a listener's sessions show. The lock is held for a look.
#[derive(Debug)]
struct Certificates(Mutex<Shown>);

#[derive(Debug)]
struct Shown {
    for_everybody_else: Arc<CertifiedKey>,
    for_names: ServerNames<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let shown = lock(&self.0);
        let own = hello.server_name().and_then(|name| shown.for_names.find(name));
        Some(Arc::clone(own.unwrap_or(&shown.for_everybody_else)))
    }
}

/// Makes its first key on the I/O thread, in the first handshake: see [`warm_up`].
#[derive(Debug, Default)]
struct LazyTicketer(OnceLock<Option<Arc<dyn ProducesTickets>>>);

impl LazyTicketer {
    /// `None` if there is no random number to be had: then there are no tickets.
    fn get(&self) -> Option<&dyn ProducesTickets> {
        self.0.get_or_init(|| Ticketer::new().ok()).as_deref()
    }
}

impl ProducesTickets for LazyTicketer {
    fn enabled(&self) -> bool {
        self.get().is_some()
    }

    fn lifetime(&self) -> u32 {
        self.get().map_or(0, ProducesTickets::lifetime)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.get()?.encrypt(plain)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.get()?.decrypt(cipher)
    }
}

/// Not rustls's own check, which takes no certificate of version 1.
fn certify(key: &[u8], chain: CertificateChain) -> Result<CertifiedKey, TlsError> {
    let own = chain.0.first().ok_or(TlsError::NoCertificate)?;
    let certificate = Certificate::read(own).ok_or(TlsError::BadCertificate)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => TlsError::NoKey,
        _ => TlsError::BadKey,
    })?;
    let key = provider().key_provider.load_private_key(key).map_err(|_| TlsError::BadKey)?;
    if key.public_key().is_some_and(|public| public.as_ref() != certificate.public_key) {
        return Err(TlsError::KeyMismatch);
    }
    Ok(CertifiedKey::new(chain.0, key))
}
