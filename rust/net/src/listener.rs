//! Listening sockets, and the newcomers that have not completed their upgrade.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use mio::{
    Token,
    net::{TcpListener, TcpStream},
};
use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;

use crate::{LinkOptions, LocalAddress, ServerTls, link::ListenerShared};

/// Connections that the kernel completes and holds for us; what arrives at once beyond that has to try again after
/// a second. Linux lowers it to `net.core.somaxconn` (4096).
const BACKLOG: i32 = 4096;

/// Newcomers per listener that the script has not seen: their upgrade is under way, or complete and no poll has come
/// since. The others wait in the backlog, so that a server that stalls does not use up its file descriptors.
pub(crate) const MAX_NEWCOMERS: usize = 4096;

/// Newcomers taken per turn; the rest waits until the connections have had their share.
const ACCEPTS_PER_TURN: usize = 256;

/// How long to wait when the process has no more file descriptors.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// Where and how to listen.
#[derive(Debug, Clone)]
pub struct ListenOptions {
    /// `None`: every address, IPv4 and IPv6.
    pub address: Option<LocalAddress>,
    /// 0 lets the system choose.
    pub port: u16,
    /// For connections accepted from now on.
    pub link: LinkOptions,
    /// `None`: plain.
    pub tls: Option<ServerTls>,
}

/// Why listening is not possible.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Another socket listens there.
    #[error("port {0} is in use")]
    InUse(u16),
    /// Anything else the system says.
    #[error(transparent)]
    Other(io::Error),
}

/// Opens a listening socket.
pub(crate) fn bind(
    address: Option<LocalAddress>,
    port: u16,
) -> Result<(TcpListener, SocketAddr), ListenError> {
    let socket = match address {
        Some(address) => listen(address.with_port(port), false),
        None => listen(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port), true).or_else(|error| {
            // A system without IPv6 has no such address family; a port in use is the same for both.
            if error.kind() == io::ErrorKind::AddrInUse {
                return Err(error);
            }
            listen(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port), false)
        }),
    };
    socket
        .and_then(|socket| Ok((socket.local_addr()?, socket)))
        .map(|(address, socket)| (socket, address))
        .map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => ListenError::InUse(port),
            _ => ListenError::Other(error),
        })
}

fn listen(address: SocketAddr, both_families: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!both_families)?;
    }
    // Lets a server restart at once; on Windows the option means something else (it steals ports in use).
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// A listener on the I/O thread.
#[derive(Debug)]
pub(crate) struct Acceptor {
    pub(crate) shared: Arc<ListenerShared>,
    pub(crate) token: Option<Token>,
    readable: bool,
    newcomers: usize,
    retry_at: Option<Instant>,
}

/// What one turn of accepting came to.
pub(crate) enum Accepted {
    Stream(TcpStream, SocketAddr),
    /// More may be waiting, but the connections come first.
    TurnOver,
    Nothing,
}

impl Acceptor {
    pub(crate) fn new(shared: Arc<ListenerShared>) -> Self {
        Self { shared, token: None, readable: true, newcomers: 0, retry_at: None }
    }

    pub(crate) fn id(&self) -> usize {
        self.shared.id
    }

    pub(crate) fn handle_readiness(&mut self) {
        self.readable = true;
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.retry_at
    }

    pub(crate) fn link_options(&self) -> LinkOptions {
        self.shared.link_options()
    }

    /// A newcomer has completed its upgrade or is gone.
    pub(crate) fn newcomer_settled(&mut self) {
        self.newcomers -= 1;
    }

    /// The next newcomer; `taken` were taken in this turn.
    pub(crate) fn accept(&mut self, taken: usize, now: Instant) -> Accepted {
        if self.retry_at.is_some_and(|at| at > now) {
            return Accepted::Nothing;
        }
        self.retry_at = None;
        while self.readable && self.shared.is_accepting() {
            if self.newcomers + self.shared.unseen() >= MAX_NEWCOMERS {
                if self.shared.hold_back() {
                    return Accepted::Nothing;
                }
                continue;
            }
            if taken >= ACCEPTS_PER_TURN {
                return Accepted::TurnOver;
            }
            match self.shared.with_socket(|socket| socket.accept()) {
                Some(Ok((stream, address))) => {
                    self.newcomers += 1;
                    return Accepted::Stream(stream, address);
                }
                Some(Err(error)) => self.handle_error(&error, now),
                None => self.readable = false,
            }
            if self.retry_at.is_some() {
                break;
            }
        }
        Accepted::Nothing
    }

    fn handle_error(&mut self, error: &io::Error, now: Instant) {
        match error.kind() {
            io::ErrorKind::WouldBlock => self.readable = false,
            // The newcomer has already gone again.
            io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted => {}
            // Out of file descriptors or memory: the newcomer stays in the backlog.
            _ => self.retry_at = Some(now + RETRY_DELAY),
        }
    }
}
