//! The sample handshake of RFC 6455, section 1.3.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this")]

use std::sync::Arc;

use rust_websocket_proto::{Config, ConnectPhase, Connection};

use crate::util::{Pattern, config, epoch, request, take_output};

pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

pub fn with_protocols(protocols: &[&str]) -> Config {
    Config { supported_protocols: strings(protocols), ..config() }
}

/// A client whose key is the one of RFC 6455 section 1.3.
pub fn sample_client(url: &str, config: Config) -> Connection {
    let mut client =
        Connection::client(&request(url), config, Arc::new(Pattern(b"the sample nonce")), epoch());
    client.set_connect_phase(ConnectPhase::Upgrade);
    client
}

pub fn text_output(connection: &mut Connection) -> String {
    String::from_utf8(take_output(connection)).unwrap()
}

pub fn request_lines() -> Vec<String> {
    strings(&[
        "GET /chat?x=1 HTTP/1.1",
        "Host: server.example.com",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ])
}

/// The request with the line that starts with `prefix` replaced by `lines`.
pub fn request_with(prefix: &str, lines: &str) -> String {
    let mut all = request_lines();
    match all.iter().position(|line| line.starts_with(prefix)) {
        Some(index) if lines.is_empty() => drop(all.remove(index)),
        Some(index) => all[index] = lines.to_owned(),
        None => all.push(lines.to_owned()),
    }
    all.join("\r\n") + "\r\n\r\n"
}

pub fn answer_with(prefix: &str, lines: &str) -> String {
    let mut all = strings(&["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]);
    all.push(format!("Sec-WebSocket-Accept: {ACCEPT}"));
    match all.iter().position(|line| line.starts_with(prefix)) {
        Some(index) if lines.is_empty() => drop(all.remove(index)),
        Some(index) => all[index] = lines.to_owned(),
        None => all.push(lines.to_owned()),
    }
    all.join("\r\n") + "\r\n\r\n"
}
