//! Whether a certificate is to be trusted, a server's as the engine's built-in TLS (Mbed TLS) decides it.
//!
//! webpki builds and checks chains. It refuses three things that the built-in takes and that Godot's own tools make or
//! its users have, so that these are decided here, from the same facts and no weaker than the built-in does:
//!
//! - A certificate that is itself among the trusted ones. `Crypto.generate_self_signed_certificate` makes such, marked as
//!   CA, and webpki refuses a CA as a server's certificate. Accepted if it names itself as its issuer and is byte for byte
//!   the trusted one, which is stronger than any signature.
//! - A certificate marked as CA, or of X.509 version 1 (what `openssl x509 -req` makes without further options), directly
//!   signed by a trusted certificate. Only for certificates that a script has chosen to trust.
//! - A certificate without alternative names: its common name counts (RFC 6125 calls that obsolete).
//!
//! In all cases the time, the purpose (extended key usage, key usage) and the name are checked, and of a trusted
//! certificate, beyond webpki, that it may issue others, its own time and its path length.

use std::{net::IpAddr, sync::Arc};

use rust_websocket_proto::{Quoted, ascii_host_name};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, PeerMisbehaved, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
};
use thiserror::Error;
use webpki::{EndEntityCert, KeyUsage, RawPublicKeyEntity, VerifiedPath};

use super::{
    DefaultRoots, ExpectedName, certificate::Certificate, issuers::possible_issuers, provider, role::Role,
    roots::Limits, roots::Roots, unfit::Unfit,
};

/// Certificates that count.
#[derive(Debug)]
pub(super) enum Trust {
    /// No verification at all.
    Anything,
    Default(DefaultRoots),
    Chosen(Roots),
}

/// A certificate is for somebody else.
#[derive(Debug, Error)]
#[error("the server's certificate is not for {} but for {}", Quoted(.expected), list(.presented))]
struct WrongName {
    expected: String,
    presented: Vec<String>,
}

/// Decides about all of certificates but their names.
#[derive(Debug)]
pub(super) struct Checker {
    /// Whose they are.
    role: Role,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Checker {
    pub(super) fn new(role: Role) -> Self {
        Self { role, algorithms: provider().signature_verification_algorithms }
    }

    /// Whether a certificate is one of the trusted ones or leads to one.
    pub(super) fn check_chain(
        &self,
        roots: &Roots,
        der: &CertificateDer<'_>,
        certificate: &Certificate<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), CertificateError> {
        if certificate.is_self_issued() && roots.certificates.contains(der) {
            return self.check_alone(certificate, now);
        }
        let intermediates = possible_issuers(certificate, intermediates);
        match self.check_by_webpki(roots, der, &intermediates, now) {
            Ok(()) if certificate.may_be_used_by(self.role) => Ok(()),
            Ok(()) => Err(CertificateError::InvalidPurpose),
            Err(webpki::Error::CaUsedAsEndEntity | webpki::Error::UnsupportedCertVersion) => {
                self.check_direct(roots, certificate, now)
            }
            Err(error) => Err(certificate_error(&error)),
        }
    }

    fn check_by_webpki(
        &self,
        roots: &Roots,
        der: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), webpki::Error> {
        let check = |path: &VerifiedPath<'_>| {
            check_anchor(roots, path, now)?;
            self.check_constraints(der, path)
        };
        let usage = match self.role {
            Role::Server => KeyUsage::server_auth(),
            Role::Client => KeyUsage::client_auth(),
        };
        EndEntityCert::try_from(der)?
            .verify_for_usage(
                self.algorithms.all,
                &roots.anchors,
                intermediates,
                now,
                usage,
                None,
                Some(&check),
            )
            .map(|_| ())
    }

    /// webpki holds alternative names against an authority's constraints. A server's certificate without such names is looked at by its
    /// common name, which it does not.
    fn check_constraints(
        &self,
        der: &CertificateDer<'_>,
        path: &VerifiedPath<'_>,
    ) -> Result<(), webpki::Error> {
        let has_names = Certificate::read(der).is_none_or(|read| read.has_alternative_names);
        if self.role == Role::Client || has_names {
            return Ok(());
        }
        let mut issuers = path.intermediate_certificates();
        let is_constrained = path.anchor().name_constraints.is_some()
            || issuers
                .any(|issuer| Certificate::read(&issuer.der()).is_none_or(|read| read.has_name_constraints));
        if is_constrained { Err(webpki::Error::NameConstraintViolation) } else { Ok(()) }
    }

    /// A certificate that one of those has signed which a script has chosen.
    fn check_direct(
        &self,
        roots: &Roots,
        certificate: &Certificate<'_>,
        now: UnixTime,
    ) -> Result<(), CertificateError> {
        self.check_alone(certificate, now)?;
        let mut refusal = CertificateError::UnknownIssuer;
        let is_for_others = roots.are_chosen && !certificate.is_self_issued();
        for der in roots.certificates.iter().filter(|_| is_for_others) {
            let Some(issuer) = Certificate::read(der) else { continue };
            if issuer.subject != certificate.issuer || !issuer.may_issue() || issuer.has_name_constraints {
                continue;
            }
            let verdict = check_time(issuer.not_before, issuer.not_after, now)
                .and_then(|()| self.check_signature(&issuer, certificate));
            match verdict {
                Ok(()) => return Ok(()),
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    fn check_signature(
        &self,
        issuer: &Certificate<'_>,
        certificate: &Certificate<'_>,
    ) -> Result<(), CertificateError> {
        let key = SubjectPublicKeyInfoDer::from(issuer.public_key);
        let key = RawPublicKeyEntity::try_from(&key).map_err(|error| certificate_error(&error))?;
        let mut algorithms = self
            .algorithms
            .all
            .iter()
            .filter(|algorithm| algorithm.signature_alg_id().as_ref() == certificate.signature_algorithm);
        let is_signed = algorithms.any(|algorithm| {
            key.verify_signature(*algorithm, certificate.signed, certificate.signature).is_ok()
        });
        if is_signed { Ok(()) } else { Err(CertificateError::BadSignature) }
    }

    /// All that a certificate says of itself but its name.
    fn check_alone(&self, certificate: &Certificate<'_>, now: UnixTime) -> Result<(), CertificateError> {
        check_time(certificate.not_before, certificate.not_after, now)?;
        if certificate.has_unknown_critical {
            return Err(CertificateError::UnhandledCriticalExtension);
        }
        if certificate.may_be_used_by(self.role) { Ok(()) } else { Err(CertificateError::InvalidPurpose) }
    }

    /// A scheme of TLS 1.2 does not name the curve, so each is tried (as rustls's own verifier does, which however takes no
    /// key of a version 1 certificate).
    pub(super) fn check_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let certificate = Certificate::read(certificate).ok_or(CertificateError::BadEncoding)?;
        let key = SubjectPublicKeyInfoDer::from(certificate.public_key);
        let key = RawPublicKeyEntity::try_from(&key).map_err(|error| certificate_error(&error))?;
        let schemes = self.algorithms.mapping.iter();
        let Some((_, algorithms)) = schemes.clone().find(|(scheme, _)| *scheme == signed.scheme) else {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        };
        if algorithms
            .iter()
            .any(|algorithm| key.verify_signature(*algorithm, message, signed.signature()).is_ok())
        {
            return Ok(HandshakeSignatureValid::assertion());
        }
        Err(CertificateError::BadSignature.into())
    }

    /// Of TLS 1.3.
    pub(super) fn check_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let certificate = Certificate::read(certificate).ok_or(CertificateError::BadEncoding)?;
        let key = SubjectPublicKeyInfoDer::from(certificate.public_key);
        verify_tls13_signature_with_raw_key(message, &key, signed, &self.algorithms)
    }

    pub(super) fn schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Decides about servers' certificates.
#[derive(Debug)]
pub(super) struct Verifier {
    trust: Trust,
    name: ExpectedName,
    checker: Checker,
}

impl Verifier {
    pub(super) fn new(trust: Trust, name: ExpectedName) -> Self {
        Self { trust, name, checker: Checker::new(Role::Server) }
    }

    fn check_name(
        &self,
        der: &CertificateDer<'_>,
        certificate: &Certificate<'_>,
        host: &ServerName<'_>,
    ) -> Result<(), CertificateError> {
        let expected = match &self.name {
            ExpectedName::Any => return Ok(()),
            ExpectedName::Other(name) => name.clone(),
            ExpectedName::Host => match host {
                ServerName::IpAddress(address) => IpAddr::from(*address).to_string(),
                other => other.to_str().into_owned(),
            },
        };
        let (is_valid, presented) = if certificate.has_alternative_names {
            check_alternative_names(der, &expected)?
        } else {
            let names = || certificate.common_names();
            let presented = names().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
            (names().any(|name| is_common_name(name, &expected)), presented)
        };
        if is_valid {
            return Ok(());
        }
        Err(CertificateError::Other(OtherError(Arc::new(WrongName { expected, presented }))))
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let roots = match &self.trust {
            Trust::Anything => return Ok(ServerCertVerified::assertion()),
            Trust::Default(roots) => roots.get(),
            Trust::Chosen(roots) => roots,
        };
        let certificate = Certificate::read(end_entity).ok_or(CertificateError::BadEncoding)?;
        self.checker.check_chain(roots, end_entity, &certificate, intermediates, now)?;
        self.check_name(end_entity, &certificate, server_name)?;
        Ok(ServerCertVerified::assertion())
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

fn check_time(not_before: i64, not_after: i64, now: UnixTime) -> Result<(), CertificateError> {
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < not_before {
        return Err(CertificateError::NotValidYet);
    }
    if now > not_after { Err(CertificateError::Expired) } else { Ok(()) }
}

/// The limits of the trusted certificate at the end of a path that webpki has checked.
fn check_anchor(roots: &Roots, path: &VerifiedPath<'_>, now: UnixTime) -> Result<(), webpki::Error> {
    let index = roots.anchors.iter().position(|anchor| std::ptr::eq(anchor, path.anchor()));
    let limits = index.and_then(|index| roots.limits.get(index)).ok_or(webpki::Error::UnknownIssuer)?;
    let Some(Limits { not_before, not_after, path_length }) = *limits else { return Ok(()) };
    // As webpki puts it for other certificates of a path.
    check_time(not_before, not_after, now).map_err(|error| {
        let at = |seconds: i64| {
            UnixTime::since_unix_epoch(std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
        };
        match error {
            CertificateError::Expired => webpki::Error::CertExpired { time: now, not_after: at(not_after) },
            _ => webpki::Error::CertNotValidYet { time: now, not_before: at(not_before) },
        }
    })?;
    let intermediates = path
        .intermediate_certificates()
        .filter(|intermediate| intermediate.issuer() != intermediate.subject())
        .count();
    match path_length {
        Some(limit) if intermediates > usize::from(limit) => Err(webpki::Error::PathLenConstraintViolated),
        _ => Ok(()),
    }
}

/// Whether the name is among them, and what they are.
fn check_alternative_names(
    der: &CertificateDer<'_>,
    expected: &str,
) -> Result<(bool, Vec<String>), CertificateError> {
    let certificate = EndEntityCert::try_from(der).map_err(|error| certificate_error(&error))?;
    // What is no host name cannot be in there.
    let Ok(name) = ServerName::try_from(expected) else {
        return Ok((false, certificate.valid_dns_names().map(str::to_owned).collect()));
    };
    match certificate.verify_is_valid_for_subject_name(&name) {
        Ok(()) => Ok((true, Vec::new())),
        Err(webpki::Error::CertNotValidForName(context)) => {
            Ok((false, context.presented.iter().map(|name| bare_name(name)).collect()))
        }
        Err(error) => Err(certificate_error(&error)),
    }
}

/// webpki writes `DnsName("game.example")` and `IpAddress(127.0.0.1)`.
fn bare_name(presented: &str) -> String {
    let inner = presented.split_once('(').map_or(presented, |(_, inner)| inner);
    inner.trim_end_matches(')').trim_matches('"').to_owned()
}

/// A common name may have letters beyond ASCII, where an alternative name has their ASCII form, which is what is expected.
fn is_common_name(name: &[u8], expected: &str) -> bool {
    let ascii = || std::str::from_utf8(name).ok().and_then(ascii_host_name);
    matches_common_name(name, expected.as_bytes())
        || ascii().is_some_and(|name| matches_common_name(name.as_bytes(), expected.as_bytes()))
}

/// The built-in's rule: letters of any case, and a `*.` that stands for one label.
fn matches_common_name(pattern: &[u8], name: &[u8]) -> bool {
    if pattern.eq_ignore_ascii_case(name) {
        return true;
    }
    let Some(domain) = pattern.strip_prefix(b"*") else { return false };
    let dot = name.iter().position(|byte| *byte == b'.').unwrap_or(0);
    let is_address = std::str::from_utf8(name).is_ok_and(|name| name.parse::<IpAddr>().is_ok());
    dot > 0
        && domain.len() > 1
        && !is_address
        && name.get(dot..).is_some_and(|rest| rest.eq_ignore_ascii_case(domain))
}

fn certificate_error(error: &webpki::Error) -> CertificateError {
    use webpki::Error as W;
    match error {
        W::CertExpired { .. } => CertificateError::Expired,
        W::CertNotValidYet { .. } => CertificateError::NotValidYet,
        W::UnknownIssuer => CertificateError::UnknownIssuer,
        W::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        W::UnsupportedCriticalExtension => CertificateError::UnhandledCriticalExtension,
        W::RequiredEkuNotFoundContext(_) | W::EmptyEkuExtension => CertificateError::InvalidPurpose,
        W::BadDer | W::BadDerTime | W::TrailingData(_) | W::InvalidSerialNumber | W::MalformedExtensions => {
            CertificateError::BadEncoding
        }
        other => CertificateError::Other(OtherError(Arc::new(Unfit(other.clone())))),
    }
}

/// `'a', 'b'`, at most a few.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 4;
    if names.is_empty() {
        return "no name at all".to_owned();
    }
    let mut text =
        names.iter().take(SHOWN).map(|name| Quoted(name).to_string()).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(", ...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_names_match_as_the_engine_does() {
        let rows = [
            ("localhost", "LOCALHOST", true),
            ("localhost", "localhost.example", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("*.example.org", "game.example.org", true),
            ("*.example.org", "a.game.example.org", false),
            ("*.example.org", "example.org", false),
            ("*.0.0.1", "127.0.0.1", false),
            ("*", "localhost", false),
            ("*.", "localhost.", false),
            ("*", "", false),
            ("My Game Server", "my game server", true),
        ];
        for (pattern, name, expected) in rows {
            assert_eq!(
                matches_common_name(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
        }
    }
}
