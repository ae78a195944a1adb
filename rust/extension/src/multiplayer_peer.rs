//! `RustWebSocketMultiplayerPeer`, as the engine sees it. See `websocket_peer.rs` for how calls
//! find their state.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock},
    time::Instant,
};

use godot::classes::multiplayer_peer::{ConnectionStatus, TransferMode};
use godot::classes::{IMultiplayerPeerExtension, MultiplayerPeerExtension};
use godot::global::Error;
use godot::prelude::*;
use rust_websocket_net::{Listener, lock};
use rust_websocket_peers::{Locked, Multiplayer, Outcome, PeerState, Property, Refused, Signal};

use crate::{
    convert::{
        MULTIPLAYER_CLASS, Nullable, OptionalTlsOptions, add_admissions, body_of, count_or_all, headers_of,
        packets_to_godot, statistics_to_godot, status_of, transfer_mode_to_godot,
    },
    decider::Decider,
    engine_stream::Holder,
    first_calls, monitors, own_virtuals,
    proxies::{self, Following},
    pump,
    report::{self, fence},
    request::RustWebSocketRequest,
    state_table::{StateTable, key_of},
    text,
    tls_objects::TlsObjects,
    tls_options,
    websocket_peer::RustWebSocketPeer,
};

/// A multiplayer peer as its engine object holds it.
pub(crate) type MultiplayerState = Locked<Multiplayer>;

static MULTIPLAYER_PEERS: StateTable<MultiplayerState> = StateTable::new();
pub(crate) static MULTIPLAYER_PEERS_BY_ADDRESS: StateTable<MultiplayerState> = StateTable::new();

/// A server with its clients, or one client, as Godot's high-level multiplayer uses them.
#[derive(GodotClass)]
#[cfg_attr(not(feature = "builtin-names"), class(tool, base = MultiplayerPeerExtension))]
#[cfg_attr(feature = "builtin-names", class(tool, base = MultiplayerPeerExtension, rename = WebSocketMultiplayerPeer))]
pub(crate) struct RustWebSocketMultiplayerPeer {
    state: Arc<MultiplayerState>,
    /// What `get_peer` has given out, the same object each time. Engine references must not be in
    /// the state, which other threads can reach.
    objects: Mutex<HashMap<i64, Gd<RustWebSocketPeer>>>,
    /// The requests of the members that the script has let in.
    pub(crate) requests: Mutex<HashMap<i64, Gd<RustWebSocketRequest>>>,
    pub(crate) decider: Arc<Decider>,
    pub(crate) tls: TlsObjects,
    /// Keeps a client's stream alive, if it is one of the engine.
    holder: Holder,
    /// Set once the object is in [`MULTIPLAYER_PEERS`] and its virtuals have been called.
    id: OnceLock<InstanceId>,
    /// Set once the engine has called a virtual of it.
    address: OnceLock<u64>,
}

impl RustWebSocketMultiplayerPeer {
    /// One poll: what happened, one signal after the other. Nothing is borrowed or locked while the
    /// handlers run: they may call anything, close this peer, or drop the last reference to it but
    /// ours.
    fn emit_what_happened(mut this: Gd<Self>) {
        let state = Self::state_of(&this);
        let is_asked = state.with(|multiplayer| {
            multiplayer.begin_poll(&Instant::now);
            multiplayer.has_asked()
        });
        if is_asked {
            Self::sweep_requests(&this, &state);
        }
        while let Some(outcome) = state.with(|multiplayer| multiplayer.next_outcome(&Instant::now)) {
            let emission = match outcome {
                Outcome::Emit(emission) => emission,
                Outcome::Failed(failed) => {
                    report::warn(MULTIPLAYER_CLASS, &failed);
                    continue;
                }
                Outcome::Ask(asking) => {
                    Self::ask(&this, &state, asking);
                    continue;
                }
            };
            let (signal, id) = match emission.signal {
                Signal::Connected(id) => {
                    Self::claim_request(&this, id);
                    ("peer_connected", id)
                }
                Signal::Disconnected(id) => ("peer_disconnected", id),
            };
            _ = this.emit_signal(signal, &[id.to_variant()]);
            if let Some(gone) = state.with(|multiplayer| multiplayer.emitted(emission, &Instant::now)) {
                Self::forget_object(&this, gone);
            }
        }
    }

    /// The live peer behind an id; if there is none, an error is printed.
    fn peer(&self, call: &'static str, id: i64) -> Option<Arc<PeerState>> {
        let found = i32::try_from(id)
            .ok()
            .and_then(|id| self.state.with(|multiplayer| multiplayer.peer(id).cloned()));
        if found.is_none() {
            _ = report::answer(&*self.state, |_| Err::<(), _>(Refused::UnknownPeer { call, id }));
        }
        found
    }

    fn lock_objects(&self) -> MutexGuard<'_, HashMap<i64, Gd<RustWebSocketPeer>>> {
        lock(&self.objects)
    }

    fn forget_object(this: &Gd<Self>, id: i32) {
        let object = this.bind().lock_objects().remove(&id.into());
        let request = this.bind().lock_requests().remove(&id.into());
        drop((object, request)); // after the locks are gone
    }

    fn forget_all_objects(this: &Gd<Self>) {
        let objects = std::mem::take(&mut *this.bind().lock_objects());
        let requests = std::mem::take(&mut *this.bind().lock_requests());
        drop((objects, requests)); // after the locks are gone
        let decider = Arc::clone(&this.bind().decider);
        decider.clear();
    }

    /// The engine calls the first virtual of an object, which it knows by `address`.
    pub(crate) fn first_virtual(this: &Gd<Self>, address: u64) -> Arc<MultiplayerState> {
        let state = Self::state_of(this);
        _ = this.bind().address.set(address);
        state
    }

    pub(crate) fn state_of(this: &Gd<Self>) -> Arc<MultiplayerState> {
        let id = this.instance_id_unchecked();
        MULTIPLAYER_PEERS.find(key_of(id), || {
            let object = this.bind();
            object.id.get_or_init(|| {
                first_calls::of_multiplayer_peer(this);
                id
            });
            Arc::clone(&object.state)
        })
    }

    /// A virtual without an error code.
    fn run<R>(this: &Gd<Self>, on_panic: R, call: impl FnOnce(&mut Multiplayer) -> R) -> R {
        first_calls::virtual_call(on_panic, || Self::state_of(this).with(call))
    }

    /// A call that answers with an error code.
    fn answer(this: &Gd<Self>, call: impl FnOnce(&mut Multiplayer) -> Result<(), Refused>) -> Error {
        fence(Error::ERR_BUG, || report::answer(&*Self::state_of(this), call))
    }

    /// Sends a packet; each peer that refuses it prints why, once.
    pub(crate) fn put(state: &MultiplayerState, payload: &[u8]) -> Error {
        match state.attempt(|multiplayer| multiplayer.put_packet(payload, &Instant::now)) {
            Ok(refused) => {
                let errors = refused.into_iter().map(|(peer, refused)| report::refuse(&*peer, &refused));
                errors.last().unwrap_or(Error::OK)
            }
            Err(refused) => report::refuse(state, &refused),
        }
    }

    /// A getter.
    pub(crate) fn read<R>(&self, on_panic: R, call: impl FnOnce(&Multiplayer) -> R) -> R {
        fence(on_panic, || self.state.with(|multiplayer| call(multiplayer)))
    }

    /// A server's clients, as of the last poll.
    pub(crate) fn member_ids(&self) -> PackedInt32Array {
        self.read(PackedInt32Array::new(), |multiplayer| PackedInt32Array::from(multiplayer.member_ids()))
    }

    /// A property's getter.
    pub(crate) fn property<P: Property, R: Default>(&self, show: impl FnOnce(&P::Value) -> R) -> R {
        self.read(R::default(), |multiplayer| show(multiplayer.get::<P>()))
    }

    /// A property's setter.
    pub(crate) fn set_property<P: Property>(this: &Gd<Self>, value: P::Value) {
        _ = Self::answer(this, |multiplayer| multiplayer.set::<P>(value, &Instant::now));
    }
}

impl Drop for RustWebSocketMultiplayerPeer {
    fn drop(&mut self) {
        if let Some(id) = self.id.get() {
            MULTIPLAYER_PEERS.forget(key_of(*id));
        }
        if let Some(address) = self.address.get() {
            MULTIPLAYER_PEERS_BY_ADDRESS.forget(*address);
        }
        // The same as close(): the I/O thread finishes the connections.
        fence((), || self.state.with(|multiplayer| multiplayer.close(&Instant::now)));
    }
}

#[godot_api]
impl IMultiplayerPeerExtension for RustWebSocketMultiplayerPeer {
    fn init(_base: Base<MultiplayerPeerExtension>) -> Self {
        Self {
            state: Arc::default(),
            objects: Mutex::default(),
            requests: Mutex::default(),
            decider: Arc::default(),
            tls: TlsObjects::default(),
            holder: Holder::default(),
            id: OnceLock::new(),
            address: OnceLock::new(),
        }
    }

    // Virtuals of `packet_virtuals.rs` stand below as the trait wants them; the others stand here as they are called, and below
    // (see websocket_peer.rs).

    #[func(gd_self)]
    fn poll(this: Gd<Self>) {
        first_calls::virtual_call((), || {
            pump::run();
            Self::emit_what_happened(this);
            report::print_due();
        });
    }

    #[func(gd_self)]
    fn close(this: Gd<Self>) {
        first_calls::virtual_call((), || {
            Self::state_of(&this).with(|multiplayer| multiplayer.close(&Instant::now));
            Self::forget_all_objects(&this);
        });
    }

    #[func(gd_self)]
    fn disconnect_peer(this: Gd<Self>, p_peer: i32, p_force: bool) {
        first_calls::virtual_call((), || {
            _ = Self::answer(&this, |multiplayer| {
                multiplayer.disconnect_peer(p_peer, p_force, &Instant::now)
            });
            if p_force {
                Self::forget_object(&this, p_peer);
            }
        });
    }

    #[func(gd_self)]
    fn set_refuse_new_connections(this: Gd<Self>, p_enable: bool) {
        Self::run(&this, (), |multiplayer| multiplayer.set_refuse_new_connections(p_enable));
    }

    // Getters of properties. The engine reads a class's default values from an object to which
    // nobody holds a reference; `gd_self` would make and drop one, and so free the object under the
    // engine's hands.

    fn get_transfer_channel(&self) -> i32 {
        self.read(0, |multiplayer| multiplayer.transfer_channel)
    }

    fn get_transfer_mode(&self) -> TransferMode {
        self.read(TransferMode::RELIABLE, |multiplayer| transfer_mode_to_godot(multiplayer.transfer_mode))
    }

    fn is_refusing_new_connections(&self) -> bool {
        self.read(false, |multiplayer| multiplayer.refuses_new_connections())
    }

    // The twins.

    fn get_available_packet_count(&self) -> i32 {
        0
    }

    fn get_max_packet_size(&self) -> i32 {
        0
    }

    fn get_packet_channel(&self) -> i32 {
        0
    }

    fn get_packet_mode(&self) -> TransferMode {
        TransferMode::RELIABLE
    }

    fn set_transfer_channel(&mut self, _p_channel: i32) {}

    fn set_transfer_mode(&mut self, _p_mode: TransferMode) {}

    fn set_target_peer(&mut self, _p_peer: i32) {}

    fn get_packet_peer(&self) -> i32 {
        0
    }

    fn is_server(&self) -> bool {
        false
    }

    fn poll(&mut self) {}

    fn close(&mut self) {}

    fn disconnect_peer(&mut self, _p_peer: i32, _p_force: bool) {}

    fn get_unique_id(&self) -> i32 {
        0
    }

    fn get_connection_status(&self) -> ConnectionStatus {
        ConnectionStatus::DISCONNECTED
    }
}

#[godot_api]
impl RustWebSocketMultiplayerPeer {
    #[func(gd_self)]
    fn create_client(
        this: Gd<Self>,
        url: GString,
        #[opt(default = OptionalTlsOptions::NULL)] tls_client_options: OptionalTlsOptions,
    ) -> Error {
        fence(Error::ERR_BUG, || {
            own_virtuals::warn(&this, own_virtuals::OF_MULTIPLAYER_PEERS);
            let state = Self::state_of(&this);
            let url = match text::read("create_client: the URL", &url) {
                Ok(url) => url,
                Err(refused) => return report::answer::<_, ()>(&*state, |_| Err(refused)),
            };
            let own = this.bind().client_side();
            let options = tls_client_options.0.as_ref();
            let (security, held) = tls_options::for_client("create_client", &url, options, &own);
            let way = proxies::way(&*state, &url);
            let following = Following::new(&*state, &url, options, &own);
            let dial = proxies::dial(security, way.clone(), following);
            let error = report::answer(&*state, |multiplayer| {
                multiplayer.create_client(&url, dial, &Instant::now)?;
                multiplayer.proxies.begin(way);
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
    fn create_server(
        this: Gd<Self>,
        port: i64,
        #[opt(default = "*")] bind_address: GString,
        #[opt(default = OptionalTlsOptions::NULL)] tls_server_options: OptionalTlsOptions,
    ) -> Error {
        fence(Error::ERR_BUG, || {
            own_virtuals::warn(&this, own_virtuals::OF_MULTIPLAYER_PEERS);
            let asked = this.bind().server_side();
            let tls = tls_options::for_server("create_server", tls_server_options.0.as_ref(), &asked);
            let address = text::read("create_server: the address", &bind_address);
            let error = report::answer(&*Self::state_of(&this), |multiplayer| {
                multiplayer.create_server(port, &address?, tls, Listener::bind)
            });
            if error == Error::OK {
                monitors::add();
            }
            error
        })
    }

    #[func]
    fn get_peer(&self, peer_id: i64) -> Nullable<RustWebSocketPeer> {
        Nullable(fence(None, || {
            let state = self.peer("get_peer", peer_id)?;
            let known = self.lock_objects().get(&peer_id).cloned();
            // Every connection to a server has the id 1, so one of an earlier session may still be
            // here.
            if let Some(object) = known.filter(|object| object.bind().shows(&state)) {
                return Some(object);
            }
            let request = self.lock_requests().get(&peer_id).cloned();
            // Made and dropped while the lock is not held: the engine may run anything.
            let object = RustWebSocketPeer::for_state(state, request);
            let earlier = self.lock_objects().insert(peer_id, object.clone());
            drop(earlier);
            Some(object)
        }))
    }

    #[func]
    fn get_local_port(&self) -> i64 {
        self.read(0, |multiplayer| multiplayer.local_port().into())
    }

    #[func]
    fn get_peer_address(&self, id: i64) -> GString {
        fence(GString::new(), || match self.peer("get_peer_address", id) {
            Some(state) => state.with(|peer| (&peer.remote().0).into()),
            None => GString::new(),
        })
    }

    #[func]
    fn get_peer_port(&self, id: i64) -> i64 {
        fence(0, || {
            self.peer("get_peer_port", id).map_or(0, |state| state.with(|peer| peer.remote().1.into()))
        })
    }

    #[func(gd_self)]
    fn get_packets(this: Gd<Self>, #[opt(default = -1)] max: i64) -> Array<PackedByteArray> {
        fence(Array::new(), || {
            let packets =
                Self::state_of(&this).with(|multiplayer| multiplayer.take_packets(count_or_all(max)));
            packets_to_godot(&packets)
        })
    }

    #[func]
    fn get_packets_peers(&self) -> PackedInt32Array {
        self.read(PackedInt32Array::new(), |multiplayer| PackedInt32Array::from(multiplayer.last_senders()))
    }

    // What the built-in does not have, like `heartbeat_interval`.

    #[func(gd_self)]
    fn disconnect_peer_with_code(
        this: Gd<Self>,
        id: i64,
        #[opt(default = 1000)] code: i64,
        #[opt(default = "")] reason: GString,
    ) {
        let (reason, problem) = text::read_or_drop("disconnect_peer_with_code: the reason", &reason);
        _ = Self::answer(&this, |multiplayer| {
            let closed = multiplayer.disconnect_peer_with_code(id, code, &reason, &Instant::now);
            problem.map_or(closed, Err)
        });
    }

    #[func(gd_self)]
    fn close_with_code(
        this: Gd<Self>,
        #[opt(default = 1001)] code: i64,
        #[opt(default = "")] reason: GString,
    ) {
        let (reason, problem) = text::read_or_drop("close_with_code: the reason", &reason);
        _ = Self::answer(&this, |multiplayer| {
            let closed = multiplayer.close_with_code(code, &reason, &Instant::now);
            problem.map_or(closed, Err)
        });
        Self::forget_all_objects(&this);
    }

    #[func]
    fn get_close_code(&self) -> i64 {
        self.read(-1, |multiplayer| multiplayer.close_code().into())
    }

    #[func]
    fn get_close_reason(&self) -> GString {
        self.read(GString::new(), |multiplayer| text::close_reason(&multiplayer.close_reason()))
    }

    #[func]
    fn is_compression_active(&self) -> bool {
        self.read(false, Multiplayer::is_compressed)
    }

    #[func]
    fn get_statistics(&self) -> VarDictionary {
        let (sums, admissions) = self.read(<_>::default(), |multiplayer| {
            ((multiplayer.statistics(), multiplayer.levels()), multiplayer.admissions())
        });
        let mut dictionary = statistics_to_godot(sums);
        if let Some(admissions) = admissions {
            add_admissions(&mut dictionary, &admissions);
        }
        dictionary
    }

    #[func]
    fn get_error_message(&self) -> GString {
        self.read(GString::new(), |multiplayer| GString::from(&multiplayer.error_message()))
    }

    #[func]
    fn get_handshake_response_code(&self) -> i64 {
        self.read(None, |multiplayer| multiplayer.handshake_response(status_of)).unwrap_or_default()
    }

    #[func]
    fn get_handshake_response_headers(&self) -> PackedStringArray {
        self.read(None, |multiplayer| multiplayer.handshake_response(headers_of)).unwrap_or_default()
    }

    #[func]
    fn get_handshake_response_body(&self) -> PackedByteArray {
        self.read(None, |multiplayer| multiplayer.handshake_response(body_of)).unwrap_or_default()
    }
}
