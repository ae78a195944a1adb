//! What carries a connection's bytes, a stack: a socket, then bytes before the protocol ([`Preamble`]), then
//! TLS.

mod preamble;
mod proxy;
mod tunnel;

use std::{
    collections::VecDeque,
    io::{self, IoSlice, Read, Write},
};

use rust_websocket_proto::{ConnectPhase, admission::ProxyHeader};

pub(crate) use self::{preamble::Preamble, proxy::ProxyPreamble, tunnel::TunnelPreamble};
use crate::{
    seam::TlsFacts,
    socket::Socket,
    tls::{Received, TlsLayer, TlsSession},
};

/// A connected, non-blocking byte stream.
#[derive(Debug)]
pub(crate) struct Transport {
    bottom: Bottom,
    /// Under way; TLS and the protocol wait until it is over.
    preamble: Option<Box<dyn Preamble>>,
    proxy_header: Option<ProxyHeader>,
    /// `wss://`
    tls: Option<TlsLayer>,
}

/// The socket, and what was read from it beyond the preamble.
#[derive(Debug)]
struct Bottom {
    socket: Box<dyn Socket>,
    leftover: VecDeque<u8>,
    /// The last read took all there was, so that readiness will be reported anew.
    is_drained: bool,
}

impl Transport {
    /// Takes a connected socket, what has to pass on it before anything else, and a session for `wss://`.
    pub(crate) fn new(
        socket: Box<dyn Socket>,
        preamble: Option<Box<dyn Preamble>>,
        session: Option<TlsSession>,
    ) -> Self {
        Self {
            bottom: Bottom { socket, leftover: VecDeque::new(), is_drained: false },
            preamble,
            proxy_header: None,
            tls: session.map(TlsLayer::new),
        }
    }

    /// Reads what is there. After `WouldBlock` the kernel says when there is more; nothing is held back here.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        retry_interrupted(|| {
            if self.preamble.is_some() {
                return self.read_preamble(buffer);
            }
            match &mut self.tls {
                Some(tls) => tls.read(&mut self.bottom, buffer),
                None => self.bottom.read(buffer).map(|count| match count {
                    0 => Received::End,
                    count => Received::Bytes(count),
                }),
            }
        })
    }

    fn read_preamble(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        let Some(preamble) = &mut self.preamble else { return Ok(Received::Nothing) };
        let count = self.bottom.read(buffer)?;
        if count == 0 {
            return Err(io::Error::other(preamble.handle_end()));
        }
        let bytes = buffer.get(..count).unwrap_or_default();
        if let Some(own) = preamble.handle_read(bytes).map_err(io::Error::other)? {
            self.proxy_header = preamble.header();
            self.preamble = None;
            self.bottom.leftover = bytes.get(own..).unwrap_or_default().to_vec().into();
        }
        Ok(Received::Nothing)
    }

    /// Whether the last read took all there was, so that readiness will be reported anew. Elsewhere than on
    /// Linux, and through TLS, that is known only of a read that found nothing.
    pub(crate) fn is_drained(&self) -> bool {
        cfg!(any(target_os = "linux", target_os = "android"))
            && self.bottom.is_drained
            && self.bottom.leftover.is_empty()
            && self.tls.is_none()
    }

    /// Whether the last read has taken longer than this connection may have for one. What TLS makes of its input differs widely.
    pub(crate) fn note_cost(&mut self, is_too_much: bool) {
        if let Some(tls) = &mut self.tls {
            tls.note_cost(is_too_much);
        }
    }

    /// Writes as much as the kernel takes; with no slices, what the transport itself has to say.
    pub(crate) fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        retry_interrupted(|| {
            if let Some(preamble) = &mut self.preamble {
                let count = self.bottom.socket.send(&[IoSlice::new(preamble.output())])?;
                preamble.wrote(count);
                return Ok(0);
            }
            match &mut self.tls {
                Some(tls) => tls.write(&mut self.bottom, slices),
                None => self.bottom.socket.send(slices),
            }
        })
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether what passes is encrypted, here or below.
    pub(crate) fn is_secure(&self) -> bool {
        self.is_tls() || self.bottom.socket.is_secure()
    }

    /// How far the way to the other side's protocol is.
    pub(crate) fn phase(&self) -> ConnectPhase {
        if let Some(preamble) = &self.preamble {
            preamble.phase()
        } else if self.tls.as_ref().is_some_and(|tls| !tls.is_established()) {
            ConnectPhase::Tls
        } else {
            ConnectPhase::Upgrade
        }
    }

    /// Whether the protocol's bytes can pass.
    pub(crate) fn is_established(&self) -> bool {
        self.phase() == ConnectPhase::Upgrade
    }

    /// Whether it is TLS and nothing of that has come in yet.
    pub(crate) fn awaits_first_bytes(&self) -> bool {
        self.tls.as_ref().is_some_and(TlsLayer::awaits_first_bytes)
    }

    /// Whom the other side speaks for, if it has begun with saying that.
    pub(crate) fn proxy_header(&self) -> Option<&ProxyHeader> {
        self.proxy_header.as_ref()
    }

    /// What a client has told in TLS.
    pub(crate) fn tls_facts(&self) -> TlsFacts {
        self.tls.as_ref().map(TlsLayer::facts).unwrap_or_default()
    }

    /// Whether the transport has something to write by itself.
    pub(crate) fn has_pending_output(&self) -> bool {
        match &self.preamble {
            Some(preamble) => !preamble.output().is_empty(),
            None => self.tls.as_ref().is_some_and(TlsLayer::has_pending_output),
        }
    }

    /// Says goodbye and sends FIN; reading goes on. `WouldBlock`: the kernel did not take all of it, call it
    /// again.
    pub(crate) fn shut_down_writing(&mut self) -> io::Result<()> {
        retry_interrupted(|| {
            if let Some(tls) = self.tls.as_mut().filter(|_| self.preamble.is_none()) {
                tls.say_goodbye(&mut self.bottom)?;
            }
            self.bottom.socket.shut_down_writing()
        })
    }

    /// The socket below, for registration and options.
    pub(crate) fn socket(&mut self) -> &mut dyn Socket {
        &mut *self.bottom.socket
    }
}

impl Read for Bottom {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.leftover.is_empty() {
            self.is_drained = false;
            return self.leftover.read(buffer);
        }
        let count = self.socket.read(buffer)?;
        // In memory the end may be behind that, or more in another piece, and nobody says so again.
        self.is_drained = count < buffer.len() && !self.socket.is_in_memory();
        Ok(count)
    }
}

impl Write for Bottom {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.send(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.socket.send(slices)
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

#[cfg(test)]
mod tests;
