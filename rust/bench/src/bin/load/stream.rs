//! What the load goes through: TCP, or a socket file.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr},
};

#[cfg(unix)]
use mio::net::UnixStream;
use mio::{Interest, Registry, Token, event::Source, net::TcpStream};

use crate::options::Options;

/// A non-blocking socket.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    File(UnixStream),
}

/// Does the same with either.
macro_rules! either {
    ($stream:expr, $socket:ident => $what:expr) => {
        match $stream {
            Stream::Tcp($socket) => $what,
            #[cfg(unix)]
            Stream::File($socket) => $what,
        }
    };
}

impl Stream {
    /// Begins to connect where the options say.
    pub(crate) fn connect(options: &Options) -> io::Result<Self> {
        #[cfg(unix)]
        if let Some(path) = &options.file {
            return Ok(Self::File(UnixStream::connect(path)?));
        }
        let stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, options.port)))?;
        stream.set_nodelay(true)?;
        Ok(Self::Tcp(stream))
    }

    /// Whether it is connected yet; an error if it never will be.
    pub(crate) fn is_connected(&self) -> io::Result<bool> {
        either!(self, socket => match socket.take_error()? {
            Some(error) => Err(error),
            None => Ok(socket.peer_addr().is_ok()),
        })
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        either!(self, socket => socket.read(buffer))
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        either!(self, socket => socket.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        either!(self, socket => socket.flush())
    }
}

impl Source for Stream {
    fn register(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        either!(self, socket => socket.register(registry, token, interest))
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        either!(self, socket => socket.reregister(registry, token, interest))
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        either!(self, socket => socket.deregister(registry))
    }
}
