//! The reader of certificates held against webpki, for fuzzing.

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::certificate::Certificate;

/// Reads `der` with both.
///
/// # Panics
/// If they see different public keys. What only webpki takes is refused, which is the safe side: it reads extensions later.
pub fn compare_certificate(der: &[u8]) {
    let ours = Certificate::read(der);
    if let Some(ours) = &ours {
        ours.common_names().for_each(drop);
    }
    let whole = CertificateDer::from(der);
    let Ok(theirs) = EndEntityCert::try_from(&whole) else { return };
    let Some(ours) = ours else { return };
    assert_eq!(ours.public_key, theirs.subject_public_key_info().as_ref(), "the public keys differ");
}
