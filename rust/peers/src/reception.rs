//! A server whose connections are the script's own, as the class `RustWebSocketServer` shows it.

use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
};

use rust_websocket_net::{
    AdmissionCounts, Counters, ListenError, ListenOptions, Listener, ListenerEvent, PipeSocket, Reporting,
    ServerTls, Statistics, Tally, Trace,
};
use rust_websocket_proto::{admission::Endpoint, is_valid_close_code};

use crate::{
    Asking, Class, Levels, Listening, Locked, Now, Peer, PeerState, Property, Refused, Settings,
    SharedSettings, Subject,
    place::{Place, certificate_change},
    requests::Requests,
};

/// Listens, asks the script about requests, and hands out a peer for each connection.
pub struct Reception<L: Listening = Listener> {
    settings: Arc<Settings>,
    /// The same, for rooms.
    shared: SharedSettings,
    /// The script decides on requests.
    asks: bool,
    listener: Option<L>,
    requests: Requests,
    /// Empty between two polls; kept for its memory.
    events: Vec<ListenerEvent<L::Link>>,
    /// Open and not taken, oldest first.
    available: VecDeque<Arc<PeerState>>,
    taken: Vec<Taken>,
    /// When so many are taken, those that are gone are looked for.
    sweep_at: usize,
    /// What connections that are gone have carried.
    carried: Statistics,
    /// Of the listener, or the last one.
    tally: Arc<Tally>,
    /// Of those before it, as far as they have connections, and what the others came to.
    tallies: Vec<Arc<Tally>>,
    counted: AdmissionCounts,
}

/// A connection that the script has.
struct Taken {
    state: Weak<PeerState>,
    counters: Arc<Counters>,
}

impl<L: Listening> Default for Reception<L> {
    fn default() -> Self {
        let settings = Arc::new(Settings::new(Class::Server));
        Self {
            shared: SharedSettings::new(&settings),
            settings,
            asks: false,
            listener: None,
            requests: Requests::default(),
            events: Vec::new(),
            available: VecDeque::new(),
            taken: Vec::new(),
            sweep_at: 64,
            carried: Statistics::default(),
            tally: Arc::default(),
            tallies: Vec::new(),
            counted: AdmissionCounts::default(),
        }
    }
}

impl<L: Listening> Subject for Reception<L> {
    fn note_refusal(&mut self, _refused: &Refused) {}
}

impl<L: Listening> Reception<L> {
    /// Listens over what `listen` opens.
    ///
    /// # Errors
    /// It listens already, something about the arguments or settings is wrong, or the system refuses.
    pub fn listen(
        &mut self,
        port: i64,
        bind_address: &str,
        tls: Result<Option<ServerTls>, Refused>,
        listen: impl FnOnce(ListenOptions) -> Result<L, ListenError>,
    ) -> Result<(), Refused> {
        if self.listener.is_some() {
            return Err(Refused::ListensAlready);
        }
        let place = Place::new("listen", port, bind_address)?;
        let tls = tls?;
        let listener = place.listen(&self.settings, tls, self.asks, Reporting::Each, listen)?;
        self.count_on(listener.tally());
        self.listener = Some(listener);
        Ok(())
    }

    /// Lets in the stream that somebody else has accepted, by the same rules as a connection that comes in here.
    ///
    /// # Errors
    /// It does not listen.
    pub fn accept(&self, call: &'static str, socket: PipeSocket, from: Endpoint) -> Result<(), Refused> {
        let listener = self.listener.as_ref().ok_or(Refused::NotListening(call))?;
        listener.adopt(socket, from);
        Ok(())
    }

    /// Takes what has come since the last poll; then ask for [`next_request`](Self::next_request), and call
    /// [`asked`](Self::asked) after each.
    ///
    /// # Errors
    /// It does not listen.
    pub fn begin_poll(&mut self) -> Result<(), Refused> {
        let listener = self.listener.as_mut().ok_or(Refused::NotListening("poll"))?;
        self.requests.begin_poll();
        let mut events = std::mem::take(&mut self.events);
        listener.take_events(&mut events);
        for event in events.drain(..) {
            match event {
                ListenerEvent::Asked(asked) => self.requests.come(asked),
                ListenerEvent::Over(id) => self.requests.over(id),
                ListenerEvent::Accepted(link, address, opened, tag) => {
                    let request = self.requests.opened(L::id_of(&link), tag);
                    let settings = Arc::clone(&self.settings);
                    let peer = Peer::taken(settings, Box::new(link), address, opened, request);
                    self.available.push_back(Arc::new(Locked::new(peer)));
                }
                // Each link reports for itself.
                ListenerEvent::Link(..) => {}
            }
        }
        self.events = events;
        Ok(())
    }

    /// The next request that the script is to decide on in this poll.
    pub fn next_request(&mut self) -> Option<Arc<Asking>> {
        self.requests.next()
    }

    /// The script's function for that has returned.
    pub fn asked(&mut self) {
        self.requests.asked();
    }

    /// Whether it listens.
    pub fn is_listening(&self) -> bool {
        self.listener.is_some()
    }

    /// The port; 0 while it does not listen.
    pub fn local_port(&self) -> u16 {
        self.listener.as_ref().map_or(0, Listening::local_port)
    }

    /// Whether there is a connection to be taken.
    pub fn is_connection_available(&self) -> bool {
        !self.available.is_empty()
    }

    /// Takes the oldest connection; it is the script's from here on.
    pub fn take_connection(&mut self) -> Option<Arc<PeerState>> {
        let state = self.available.pop_front()?;
        if self.taken.len() >= self.sweep_at {
            self.sweep();
            self.sweep_at = (2 * self.taken.len()).max(64);
        }
        let counters = state.with(|peer| Arc::clone(peer.counters()));
        self.taken.push(Taken { state: Arc::downgrade(&state), counters });
        Some(state)
    }

    /// Forgets connections that nobody has any more.
    fn sweep(&mut self) {
        let carried = &mut self.carried;
        self.taken.retain(|taken| {
            let is_there = taken.state.strong_count() > 0;
            if !is_there {
                *carried += taken.counters.read();
            }
            is_there
        });
    }

    /// The connections taken, as far as somebody has them.
    pub fn taken(&mut self) -> impl Iterator<Item = Arc<PeerState>> {
        self.sweep();
        self.taken.iter().filter_map(|taken| taken.state.upgrade())
    }

    /// Stops listening. Connections that nobody has taken are closed with the code; taken ones live on.
    ///
    /// # Errors
    /// [`Refused::CloseCode`], only to be reported: it stops all the same, with 1001.
    pub fn stop(&mut self, code: i64, reason: &str, now: Now<'_>) -> Result<(), Refused> {
        let is_valid = code >= 0 && is_valid_close_code(code);
        if self.listener.is_some() {
            _ = self.begin_poll();
        }
        self.requests.close();
        for state in self.available.drain(..) {
            _ = state.with(|peer| peer.close(if is_valid { code } else { 1001 }, reason, now));
            let carried = state.with(|peer| peer.statistics());
            self.carried += carried;
        }
        let listener = self.listener.take();
        drop(listener);
        if is_valid { Ok(()) } else { Err(Refused::StopCode(code)) }
    }

    /// What its connections have carried.
    pub fn statistics(&self) -> Statistics {
        let mut sum = self.carried;
        for taken in &self.taken {
            sum += match taken.state.upgrade() {
                Some(state) => state.with(|peer| peer.statistics()),
                None => taken.counters.read(),
            };
        }
        for state in &self.available {
            sum += state.with(|peer| peer.statistics());
        }
        sum
    }

    /// What waits on the connections taken and on those to be taken.
    pub fn levels(&self) -> Levels {
        let taken = self.taken.iter().filter_map(|taken| taken.state.upgrade());
        let states = taken.chain(self.available.iter().cloned());
        states.fold(Levels::default(), |sum, state| sum.and(state.with(|peer| peer.levels())))
    }

    /// What became of those who came.
    pub fn admissions(&self) -> AdmissionCounts {
        let mut sum = self.counted;
        for tally in self.tallies.iter().chain([&self.tally]) {
            sum += tally.read();
        }
        sum
    }

    fn count_on(&mut self, tally: Arc<Tally>) {
        self.tallies.push(std::mem::replace(&mut self.tally, tally));
        let counted = &mut self.counted;
        self.tallies.retain(|tally| {
            let counts = tally.read();
            let is_alive = counts.connections + counts.handshakes_pending > 0;
            if !is_alive {
                *counted += counts;
            }
            is_alive
        });
    }

    /// What brings a multiplayer peer the clients of one path, and the settings with which they begin.
    ///
    /// # Errors
    /// It does not listen, or the path is taken.
    pub fn room(&self, path: &str) -> Result<(L, SharedSettings), Refused> {
        let listener = self.listener.as_ref().ok_or(Refused::NotListening("create_server_from"))?;
        let room = listener.room(path).ok_or_else(|| Refused::RoomTaken(path.into()))?;
        Ok((room, self.shared.clone()))
    }

    /// Whether it listens with TLS, so that its certificates can be exchanged.
    ///
    /// # Errors
    /// [`Refused::NotListening`], [`Refused::NoTls`].
    pub fn check_tls(&self, call: &'static str) -> Result<(), Refused> {
        let listener = self.listener.as_ref().ok_or(Refused::NotListening(call))?;
        if listener.is_tls() { Ok(()) } else { Err(Refused::NoTls(call)) }
    }

    /// Exchanges the certificate for handshakes to come, as [`Multiplayer::set_tls`](crate::Multiplayer::set_tls) does.
    ///
    /// # Errors
    /// As there, and [`Refused::NotListening`].
    pub fn set_tls(&mut self, call: &'static str, name: &str, tls: Option<ServerTls>) -> Result<(), Refused> {
        self.check_tls(call)?;
        let change = certificate_change(call, name, tls)?;
        if let Some(listener) = &self.listener {
            listener.change_certificate(change);
        }
        Ok(())
    }

    /// Whether the script decides on requests that come from now on.
    pub fn set_asks(&mut self, asks: bool) {
        self.asks = asks;
        self.apply_settings();
    }

    /// A property's value.
    pub fn get<P: Property>(&self) -> &P::Value {
        P::get(&self.settings)
    }

    /// Changes a property, for connections that come after.
    ///
    /// # Errors
    /// [`Refused::OutOfRange`], and while it listens headers and subprotocols that cannot be sent; it keeps its value then.
    pub fn set<P: Property>(&mut self, value: P::Value) -> Result<(), Refused> {
        let settings = Arc::make_mut(&mut self.settings);
        if self.listener.is_some() {
            settings.set_listening::<P>(value)?
        } else {
            P::set(settings, value)?
        }
        self.apply_settings();
        Ok(())
    }

    /// Traces connections that come in from now on; `None`: none. Returns the trace that is to be [ended](Trace::end).
    pub fn set_trace(&mut self, trace: Option<Trace>) -> Option<Trace> {
        let before = std::mem::replace(&mut Arc::make_mut(&mut self.settings).trace, trace);
        self.apply_settings();
        before
    }

    fn apply_settings(&self) {
        self.shared.set(&self.settings);
        if let Some(listener) = &self.listener {
            listener.set_link_options(self.settings.link_options());
            listener.set_admission(self.settings.admission(self.asks));
        }
    }
}
