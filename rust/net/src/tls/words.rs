//! rustls's errors in a game developer's words. What is said ends up in `get_error_message()`.

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};

use super::{TlsVersion, role::Role, unfit::Unfit};

/// What the words of a session depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Situation {
    /// This side's.
    pub(super) role: Role,
    /// The oldest version that is spoken here.
    pub(super) minimum: TlsVersion,
    /// Whether this side has a certificate to show.
    pub(super) shows_certificate: bool,
}

/// One phrase.
pub(super) fn describe(error: &Error, situation: Situation) -> String {
    match error {
        Error::InvalidCertificate(error) => describe_certificate(error, situation.role.other()),
        Error::NoCertificatesPresented => {
            "the client has shown no certificate, and tls_client_auth requires one".to_owned()
        }
        Error::AlertReceived(alert) => describe_alert(*alert, situation),
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge
            | InvalidMessage::InvalidEmptyPayload,
        ) => "the other side does not speak TLS here (ws:// and wss:// mixed up?)".to_owned(),
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        ) => describe_version(situation),
        Error::PeerIncompatible(error) => {
            format!(
                "the two sides have no common TLS version or method (1.2 and 1.3 are spoken here; {error:?})"
            )
        }
        Error::DecryptError => "a TLS record was damaged on its way or is not from the other side".to_owned(),
        other => format!("TLS error: {other}"),
    }
}

fn describe_version(Situation { role, minimum, .. }: Situation) -> String {
    let other = role.other();
    match minimum {
        TlsVersion::V1_2 => format!("the {other}'s TLS version is too old: it does not speak TLS 1.2 or 1.3"),
        TlsVersion::V1_3 => {
            format!(
                "the {other}'s TLS version is too old: it does not speak TLS 1.3, the tls_minimum_version here"
            )
        }
    }
}

fn describe_certificate(error: &CertificateError, whose: Role) -> String {
    let text = match error {
        CertificateError::UnknownIssuer if whose == Role::Server => {
            "is not one that this client trusts, nor signed by one (TLSOptions.client takes the certificate to trust)"
        }
        CertificateError::UnknownIssuer => "is not signed by tls_client_ca",
        CertificateError::Expired => ", or one that it depends on, has expired",
        CertificateError::NotValidYet => ", or one that it depends on, is not valid yet; is the clock right?",
        CertificateError::BadSignature => {
            return format!(
                "the {whose}'s certificate does not fit its signature: it was changed, or the {whose} lacks its key"
            );
        }
        CertificateError::BadEncoding => "cannot be read",
        CertificateError::InvalidPurpose => {
            return format!("the {whose}'s certificate is not made for {whose}s");
        }
        CertificateError::UnhandledCriticalExtension => "has a critical extension that is not known here",
        CertificateError::Other(other) => {
            return match other.0.downcast_ref::<Unfit>() {
                Some(unfit) => format!("the {whose}'s certificate cannot be used ({unfit})"),
                None => other.to_string(),
            };
        }
        other => return format!("the {whose}'s certificate cannot be used ({other})"),
    };
    let space = if text.starts_with(',') { "" } else { " " };
    format!("the {whose}'s certificate{space}{text}")
}

fn describe_alert(alert: AlertDescription, situation: Situation) -> String {
    use AlertDescription as A;
    let Situation { role, shows_certificate, .. } = situation;
    let is_bare_client = role == Role::Client && !shows_certificate;
    match alert {
        A::CertificateRequired if is_bare_client => {
            "the server requires a certificate of its clients, and none was shown (tls_client_certificate)".to_owned()
        }
        A::CertificateRequired if role == Role::Client => {
            "the server requires a certificate of another kind than tls_client_certificate (its key, or how that signs)"
                .to_owned()
        }
        A::UnknownCA
        | A::BadCertificate
        | A::CertificateUnknown
        | A::CertificateExpired
        | A::CertificateRevoked
        | A::UnsupportedCertificate
        | A::AccessDenied => describe_refusal(alert, situation),
        A::DecryptError if shows_certificate => describe_refusal(alert, situation),
        A::ProtocolVersion => describe_version(situation),
        A::HandshakeFailure if is_bare_client => {
            "the other side found no common method (cipher, curve or kind of key), or requires a certificate of its \
             clients, and none was shown (tls_client_certificate)"
                .to_owned()
        }
        A::HandshakeFailure => "the other side found no common method (cipher, curve or kind of key)".to_owned(),
        A::UnrecognisedName => "the server does not know the host name".to_owned(),
        other => format!("the other side ended TLS with the alert {other:?}"),
    }
}

/// The other side does not take this side's certificate.
fn describe_refusal(alert: AlertDescription, Situation { role, shows_certificate, .. }: Situation) -> String {
    let other = role.other();
    if !shows_certificate {
        return format!(
            "the {other} refused this {role}, which has no certificate to show ({alert:?}; tls_client_certificate)"
        );
    }
    let why = match alert {
        AlertDescription::UnknownCA => format!("it is not one that the {other} trusts, nor signed by one"),
        AlertDescription::CertificateExpired => "it, or one that it depends on, has expired".to_owned(),
        AlertDescription::DecryptError => {
            "it does not fit its signature (was it changed, or has another authority the same name?)"
                .to_owned()
        }
        AlertDescription::CertificateRevoked => "it was revoked".to_owned(),
        AlertDescription::UnsupportedCertificate => {
            format!("it is not made for {role}s, or of a kind that is not known there")
        }
        other => format!("{other:?}"),
    };
    format!("the {other} refused this {role}'s certificate: {why}")
}
