//! The HTTP upgrade (RFC 6455 section 4). Heads are parsed by httparse; line ends, size and contents are checked here.

mod client;
mod extensions;
mod headers;
mod server;

pub(crate) use client::{ClientHandshake, ClientProgress};
pub(crate) use extensions::{Extension, Parameter};
pub(crate) use headers::{HeadError, HeadScan, Headers, MAX_HEAD, MAX_LINES};
pub(crate) use server::{ServerHandshake, is_authority};

use crate::{Config, Opened, deflate::Agreed};

/// An upgrade that succeeded.
#[derive(Debug)]
pub(crate) struct Upgraded {
    pub(crate) opened: Opened,
    pub(crate) deflate: Option<Agreed>,
}

/// The lines of `config.handshake_headers`, each with its line end; never one that would end a line early.
fn push_extra_lines(head: &mut String, config: &Config) {
    for line in &config.handshake_headers {
        if Config::check_handshake_header(line).is_ok() {
            head.push_str(line);
            head.push_str("\r\n");
        }
    }
}
