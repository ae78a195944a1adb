//! A server's answer, read the way browsers do. What is not needed and cannot be read is skipped: proxies and applications send
//! cookies with control characters, names with spaces and folded lines, and nobody but a strict client ever notices. The
//! fields that the handshake depends on stay strict, since what they mean must not be a matter of opinion.

use httparse::Header;

use crate::{HttpResponse, ResponseError, http::Headers, token::is_token};

/// A head taken apart.
#[derive(Debug)]
pub(super) struct AnswerHead<'a> {
    pub(super) status: u16,
    /// The minor version of HTTP/1.
    pub(super) version: u8,
    reason: String,
    lines: Vec<Header<'a>>,
}

impl<'a> AnswerHead<'a> {
    /// Reads a whole head, whose folded lines are joined in place. Its lines end in CR LF.
    pub(super) fn read(head: &'a mut [u8]) -> Result<Self, ResponseError> {
        let end = find_line_end(head, 0).ok_or(ResponseError::Malformed("cut short"))?;
        let (status_line, lines) =
            head.split_at_mut_checked(end + 2).ok_or(ResponseError::Malformed("cut short"))?;
        let (version, status, reason) = read_status_line(status_line)?;
        unfold(lines)?;
        Ok(Self { status, version, reason, lines: read_lines(lines)? })
    }

    pub(super) fn headers(&self) -> Headers<'_> {
        Headers(&self.lines)
    }

    /// What a script may read of it; the body is not known yet.
    pub(super) fn response(&self) -> HttpResponse {
        let line =
            |header: &Header<'_>| format!("{}: {}", header.name, String::from_utf8_lossy(header.value));
        HttpResponse {
            status: self.status,
            reason: self.reason.clone(),
            headers: self.lines.iter().map(line).collect(),
            body: Vec::new(),
        }
    }
}

fn read_status_line(line: &[u8]) -> Result<(u8, u16, String), ResponseError> {
    let head = [line, b"\r\n"].concat();
    let mut response = httparse::Response::new(&mut []);
    match response.parse(&head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(ResponseError::Malformed("cut short")),
        Err(_) => return Err(ResponseError::Malformed("status line")),
    }
    let reason = response.reason.unwrap_or_default().to_owned();
    Ok((response.version.unwrap_or_default(), response.code.unwrap_or_default(), reason))
}

/// Replaces the line ends within a field by spaces, as RFC 9112 section 5.2 has a client do it.
fn unfold(lines: &mut [u8]) -> Result<(), ResponseError> {
    let (mut line_start, mut is_judged) = (0, false);
    while let Some(end) = find_line_end(lines, line_start) {
        let line = lines.get(line_start..end).unwrap_or_default();
        line_start = end + 2;
        if !matches!(lines.get(line_start), Some(b' ' | b'\t')) {
            is_judged = false;
            continue;
        }
        // What the fold belongs to: the field's first line that is not blank says it, and is looked at once, since each look at the
        // whole field would let a head of folds take a thousand times as long.
        let field = if is_judged { None } else { matter_of(line) };
        is_judged |= !line.trim_ascii().is_empty();
        // What it would be to whoever takes it for a line of its own.
        let own_end = find_line_end(lines, line_start).unwrap_or(lines.len());
        let own = || lines.get(line_start..own_end).filter(|line| has_name(line)).and_then(matter_of);
        if let Some(field) = field.or_else(own) {
            return Err(ResponseError::Malformed(field));
        }
        if let Some(line_end) = lines.get_mut(end..line_start) {
            line_end.fill(b' ');
        }
    }
    Ok(())
}

fn read_lines(lines: &[u8]) -> Result<Vec<Header<'_>>, ResponseError> {
    let mut headers = Vec::new();
    let mut start = 0;
    while let Some(end) = find_line_end(lines, start) {
        let line = lines.get(start..end).unwrap_or_default();
        start = end + 2;
        match (read_line(line), matter_of(line)) {
            (Some(header), _) => headers.push(header),
            (None, Some(field)) => return Err(ResponseError::Malformed(field)),
            (None, None) => {} // the empty line at the end, too
        }
    }
    Ok(headers)
}

/// A field by the grammar of RFC 9110 section 5.
fn read_line(line: &[u8]) -> Option<Header<'_>> {
    let (name, value) = line.split_at_checked(line.iter().position(|byte| *byte == b':')?)?;
    let value = value.get(1..)?.trim_ascii();
    let is_readable = |byte: &u8| *byte == b'\t' || !byte.is_ascii_control();
    let name = str::from_utf8(name).ok().filter(|name| is_token(name.as_bytes()))?;
    value.iter().all(is_readable).then_some(Header { name, value })
}

/// What of the handshake a line decides, if it does, whether or not it can be read.
fn matter_of(line: &[u8]) -> Option<&'static str> {
    let line = line.trim_ascii_start();
    let size = line.iter().take_while(|byte| **byte != b':' && byte.is_ascii_graphic()).count();
    let name = line.get(..size).unwrap_or_default();
    if name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"Sec-")) {
        return Some("a header Sec-...");
    }
    [
        ("Upgrade", "the header Upgrade"),
        ("Connection", "the header Connection"),
        ("Content-Length", "the header Content-Length"),
        ("Transfer-Encoding", "the header Transfer-Encoding"),
    ]
    .into_iter()
    .find(|(field, _)| name.eq_ignore_ascii_case(field.as_bytes()))
    .map(|(_, words)| words)
}

/// Whether a line begins with one word and a colon.
fn has_name(line: &[u8]) -> bool {
    let behind_word =
        line.trim_ascii_start().iter().skip_while(|byte| byte.is_ascii_graphic() && **byte != b':');
    behind_word.copied().find(|byte| !matches!(byte, b' ' | b'\t')) == Some(b':')
}

fn find_line_end(bytes: &[u8], from: usize) -> Option<usize> {
    let offset = bytes.get(from..)?.windows(2).position(|pair| pair == b"\r\n")?;
    Some(from + offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &str) -> Result<Vec<String>, ResponseError> {
        let mut head = format!("HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n").into_bytes();
        AnswerHead::read(&mut head).map(|head| head.response().headers)
    }

    #[test]
    fn what_cannot_be_read_and_is_not_needed_is_skipped() {
        let rows: [(&str, &[&str]); 14] = [
            ("A: 1\r\nB:2\r\n", &["A: 1", "B: 2"]),
            ("Set-Cookie: a=\u{1}b\r\nA: 1\r\n", &["A: 1"]),
            ("A : 1\r\nB: 2\r\n", &["B: 2"]),
            ("A B: 1\r\n", &[]),
            ("A\0: 1\r\nB: \0\r\nC: 3\r\n", &["C: 3"]),
            ("no colon\r\nA: 1\r\n", &["A: 1"]),
            (": 1\r\nA: 1\r\n", &["A: 1"]),
            ("A: 1\rB: 2\r\nC: 3\r\n", &["C: 3"]),
            ("\u{e4}: 1\r\n", &[]),
            ("A: \u{e4}\tb \r\n", &["A: \u{e4}\tb"]),
            ("A: 1\r\n 2\r\n\t3\r\nB: 4\r\n", &["A: 1   2  \t3", "B: 4"]),
            (" A: 1\r\nB: 2\r\n", &["B: 2"]),
            ("A: 1\r\n Upgrade or not: 2\r\n", &["A: 1   Upgrade or not: 2"]),
            ("Updates : 1\r\nConnections\r\nSecond : 2\r\n", &[]),
        ];
        for (lines, expected) in rows {
            let expected: Vec<_> = expected.iter().map(|line| (*line).to_owned()).collect();
            assert_eq!(read(lines), Ok(expected), "{lines:?}");
        }
    }

    #[test]
    fn what_the_handshake_depends_on_stays_strict() {
        for (lines, field) in [
            ("Upgrade : websocket", "the header Upgrade"),
            ("upgrade websocket", "the header Upgrade"),
            (" Upgrade: websocket", "the header Upgrade"),
            ("\tUpgrade : h2c", "the header Upgrade"),
            ("Upgrade: web\0socket", "the header Upgrade"),
            ("Upgrade: websocket,\r\n h2c", "the header Upgrade"),
            ("Connection: Upgrade\u{1}", "the header Connection"),
            ("CONNECTION\t: Upgrade", "the header Connection"),
            ("Sec-WebSocket-Accept : x", "a header Sec-..."),
            ("Sec-WebSocket-Protocol: \u{7f}", "a header Sec-..."),
            ("Sec-WebSocket-Accept: a\r\n b", "a header Sec-..."),
            ("sec-anything\u{1}: a", "a header Sec-..."),
            ("Content-Length : 1", "the header Content-Length"),
            ("Content-Length: 1\0", "the header Content-Length"),
            ("Transfer-Encoding: chunked\r\n\t, x", "the header Transfer-Encoding"),
            ("B\r\n \r\n Upgrade : x", "the header Upgrade"),
        ] {
            assert_eq!(
                read(&format!("A: 1\r\n{lines}\r\nB: 2\r\n")),
                Err(ResponseError::Malformed(field)),
                "{lines:?}"
            );
        }
    }

    #[test]
    fn as_many_lines_as_fit() {
        let lines: String = (0..2000).map(|index| format!("A{index}:\r\n")).collect();
        assert_eq!(read(&lines).map(|lines| lines.len()), Ok(2000));
    }

    /// No clock: with a look at the whole field for each fold this would not end.
    #[test]
    fn folds_without_end_are_read_in_one_go() {
        assert_eq!(read(&" \r\n".repeat(300_000)).map(|lines| lines.len()), Ok(0));
        let one = format!("A{}\r\n{}", "b".repeat(300_000), " \r\n".repeat(300_000));
        assert_eq!(read(&one).map(|lines| lines.len()), Ok(0));
    }

    #[test]
    fn status_lines() {
        let read = |line: &str| {
            let mut head = format!("{line}\r\nA: 1\r\n\r\n").into_bytes();
            AnswerHead::read(&mut head).map(|head| (head.version, head.status, head.reason.clone()))
        };
        assert_eq!(read("HTTP/1.1 403 Not today"), Ok((1, 403, "Not today".to_owned())));
        assert_eq!(read("HTTP/1.0 200"), Ok((0, 200, String::new())));
        for line in ["HTTP/1.1 1x1 a", "HTTP/2 200 a", "HTTP/1.1 200 \u{1}", "HTTP/1.1 20"] {
            assert_eq!(read(line), Err(ResponseError::Malformed("status line")), "{line:?}");
        }
    }
}
