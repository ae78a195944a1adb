//! The scripts of a project, with the names replaced: what is laid over the project when it runs. Whoever has the files lists
//! them and reads them.

use crate::{Direction, Kind, Options, Renamed, names};

/// The editor's list of global classes: it names the native class that each is derived from.
pub const CLASS_LIST: &str = ".godot/global_script_class_cache.cfg";
/// The addon itself speaks of both names.
const OWN_FOLDER: &str = "addons/rust_websocket";
const ADDONS: &str = "addons/";
/// Larger binary resources are not searched: scripts make none of that size.
const LARGEST_BINARY: u64 = 1 << 20;

/// A file that may hold names.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    path: String,
    reach: Reach,
    size: u64,
    modified: u128,
}

/// Whether names in a file can be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Text(Kind),
    /// An addon's script, while addons are left alone.
    Addon(Kind),
    CSharp,
    Binary,
}

/// A project's files that may hold names, as they were when they were listed. All paths are those below the project's folder,
/// with `/` between the parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    candidates: Vec<Candidate>,
    with_addons: bool,
}

/// A file with the names replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// Where it is in the project.
    pub path: String,
    /// All of it.
    pub content: Vec<u8>,
}

/// What a look into a project's files has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replacement {
    /// The files that change, by path.
    pub files: Vec<Replaced>,
    /// A sentence for each file, or addon, that has the names where they are not replaced.
    pub unreached: Vec<String>,
}

impl Project {
    /// Nothing is listed yet. Scripts below `addons/` are left as they are unless `with_addons`.
    pub fn new(with_addons: bool) -> Self {
        Self { candidates: Vec::new(), with_addons }
    }

    /// Whether the files in a folder count. Hidden folders and the addon's own do not; a folder with a `.gdignore` does not
    /// either, which the caller sees.
    pub fn has_folder(path: &str) -> bool {
        path != OWN_FOLDER && !path.rsplit('/').next().is_some_and(|name| name.starts_with('.'))
    }

    /// Whether a file is to be listed, by its name.
    pub fn has_file(path: &str) -> bool {
        reach_of(path).is_some()
    }

    /// Lists a file. `modified` is when it was changed last, in any unit.
    pub fn list(&mut self, path: String, size: u64, modified: u128) {
        let Some(mut reach) = reach_of(&path) else { return };
        if let Reach::Text(kind) = reach
            && path.starts_with(ADDONS)
            && !self.with_addons
        {
            reach = Reach::Addon(kind);
        }
        let place = self.candidates.partition_point(|other| other.path < path);
        self.candidates.insert(place, Candidate { path, reach, size, modified });
    }

    /// Tells this state of the files from others; `salt` is whatever else the result depends on. Not a cryptographic hash:
    /// whoever can write the cache that it guards can write the scripts too.
    pub fn fingerprint(&self, salt: &str) -> u64 {
        let mut hash = Fnv::default();
        hash.add(salt.as_bytes());
        for candidate in &self.candidates {
            hash.add(candidate.path.as_bytes());
            hash.add(&[0, u8::from(matches!(candidate.reach, Reach::Addon(_)))]);
            hash.add(&candidate.size.to_le_bytes());
            hash.add(&candidate.modified.to_le_bytes());
        }
        hash.0
    }

    /// Has the files read, and replaces the engine's names by ours in code and in strings that are nothing but the name.
    /// Comments stay.
    ///
    /// # Errors
    /// The first one of `read`.
    pub fn replace<E>(&self, mut read: impl FnMut(&str) -> Result<Vec<u8>, E>) -> Result<Replacement, E> {
        let mut replacement = Replacement::default();
        for candidate in &self.candidates {
            if candidate.reach != Reach::Binary || candidate.size <= LARGEST_BINARY {
                replacement.look_at(candidate, &read(&candidate.path)?);
            }
        }
        Ok(replacement)
    }
}

impl Replacement {
    fn look_at(&mut self, candidate: &Candidate, source: &[u8]) {
        let path = &candidate.path;
        match candidate.reach {
            Reach::Text(kind) => {
                let renamed = Renamed::find(kind, source, OPTIONS);
                if !renamed.is_empty() {
                    self.files.push(Replaced { path: path.clone(), content: renamed.apply(source) });
                }
            }
            Reach::Addon(kind) => {
                let addon = path.split('/').take(2).collect::<Vec<_>>().join("/");
                let sentence = format!("{addon} is an addon");
                if !self.unreached.contains(&sentence) && !Renamed::find(kind, source, OPTIONS).is_empty() {
                    self.unreached.push(sentence);
                }
            }
            Reach::CSharp if names::may_hold_engine_names(source) => {
                self.unreached.push(format!("{path} is C#"));
            }
            Reach::Binary if names::may_hold_engine_names(source) => {
                self.unreached.push(format!("{path} is a binary resource"));
            }
            Reach::CSharp | Reach::Binary => {}
        }
    }
}

const OPTIONS: Options = Options { direction: Direction::ToRust, comments: false };

fn reach_of(path: &str) -> Option<Reach> {
    if path == CLASS_LIST {
        // Its syntax is that of a script's literals.
        return Some(Reach::Text(Kind::Script));
    }
    let (_, ending) = path.rsplit_once('.')?;
    let is = |known: &str| ending.eq_ignore_ascii_case(known);
    match Kind::of(path) {
        Some(kind) => Some(Reach::Text(kind)),
        None if is("cs") => Some(Reach::CSharp),
        None if is("scn") || is("res") => Some(Reach::Binary),
        None => None,
    }
}

/// FNV-1a.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
