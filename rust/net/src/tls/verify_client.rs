//! Whether a client's certificate is to be trusted: by the same rules as a server's, but for the name, which clients have none
//! of, and the purpose.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

use super::{TlsError, certificate::Certificate, role::Role, roots::Roots, verify::Checker};

/// Which certificates a server takes from its clients. Cloning shares the certificates.
#[derive(Debug, Clone)]
pub struct ClientAuth {
    roots: Arc<Roots>,
    is_required: bool,
}

impl ClientAuth {
    /// Signed by one of these, or one of these itself if it has signed itself: one or more certificates as PEM text. Required: a client without one is refused.
    ///
    /// # Errors
    /// The certificates cannot be read, or there are none.
    pub fn new(trusted: &[u8], is_required: bool) -> Result<Self, TlsError> {
        Ok(Self { roots: Arc::new(Roots::chosen(trusted)?), is_required })
    }
}

/// Bytes of the authorities' names. More are not told: TLS has 65 535 for all that the server asks, and a client reads no more.
const LONGEST_HINTS: usize = 16 * 1024;

/// Decides about clients' certificates.
#[derive(Debug)]
pub(super) struct ClientVerifier {
    auth: ClientAuth,
    /// The authorities, so that a client with several certificates knows which to show.
    hints: Vec<DistinguishedName>,
    checker: Checker,
}

impl ClientVerifier {
    pub(super) fn new(auth: ClientAuth) -> Self {
        let trusted = auth.roots.certificates.iter();
        let subjects = trusted.filter_map(|der| Certificate::read(der).map(|read| read.subject));
        let mut hints: Vec<_> = subjects.map(DistinguishedName::in_sequence).collect();
        hints.sort_by(|one, other| one.as_ref().cmp(other.as_ref()));
        hints.dedup_by(|one, other| one.as_ref() == other.as_ref());
        if hints.iter().map(|hint| hint.as_ref().len()).sum::<usize>() > LONGEST_HINTS {
            hints.clear();
        }
        Self { auth, hints, checker: Checker::new(Role::Client) }
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.auth.is_required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let certificate = Certificate::read(end_entity).ok_or(CertificateError::BadEncoding)?;
        match self.checker.check_chain(&self.auth.roots, end_entity, &certificate, intermediates, now) {
            Ok(()) => Ok(ClientCertVerified::assertion()),
            // Of another authority that has the same name.
            Err(CertificateError::BadSignature) => Err(CertificateError::UnknownIssuer.into()),
            Err(error) => Err(error.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.checker.check_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.checker.check_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.checker.schemes()
    }
}
