//! Bytes of the engine's binary formats: numbers in little endian, and encoded Variants as far as constants of scripts go.

/// Reads from the front.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

/// Nothing more can be read, or something unknown came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// A constant, and what it says if it is a string of some kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Constant<'a> {
    String(&'a [u8]),
    StringName(&'a [u8]),
    /// Of one name, not absolute; longer ones are no class names.
    NodePath(&'a [u8]),
    Other,
}

const NIL: u32 = 0;
const BOOL: u32 = 1;
const INT: u32 = 2;
const FLOAT: u32 = 3;
const STRING: u32 = 4;
const STRING_NAME: u32 = 21;
const NODE_PATH: u32 = 22;
/// In the type: the number has 64 bits.
const IS_64: u32 = 1 << 16;
/// In the number of a node path's names: the format of today.
const IS_NEW: u32 = 1 << 31;

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    pub(crate) fn take(&mut self, size: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, _) = self.rest().split_at_checked(size).ok_or(Unreadable)?;
        self.position += size;
        Ok(taken)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Unreadable> {
        let bytes = self.rest().first_chunk().ok_or(Unreadable)?;
        self.position += 4;
        Ok(u32::from_le_bytes(*bytes))
    }

    /// A number that counts what follows.
    pub(crate) fn count(&mut self) -> Result<usize, Unreadable> {
        usize::try_from(self.u32()?).map_err(|_| Unreadable)
    }

    /// With its size in front and filled up to a multiple of four.
    fn text(&mut self) -> Result<&'a [u8], Unreadable> {
        let size = self.count()?;
        let text = self.take(size)?;
        self.take(size.next_multiple_of(4) - size)?;
        Ok(text)
    }

    pub(crate) fn constant(&mut self) -> Result<Constant<'a>, Unreadable> {
        let kind = self.u32()?;
        match kind {
            NIL => {}
            BOOL | INT | FLOAT => {
                self.take(4)?;
            }
            _ if kind == INT | IS_64 || kind == FLOAT | IS_64 => {
                self.take(8)?;
            }
            STRING => return Ok(Constant::String(self.text()?)),
            STRING_NAME => return Ok(Constant::StringName(self.text()?)),
            NODE_PATH => return self.node_path(),
            _ => return Err(Unreadable),
        }
        Ok(Constant::Other)
    }

    fn node_path(&mut self) -> Result<Constant<'a>, Unreadable> {
        let names = self.u32()?;
        if names & IS_NEW == 0 {
            return Err(Unreadable);
        }
        let (names, subnames, flags) = (names & !IS_NEW, self.u32()?, self.u32()?);
        let mut first = None;
        for _ in 0..u64::from(names) + u64::from(subnames) {
            let text = self.text()?;
            first.get_or_insert(text);
        }
        Ok(match first {
            Some(name) if (names, subnames, flags) == (1, 0, 0) => Constant::NodePath(name),
            _ => Constant::Other,
        })
    }
}

impl<'a> Constant<'a> {
    pub(crate) fn text(self) -> Option<&'a [u8]> {
        match self {
            Self::String(text) | Self::StringName(text) | Self::NodePath(text) => Some(text),
            Self::Other => None,
        }
    }

    /// The same kind of string with another text; nothing for what is no string.
    pub(crate) fn with_text<'b>(self, text: &'b [u8]) -> Constant<'b> {
        match self {
            Self::String(_) => Constant::String(text),
            Self::StringName(_) => Constant::StringName(text),
            Self::NodePath(_) => Constant::NodePath(text),
            Self::Other => Constant::Other,
        }
    }

    pub(crate) fn encode(self) -> Vec<u8> {
        let (head, text): (&[u32], _) = match self {
            Self::String(text) => (&[STRING], text),
            Self::StringName(text) => (&[STRING_NAME], text),
            Self::NodePath(text) => (&[NODE_PATH, IS_NEW | 1, 0, 0], text),
            Self::Other => return NIL.to_le_bytes().to_vec(),
        };
        let size = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let mut bytes: Vec<_> = head.iter().chain([&size]).flat_map(|number| number.to_le_bytes()).collect();
        bytes.extend_from_slice(text);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_there_and_back() {
        for text in ["", "a", "abcd", "WebSocketPeer"] {
            for constant in [
                Constant::String(text.as_bytes()),
                Constant::StringName(text.as_bytes()),
                Constant::NodePath(text.as_bytes()),
            ] {
                let bytes = constant.encode();
                let mut reader = Reader::new(&bytes);
                assert_eq!(reader.constant(), Ok(constant));
                assert!(reader.rest().is_empty() && bytes.len() % 4 == 0);
                for cut in 0..bytes.len() {
                    assert_eq!(
                        Reader::new(&bytes[..cut]).constant(),
                        Err(Unreadable),
                        "{cut} of {constant:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn other_constants() {
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
        let absolute = [words(&[NODE_PATH, IS_NEW | 1, 0, 1, 1]), b"a\0\0\0".to_vec()].concat();
        let two =
            [words(&[NODE_PATH, IS_NEW | 1, 1, 0, 1]), b"a\0\0\0".to_vec(), words(&[1]), b"b\0\0\0".to_vec()];
        for bytes in [
            words(&[NIL]),
            words(&[BOOL, 1]),
            words(&[INT, 7]),
            words(&[INT | IS_64, 7, 0]),
            words(&[FLOAT, 0]),
            words(&[FLOAT | IS_64, 0, 0]),
            words(&[NODE_PATH, IS_NEW, 0, 0]),
            absolute,
            two.concat(),
        ] {
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.constant(), Ok(Constant::Other), "{bytes:?}");
            assert!(reader.rest().is_empty(), "{bytes:?}");
        }
        for bytes in
            [words(&[5, 0, 0]), words(&[24]), words(&[BOOL | IS_64, 0, 0]), words(&[NODE_PATH, 1, 0, 0])]
        {
            assert_eq!(Reader::new(&bytes).constant(), Err(Unreadable), "{bytes:?}");
        }
        assert_eq!(Reader::new(&words(&[STRING, u32::MAX])).constant(), Err(Unreadable));
        assert_eq!(Reader::new(&words(&[NODE_PATH, u32::MAX, u32::MAX, 0])).constant(), Err(Unreadable));
    }
}
