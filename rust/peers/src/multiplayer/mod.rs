//! The state and behaviour of a multiplayer peer, apart from the engine class that shows it.

mod client;
mod server;

use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use godot::classes::multiplayer_peer::{ConnectionStatus, TransferMode};
use godot::global::Error;
use rust_websocket_net::{ListenError, ListenOptions, ServerTls, Statistics};
use rust_websocket_proto::{ClientRequest, HttpResponse, Message, multiplayer::SERVER_ID};

pub(crate) use self::server::CloseRequests;
use self::{
    client::{Client, Step},
    server::Server,
};
use crate::{
    driver::Security,
    peer::{Peer, PeerState, parse_target},
    report::{Cause, Refusal, Reports},
    settings::Settings,
};

/// Seconds from accepting or connecting to the completed handshake.
const HANDSHAKE_TIMEOUT: f64 = 3.0;

/// What an engine object holds: the multiplayer peer behind a lock, and what it has printed.
#[derive(Default)]
pub(crate) struct MultiplayerState {
    multiplayer: Mutex<Multiplayer>,
    pub(crate) reports: Reports,
}

impl MultiplayerState {
    /// Runs `call` on the multiplayer peer. Nothing in there may emit a signal or print: a script's handler may use
    /// the peer.
    pub(crate) fn with<R>(&self, call: impl FnOnce(&mut Multiplayer) -> R) -> R {
        call(&mut self.multiplayer.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs `call`, then answers its refusal.
    pub(crate) fn answer(&self, call: impl FnOnce(&mut Multiplayer) -> Result<(), Refusal>) -> Error {
        let result = self.with(call);
        self.reports.answer(result)
    }

    /// Sends a packet; each peer that refuses it prints why, once.
    pub(crate) fn put_packet(&self, payload: Bytes) -> Error {
        match self.with(|multiplayer| multiplayer.put_packet(payload)) {
            Ok(refused) => {
                let errors = refused.into_iter().map(|(peer, refusal)| peer.reports.answer(Err(refusal)));
                errors.last().unwrap_or(Error::OK)
            }
            Err(refusal) => self.reports.answer(Err(refusal)),
        }
    }
}

/// To be emitted while no lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// `peer_connected`.
    Connected(i32),
    /// `peer_disconnected`.
    Disconnected(i32),
}

/// A signal and the session that it belongs to: a handler may end that and start another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Emission {
    pub(crate) signal: Signal,
    session: u64,
}

/// Packets to hand out, in the order of their arrival.
#[derive(Default)]
pub(crate) struct Incoming(VecDeque<Packet>);

struct Packet {
    sender: i32,
    from: Arc<PeerState>,
    payload: Bytes,
}

impl Incoming {
    /// Takes a message, text or binary; an empty one is no packet.
    fn push(&mut self, sender: i32, from: &Arc<PeerState>, message: Message) -> bool {
        if message.payload.is_empty() {
            from.with(|peer| peer.consumed_by_owner(0));
            return false;
        }
        self.0.push_back(Packet { sender, from: Arc::clone(from), payload: message.payload });
        true
    }

    /// Drops the packets of one sender.
    fn forget(&mut self, sender: i32) {
        self.0.retain(|packet| packet.sender != sender);
    }
}

enum Session {
    Idle,
    Server(Box<Server>),
    Client(Box<Client>),
}

/// What can still be asked about a session after its end.
#[derive(Default)]
struct Past {
    statistics: Statistics,
    /// A client's connection.
    server: Option<Arc<PeerState>>,
    /// See [`Client::fault`].
    fault: Option<String>,
}

/// A server with its clients, or one client.
pub(crate) struct Multiplayer {
    /// Shared with the members of a server.
    pub(crate) settings: Arc<Settings>,
    pub(crate) transfer_mode: TransferMode,
    pub(crate) transfer_channel: i32,
    pub(crate) target_peer: i32,
    refuses_new_connections: bool,
    session: Session,
    /// Of the session before, while there is none.
    past: Past,
    /// Counts sessions.
    session_number: u64,
    incoming: Incoming,
    /// The packet handed out last: the engine reads it after the call has returned.
    last_packet: Bytes,
    /// Who sent the packets that were handed out together last.
    last_senders: Vec<i32>,
}

impl Default for Multiplayer {
    fn default() -> Self {
        Self {
            settings: Arc::new(Settings::new(HANDSHAKE_TIMEOUT)),
            transfer_mode: TransferMode::RELIABLE,
            transfer_channel: 0,
            target_peer: 0,
            refuses_new_connections: false,
            session: Session::Idle,
            past: Past::default(),
            session_number: 0,
            incoming: Incoming::default(),
            last_packet: Bytes::new(),
            last_senders: Vec::new(),
        }
    }
}

impl Multiplayer {
    pub(crate) fn create_server(
        &mut self,
        port: i64,
        bind_address: &str,
        tls: Result<Option<ServerTls>, Refusal>,
    ) -> Result<(), Refusal> {
        self.check_idle("create_server")?;
        let port = u16::try_from(port).map_err(|_| {
            Refusal::invalid(
                Cause::Listen,
                format!("create_server: {port} is no port; ports are 0 to 65535."),
            )
        })?;
        let address = parse_bind_address(bind_address)?;
        let tls = tls?;
        self.settings.check_handshake()?;
        let options = ListenOptions { address, port, link: self.settings.link_options(), tls };
        let server = Server::new(options).map_err(|error| listen_refusal(&error, bind_address, port))?;
        server.set_accepting(!self.refuses_new_connections);
        self.start(Session::Server(Box::new(server)));
        Ok(())
    }

    pub(crate) fn create_client(
        &mut self,
        url: &str,
        security: Result<Security, Refusal>,
    ) -> Result<(), Refusal> {
        self.check_idle("create_client")?;
        let target = parse_target(url)?;
        let security = security?;
        self.settings.check_handshake()?;
        let client = Client::new(ClientRequest { target }, security, url, &self.settings);
        self.start(Session::Client(Box::new(client)));
        Ok(())
    }

    fn check_idle(&self, call: &str) -> Result<(), Refusal> {
        if matches!(self.session, Session::Idle) {
            return Ok(());
        }
        let message = format!("{call}: this multiplayer peer is in use already; close it first.");
        Err(Refusal::new(Error::ERR_ALREADY_IN_USE, Cause::InUse, message))
    }

    fn start(&mut self, session: Session) {
        self.session_number += 1;
        self.incoming = Incoming::default();
        self.past = Past::default();
        self.session = session;
    }

    /// There is no session any more, but for what can be asked about it.
    fn end_session(&mut self) -> Session {
        let session = std::mem::replace(&mut self.session, Session::Idle);
        match &session {
            Session::Server(server) => {
                self.past = Past { statistics: server.statistics(), ..Past::default() };
            }
            Session::Client(client) => {
                self.past = Past {
                    statistics: client.statistics(),
                    server: Some(Arc::clone(client.server())),
                    fault: client.fault().map(str::to_owned),
                };
            }
            Session::Idle => {}
        }
        session
    }

    /// Leaves: no signal on this side; the I/O thread finishes the connections.
    pub(crate) fn close(&mut self) {
        self.incoming = Incoming::default();
        match self.end_session() {
            Session::Server(server) => server.close(),
            Session::Client(client) => client.server().with(|peer| {
                _ = peer.close(1000, ""); // a code that is never refused
                peer.release();
            }),
            Session::Idle => {}
        }
    }

    /// Collects what has happened since the last poll; [`next_emission`](Self::next_emission) shows it.
    pub(crate) fn begin_poll(&mut self) {
        match &mut self.session {
            Session::Server(server) => server.begin_poll(),
            Session::Client(client) => client.begin_poll(),
            Session::Idle => {}
        }
    }

    /// Goes on with a poll until there is a signal to emit; call [`emitted`](Self::emitted) after its handlers.
    pub(crate) fn next_emission(&mut self) -> Option<Emission> {
        let signal = match &mut self.session {
            Session::Server(server) => {
                server.step(&mut self.incoming, self.refuses_new_connections, &self.settings)
            }
            Session::Client(client) => match client.step(&mut self.incoming) {
                Step::Emit(signal) => Some(signal),
                Step::Idle => None,
                Step::Vanish => {
                    self.end_session();
                    None
                }
            },
            Session::Idle => None,
        };
        signal.map(|signal| Emission { signal, session: self.session_number })
    }

    /// The handlers have run: who was lost is forgotten now. Returns whose id means nobody any more.
    pub(crate) fn emitted(&mut self, emission: Emission) -> Option<i32> {
        if emission.session != self.session_number {
            return None; // a handler has begun another session, whose ids are its own
        }
        match (&mut self.session, emission.signal) {
            (Session::Server(server), Signal::Disconnected(id)) => {
                server.remove(id);
                Some(id)
            }
            (Session::Client(client), Signal::Disconnected(id)) => {
                client.server().with(Peer::release);
                self.end_session();
                Some(id)
            }
            _ => None,
        }
    }

    pub(crate) fn status(&self) -> ConnectionStatus {
        match &self.session {
            Session::Idle => ConnectionStatus::DISCONNECTED,
            Session::Client(client) if client.id().is_none() => ConnectionStatus::CONNECTING,
            Session::Server(_) | Session::Client(_) => ConnectionStatus::CONNECTED,
        }
    }

    pub(crate) fn unique_id(&self) -> i32 {
        match &self.session {
            Session::Server(_) => SERVER_ID,
            Session::Client(client) => client.id().unwrap_or(0),
            Session::Idle => 0,
        }
    }

    /// Whether the connection to the server is compressed; of a server, whether any client's is.
    pub(crate) fn is_compressed(&self) -> bool {
        let is_compressed = |state: &Arc<PeerState>| state.with(|peer| peer.view().is_compressed());
        match &self.session {
            Session::Server(server) => server.members().any(is_compressed),
            Session::Client(client) => is_compressed(client.server()),
            Session::Idle => false,
        }
    }

    pub(crate) fn is_server(&self) -> bool {
        matches!(self.session, Session::Server(_))
    }

    fn check_connected(&self, call: &str, cause: Cause) -> Result<(), Refusal> {
        if self.status() == ConnectionStatus::CONNECTED {
            return Ok(());
        }
        Err(Refusal::new(
            Error::ERR_UNCONFIGURED,
            cause,
            format!("{call}: this multiplayer peer is not connected."),
        ))
    }

    fn put_packet(&mut self, payload: Bytes) -> Result<Vec<(Arc<PeerState>, Refusal)>, Refusal> {
        self.check_connected("put_packet", Cause::SendClosed)?;
        match &self.session {
            Session::Server(server) => server.send(self.target_peer, &payload),
            Session::Client(client) => client.send(payload).map(|()| Vec::new()),
            Session::Idle => Ok(Vec::new()),
        }
    }

    pub(crate) fn available_packets(&self) -> usize {
        self.incoming.0.len()
    }

    /// Who sent the packet that [`next_packet`](Self::next_packet) hands out; 1 if there is none, as the engine says.
    pub(crate) fn packet_peer(&self) -> i32 {
        self.incoming.0.front().map_or(SERVER_ID, |packet| packet.sender)
    }

    /// The next packet, `None` if there is none. It stays where it is until the next call.
    pub(crate) fn next_packet(&mut self) -> Result<Option<&[u8]>, Refusal> {
        self.check_connected("get_packet", Cause::ReceiveClosed)?;
        let Some((_, payload)) = self.take_packet() else { return Ok(None) };
        self.last_packet = payload;
        Ok(Some(&self.last_packet))
    }

    fn take_packet(&mut self) -> Option<(i32, Bytes)> {
        let Packet { sender, from, payload } = self.incoming.0.pop_front()?;
        from.with(|peer| peer.consumed_by_owner(payload.len()));
        match &mut self.session {
            Session::Server(server) => server.packet_taken(sender),
            Session::Client(client) => client.packet_taken(),
            Session::Idle => {}
        }
        Some((sender, payload))
    }

    /// Takes up to `most` packets at once; [`last_senders`](Self::last_senders) tells whose they are.
    pub(crate) fn take_packets(&mut self, most: usize) -> Vec<Bytes> {
        self.last_senders.clear();
        let mut packets = Vec::with_capacity(most.min(self.available_packets()));
        while packets.len() < most
            && let Some((sender, payload)) = self.take_packet()
        {
            self.last_senders.push(sender);
            packets.push(payload);
        }
        packets
    }

    /// The senders of what the last [`take_packets`](Self::take_packets) has taken, in the same order.
    pub(crate) fn last_senders(&self) -> &[i32] {
        &self.last_senders
    }

    /// The live peer behind an id.
    pub(crate) fn peer(&self, id: i32) -> Option<&Arc<PeerState>> {
        match &self.session {
            Session::Server(server) => server.member(id),
            Session::Client(client) => (id == SERVER_ID).then(|| client.server()),
            Session::Idle => None,
        }
    }

    /// Ends the connection to one peer, with `force` at once and without a signal.
    pub(crate) fn disconnect_peer(&mut self, id: i32, force: bool) -> Result<(), Refusal> {
        match &mut self.session {
            Session::Server(server) if force => server.drop_member(id, &mut self.incoming),
            Session::Server(server) => server.disconnect(id, &mut self.incoming),
            Session::Client(client) if id == SERVER_ID => {
                self.incoming = Incoming::default();
                if force {
                    client.server().with(Peer::release);
                    self.end_session();
                } else {
                    client.disconnect();
                }
                Ok(())
            }
            _ => Err(unknown_peer("disconnect_peer", id)),
        }
    }

    /// What all connections of this session, or of the last one, have carried.
    pub(crate) fn statistics(&self) -> Statistics {
        match &self.session {
            Session::Server(server) => server.statistics(),
            Session::Client(client) => client.statistics(),
            Session::Idle => self.past.statistics,
        }
    }

    /// Runs `call` on a client's connection, also after its end.
    fn with_client<R>(&self, call: impl FnOnce(&Peer) -> R) -> Option<R> {
        let server = match &self.session {
            Session::Client(client) => Some(client.server()),
            Session::Server(_) => None,
            Session::Idle => self.past.server.as_ref(),
        };
        server.map(|server| server.with(|peer| call(peer)))
    }

    /// Why a client's connection ended or never came about.
    pub(crate) fn error_message(&self) -> String {
        let fault = match &self.session {
            Session::Client(client) => client.fault(),
            Session::Server(_) => None,
            Session::Idle => self.past.fault.as_deref(),
        };
        match fault {
            Some(fault) => fault.to_owned(),
            // The one limit has another name on this class.
            None => self
                .with_client(|peer| peer.view().error_message())
                .unwrap_or_default()
                .replace("the connect timeout", "the handshake timeout"),
        }
    }

    /// Reads the answer with which a server refused a client's connection.
    pub(crate) fn refused_upgrade<R>(&self, read: impl FnOnce(Option<&HttpResponse>) -> R) -> Option<R> {
        self.with_client(|peer| read(peer.refused_upgrade()))
    }

    pub(crate) fn refuses_new_connections(&self) -> bool {
        self.refuses_new_connections
    }

    pub(crate) fn set_refuse_new_connections(&mut self, refuse: bool) {
        self.refuses_new_connections = refuse;
        if let Session::Server(server) = &self.session {
            server.set_accepting(!refuse);
        }
    }

    /// Changes what the script has set, for connections made after.
    pub(crate) fn change_settings(
        &mut self,
        change: impl FnOnce(&mut Settings) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        change(Arc::make_mut(&mut self.settings))?;
        if let Session::Server(server) = &self.session {
            server.apply_settings(&self.settings);
        }
        Ok(())
    }
}

/// Nobody has that id.
pub(crate) fn unknown_peer(call: &str, id: impl Into<i64>) -> Refusal {
    Refusal::invalid(Cause::UnknownPeer, format!("{call}: there is no peer {}.", id.into()))
}

/// `*` is every address.
fn parse_bind_address(text: &str) -> Result<Option<IpAddr>, Refusal> {
    if text == "*" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        Refusal::invalid(
            Cause::Listen,
            format!("create_server: '{text}' is no address to listen on; use \"*\" or an IP address."),
        )
    })
}

fn listen_refusal(error: &ListenError, address: &str, port: u16) -> Refusal {
    // The engine answers this for whatever keeps the socket from listening, foreign addresses included.
    Refusal::new(
        Error::ERR_ALREADY_IN_USE,
        Cause::Listen,
        format!("create_server: cannot listen on {address} port {port}: {error}."),
    )
}
