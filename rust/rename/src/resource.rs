//! Scenes and resources in text, and the scripts embedded in them: `script/source = "..."` of a GDScript.

use crate::script::{self, Found};

/// All names in embedded scripts, in order.
pub(crate) fn find(source: &[u8], comments: bool) -> Vec<Found> {
    let mut scan = Scan { source, position: 0, is_script: false, is_script_resource: false };
    let mut found = Vec::new();
    while let Some(embedded) = scan.next_script() {
        found.extend(embedded.find(comments));
    }
    found
}

/// A script as it is meant, and where each of its bytes comes from.
#[derive(Debug, Default, PartialEq, Eq)]
struct Embedded {
    text: Vec<u8>,
    origins: Vec<usize>,
}

impl Embedded {
    fn push(&mut self, bytes: &[u8], origin: usize) {
        self.text.extend_from_slice(bytes);
        self.origins.extend(std::iter::repeat_n(origin, bytes.len()));
    }

    /// Names are made of letters, which are written as they are; one in which a letter is escaped is left alone.
    fn find(&self, comments: bool) -> impl Iterator<Item = Found> {
        let names = script::find(&self.text, comments).into_iter();
        names.filter_map(|found| {
            let start = *self.origins.get(found.start)?;
            let end = *self.origins.get(found.end.checked_sub(1)?)? + 1;
            (end - start == found.end - found.start).then_some(Found { start, end, ..found })
        })
    }
}

struct Scan<'a> {
    source: &'a [u8],
    position: usize,
    /// The section is about a GDScript.
    is_script: bool,
    /// The whole file is.
    is_script_resource: bool,
}

impl<'a> Scan<'a> {
    /// Reads on until a script is whole.
    fn next_script(&mut self) -> Option<Embedded> {
        loop {
            match self.peek()? {
                b'[' => self.section(),
                b';' => self.skip_line(),
                byte if byte.is_ascii_whitespace() => self.position += 1,
                _ => {
                    let name = self.take_name();
                    let is_source = self.is_script && name == b"script/source";
                    if let Some(embedded) = self.value(is_source) {
                        return Some(embedded);
                    }
                }
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.source.get(self.position).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.source.get(self.position..).unwrap_or_default()
    }

    fn skip_line(&mut self) {
        let rest = self.rest();
        self.position += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    }

    /// `[sub_resource type="GDScript" id="..."]`, or `[gd_resource type="GDScript" ...]` and behind it `[resource]`.
    fn section(&mut self) {
        let start = self.position;
        self.position += 1;
        let mut depth = 1;
        let mut has_type = false;
        while depth > 0 {
            match self.peek() {
                None => break,
                Some(b'"') => {
                    let before = self.source.get(start..self.position).unwrap_or_default();
                    let content = self.string();
                    has_type |= depth == 1 && is_type(before) && content.text == b"GDScript";
                    continue;
                }
                Some(b'[') => depth += 1,
                Some(b']') => depth -= 1,
                Some(_) => {}
            }
            self.position += 1;
        }
        let header = self.source.get(start..self.position).unwrap_or_default();
        let is = |name: &[u8]| {
            let behind = header.get(1..).and_then(|header| header.trim_ascii_start().strip_prefix(name));
            behind.is_some_and(|rest| rest.first().is_some_and(|next| b" \t\r\n]".contains(next)))
        };
        self.is_script_resource |= is(b"gd_resource") && has_type;
        self.is_script = is(b"sub_resource") && has_type || is(b"resource") && self.is_script_resource;
    }

    /// What stands before the equals sign, which is skipped.
    fn take_name(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let size = rest.iter().position(|byte| matches!(byte, b'=' | b'\n')).unwrap_or(rest.len());
        self.position += (size + 1).min(rest.len());
        rest.get(..size).unwrap_or_default().trim_ascii()
    }

    /// A value, up to the end of its last line. The first string in it, if that is wanted.
    fn value(&mut self, is_wanted: bool) -> Option<Embedded> {
        let mut wanted = None;
        let mut depth = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    let string = self.string();
                    if is_wanted && depth == 0 {
                        wanted.get_or_insert(string);
                    }
                    continue;
                }
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' => depth = depth.saturating_sub(1),
                b'\n' if depth == 0 => break,
                _ => {}
            }
            self.position += 1;
        }
        wanted
    }

    /// From its first quote on, without escapes; they are those of the engine's text resources.
    fn string(&mut self) -> Embedded {
        let mut content = Embedded::default();
        self.position += 1;
        loop {
            let origin = self.position;
            match self.peek() {
                None => return content,
                Some(b'"') => {
                    self.position += 1;
                    return content;
                }
                Some(b'\\') => {
                    self.position += 1;
                    self.escape(&mut content, origin);
                }
                Some(byte) => {
                    self.position += 1;
                    content.push(&[byte], origin);
                }
            }
        }
    }

    fn escape(&mut self, content: &mut Embedded, origin: usize) {
        let Some(byte) = self.peek() else { return };
        self.position += 1;
        let digits = match byte {
            b'b' => return content.push(b"\x08", origin),
            b't' => return content.push(b"\t", origin),
            b'n' => return content.push(b"\n", origin),
            b'f' => return content.push(b"\x0c", origin),
            b'r' => return content.push(b"\r", origin),
            b'u' => 4,
            b'U' => 6,
            _ => return content.push(&[byte], origin),
        };
        let code = self.rest().get(..digits).and_then(|digits| str::from_utf8(digits).ok());
        let code = code.and_then(|digits| u32::from_str_radix(digits, 16).ok()).and_then(char::from_u32);
        // Halves of a pair, and errors: anything but a letter of a name.
        let character = code.unwrap_or(char::REPLACEMENT_CHARACTER);
        self.position = (self.position + digits).min(self.source.len());
        content.push(character.encode_utf8(&mut [0; 4]).as_bytes(), origin);
    }
}

/// Whether what stands before a string says that it is the type.
fn is_type(before: &[u8]) -> bool {
    let before = before.trim_ascii_end().strip_suffix(b"=").map(<[u8]>::trim_ascii_end);
    before
        .and_then(|before| before.strip_suffix(b"type"))
        .is_some_and(|front| front.last().is_some_and(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_'))
}
