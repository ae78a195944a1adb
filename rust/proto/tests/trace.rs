//! What somebody who watches a connection is told, and when.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod util;

use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::Bytes;
use rust_websocket_proto::{
    Compressor, Connection, DeflateConfig, Delivery, MessageKind, TraceEvent, Tracer, TransportEnd,
};
use util::*;

struct Teller(Sender<String>);

/// What it was told.
struct Watcher(Receiver<String>);

impl Tracer for Teller {
    fn payload_bytes(&self) -> usize {
        12
    }

    fn trace(&mut self, event: &TraceEvent<'_>) -> bool {
        self.0.send(event.to_string()).is_ok()
    }
}

impl Watcher {
    fn on(connection: &mut Connection, way: &str) -> Self {
        let (sender, receiver) = channel();
        connection.set_tracer(Some(Box::new(Teller(sender))), way);
        Self(receiver)
    }

    fn take(&self) -> Vec<String> {
        self.0.try_iter().collect()
    }
}

fn open_pair(compressed: bool) -> (Pair, Watcher, Watcher) {
    let mut settings = config();
    settings.handshake_headers = vec!["Cookie: secret".to_owned()];
    settings.deflate = compressed.then(|| DeflateConfig { threshold: 20, ..DeflateConfig::default() });
    let now = epoch();
    let mut pair = Pair { client: client(settings.clone(), now), server: server(settings, now), now };
    let watchers = (Watcher::on(&mut pair.client, "to there"), Watcher::on(&mut pair.server, "from\nthere"));
    pair.drive_server();
    pair.drive_client();
    (pair, watchers.0, watchers.1)
}

#[test]
fn a_connection_from_its_beginning_to_its_end() {
    let (mut pair, client, server) = open_pair(false);
    let told = client.take();
    assert_eq!(told[..2], ["= CONNECTING to there", "= CONNECTING: WebSocket handshake"]);
    assert!(
        told[2].starts_with("> GET /chat HTTP/1.1 | Host: game.example | Upgrade: websocket"),
        "{told:?}"
    );
    assert!(told[2].ends_with(" | Cookie: (6 bytes)"), "{told:?}");
    assert!(told[3].starts_with("< HTTP/1.1 101 Switching Protocols | "), "{told:?}");
    assert_eq!(told[4..], ["= OPEN"]);
    let told = server.take();
    assert_eq!(told[..2], [r"= CONNECTING from\nthere", "= CONNECTING: WebSocket handshake"]);
    assert!(told[2].starts_with("< GET /chat HTTP/1.1 | Host"), "{told:?}");
    assert!(told[3..].iter().any(|line| line == "= OPEN"), "{told:?}");
    assert!(told[3..].iter().any(|line| line.starts_with("> HTTP/1.1 101 ")), "{told:?}");

    pair.client.send(MessageKind::Text, Bytes::from_static(b"{\"a\":\n1}")).unwrap();
    pair.client.send(MessageKind::Binary, Bytes::from(vec![0xab; 2000])).unwrap();
    assert_eq!(client.take(), [""; 0], "nothing is written yet");
    pair.drive_server();
    let lines = [r#"TEXT fin 8 {"a":\n1}"#, "BINARY fin 2000 abababababababababababab..."];
    assert_eq!(client.take(), lines.map(|line| format!("> {line}")));
    assert_eq!(server.take(), lines.map(|line| format!("< {line}")));

    let pieces = [frame(0x89, b"\x00", false), frame(0x01, b"ab\xc3", false), frame(0x80, b"\xbc", false)];
    feed(&mut pair.client, &pieces.concat(), pair.now);
    assert_eq!(client.take(), ["< PING fin 1 00", r"< TEXT 3 ab\xc3", r"< CONTINUATION fin 1 \xbc"]);
    pair.client.close(1000, "done", pair.now);
    pair.drive_server();
    pair.drive_client();
    let ended = ["= CLOSING", "> PONG fin 1 00", "> CLOSE fin 6 1000 done", "< CLOSE fin 6 1000 done"];
    assert_eq!(client.take(), [&ended[..], &["= CLOSED 1000 'done': cleanly"]].concat());
    let ended = ["< PONG fin 1 00", "< CLOSE fin 6 1000 done", "> CLOSE fin 6 1000 done"];
    assert_eq!(server.take(), [&ended[..], &["= CLOSED 1000 'done': cleanly"]].concat());
}

#[test]
fn compressed_messages_show_what_they_say() {
    let (mut pair, client, server) = open_pair(true);
    client.take();
    server.take();
    let text = "the same and the same ".repeat(40);
    pair.client.send(MessageKind::Text, Bytes::from(text.clone())).unwrap();
    pair.client.send(MessageKind::Text, Bytes::from_static(b"short")).unwrap();
    pair.drive_server();
    let sent = client.take();
    let (start, end) = sent[0].split_once(" of ").unwrap();
    let size: usize = start.strip_prefix("> TEXT fin compressed ").unwrap().parse().unwrap();
    assert!(size < 60, "{sent:?}");
    assert_eq!(end, format!("{} the same and...", text.len()));
    assert_eq!(sent[1..], ["> TEXT fin 5 short"]);
    assert_eq!(server.take(), sent.iter().map(|line| line.replacen('>', "<", 1)).collect::<Vec<_>>());
}

#[test]
fn what_breaks_a_rule_is_shown_before_the_end_that_it_brings() {
    for (bytes, shown) in [
        (frame(0x81, b"a\xffb", true), r"< TEXT fin 3 a\xffb"),
        (frame(0x82, &[0; 70_000], true)[..14].to_vec(), "< BINARY fin incomplete 70000..."),
        (frame(0x80, b"ab", true), "< CONTINUATION fin incomplete 2..."),
        (frame(0x88, b"\x03\xe7\n", true), r"< CLOSE fin 3 999 \n"),
    ] {
        let (mut pair, _, server) = open_pair(false);
        server.take();
        feed(&mut pair.server, &bytes, pair.now);
        take_output(&mut pair.server);
        let told = server.take();
        assert_eq!(told[0], shown);
        assert!(told.last().unwrap().starts_with("= CLOSED 100"), "{told:?}");
    }
}

#[test]
fn an_end_is_told_once_also_where_its_last_words_go_nowhere() {
    let (mut pair, client, server) = open_pair(false);
    client.take();
    server.take();
    pair.client.handle_transport_end(TransportEnd::Error("reset".to_owned()));
    events(&mut pair.client, pair.now);
    assert_eq!(client.take(), ["= CLOSED: the connection was lost: reset"]);
    drop(pair.client);
    assert!(client.take().is_empty());
    pair.server.send(MessageKind::Text, Bytes::from_static(b"lost")).unwrap();
    pair.server.abort();
    events(&mut pair.server, pair.now);
    assert!(server.take().is_empty());
    drop(pair.server);
    assert_eq!(server.take(), ["= CLOSED: ended by this side without a close handshake"]);
}

#[test]
fn messages_that_are_taken_back_are_not_told() {
    let (mut pair, client, _server) = open_pair(false);
    client.take();
    let mut compressor = Compressor::default();
    let mut send = |connection: &mut Connection, text: &'static str| {
        connection
            .send_as(
                MessageKind::Text,
                Bytes::from_static(text.as_bytes()),
                Delivery::Latest(1),
                &mut compressor,
            )
            .unwrap();
        connection.fill_output(pair.now, &mut compressor);
    };
    send(&mut pair.client, "first");
    send(&mut pair.client, "second");
    pair.drive_server();
    assert_eq!(client.take(), ["> TEXT fin 6 second"]);
}

#[test]
fn watching_begins_and_ends_at_any_time() {
    let mut pair = Pair::new();
    pair.client.send(MessageKind::Text, Bytes::from_static(b"before")).unwrap();
    let watcher = Watcher::on(&mut pair.client, "");
    pair.client.send(MessageKind::Text, Bytes::from_static(b"after")).unwrap();
    pair.drive_server();
    assert_eq!(watcher.take(), ["= OPEN, traced from here on", "> TEXT fin 5 after"]);
    pair.client.send(MessageKind::Text, Bytes::from_static(b"pending")).unwrap();
    pair.client.set_tracer(None, "");
    pair.drive_server();
    pair.client.close(1000, "", pair.now);
    pair.drive_server();
    pair.drive_client();
    assert!(watcher.take().is_empty());
}

#[test]
fn who_watches_no_longer_is_dropped() {
    let (mut pair, client, _server) = open_pair(false);
    assert!(pair.client.is_traced());
    pair.client.send(MessageKind::Text, Bytes::from_static(b"one")).unwrap();
    pair.client.send(MessageKind::Text, Bytes::from_static(b"two")).unwrap();
    drop(client);
    assert_eq!(split(pair.drive_server()).0.len(), 2);
    assert!(!pair.client.is_traced());
}

#[test]
fn nothing_that_is_sent_depends_on_it() {
    let run = |is_watched: bool| {
        let mut pair = Pair::new();
        if is_watched {
            Watcher::on(&mut pair.client, "");
        }
        for size in [0, 10, 2000, 100_000] {
            pair.client.send(MessageKind::Binary, Bytes::from(vec![7; size])).unwrap();
        }
        pair.client.close(1000, "bye", pair.now);
        take_output(&mut pair.client)
    };
    assert_eq!(run(true), run(false));
}
