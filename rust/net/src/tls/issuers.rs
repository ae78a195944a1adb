//! Which of the certificates that come with another may lead to an authority.
//!
//! webpki tries every order of those that fit, and gives up after two hundred thousand steps: forged ones of one name, which need no
//! key, make it take all of them, and hundreds fit into a handshake. So few are handed on, by their names alone.

use rustls::pki_types::CertificateDer;

use super::certificate::Certificate;

/// As many as any real chain has, and its variants; more than lead to one another are not looked at.
const MOST: usize = 16;
/// Of one name: an authority that others have signed too.
const MOST_OF_A_NAME: usize = 3;

/// Those of `sent` that issuers of `certificate` may be, or issuers of those, the first ones of each name, once each.
pub(super) fn possible_issuers<'a>(
    certificate: &Certificate<'_>,
    sent: &'a [CertificateDer<'a>],
) -> Vec<CertificateDer<'a>> {
    let read: Vec<_> = sent.iter().filter_map(|der| Some((der, Certificate::read(der)?))).collect();
    let mut chosen: Vec<CertificateDer<'a>> = Vec::new();
    let mut names = vec![certificate.issuer];
    let mut judged = 0;
    while let Some(name) = names.get(judged).copied() {
        judged += 1;
        let mut of_name = 0;
        for (der, issuer) in read.iter().filter(|(_, read)| read.subject == name) {
            if of_name == MOST_OF_A_NAME || chosen.len() == MOST {
                break;
            }
            if chosen.contains(*der) {
                continue;
            }
            of_name += 1;
            chosen.push(CertificateDer::from_slice(der));
            if !names.contains(&issuer.issuer) {
                names.push(issuer.issuer);
            }
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    use super::*;

    /// A certificate of the name `subject` that says it was issued by `issuer`.
    fn der(subject: &str, issuer: &str) -> CertificateDer<'static> {
        let params = |name: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params
        };
        let key = || KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let issuer = Issuer::new(params(issuer), key());
        params(subject).signed_by(&key(), &issuer).unwrap().der().clone()
    }

    /// Where those that are chosen stand in what was sent.
    fn chosen(leaf: &CertificateDer<'_>, sent: &[CertificateDer<'_>]) -> Vec<usize> {
        let found = possible_issuers(&Certificate::read(leaf).unwrap(), sent);
        found.iter().map(|der| sent.iter().position(|other| other == der).unwrap()).collect()
    }

    #[test]
    fn chains_are_followed_in_any_order_and_what_does_not_belong_is_left_out() {
        let leaf = der("game", "lower");
        let sent = [der("root", "root"), der("other", "root"), der("middle", "root"), der("lower", "middle")];
        assert_eq!(chosen(&leaf, &sent), [3, 2, 0]);
        assert_eq!(chosen(&der("game", "nobody"), &sent), [0; 0]);
        let bundle: Vec<_> =
            (0..200).map(|index| der(&format!("CA {index}"), "root")).chain(sent.clone()).collect();
        assert_eq!(chosen(&leaf, &bundle), [203, 202, 200], "however many others there are");
        let with_nonsense = [CertificateDer::from(vec![1, 2, 3]), sent[3].clone(), sent[3].clone()];
        assert_eq!(chosen(&leaf, &with_nonsense), [1], "each once");
    }

    #[test]
    fn few_are_chosen_of_those_that_all_lead_to_one_another() {
        let leaf = der("game", "A");
        let same: Vec<_> = (0..100).map(|_| der("A", "A")).collect();
        assert_eq!(chosen(&leaf, &same), [0, 1, 2]);
        let ring: Vec<_> =
            (0..20).flat_map(|index| [0; 4].map(|_| der(&name(index), &name(index + 1)))).collect();
        assert_eq!(chosen(&leaf, &ring).len(), MOST);
        let variants = [der("A", "B"), der("A", "C"), der("C", "root")];
        assert_eq!(chosen(&leaf, &variants), [0, 1, 2], "an authority that two have signed");
    }

    fn name(index: u8) -> String {
        char::from(b'A' + index).to_string()
    }
}
