//! A server's certificate with the others that lead to a trusted one.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use data_encoding::BASE64;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};

use super::{TlsError, provider};

/// Characters of a line of PEM (RFC 7468 section 2).
const PEM_LINE: usize = 64;

/// Certificates as a server presents them, its own first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateChain(pub(super) Vec<CertificateDer<'static>>);

impl CertificateChain {
    /// Those of a PEM text.
    ///
    /// # Errors
    /// There is none in it, or one cannot be read.
    pub fn from_pem(pem: &[u8]) -> Result<Self, TlsError> {
        let chain = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| TlsError::BadCertificate)?;
        if chain.is_empty() { Err(TlsError::NoCertificate) } else { Ok(Self(chain)) }
    }

    /// One certificate as PEM text.
    pub fn pem_of(der: &[u8]) -> String {
        let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
        for line in BASE64.encode(der).as_bytes().chunks(PEM_LINE) {
            text.push_str(&String::from_utf8_lossy(line));
            text.push('\n');
        }
        text + "-----END CERTIFICATE-----\n"
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never, once made.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A TLS client that goes as far as to see a server's certificates. For servers whose certificates cannot be had otherwise;
/// it moves no bytes by itself.
#[derive(Debug)]
pub struct ChainCapture {
    session: ClientConnection,
    seen: Arc<Witness>,
}

impl ChainCapture {
    /// Has its greeting ready in [`take_output`](Self::take_output).
    ///
    /// # Errors
    /// TLS is not available.
    pub fn new() -> Result<Self, TlsError> {
        let seen = Arc::new(Witness::default());
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|_| TlsError::Unavailable)?
            .dangerous()
            .with_custom_certificate_verifier(seen.clone())
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").map_err(|_| TlsError::Unavailable)?;
        let session = ClientConnection::new(Arc::new(config), name).map_err(|_| TlsError::Unavailable)?;
        Ok(Self { session, seen })
    }

    /// What the server has to be given.
    pub fn take_output(&mut self) -> Vec<u8> {
        let mut output = Vec::new();
        while self.session.wants_write() {
            if self.session.write_tls(&mut output as &mut dyn Write).is_err() {
                break;
            }
        }
        output
    }

    /// What the server says.
    pub fn handle_input(&mut self, mut input: &[u8]) {
        while !input.is_empty() {
            match self.session.read_tls(&mut input as &mut dyn io::Read) {
                // The handshake is refused as soon as the certificates are known.
                Ok(count) if count > 0 && self.session.process_new_packets().is_ok() => {}
                _ => return,
            }
        }
    }

    /// What was presented, once it was.
    pub fn chain(&self) -> Option<CertificateChain> {
        self.seen.chain.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Notes what it is shown and accepts nothing.
#[derive(Debug, Default)]
struct Witness {
    chain: Mutex<Option<CertificateChain>>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let others = intermediates.iter().cloned().map(CertificateDer::into_owned);
        let chain = std::iter::once(end_entity.clone().into_owned()).chain(others).collect();
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = Some(CertificateChain(chain));
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_tls12_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
