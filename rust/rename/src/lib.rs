//! Replaces the names of the engine's WebSocket classes by ours in GDScript, and back: one set of rules for whoever changes
//! files, packages or scripts that are being loaded.
//!
//! What is replaced:
//! - In code, `WebSocketPeer` and `WebSocketMultiplayerPeer` as whole identifiers. Names of nodes are none (`$WebSocketPeer`,
//!   `%WebSocketPeer`, `$Net/WebSocketPeer`), since the nodes keep theirs.
//! - In strings of any kind, if the string is nothing but the name: `"WebSocketPeer"`, `&'WebSocketPeer'`.
//! - In comments, as whole words, where [`Options::comments`] says so.
//! - In scenes and resources, the same in scripts that are embedded in them.
//!
//! Line ends, byte order marks and all other bytes stay as they are, and so do line numbers.
//!
//! There and back gives the same bytes, unless the text used both names from the start: on the way back the two cannot be
//! told apart. [`Renamed::already`] lists where that is so.
#![forbid(unsafe_code)]
// Scripts are anything: nothing here may fail on what is in them.
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::unwrap_used
    )
)]

mod context;
mod names;
mod project;
mod resource;
mod script;
mod tokens;
mod variant;

pub use names::Direction;
pub use project::{CLASS_LIST, Project, Replaced, Replacement};
pub use tokens::{TokenError, TokenFile, rename_tokens};

use script::Found;

/// What to replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Which names by which.
    pub direction: Direction,
    /// Whether in comments too.
    pub comments: bool,
}

/// What a text is, which decides where its scripts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `.gd`: all of it is a script.
    Script,
    /// `.tscn` and `.tres`: scripts may be embedded.
    Resource,
}

impl Kind {
    /// By the ending of a file's name, in any case; `None` for files that hold no scripts in text.
    pub fn of(file_name: &str) -> Option<Self> {
        let (_, ending) = file_name.rsplit_once('.')?;
        let is = |known: &str| ending.eq_ignore_ascii_case(known);
        if is("gd") {
            Some(Self::Script)
        } else if is("tscn") || is("tres") {
            Some(Self::Resource)
        } else {
            None
        }
    }
}

/// What a name does where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Anything in code but what follows.
    Reference,
    /// Behind `extends`.
    Extends,
    /// Behind `is`: objects made elsewhere may be of the other class.
    Is,
    /// Behind `class_name` or `class`: the script declares a class of that name.
    Declaration,
    /// All there is in a string.
    Text,
    /// In a comment.
    Comment,
}

/// A name in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// In bytes.
    pub start: usize,
    /// In bytes.
    pub end: usize,
    /// What it does there.
    pub role: Role,
    /// What takes its place; for those that are there already, what is there.
    pub new_name: &'static str,
}

/// A line that changes, without its line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedLine {
    /// From 1.
    pub number: usize,
    /// As it is.
    pub before: String,
    /// As it will be.
    pub after: String,
}

/// What is to be replaced in a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renamed {
    /// What is replaced, in order.
    pub edits: Vec<Place>,
    /// Where one of the new names stands already, in order. If there is one besides edits, the way back will give another
    /// text than this one.
    pub already: Vec<Place>,
}

impl Renamed {
    /// Looks for names in a text.
    pub fn find(kind: Kind, source: &[u8], options: Options) -> Self {
        let mut renamed = Self::default();
        if !names::may_hold_names(source) {
            return renamed;
        }
        let found = match kind {
            Kind::Script => script::find(source, options.comments),
            Kind::Resource => resource::find(source, options.comments),
        };
        let (mut line, mut counted) = (1, 0);
        for Found { start, end, name, role } in found {
            line += count_lines(source.get(counted..start).unwrap_or_default());
            counted = start;
            let place = Place { line, start, end, role, new_name: name.in_direction(options.direction) };
            if name.is_target(options.direction) {
                renamed.already.push(place);
            } else {
                renamed.edits.push(place);
            }
        }
        renamed
    }

    /// Whether there is nothing to replace.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// The new text. `source` is the text in which was looked.
    pub fn apply(&self, source: &[u8]) -> Vec<u8> {
        let mut text = Vec::with_capacity(source.len() + self.edits.len() * 4);
        let mut copied = 0;
        for edit in &self.edits {
            text.extend_from_slice(source.get(copied..edit.start).unwrap_or_default());
            text.extend_from_slice(edit.new_name.as_bytes());
            copied = edit.end;
        }
        text.extend_from_slice(source.get(copied..).unwrap_or_default());
        text
    }

    /// The lines that change, for people. `source` is the text in which was looked.
    pub fn lines(&self, source: &[u8]) -> Vec<ChangedLine> {
        let mut lines = Vec::new();
        let mut edits = self.edits.as_slice();
        while let Some(first) = edits.first() {
            let size = edits.iter().take_while(|edit| edit.line == first.line).count();
            let (here, rest) = edits.split_at_checked(size).unwrap_or((edits, &[]));
            edits = rest;
            let start = source.get(..first.start).and_then(|before| before.iter().rposition(is_line_feed));
            let start = start.map_or(0, |line_feed| line_feed + 1);
            let behind = source.get(first.start..).unwrap_or_default();
            let end = behind.iter().position(is_line_feed).map_or(source.len(), |size| first.start + size);
            let moved =
                here.iter().map(|edit| Place { start: edit.start - start, end: edit.end - start, ..*edit });
            let line = source.get(start..end).unwrap_or_default();
            let after = Self { edits: moved.collect(), already: Vec::new() }.apply(line);
            lines.push(ChangedLine { number: first.line, before: shown(line), after: shown(&after) });
        }
        lines
    }
}

fn is_line_feed(byte: &u8) -> bool {
    *byte == b'\n'
}

fn count_lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| is_line_feed(byte)).count()
}

fn shown(line: &[u8]) -> String {
    String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
}
