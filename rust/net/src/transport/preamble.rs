//! Bytes before the protocol: what passes on a connected socket before TLS and the protocol may begin, such
//! as a proxy's tunnel on a client's side, or the header with which a load balancer announces whom it speaks
//! for on a server's.

use std::fmt;

use rust_websocket_proto::{ConnectPhase, admission::ProxyHeader};

/// What passes before the protocol, without I/O: bytes in, bytes out.
///
/// The transport writes [`output`](Self::output) whenever there is some and hands in what arrives until it is
/// over; what has arrived behind its end belongs to TLS or the protocol, which begin then.
pub(crate) trait Preamble: fmt::Debug + Send {
    /// Takes bytes that have arrived. `Some(count)`: it is over, and only the first `count` of them were its
    /// own (0 to all). The error is one phrase for people.
    fn handle_read(&mut self, bytes: &[u8]) -> Result<Option<usize>, String>;

    /// What is to be written now.
    fn output(&self) -> &[u8];

    /// The next `count` bytes of the output were written.
    fn wrote(&mut self, count: usize);

    /// For messages, and for the time that it takes.
    fn phase(&self) -> ConnectPhase {
        ConnectPhase::Tcp
    }

    /// The other side has ended the connection before it was over. One phrase for people.
    fn handle_end(&self) -> String {
        "the other side ended the connection before the protocol began".to_owned()
    }

    /// When it is over: whom the other side speaks for, if it has said so.
    fn header(&self) -> Option<ProxyHeader> {
        None
    }
}
