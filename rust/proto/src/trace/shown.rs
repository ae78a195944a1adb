//! What is in a head or a payload, on one line and without what is secret in a head.

use std::fmt::{self, Display, Formatter, Write};

/// Fields of a head whose values are secrets.
const SECRETS: [&[u8]; 4] = [b"authorization", b"proxy-authorization", b"cookie", b"set-cookie"];

/// The beginning of a payload.
#[derive(Debug, Clone, Copy)]
pub(super) enum Payload<'a> {
    /// Escaped where it would end the line, or is nothing to be seen; true if there is more of it, which may begin within
    /// a character.
    Text(&'a [u8], bool),
    /// In hexadecimal digits.
    Binary(&'a [u8]),
    /// Code and reason (RFC 6455 section 5.5.1).
    Close(&'a [u8]),
}

/// A head's lines, the values of secret fields and what stands before the host in URLs replaced by their lengths.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head<'a>(pub(super) &'a [u8]);

impl Display for Payload<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Text(bytes, is_cut) => {
                write_text(if is_cut { whole_characters(bytes) } else { bytes }, formatter)
            }
            Self::Binary(bytes) => bytes.iter().try_for_each(|byte| write!(formatter, "{byte:02x}")),
            Self::Close(bytes) => match bytes.split_first_chunk() {
                Some((code, reason)) => {
                    write!(formatter, "{}", u16::from_be_bytes(*code))?;
                    if !reason.is_empty() {
                        formatter.write_char(' ')?;
                    }
                    write_text(reason, formatter)
                }
                None => write!(formatter, "{}", Self::Binary(bytes)),
            },
        }
    }
}

/// Without the beginning of a character whose rest was cut off.
fn whole_characters(bytes: &[u8]) -> &[u8] {
    let begun = bytes.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
    let is_begun = str::from_utf8(begun).is_err_and(|error| error.error_len().is_none());
    if is_begun { bytes.strip_suffix(begun).unwrap_or(bytes) } else { bytes }
}

fn write_text(bytes: &[u8], formatter: &mut Formatter<'_>) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                // They neither end the line nor begin an escape.
                '"' | '\'' => formatter.write_char(character)?,
                _ => write!(formatter, "{}", character.escape_debug())?,
            }
        }
        chunk.invalid().iter().try_for_each(|byte| write!(formatter, "\\x{byte:02x}"))?;
    }
    Ok(())
}

impl Display for Head<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let mut is_secret = false;
        let lines = self.0.split(|byte| matches!(byte, b'\r' | b'\n')).filter(|line| !line.is_empty());
        for (index, line) in lines.enumerate() {
            if index > 0 {
                formatter.write_str(" | ")?;
            }
            // A folded line goes on with the field before it (RFC 9112 section 5.2).
            let (name, value) = match line.first() {
                Some(b' ' | b'\t') => (&[][..], line),
                _ => line
                    .iter()
                    .position(|byte| *byte == b':')
                    .map_or((&[][..], line), |colon| line.split_at(colon)),
            };
            if !line.starts_with(b" ") && !line.starts_with(b"\t") {
                is_secret = SECRETS.iter().any(|secret| name.trim_ascii().eq_ignore_ascii_case(secret));
            }
            if is_secret {
                write_hidden(name, value, formatter)?;
            } else if name.trim_ascii().eq_ignore_ascii_case(b"host") {
                write_text(name, formatter)?;
                write_authority(value, formatter)?;
            } else {
                write_without_credentials(line, formatter)?;
            }
        }
        Ok(())
    }
}

/// `value` begins with a colon unless the name is empty.
fn write_hidden(name: &[u8], value: &[u8], formatter: &mut Formatter<'_>) -> fmt::Result {
    if name.is_empty() {
        return write!(formatter, "({} bytes)", value.trim_ascii().len());
    }
    write_text(name.trim_ascii(), formatter)?;
    let value = value.strip_prefix(b":").unwrap_or(value);
    write!(formatter, ": ({} bytes)", value.trim_ascii().len())
}

/// A line that may hold URLs: behind each `//` there may be a user name and a password before the host.
fn write_without_credentials(mut line: &[u8], formatter: &mut Formatter<'_>) -> fmt::Result {
    while let Some(start) = line.windows(2).position(|two| two == b"//") {
        let (before, rest) = line.split_at(start + 2);
        let (authority, rest) = rest.split_at(authority_len(rest));
        write_text(before, formatter)?;
        write_authority(authority, formatter)?;
        line = rest;
    }
    write_text(line, formatter)
}

/// How much of what stands behind `//` belongs to user name, password, host and port.
fn authority_len(rest: &[u8]) -> usize {
    let len_to = |ends: &[u8]| {
        let is_end = |byte: &u8| byte.is_ascii_whitespace() || ends.contains(byte);
        rest.iter().position(is_end).unwrap_or(rest.len())
    };
    let len = len_to(br#"/?#\"<>"#);
    let authority = rest.get(..len).unwrap_or_default();
    let port = authority.splitn(2, |byte| *byte == b':').nth(1).unwrap_or_default();
    if authority.contains(&b'@') || authority.starts_with(b"[") || port.iter().all(u8::is_ascii_digit) {
        return len;
    }
    // No port: a password with one of these in it, which should have been percent-encoded.
    let url = rest.get(..len_to(br#""<>"#)).unwrap_or_default();
    url.iter().rposition(|byte| *byte == b'@').map_or(len, |at| at + 1)
}

/// Without what stands before the last `@`.
fn write_authority(authority: &[u8], formatter: &mut Formatter<'_>) -> fmt::Result {
    let Some(at) = authority.iter().rposition(|byte| *byte == b'@') else {
        return write_text(authority, formatter);
    };
    let (credentials, host) = authority.split_at(at);
    let is_field = credentials.starts_with(b":");
    let credentials = credentials.strip_prefix(b":").unwrap_or(credentials).trim_ascii();
    write!(formatter, "{}({} bytes)", if is_field { ": " } else { "" }, credentials.len())?;
    write_text(host, formatter)
}
