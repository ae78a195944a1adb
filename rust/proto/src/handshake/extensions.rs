//! The grammar of `Sec-WebSocket-Extensions` (RFC 6455 section 9.1).

use crate::{http::Headers, token::is_token_byte};

const FIELD: &str = "Sec-WebSocket-Extensions";

/// One extension of the list, as written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Extension {
    pub(crate) name: String,
    pub(crate) parameters: Vec<Parameter>,
}

/// A parameter of an extension; a quoted value is unquoted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
}

/// The field does not follow the grammar: section 9.1 has whoever receives it fail the connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The extensions of all lines of the field, in order.
pub(crate) fn extensions(headers: Headers<'_>) -> Result<Vec<Extension>, Malformed> {
    let mut all = Vec::new();
    for value in headers.all(FIELD) {
        let mut reader = Reader(value);
        loop {
            reader.skip_spaces();
            if !matches!(reader.0.first(), None | Some(b',')) {
                all.push(reader.extension()?);
            }
            match reader.next() {
                None => break,
                Some(b',') => {}
                Some(_) => return Err(Malformed),
            }
        }
    }
    Ok(all)
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn take(&mut self, wanted: u8) -> bool {
        let found = self.0.first() == Some(&wanted);
        if found {
            self.next();
        }
        found
    }

    fn skip_spaces(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }

    /// Up to the next comma.
    fn extension(&mut self) -> Result<Extension, Malformed> {
        let name = self.token()?;
        let mut parameters = Vec::new();
        loop {
            self.skip_spaces();
            if !self.take(b';') {
                return Ok(Extension { name, parameters });
            }
            self.skip_spaces();
            let name = self.token()?;
            self.skip_spaces();
            let value = if self.take(b'=') { Some(self.value()?) } else { None };
            parameters.push(Parameter { name, value });
        }
    }

    fn token(&mut self) -> Result<String, Malformed> {
        let size = self.0.iter().take_while(|byte| is_token_byte(**byte)).count();
        let (token, rest) = self.0.split_at_checked(size).ok_or(Malformed)?;
        if token.is_empty() {
            return Err(Malformed);
        }
        self.0 = rest;
        Ok(String::from_utf8_lossy(token).into_owned())
    }

    /// A token, or a quoted string whose content is one.
    fn value(&mut self) -> Result<String, Malformed> {
        self.skip_spaces();
        if !self.take(b'"') {
            return self.token();
        }
        let mut content = Vec::new();
        loop {
            match self.next().ok_or(Malformed)? {
                b'"' if content.is_empty() => return Err(Malformed),
                b'"' => return String::from_utf8(content).map_err(|_| Malformed),
                b'\\' => content.push(self.next().ok_or(Malformed)?),
                byte => content.push(byte),
            }
            if !content.last().is_some_and(|byte| is_token_byte(*byte)) {
                return Err(Malformed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<String, Malformed> {
        let lines: Vec<_> = values
            .iter()
            .map(|value| httparse::Header { name: "sec-websocket-EXTENSIONS", value: value.as_bytes() })
            .collect();
        let shown = extensions(Headers(&lines))?.into_iter().map(|extension| {
            let parameters = extension.parameters.into_iter().map(|parameter| {
                format!(
                    ";{}{}",
                    parameter.name,
                    parameter.value.map_or(String::new(), |value| "=".to_owned() + &value)
                )
            });
            extension.name + &parameters.collect::<String>()
        });
        Ok(shown.collect::<Vec<_>>().join(","))
    }

    #[test]
    fn lists() {
        for (values, shown) in [
            (&[][..], ""),
            (&[""], ""),
            (&["a"], "a"),
            (&["a, b", "c"], "a,b,c"),
            (&[" , a ,, b , "], "a,b"),
            (&["a; x; y=1 ;z = \"2\" , b"], "a;x;y=1;z=2,b"),
            (&["a;x=\"1\\0\""], "a;x=10"),
        ] {
            assert_eq!(read(values).as_deref(), Ok(shown), "{values:?}");
        }
    }

    #[test]
    fn malformed() {
        for value in [
            "a b",
            ";",
            ";x",
            "a;",
            "a;;x",
            "a;=1",
            "a;x=",
            "a;x=,b",
            "a;x=\"",
            "a;x=\"\"",
            "a;x=\"1",
            "a;x=\"1 2\"",
            "a;x=\"1\\",
            "a;x=\"1\"2",
            "a=1",
            "\"a\"",
            "a;x y",
            "ä",
            "a;x=\"ä\"",
            "a;x=1;",
        ] {
            assert_eq!(read(&[value]), Err(Malformed), "{value}");
        }
    }
}
