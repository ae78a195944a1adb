//! A server's TLS settings.

use std::sync::{Arc, OnceLock};

use rustls::{
    ServerConfig, ServerConnection,
    crypto::aws_lc_rs::Ticketer,
    pki_types::{PrivateKeyDer, pem::PemObject},
    server::ProducesTickets,
    sign::{CertifiedKey, SingleCertAndKey},
};

use super::{CertificateChain, TlsError, certificate::Certificate, provider, warm_up};

/// How a server speaks TLS. Cloning shares the settings.
#[derive(Debug, Clone)]
pub struct ServerTls(Arc<ServerConfig>);

impl ServerTls {
    /// TLS 1.2 and 1.3 with a private key as PEM text and the chain of its certificate.
    ///
    /// # Errors
    /// One of them cannot be used, or they do not belong together.
    pub fn new(key: &[u8], chain: CertificateChain) -> Result<Self, TlsError> {
        warm_up();
        let certified = certify(key, chain)?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|_| TlsError::Unavailable)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        // Tickets: who comes back needs no new key exchange with our certificate, and nothing is stored here for it.
        config.ticketer = Arc::new(LazyTicketer::default());
        Ok(Self(Arc::new(config)))
    }

    pub(super) fn begin(&self) -> Result<ServerConnection, rustls::Error> {
        ServerConnection::new(Arc::clone(&self.0))
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
