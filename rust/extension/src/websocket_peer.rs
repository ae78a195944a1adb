//! `RustWebSocketPeer`, as the engine sees it.
//!
//! Every call finds its state outside gdext's cell (see [`StateTable`]): getters that `ClassDB`
//! shows as const take `&self`, everything else `gd_self`, and nothing binds mutably.

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::Instant,
};

use rust_websocket_net::lock;

use bytes::Bytes;
use godot::classes::{IPacketPeerExtension, PacketPeerExtension, StreamPeer};
use godot::global::Error;
use godot::prelude::*;
use rust_websocket_peers::{MAX_RECEIVED, Peer, PeerState, Property, ReadyState, Refused};

use crate::{
    convert::{
        Named, Nullable, OptionalTlsOptions, PEER_CLASS, State, WriteMode, body_of, count_or_all, headers_of,
        packets_to_godot, process_statistics_to_godot, statistics_to_godot, status_of,
    },
    driver,
    engine_stream::{EngineStream, Holder},
    first_calls, monitors, own_virtuals,
    proxies::{self, Following},
    pump::{self, Pump},
    report::{self, fence},
    request::RustWebSocketRequest,
    state_table::{StateTable, key_of},
    text,
    tls_objects::TlsObjects,
    tls_options,
};

/// What the built-in answers.
pub(crate) const MAX_PACKET_SIZE: i32 = 16 * 1024 * 1024;

static PEERS: StateTable<PeerState> = StateTable::new();
pub(crate) static PEERS_BY_ADDRESS: StateTable<PeerState> = StateTable::new();

/// One WebSocket connection, as client or as the server's end.
#[derive(GodotClass)]
#[cfg_attr(not(feature = "builtin-names"), class(tool, base = PacketPeerExtension))]
#[cfg_attr(feature = "builtin-names", class(tool, base = PacketPeerExtension, rename = WebSocketPeer))]
pub(crate) struct RustWebSocketPeer {
    // Before the stream: the connection ends over it.
    state: Arc<PeerState>,
    /// Keeps the connection's stream alive, if it is one of the engine. Engine references must not
    /// be in the state, which other threads can reach.
    holder: Holder,
    pub(crate) tls: TlsObjects,
    /// Of a server's connection that its script has let in.
    request: Mutex<Option<Gd<RustWebSocketRequest>>>,
    /// Set once the object is in [`PEERS`] and its virtuals have been called.
    id: OnceLock<InstanceId>,
    /// Set once the engine has called a virtual of it.
    address: OnceLock<u64>,
}

impl Named for RustWebSocketPeer {
    const NAME: &str = PEER_CLASS;
}

impl RustWebSocketPeer {
    /// An engine object for a peer that lives elsewhere too.
    pub(crate) fn for_state(state: Arc<PeerState>, request: Option<Gd<RustWebSocketRequest>>) -> Gd<Self> {
        let object = Gd::from_object(Self::with(state, request));
        _ = Self::state_of(&object); // before several threads have it
        object
    }

    /// The engine object for a connection that a script takes from a server.
    pub(crate) fn taken(state: Arc<PeerState>, request: Option<Gd<RustWebSocketRequest>>) -> Gd<Self> {
        let object = Self::for_state(Arc::clone(&state), request);
        let id = object.instance_id().to_i64();
        state.with(|peer| peer.object = Some(id));
        object
    }

    /// Whether this is the object for that state.
    pub(crate) fn shows(&self, state: &Arc<PeerState>) -> bool {
        Arc::ptr_eq(&self.state, state)
    }

    fn with(state: Arc<PeerState>, request: Option<Gd<RustWebSocketRequest>>) -> Self {
        Self {
            state,
            holder: Holder::default(),
            tls: TlsObjects::default(),
            request: Mutex::new(request),
            id: OnceLock::new(),
            address: OnceLock::new(),
        }
    }

    /// The engine calls the first virtual of an object, which it knows by `address`.
    pub(crate) fn first_virtual(this: &Gd<Self>, address: u64) -> Arc<PeerState> {
        let state = Self::state_of(this);
        _ = this.bind().address.set(address);
        state
    }

    pub(crate) fn state_of(this: &Gd<Self>) -> Arc<PeerState> {
        let id = this.instance_id_unchecked();
        PEERS.find(key_of(id), || {
            let object = this.bind();
            object.id.get_or_init(|| {
                first_calls::of_packet_peer(this);
                id
            });
            Arc::clone(&object.state)
        })
    }

    fn accept(
        this: &Gd<Self>,
        call: &'static str,
        stream: Nullable<StreamPeer>,
        received: PackedByteArray,
    ) -> Error {
        fence(Error::ERR_BUG, || {
            own_virtuals::warn(this, own_virtuals::OF_PACKET_PEERS);
            let state = Self::state_of(this);
            let Some(stream) = stream.0 else {
                return report::answer::<_, ()>(&*state, |_| Err(Refused::Stream));
            };
            let size = received.len();
            let check = if size > MAX_RECEIVED { Err(Refused::Received { call, size }) } else { Ok(()) };
            let (error, pump) = match EngineStream::new(&stream) {
                Some(known) => {
                    let received = Bytes::copy_from_slice(received.as_slice());
                    let start = |options| driver::accept(known, received, options);
                    (report::answer(&*state, |peer| check.and_then(|()| peer.accept(call, start))), None)
                }
                None => {
                    // Streams may be scripts, which must not run while anything is locked.
                    let (pump, socket) = Pump::new(&stream, &received);
                    let start = driver::accept_pumped(pump::remote_of(&stream), socket);
                    (
                        report::answer(&*state, |peer| check.and_then(|()| peer.accept(call, start))),
                        Some(pump),
                    )
                }
            };
            if error == Error::OK {
                monitors::add();
                this.bind().holder.hold_stream(stream, pump.map_or(0, pump::start_for_peer));
            }
            error
        })
    }

    /// A call without an answer to give.
    fn run(this: &Gd<Self>, call: impl FnOnce(&mut Peer)) {
        fence((), || Self::state_of(this).with(call));
    }

    /// A call that answers with an error code.
    fn answer(this: &Gd<Self>, call: impl FnOnce(&mut Peer) -> Result<(), Refused>) -> Error {
        fence(Error::ERR_BUG, || report::answer(&*Self::state_of(this), call))
    }

    /// A getter.
    pub(crate) fn read<R>(&self, on_panic: R, call: impl FnOnce(&Peer) -> R) -> R {
        fence(on_panic, || self.state.with(|peer| call(peer)))
    }

    /// A property's getter.
    pub(crate) fn property<P: Property, R: Default>(&self, show: impl FnOnce(&P::Value) -> R) -> R {
        self.read(R::default(), |peer| show(peer.get::<P>()))
    }

    /// A property's setter.
    pub(crate) fn set_property<P: Property>(this: &Gd<Self>, value: P::Value) {
        _ = Self::answer(this, |peer| peer.set::<P>(value, &Instant::now));
    }
}

impl Drop for RustWebSocketPeer {
    fn drop(&mut self) {
        if let Some(id) = self.id.get() {
            PEERS.forget(key_of(*id));
        }
        if let Some(address) = self.address.get() {
            PEERS_BY_ADDRESS.forget(*address);
        }
        fence((), || {
            self.state.with(|peer| peer.freed(&Instant::now));
            pump::flush(self.holder.pump());
        });
    }
}

#[godot_api]
impl IPacketPeerExtension for RustWebSocketPeer {
    fn init(_base: Base<PacketPeerExtension>) -> Self {
        Self::with(Arc::default(), None)
    }

    // As the trait wants them: they are never called, see `packet_virtuals.rs`.

    fn get_available_packet_count(&self) -> i32 {
        0
    }

    fn get_max_packet_size(&self) -> i32 {
        0
    }
}

#[godot_api]
impl RustWebSocketPeer {
    #[func(gd_self)]
    fn connect_to_url(
        this: Gd<Self>,
        url: GString,
        #[opt(default = OptionalTlsOptions::NULL)] tls_client_options: OptionalTlsOptions,
    ) -> Error {
        fence(Error::ERR_BUG, || {
            own_virtuals::warn(&this, own_virtuals::OF_PACKET_PEERS);
            let state = Self::state_of(&this);
            let url = match text::read("connect_to_url: the URL", &url) {
                Ok(url) => url,
                Err(refused) => return report::answer::<_, ()>(&*state, |_| Err(refused)),
            };
            let own = this.bind().client_side();
            let options = tls_client_options.0.as_ref();
            let (security, held) = tls_options::for_client("connect_to_url", &url, options, &own);
            let way = proxies::way(&*state, &url);
            let following = Following::new(&*state, &url, options, &own);
            let dial = proxies::dial(security, way.clone(), following);
            let error = report::answer(&*state, |peer| {
                peer.connect(&url, dial)?;
                peer.proxies.begin(way);
                Ok(())
            });
            if error == Error::OK {
                monitors::add();
                this.bind().holder.hold(held);
            }
            error
        })
    }

    #[func(gd_self)]
    fn accept_stream(this: Gd<Self>, stream: Nullable<StreamPeer>) -> Error {
        Self::accept(&this, "accept_stream", stream, PackedByteArray::new())
    }

    #[func(gd_self)]
    fn accept_stream_with_data(
        this: Gd<Self>,
        stream: Nullable<StreamPeer>,
        received: PackedByteArray,
    ) -> Error {
        Self::accept(&this, "accept_stream_with_data", stream, received)
    }

    #[func(gd_self)]
    fn send(
        this: Gd<Self>,
        message: PackedByteArray,
        #[opt(default = WriteMode(1))] write_mode: WriteMode,
    ) -> Error {
        Self::answer(&this, |peer| peer.send(write_mode.kind(), Bytes::copy_from_slice(message.as_slice())))
    }

    #[func(gd_self)]
    fn send_latest(
        this: Gd<Self>,
        message: PackedByteArray,
        #[opt(default = 0)] key: i64,
        #[opt(default = WriteMode(1))] write_mode: WriteMode,
    ) -> Error {
        let payload = Bytes::copy_from_slice(message.as_slice());
        Self::answer(&this, |peer| peer.send_latest(write_mode.kind(), payload, key))
    }

    #[func(gd_self)]
    fn send_text(this: Gd<Self>, message: GString) -> Error {
        let text = text::read_plain(&message).map(Bytes::from);
        Self::answer(&this, |peer| peer.send_text(text))
    }

    #[func]
    fn was_string_packet(&self) -> bool {
        self.read(false, |peer| peer.view().was_string_packet())
    }

    #[func(gd_self)]
    fn poll(this: Gd<Self>) {
        fence((), || {
            pump::run();
            if let Some(failed) = Self::state_of(&this).with(|peer| peer.poll(&Instant::now)) {
                report::warn(PEER_CLASS, &failed);
            }
            report::print_due();
        });
    }

    #[func(gd_self)]
    fn close(this: Gd<Self>, #[opt(default = 1000)] code: i64, #[opt(default = "")] reason: GString) {
        let (reason, problem) = text::read_or_drop("close: the reason", &reason);
        _ = Self::answer(&this, |peer| {
            let closed = peer.close(code, &reason, &Instant::now);
            problem.map_or(closed, Err)
        });
    }

    #[func]
    fn get_connected_host(&self) -> GString {
        self.read(GString::new(), |peer| (&peer.remote().0).into())
    }

    #[func]
    fn get_connected_port(&self) -> i64 {
        self.read(0, |peer| peer.remote().1.into())
    }

    #[func]
    fn get_selected_protocol(&self) -> GString {
        self.read(GString::new(), |peer| peer.view().selected_protocol().into())
    }

    #[func]
    fn get_requested_url(&self) -> GString {
        self.read(GString::new(), |peer| peer.view().requested_url().into())
    }

    #[func(gd_self)]
    fn set_no_delay(this: Gd<Self>, enabled: bool) {
        _ = Self::answer(&this, |peer| peer.set_no_delay(enabled, &Instant::now));
    }

    #[func]
    fn get_current_outbound_buffered_amount(&self) -> i64 {
        self.read(0, |peer| i64::try_from(peer.buffered_amount()).unwrap_or(i64::MAX))
    }

    #[func]
    fn get_ready_state(&self) -> State {
        self.read(State(3), |peer| peer.ready_state().into())
    }

    #[func]
    fn get_close_code(&self) -> i64 {
        self.read(-1, |peer| peer.view().close_code().into())
    }

    #[func]
    fn get_close_reason(&self) -> GString {
        self.read(GString::new(), |peer| text::close_reason(peer.view().close_reason()))
    }

    // What the built-in does not have.

    #[func(gd_self)]
    fn get_packets(this: Gd<Self>, #[opt(default = -1)] max: i64) -> Array<PackedByteArray> {
        fence(Array::new(), || {
            let packets = Self::state_of(&this).with(|peer| peer.take_packets(count_or_all(max)));
            packets_to_godot(&packets)
        })
    }

    #[func]
    fn is_compression_active(&self) -> bool {
        self.read(false, |peer| peer.view().is_compressed())
    }

    #[func]
    fn get_round_trip_time(&self) -> f64 {
        self.read(-1.0, Peer::round_trip_time)
    }

    #[func]
    fn get_error_message(&self) -> GString {
        self.read(GString::new(), |peer| GString::from(&peer.error_message()))
    }

    #[func]
    fn get_handshake_response_code(&self) -> i64 {
        self.read(0, |peer| status_of(peer.handshake_response()))
    }

    #[func]
    fn get_handshake_response_headers(&self) -> PackedStringArray {
        self.read(PackedStringArray::new(), |peer| headers_of(peer.handshake_response()))
    }

    #[func]
    fn get_handshake_response_body(&self) -> PackedByteArray {
        self.read(PackedByteArray::new(), |peer| body_of(peer.handshake_response()))
    }

    #[func]
    fn get_request(&self) -> Nullable<RustWebSocketRequest> {
        Nullable(fence(None, || {
            let asking = self.state.with(|peer| peer.request().cloned())?;
            let own = lock(&self.request).clone();
            let is_its = |object: &Gd<RustWebSocketRequest>| Arc::ptr_eq(object.bind().asking(), &asking);
            own.filter(is_its).or_else(|| Some(RustWebSocketRequest::of(&asking)))
        }))
    }

    #[func]
    fn get_statistics(&self) -> VarDictionary {
        statistics_to_godot(self.read(<_>::default(), |peer| (peer.statistics(), peer.levels())))
    }

    #[func]
    fn get_process_statistics() -> VarDictionary {
        fence(VarDictionary::new(), process_statistics_to_godot)
    }

    // Godot 3's.

    #[func]
    fn get_write_mode(&self) -> WriteMode {
        self.read(WriteMode(1), |peer| peer.write_mode().into())
    }

    #[func(gd_self)]
    fn set_write_mode(this: Gd<Self>, mode: WriteMode) {
        Self::run(&this, |peer| peer.set_write_mode(mode.kind()));
    }

    #[func]
    fn is_connected_to_host(&self) -> bool {
        self.read(false, |peer| peer.ready_state() == ReadyState::Open)
    }
}
