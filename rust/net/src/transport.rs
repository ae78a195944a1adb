//! What carries a connection's bytes: plain TCP, with a place for TLS.

use std::{
    io::{self, IoSlice, Read},
    net::Shutdown,
};

use mio::net::TcpStream;
use socket2::SockRef;

/// Writing to a connection that the other side has reset raises SIGPIPE, and the engine, unlike a Rust program, does not
/// ignore that signal: it would end the game. (On Apple's systems it is
/// an option of the socket instead, see [`Transport::plain`].)
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const SEND_FLAGS: i32 = libc::MSG_NOSIGNAL;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const SEND_FLAGS: i32 = 0;

/// A connected, non-blocking byte stream.
#[derive(Debug)]
pub(crate) enum Transport {
    /// `ws://`
    Plain(TcpStream),
}

impl Transport {
    /// Takes a connected socket.
    pub(crate) fn plain(stream: TcpStream) -> Self {
        #[cfg(target_vendor = "apple")]
        // Fails only on a socket that is about to fail anyway.
        drop(SockRef::from(&stream).set_nosigpipe(true));
        Self::Plain(stream)
    }

    /// Reads what is there; `Ok(0)` is the other side's FIN.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Self::Plain(stream) = self;
        retry_interrupted(|| stream.read(buffer))
    }

    /// Whether a read of `count` bytes into `room` took all there was, so that readiness will be told anew. Elsewhere than
    /// on Linux it is told only after a read that found nothing.
    pub(crate) fn is_drained_by(&self, count: usize, room: usize) -> bool {
        cfg!(any(target_os = "linux", target_os = "android"))
            && matches!(self, Self::Plain(_))
            && count < room
    }

    /// Writes as much as the kernel takes.
    pub(crate) fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let Self::Plain(stream) = self;
        retry_interrupted(|| send(stream, slices))
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

/// Every byte leaves through here; `write_vectored` would raise SIGPIPE.
fn send(stream: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    SockRef::from(stream).send_vectored_with_flags(slices, SEND_FLAGS)
}

fn retry_interrupted<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match operation() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
