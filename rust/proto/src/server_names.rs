//! The names by which TLS clients ask for a server (SNI, RFC 6066 section 3), and what a server has for each.

use std::collections::HashMap;

use crate::target::{ascii_host_name, parse_ip_address};

/// Longest name in DNS, without the root's dot.
const MAX_NAME: usize = 253;
/// Longest label.
const MAX_LABEL: usize = 63;

/// A name for which a server has something of its own: `game.example`, or `*.game.example` for every name with one label
/// in front of that, as in certificates (RFC 6125 section 6.4.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerName {
    /// In lower case, in its ASCII form, without a dot at the end; of a wildcard what stands behind `*.`.
    name: String,
    is_wildcard: bool,
}

/// Why a text is no such name, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerNameError {
    /// Clients announce names only (RFC 6066 section 3).
    #[error(
        "{0:?} is an IP address, which clients do not announce: the certificate for everybody else (\"\") is what they get"
    )]
    Address(String),
    /// A `*` elsewhere than as the first label.
    #[error(
        "the * in {0:?} stands in a wrong place: it is one label in front of a domain, as in \"*.game.example\""
    )]
    Wildcard(String),
    /// Anything else.
    #[error("{0:?} is no host name: write it without scheme, port and path, as in \"game.example\"")]
    Invalid(String),
}

impl ServerName {
    /// Reads a name, in any case; letters beyond ASCII are taken in their ASCII form (punycode).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ServerNameError> {
        let (domain, is_wildcard) = match text.strip_prefix("*.") {
            Some(domain) => (domain, true),
            None => (text, false),
        };
        if domain.contains('*') {
            return Err(ServerNameError::Wildcard(text.to_owned()));
        }
        if parse_ip_address(domain.trim_matches(['[', ']'])).is_some() {
            return Err(ServerNameError::Address(text.to_owned()));
        }
        let ascii = if domain.is_ascii() { Some(domain.to_owned()) } else { ascii_host_name(domain) };
        let name = ascii
            .map(|name| normal(&name))
            .filter(|name| is_name(name))
            .ok_or_else(|| ServerNameError::Invalid(text.to_owned()))?;
        Ok(Self { name, is_wildcard })
    }
}

/// As names are compared.
fn normal(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn is_name(name: &str) -> bool {
    let is_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_label = |label: &str| (1..=MAX_LABEL).contains(&label.len()) && label.bytes().all(is_byte);
    name.len() <= MAX_NAME && name.split('.').all(is_label)
}

/// What a server has for its names.
#[derive(Debug, Clone)]
pub struct ServerNames<T> {
    exact: HashMap<String, T>,
    /// By what stands behind the first label.
    wildcards: HashMap<String, T>,
}

impl<T> Default for ServerNames<T> {
    fn default() -> Self {
        Self { exact: HashMap::new(), wildcards: HashMap::new() }
    }
}

impl<T> ServerNames<T> {
    /// Sets what a name has, or takes the name away.
    pub fn set(&mut self, name: ServerName, value: Option<T>) {
        let names = if name.is_wildcard { &mut self.wildcards } else { &mut self.exact };
        match value {
            Some(value) => drop(names.insert(name.name, value)),
            None => drop(names.remove(&name.name)),
        }
    }

    /// What there is for a name that a client has announced: the name itself before a wildcard. `None`: what everybody
    /// else gets.
    pub fn find(&self, announced: &str) -> Option<&T> {
        if self.exact.is_empty() && self.wildcards.is_empty() {
            return None;
        }
        let name = normal(announced);
        self.exact.get(&name).or_else(|| {
            let (label, domain) = name.split_once('.')?;
            self.wildcards.get(domain).filter(|_| !label.is_empty())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(entries: &[&str]) -> ServerNames<String> {
        let mut names = ServerNames::default();
        for entry in entries {
            names.set(ServerName::parse(entry).unwrap(), Some((*entry).to_owned()));
        }
        names
    }

    #[test]
    fn exact_before_wildcard() {
        let names =
            names(&["game.example", "*.game.example", "eu.game.example", "*.example", "B\u{fc}cher.example"]);
        for (announced, found) in [
            ("game.example", Some("game.example")),
            ("GAME.Example", Some("game.example")),
            ("game.example.", Some("game.example")),
            ("eu.game.example", Some("eu.game.example")),
            ("us.game.example", Some("*.game.example")),
            ("xn--bcher-kva.example", Some("B\u{fc}cher.example")),
            ("other.example", Some("*.example")),
            ("a.us.game.example", None),
            ("example", None),
            (".game.example", None),
            ("", None),
            ("localhost", None),
        ] {
            assert_eq!(names.find(announced).map(String::as_str), found, "{announced}");
        }
    }

    #[test]
    fn names_come_and_go() {
        let name = || ServerName::parse("Game.example.").unwrap();
        let mut names = ServerNames::default();
        assert_eq!(names.find("game.example"), None);
        names.set(name(), Some(1));
        names.set(name(), Some(2));
        assert_eq!(names.find("game.example"), Some(&2));
        names.set(ServerName::parse("*.game.example").unwrap(), None);
        assert_eq!(names.find("game.example"), Some(&2));
        names.set(name(), None);
        names.set(name(), None);
        assert_eq!(names.find("game.example"), None);
    }

    #[test]
    fn what_is_no_name() {
        for text in ["127.0.0.1", "::1", "[::1]", "*.10.0.0.1"] {
            assert_eq!(ServerName::parse(text), Err(ServerNameError::Address(text.to_owned())));
        }
        for text in ["*", "*game.example", "eu.*.example", "*.*.example", "**.example", "game.*"] {
            assert_eq!(ServerName::parse(text), Err(ServerNameError::Wildcard(text.to_owned())));
        }
        let long = format!("{}.example", "a".repeat(64));
        let longer = vec!["a".repeat(60); 5].join(".");
        for text in [
            "",
            ".",
            "*.",
            ".example",
            "a..example",
            "a b.example",
            "game.example:443",
            "wss://game.example",
            "game.example/",
            "game.example..",
            "user@game.example",
            "game.example\n",
            "game\0.example",
            &long,
            &longer,
        ] {
            assert_eq!(ServerName::parse(text), Err(ServerNameError::Invalid(text.to_owned())), "{text:?}");
        }
        for text in ["localhost", "a_b.example", "1.example", "xn--bcher-kva.example", "*.localhost"] {
            assert!(ServerName::parse(text).is_ok(), "{text}");
        }
    }
}
