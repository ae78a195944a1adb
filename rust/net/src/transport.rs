//! What carries a connection's bytes: plain TCP, with a place for TLS.

use std::{
    io::{self, IoSlice, Read},
    net::Shutdown,
};

use mio::net::TcpStream;
use socket2::SockRef;

/// Writing to a connection that the other side has dropped raises SIGPIPE, which ends the process: Rust turns that off
/// in programs of its own, not in a library inside the engine, and std's vectored writes do not suppress it either.
#[cfg(all(unix, not(target_vendor = "apple")))]
const SEND_FLAGS: i32 = libc::MSG_NOSIGNAL;
/// Apple's sockets carry an option for that (set by mio); Windows has no such signal.
#[cfg(not(all(unix, not(target_vendor = "apple"))))]
const SEND_FLAGS: i32 = 0;

/// A connected, non-blocking byte stream.
#[derive(Debug)]
pub(crate) enum Transport {
    /// `ws://`
    Plain(TcpStream),
}

impl Transport {
    /// Reads what is there; `Ok(0)` is the other side's FIN.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Self::Plain(stream) = self;
        retry_interrupted(|| stream.read(buffer))
    }

    /// Writes as much as the kernel takes.
    pub(crate) fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let Self::Plain(stream) = self;
        let socket = SockRef::from(&*stream);
        retry_interrupted(|| socket.send_vectored_with_flags(slices, SEND_FLAGS))
    }

    /// Sends FIN; reading goes on.
    pub(crate) fn shut_down_writing(&mut self) -> io::Result<()> {
        let Self::Plain(stream) = self;
        stream.shutdown(Shutdown::Write)
    }

    /// The socket below, for registration and options.
    pub(crate) fn socket(&mut self) -> &mut TcpStream {
        let Self::Plain(stream) = self;
        stream
    }
}

fn retry_interrupted<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match operation() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
