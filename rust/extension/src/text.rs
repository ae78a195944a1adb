//! Strings of the engine, checked where they enter. gdext's own conversion takes every code point for a character, which half of a
//! UTF-16 pair is not: no string of a script is read in any other way than here.

use godot::builtin::{GString, PackedStringArray};
use rust_websocket_peers::{Line, NotText, Refused, read_line, read_text};

/// Reads a string. `what` begins the sentence of a refusal: `connect_to_url: the URL`.
pub(crate) fn read(what: &'static str, string: &GString) -> Result<String, Refused> {
    read_plain(string).map_err(|problem| Refused::NotText { what, problem })
}

/// Reads a string whose refusal has a sentence of its own.
pub(crate) fn read_plain(string: &GString) -> Result<String, NotText> {
    read_text(utf8_of(string))
}

/// Reads the reason of a close: whoever closes is rid of the connection, so what is no text is left out and reported.
pub(crate) fn read_or_drop(what: &'static str, string: &GString) -> (String, Option<Refused>) {
    match read(what, string) {
        Ok(text) => (text, None),
        Err(refused) => (String::new(), Some(refused)),
    }
}

/// Reads a list; what is no text is refused when it is used.
pub(crate) fn read_lines(strings: &PackedStringArray) -> Vec<Line> {
    strings.as_slice().iter().map(|string| read_line(utf8_of(string))).collect()
}

/// Reads what the engine itself says, which is shown or looked into only.
pub(crate) fn read_lossy(string: &GString) -> String {
    String::from_utf8_lossy(&utf8_of(string)).into_owned()
}

/// What the other side wrote, for the script. The engine prints an error for a NUL, and its strings end there: others read what
/// is behind it too, so it takes the place of a character that cannot be shown.
pub(crate) fn foreign(text: &str) -> GString {
    if text.contains('\0') { GString::from(&text.replace('\0', "\u{fffd}")) } else { GString::from(text) }
}

/// The reason of a close, which ends at a NUL as in the engine's own class, but without its error.
pub(crate) fn close_reason(text: &str) -> GString {
    GString::from(text.split('\0').next().unwrap_or_default())
}

/// Not UTF-8 where the string is no text.
fn utf8_of(string: &GString) -> Vec<u8> {
    string.to_utf8_buffer().to_vec()
}
