//! rustls's errors in a game developer's words. What is said ends up in `get_error_message()`.

use rust_websocket_proto::Quoted;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

/// One phrase.
pub(super) fn describe(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => describe_certificate(error),
        Error::AlertReceived(alert) => describe_alert(*alert),
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge
            | InvalidMessage::InvalidEmptyPayload,
        ) => "the other side does not speak TLS here (ws:// and wss:// mixed up?)".to_owned(),
        Error::PeerIncompatible(error) => {
            format!(
                "the two sides have no common TLS version or method (1.2 and 1.3 are spoken here; {error:?})"
            )
        }
        Error::DecryptError => "a TLS record was damaged on its way or is not from the other side".to_owned(),
        other => format!("TLS error: {other}"),
    }
}

fn describe_certificate(error: &CertificateError) -> String {
    let text = match error {
        CertificateError::UnknownIssuer => {
            "the server's certificate is not one that this client trusts, nor signed by one \
             (TLSOptions.client takes the certificate to trust)"
        }
        CertificateError::Expired => "the server's certificate, or one that it depends on, has expired",
        CertificateError::NotValidYet => {
            "the server's certificate, or one that it depends on, is not valid yet; is the clock right?"
        }
        CertificateError::BadSignature => {
            "the server's certificate does not fit its signature: it was changed, or the server lacks its key"
        }
        CertificateError::BadEncoding => "the server's certificate cannot be read",
        CertificateError::InvalidPurpose => "the server's certificate is not made for servers",
        CertificateError::UnhandledCriticalExtension => {
            "the server's certificate has a critical extension that is not known here"
        }
        CertificateError::Other(other) => return other.to_string(),
        other => return format!("the server's certificate cannot be used ({other})"),
    };
    text.to_owned()
}

fn describe_alert(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateExpired
        | AlertDescription::UnsupportedCertificate => {
            format!("the other side refused the certificate ({alert:?})")
        }
        AlertDescription::ProtocolVersion => "the other side does not speak TLS 1.2 or 1.3".to_owned(),
        AlertDescription::HandshakeFailure => {
            "the other side found no common method (cipher, curve or kind of key)".to_owned()
        }
        AlertDescription::UnrecognisedName => "the server does not know the host name".to_owned(),
        other => format!("the other side ended TLS with the alert {other:?}"),
    }
}

/// `'a', 'b'`, at most a few.
pub(super) fn list(names: &[String]) -> String {
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
