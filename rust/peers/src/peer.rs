//! One WebSocket connection after the other, as the class `WebSocketPeer` shows it.

mod states;
mod tracing;

use std::{fmt, sync::Arc};

use bytes::Bytes;
use rust_websocket_net::{Counters, How, LinkEvent, LinkOptions};
use rust_websocket_proto::{
    ClientRequest, CloseCause, Delivery, Event, HttpResponse, MessageKind, Opened, SendError, Target,
    admission::Endpoint, is_valid_close_code, shown_url,
};

use crate::{
    Asking, Carrier, Class, FailedAttempt, LiveSetting, Locked, NotText, Now, PeerView, Property, Proxies,
    ReadyState, Refused, Settings, Subject, address_text, close_requests::CloseRequests,
};

/// One WebSocket connection after the other, as a script sees them.
pub struct Peer {
    /// Shared with the multiplayer server and its other members until a script changes them here.
    settings: Arc<Settings>,
    view: PeerView,
    carrier: Option<Box<dyn Carrier>>,
    /// Of the connection, also after its end.
    counters: Arc<Counters>,
    /// A multiplayer peer owns the connection and brings its events.
    is_fed: bool,
    /// Where a multiplayer server learns that the script has closed this connection, and this
    /// member's id.
    close_requests: Option<(Arc<CloseRequests>, i32)>,
    /// The other side's address and port while there is a connection.
    remote: Option<Remote>,
    /// Of a server's connection that its script has let in.
    request: Option<Arc<Asking>>,
    /// Of a client.
    pub proxies: Proxies,
    /// What shows a server's connection in the engine: an instance id.
    pub object: Option<i64>,
    /// What `put_packet` sends.
    write_mode: MessageKind,
    // Emptied by every poll; kept for its memory.
    events: Vec<LinkEvent>,
    /// Of the last call that was refused, until the next attempt to connect.
    refusal: Option<String>,
    /// The trace is its own, not that of the server that it came from.
    owns_trace: bool,
    /// In a multiplayer session, of the connection's client; 0: none.
    id_in_session: i32,
}

/// A peer as its engine object and a multiplayer peer hold it.
pub type PeerState = Locked<Peer>;

/// The text is made when a script asks for it: few do, and every member has an address.
enum Remote {
    Address(Endpoint),
    /// As the engine's stream tells it.
    OfStream(String, u16),
}

/// What a server's handshake over an accepted stream starts with.
pub struct Accepted {
    /// Moves the bytes of the stream.
    pub carrier: Box<dyn Carrier>,
    /// The other side's address and port, as the stream's owner writes them.
    pub remote: Option<(String, u16)>,
}

impl Default for Peer {
    fn default() -> Self {
        Self::with(Arc::new(Settings::new(Class::Peer)), PeerView::new())
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Peer").field("state", &self.ready_state()).finish_non_exhaustive()
    }
}

impl Subject for Peer {
    fn note_refusal(&mut self, refused: &Refused) {
        if refused.is_reported() {
            self.refusal = Some(refused.to_string());
        }
    }
}

impl Peer {
    fn with(settings: Arc<Settings>, view: PeerView) -> Self {
        Self {
            settings,
            view,
            carrier: None,
            counters: Arc::default(),
            is_fed: false,
            close_requests: None,
            remote: None,
            request: None,
            proxies: Proxies::default(),
            object: None,
            write_mode: MessageKind::Binary,
            events: Vec::new(),
            refusal: None,
            owns_trace: false,
            id_in_session: 0,
        }
    }

    /// The server's end of a connection of a multiplayer server, which brings its events with
    /// [`feed`](Self::feed) and learns through `close_requests` that the script has closed it.
    pub(crate) fn fed_member(
        settings: Arc<Settings>,
        carrier: Box<dyn Carrier>,
        address: Endpoint,
        opened: Opened,
        request: Option<Arc<Asking>>,
        close_requests: (Arc<CloseRequests>, i32),
    ) -> Self {
        let mut peer = Self::fed(settings, String::new(), carrier);
        peer.request = request;
        peer.view.apply([Event::Opened(opened)]);
        peer.remote = Some(Remote::Address(address));
        peer.id_in_session = close_requests.1;
        peer.close_requests = Some(close_requests);
        peer
    }

    /// The connection of a multiplayer client, which takes what happens with
    /// [`take_events`](Self::take_events) and brings what is to be shown with [`feed`](Self::feed).
    pub(crate) fn fed_client(settings: Arc<Settings>, url: &str, carrier: Box<dyn Carrier>) -> Self {
        Self::fed(settings, url.to_owned(), carrier)
    }

    /// The server's end of a connection that is the script's own.
    pub(crate) fn taken(
        settings: Arc<Settings>,
        carrier: Box<dyn Carrier>,
        address: Endpoint,
        opened: Opened,
        request: Option<Arc<Asking>>,
    ) -> Self {
        let mut view = PeerView::new();
        view.start_server();
        view.apply([Event::Opened(opened)]);
        let mut peer = Self { request, ..Self::with(settings, view) };
        peer.remote = Some(Remote::Address(address));
        peer.start(carrier);
        peer
    }

    /// The request behind a server's connection that its script has let in.
    pub fn request(&self) -> Option<&Arc<Asking>> {
        self.request.as_ref()
    }

    /// What shows it in the engine, if a poll or a read would bring something.
    pub fn active_object(&self) -> Option<i64> {
        let has_news = || self.carrier.as_ref().is_some_and(|carrier| carrier.has_news());
        let has_end = self.view.unshown_end().is_some();
        self.object.filter(|_| self.view.available() > 0 || has_end || has_news())
    }

    fn fed(settings: Arc<Settings>, url: String, carrier: Box<dyn Carrier>) -> Self {
        let mut view = PeerView::new();
        view.start_fed(url);
        let mut peer = Self { is_fed: true, ..Self::with(settings, view) };
        peer.start(carrier);
        peer
    }

    /// A property's value.
    pub fn get<P: Property>(&self) -> &P::Value {
        P::get(&self.settings)
    }

    /// Changes a property, for this peer alone.
    ///
    /// # Errors
    /// [`Refused::OutOfRange`]; it keeps its value then.
    pub fn set<P: Property>(&mut self, value: P::Value, now: Now<'_>) -> Result<(), Refused> {
        P::set(Arc::make_mut(&mut self.settings), value)?;
        if let (Some(carrier), Some(setting)) = (&mut self.carrier, P::live(&self.settings)) {
            carrier.set(setting, now);
        }
        Ok(())
    }

    /// What a script sees of the connection.
    pub fn view(&self) -> &PeerView {
        &self.view
    }

    /// The state to show.
    pub fn ready_state(&self) -> ReadyState {
        self.view.ready_state()
    }

    /// The other side's address and port, empty and 0 without a connection.
    pub fn remote(&self) -> (String, u16) {
        match &self.remote {
            Some(Remote::Address(end)) => (address_text(end.address), end.port),
            Some(Remote::OfStream(host, port)) => (host.clone(), *port),
            None => (String::new(), 0),
        }
    }

    /// Starts connecting to `url` over what `dial` starts.
    ///
    /// # Errors
    /// There is a connection already, or something about the URL, the settings or `dial` is wrong.
    pub fn connect(
        &mut self,
        url: &str,
        dial: Result<impl FnOnce(ClientRequest, LinkOptions) -> Box<dyn Carrier>, Refused>,
    ) -> Result<(), Refused> {
        self.check_idle("connect_to_url")?;
        let target = parse_target(url)?;
        let dial = dial?;
        self.settings.check_handshake()?;
        self.forget_connection();
        self.view.start_client(url.to_owned());
        let options = self.settings.link_options();
        self.start(dial(ClientRequest { target }, options));
        Ok(())
    }

    fn start(&mut self, carrier: Box<dyn Carrier>) {
        self.counters = Arc::clone(carrier.counters());
        self.carrier = Some(carrier);
    }

    /// Starts a server's handshake over a stream.
    ///
    /// # Errors
    /// There is a connection already, or something about the stream or the settings is wrong.
    pub fn accept(
        &mut self,
        call: &'static str,
        stream: impl FnOnce(LinkOptions) -> Accepted,
    ) -> Result<(), Refused> {
        self.check_idle(call)?;
        self.settings.check_handshake()?;
        self.forget_connection();
        self.view.start_server();
        let Accepted { carrier, remote } = stream(self.settings.link_options());
        self.remote = remote.map(|(host, port)| Remote::OfStream(host, port));
        self.start(carrier);
        Ok(())
    }

    fn check_idle(&self, call: &'static str) -> Result<(), Refused> {
        if matches!(self.view.ready_state(), ReadyState::Connecting | ReadyState::Open) {
            return Err(Refused::InUse { call, is_multiplayer: false });
        }
        Ok(())
    }

    fn forget_connection(&mut self) {
        self.carrier = None;
        self.is_fed = false;
        self.close_requests = None;
        self.remote = None;
        self.request = None;
        self.refusal = None;
        self.id_in_session = 0;
    }

    /// Takes what has happened and shows it. Returns the attempt to connect that turns out to have
    /// failed, to be printed.
    pub fn poll(&mut self, now: Now<'_>) -> Option<FailedAttempt> {
        if self.is_fed {
            return None;
        }
        self.poll_carrier(now);
        if self.view.ready_state() == ReadyState::Closing {
            self.drop_messages();
        }
        let before = self.view.ready_state();
        let remote = &mut self.remote;
        self.view.apply(self.events.drain(..).filter_map(|event| protocol_event(event, remote)));
        let failed = self.note_end(before);
        self.let_go_if_closed();
        failed
    }

    /// This side has closed: like the built-in, it takes no more messages.
    fn drop_messages(&mut self) {
        let carrier = &mut self.carrier;
        self.events.retain(|event| {
            let LinkEvent::Protocol(Event::Message(message)) = event else { return true };
            if let Some(carrier) = carrier {
                carrier.consumed(message.payload.len());
            }
            false
        });
    }

    /// One poll's events of a fed peer.
    pub(crate) fn feed(&mut self, events: impl IntoIterator<Item = Event>) {
        let before = self.view.ready_state();
        self.view.apply(events);
        self.note_end(before);
        self.let_go_if_closed();
    }

    /// An end that says why is news, whatever was refused before.
    fn note_end(&mut self, before: ReadyState) -> Option<FailedAttempt> {
        if before == self.view.ready_state() || self.view.ready_state() != ReadyState::Closed {
            return None;
        }
        let sentence = self.end_message();
        if sentence.is_empty() {
            return None;
        }
        self.refusal = None;
        let url = self.view.requested_url();
        // A server's end has no URL before its handshake is complete.
        let is_failed_attempt = before == ReadyState::Connecting && !url.is_empty();
        is_failed_attempt.then(|| FailedAttempt::new(url, sentence))
    }

    /// Moves the bytes of a fed client, if it falls to the polling thread, and appends what has
    /// happened; the address is noted here.
    pub(crate) fn take_events(&mut self, events: &mut impl Extend<Event>, now: Now<'_>) {
        self.poll_carrier(now);
        let remote = &mut self.remote;
        events.extend(self.events.drain(..).filter_map(|event| protocol_event(event, remote)));
    }

    fn poll_carrier(&mut self, now: Now<'_>) {
        let Some(carrier) = &mut self.carrier else { return };
        carrier.poll(&mut self.events, now);
        // One that was redirected is another connection now.
        if let Some(LinkEvent::Connected(_)) = self.events.first() {
            self.counters = Arc::clone(carrier.counters());
        }
    }

    /// The owner of a fed peer has taken a message of `bytes` bytes. A script may have given the
    /// peer a connection of its own meanwhile, on which that message does not count.
    pub(crate) fn consumed_by_owner(&mut self, bytes: usize) {
        if self.is_fed {
            self.consumed(bytes);
        }
    }

    fn consumed(&mut self, bytes: usize) {
        if let Some(carrier) = &mut self.carrier {
            carrier.consumed(bytes);
        }
    }

    /// The owner of a fed peer forgets it: closed for whoever still holds it. The I/O thread
    /// completes a close handshake under way.
    pub(crate) fn release(&mut self) {
        if !self.is_fed {
            return; // the script's own by now
        }
        self.carrier = None;
        self.close_requests = None;
        self.view.aborted();
        self.let_go_if_closed();
    }

    /// The script has let go of it: says so to the other side, as a multiplayer peer does.
    pub fn freed(&mut self, now: Now<'_>) {
        if !self.is_fed && self.view.ready_state() == ReadyState::Open {
            _ = self.close(1001, "", now); // a code that is never refused
        }
    }

    /// Lets go of what a closed connection does not need any more.
    fn let_go_if_closed(&mut self) {
        if self.view.ready_state() != ReadyState::Closed {
            return;
        }
        self.remote = None;
        // One that is fed is not polled any more.
        if self.is_fed || self.carrier.as_ref().is_some_and(|carrier| !carrier.needs_polls()) {
            self.carrier = None;
        }
    }

    /// The next packet; `None` if the connection is open and there is none yet.
    ///
    /// # Errors
    /// [`Refused::NothingToReceive`].
    pub fn next_packet(&mut self) -> Result<Option<Bytes>, Refused> {
        match self.view.pop() {
            Some(message) => {
                self.consumed(message.payload.len());
                Ok(Some(message.payload))
            }
            None if self.view.ready_state() == ReadyState::Open => Ok(None),
            None => Err(Refused::NothingToReceive { why: self.end_message() }),
        }
    }

    /// Takes up to `most` packets at once.
    pub fn take_packets(&mut self, most: usize) -> Vec<Bytes> {
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
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn put_packet(&mut self, payload: Bytes) -> Result<(), Refused> {
        self.send(self.write_mode, payload)
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The connection is not open, the outbound limits are reached, or it is a text and not UTF-8; nothing is sent then.
    pub fn send(&mut self, kind: MessageKind, payload: Bytes) -> Result<(), Refused> {
        self.push(kind, payload, Delivery::Reliable, How::Now)
    }

    /// Sends a text message.
    ///
    /// # Errors
    /// As [`send`](Self::send), and if the script's string is no text.
    pub fn send_text(&mut self, text: Result<Bytes, NotText>) -> Result<(), Refused> {
        match text {
            Err(problem) if self.view.can_send() => {
                Err(Refused::NotText { what: "send_text: the message", problem })
            }
            text => self.send(MessageKind::Text, text.unwrap_or_default()),
        }
    }

    fn push(
        &mut self,
        kind: MessageKind,
        payload: Bytes,
        delivery: Delivery,
        how: How<'_>,
    ) -> Result<(), Refused> {
        if !self.view.can_send() {
            return Err(self.why_closed());
        }
        let Some(carrier) = &mut self.carrier else { return Err(self.why_closed()) };
        if kind == MessageKind::Text
            && let Err(error) = str::from_utf8(&payload)
        {
            return Err(Refused::TextNotUtf8 { valid_up_to: error.valid_up_to() });
        }
        let (size, limit) = (payload.len(), self.settings.outbound_buffer_size);
        if limit != 0 && i64::try_from(size).is_ok_and(|size| size > limit) {
            self.counters.send_refused();
            return Err(Refused::TooBig { size, limit });
        }
        carrier.push(kind, payload, delivery, how).map_err(|error| match error {
            SendError::BufferFull => Refused::Full,
            _ => Refused::Lost,
        })
    }

    fn why_closed(&self) -> Refused {
        match self.view.unshown_end() {
            Some(end) if self.view.ready_state() == ReadyState::Open => {
                let by_remote = matches!(end.cause, CloseCause::Clean | CloseCause::ClosedByRemote { .. });
                Refused::Ended { code: end.code.filter(|_| by_remote) }
            }
            _ => Refused::Closed { why: self.end_message() },
        }
    }

    /// Starts the close handshake, or with a negative code ends the connection without one.
    ///
    /// # Errors
    /// [`Refused::CloseCode`], only to be reported: the connection closes all the same.
    pub fn close(&mut self, code: i64, reason: &str, now: Now<'_>) -> Result<(), Refused> {
        if self.view.ready_state() == ReadyState::Closed {
            return Ok(());
        }
        if let (Some((requests, id)), true) = (&self.close_requests, self.carrier.is_some()) {
            requests.push(*id);
        }
        let checked = checked_close_code(code);
        let Some(sent) = *checked.as_ref().unwrap_or(&Some(1000)) else {
            self.abort();
            return Ok(());
        };
        self.view.close_called();
        match &mut self.carrier {
            Some(carrier) if self.view.ready_state() == ReadyState::Closing => {
                carrier.close(sent, reason, now);
            }
            // It was connecting: nobody waits for anything.
            carrier => *carrier = None,
        }
        self.let_go_if_closed();
        checked.map(|_| ())
    }

    fn abort(&mut self) {
        self.view.aborted();
        if let Some(mut carrier) = self.carrier.take() {
            carrier.leave();
        }
        self.let_go_if_closed();
    }

    /// Changes TCP_NODELAY of the live connection.
    ///
    /// # Errors
    /// There is none.
    pub fn set_no_delay(&mut self, enabled: bool, now: Now<'_>) -> Result<(), Refused> {
        let carrier = self.carrier.as_mut().ok_or(Refused::NoConnection("set_no_delay"))?;
        carrier.set(LiveSetting::NoDelay(enabled), now);
        Ok(())
    }

    /// Payload bytes accepted and not yet taken by the system.
    pub fn buffered_amount(&self) -> usize {
        self.carrier.as_ref().map_or(0, |carrier| carrier.buffered_amount())
    }

    /// What `put_packet` sends.
    pub fn write_mode(&self) -> MessageKind {
        self.write_mode
    }

    /// Changes what `put_packet` sends.
    pub fn set_write_mode(&mut self, kind: MessageKind) {
        self.write_mode = kind;
    }

    /// What went wrong last, in one sentence: the refusal of a call, or why the connection ended.
    /// Empty while all is well, after a clean close, and from the next attempt on.
    pub fn error_message(&self) -> String {
        self.refusal.clone().unwrap_or_else(|| self.end_message())
    }

    /// Why the connection ended; empty while connected and after a clean close.
    fn end_message(&self) -> String {
        self.view.close_cause().map(ToString::to_string).unwrap_or_default()
    }

    /// What a server answered to the handshake, whether it opened the connection or not.
    pub fn handshake_response(&self) -> Option<&HttpResponse> {
        self.view.handshake_response()
    }
}

/// Notes the address that the event tells, if it is that.
fn protocol_event(event: LinkEvent, remote: &mut Option<Remote>) -> Option<Event> {
    match event {
        LinkEvent::Connected(address) => {
            *remote = Some(Remote::Address(address));
            None
        }
        LinkEvent::Protocol(event) => Some(event),
    }
}

/// The code of a close frame; `None` for a negative one, which ends the connection without a frame.
///
/// # Errors
/// [`Refused::CloseCode`]; 1000 is sent then.
pub(crate) fn checked_close_code(code: i64) -> Result<Option<u16>, Refused> {
    match u16::try_from(code) {
        _ if code < 0 => Ok(None),
        Ok(short) if is_valid_close_code(code) => Ok(Some(short)),
        _ => Err(Refused::CloseCode { call: "close", code }),
    }
}

/// Reads the URL of `connect_to_url` or `create_client`.
pub(crate) fn parse_target(url: &str) -> Result<Target, Refused> {
    let target = Target::parse(url).map_err(|problem| Refused::Url { url: shown_url(url), problem })?;
    if target.socket_path.is_some() && !cfg!(unix) {
        return Err(Refused::NoUnixSockets);
    }
    Ok(target)
}
