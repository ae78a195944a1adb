//! The names.

/// Which names take the place of which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Ours in place of the engine's.
    ToRust,
    /// The engine's in place of ours.
    ToEngine,
}

/// One of the four names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name {
    pair: &'static Pair,
    is_rust: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Pair {
    engine: &'static str,
    rust: &'static str,
}

static PEER: Pair = Pair { engine: "WebSocketPeer", rust: "RustWebSocketPeer" };
static MULTIPLAYER_PEER: Pair =
    Pair { engine: "WebSocketMultiplayerPeer", rust: "RustWebSocketMultiplayerPeer" };
/// What all names have in common.
const COMMON: &str = "WebSocket";

impl Name {
    /// `word` is all there is.
    pub(crate) fn of(word: &[u8]) -> Option<Self> {
        // Most words are told by their size.
        let (pair, is_rust) = match word.len() {
            13 => (&PEER, false),
            17 => (&PEER, true),
            24 => (&MULTIPLAYER_PEER, false),
            28 => (&MULTIPLAYER_PEER, true),
            _ => return None,
        };
        let text = if is_rust { pair.rust } else { pair.engine };
        (word == text.as_bytes()).then_some(Self { pair, is_rust })
    }

    /// The new name of this class.
    pub(crate) fn in_direction(self, direction: Direction) -> &'static str {
        match direction {
            Direction::ToRust => self.pair.rust,
            Direction::ToEngine => self.pair.engine,
        }
    }

    /// Whether this is the new name already.
    pub(crate) fn is_target(self, direction: Direction) -> bool {
        self.is_rust == (direction == Direction::ToRust)
    }
}

/// Whether any of the names may be in there: most scripts have none, and need no closer look.
pub(crate) fn may_hold_names(source: &[u8]) -> bool {
    match str::from_utf8(source) {
        Ok(text) => text.contains(COMMON),
        Err(_) => source.windows(COMMON.len()).any(|window| window == COMMON.as_bytes()),
    }
}

/// Whether one of the engine's names is in there as a whole word, in whatever language that is.
pub(crate) fn may_hold_engine_names(source: &[u8]) -> bool {
    let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    [&PEER, &MULTIPLAYER_PEER].iter().any(|pair| {
        let name = pair.engine.as_bytes();
        let mut words = source.windows(name.len()).enumerate().filter(|(_, window)| *window == name);
        words.any(|(start, _)| {
            let before = start.checked_sub(1).and_then(|before| source.get(before));
            !is_word(before) && !is_word(source.get(start + name.len()))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_only() {
        for (engine, rust) in [
            ("WebSocketPeer", "RustWebSocketPeer"),
            ("WebSocketMultiplayerPeer", "RustWebSocketMultiplayerPeer"),
        ] {
            for (word, is_rust) in [(engine, false), (rust, true)] {
                let name = Name::of(word.as_bytes()).unwrap();
                assert_eq!(name.in_direction(Direction::ToRust), rust);
                assert_eq!(name.in_direction(Direction::ToEngine), engine);
                assert_eq!(name.is_target(Direction::ToRust), is_rust);
                assert_eq!(name.is_target(Direction::ToEngine), !is_rust);
            }
        }
        for word in
            ["", "WebSocketPeer_", "WebSocketPees", "websocketpeer", "RustWebSocket", "MyyyWebSocketPeer"]
        {
            assert_eq!(Name::of(word.as_bytes()), None, "{word}");
        }
    }

    #[test]
    fn a_first_look() {
        assert!(may_hold_names(b"var a: WebSocketPeer") && may_hold_names(b"\xff WebSocket"));
        assert!(!may_hold_names(b"extends Node") && !may_hold_names(b"\xff") && !may_hold_names(b""));
    }
}
