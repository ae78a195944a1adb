//! The HTTP upgrade (RFC 6455 section 4). Heads are parsed by httparse; line ends, size and contents are checked here.

mod client;
mod extensions;
mod headers;
mod lines;
mod server;

pub(crate) use client::{ClientHandshake, ClientProgress};
pub(crate) use extensions::{Extension, Parameter};
pub(crate) use headers::{HeadError, HeadScan, Headers, MAX_HEAD, MAX_LINES};
pub(crate) use server::ServerHandshake;

use crate::{Config, Opened, deflate::Agreed, fields};

/// An upgrade that succeeded.
#[derive(Debug)]
pub(crate) struct Upgraded {
    pub(crate) opened: Opened,
    pub(crate) deflate: Option<Agreed>,
}

/// The lines of `config.handshake_headers` that can be sent and `is_wanted` takes, each with its line end.
fn push_extra_lines(head: &mut String, config: &Config, is_wanted: impl Fn(&str) -> bool) {
    for line in &config.handshake_headers {
        if fields::check_line(line).is_ok() && is_wanted(line) {
            head.push_str(line);
            head.push_str("\r\n");
        }
    }
}

/// Whether these are the first bytes of TLS: a record of its handshake, or an alert (RFC 8446 section 5.1).
fn speaks_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x15 | 0x16, ..])
}
