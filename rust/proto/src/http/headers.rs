//! Heads: where they end, and what their fields say.

/// Largest head taken, in bytes, the empty line included.
pub(crate) const MAX_HEAD: usize = 16 * 1024;
/// Most header lines of a request taken.
pub(crate) const MAX_LINES: usize = 124;
/// Most interim answers (RFC 9110 section 15.2) before the one that is waited for.
pub(crate) const MAX_INTERIM: usize = 16;

/// Why a head's end cannot be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadError {
    TooLarge,
    BareLineFeed,
}

/// Looks for the end of a head, each byte once, however it is cut.
#[derive(Debug, Default)]
pub(crate) struct HeadScan {
    scanned: usize,
    line_start: usize,
    has_content: bool,
}

impl HeadScan {
    /// The head's size, once it is whole. `bytes` is everything received so far.
    pub(crate) fn find_end(&mut self, bytes: &[u8]) -> Result<Option<usize>, HeadError> {
        let bytes = bytes.get(..MAX_HEAD).unwrap_or(bytes);
        while let Some(offset) = position(bytes, self.scanned, b'\n') {
            let line = bytes.get(self.line_start..self.scanned + offset).unwrap_or_default();
            // httparse would take a bare line feed; what it ends differs between parsers, so it is refused.
            let content = line.strip_suffix(b"\r").ok_or(HeadError::BareLineFeed)?;
            self.scanned += offset + 1;
            self.line_start = self.scanned;
            if content.is_empty() && self.has_content {
                return Ok(Some(self.scanned));
            }
            // RFC 9112 section 2.2: empty lines before a request are skipped.
            self.has_content |= !content.is_empty();
        }
        self.scanned = bytes.len();
        if bytes.len() >= MAX_HEAD { Err(HeadError::TooLarge) } else { Ok(None) }
    }
}

fn position(bytes: &[u8], from: usize, wanted: u8) -> Option<usize> {
    bytes.get(from..)?.iter().position(|byte| *byte == wanted)
}

/// Header fields as received.
#[derive(Clone, Copy)]
pub(crate) struct Headers<'a>(pub(crate) &'a [httparse::Header<'a>]);

/// A field that may be there once, and is there more often.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Repeated;

impl<'a> Headers<'a> {
    /// The values of all lines of that name.
    pub(crate) fn all(self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
    }

    /// The value of a field that may be there once.
    pub(crate) fn single(self, name: &'a str) -> Result<Option<&'a [u8]>, Repeated> {
        let mut values = self.all(name);
        let first = values.next().map(<[u8]>::trim_ascii);
        if values.next().is_some() { Err(Repeated) } else { Ok(first) }
    }

    /// The members of a list, which may be spread over several lines (RFC 9110 section 5.6.1).
    pub(crate) fn list(self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let members = |value: &'a [u8]| value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        self.all(name).flat_map(members).filter(|member| !member.is_empty())
    }

    /// Whether the list has that member, in any case.
    pub(crate) fn has_token(self, name: &'a str, token: &str) -> bool {
        self.list(name).any(|member| member.eq_ignore_ascii_case(token.as_bytes()))
    }
}

/// Whether `text` is the base64 form of 16 bytes.
pub(crate) fn is_key(text: &[u8]) -> bool {
    match text.strip_suffix(b"==") {
        Some(digits) => digits.len() == 22 && digits.iter().all(is_base64_digit),
        None => false,
    }
}

fn is_base64_digit(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/".contains(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(bytes: &[u8]) -> Result<Option<usize>, HeadError> {
        HeadScan::default().find_end(bytes)
    }

    #[test]
    fn the_end_is_found_however_the_head_is_cut() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let stream = [&head[..], b"\n\r\nfollowing"].concat();
        for cut in 0..head.len() {
            let mut scan = HeadScan::default();
            assert_eq!(scan.find_end(&stream[..cut]), Ok(None));
            assert_eq!(scan.find_end(&stream), Ok(Some(head.len())));
        }
    }

    #[test]
    fn line_ends() {
        assert_eq!(find(b"GET / HTTP/1.1\n"), Err(HeadError::BareLineFeed));
        assert_eq!(find(b"GET / HTTP/1.1\r\n\n"), Err(HeadError::BareLineFeed));
        assert_eq!(find(b"\r\n\r\nGET\r\n\r\n"), Ok(Some(11)));
        assert_eq!(find(b"\r\n\r\n"), Ok(None));
    }

    #[test]
    fn heads_of_just_the_limit() {
        let mut head = vec![b'x'; MAX_HEAD - 4];
        head.extend_from_slice(b"\r\n\r\n");
        assert_eq!(find(&head), Ok(Some(MAX_HEAD)));
        head.insert(0, b'x');
        assert_eq!(find(&head), Err(HeadError::TooLarge));
        assert_eq!(find(&head[..MAX_HEAD - 1]), Ok(None));
        assert_eq!(find(&head[..MAX_HEAD]), Err(HeadError::TooLarge));
    }

    #[test]
    fn lists_and_tokens() {
        let lines = [
            httparse::Header { name: "connection", value: b"keep-alive , UPGRADE" },
            httparse::Header { name: "Connection", value: b",, x" },
            httparse::Header { name: "Host", value: b" a " },
        ];
        let headers = Headers(&lines);
        assert!(headers.has_token("Connection", "upgrade") && headers.has_token("Connection", "x"));
        assert!(!headers.has_token("Connection", "up"));
        assert_eq!(headers.single("host"), Ok(Some(&b"a"[..])));
        assert_eq!(headers.single("connection"), Err(Repeated));
        assert_eq!(headers.single("none"), Ok(None));
    }

    #[test]
    fn keys() {
        assert!(is_key(b"dGhlIHNhbXBsZSBub25jZQ=="));
        for key in [
            "",
            "==",
            "dGhlIHNhbXBsZSBub25jZQ=",
            "dGhlIHNhbXBsZSBub25jZ===",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25j*Q==",
        ] {
            assert!(!is_key(key.as_bytes()), "{key}");
        }
    }
}
