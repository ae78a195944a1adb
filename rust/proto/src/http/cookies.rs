//! The `Cookie` header (RFC 6265 section 4.2).

use std::collections::HashSet;

/// Names and values in order, over all lines. Of a repeated name the first, which is the most specific one; quotes around
/// a value are taken off, nothing else is decoded.
pub(super) fn cookies<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Vec<(String, String)> {
    let mut known = HashSet::new();
    lines
        .flat_map(|line| line.split(|byte| *byte == b';'))
        .filter_map(cookie)
        .filter(|(name, _)| known.insert(name.clone()))
        .collect()
}

fn cookie(pair: &[u8]) -> Option<(String, String)> {
    let (name, value) = pair.split_at_checked(pair.iter().position(|byte| *byte == b'=')?)?;
    let (name, value) = (name.trim_ascii(), value.get(1..)?.trim_ascii());
    let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some((text(name), text(value))).filter(|(name, _)| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> String {
        let pairs = cookies(lines.iter().map(|line| line.as_bytes()));
        pairs.into_iter().map(|(name, value)| format!("{name}:{value}")).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn names_and_values() {
        for (lines, expected) in [
            (&[][..], ""),
            (&[""], ""),
            (&["a=1"], "a:1"),
            (&["a=1; b=2"], "a:1|b:2"),
            (&["a=1;b=2 ;  c = 3"], "a:1|b:2|c:3"),
            (&["a=1", "b=2; a=3"], "a:1|b:2"),
            (&["a=1; a=2"], "a:1"),
            (&["a=\"x y\"; b=\"; c=\"\""], "a:x y|b:\"|c:"),
            (&["a=b=c; d="], "a:b=c|d:"),
            (&["a; ; =x; b=1"], "b:1"),
            (&["A=1; a=2"], "A:1|a:2"),
            (&["a=%20+"], "a:%20+"),
            (&["ä=ü"], "ä:ü"),
        ] {
            assert_eq!(read(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text() {
        let pairs = cookies([&b"a=\xff"[..]].into_iter());
        assert_eq!(pairs, [("a".to_owned(), "\u{fffd}".to_owned())]);
    }
}
