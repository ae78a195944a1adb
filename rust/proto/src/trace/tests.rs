//! Lines as they are written.

use super::event::{Direction, End, Frame, Kind, State, TraceEvent};
use crate::{ConnectPhase, MessageKind, frame::FrameKind};

fn head(text: &str) -> String {
    TraceEvent(Kind::Head(Direction::Out, text.as_bytes())).to_string()
}

fn frame(kind: FrameKind, payload: &[u8]) -> Frame<'_> {
    Frame {
        kind,
        content: MessageKind::Text,
        is_final: true,
        is_compressed: false,
        is_incomplete: false,
        length: payload.len() as u64,
        inflated: None,
        payload,
        is_cut: false,
    }
}

fn text(payload: &[u8]) -> String {
    frame(FrameKind::Message(MessageKind::Text), payload).to_string()
}

#[test]
fn frames_show_what_they_carry() {
    let shown = |frame: Frame<'_>| TraceEvent(Kind::Frame(Direction::In, frame)).to_string();
    let message = FrameKind::Message(MessageKind::Text);
    assert_eq!(
        shown(frame(message, br#"{"type":"move","x":12,"y":4}"#)),
        r#"< TEXT fin 28 {"type":"move","x":12,"y":4}"#
    );
    assert_eq!(
        shown(frame(FrameKind::Message(MessageKind::Binary), &[0, 0x7f, 0xff])),
        "< BINARY fin 3 007fff"
    );
    let packed = Frame {
        is_compressed: true,
        inflated: Some(300),
        is_cut: true,
        length: 20,
        ..frame(message, b"abc")
    };
    assert_eq!(shown(packed), "< TEXT fin compressed 20 of 300 abc...");
    let part =
        Frame { is_final: false, is_incomplete: true, length: 9, ..frame(FrameKind::Continuation, b"ab") };
    assert_eq!(shown(part), "< CONTINUATION incomplete 9 ab");
    let part = Frame { content: MessageKind::Binary, ..frame(FrameKind::Continuation, b"ab") };
    assert_eq!(shown(part), "< CONTINUATION fin 2 6162");
    assert_eq!(shown(frame(FrameKind::Ping, b"")), "< PING fin 0");
    assert_eq!(shown(frame(FrameKind::Pong, b"a\n")), "< PONG fin 2 610a");
    assert_eq!(shown(frame(FrameKind::Close, b"\x03\xe8by\ne")), r"< CLOSE fin 6 1000 by\ne");
    assert_eq!(shown(frame(FrameKind::Close, b"\x03\xe8")), "< CLOSE fin 2 1000");
    assert_eq!(shown(frame(FrameKind::Close, b"\x03")), "< CLOSE fin 1 03");
    assert_eq!(shown(frame(FrameKind::Close, b"")), "< CLOSE fin 0");
}

#[test]
fn nothing_ends_the_line_or_reaches_a_terminal() {
    assert_eq!(text(b"a\r\nb\t\0\\ \"c'\""), r#"TEXT fin 12 a\r\nb\t\0\\ "c'""#);
    assert_eq!(text("\u{1b}[31m\u{9b}2J\u{7f}".as_bytes()), r"TEXT fin 10 \u{1b}[31m\u{9b}2J\u{7f}");
    assert_eq!(text("b\u{fc} \u{202e}\u{2028}".as_bytes()), "TEXT fin 10 b\u{fc} \\u{202e}\\u{2028}");
    assert_eq!(text(b"a\xffb\xc3"), r"TEXT fin 4 a\xffb\xc3");
    for byte in 0..=u8::MAX {
        let events = [
            text(&[b'a', byte, b'b']),
            head(&format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", char::from(byte))),
            State::Connecting(&format!("to ws://a/{}", char::from(byte))).to_string(),
        ];
        for line in events {
            assert!(!line.chars().any(char::is_control), "{byte}: {line:?}");
        }
    }
}

#[test]
fn a_text_is_cut_between_characters() {
    let cut = |payload: &'static [u8]| {
        Frame { is_cut: true, length: 99, ..frame(FrameKind::Message(MessageKind::Text), payload) }
            .to_string()
    };
    assert_eq!(cut("b\u{fc}".as_bytes()), "TEXT fin 99 b\u{fc}...");
    assert_eq!(cut(b"b\xc3"), "TEXT fin 99 b...");
    assert_eq!(cut(b"b\xff"), r"TEXT fin 99 b\xff...", "no beginning of a character");
    assert_eq!(cut(b""), "TEXT fin 99...");
}

#[test]
fn secrets_are_replaced_by_their_lengths() {
    assert_eq!(
        head(
            "GET /a HTTP/1.1\r\nHost: b:9080\r\nAUTHORIZATION:  Basic YTpi \r\nSec-WebSocket-Key: abc=\r\n\r\n"
        ),
        "> GET /a HTTP/1.1 | Host: b:9080 | AUTHORIZATION: (10 bytes) | Sec-WebSocket-Key: abc="
    );
    assert_eq!(
        head("HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Secure\r\nset-cookie:c=d\r\nX-Cookie: e\r\n\r\n"),
        "> HTTP/1.1 200 OK | Set-Cookie: (11 bytes) | set-cookie: (3 bytes) | X-Cookie: e"
    );
    assert_eq!(
        head("CONNECT a:80 HTTP/1.1\r\nproxy-authorization: Basic c2VjcmV0\r\nCookie : secret\r\n\r\n"),
        "> CONNECT a:80 HTTP/1.1 | proxy-authorization: (14 bytes) | Cookie: (6 bytes)"
    );
}

#[test]
fn malformed_heads_hide_them_too() {
    for shape in [
        "GET / HTTP/1.1\nCookie: secret\n\n",
        "GET / HTTP/1.1\rCookie: secret\r\r",
        "GET / HTTP/1.1\r\nCookie: a\r\n secret\r\n\tsecret\r\nX: y\r\n\r\n",
        "Cookie: secret\r\n\r\n",
        "GET / HTTP/1.1\r\n\tCookie: a\r\nCookie\t: secret\r\n\r\n",
    ] {
        assert!(!head(shape).contains("secret"), "{}", head(shape));
    }
}

#[test]
fn urls_show_no_credentials() {
    assert_eq!(
        head(
            "GET http://ada:secret@game.example/a HTTP/1.1\r\nHost: ada:secret@game.example\r\n\
             Referer: https://ada:se@cret@b/?u=//x:secret@y/\r\nLocation: //secret@c\r\nX: a//b\r\n\
             Y: ws://a:1/@b ws://ada:sec/ret@c/d ws://[::1]:2/@e\r\n\r\n"
        ),
        "> GET http://(10 bytes)@game.example/a HTTP/1.1 | Host: (10 bytes)@game.example | \
         Referer: https://(11 bytes)@b/?u=//(8 bytes)@y/ | Location: //(6 bytes)@c | X: a//b | \
         Y: ws://a:1/@b ws://(11 bytes)@c/d ws://[::1]:2/@e"
    );
}

#[test]
fn states_in_words() {
    let closed = |code, reason: &str, sentence: &str| {
        let end = End { code, reason: reason.to_owned(), sentence: sentence.to_owned() };
        TraceEvent(Kind::State(State::Closed(&end))).to_string()
    };
    assert_eq!(closed(Some(1000), "by\ne", ""), r"= CLOSED 1000 'by\ne': cleanly");
    assert_eq!(closed(None, "", "no\u{7}"), r"= CLOSED: no\u{7}");
    assert_eq!(
        TraceEvent(Kind::State(State::Phase(ConnectPhase::Tcp))).to_string(),
        "= CONNECTING: TCP connection"
    );
}
