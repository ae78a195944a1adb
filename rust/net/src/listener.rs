//! Listening sockets, and the connections whose handshake is pending.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use mio::{Token, net::TcpListener};
use rust_websocket_proto::{
    admission::{Address, Endpoint, Limits, Refusal, Remote},
    http::Request,
};
use socket2::{Domain, Protocol, Type};
use thiserror::Error;

use crate::{
    admission::Admission,
    descriptors::is_scarce,
    local_address::{LocalAddress, Place as BoundTo},
    notices::say,
    outages::{Outage, Outages},
    places::{Gate, Place},
    rooms::{Reporting, Room, Rooms},
    seam::{Arrivals, LinkOptions, UnseenCount, lock, next_id},
    socket::{Listening, Socket, exclude_others},
    tls::{CertificateChange, ServerSessions, ServerTls, TlsSession},
    transport::{Preamble, ProxyPreamble, Transport},
};

/// Connections that the kernel completes and holds for us; what arrives at once beyond that has to try again
/// after a second. Linux lowers it to `net.core.somaxconn` (4096).
const BACKLOG: i32 = 4096;

/// Connections accepted per turn; the rest waits until the others have had their share.
const ACCEPTS_PER_TURN: usize = 256;

/// Where no owner is asked, the time that a decision may take is of no interest.
const DECIDED_AT_ONCE: Duration = Duration::from_secs(1);

/// How long to wait when the process has no file descriptors to spare, or accepting fails otherwise.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// Connections that were gone again before they were accepted, in one turn.
const ABORTED_PER_TURN: usize = 256;

/// Where and how to listen.
#[derive(Debug, Clone)]
pub struct ListenOptions {
    /// `None`: every address, IPv4 and IPv6.
    pub address: Option<LocalAddress>,
    /// 0 lets the system choose. Of no meaning to a socket file.
    pub port: u16,
    /// For connections accepted from now on.
    pub link: LinkOptions,
    /// `None`: plain.
    pub tls: Option<ServerTls>,
    /// Can be changed later.
    pub admission: Admission,
    /// Where connections report.
    pub reporting: Reporting,
}

/// Why listening is not possible.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Another socket listens there.
    #[error("port {0} is in use")]
    InUse(u16),
    /// The process or the system has no file descriptors left.
    #[error("there are no file descriptors left ({0})")]
    NoDescriptors(io::Error),
    /// Another process listens on the socket file, or this one does.
    #[error("somebody listens on that socket file already")]
    FileInUse,
    /// The path is another file's.
    #[error("the file there is no socket, and stays")]
    NotASocket,
    /// The socket file cannot be made.
    #[error("the socket file cannot be made: {0}")]
    File(io::Error),
    /// Anything else the system says.
    #[error(transparent)]
    Other(io::Error),
}

impl ListenError {
    pub(crate) fn new(error: io::Error, port: u16) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::InUse(port),
            _ if is_out_of_descriptors(&error) => Self::NoDescriptors(error),
            _ => Self::Other(error),
        }
    }
}

/// Whether the process or the system has no file descriptors left; the standard library has no name for that.
#[cfg(unix)]
fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// See above: WSAEMFILE.
#[cfg(not(unix))]
fn is_out_of_descriptors(error: &io::Error) -> bool {
    error.raw_os_error() == Some(10024)
}

/// Opens a listening socket.
pub(crate) fn bind(
    address: Option<&LocalAddress>,
    port: u16,
) -> Result<(Box<dyn Listening>, SocketAddr), ListenError> {
    let socket = match address.map(|address| address.with_port(port)) {
        #[cfg(unix)]
        Some(BoundTo::File(path)) => return bind_file(path),
        Some(BoundTo::Ip(address)) => listen(address, false),
        _ => listen(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port), true).or_else(|error| {
            // A system without IPv6 has no such address family; a port in use is the same for both.
            if error.kind() == io::ErrorKind::AddrInUse {
                return Err(error);
            }
            listen(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port), false)
        }),
    };
    socket
        .and_then(|socket| Ok((socket.local_addr()?, socket)))
        .map(|(address, socket)| (Box::new(socket) as Box<dyn Listening>, address))
        .map_err(|error| ListenError::new(error, port))
}

#[cfg(unix)]
fn bind_file(path: &std::path::Path) -> Result<(Box<dyn Listening>, SocketAddr), ListenError> {
    use crate::socket_file::{self, FileProblem};
    match socket_file::listen(path, BACKLOG) {
        Ok(socket) => Ok((Box::new(socket), SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0))),
        Err(FileProblem::InUse) => Err(ListenError::FileInUse),
        Err(FileProblem::NoSocket) => Err(ListenError::NotASocket),
        Err(FileProblem::Other(error)) if is_out_of_descriptors(&error) => {
            Err(ListenError::NoDescriptors(error))
        }
        Err(FileProblem::Other(error)) => Err(ListenError::File(error)),
    }
}

fn listen(address: SocketAddr, both_families: bool) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!both_families)?;
    }
    exclude_others(&socket)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// What a listener's owner and its [`Acceptor`] share.
#[derive(Debug)]
pub(crate) struct ListenerShared {
    pub(crate) id: usize,
    local_address: SocketAddr,
    /// `None`: closed.
    socket: Mutex<Option<Box<dyn Listening>>>,
    accepting: AtomicBool,
    link_options: Mutex<LinkOptions>,
    admission: Mutex<Arc<Admission>>,
    tls: Option<ServerSessions>,
    reporting: Reporting,
    pub(crate) arrivals: Arc<Arrivals>,
    pub(crate) unseen: Arc<UnseenCount>,
    rooms: Mutex<Rooms>,
    pub(crate) gate: Arc<Gate>,
}

impl ListenerShared {
    /// Listens.
    pub(crate) fn bind(options: ListenOptions) -> Result<Self, ListenError> {
        let (socket, local_address) = bind(options.address.as_ref(), options.port)?;
        let shared = Self {
            id: next_id(),
            local_address,
            socket: Mutex::new(Some(socket)),
            accepting: AtomicBool::new(true),
            link_options: Mutex::new(options.link),
            admission: Mutex::new(Arc::new(options.admission)),
            tls: options.tls.map(ServerSessions::new),
            reporting: options.reporting,
            arrivals: Arc::default(),
            unseen: Arc::default(),
            rooms: Mutex::default(),
            gate: Arc::default(),
        };
        shared.share_request_timeout();
        Ok(shared)
    }

    pub(crate) fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// Runs `operation` on the socket unless it is closed.
    pub(crate) fn with_socket<T>(&self, operation: impl FnOnce(&mut dyn Listening) -> T) -> Option<T> {
        lock(&self.socket).as_mut().map(|socket| operation(&mut **socket))
    }

    fn is_accepting(&self) -> bool {
        self.accepting.load(Ordering::Acquire)
    }

    /// True if it has accepted nothing so far and does from now on.
    pub(crate) fn set_accepting(&self, accepting: bool) -> bool {
        !self.accepting.swap(accepting, Ordering::AcqRel) && accepting
    }

    /// Nobody gets in from now on.
    pub(crate) fn close_socket(&self) {
        drop(lock(&self.socket).take());
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// A client has come to nothing in TLS: the owner learns why where it has asked for more than TLS does by itself.
    pub(crate) fn note_tls_failure(&self, phrase: &str) {
        if self.tls.as_ref().is_some_and(ServerSessions::has_rules) {
            self.gate.tally.note_tls_failure(phrase);
        }
    }

    /// Of no effect without TLS.
    pub(crate) fn change_certificate(&self, change: CertificateChange) {
        if let Some(sessions) = &self.tls {
            sessions.change(change);
        }
    }

    pub(crate) fn link_options(&self) -> LinkOptions {
        lock(&self.link_options).clone()
    }

    pub(crate) fn set_link_options(&self, options: LinkOptions) {
        *lock(&self.link_options) = options;
        self.share_request_timeout();
    }

    /// So that no connection needs a configuration of its own for that.
    fn share_request_timeout(&self) {
        let timeout = self.request_timeout();
        let mut options = lock(&self.link_options);
        if options.config.request_timeout != timeout {
            Arc::make_mut(&mut options.config).request_timeout = timeout;
        }
    }

    /// Whom it lets in as of now.
    pub(crate) fn admission(&self) -> Arc<Admission> {
        Arc::clone(&lock(&self.admission))
    }

    pub(crate) fn set_admission(&self, admission: Admission) {
        *lock(&self.admission) = Arc::new(admission);
        self.share_request_timeout();
    }

    /// How long a complete request may wait for its decision; `None`: nobody needs to see it.
    pub(crate) fn request_timeout(&self) -> Option<Duration> {
        let admission = self.admission();
        let needs_request = self.reporting == Reporting::Each || admission.has_rules();
        admission.asks_owner.or(needs_request.then_some(DECIDED_AT_ONCE))
    }

    /// What the rules say about a complete and valid request, in their order: its place if there is nothing against it. A plain
    /// request takes none, and is subject to none.
    pub(crate) fn admit(
        &self,
        request: &Request,
        remote: &Remote,
        admission: &Admission,
    ) -> Result<Option<Place>, Refusal> {
        if !request.is_upgrade() {
            return Ok(None);
        }
        let place = self.gate.enter(remote.client.address, &admission.limits)?;
        admission.check_origin(request)?;
        let room = lock(&self.rooms).route(&request.path(), admission.asks_owner.is_some())?;
        match room {
            Some(room) => Ok(Some(place.with(room.admit(request, remote)?))),
            None => Ok(Some(place)),
        }
    }

    /// A place for a client that no rule is about.
    pub(crate) fn enter(&self, client: Address) -> Option<Place> {
        self.gate.enter(client, &Limits::default()).ok()
    }

    /// Whether links are to be told apart by their path, and each reports for itself.
    pub(crate) fn is_routed(&self) -> bool {
        self.reporting == Reporting::Each
    }

    /// The room for a path, if there is one.
    pub(crate) fn room(&self, path: &str) -> Option<Arc<Room>> {
        lock(&self.rooms).find(path).cloned()
    }

    /// False if the path is taken.
    pub(crate) fn add_room(&self, room: &Arc<Room>) -> bool {
        lock(&self.rooms).add(room)
    }

    pub(crate) fn remove_room(&self, room: &Arc<Room>) {
        lock(&self.rooms).remove(room);
    }
}

/// A listener on the I/O thread.
#[derive(Debug)]
pub(crate) struct Acceptor {
    pub(crate) shared: Arc<ListenerShared>,
    pub(crate) token: Option<Token>,
    readable: bool,
    /// Connections whose handshake is pending.
    pending: usize,
    /// Whoever has come and found no place. Only then does a handshake make way: what the kernel holds is not known before it is taken.
    waiting: Option<(Box<dyn Socket>, Endpoint)>,
    retry_at: Option<Instant>,
    /// All places are taken, and by then somebody may have to make way.
    full_until: Option<Instant>,
}

/// What one turn of accepting came to.
pub(crate) enum Accepted {
    Socket(Box<dyn Socket>, Endpoint),
    /// More may be waiting, but the connections come first.
    TurnOver,
    /// Somebody has come and no place is free unless a handshake makes way; it tries again a little later.
    NoPlace,
    /// The same for want of a file descriptor.
    NoDescriptor,
    Nothing,
}

impl Acceptor {
    pub(crate) fn new(shared: Arc<ListenerShared>) -> Self {
        Self {
            shared,
            token: None,
            readable: true,
            pending: 0,
            waiting: None,
            retry_at: None,
            full_until: None,
        }
    }

    pub(crate) fn id(&self) -> usize {
        self.shared.id
    }

    pub(crate) fn handle_readiness(&mut self) {
        self.readable = true;
    }

    /// There is room after all.
    pub(crate) fn retry_now(&mut self) {
        self.retry_at = None;
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        [self.retry_at, self.full_until].into_iter().flatten().min()
    }

    /// Stacks the transport of an accepted connection on its socket; a stream in memory comes as its own client, without layers of
    /// ours. The error is one phrase for people.
    pub(crate) fn transport(&self, socket: Box<dyn Socket>, from: Endpoint) -> Result<Transport, String> {
        if socket.is_in_memory() {
            return Ok(Transport::new(socket, None, None));
        }
        let session = self.shared.tls.as_ref().map(TlsSession::server).transpose()?;
        let has_header = self.shared.admission().expects_proxy_header(from.address);
        let preamble = has_header.then(|| Box::new(ProxyPreamble::default()) as Box<dyn Preamble>);
        Ok(Transport::new(socket, preamble, session))
    }

    /// A connection that was accepted elsewhere comes in here.
    pub(crate) fn adopt(&mut self) {
        self.pending += 1;
    }

    /// A handshake is complete, or its connection is gone.
    pub(crate) fn pending_ended(&mut self) {
        self.pending -= 1;
    }

    /// The next connection; `taken` were taken in this turn. What keeps it from accepting goes to `outages`.
    pub(crate) fn accept(&mut self, taken: usize, outages: &mut Outages, now: Instant) -> Accepted {
        if self.retry_at.is_some_and(|at| at > now) {
            return Accepted::Nothing;
        }
        self.retry_at = None;
        self.full_until = self.full_until.filter(|until| *until > now);
        let mut aborted = 0;
        while self.shared.is_accepting() && (self.waiting.is_some() || self.readable) {
            if taken >= ACCEPTS_PER_TURN || aborted >= ABORTED_PER_TURN {
                return Accepted::TurnOver;
            }
            if let Some(comer) = self.waiting.take() {
                let unseen = self.shared.unseen.get();
                let max_pending = self.shared.admission().max_pending;
                if self.pending + unseen < max_pending {
                    self.pending += 1;
                    return Accepted::Socket(comer.0, comer.1);
                }
                self.waiting = Some(comer);
                if !self.shared.unseen.hold_back(unseen) {
                    continue;
                }
                // Not at each that comes: who makes way is looked for among all.
                if self.full_until.is_none() && self.pending >= (max_pending / 2).max(1) {
                    self.full_until = Some(now + RETRY_DELAY);
                    return Accepted::NoPlace;
                }
                return Accepted::Nothing;
            }
            match self.shared.with_socket(|socket| accept_with_margin(socket)) {
                Some(Ok(comer)) => self.waiting = Some(comer),
                Some(Err(Unaccepted::Nobody)) | None => self.readable = false,
                Some(Err(Unaccepted::Aborted)) => aborted += 1,
                Some(Err(Unaccepted::Failed(problem))) => {
                    // Whoever is not accepted stays in the backlog.
                    self.retry_at = Some(now + RETRY_DELAY);
                    if let Some((cause, text)) = outages.met(self.shared.local_address.port(), &problem, now)
                    {
                        say(cause, text);
                    }
                    return match problem {
                        Outage::Other(_) => Accepted::Nothing,
                        Outage::Scarce(_) | Outage::Exhausted(_) => Accepted::NoDescriptor,
                    };
                }
            }
        }
        Accepted::Nothing
    }
}

/// Why there is no connection.
enum Unaccepted {
    Nobody,
    /// The other side has already gone again.
    Aborted,
    Failed(Outage),
}

/// Accepts unless that takes one of the descriptors that are left to the game.
fn accept_with_margin(socket: &mut dyn Listening) -> Result<(Box<dyn Socket>, Endpoint), Unaccepted> {
    let next = socket.next_descriptor().map_err(Unaccepted::of)?;
    if let Some(scarce) = is_scarce(next) {
        return Err(Unaccepted::Failed(Outage::Scarce(scarce)));
    }
    socket.accept().map_err(Unaccepted::of)
}

impl Unaccepted {
    fn of(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock => Self::Nobody,
            // Linux reports here what has become of a connection in the backlog, the network's errors included.
            io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::Interrupted => Self::Aborted,
            _ if is_out_of_descriptors(&error) => Self::Failed(Outage::Exhausted(error)),
            _ => Self::Failed(Outage::Other(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_a_socket_from_listening() {
        let problem = |error| ListenError::new(error, 80);
        assert!(matches!(problem(io::ErrorKind::AddrInUse.into()), ListenError::InUse(80)));
        assert!(matches!(problem(io::ErrorKind::AddrNotAvailable.into()), ListenError::Other(_)));
        #[cfg(unix)]
        for code in [libc::EMFILE, libc::ENFILE] {
            let error = problem(io::Error::from_raw_os_error(code));
            assert!(matches!(error, ListenError::NoDescriptors(_)), "{error}");
        }
    }
}
