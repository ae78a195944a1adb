//! GDScript in text: where its words, strings and comments are (as in the engine's tokenizer).

use crate::{
    Role,
    context::{Context, Token},
    names::Name,
};

/// A name and what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) name: Name,
    pub(crate) role: Role,
}

/// All names, in order.
pub(crate) fn find(source: &[u8], comments: bool) -> Vec<Found> {
    let start = if source.starts_with("\u{feff}".as_bytes()) { 3 } else { 0 };
    let mut scan = Scan {
        source,
        position: start,
        is_line_start: true,
        context: Context::default(),
        comments,
        found: Vec::new(),
    };
    while scan.step() {}
    scan.found
}

struct Scan<'a> {
    source: &'a [u8],
    position: usize,
    /// No token has come since the line began.
    is_line_start: bool,
    context: Context,
    comments: bool,
    found: Vec<Found>,
}

impl<'a> Scan<'a> {
    /// Reads a token, or what lies between; false at the end.
    fn step(&mut self) -> bool {
        let Some(byte) = self.peek(0) else { return false };
        match byte {
            b'\n' => {
                self.is_line_start = true;
                self.position += 1;
            }
            b' ' | b'\t' | b'\r' => self.position += 1,
            b'\\' => self.continue_line(),
            b'#' => self.comment(),
            b'"' | b'\'' => self.string(),
            b'0'..=b'9' => {
                self.take_word();
                self.token(Token::Number);
            }
            _ if is_word_byte(byte) => self.word(),
            _ => self.sign(byte),
        }
        true
    }

    fn peek(&self, offset: usize) -> Option<u8> {
        self.source.get(self.position + offset).copied()
    }

    fn slice(&self, start: usize, end: usize) -> &'a [u8] {
        self.source.get(start..end).unwrap_or_default()
    }

    fn token(&mut self, token: Token) -> Option<Role> {
        let is_line_start = std::mem::take(&mut self.is_line_start);
        self.context.next(token, is_line_start)
    }

    /// A backslash before a line's end joins the next line.
    fn continue_line(&mut self) {
        self.position += 1;
        if self.peek(0) == Some(b'\r') {
            self.position += 1;
        }
        if self.peek(0) == Some(b'\n') {
            self.position += 1;
        }
    }

    fn sign(&mut self, byte: u8) {
        self.position += 1;
        let token = match byte {
            b'$' => Token::Dollar,
            b'%' if self.peek(0) == Some(b'=') => Token::Other,
            b'%' => Token::Percent { is_glued: self.peek(0).is_some_and(|next| !next.is_ascii_whitespace()) },
            b'/' if self.peek(0) == Some(b'=') => Token::Other,
            b'/' => Token::Slash,
            b'(' | b'[' | b'{' => Token::Open,
            b')' | b']' | b'}' => Token::Close,
            _ => Token::Other,
        };
        self.token(token);
    }

    fn take_word(&mut self) -> &'a [u8] {
        let start = self.position;
        while self.peek(0).is_some_and(is_word_byte) {
            self.position += 1;
        }
        self.slice(start, self.position)
    }

    fn word(&mut self) {
        let start = self.position;
        let word = self.take_word();
        // Raw strings: what a backslash means in them ends them no sooner.
        if word == b"r" && matches!(self.peek(0), Some(b'"' | b'\'')) {
            return self.string();
        }
        let role = self.token(kind_of(word));
        self.note(start, word, role);
    }

    fn note(&mut self, start: usize, text: &[u8], role: Option<Role>) {
        if let Some((name, role)) = Name::of(text).zip(role) {
            self.found.push(Found { start, end: start + text.len(), name, role });
        }
    }

    /// From its first quote on.
    fn string(&mut self) {
        let quote = self.peek(0).unwrap_or_default();
        let is_long = self.peek(1) == Some(quote) && self.peek(2) == Some(quote);
        let quotes = if is_long { 3 } else { 1 };
        self.position += quotes;
        let start = self.position;
        loop {
            match self.peek(0) {
                None => break,
                Some(b'\\') => self.position += 2,
                Some(byte) if byte == quote => {
                    if !is_long || self.peek(1) == Some(quote) && self.peek(2) == Some(quote) {
                        break;
                    }
                    self.position += 1;
                }
                Some(_) => self.position += 1,
            }
        }
        let is_whole = self.peek(0).is_some();
        let text = self.slice(start, self.position);
        self.position += quotes;
        let role = self.token(Token::Text).filter(|_| is_whole);
        self.note(start, text, role);
    }

    fn comment(&mut self) {
        let start = self.position;
        let rest = self.slice(start, self.source.len());
        self.position += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        if self.comments {
            self.words_of_comment(start);
        }
    }

    /// People write names next to anything: only letters with an upper and a lower case, digits and underscores go on with a
    /// word. Scripts without case often have no spaces.
    fn words_of_comment(&mut self, mut position: usize) {
        while position < self.position {
            let rest = self.slice(position, self.position);
            let size = rest.iter().take_while(|byte| is_ascii_word_byte(**byte)).count();
            let word = rest.get(..size).unwrap_or_default();
            if Name::of(word).is_some()
                && !last_char(self.slice(0, position)).is_some_and(is_cased)
                && !first_char(rest.get(size..).unwrap_or_default()).is_some_and(is_cased)
            {
                self.note(position, word, Some(Role::Comment));
            }
            position += size.max(1);
        }
    }
}

/// The last character of bytes in UTF-8.
fn last_char(bytes: &[u8]) -> Option<char> {
    (1..=4).find_map(|size| {
        let tail = bytes.get(bytes.len().checked_sub(size)?..)?;
        str::from_utf8(tail).ok()?.chars().next()
    })
}

/// The first character of bytes in UTF-8.
fn first_char(bytes: &[u8]) -> Option<char> {
    (1..=4).find_map(|size| str::from_utf8(bytes.get(..size)?).ok()?.chars().next())
}

fn is_cased(character: char) -> bool {
    character.is_lowercase() || character.is_uppercase()
}

/// Outside of ASCII there are only letters in code.
fn is_word_byte(byte: u8) -> bool {
    is_ascii_word_byte(byte) || !byte.is_ascii()
}

fn is_ascii_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn kind_of(word: &[u8]) -> Token {
    match word {
        b"extends" => Token::Extends,
        b"is" => Token::Is,
        b"not" => Token::Not,
        b"class" | b"class_name" => Token::Class,
        b"and" | b"or" | b"if" | b"elif" | b"else" | b"for" | b"while" | b"break" | b"continue" | b"pass"
        | b"return" | b"match" | b"when" | b"as" | b"assert" | b"await" | b"breakpoint" | b"const"
        | b"enum" | b"func" | b"in" | b"namespace" | b"preload" | b"signal" | b"static" | b"trait"
        | b"var" | b"void" | b"yield" => Token::Keyword,
        _ => Token::Word,
    }
}
