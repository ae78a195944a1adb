//! What carries a connection's bytes: plain TCP, or TLS over it.

use std::{
    io::{self, IoSlice, Read, Write},
    net::Shutdown,
};

use mio::net::TcpStream;

use crate::tls::{Received, TlsSession, TlsStream};

/// A connected, non-blocking byte stream.
#[derive(Debug)]
pub(crate) enum Transport {
    /// `ws://`
    Plain(TcpStream),
    /// `wss://`
    Tls(TlsStream),
}

impl Transport {
    pub(crate) fn new(stream: TcpStream, session: Option<TlsSession>) -> Self {
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

    /// Writes as much as the kernel takes; with no slices, what the transport itself has to say.
    pub(crate) fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        retry_interrupted(|| match self {
            Self::Plain(stream) => stream.write_vectored(slices),
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

fn retry_interrupted<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match operation() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
