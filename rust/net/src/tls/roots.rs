//! Certificates to trust.

use std::sync::{Arc, OnceLock};

use rustls::pki_types::{CertificateDer, TrustAnchor, pem::PemObject};

use super::{TlsError, certificate::Certificate};
use crate::helper;

/// What webpki's trust anchors leave out and the built-in checks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    /// How many intermediates may follow.
    pub(super) path_length: Option<u8>,
}

/// Trusted certificates.
#[derive(Debug, Default)]
pub(super) struct Roots {
    /// Those that may issue others, for webpki.
    pub(super) anchors: Vec<TrustAnchor<'static>>,
    /// Of each anchor; none for the bundled ones, which come without dates.
    pub(super) limits: Vec<Option<Limits>>,
    /// All as they came.
    pub(super) certificates: Vec<CertificateDer<'static>>,
    /// A script has named these certificates, rather than the system.
    pub(super) are_chosen: bool,
}

impl Roots {
    /// The certificates of a PEM text that a script has chosen; every one must be readable.
    pub(super) fn chosen(pem: &[u8]) -> Result<Self, TlsError> {
        let mut roots = Self { are_chosen: true, ..Self::default() };
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate.map_err(|_| TlsError::BadCertificate)?)?;
        }
        if roots.certificates.is_empty() { Err(TlsError::NoCertificate) } else { Ok(roots) }
    }

    /// A bundle, of which what cannot be read is left out: one odd certificate must not lock out all others.
    fn bundle(pem: &[u8]) -> Self {
        let mut roots = Self::default();
        for certificate in CertificateDer::pem_slice_iter(pem).flatten() {
            _ = roots.add(certificate);
        }
        roots
    }

    fn bundled() -> Self {
        let anchors = webpki_roots::TLS_SERVER_ROOTS.to_vec();
        Self { limits: vec![None; anchors.len()], anchors, ..Self::default() }
    }

    fn add(&mut self, der: CertificateDer<'static>) -> Result<(), TlsError> {
        let certificate = Certificate::read(&der).ok_or(TlsError::BadCertificate)?;
        if certificate.may_issue()
            && let Ok(anchor) = webpki::anchor_from_trusted_cert(&der)
        {
            self.anchors.push(anchor.to_owned());
            self.limits.push(Some(Limits {
                not_before: certificate.not_before,
                not_after: certificate.not_after,
                path_length: certificate.path_length,
            }));
        }
        self.certificates.push(der);
        Ok(())
    }
}

/// The certificates that a client trusts when a script names none. Cloning shares them.
#[derive(Debug, Clone)]
pub struct DefaultRoots(Arc<Loading>);

#[derive(Debug)]
struct Loading {
    pem: Option<String>,
    roots: OnceLock<Roots>,
}

impl DefaultRoots {
    /// Those of a PEM text, or without one Mozilla's. A thread reads them; whoever needs them before it has done so
    /// waits for it.
    pub fn load(pem: Option<String>) -> Self {
        let roots = Self(Arc::new(Loading { pem, roots: OnceLock::new() }));
        let loading = roots.clone();
        // If there is no thread to be had, the first connection reads them.
        _ = helper::spawn("websocket-roots", move || {
            loading.get();
        });
        roots
    }

    pub(super) fn get(&self) -> &Roots {
        self.0.roots.get_or_init(|| match &self.0.pem {
            Some(pem) => Roots::bundle(pem.as_bytes()),
            None => Roots::bundled(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mozillas_list_stands_in_where_there_is_none() {
        let roots = DefaultRoots::load(None);
        assert!(roots.get().anchors.len() > 100, "{} anchors", roots.get().anchors.len());
        assert!(!roots.get().are_chosen);
    }

    #[test]
    fn a_bundle_survives_what_cannot_be_read() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut authority = rcgen::CertificateParams::default();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let good = authority.self_signed(&key).unwrap().pem();
        let bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let roots = DefaultRoots::load(Some(format!("a comment\n{bad}{good}\n{bad}{good}")));
        assert_eq!(roots.get().anchors.len(), 2);
        assert_eq!(DefaultRoots::load(Some(bad.to_owned())).get().anchors.len(), 0);
        assert!(Roots::chosen(bad.as_bytes()).is_err());
    }
}
