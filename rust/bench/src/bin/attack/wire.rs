//! An attacker's socket.

use std::{
    error::Error,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr},
};

use mio::net::TcpStream;
use rustls::ClientConnection;
use socket2::{Domain, Socket, Type};

use crate::{greeting, plan::Tls};

/// Attackers have an address of their own, so that a server can tell them from honest clients.
const ATTACKERS: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 1);

/// Records that the socket has not taken yet; beyond it no more are made.
const MAX_PENDING: usize = 16 * 1024;

pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    session: Option<Box<ClientConnection>>,
    tls: Tls,
    pending: usize,
}

impl Wire {
    pub(crate) fn connect(port: u16, tls: Tls) -> Result<Self, Box<dyn Error>> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        socket.bind(&SocketAddr::from((ATTACKERS, 0)).into())?;
        match socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()) {
            Err(error) if error.raw_os_error() != Some(115) && error.kind() != io::ErrorKind::WouldBlock => {
                return Err(error.into());
            }
            _ => {}
        }
        let session = match tls {
            Tls::None => None,
            _ => Some(Box::new(greeting::session()?)),
        };
        Ok(Self { stream: TcpStream::from_std(socket.into()), session, tls, pending: 0 })
    }

    /// Writes what can be written; `WouldBlock` if nothing can.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(session) = &mut self.session else { return self.stream.write(bytes) };
        if session.is_handshaking() {
            self.write_records()?;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if self.pending > MAX_PENDING {
            return self.write_records().and_then(|()| self.when_written());
        }
        if self.tls == Tls::Keys {
            session.refresh_traffic_keys().map_err(io::Error::other)?;
        }
        let count = session.writer().write(bytes)?;
        self.pending += count + 32;
        if self.pending > MAX_PENDING {
            self.write_records()?;
        }
        Ok(count)
    }

    /// Nothing was added, but the next write may.
    fn when_written(&self) -> io::Result<usize> {
        let kind = if self.pending == 0 { io::ErrorKind::Interrupted } else { io::ErrorKind::WouldBlock };
        Err(kind.into())
    }

    /// Reads a part of what is there.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(session) = &mut self.session else { return self.stream.read(buffer) };
        loop {
            match session.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            if session.read_tls(&mut self.stream)? == 0 {
                return Ok(0);
            }
            session.process_new_packets().map_err(io::Error::other)?;
        }
    }

    /// Writes the records that were made.
    pub(crate) fn write_records(&mut self) -> io::Result<()> {
        let Some(session) = &mut self.session else { return Ok(()) };
        while session.wants_write() {
            match session.write_tls(&mut self.stream) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.pending = 0;
        Ok(())
    }
}
