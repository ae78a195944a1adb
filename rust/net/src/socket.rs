//! Sockets: registration with the poll, options, and reading and writing in the way that mio's readiness asks
//! for.
//!
//! mio's readiness is edge-triggered, and on Windows it makes the edges itself: an operation that would block
//! has to go through mio's types (or their `try_io`), or readiness is not reported again.

#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd};
use std::{
    fmt,
    io::{self, IoSlice, Read},
    net::Shutdown,
    time::Duration,
};

use mio::{
    Interest, Registry, Token,
    event::Source,
    net::{TcpListener, TcpStream},
};
use rust_websocket_proto::admission::Endpoint;
use socket2::{SockRef, TcpKeepalive};

use crate::{ids::IdMap, seam::next_id};

/// Writing to a connection that the other side has reset raises SIGPIPE, and the engine, unlike a Rust
/// program, does not ignore that signal: it would end the game. (On Apple's systems it is an option of the
/// socket instead, see [`tcp`].)
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub(crate) const SEND_FLAGS: i32 = libc::MSG_NOSIGNAL;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
pub(crate) const SEND_FLAGS: i32 = 0;

/// Ends a piece of what is sent: the kernel appends nothing to it that is sent later. Without that, a piece that waits is filled up to
/// half of the other side's receive window, however little the low-water mark allows.
#[cfg(any(target_os = "linux", target_os = "android"))]
const APART: i32 = libc::MSG_EOR;

/// Silence after which the kernel asks whether the other side is still there. It keeps the entry in a
/// router's tables alive, and ends connections whose other side has vanished.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);

/// How much the kernel may hold of what a connection sends beyond what is under way. Without a limit it takes several megabytes, seconds
/// of a slow link, which nothing gets past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum UnsentLimit {
    /// As much as it likes.
    None,
    /// What a ping may wait behind.
    Pings,
    /// What may be stale by the time that it is sent.
    States,
}

impl UnsentLimit {
    /// For `TCP_NOTSENT_LOWAT`, 0 for the system's own.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn low_water_mark(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Pings => 64 * 1024,
            // As little as that fills a fast link still: what is under way does not count.
            Self::States => 1024,
        }
    }
}

/// Elsewhere: all that the kernel may hold of states, what is under way included. It bounds how fast a distant other side can be
/// sent to.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const STATES_BUFFER: usize = 16 * 1024;

/// A connected, non-blocking stream socket of whatever family.
pub(crate) trait Socket: Source + fmt::Debug + Send {
    /// Reads what is there; 0 is the end.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
    /// Writes as much as the kernel takes; never raises SIGPIPE.
    fn send(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize>;
    /// Sends FIN.
    fn shut_down_writing(&self) -> io::Result<()>;
    /// Has the kernel refuse more while it holds a certain amount that it has not sent, where it can do that.
    fn limit_unsent(&mut self, _limit: UnsentLimit) -> io::Result<()> {
        Ok(())
    }
    /// Has readiness reported that was reported before and is not used up (Windows; elsewhere it does nothing).
    fn report_again(&self) {}
    /// Sets TCP_NODELAY, where that means anything.
    fn set_no_delay(&self, enabled: bool) -> io::Result<()>;
    /// Whether the kernel does not know it: it may be ready whenever its connection has a turn.
    fn is_in_memory(&self) -> bool {
        false
    }
    /// Of a socket in memory: whether its end is there, behind what is to be read.
    fn is_ending(&self) -> bool {
        false
    }
    /// Whether what passes is encrypted below.
    fn is_secure(&self) -> bool {
        false
    }
    /// Its connection begins a turn. Told to sockets in memory only.
    fn turn_begins(&mut self) {}
    /// Its connection has done all that it can for now. Told to sockets in memory only.
    fn turn_ends(&mut self) {}
}

/// Prepares a connected TCP socket.
pub(crate) fn tcp(stream: TcpStream) -> Box<dyn Socket> {
    let socket = SockRef::from(&stream);
    // These fail only on a socket that is about to fail anyway.
    _ = socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE_IDLE));
    #[cfg(target_vendor = "apple")]
    drop(socket.set_nosigpipe(true));
    Box::new(Tcp { stream, send_flags: SEND_FLAGS })
}

/// A connected TCP socket.
#[derive(Debug)]
struct Tcp {
    stream: TcpStream,
    send_flags: i32,
}

impl Source for Tcp {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.stream.register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.stream.reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.stream.deregister(registry)
    }
}

/// A listening, non-blocking socket of whatever family.
pub(crate) trait Listening: Source + fmt::Debug + Send {
    /// The next connection and where it comes from.
    fn accept(&self) -> io::Result<(Box<dyn Socket>, Endpoint)>;
    /// The number of the descriptor that the next connection would get; `None` where numbers say nothing about how many there are.
    fn next_descriptor(&self) -> io::Result<Option<u64>>;
}

impl Listening for TcpListener {
    fn accept(&self) -> io::Result<(Box<dyn Socket>, Endpoint)> {
        let (stream, address) = Self::accept(self)?;
        Ok((tcp(stream), address.into()))
    }

    #[cfg(unix)]
    fn next_descriptor(&self) -> io::Result<Option<u64>> {
        lowest_free_descriptor(self)
    }

    #[cfg(not(unix))]
    fn next_descriptor(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }
}

/// Takes it and gives it back.
#[cfg(unix)]
pub(crate) fn lowest_free_descriptor(any: &impl AsFd) -> io::Result<Option<u64>> {
    let taken = any.as_fd().try_clone_to_owned()?;
    Ok(u64::try_from(taken.as_raw_fd()).ok())
}

/// Before binding: nobody else may listen on the port, and a server that has just ended may be followed by
/// another at once.
#[cfg(not(windows))]
pub(crate) fn exclude_others(socket: &socket2::Socket) -> io::Result<()> {
    // Both are so with this; without, the ports of connections that are closing count as in use.
    socket.set_reuse_address(true)
}

/// Before binding: nobody else may listen on the port, not even with SO_REUSEADDR, which on Windows takes
/// ports over.
#[cfg(windows)]
pub(crate) use windows::exclude_others;

#[cfg(windows)]
mod windows;

impl Socket for Tcp {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }

    /// Every byte leaves through here: mio's own `write` would raise SIGPIPE.
    fn send(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let Self { stream, send_flags } = self;
        stream.try_io(|| {
            let socket = SockRef::from(&*stream);
            match slices {
                // Less to copy and check for the kernel; most writes are one piece.
                [slice] => socket.send_with_flags(slice, *send_flags),
                _ => socket.send_vectored_with_flags(slices, *send_flags),
            }
        })
    }

    fn shut_down_writing(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn limit_unsent(&mut self, limit: UnsentLimit) -> io::Result<()> {
        self.send_flags = SEND_FLAGS | if limit == UnsentLimit::States { APART } else { 0 };
        SockRef::from(&self.stream).set_tcp_notsent_lowat(limit.low_water_mark())
    }

    /// A buffer once bounded stays so: the system does not take up sizing it by itself again.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn limit_unsent(&mut self, limit: UnsentLimit) -> io::Result<()> {
        match limit {
            UnsentLimit::States => SockRef::from(&self.stream).set_send_buffer_size(STATES_BUFFER),
            UnsentLimit::None | UnsentLimit::Pings => Ok(()),
        }
    }

    /// Whatever an operation on the socket has found, mio only sees that it would have blocked.
    fn report_again(&self) {
        _ = self.stream.try_io(|| Err::<(), _>(io::ErrorKind::WouldBlock.into()));
    }

    fn set_no_delay(&self, enabled: bool) -> io::Result<()> {
        self.stream.set_nodelay(enabled)
    }
}

/// Registers the sockets of one connection or listener.
pub(crate) struct Sockets<'a> {
    pub(crate) id: usize,
    pub(crate) registry: &'a Registry,
    /// Whose socket a token is.
    pub(crate) owners: &'a mut IdMap<Token, usize>,
}

impl Sockets<'_> {
    /// To read and to write.
    pub(crate) const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

    /// Readiness to read and to write is reported from now on.
    pub(crate) fn register(&mut self, socket: &mut (impl Source + ?Sized)) -> io::Result<Token> {
        self.register_for(socket, Self::BOTH)
    }

    pub(crate) fn register_for(
        &mut self,
        socket: &mut (impl Source + ?Sized),
        interest: Interest,
    ) -> io::Result<Token> {
        let token = Token(next_id());
        self.registry.register(socket, token, interest)?;
        self.owners.insert(token, self.id);
        Ok(token)
    }

    /// Readiness of a registered socket is asked for from the start again.
    pub(crate) fn watch_anew(
        &self,
        token: Token,
        socket: &mut (impl Source + ?Sized),
        interest: Interest,
    ) -> io::Result<()> {
        // Registering tells if anything is wrong with it.
        _ = self.registry.deregister(socket);
        self.registry.register(socket, token, interest)
    }

    pub(crate) fn forget(&mut self, token: Token, socket: &mut (impl Source + ?Sized)) {
        // Closing the socket, which follows, removes it from the poll anyway.
        _ = self.registry.deregister(socket);
        self.release(token);
    }

    /// Forgets a socket that is closed already.
    pub(crate) fn release(&mut self, token: Token) {
        self.owners.remove(&token);
    }
}
