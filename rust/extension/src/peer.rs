//! The state and behaviour of a WebSocket peer, apart from the engine class that shows it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use godot::global::Error;
use rust_websocket_net::{Batch, Counters, How, Link, LinkEvent, Statistics};
use rust_websocket_proto::{
    ClientRequest, CloseCause, Event, HttpResponse, Message, MessageKind, Opened, PeerView, ReadyState,
    SendError, Target, is_valid_close_code,
};

use crate::{
    convert::address_text,
    driver::{Driver, Security},
    engine_stream::EngineStream,
    multiplayer::CloseRequests,
    report::{Cause, Refusal, Reports},
    settings::{NO_DELAY, Settings},
};

/// Seconds from `connect_to_url` or `accept_stream` to the completed handshake.
const CONNECT_TIMEOUT: f64 = 30.0;

/// What an engine object holds: the peer behind a lock, and what it has printed.
#[derive(Default)]
pub(crate) struct PeerState {
    peer: Mutex<Peer>,
    pub(crate) reports: Reports,
}

impl PeerState {
    pub(crate) fn new(peer: Peer) -> Self {
        Self { peer: Mutex::new(peer), reports: Reports::default() }
    }

    /// Runs `call` on the peer. Nothing in there may emit a signal or print: a script's handler may use the peer.
    pub(crate) fn with<R>(&self, call: impl FnOnce(&mut Peer) -> R) -> R {
        call(&mut self.peer.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs `call`, then answers its refusal.
    pub(crate) fn answer(&self, call: impl FnOnce(&mut Peer) -> Result<(), Refusal>) -> Error {
        let result = self.with(call);
        self.reports.answer(result)
    }
}

/// One WebSocket connection after the other, as a script sees them.
pub(crate) struct Peer {
    /// Shared with the multiplayer server and its other members until a script changes them here.
    pub(crate) settings: Arc<Settings>,
    view: PeerView,
    driver: Option<Driver>,
    /// Of the connection, also after its end.
    counters: Arc<Counters>,
    /// A multiplayer peer owns the connection and brings its events.
    is_fed: bool,
    /// Where a multiplayer server learns that the script has closed this connection.
    close_requests: Option<Arc<CloseRequests>>,
    /// The other side's address and port while there is a connection.
    remote: Option<Remote>,
    /// What `put_packet` sends.
    write_mode: MessageKind,
    /// The packet handed out last: the engine reads it after the call has returned.
    last_packet: Option<Message>,
    // Emptied by every poll; kept for their memory.
    events: Vec<Event>,
    reports: Vec<LinkEvent>,
}

/// Put into words when somebody asks: hardly anybody does, and every newcomer has one.
enum Remote {
    Address(SocketAddr),
    /// As the engine's stream tells it.
    OfStream(String, u16),
}

impl Default for Peer {
    fn default() -> Self {
        Self::with(Arc::new(Settings::new(CONNECT_TIMEOUT)), PeerView::new())
    }
}

impl Peer {
    fn with(settings: Arc<Settings>, view: PeerView) -> Self {
        Self {
            settings,
            view,
            driver: None,
            counters: Arc::default(),
            is_fed: false,
            close_requests: None,
            remote: None,
            write_mode: MessageKind::Binary,
            last_packet: None,
            events: Vec::new(),
            reports: Vec::new(),
        }
    }

    /// The server's end of a connection of a multiplayer server, which brings its events with [`feed`](Self::feed) and
    /// learns through `close_requests` that the script has closed it.
    pub(crate) fn fed_member(
        settings: Arc<Settings>,
        link: Link,
        address: SocketAddr,
        opened: Opened,
        close_requests: Arc<CloseRequests>,
    ) -> Self {
        let mut peer = Self::fed(settings, String::new(), Driver::Remote(link));
        peer.view.apply([Event::Opened(opened)]);
        peer.remote = Some(Remote::Address(address));
        peer.close_requests = Some(close_requests);
        peer
    }

    /// The connection of a multiplayer client, which takes what happens with [`take_events`](Self::take_events) and
    /// brings what is to be shown with [`feed`](Self::feed).
    pub(crate) fn fed_client(settings: Arc<Settings>, url: &str, driver: Driver) -> Self {
        Self::fed(settings, url.to_owned(), driver)
    }

    fn fed(settings: Arc<Settings>, url: String, driver: Driver) -> Self {
        let mut view = PeerView::new();
        view.start(url);
        let mut peer = Self { is_fed: true, ..Self::with(settings, view) };
        peer.drive(driver);
        peer
    }

    /// What the script has set, to change it for this peer alone.
    pub(crate) fn settings_mut(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }

    /// What a script sees of the connection.
    pub(crate) fn view(&self) -> &PeerView {
        &self.view
    }

    pub(crate) fn ready_state(&self) -> ReadyState {
        self.view.ready_state()
    }

    /// The other side's address and port, empty and 0 without a connection.
    pub(crate) fn remote(&self) -> (String, u16) {
        match &self.remote {
            Some(Remote::Address(address)) => (address_text(address.ip()), address.port()),
            Some(Remote::OfStream(host, port)) => (host.clone(), *port),
            None => (String::new(), 0),
        }
    }

    /// Starts connecting.
    pub(crate) fn connect(&mut self, url: &str, security: Result<Security, Refusal>) -> Result<(), Refusal> {
        self.check_idle("connect_to_url")?;
        let target = parse_target(url)?;
        let security = security?;
        self.settings.check_handshake()?;
        self.forget_connection();
        self.view.start(url.to_owned());
        let options = self.settings.link_options();
        self.drive(Driver::connect(ClientRequest { target }, security, options));
        Ok(())
    }

    fn drive(&mut self, driver: Driver) {
        self.counters = Arc::clone(driver.counters());
        self.driver = Some(driver);
    }

    /// Starts a server's handshake over a stream of the engine.
    pub(crate) fn accept(&mut self, stream: Option<EngineStream>) -> Result<(), Refusal> {
        let Some(stream) = stream else {
            let message = "accept_stream takes a StreamPeerTCP, or a StreamPeerTLS over one.";
            return Err(Refusal::invalid(Cause::Stream, message));
        };
        self.check_idle("accept_stream")?;
        self.settings.check_handshake()?;
        self.forget_connection();
        self.view.start(String::new());
        self.remote = stream
            .open()
            .and_then(|mut open| open.start(NO_DELAY))
            .map(|(host, port)| Remote::OfStream(host, port));
        self.drive(Driver::accept(stream, self.settings.link_options()));
        Ok(())
    }

    fn check_idle(&self, call: &str) -> Result<(), Refusal> {
        if matches!(self.view.ready_state(), ReadyState::Connecting | ReadyState::Open) {
            let message = format!("{call}: this peer has a connection already; close it first.");
            return Err(Refusal::new(Error::ERR_ALREADY_IN_USE, Cause::InUse, message));
        }
        Ok(())
    }

    fn forget_connection(&mut self) {
        self.driver = None;
        self.is_fed = false;
        self.close_requests = None;
        self.remote = None;
        self.last_packet = None;
    }

    /// Takes what has happened and shows it.
    pub(crate) fn poll(&mut self) {
        if self.is_fed {
            return;
        }
        if let Some(driver) = &mut self.driver
            && let Some(address) = driver.poll(&mut self.events, &mut self.reports)
        {
            self.remote = Some(Remote::Address(address));
        }
        if self.view.ready_state() == ReadyState::Closing {
            self.drop_messages();
        }
        self.view.apply(self.events.drain(..));
        self.settle();
    }

    /// This side has closed: like the built-in, it takes no more messages.
    fn drop_messages(&mut self) {
        let driver = &mut self.driver;
        self.events.retain(|event| {
            let Event::Message(message) = event else { return true };
            if let Some(driver) = driver {
                driver.consumed(message.payload.len());
            }
            false
        });
    }

    /// One poll's events of a fed peer.
    pub(crate) fn feed(&mut self, events: impl IntoIterator<Item = Event>) {
        self.view.apply(events);
        self.settle();
    }

    /// Moves the bytes of a fed client, if it falls to the polling thread, and appends what has happened; the address is
    /// noted here.
    pub(crate) fn take_events(&mut self, events: &mut Vec<Event>) {
        if let Some(driver) = &mut self.driver
            && let Some(address) = driver.poll(events, &mut self.reports)
        {
            self.remote = Some(Remote::Address(address));
        }
    }

    /// The owner of a fed peer has taken a message of `bytes` bytes. A script may have given the peer a connection of its
    /// own meanwhile, on which that message does not count.
    pub(crate) fn consumed_by_owner(&mut self, bytes: usize) {
        if self.is_fed {
            self.consumed(bytes);
        }
    }

    fn consumed(&mut self, bytes: usize) {
        if let Some(driver) = &mut self.driver {
            driver.consumed(bytes);
        }
    }

    /// The owner of a fed peer forgets it: closed for whoever still holds it. The I/O thread completes a close handshake
    /// under way.
    pub(crate) fn release(&mut self) {
        if !self.is_fed {
            return; // the script's own by now
        }
        self.driver = None;
        self.close_requests = None;
        self.view.aborted();
        self.settle();
    }

    /// Lets go of what a closed connection does not need any more.
    fn settle(&mut self) {
        if self.view.ready_state() != ReadyState::Closed {
            return;
        }
        self.remote = None;
        match &self.driver {
            // The I/O thread delivers what was accepted and ends the connection by itself.
            Some(Driver::Remote(_)) => self.driver = None,
            // One that is fed is not polled any more.
            Some(Driver::Local(local)) if self.is_fed || local.is_released() => self.driver = None,
            _ => {}
        }
    }

    /// The next packet. It stays where it is until the next call.
    pub(crate) fn next_packet(&mut self) -> Result<&[u8], Option<Refusal>> {
        match self.view.pop() {
            Some(message) => {
                self.consumed(message.payload.len());
                Ok(&self.last_packet.insert(message).payload)
            }
            None if self.view.ready_state() == ReadyState::Open => Err(None),
            None => Err(Some(Refusal::new(
                Error::FAILED,
                Cause::ReceiveClosed,
                "get_packet: there is no packet and the connection is not open.",
            ))),
        }
    }

    /// Takes up to `most` packets at once.
    pub(crate) fn take_packets(&mut self, most: usize) -> Vec<Bytes> {
        let mut packets = Vec::with_capacity(most.min(self.view.available()));
        while packets.len() < most
            && let Some(message) = self.view.pop()
        {
            self.consumed(message.payload.len());
            packets.push(message.payload);
        }
        packets
    }

    /// Sends what `put_packet` was given.
    pub(crate) fn put_packet(&mut self, payload: Bytes) -> Result<(), Refusal> {
        self.send(self.write_mode, payload)
    }

    /// Sends one of the copies of a packet to many.
    pub(crate) fn put_packet_in(&mut self, batch: &mut Batch, payload: Bytes) -> Result<(), Refusal> {
        self.push(self.write_mode, payload, How::With(batch))
    }

    pub(crate) fn send(&mut self, kind: MessageKind, payload: Bytes) -> Result<(), Refusal> {
        self.push(kind, payload, How::Now)
    }

    fn push(&mut self, kind: MessageKind, payload: Bytes, how: How<'_>) -> Result<(), Refusal> {
        let not_open = || {
            let message = "Nothing can be sent: the connection is not open.";
            Refusal::new(Error::FAILED, Cause::SendClosed, message)
        };
        let Some(driver) = self.driver.as_mut().filter(|_| self.view.can_send()) else {
            return Err(not_open());
        };
        let limit = self.settings.outbound_buffer_size;
        if limit != 0 && i64::try_from(payload.len()).is_ok_and(|len| len > limit) {
            self.counters.send_refused();
            let len = payload.len();
            let message = format!("A message of {len} bytes is larger than outbound_buffer_size ({limit}).");
            return Err(Refusal::new(Error::ERR_OUT_OF_MEMORY, Cause::MessageTooBig, message));
        }
        driver.push(kind, payload, how).map_err(|error| match error {
            SendError::BufferFull => Refusal::new(
                Error::ERR_OUT_OF_MEMORY,
                Cause::BufferFull,
                "The outbound buffer is full: the other side does not read fast enough \
                 (outbound_buffer_size, max_queued_packets).",
            ),
            // Lost, and still shown as open until the next poll: no mistake of the script.
            _ => Refusal::silent(Error::FAILED, Cause::SendClosed),
        })
    }

    /// Starts the close handshake, or with a negative code ends the connection without one. A refusal is only to
    /// be printed: the connection closes all the same.
    pub(crate) fn close(&mut self, code: i64, reason: &str) -> Result<(), Refusal> {
        if self.view.ready_state() == ReadyState::Closed {
            return Ok(());
        }
        if let (Some(requests), Some(Driver::Remote(link))) = (&self.close_requests, &self.driver) {
            requests.push(link.id());
        }
        if code < 0 {
            self.abort();
            return Ok(());
        }
        let valid_code = u16::try_from(code).ok().filter(|_| is_valid_close_code(code));
        self.view.close_called();
        match &mut self.driver {
            Some(driver) if self.view.ready_state() == ReadyState::Closing => {
                driver.close(valid_code.unwrap_or(1000), reason);
            }
            // It was connecting: nobody waits for anything.
            driver => *driver = None,
        }
        self.settle();
        match valid_code {
            Some(_) => Ok(()),
            None => Err(Refusal::invalid(
                Cause::CloseCode,
                format!(
                    "close: {code} is no close code that may be sent (1000-1003, 1007-1014, 3000-4999), 1000 is."
                ),
            )),
        }
    }

    fn abort(&mut self) {
        self.view.aborted();
        match self.driver.take() {
            Some(Driver::Remote(link)) => link.leave(),
            // Dropping it writes what the stream takes and ends the stream.
            Some(Driver::Local(_)) | None => {}
        }
        self.settle();
    }

    pub(crate) fn set_no_delay(&mut self, enabled: bool) -> Result<(), Refusal> {
        let Some(driver) = &mut self.driver else {
            return Err(Refusal::new(
                Error::ERR_UNCONFIGURED,
                Cause::NoConnection,
                "set_no_delay: there is no connection.",
            ));
        };
        driver.set_no_delay(enabled);
        Ok(())
    }

    pub(crate) fn buffered_amount(&self) -> usize {
        self.driver.as_ref().map_or(0, Driver::buffered_amount)
    }

    pub(crate) fn write_mode(&self) -> MessageKind {
        self.write_mode
    }

    pub(crate) fn set_write_mode(&mut self, kind: MessageKind) {
        self.write_mode = kind;
    }

    pub(crate) fn set_outbound_buffer_size(&mut self, size: i64) -> Result<(), Refusal> {
        self.settings_mut().set_outbound_buffer_size(size)?;
        self.apply_send_limits();
        Ok(())
    }

    pub(crate) fn set_max_queued_packets(&mut self, count: i64) -> Result<(), Refusal> {
        self.settings_mut().set_max_queued_packets(count)?;
        self.apply_send_limits();
        Ok(())
    }

    fn apply_send_limits(&mut self) {
        if let Some(driver) = &mut self.driver {
            driver.set_send_limits(self.settings.send_limits());
        }
    }

    pub(crate) fn set_heartbeat_interval(&mut self, seconds: f64) -> Result<(), Refusal> {
        self.settings_mut().set_heartbeat_interval(seconds)?;
        if let Some(driver) = &mut self.driver {
            driver.set_heartbeat_interval(self.settings.heartbeat());
        }
        Ok(())
    }

    pub(crate) fn set_close_timeout(&mut self, seconds: f64) -> Result<(), Refusal> {
        self.settings_mut().set_close_timeout(seconds)?;
        if let Some(driver) = &mut self.driver {
            driver.set_close_timeout(self.settings.close_timeout());
        }
        Ok(())
    }

    /// Seconds; -1 before the first answered ping.
    pub(crate) fn round_trip_time(&self) -> f64 {
        self.driver.as_ref().and_then(Driver::round_trip_time).map_or(-1.0, |time| time.as_secs_f64())
    }

    /// What the connection has carried so far.
    pub(crate) fn statistics(&self) -> Statistics {
        self.driver.as_ref().map_or(&self.counters, Driver::counters).read()
    }

    /// What a server answered instead of upgrading the connection.
    pub(crate) fn refused_upgrade(&self) -> Option<&HttpResponse> {
        self.view.close_cause().and_then(CloseCause::http_response)
    }
}

/// Reads the URL of `connect_to_url` or `create_client`.
pub(crate) fn parse_target(url: &str) -> Result<Target, Refusal> {
    Target::parse(url)
        .map_err(|error| Refusal::invalid(Cause::Target, format!("The URL '{url}' cannot be used: {error}.")))
}
