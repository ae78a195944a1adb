//! Who one side of TLS says it is.

use std::sync::Arc;

use rustls::{
    pki_types::{PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};

use super::{CertificateChain, TlsError, certificate::Certificate, provider};

/// The chain of a certificate with its private key. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Identity(pub(super) Arc<CertifiedKey>);

impl Identity {
    /// A private key as PEM text and the chain of its certificate.
    ///
    /// Not rustls's own check, which takes no certificate of version 1.
    ///
    /// # Errors
    /// One of them cannot be used, or they do not belong together.
    pub fn new(key: &[u8], chain: CertificateChain) -> Result<Self, TlsError> {
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
        Ok(Self(Arc::new(CertifiedKey::new(chain.0, key))))
    }
}
