//! A multiplayer peer, as the class `WebSocketMultiplayerPeer` shows it.

mod client;
mod incoming;
mod listening;
mod protocol;
mod sending;
mod server;
mod serving;
mod types;

use std::sync::Arc;

use bytes::Bytes;
use rust_websocket_net::{
    LinkOptions, ListenError, ListenOptions, Listener, Reporting, ServerTls, Statistics, Tally,
};
use rust_websocket_proto::{ClientRequest, HttpResponse};

use self::{
    client::{Client, Step},
    incoming::{Incoming, Packet},
    server::{Happening, Server},
};
pub use self::{
    listening::{Listening, TakesCopies},
    protocol::{PeerIdError, SERVER_ID},
    types::{Refusals, Signal, Status, TransferMode},
};
use crate::{
    Asking, Carrier, Class, FailedAttempt, LiveSetting, Now, Peer, PeerState, Property, Proxies, Refused,
    Settings, Subject, peer::parse_target, place::Place,
};

/// What a step of a poll came to, for whoever emits and prints.
#[derive(Debug)]
pub enum Outcome {
    /// To be emitted.
    Emit(Emission),
    /// A client's attempt has failed, to be printed.
    Failed(FailedAttempt),
    /// The script is to decide on it; call [`Multiplayer::asked`] once it has run.
    Ask(Arc<Asking>),
}

/// A signal and the session that it belongs to: a handler may end that and start another.
#[derive(Debug, Clone, Copy)]
pub struct Emission {
    /// What to emit.
    pub signal: Signal,
    session: u64,
}

enum Session<L: Listening> {
    Idle,
    Server(Box<Server<L>>),
    Client(Box<Client>),
}

/// What can still be asked about a session after its end.
#[derive(Default)]
struct Past {
    statistics: Statistics,
    /// Of a server.
    tally: Option<Arc<Tally>>,
    /// A client's connection.
    server: Option<Arc<PeerState>>,
    /// Why it ended.
    message: String,
}

/// A server with its clients, or one client.
pub struct Multiplayer<L: Listening = Listener> {
    /// Shared with the members of a server.
    settings: Arc<Settings>,
    /// As set. What is not reliable is dropped where it has waited for longer than `unreliable_lifetime`.
    pub transfer_mode: TransferMode,
    /// As set; nothing depends on it.
    pub transfer_channel: i32,
    /// Of a client.
    pub proxies: Proxies,
    /// Whom a server's packets go to: 0 all, > 0 that one, < 0 all but that one.
    pub target_peer: i32,
    refuses_new_connections: bool,
    /// The script decides on requests.
    asks: bool,
    /// It has at some time.
    has_asked: bool,
    session: Session<L>,
    /// Of the session before, while there is none.
    past: Past,
    /// Counts sessions.
    session_number: u64,
    incoming: Incoming,
    /// What was put last for one peer, until the next poll: the same may follow for others.
    last_put: Bytes,
    /// To how many others it was put.
    repeats: usize,
    /// Who sent the packets that were handed out together last.
    last_senders: Vec<i32>,
    /// Of the last call that was refused, until the next attempt to listen or connect.
    refusal: Option<String>,
}

impl<L: Listening> Default for Multiplayer<L> {
    fn default() -> Self {
        Self {
            settings: Arc::new(Settings::new(Class::Multiplayer)),
            transfer_mode: TransferMode::default(),
            transfer_channel: 0,
            proxies: Proxies::default(),
            target_peer: 0,
            refuses_new_connections: false,
            asks: false,
            has_asked: false,
            session: Session::Idle,
            past: Past::default(),
            session_number: 0,
            incoming: Incoming::default(),
            last_put: Bytes::new(),
            repeats: 0,
            last_senders: Vec::new(),
            refusal: None,
        }
    }
}

impl<L: Listening> Subject for Multiplayer<L> {
    fn note_refusal(&mut self, refused: &Refused) {
        if refused.is_reported() {
            self.refusal = Some(refused.to_string());
        }
    }
}

impl<L: Listening> Multiplayer<L> {
    /// Starts a server over what `listen` opens.
    ///
    /// # Errors
    /// It is in use, something about the arguments or settings is wrong, or the system refuses.
    pub fn create_server(
        &mut self,
        port: i64,
        bind_address: &str,
        tls: Result<Option<ServerTls>, Refused>,
        listen: impl FnOnce(ListenOptions) -> Result<L, ListenError>,
    ) -> Result<(), Refused> {
        self.check_idle("create_server")?;
        let place = Place::new("create_server", port, bind_address)?;
        let tls = tls?;
        let listener = place.listen(&self.settings, tls, self.asks, Reporting::Together, listen)?;
        let server = Server::new(listener);
        server.set_accepting(!self.refuses_new_connections);
        self.start(Session::Server(Box::new(server)));
        Ok(())
    }

    /// Starts a client that connects to `url` over what `dial` starts.
    ///
    /// # Errors
    /// It is in use, or something about the URL, the settings or `dial` is wrong.
    pub fn create_client(
        &mut self,
        url: &str,
        dial: Result<impl FnOnce(ClientRequest, LinkOptions) -> Box<dyn Carrier>, Refused>,
        now: Now<'_>,
    ) -> Result<(), Refused> {
        self.check_idle("create_client")?;
        let target = parse_target(url)?;
        let dial = dial?;
        self.settings.check_handshake()?;
        let carrier = dial(ClientRequest { target }, self.settings.link_options());
        let client = Client::new(carrier, url, &self.settings, now());
        self.start(Session::Client(Box::new(client)));
        Ok(())
    }

    /// Whether there is no session.
    pub fn is_idle(&self) -> bool {
        matches!(self.session, Session::Idle)
    }

    fn check_idle(&self, call: &'static str) -> Result<(), Refused> {
        if matches!(self.session, Session::Idle) {
            return Ok(());
        }
        Err(Refused::InUse { call, is_multiplayer: true })
    }

    fn start(&mut self, session: Session<L>) {
        self.session_number += 1;
        self.incoming = Incoming::default();
        self.past = Past::default();
        self.refusal = None;
        self.session = session;
    }

    /// There is no session any more, but for what can be asked about it.
    fn end_session(&mut self) -> Session<L> {
        let session = std::mem::replace(&mut self.session, Session::Idle);
        match &session {
            Session::Server(server) => {
                let (statistics, tally) = (server.statistics(), Some(server.tally()));
                self.past = Past { statistics, tally, ..Past::default() };
            }
            Session::Client(client) => {
                self.past = Past {
                    statistics: client.statistics(),
                    tally: None,
                    server: Some(Arc::clone(client.server())),
                    message: client.end_message(),
                };
            }
            Session::Idle => {}
        }
        session
    }

    /// Leaves: no signal on this side; the I/O thread finishes the connections. A server says 1001 (going away), a client
    /// 1000.
    pub fn close(&mut self, now: Now<'_>) {
        let code = if self.is_server() { 1001 } else { 1000 };
        _ = self.close_with_code(code, "", now); // a code that is never refused
    }

    /// Like [`close`](Self::close), and says why, on a server to everybody; see [`Peer::close`].
    ///
    /// # Errors
    /// [`Refused::CloseCode`], only to be reported: it closes all the same, with 1000.
    pub fn close_with_code(&mut self, code: i64, reason: &str, now: Now<'_>) -> Result<(), Refused> {
        self.incoming = Incoming::default();
        let closed = match self.end_session() {
            Session::Server(server) => server.close(code, reason, now),
            Session::Client(client) => client.server().with(|peer| {
                let closed = peer.close(code, reason, now);
                peer.release();
                closed
            }),
            Session::Idle => Ok(()),
        };
        closed.map_err(|refused| refused.of_call("close_with_code"))
    }

    /// Collects what has happened since the last poll; [`next_outcome`](Self::next_outcome) shows
    /// it.
    pub fn begin_poll(&mut self, now: Now<'_>) {
        self.last_put = Bytes::new();
        let was_read = self.incoming.take_was_read();
        match &mut self.session {
            Session::Server(server) => server.begin_poll(was_read),
            Session::Client(client) => client.begin_poll(was_read, now),
            Session::Idle => {}
        }
    }

    /// Goes on with a poll until there is something to emit or print; call
    /// [`emitted`](Self::emitted) after a signal's handlers.
    pub fn next_outcome(&mut self, now: Now<'_>) -> Option<Outcome> {
        let signal = match &mut self.session {
            Session::Server(server) => {
                match server.step(&mut self.incoming, self.refuses_new_connections, &self.settings, now)? {
                    Happening::Signal(signal) => Some(signal),
                    Happening::Ask(asking) => return Some(Outcome::Ask(asking)),
                }
            }
            Session::Client(client) => match client.step(&mut self.incoming, now) {
                Step::Emit(signal) => Some(signal),
                Step::Idle => None,
                Step::Vanish(sentence) => return self.vanish(sentence).map(Outcome::Failed),
            },
            Session::Idle => None,
        };
        let signal = signal?;
        if let (Session::Client(client), Signal::Disconnected(_)) = (&self.session, signal)
            && !client.end_message().is_empty()
        {
            self.refusal = None; // The end is the news.
        }
        Some(Outcome::Emit(Emission { signal, session: self.session_number }))
    }

    /// A client never got in; `sentence` says why, unless the script has closed it.
    fn vanish(&mut self, sentence: Option<String>) -> Option<FailedAttempt> {
        self.end_session();
        let sentence = sentence.filter(|sentence| !sentence.is_empty())?;
        self.refusal = None;
        let url = self.with_client(|peer| peer.view().requested_url().to_owned()).unwrap_or_default();
        Some(FailedAttempt::new(&url, sentence))
    }

    /// The handlers have run: who was lost is forgotten now. Returns whose id means nobody any
    /// more.
    pub fn emitted(&mut self, emission: Emission, now: Now<'_>) -> Option<i32> {
        if emission.session != self.session_number {
            return None; // a handler has begun another session, whose ids are its own
        }
        match (&mut self.session, emission.signal) {
            (Session::Server(server), Signal::Disconnected(id)) => {
                server.remove(id, &mut self.incoming, now);
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

    /// What it is by now.
    pub fn status(&self) -> Status {
        match &self.session {
            Session::Idle => Status::Disconnected,
            Session::Client(client) if client.id().is_none() => Status::Connecting,
            Session::Server(_) | Session::Client(_) => Status::Connected,
        }
    }

    /// Its own id; 0 while it has none.
    pub fn unique_id(&self) -> i32 {
        match &self.session {
            Session::Server(_) => SERVER_ID,
            Session::Client(client) => client.id().unwrap_or(0),
            Session::Idle => 0,
        }
    }

    /// Whether the connection to the server is compressed; of a server, whether any client's is.
    pub fn is_compressed(&self) -> bool {
        let is_compressed = |state: &Arc<PeerState>| state.with(|peer| peer.view().is_compressed());
        match &self.session {
            Session::Server(server) => server.members().any(is_compressed),
            Session::Client(client) => is_compressed(client.server()),
            Session::Idle => false,
        }
    }

    /// Whether it is a server.
    pub fn is_server(&self) -> bool {
        matches!(self.session, Session::Server(_))
    }

    fn check_connected(&self, call: &'static str) -> Result<(), Refused> {
        if self.status() == Status::Connected {
            return Ok(());
        }
        Err(Refused::NotConnected { call, why: self.end_message() })
    }

    /// Packets to read.
    pub fn available_packets(&self) -> usize {
        self.incoming.len()
    }

    /// Who sent the packet that [`next_packet`](Self::next_packet) hands out; 1 if there is none,
    /// as the engine says.
    pub fn packet_peer(&self) -> i32 {
        self.incoming.next_sender().unwrap_or(SERVER_ID)
    }

    /// The next packet, `None` if there is none. What came before the end of the session can be taken behind it.
    ///
    /// # Errors
    /// [`Refused::NotConnected`].
    pub fn next_packet(&mut self) -> Result<Option<Bytes>, Refused> {
        if let Some((_, payload)) = self.take_packet() {
            return Ok(Some(payload));
        }
        self.check_connected("get_packet").map(|()| None)
    }

    fn take_packet(&mut self) -> Option<(i32, Bytes)> {
        let Packet { sender, from, payload } = self.incoming.pop()?;
        from.with(|peer| peer.consumed_by_owner(payload.len()));
        match &mut self.session {
            Session::Server(server) => server.packet_taken(sender),
            Session::Client(client) => client.packet_taken(),
            Session::Idle => {}
        }
        Some((sender, payload))
    }

    /// Takes up to `most` packets at once; [`last_senders`](Self::last_senders) tells whose they
    /// are.
    pub fn take_packets(&mut self, most: usize) -> Vec<Bytes> {
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

    /// The senders of what the last [`take_packets`](Self::take_packets) has taken, in the same
    /// order.
    pub fn last_senders(&self) -> &[i32] {
        &self.last_senders
    }

    /// The live peer behind an id.
    pub fn peer(&self, id: i32) -> Option<&Arc<PeerState>> {
        match &self.session {
            Session::Server(server) => server.member(id),
            Session::Client(client) => (id == SERVER_ID).then(|| client.server()),
            Session::Idle => None,
        }
    }

    /// Ends the connection to one peer with 1000, with `force` at once and without a signal.
    ///
    /// # Errors
    /// [`Refused::UnknownPeer`].
    pub fn disconnect_peer(&mut self, id: i32, force: bool, now: Now<'_>) -> Result<(), Refused> {
        if !force {
            return self.send_away(id, (1000, ""), now);
        }
        match &mut self.session {
            Session::Server(server) => server.drop_member(id, &mut self.incoming, now),
            Session::Client(client) if id == SERVER_ID => {
                self.incoming = Incoming::default();
                client.server().with(|peer| {
                    _ = peer.close(1000, "", now); // a code that is never refused
                    peer.release();
                });
                self.end_session();
                Ok(())
            }
            _ => Err(Refused::UnknownPeer { call: "disconnect_peer", id: id.into() }),
        }
    }

    /// Ends the connection to one peer and says why; see [`Peer::close`].
    ///
    /// # Errors
    /// [`Refused::UnknownPeer`]; [`Refused::CloseCode`] only to be reported: 1000 was sent.
    pub fn disconnect_peer_with_code(
        &mut self,
        id: i64,
        code: i64,
        reason: &str,
        now: Now<'_>,
    ) -> Result<(), Refused> {
        let call = "disconnect_peer_with_code";
        let known = i32::try_from(id).map_err(|_| Refused::UnknownPeer { call, id })?;
        self.send_away(known, (code, reason), now).map_err(|refused| refused.of_call(call))
    }

    fn send_away(&mut self, id: i32, why: (i64, &str), now: Now<'_>) -> Result<(), Refused> {
        match &mut self.session {
            Session::Server(server) => server.disconnect(id, why, &mut self.incoming, now),
            Session::Client(client) if id == SERVER_ID => {
                self.incoming = Incoming::default();
                client.disconnect(why.0, why.1, now)
            }
            _ => Err(Refused::UnknownPeer { call: "disconnect_peer", id: id.into() }),
        }
    }

    /// With which code a client's connection ended, as its peer shows it; -1 before, and on a server.
    pub fn close_code(&self) -> i32 {
        self.with_client(|peer| peer.view().close_code()).unwrap_or(-1)
    }

    /// The reason that goes with the code.
    pub fn close_reason(&self) -> String {
        self.with_client(|peer| peer.view().close_reason().to_owned()).unwrap_or_default()
    }

    /// What all connections of this session, or of the last one, have carried.
    pub fn statistics(&self) -> Statistics {
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

    /// What went wrong last, in one sentence: the refusal of a call, or why a client's connection
    /// ended or never came about. Empty while all is well, and from the next attempt on.
    pub fn error_message(&self) -> String {
        self.refusal.clone().unwrap_or_else(|| self.end_message())
    }

    fn end_message(&self) -> String {
        match &self.session {
            Session::Client(client) => client.end_message(),
            Session::Server(server) => server.end_message(),
            Session::Idle => self.past.message.clone(),
        }
    }

    /// The port that a server listens on; 0 for everybody else.
    pub fn local_port(&self) -> u16 {
        match &self.session {
            Session::Server(server) => server.local_port(),
            Session::Client(_) | Session::Idle => 0,
        }
    }

    /// Reads what a server answered to a client's handshake.
    pub fn handshake_response<R>(&self, read: impl FnOnce(Option<&HttpResponse>) -> R) -> Option<R> {
        self.with_client(|peer| read(peer.handshake_response()))
    }

    /// Whether clients are turned away.
    pub fn refuses_new_connections(&self) -> bool {
        self.refuses_new_connections
    }

    /// Turns clients away from now on, or lets them in.
    pub fn set_refuse_new_connections(&mut self, refuse: bool) {
        self.refuses_new_connections = refuse;
        if let Session::Server(server) = &self.session {
            server.set_accepting(!refuse);
        }
    }

    /// A property's value.
    pub fn get<P: Property>(&self) -> &P::Value {
        P::get(&self.settings)
    }

    /// Changes a property, for connections made after; `unreliable_lifetime` for all of them.
    ///
    /// # Errors
    /// [`Refused::OutOfRange`], and while a server listens headers and subprotocols that cannot be sent; it keeps its value then.
    pub fn set<P: Property>(&mut self, value: P::Value, now: Now<'_>) -> Result<(), Refused> {
        let settings = Arc::make_mut(&mut self.settings);
        match &self.session {
            Session::Server(server) if !server.is_room() => settings.set_listening::<P>(value)?,
            _ => P::set(settings, value)?,
        }
        if let Some(setting @ LiveSetting::UnreliableLifetime(_)) = P::live(&self.settings) {
            self.set_live(setting, now);
        }
        self.apply_settings();
        Ok(())
    }
}
