//! Text from outside in messages: on one line, whatever is in it, and of bounded length.

use std::fmt::{self, Display, Formatter, Write};

/// Characters shown of a text; what is longer is cut.
const MAX_SHOWN: usize = 200;

/// Shows a text between single quotes: line ends and other characters that cannot be seen are escaped, and a long text
/// is cut.
#[derive(Debug, Clone, Copy)]
pub struct Quoted<'a>(pub &'a str);

/// The same without the quotes.
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(pub &'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_char('\'')?;
        escape(self.0, formatter)?;
        formatter.write_char('\'')
    }
}

impl Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        escape(self.0, formatter)
    }
}

fn escape(text: &str, formatter: &mut Formatter<'_>) -> fmt::Result {
    for (index, character) in text.chars().enumerate() {
        match character {
            _ if index == MAX_SHOWN => return formatter.write_str("..."),
            // As they are: they end neither the line nor the single quotes.
            '"' | '\\' => formatter.write_char(character)?,
            _ => write!(formatter, "{}", character.escape_debug())?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_on_one_line() {
        for (text, shown) in [
            ("ws://bücher.example/a", "'ws://bücher.example/a'"),
            ("host\r\n\t\0", r"'host\r\n\t\0'"),
            ("it's \"quoted\" \\", r#"'it\'s "quoted" \'"#),
            ("right\u{202e}to left, \u{1b}[31m", r"'right\u{202e}to left, \u{1b}[31m'"),
            ("", "''"),
        ] {
            assert_eq!(Quoted(text).to_string(), shown);
        }
        assert_eq!(Escaped("a\nb").to_string(), r"a\nb");
    }

    #[test]
    fn long_texts_are_cut() {
        let shown = Quoted(&"ü".repeat(MAX_SHOWN + 1)).to_string();
        assert_eq!(shown, format!("'{}...'", "ü".repeat(MAX_SHOWN)));
        assert_eq!(Escaped(&"x".repeat(MAX_SHOWN)).to_string().len(), MAX_SHOWN);
    }
}
