//! The HTTP upgrade (RFC 6455 section 4). Heads are parsed by httparse; line ends, size and contents are checked here.

mod client;
mod extensions;
mod headers;
mod lines;
mod server;
mod upgraded;

pub(crate) use client::{ClientHandshake, ClientProgress};
pub(crate) use extensions::{Extension, Parameter};
pub(crate) use headers::{HeadError, HeadScan, Headers, MAX_HEAD, MAX_LINES};
pub(crate) use server::ServerHandshake;
pub(crate) use upgraded::Upgraded;
