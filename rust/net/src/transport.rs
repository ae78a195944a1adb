//! What carries a connection's bytes: plain TCP, or TLS over it.

use std::{
    io::{self, IoSlice, Read, Write},
    net::Shutdown,
};

use mio::net::TcpStream;
use socket2::SockRef;

use crate::tls::{Received, TlsSession, TlsStream};

/// Writing to a connection that the other side has reset raises SIGPIPE, and the engine, unlike a Rust program, does not
/// ignore that signal: it would end the game. (On Apple's systems it is an option of the socket
/// instead, see [`Transport::new`].)
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const SEND_FLAGS: i32 = libc::MSG_NOSIGNAL;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const SEND_FLAGS: i32 = 0;

/// A connected, non-blocking byte stream.
#[derive(Debug)]
pub(crate) enum Transport {
    /// `ws://`
    Plain(TcpStream),
    /// `wss://`
    Tls(TlsStream),
}

impl Transport {
    /// Takes a connected socket, and a session for `wss://`.
    pub(crate) fn new(stream: TcpStream, session: Option<TlsSession>) -> Self {
        #[cfg(target_vendor = "apple")]
        // Fails only on a socket that is about to fail anyway.
        drop(SockRef::from(&stream).set_nosigpipe(true));
        match session {
            None => Self::Plain(stream),
            Some(session) => Self::Tls(TlsStream::new(stream, session)),
        }
    }

    /// Reads what is there. After `WouldBlock` the kernel says when there is more; nothing is held back here.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        retry_interrupted(|| match self {
            Self::Plain(stream) => stream.read(buffer).map(|count| match count {
                0 => Received::End,
                count => Received::Bytes(count),
            }),
            Self::Tls(stream) => stream.read(buffer),
        })
    }

    /// Whether a read of `count` bytes into `room` took all there was, so that readiness will be told anew. Elsewhere than
    /// on Linux it is told only after a read that found nothing.
    pub(crate) fn is_drained_by(&self, count: usize, room: usize) -> bool {
        cfg!(any(target_os = "linux", target_os = "android"))
            && matches!(self, Self::Plain(_))
            && count < room
    }

    /// Writes as much as the kernel takes; with no slices, what the transport itself has to say.
    pub(crate) fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        retry_interrupted(|| match self {
            Self::Plain(stream) => send(stream, slices),
            Self::Tls(stream) => stream.write(slices),
        })
    }

    pub(crate) fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Whether bytes can pass: false during a TLS handshake.
    pub(crate) fn is_established(&self) -> bool {
        match self {
            Self::Plain(_) => true,
            Self::Tls(stream) => stream.is_established(),
        }
    }

    /// Whether it is TLS and nothing has come in yet.
    pub(crate) fn awaits_first_bytes(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.awaits_first_bytes(),
        }
    }

    /// Whether the transport has something to write by itself.
    pub(crate) fn has_pending_output(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.has_pending_output(),
        }
    }

    /// Says goodbye and sends FIN; reading goes on. `WouldBlock`: the kernel did not take all of it, call it again.
    pub(crate) fn shut_down_writing(&mut self) -> io::Result<()> {
        retry_interrupted(|| match self {
            Self::Plain(stream) => stream.shutdown(Shutdown::Write),
            Self::Tls(stream) => stream.shut_down_writing(),
        })
    }

    /// The socket below, for registration and options.
    pub(crate) fn socket(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.socket(),
        }
    }
}

/// Every byte leaves through here; `write_vectored` would raise SIGPIPE.
fn send(stream: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let socket = SockRef::from(stream);
    match slices {
        // Less to copy and check for the kernel; most writes are one piece.
        [slice] => socket.send_with_flags(slice, SEND_FLAGS),
        _ => socket.send_vectored_with_flags(slices, SEND_FLAGS),
    }
}

/// A socket to write to without SIGPIPE, for those who want a [`Write`].
pub(crate) struct Outlet<'a>(pub(crate) &'a TcpStream);

impl Write for Outlet<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        send(self.0, &[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        send(self.0, slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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
