//! The negotiation of permessage-deflate, from both sides (RFC 7692 sections 5 and 7.1).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod util;

use std::sync::Arc;

use rust_websocket_proto::{
    CloseCause, Config, Connection, DeflateConfig, RequestError, ResponseError, SendError,
};
use util::*;

/// The defaults but for what is said.
fn deflate(context_takeover: bool, server_max_window_bits: u8, client_max_window_bits: u8) -> DeflateConfig {
    DeflateConfig {
        context_takeover,
        server_max_window_bits,
        client_max_window_bits,
        ..DeflateConfig::default()
    }
}

fn with(deflate: DeflateConfig) -> Config {
    Config { deflate: Some(deflate), ..config() }
}

fn extension_line(head: &[u8]) -> Option<String> {
    let head = String::from_utf8(head.to_vec()).unwrap();
    let mut lines = head.lines().filter_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
    let line = lines.next().map(str::to_owned);
    assert_eq!(lines.next(), None);
    line
}

#[test]
fn offers() {
    for (deflate, offer) in [
        (
            deflate(false, 15, 15),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits",
        ),
        (deflate(true, 15, 15), "permessage-deflate; client_max_window_bits"),
        (deflate(true, 9, 8), "permessage-deflate; server_max_window_bits=9; client_max_window_bits=8"),
        (deflate(true, 0, 99), "permessage-deflate; server_max_window_bits=8; client_max_window_bits"),
    ] {
        let mut client = client(with(deflate), epoch());
        assert_eq!(extension_line(&take_output(&mut client)).as_deref(), Some(offer));
    }
    assert_eq!(extension_line(&take_output(&mut client(config(), epoch()))), None);
}

fn request_with(lines: &str) -> String {
    format!(
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{lines}\r\n\r\n"
    )
}

/// What a server answers to these offers.
fn answer_to(deflate: DeflateConfig, offers: &str) -> Option<String> {
    let mut server = server(with(deflate), epoch());
    let request = request_with(&format!("Sec-WebSocket-Extensions: {offers}"));
    let opened = only_opened(feed(&mut server, request.as_bytes(), epoch()));
    let answer = extension_line(&take_output(&mut server));
    assert_eq!(opened.is_compressed, answer.is_some());
    answer
}

#[test]
fn offers_that_a_server_accepts() {
    let takeover = || deflate(true, 15, 15);
    for (config, offers, parameters) in [
        (takeover(), "permessage-deflate", ""),
        (takeover(), "PERMESSAGE-DEFLATE", ""),
        (takeover(), "permessage-deflate; client_max_window_bits", ""),
        (takeover(), "permessage-deflate; client_max_window_bits=15", ""),
        (takeover(), "permessage-deflate; client_max_window_bits=8", "; client_max_window_bits=8"),
        (takeover(), "permessage-deflate; server_max_window_bits=15", "; server_max_window_bits=15"),
        (takeover(), "permessage-deflate;server_max_window_bits=\"10\"", "; server_max_window_bits=10"),
        (takeover(), "permessage-deflate; server_no_context_takeover", "; server_no_context_takeover"),
        (takeover(), "permessage-deflate; client_no_context_takeover", "; client_no_context_takeover"),
        (
            takeover(),
            "permessage-deflate; server_max_window_bits=8; server_no_context_takeover; client_no_context_takeover",
            "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=8",
        ),
        // Our own wishes, whatever the client says; a client's window only if it has named it.
        (
            deflate(false, 15, 15),
            "permessage-deflate",
            "; server_no_context_takeover; client_no_context_takeover",
        ),
        (deflate(true, 10, 9), "permessage-deflate", "; server_max_window_bits=10"),
        (
            deflate(true, 10, 9),
            "permessage-deflate; client_max_window_bits; server_max_window_bits=12",
            "; server_max_window_bits=10; client_max_window_bits=9",
        ),
        (
            deflate(true, 12, 12),
            "permessage-deflate; client_max_window_bits=9; server_max_window_bits=9",
            "; server_max_window_bits=9; client_max_window_bits=9",
        ),
        // The first that makes sense, among others and over several lines.
        (takeover(), "x-webkit-deflate-frame, permessage-deflate", ""),
        (
            takeover(),
            "permessage-deflate; x, permessage-deflate; server_max_window_bits=9",
            "; server_max_window_bits=9",
        ),
        (
            takeover(),
            "permessage-deflate; server_max_window_bits=9, permessage-deflate",
            "; server_max_window_bits=9",
        ),
        (takeover(), "a\r\nSec-WebSocket-Extensions: permessage-deflate", ""),
    ] {
        assert_eq!(answer_to(config, offers), Some(format!("permessage-deflate{parameters}")), "{offers}");
    }
}

/// Section 7.1: each is declined, and the connection goes on without compression.
#[test]
fn offers_that_a_server_declines() {
    for parameters in [
        "x",
        "x=1",
        "server_no_context_takeover=1",
        "client_no_context_takeover=true",
        "server_no_context_takeover; server_no_context_takeover",
        "client_no_context_takeover; client_no_context_takeover",
        "server_max_window_bits",
        "server_max_window_bits=7",
        "server_max_window_bits=16",
        "server_max_window_bits=010",
        "server_max_window_bits=08",
        "server_max_window_bits=9; server_max_window_bits=9",
        "server_max_window_bits=256",
        "server_max_window_bits=+9",
        "client_max_window_bits=7",
        "client_max_window_bits=16",
        "client_max_window_bits=x",
        "client_max_window_bits; client_max_window_bits=9",
        "client_max_window_bits; x",
    ] {
        assert_eq!(
            answer_to(deflate(true, 15, 15), &format!("permessage-deflate; {parameters}")),
            None,
            "{parameters}"
        );
    }
    for offers in ["permessage-deflat", "x; permessage-deflate", "x-webkit-deflate-frame", "", ","] {
        assert_eq!(answer_to(deflate(true, 15, 15), offers), None, "{offers}");
    }
}

/// RFC 6455 section 9.1. Without compression nobody reads the field.
#[test]
fn malformed_offers() {
    for offers in ["permessage-deflate;", "permessage-deflate; x=", "a b", "a; x=\"1"] {
        let request = request_with(&format!("Sec-WebSocket-Extensions: {offers}"));
        let mut strict = server(with(deflate(true, 15, 15)), epoch());
        let closed = only_closed(feed(&mut strict, request.as_bytes(), epoch()));
        assert_eq!(closed.cause, CloseCause::Request(RequestError::Extensions), "{offers}");
        assert!(take_output(&mut strict).starts_with(b"HTTP/1.1 400 Bad Request\r\n"));
        let mut plain = server(config(), epoch());
        assert!(!only_opened(feed(&mut plain, request.as_bytes(), epoch())).is_compressed);
    }
}

/// How a client takes an answer.
fn client_with_answer(
    deflate: Option<DeflateConfig>,
    lines: &str,
) -> (Connection, Vec<rust_websocket_proto::Event>) {
    let config = Config { deflate, ..config() };
    let random = Arc::new(Pattern(b"the sample nonce"));
    let mut client = Connection::client(&request("ws://a"), config, random, epoch());
    take_output(&mut client);
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n{lines}\r\n\r\n"
    );
    let events = feed(&mut client, answer.as_bytes(), epoch());
    (client, events)
}

#[test]
fn answers_that_match_the_offer() {
    let takeover = deflate(true, 15, 15);
    let none = deflate(false, 15, 15);
    let small = deflate(true, 10, 10);
    for (config, parameters) in [
        (&takeover, ""),
        (&takeover, "; server_no_context_takeover"),
        (&takeover, "; client_no_context_takeover; server_no_context_takeover"),
        (&takeover, "; server_max_window_bits=8"),
        (&takeover, "; server_max_window_bits=15; client_max_window_bits=15"),
        (&takeover, "; client_max_window_bits=\"8\""),
        (&none, "; server_no_context_takeover"),
        (&none, "; server_no_context_takeover; client_no_context_takeover"),
        (&small, "; server_max_window_bits=10"),
        (&small, "; server_max_window_bits=9; client_max_window_bits=10"),
    ] {
        let lines = format!("Sec-WebSocket-Extensions: Permessage-Deflate{parameters}");
        let (_, events) = client_with_answer(Some(config.clone()), &lines);
        assert!(only_opened(events).is_compressed, "{parameters}");
    }
    let (_, events) = client_with_answer(Some(takeover), "Sec-WebSocket-Extensions:");
    assert!(!only_opened(events).is_compressed);
}

#[test]
fn answers_that_do_not_match_the_offer() {
    use ResponseError::*;
    let takeover = Some(deflate(true, 15, 15));
    let none = Some(deflate(false, 15, 15));
    let small = Some(deflate(true, 10, 10));
    let malformed = Malformed("Sec-WebSocket-Extensions");
    for (config, answer, error) in [
        (&None, "permessage-deflate", UnaskedExtension),
        (&takeover, "x", UnaskedExtension),
        (&takeover, "permessage-deflate, x", UnaskedExtension),
        (&takeover, "permessage-deflate, permessage-deflate", UnaskedExtension),
        (&takeover, "permessage-deflate; x", ExtensionParameters),
        (&takeover, "permessage-deflate; client_max_window_bits", ExtensionParameters),
        (&takeover, "permessage-deflate; client_max_window_bits=16", ExtensionParameters),
        (&takeover, "permessage-deflate; server_max_window_bits", ExtensionParameters),
        (&takeover, "permessage-deflate; server_max_window_bits=7", ExtensionParameters),
        (&takeover, "permessage-deflate; server_no_context_takeover=1", ExtensionParameters),
        (&none, "permessage-deflate", ExtensionParameters),
        (&none, "permessage-deflate; client_no_context_takeover", ExtensionParameters),
        (&small, "permessage-deflate", ExtensionParameters),
        (&small, "permessage-deflate; server_max_window_bits=11", ExtensionParameters),
        (
            &small,
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits=11",
            ExtensionParameters,
        ),
        (&takeover, "permessage-deflate;", malformed.clone()),
        (&None, "a b", malformed.clone()),
    ] {
        let (client, events) =
            client_with_answer(config.clone(), &format!("Sec-WebSocket-Extensions: {answer}"));
        assert_eq!(only_closed(events).cause, CloseCause::Response(error), "{answer}");
        assert!(!client.has_output());
    }
}

/// A server that asks for less than the client's own limit gets less.
#[test]
fn an_answer_limits_the_client() {
    for (answer, far) in [("", true), ("; client_max_window_bits=8", false)] {
        let lines = format!("Sec-WebSocket-Extensions: permessage-deflate{answer}");
        let (mut client, _) = client_with_answer(Some(deflate(true, 15, 15)), &lines);
        let random = Seeded::new(5);
        let half: Vec<u8> = (0..1500).map(|_| random.next() as u8).collect();
        let sent = client.send(rust_websocket_proto::MessageKind::Binary, [&half[..], &half].concat().into());
        assert_eq!(sent, Ok::<(), SendError>(()));
        assert_eq!(take_output(&mut client).len() < 2000, far);
    }
}
