//! What the verifier has to know of a certificate and webpki does not tell: a reader of the few DER fields concerned.
//!
//! Nothing here decides whom to trust. Input is hostile: whatever does not have the expected form reads as `None`.

use super::role::Role;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const BOOLEAN: u8 = 0x01;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;
const ISSUER_UNIQUE_ID: u8 = 0x81;
const SUBJECT_UNIQUE_ID: u8 = 0x82;
const EXTENSIONS: u8 = 0xa3;

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x1e];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const SERVER_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
const CLIENT_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];
const ANY_EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25, 0x00];

/// Bits of `KeyUsage` (RFC 5280 section 4.2.1.3), the first bit being the highest.
const DIGITAL_SIGNATURE: u8 = 0x80;
const KEY_CERT_SIGN: u8 = 0x04;

/// Fields of a certificate, borrowed from its DER form.
#[derive(Debug)]
pub(super) struct Certificate<'a> {
    /// The signed part, with its tag.
    pub(super) signed: &'a [u8],
    /// The content of the signature's AlgorithmIdentifier.
    pub(super) signature_algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
    /// 1, 2 or 3.
    pub(super) version: u8,
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    /// Seconds since 1970.
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    /// SubjectPublicKeyInfo, with its tag.
    pub(super) public_key: &'a [u8],
    pub(super) is_ca: bool,
    pub(super) path_length: Option<u8>,
    pub(super) has_alternative_names: bool,
    pub(super) has_name_constraints: bool,
    /// A critical extension that this reader does not know.
    pub(super) has_unknown_critical: bool,
    key_usage: Option<u8>,
    is_for_servers: bool,
    is_for_clients: bool,
}

impl<'a> Certificate<'a> {
    /// Reads a certificate.
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let mut outer = Reader(der);
        let mut whole = Reader(outer.take(SEQUENCE)?);
        let (signed, content) = whole.take_whole(SEQUENCE)?;
        let signature_algorithm = whole.take(SEQUENCE)?;
        let signature = whole.take(BIT_STRING)?.strip_prefix(&[0])?;
        let mut fields = Reader(content);
        let version = match fields.take_optional(VERSION) {
            Some(version) => Reader(version).take(INTEGER)?.last()?.checked_add(1)?,
            None => 1,
        };
        fields.take(INTEGER)?; // serial number
        fields.take(SEQUENCE)?; // signature algorithm, again
        let issuer = fields.take(SEQUENCE)?;
        let mut validity = Reader(fields.take(SEQUENCE)?);
        let (not_before, not_after) = (validity.take_time()?, validity.take_time()?);
        let subject = fields.take(SEQUENCE)?;
        let (public_key, _) = fields.take_whole(SEQUENCE)?;
        let mut certificate = Self {
            signed,
            signature_algorithm,
            signature,
            version,
            issuer,
            subject,
            not_before,
            not_after,
            public_key,
            is_ca: false,
            path_length: None,
            has_alternative_names: false,
            has_name_constraints: false,
            has_unknown_critical: false,
            key_usage: None,
            is_for_servers: true,
            is_for_clients: true,
        };
        fields.take_optional(ISSUER_UNIQUE_ID);
        fields.take_optional(SUBJECT_UNIQUE_ID);
        if let Some(extensions) = fields.take_optional(EXTENSIONS) {
            certificate.read_extensions(Reader(extensions).take(SEQUENCE)?)?;
        }
        (fields.0.is_empty() && whole.0.is_empty() && outer.0.is_empty()).then_some(certificate)
    }

    fn read_extensions(&mut self, list: &[u8]) -> Option<()> {
        let mut extensions = Reader(list);
        while !extensions.0.is_empty() {
            let mut extension = Reader(extensions.take(SEQUENCE)?);
            let name = extension.take(OBJECT_IDENTIFIER)?;
            let is_critical = extension.take_optional(BOOLEAN).is_some_and(|value| value != [0]);
            let mut value = Reader(extension.take(OCTET_STRING)?);
            match name {
                SUBJECT_ALT_NAME => self.has_alternative_names = true,
                BASIC_CONSTRAINTS => {
                    let mut constraints = Reader(value.take(SEQUENCE)?);
                    self.is_ca = constraints.take_optional(BOOLEAN).is_some_and(|value| value != [0]);
                    self.path_length =
                        constraints.take_optional(INTEGER).map(|length| length.last().copied().unwrap_or(0));
                }
                KEY_USAGE => self.key_usage = Some(value.take(BIT_STRING)?.get(1).copied().unwrap_or(0)),
                EXTENDED_KEY_USAGE => {
                    let usages = value.take(SEQUENCE)?;
                    self.is_for_servers = names_usage(usages, SERVER_AUTH);
                    self.is_for_clients = names_usage(usages, CLIENT_AUTH);
                }
                NAME_CONSTRAINTS => self.has_name_constraints = true,
                _ => self.has_unknown_critical |= is_critical,
            }
        }
        Some(())
    }

    pub(super) fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// Whether it may sign others: a CA, or a root from before there were extensions.
    pub(super) fn may_issue(&self) -> bool {
        let is_ca = self.is_ca || (self.version < 3 && self.is_self_issued());
        is_ca && self.key_usage.is_none_or(|usage| usage & KEY_CERT_SIGN != 0)
    }

    /// Whether that side of TLS may use it: all key exchanges here are signed ones.
    pub(super) fn may_be_used_by(&self, role: Role) -> bool {
        let is_for_it = match role {
            Role::Server => self.is_for_servers,
            Role::Client => self.is_for_clients,
        };
        is_for_it && self.key_usage.is_none_or(|usage| usage & DIGITAL_SIGNATURE != 0)
    }

    /// The subject's common names, as bytes of whatever string type.
    pub(super) fn common_names(&self) -> impl Iterator<Item = &'a [u8]> {
        let mut parts = Reader(self.subject);
        std::iter::from_fn(move || parts.take(SET)).flat_map(|part| {
            let mut attributes = Reader(part);
            std::iter::from_fn(move || attributes.take(SEQUENCE)).filter_map(|attribute| {
                let mut attribute = Reader(attribute);
                let is_common_name = attribute.take(OBJECT_IDENTIFIER)? == COMMON_NAME;
                attribute.take_any().map(|(_, _, value)| value).filter(|_| is_common_name)
            })
        })
    }
}

fn names_usage(list: &[u8], wanted: &[u8]) -> bool {
    let mut usages = Reader(list);
    std::iter::from_fn(|| usages.take(OBJECT_IDENTIFIER))
        .any(|usage| usage == wanted || usage == ANY_EXTENDED_KEY_USAGE)
}

/// What is still to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Tag, the element with its head, and its content.
    fn take_any(&mut self) -> Option<(u8, &'a [u8], &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x83 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
            }
            _ => return None, // indefinite, or more than 16 MiB
        };
        let (content, rest) = rest.split_at_checked(length)?;
        let whole = self.0.get(..self.0.len() - rest.len())?;
        self.0 = rest;
        Some((tag, whole, content))
    }

    fn take_whole(&mut self, tag: u8) -> Option<(&'a [u8], &'a [u8])> {
        if self.0.first() != Some(&tag) {
            return None;
        }
        self.take_any().map(|(_, whole, content)| (whole, content))
    }

    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.take_whole(tag).map(|(_, content)| content)
    }

    fn take_optional(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.take(tag)
    }

    /// Seconds since 1970 (RFC 5280 section 4.1.2.5: to the second, in UTC).
    fn take_time(&mut self) -> Option<i64> {
        let (tag, _, text) = self.take_any()?;
        let (digits, zone) = text.split_last().map(|(zone, digits)| (digits, *zone))?;
        let number = |from: usize, length: usize| -> Option<i64> {
            let part = digits.get(from..from + length)?;
            part.iter().try_fold(0, |number, digit| {
                digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0'))
            })
        };
        let (year, at) = match (tag, digits.len()) {
            (UTC_TIME, 12) => {
                (number(0, 2).map(|year| if year < 50 { 2000 + year } else { 1900 + year })?, 2)
            }
            (GENERALIZED_TIME, 14) => (number(0, 4)?, 4),
            _ => return None,
        };
        let (month, day) = (number(at, 2)?, number(at + 2, 2)?);
        let (hour, minute, second) = (number(at + 4, 2)?, number(at + 6, 2)?, number(at + 8, 2)?);
        let is_valid = zone == b'Z' && (1..=12).contains(&month) && (1..=31).contains(&day);
        (is_valid && hour < 24 && minute < 60 && second < 61)
            .then(|| days_since_1970(year, month, day) * 86400 + hour * 3600 + minute * 60 + second)
    }
}

/// Of the Gregorian calendar; counts years from March, so that leap days come last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let months = (month + 9) % 12;
    let day_of_year = (153 * months + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_over_leap_years() {
        assert_eq!(days_since_1970(1970, 1, 1), 0);
        assert_eq!(days_since_1970(2000, 2, 29), 11_016);
        assert_eq!(days_since_1970(2000, 3, 1), 11_017);
        assert_eq!(days_since_1970(2100, 3, 1) - days_since_1970(2100, 2, 28), 1);
        assert_eq!(days_since_1970(1969, 12, 31), -1);
    }

    #[test]
    fn times_have_one_form_each() {
        let read = |tag: u8, text: &str| {
            let mut der = vec![tag, u8::try_from(text.len()).unwrap()];
            der.extend(text.as_bytes());
            Reader(&der).take_time()
        };
        assert_eq!(read(UTC_TIME, "700101000001Z"), Some(1));
        assert_eq!(read(UTC_TIME, "490101000000Z"), Some(2_493_072_000));
        assert_eq!(read(GENERALIZED_TIME, "19700102000000Z"), Some(86_400));
        for text in ["700101000001", "7001010000Z", "701301000001Z", "70010100000xZ", "700101240000Z", ""] {
            assert_eq!(read(UTC_TIME, text), None, "{text}");
        }
    }

    /// Hostile input must read as nothing, and never end the thread.
    #[test]
    fn every_beginning_and_every_flipped_byte_is_survived() {
        let key = rcgen::KeyPair::generate().unwrap();
        let made =
            rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let der = made.der().as_ref();
        let certificate = Certificate::read(der).expect("a good certificate");
        assert!(
            certificate.has_alternative_names
                && certificate.may_be_used_by(Role::Server)
                && certificate.version == 3
        );
        for length in 0..der.len() {
            assert!(Certificate::read(&der[..length]).is_none(), "{length}");
        }
        for index in 0..der.len() {
            for value in [0, 0x30, 0x7f, 0x80, 0x84, 0xff] {
                let mut broken = der.to_vec();
                broken[index] = value;
                if let Some(read) = Certificate::read(&broken) {
                    read.common_names().count();
                }
            }
        }
    }
}
