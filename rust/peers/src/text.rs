//! Strings of scripts that are no text. The engine keeps whatever code points it is given, and writes half of a UTF-16 pair as three
//! bytes that are not UTF-8: nothing of that may enter, nor leave for the other side.

use thiserror::Error;

/// Why a string is no text. A phrase for `it holds ...`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotText {
    /// A surrogate by itself.
    #[error(
        "half of a UTF-16 pair (U+{code:04X}, character {index}), as UTF-16 text does that was cut within a character"
    )]
    HalfPair {
        /// The code point.
        code: u32,
        /// Characters before it.
        index: usize,
    },
    /// Beyond U+10FFFF.
    #[error("something that is no character (character {index})")]
    NoCharacter {
        /// Characters before it.
        index: usize,
    },
}

/// Reads what the engine's `to_utf8_buffer` gives.
///
/// # Errors
/// It is not UTF-8: what is wrong with the first character that is none.
pub fn read_text(bytes: Vec<u8>) -> Result<String, NotText> {
    String::from_utf8(bytes).map_err(|error| {
        let (valid, rest) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
        let index = String::from_utf8_lossy(valid).chars().count();
        match *rest {
            [0xed, second @ 0xa0..=0xbf, third @ 0x80..=0xbf, ..] => {
                let code = 0xd000 | u32::from(second & 0x3f) << 6 | u32::from(third & 0x3f);
                NotText::HalfPair { code, index }
            }
            _ => NotText::NoCharacter { index },
        }
    })
}

/// One entry of a list that a script has set.
pub type Line = Result<String, BrokenLine>;

/// An entry that is no text. It is never sent, and keeps every handshake from starting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenLine {
    /// As well as it can be shown.
    pub shown: String,
    /// What is wrong.
    pub problem: NotText,
}

/// Reads an entry as [`read_text`] does.
pub fn read_line(bytes: Vec<u8>) -> Line {
    read_text(bytes.clone())
        .map_err(|problem| BrokenLine { shown: String::from_utf8_lossy(&bytes).into_owned(), problem })
}

/// All entries, if each is text.
pub(crate) fn all_text(lines: &[Line]) -> Result<Vec<String>, NotText> {
    lines.iter().map(|line| line.clone().map_err(|broken| broken.problem)).collect()
}

/// The entries that are text.
pub(crate) fn texts(lines: &[Line]) -> Vec<String> {
    lines.iter().filter_map(|line| line.as_ref().ok()).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_utf_16_pairs() {
        assert_eq!(read_text("bücher 🎮".into()).as_deref(), Ok("bücher 🎮"));
        let lead = [&b"\xc3\xbc"[..], b"\xed\xa0\x81", b"x"].concat();
        assert_eq!(read_text(lead), Err(NotText::HalfPair { code: 0xd801, index: 1 }));
        let trail = read_text(b"\xed\xbf\xbfx".to_vec());
        assert_eq!(trail, Err(NotText::HalfPair { code: 0xdfff, index: 0 }));
        // Both halves, each by itself: that is no pair either.
        let both = read_text(b"\xed\xa0\x81\xed\xb0\x81".to_vec());
        assert_eq!(both, Err(NotText::HalfPair { code: 0xd801, index: 0 }));
        for bytes in [&b"ab\xf4\x90\x80\x80"[..], b"ab\xff", b"ab\xed", b"ab\xed\xa0"] {
            assert_eq!(read_text(bytes.to_vec()), Err(NotText::NoCharacter { index: 2 }), "{bytes:?}");
        }
        assert!(NotText::HalfPair { code: 0xd801, index: 1 }.to_string().contains("U+D801, character 1"));
    }

    #[test]
    fn lists() {
        let lines =
            [read_line(b"a".to_vec()), read_line(b"b\xed\xa0\x81".to_vec()), read_line(b"c".to_vec())];
        assert_eq!(texts(&lines), ["a", "c"]);
        assert_eq!(all_text(&lines), Err(NotText::HalfPair { code: 0xd801, index: 1 }));
        assert!(lines[1].as_ref().is_err_and(|broken| broken.shown.starts_with("b\u{fffd}")));
        assert_eq!(all_text(&lines[..1]), Ok(vec!["a".to_owned()]));
    }
}
