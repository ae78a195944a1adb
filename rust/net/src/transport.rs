//! What carries a connection's bytes: plain TCP, with a place for TLS.

use std::{
    io::{self, IoSlice, Read, Write},
    net::Shutdown,
};

use mio::net::TcpStream;

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
        retry_interrupted(|| stream.write_vectored(slices))
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
