//! A TLS session over whatever is below it and does not block.

use std::io::{self, IoSlice, Read, Write};

use rustls::Connection;

use super::{
    ClientTls, ServerSessions,
    words::{self, Situation},
};
use crate::seam::TlsFacts;

/// Ciphertext that may wait for the kernel. More is not encrypted before it has gone.
const MAX_PENDING: usize = 64 * 1024;

/// Ciphertext that is taken from below at once: between a whole record and one that only asks for new keys, which takes more time
/// than a thousand bytes of data.
const MOST_AT_ONCE: usize = 17 * 1024;
const LEAST_AT_ONCE: usize = 64;

/// What reading came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    /// That many bytes for us.
    Bytes(usize),
    /// Something for TLS itself; there may be more.
    Nothing,
    /// The other side's orderly end.
    End,
}

/// A session that has not seen a byte yet.
#[derive(Debug)]
pub(crate) struct TlsSession {
    session: Box<Connection>,
    situation: Situation,
}

impl TlsSession {
    /// Of a client that connects to `host`. The error is one phrase.
    pub(crate) fn client(tls: &ClientTls, host: &str) -> Result<Self, String> {
        Self::new(tls.begin(host).map(Connection::from), tls.situation())
    }

    /// The server's end of an accepted connection.
    pub(crate) fn server(sessions: &ServerSessions) -> Result<Self, String> {
        Self::new(sessions.begin().map(Connection::from), sessions.situation())
    }

    fn new(session: Result<Connection, rustls::Error>, situation: Situation) -> Result<Self, String> {
        let mut session = session.map_err(|error| words::describe(&error, situation))?;
        session.set_buffer_limit(Some(MAX_PENDING));
        Ok(Self { session: Box::new(session), situation })
    }
}

/// The layer of a transport that encrypts. Each call is given what is below.
#[derive(Debug)]
pub(crate) struct TlsLayer {
    session: Box<Connection>,
    situation: Situation,
    /// Why nothing more can be read, behind what was decrypted before.
    failure: Option<String>,
    close_notify_queued: bool,
    has_received: bool,
    /// Ciphertext that the next read takes from below.
    at_once: usize,
}

impl TlsLayer {
    pub(crate) fn new(TlsSession { session, situation }: TlsSession) -> Self {
        Self {
            session,
            situation,
            failure: None,
            close_notify_queued: false,
            has_received: false,
            at_once: MOST_AT_ONCE,
        }
    }

    /// Whether the last read has taken longer than this connection may have for one: then the next one takes less in.
    pub(crate) fn note_cost(&mut self, is_too_much: bool) {
        self.at_once = if is_too_much {
            (self.at_once / 2).max(LEAST_AT_ONCE)
        } else {
            (self.at_once * 2).min(MOST_AT_ONCE)
        };
    }

    /// Whether nothing has come in yet.
    pub(crate) fn awaits_first_bytes(&self) -> bool {
        !self.has_received
    }

    /// Whether the handshake is complete.
    pub(crate) fn is_established(&self) -> bool {
        !self.session.is_handshaking()
    }

    /// What a client has said of itself and whom it wants, once it is established.
    pub(crate) fn facts(&self) -> TlsFacts {
        let Connection::Server(session) = &*self.session else { return TlsFacts::default() };
        let shown = session.peer_certificates().and_then(|chain| chain.first());
        TlsFacts {
            server_name: session.server_name().map(Into::into),
            client_certificate: shown.map(|certificate| certificate.as_ref().into()),
        }
    }

    /// Whether TLS has something to write by itself.
    pub(crate) fn has_pending_output(&self) -> bool {
        self.session.wants_write()
    }

    /// Decrypts what is there. `WouldBlock` comes from below, with nothing held back here.
    pub(crate) fn read(
        &mut self,
        below: &mut (impl Read + Write),
        buffer: &mut [u8],
    ) -> io::Result<Received> {
        if let Some(received) = self.take_plaintext(buffer)? {
            return Ok(received);
        }
        if let Some(failure) = &self.failure {
            return Err(io::Error::new(io::ErrorKind::InvalidData, failure.clone()));
        }
        let count = self.session.read_tls(&mut Read::by_ref(below).take(self.at_once as u64))?;
        self.has_received = true;
        if count == 0 {
            // Whatever says that this was the orderly end has been said before.
            self.failure = Some(self.describe_cut());
        }
        if let Err(error) = self.session.process_new_packets() {
            self.failure = Some(words::describe(&error, self.situation));
            // The alert that says so; nothing can be done if it does not go out.
            _ = self.flush(below);
        }
        Ok(self.take_plaintext(buffer)?.unwrap_or(Received::Nothing))
    }

    fn take_plaintext(&mut self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        match self.session.reader().read(buffer) {
            Ok(0) => Ok(Some(Received::End)),
            Ok(count) => Ok(Some(Received::Bytes(count))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            // Noted as the failure, which tells more.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn describe_cut(&self) -> String {
        let text = if self.is_established() {
            "the connection was cut: it ended without TLS's close_notify, so something may be missing"
        } else {
            "the other side ended the connection during it (does it speak TLS, and does it accept this side?)"
        };
        text.to_owned()
    }

    /// Encrypts and writes as much as fits; with nothing to write, what waits here. `WouldBlock` if that did not go.
    pub(crate) fn write(&mut self, below: &mut impl Write, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.flush(below)?;
        if slices.is_empty() {
            return Ok(0);
        }
        let taken = self.session.writer().write_vectored(slices)?;
        match self.flush(below) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    fn flush(&mut self, below: &mut impl Write) -> io::Result<()> {
        while self.session.wants_write() {
            if self.session.write_tls(below)? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    /// Sends close_notify. `WouldBlock`: to be called again.
    pub(crate) fn say_goodbye(&mut self, below: &mut impl Write) -> io::Result<()> {
        if !self.close_notify_queued {
            self.close_notify_queued = true;
            self.session.send_close_notify();
        }
        self.flush(below)
    }
}
