//! GDScript in binary tokens (`.gdc`, as exports hold it): the engine's `GDScriptTokenizerBuffer`, versions 100 (Godot 4.3
//! and 4.4) and 101 (4.5 and 4.6).
//!
//! Names are in a table, and tokens refer to it; a class name and the name of a node share an entry. So the tokens are read,
//! and what is replaced gets an entry of its own. Lines and columns stay.

use std::collections::HashSet;

use crate::{
    context::{Context, Token},
    names::{Direction, Name},
    variant::{Constant, Reader, Unreadable},
};

const MAGIC: &[u8; 4] = b"GDSC";
const HEADER_SIZE: usize = 12;
/// Characters of identifiers are stored with these bits turned over.
const IDENTIFIER_MASK: u32 = 0xb6b6_b6b6;
/// In the first byte of a token: it has four.
const IS_LONG: u8 = 0x80;
const INDEX_SHIFT: u32 = 8;

/// A file of binary tokens, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenFile<'a> {
    /// Of the format.
    pub version: u32,
    /// The size of the contents if they are compressed (Zstandard); 0 if they are not.
    pub decompressed_size: u32,
    /// The contents, compressed or not.
    pub body: &'a [u8],
}

/// Why binary tokens are left as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// Something else.
    NoTokens,
    /// Of an engine that is older or newer than the known ones.
    Version(u32),
    /// Cut short, or with something in it that is not known.
    Malformed,
}

impl std::error::Error for TokenError {}

impl std::fmt::Display for TokenError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoTokens => formatter.write_str("these are no binary tokens of GDScript"),
            Self::Version(version) => write!(
                formatter,
                "binary tokens of version {version} are not known (100 and 101 are, of Godot 4.3 to 4.6): export scripts as text"
            ),
            Self::Malformed => formatter.write_str("the binary tokens are malformed"),
        }
    }
}

impl From<Unreadable> for TokenError {
    fn from(_: Unreadable) -> Self {
        Self::Malformed
    }
}

impl<'a> TokenFile<'a> {
    /// Takes a file apart.
    ///
    /// # Errors
    /// It holds something else.
    pub fn parse(file: &'a [u8]) -> Result<Self, TokenError> {
        let rest = file.strip_prefix(MAGIC).ok_or(TokenError::NoTokens)?;
        let mut reader = Reader::new(rest);
        let header = (reader.u32(), reader.u32());
        let (Ok(version), Ok(decompressed_size)) = header else { return Err(TokenError::NoTokens) };
        Ok(Self { version, decompressed_size, body: reader.rest() })
    }

    /// Puts a file together.
    pub fn encode(&self) -> Vec<u8> {
        let mut file = Vec::with_capacity(HEADER_SIZE + self.body.len());
        file.extend_from_slice(MAGIC);
        file.extend_from_slice(&self.version.to_le_bytes());
        file.extend_from_slice(&self.decompressed_size.to_le_bytes());
        file.extend_from_slice(self.body);
        file
    }
}

/// Replaces names in the decompressed contents of a [`TokenFile`] of this version; `None` if there is nothing to replace.
///
/// # Errors
/// See [`TokenError`].
pub fn rename_tokens(
    version: u32,
    contents: &[u8],
    direction: Direction,
) -> Result<Option<Vec<u8>>, TokenError> {
    let format = Format::of(version)?;
    let mut parts = Parts::read(&format, contents)?;
    let changes = parts.find(&format, direction)?;
    if changes.is_empty() {
        return Ok(None);
    }
    for (token, name) in changes {
        parts.replace(token, name, direction)?;
    }
    parts.encode(&format).map(Some)
}

/// What differs between versions.
struct Format {
    /// A number that is not used stands before the number of tokens.
    has_padding: bool,
    dollar: u32,
    /// `PI`, and behind it three more.
    constants: u32,
}

impl Format {
    fn of(version: u32) -> Result<Self, TokenError> {
        match version {
            100 => Ok(Self { has_padding: true, dollar: 84, constants: 90 }),
            101 => Ok(Self { has_padding: false, dollar: 85, constants: 91 }),
            _ => Err(TokenError::Version(version)),
        }
    }

    fn kind(&self, code: u32) -> Token {
        match code {
            2 => Token::Word,
            3 => Token::Number,
            12 => Token::Not,
            26 => Token::Slash,
            // Spaces are not kept.
            27 => Token::Percent { is_glued: true },
            55 | 56 => Token::Class,
            59 => Token::Extends,
            62 => Token::Is,
            65 => Token::Word, // self
            10 | 11 | 40..=72 => Token::Keyword,
            73 | 75 | 77 => Token::Open,
            74 | 76 | 78 => Token::Close,
            _ if code == self.dollar => Token::Dollar,
            _ if (self.constants..self.constants + 4).contains(&code) => Token::Word,
            _ => Token::Other,
        }
    }
}

const IDENTIFIER: u32 = 2;
const LITERAL: u32 = 3;

/// A token with its place in the contents.
#[derive(Debug, Clone, Copy)]
struct TokenAt {
    /// Of the first byte, counted from the first token's.
    offset: usize,
    code: u32,
    index: usize,
}

/// The contents, taken apart.
struct Parts<'a> {
    /// Each with its size, as stored.
    identifiers: Vec<Vec<u8>>,
    constants: Vec<Constant<'a>>,
    /// As stored.
    constant_bytes: Vec<u8>,
    line_count: usize,
    /// Lines and columns, as stored.
    line_bytes: &'a [u8],
    tokens: Vec<TokenAt>,
    token_bytes: Vec<u8>,
}

impl<'a> Parts<'a> {
    fn read(format: &Format, contents: &'a [u8]) -> Result<Self, TokenError> {
        let mut reader = Reader::new(contents);
        let (identifier_count, constant_count, line_count) =
            (reader.count()?, reader.count()?, reader.count()?);
        if format.has_padding {
            reader.u32()?;
        }
        let token_count = reader.count()?;
        let mut identifiers = Vec::new();
        for _ in 0..identifier_count {
            let stored = reader.rest();
            let size = reader.count()?.checked_mul(4).ok_or(TokenError::Malformed)?;
            reader.take(size)?;
            identifiers.push(stored.get(..size + 4).unwrap_or_default().to_vec());
        }
        let (start, stored) = (reader.position(), reader.rest());
        let mut constants = Vec::new();
        for _ in 0..constant_count {
            constants.push(reader.constant()?);
        }
        let constant_bytes = stored.get(..reader.position() - start).unwrap_or_default().to_vec();
        let line_bytes = reader.take(line_count.checked_mul(16).ok_or(TokenError::Malformed)?)?;
        let token_bytes = reader.rest().to_vec();
        let tokens = read_tokens(&token_bytes, token_count)?;
        Ok(Self { identifiers, constants, constant_bytes, line_count, line_bytes, tokens, token_bytes })
    }

    /// Where a line begins: indices of tokens.
    fn line_starts(&self) -> HashSet<usize> {
        let mut reader = Reader::new(self.line_bytes);
        let pairs = (0..self.line_count).map_while(|_| {
            let index = reader.count().ok();
            reader.u32().ok()?;
            index
        });
        pairs.collect()
    }

    /// The tokens to change, and to which name.
    fn find(&self, format: &Format, direction: Direction) -> Result<Vec<(TokenAt, Name)>, TokenError> {
        let line_starts = self.line_starts();
        let names: Vec<_> = self.identifiers.iter().map(|stored| identifier_name(stored)).collect();
        let mut context = Context::default();
        let mut changes = Vec::new();
        for (index, token) in self.tokens.iter().enumerate() {
            let (kind, name) = match token.code {
                IDENTIFIER => (Token::Word, *names.get(token.index).ok_or(TokenError::Malformed)?),
                LITERAL => {
                    let constant = self.constants.get(token.index).ok_or(TokenError::Malformed)?;
                    match constant.text() {
                        Some(text) => (Token::Text, Name::of(text)),
                        None => (Token::Number, None),
                    }
                }
                code => (format.kind(code), None),
            };
            let role = context.next(kind, index == 0 || line_starts.contains(&index));
            if let (Some(name), Some(_)) = (name, role)
                && !name.is_target(direction)
            {
                changes.push((*token, name));
            }
        }
        Ok(changes)
    }

    fn replace(&mut self, token: TokenAt, name: Name, direction: Direction) -> Result<(), TokenError> {
        let text = name.in_direction(direction);
        let index = if token.code == IDENTIFIER {
            let stored = stored_identifier(text);
            let known = self.identifiers.iter().position(|known| *known == stored);
            known.unwrap_or_else(|| {
                self.identifiers.push(stored);
                self.identifiers.len() - 1
            })
        } else {
            let constant = *self.constants.get(token.index).ok_or(TokenError::Malformed)?;
            let constant = constant.with_text(text.as_bytes());
            let known = self.constants.iter().position(|known| *known == constant);
            known.unwrap_or_else(|| {
                self.constant_bytes.extend_from_slice(&constant.encode());
                self.constants.push(constant);
                self.constants.len() - 1
            })
        };
        let index = u32::try_from(index).ok().filter(|index| *index < 1 << (32 - INDEX_SHIFT));
        let code = index.ok_or(TokenError::Malformed)? << INDEX_SHIFT | token.code | u32::from(IS_LONG);
        let stored = self.token_bytes.get_mut(token.offset..token.offset + 4).ok_or(TokenError::Malformed)?;
        stored.copy_from_slice(&code.to_le_bytes());
        Ok(())
    }

    fn encode(&self, format: &Format) -> Result<Vec<u8>, TokenError> {
        let mut numbers = vec![self.identifiers.len(), self.constants.len(), self.line_count];
        if format.has_padding {
            numbers.push(0);
        }
        numbers.push(self.tokens.len());
        let mut contents = Vec::new();
        for number in numbers {
            let number = u32::try_from(number).map_err(|_| TokenError::Malformed)?;
            contents.extend_from_slice(&number.to_le_bytes());
        }
        self.identifiers.iter().for_each(|stored| contents.extend_from_slice(stored));
        contents.extend_from_slice(&self.constant_bytes);
        contents.extend_from_slice(self.line_bytes);
        contents.extend_from_slice(&self.token_bytes);
        Ok(contents)
    }
}

/// Each token has one byte, or four with an index, and then its line. There is nothing behind the last one.
fn read_tokens(bytes: &[u8], count: usize) -> Result<Vec<TokenAt>, TokenError> {
    let mut reader = Reader::new(bytes);
    let mut tokens = Vec::new();
    for _ in 0..count {
        let offset = reader.position();
        let first = *reader.rest().first().ok_or(TokenError::Malformed)?;
        let word = if first & IS_LONG == 0 {
            reader.take(1)?;
            u32::from(first)
        } else {
            reader.u32()?
        };
        reader.u32()?;
        let index = usize::try_from(word >> INDEX_SHIFT).map_err(|_| TokenError::Malformed)?;
        tokens.push(TokenAt { offset, code: word & u32::from(IS_LONG - 1), index });
    }
    if reader.rest().is_empty() { Ok(tokens) } else { Err(TokenError::Malformed) }
}

/// The characters, four bytes each, behind their number.
fn stored_identifier(text: &str) -> Vec<u8> {
    let size = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    let characters = text.chars().map(|character| u32::from(character) ^ IDENTIFIER_MASK);
    [size].into_iter().chain(characters).flat_map(u32::to_le_bytes).collect()
}

fn identifier_name(stored: &[u8]) -> Option<Name> {
    let characters = stored.get(4..)?.chunks_exact(4).map(|bytes| {
        let bytes = bytes.first_chunk().copied().unwrap_or_default();
        u8::try_from(u32::from_le_bytes(bytes) ^ IDENTIFIER_MASK).ok()
    });
    Name::of(&characters.collect::<Option<Vec<_>>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOLLAR: u32 = 85;

    /// Contents under construction, as the engine writes them.
    #[derive(Default)]
    struct Contents {
        identifiers: Vec<&'static str>,
        constants: Vec<Vec<u8>>,
        lines: Vec<u32>,
        tokens: Vec<u32>,
    }

    fn add<T: PartialEq>(table: &mut Vec<T>, entry: T) -> u32 {
        let known = table.iter().position(|known| *known == entry);
        let index = known.unwrap_or_else(|| {
            table.push(entry);
            table.len() - 1
        });
        u32::try_from(index).unwrap() << INDEX_SHIFT
    }

    impl Contents {
        fn word(&mut self, name: &'static str) -> &mut Self {
            let index = add(&mut self.identifiers, name);
            self.tokens.push(index | IDENTIFIER);
            self
        }

        fn constant(&mut self, constant: Constant<'_>) -> &mut Self {
            let index = add(&mut self.constants, constant.encode());
            self.tokens.push(index | LITERAL);
            self
        }

        fn code(&mut self, code: u32) -> &mut Self {
            self.tokens.push(code);
            self
        }

        fn line(&mut self) -> &mut Self {
            self.lines.push(u32::try_from(self.tokens.len()).unwrap());
            self
        }

        fn encode(&self, version: u32) -> Vec<u8> {
            let mut numbers = vec![self.identifiers.len(), self.constants.len(), self.lines.len()];
            if version == 100 {
                numbers.push(0);
            }
            numbers.push(self.tokens.len());
            let numbers = numbers.into_iter().map(|number| u32::try_from(number).unwrap().to_le_bytes());
            let mut bytes: Vec<u8> = numbers.flatten().collect();
            self.identifiers.iter().for_each(|name| bytes.extend(stored_identifier(name)));
            self.constants.iter().for_each(|constant| bytes.extend(constant));
            for _ in 0..2 {
                self.lines.iter().for_each(|index| bytes.extend([*index, 7].map(u32::to_le_bytes).concat()));
            }
            for token in &self.tokens {
                match *token {
                    0 => bytes.push(0),
                    long => bytes.extend((long | u32::from(IS_LONG)).to_le_bytes()),
                }
                bytes.extend(9_u32.to_le_bytes());
            }
            bytes
        }

        fn renamed(&self, version: u32, direction: Direction) -> Option<Shown> {
            let contents = self.encode(version);
            rename_tokens(version, &contents, direction).unwrap().map(|contents| shown(version, &contents))
        }
    }

    /// Each token in words, and the bytes of lines.
    type Shown = (Vec<String>, Vec<u8>);

    fn shown(version: u32, contents: &[u8]) -> Shown {
        let parts = Parts::read(&Format::of(version).unwrap(), contents).unwrap();
        let name = |stored: &Vec<u8>| {
            let characters = stored[4..].chunks_exact(4).map(|bytes| char::from(bytes[0] ^ 0xb6));
            characters.collect::<String>()
        };
        let tokens = parts.tokens.iter().map(|token| match token.code {
            IDENTIFIER => name(&parts.identifiers[token.index]),
            LITERAL => match parts.constants[token.index] {
                Constant::String(text) => format!("\"{}\"", String::from_utf8_lossy(text)),
                Constant::StringName(text) => format!("&\"{}\"", String::from_utf8_lossy(text)),
                Constant::NodePath(text) => format!("^\"{}\"", String::from_utf8_lossy(text)),
                Constant::Other => "other".to_owned(),
            },
            code => code.to_string(),
        });
        (tokens.collect(), parts.line_bytes.to_vec())
    }

    #[test]
    fn names_in_code_and_strings() {
        let name = b"WebSocketPeer";
        let mut contents = Contents::default();
        contents
            .code(59)
            .word("WebSocketMultiplayerPeer")
            .line()
            .word("WebSocketPeer")
            .code(0)
            .word("WebSocketPeers");
        contents.constant(Constant::String(name)).constant(Constant::StringName(name));
        contents.constant(Constant::NodePath(name)).constant(Constant::String(b"a WebSocketPeer"));
        contents.constant(Constant::Other);
        for version in [100, 101] {
            let (tokens, lines) = contents.renamed(version, Direction::ToRust).unwrap();
            assert_eq!(
                tokens.join(" "),
                "59 RustWebSocketMultiplayerPeer RustWebSocketPeer 0 WebSocketPeers \"RustWebSocketPeer\" \
                 &\"RustWebSocketPeer\" ^\"RustWebSocketPeer\" \"a WebSocketPeer\" other"
            );
            let before = shown(version, &contents.encode(version));
            assert_eq!(lines, before.1);
            let once = rename_tokens(version, &contents.encode(version), Direction::ToRust).unwrap().unwrap();
            let back = rename_tokens(version, &once, Direction::ToEngine).unwrap().unwrap();
            assert_eq!(shown(version, &back), before, "there and back");
            assert_eq!(rename_tokens(version, &once, Direction::ToRust), Ok(None));
            assert_eq!(rename_tokens(version, &back, Direction::ToEngine), Ok(None));
        }
    }

    #[test]
    fn names_of_nodes_share_the_table_and_stay() {
        let mut contents = Contents::default();
        contents.word("a").code(28).code(DOLLAR).word("WebSocketPeer");
        contents.line().word("b").code(28).code(DOLLAR).word("A").code(26).word("WebSocketPeer");
        contents.line().word("c").code(28).code(27).word("WebSocketPeer");
        contents.line().word("d").code(28).code(DOLLAR).constant(Constant::String(b"WebSocketPeer"));
        contents.line().word("e").code(28).constant(Constant::String(b"%d")).code(27).word("WebSocketPeer");
        let (tokens, _) = contents.renamed(101, Direction::ToRust).unwrap();
        assert_eq!(
            tokens.join(" "),
            "a 28 85 WebSocketPeer b 28 85 A 26 WebSocketPeer c 28 27 WebSocketPeer d 28 85 \"WebSocketPeer\" \
             e 28 \"%d\" 27 RustWebSocketPeer"
        );
    }

    #[test]
    fn nothing_to_replace() {
        let mut contents = Contents::default();
        contents.word("RustWebSocketPeer").code(DOLLAR).word("WebSocketPeer");
        assert_eq!(contents.renamed(101, Direction::ToRust), None);
        assert_eq!(Contents::default().renamed(100, Direction::ToRust), None);
    }

    #[test]
    fn files() {
        let file = TokenFile { version: 101, decompressed_size: 0, body: b"abc" };
        assert_eq!(file.encode(), b"GDSC\x65\0\0\0\0\0\0\0abc");
        assert_eq!(TokenFile::parse(&file.encode()), Ok(file));
        for bytes in [&b""[..], b"GDSC", b"GDSC\x65\0\0\0\0\0\0", b"GDSB\x65\0\0\0\0\0\0\0", b"extends Node"]
        {
            assert_eq!(TokenFile::parse(bytes), Err(TokenError::NoTokens));
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let mut contents = Contents::default();
        contents.word("WebSocketPeer").line().constant(Constant::String(b"WebSocketPeer")).code(0);
        let bytes = contents.encode(101);
        for version in [0, 99, 102, u32::MAX] {
            assert_eq!(rename_tokens(version, &bytes, Direction::ToRust), Err(TokenError::Version(version)));
        }
        for cut in 0..bytes.len() {
            assert_eq!(
                rename_tokens(101, &bytes[..cut], Direction::ToRust),
                Err(TokenError::Malformed),
                "{cut}"
            );
        }
        let more = [&bytes[..], &[0]].concat();
        assert_eq!(rename_tokens(101, &more, Direction::ToRust), Err(TokenError::Malformed));
        let huge = [[0xff; 4]; 5].concat();
        assert_eq!(rename_tokens(100, &huge, Direction::ToRust), Err(TokenError::Malformed));
        let mut outside = Contents::default();
        outside.code(5 << INDEX_SHIFT | IDENTIFIER);
        let outside = outside.encode(101);
        assert_eq!(rename_tokens(101, &outside, Direction::ToRust), Err(TokenError::Malformed));
    }
}
