//! The HTTP upgrade (RFC 6455 section 4). Heads are parsed by httparse; line ends, size and contents are checked here.

mod client;
mod extensions;
mod lines;
mod server;
mod upgraded;
mod verdict;

pub(crate) use client::{ClientHandshake, ClientProgress};
pub(crate) use extensions::{Extension, Parameter};
pub(crate) use server::{ServerHandshake, ServerProgress};
pub(crate) use upgraded::Upgraded;
pub(crate) use verdict::{Answered, Outcome};
