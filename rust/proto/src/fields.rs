//! Header fields that a script adds to a handshake.

use crate::{authority, token::is_token};

/// Why an entry of `handshake_headers` or `supported_protocols` is refused. Of a header only the name is shown: what follows
/// may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeLineError {
    /// It would end the line and start another one of its own.
    #[error(
        "the handshake header {} contains a control character: one entry is one line, without line ends",
        shown(.0)
    )]
    ControlCharacter(String),
    /// No colon.
    #[error("the handshake header {} has no colon: write it as \"Name: value\"", shown(.0))]
    NoColon(String),
    /// Spaces and the like.
    #[error(
        "the name of the handshake header {} is not valid: letters, digits and !#$%&'*+-.^_`|~ only, no spaces",
        shown(.0)
    )]
    Name(String),
    /// RFC 6455 section 4.1: subprotocol names are tokens.
    #[error(
        "the subprotocol {0:?} is not valid: letters, digits and !#$%&'*+-.^_`|~ only, no spaces or commas"
    )]
    Protocol(String),
    /// The handshake has one of its own, which a second one would contradict.
    #[error("the handshake header {} cannot be set in handshake_headers: {}", shown(.0), advice(.0))]
    Reserved(String),
    /// What stands there is no host.
    #[error("the handshake header {} names no host: write it as \"Host: game.example:9080\"", shown(.0))]
    Host(String),
    /// RFC 9112 section 3.2: there is one.
    #[error("the handshake header \"Host\" is there more than once")]
    RepeatedHost,
}

/// The line up to its colon, or its first word.
fn shown(line: &str) -> String {
    let (shown, rest) = line.split_at(line.find(':').or_else(|| line.find(' ')).unwrap_or(line.len()));
    format!("{shown:?}{}", if rest.is_empty() { "" } else { "..." })
}

/// What to do instead of setting a reserved header.
fn advice(line: &str) -> &'static str {
    let is = |name: &str| is_named(line, name);
    if is("Sec-WebSocket-Protocol") {
        "list the subprotocols in supported_protocols"
    } else if is("Sec-WebSocket-Extensions") {
        "compression is the only extension, and is negotiated when the property compression is enabled"
    } else if is("Content-Length") || is("Transfer-Encoding") {
        "a handshake has no body; leave it out"
    } else {
        "the handshake writes its own; leave it out"
    }
}

/// Whether the line is for that field.
pub(crate) fn is_named(line: &str, name: &str) -> bool {
    line.split_once(':').is_some_and(|(found, _)| found.eq_ignore_ascii_case(name))
}

/// Checks the lines of one handshake.
pub(crate) fn check_lines(lines: &[String]) -> Result<(), HandshakeLineError> {
    lines.iter().try_for_each(|line| check_line(line))?;
    match lines.iter().filter(|line| is_named(line, "Host")).count() {
        0 | 1 => Ok(()),
        _ => Err(HandshakeLineError::RepeatedHost),
    }
}

/// Checks a line of a handshake by itself.
pub(crate) fn check_line(line: &str) -> Result<(), HandshakeLineError> {
    let (name, value) = check_grammar(line)?;
    if is_reserved(name) {
        return Err(HandshakeLineError::Reserved(line.to_owned()));
    }
    if name.eq_ignore_ascii_case("Host") && !authority::is_authority(value.trim_ascii()) {
        return Err(HandshakeLineError::Host(line.to_owned()));
    }
    Ok(())
}

/// Name and value of a line that is one line of any HTTP message.
pub(crate) fn check_grammar(line: &str) -> Result<(&str, &str), HandshakeLineError> {
    if line.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
        return Err(HandshakeLineError::ControlCharacter(line.to_owned()));
    }
    let Some((name, value)) = line.split_once(':') else {
        return Err(HandshakeLineError::NoColon(line.to_owned()));
    };
    if !is_token(name.as_bytes()) {
        return Err(HandshakeLineError::Name(line.to_owned()));
    }
    Ok((name, value))
}

/// Whether a handshake depends on what it says itself in that field, or has no use for it: a second line of it is what
/// servers and proxies refuse, or read differently.
fn is_reserved(name: &str) -> bool {
    let prefix = "Sec-WebSocket-";
    let is_ours = name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    let reserved = ["Connection", "Upgrade", "Content-Length", "Transfer-Encoding"];
    is_ours || reserved.iter().any(|reserved| name.eq_ignore_ascii_case(reserved))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str) -> Result<(), HandshakeLineError> {
        check_lines(&["X-Good: yes".to_owned(), line.to_owned()])
    }

    #[test]
    fn header_lines() {
        for line in ["A: b", "A:b", "A:", "X-Ü".replace('Ü', "~: ü").as_str(), "A: b\tc", "A: b: c"] {
            assert_eq!(check(line), Ok(()), "{line}");
        }
        for line in ["A: b\r\nC: d", "A: b\n", "A: b\r", "A: \0", "A\u{7f}: b"] {
            assert_eq!(check(line), Err(HandshakeLineError::ControlCharacter(line.to_owned())));
        }
        for line in ["", "A", "GET / HTTP/1.1"] {
            assert_eq!(check(line), Err(HandshakeLineError::NoColon(line.to_owned())));
        }
        for line in [": b", " A: b", "A : b", "A B: c", "Ä: b", "A\t: b", "Host : a"] {
            assert_eq!(check(line), Err(HandshakeLineError::Name(line.to_owned())));
        }
    }

    #[test]
    fn headers_that_a_handshake_writes_itself() {
        for (line, advice) in [
            ("Sec-WebSocket-Protocol: chat", "supported_protocols"),
            ("SEC-WEBSOCKET-PROTOCOL:chat", "supported_protocols"),
            ("Sec-WebSocket-Extensions: permessage-deflate", "compression"),
            ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "leave it out"),
            ("sec-websocket-accept: x", "leave it out"),
            ("Sec-WebSocket-Version: 8", "leave it out"),
            ("Sec-WebSocket-Anything:", "leave it out"),
            ("Connection: keep-alive", "leave it out"),
            ("upgrade: h2c", "leave it out"),
            ("Content-Length: 0", "no body"),
            ("transfer-encoding: chunked", "no body"),
        ] {
            let error = check(line).expect_err(line);
            assert_eq!(error, HandshakeLineError::Reserved(line.to_owned()));
            let name = line.split(':').next().unwrap_or_default();
            let sentence = error.to_string();
            assert!(sentence.contains(name) && sentence.contains(advice), "{sentence}");
        }
        for line in ["Sec-WebSocket: x", "Sec-Fetch-Mode: websocket", "Connections: x", "Proxy-Connection: x"]
        {
            assert_eq!(check(line), Ok(()), "{line}");
        }
    }

    #[test]
    fn hosts() {
        for line in ["Host: game.example", "host:game.example:9080", "HOST: [::1]:1 "] {
            assert_eq!(check(line), Ok(()), "{line}");
        }
        for line in ["Host:", "Host: ", "Host: a b", "Host: http://a", "Host: name@a", "Host: ü"] {
            assert_eq!(check(line), Err(HandshakeLineError::Host(line.to_owned())));
        }
        let twice = ["Host: a".to_owned(), "host: a".to_owned()];
        assert_eq!(check_lines(&twice), Err(HandshakeLineError::RepeatedHost));
    }

    /// A token with a line end behind it, as files hold them.
    #[test]
    fn sentences_show_no_values() {
        for line in [
            "Authorization: Bearer secret\n",
            "Authorization Bearer secret",
            "Author ization: Bearer secret",
            "Host: secret@a",
        ] {
            let sentence = check(line).expect_err(line).to_string();
            assert!(!sentence.contains("secret") && !sentence.contains('\n'), "{sentence}");
        }
    }
}
