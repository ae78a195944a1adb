//! What somebody who watches a connection is told: handshake heads, frames and states, each in words on one line, without what is
//! secret in a head. A connection that nobody watches pays for a look or two at an `Option` per frame.

mod event;
mod shown;
mod watch;

pub use self::event::{TraceEvent, Tracer};
pub(crate) use self::watch::{Received, Sent, Trace};

#[cfg(test)]
mod tests;
