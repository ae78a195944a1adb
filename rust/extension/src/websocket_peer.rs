//! `RustWebSocketPeer`, as the engine sees it.
//!
//! Every call finds its state outside gdext's cell (see [`StateTable`]): getters that `ClassDB` shows as const take
//! `&self`, everything else `gd_self`, and nothing binds mutably.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use godot::classes::{IPacketPeerExtension, PacketPeerExtension};
use godot::global::Error;
use godot::meta::conv::RawPtr;
use godot::prelude::*;
use rust_websocket_net::Statistics;
use rust_websocket_proto::ReadyState;

use crate::{
    convert::{
        Compression, OptionalStream, OptionalTlsOptions, State, WriteMode, body_of, count_or_all, headers_of,
        packets_to_godot, saturate, statistics_to_godot, status_of, strings_from_godot, strings_to_godot,
    },
    engine_stream::{EngineStream, Holder},
    peer::{Peer, PeerState},
    raw_packet::{RawPacket, copy_packet},
    report::{Refusal, fence},
    state_table::StateTable,
    tls_options,
};

/// What the built-in answers.
pub(crate) const MAX_PACKET_SIZE: i32 = 16 * 1024 * 1024;

static PEERS: StateTable<PeerState> = StateTable::new();

/// One WebSocket connection, as client or as the server's end.
#[derive(GodotClass)]
#[cfg_attr(not(feature = "builtin-names"), class(tool, base = PacketPeerExtension))]
#[cfg_attr(feature = "builtin-names", class(tool, base = PacketPeerExtension, rename = WebSocketPeer))]
pub(crate) struct RustWebSocketPeer {
    // Before the stream: the connection ends over it.
    state: Arc<PeerState>,
    /// Keeps the connection's stream alive, if it is one of the engine. Engine references must not be in the state,
    /// which other threads can reach.
    holder: Holder,
    /// Set once the object is in [`PEERS`].
    id: OnceLock<InstanceId>,
}

impl RustWebSocketPeer {
    /// An engine object for a peer that lives elsewhere too.
    pub(crate) fn for_state(state: Arc<PeerState>) -> Gd<Self> {
        Gd::from_object(Self::with_state(state))
    }

    /// Whether this is the object for that state.
    pub(crate) fn shows(&self, state: &Arc<PeerState>) -> bool {
        Arc::ptr_eq(&self.state, state)
    }

    fn with_state(state: Arc<PeerState>) -> Self {
        Self { state, holder: Holder::default(), id: OnceLock::new() }
    }

    fn state_of(this: &Gd<Self>) -> Arc<PeerState> {
        let id = this.instance_id_unchecked();
        PEERS.find(id, || {
            let object = this.bind();
            _ = object.id.set(id);
            Arc::clone(&object.state)
        })
    }

    /// A call without an answer to give.
    fn run(this: &Gd<Self>, call: impl FnOnce(&mut Peer)) {
        fence((), || Self::state_of(this).with(call));
    }

    /// A call that answers with an error code.
    fn answer(this: &Gd<Self>, call: impl FnOnce(&mut Peer) -> Result<(), Refusal>) -> Error {
        fence(Error::ERR_BUG, || Self::state_of(this).answer(call))
    }

    /// A getter.
    fn read<R>(&self, on_panic: R, call: impl FnOnce(&Peer) -> R) -> R {
        fence(on_panic, || self.state.with(|peer| call(peer)))
    }
}

impl Drop for RustWebSocketPeer {
    fn drop(&mut self) {
        if let Some(id) = self.id.get() {
            PEERS.forget(*id);
        }
    }
}

#[godot_api]
impl IPacketPeerExtension for RustWebSocketPeer {
    fn init(_base: Base<PacketPeerExtension>) -> Self {
        Self::with_state(Arc::default())
    }

    // gdext registers the first of two functions of a name and asks for the trait's signatures, which bind: each
    // virtual stands here as it is called, and below as the trait wants it, where it is never called.

    #[func(gd_self)]
    fn get_available_packet_count(this: Gd<Self>) -> i32 {
        fence(0, || Self::state_of(&this).with(|peer| saturate(peer.view().available())))
    }

    #[func(gd_self)]
    fn get_max_packet_size(_this: Gd<Self>) -> i32 {
        MAX_PACKET_SIZE
    }

    #[func(gd_self)]
    unsafe fn get_packet_rawptr(
        this: Gd<Self>,
        r_buffer: RawPtr<*mut RawPtr<*const u8>>,
        r_buffer_size: RawPtr<*mut i32>,
    ) -> Error {
        fence(Error::ERR_BUG, || {
            let state = Self::state_of(&this);
            let (error, packet) = state.with(|peer| match peer.next_packet() {
                Ok(payload) => (Ok(()), RawPacket::of(payload)),
                Err(refusal) => (Err(refusal), RawPacket::NONE),
            });
            // SAFETY: the engine passes pointers to two variables of its own, valid for this call.
            unsafe { packet.hand_out(&r_buffer, &r_buffer_size) };
            match error {
                Ok(()) => Error::OK,
                Err(None) => Error::ERR_UNAVAILABLE,
                Err(Some(refusal)) => state.reports.answer(Err(refusal)),
            }
        })
    }

    #[func(gd_self)]
    unsafe fn put_packet_rawptr(this: Gd<Self>, p_buffer: RawPtr<*const u8>, p_buffer_size: i32) -> Error {
        // SAFETY: the engine passes a buffer of that many bytes, valid for this call.
        let payload = unsafe { copy_packet(&p_buffer, p_buffer_size) };
        Self::answer(&this, |peer| peer.put_packet(payload))
    }

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
            let url = url.to_string();
            let (security, held) =
                tls_options::for_client("connect_to_url", &url, tls_client_options.0.as_ref());
            let error = Self::state_of(&this).answer(|peer| peer.connect(&url, security));
            if error == Error::OK {
                this.bind().holder.hold(held);
            }
            error
        })
    }

    #[func(gd_self)]
    fn accept_stream(this: Gd<Self>, stream: OptionalStream) -> Error {
        fence(Error::ERR_BUG, || {
            let engine_stream = stream.0.as_ref().and_then(EngineStream::new);
            let error = Self::state_of(&this).answer(|peer| peer.accept(engine_stream));
            if error == Error::OK {
                this.bind().holder.hold(stream.0.into_iter().map(Gd::upcast).collect());
            }
            error
        })
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
    fn send_text(this: Gd<Self>, message: GString) -> Error {
        let text = Bytes::copy_from_slice(message.to_utf8_buffer().as_slice());
        Self::answer(&this, |peer| peer.send(WriteMode(0).kind(), text))
    }

    #[func]
    fn was_string_packet(&self) -> bool {
        self.read(false, |peer| peer.view().was_string_packet())
    }

    #[func(gd_self)]
    fn poll(this: Gd<Self>) {
        Self::run(&this, Peer::poll);
    }

    #[func(gd_self)]
    fn close(this: Gd<Self>, #[opt(default = 1000)] code: i64, #[opt(default = "")] reason: GString) {
        _ = Self::answer(&this, |peer| peer.close(code, &reason.to_string()));
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
        _ = Self::answer(&this, |peer| peer.set_no_delay(enabled));
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
        self.read(GString::new(), |peer| peer.view().close_reason().into())
    }

    #[func]
    fn get_supported_protocols(&self) -> PackedStringArray {
        self.read(PackedStringArray::new(), |peer| strings_to_godot(&peer.settings.supported_protocols))
    }

    #[func(gd_self)]
    fn set_supported_protocols(this: Gd<Self>, protocols: PackedStringArray) {
        Self::run(&this, |peer| peer.settings_mut().set_supported_protocols(strings_from_godot(&protocols)));
    }

    #[func]
    fn get_handshake_headers(&self) -> PackedStringArray {
        self.read(PackedStringArray::new(), |peer| strings_to_godot(&peer.settings.handshake_headers))
    }

    #[func(gd_self)]
    fn set_handshake_headers(this: Gd<Self>, protocols: PackedStringArray) {
        Self::run(&this, |peer| peer.settings_mut().handshake_headers = strings_from_godot(&protocols));
    }

    #[func]
    fn get_inbound_buffer_size(&self) -> i64 {
        self.read(0, |peer| peer.settings.inbound_buffer_size)
    }

    #[func(gd_self)]
    fn set_inbound_buffer_size(this: Gd<Self>, buffer_size: i64) {
        _ = Self::answer(&this, |peer| peer.settings_mut().set_inbound_buffer_size(buffer_size));
    }

    #[func]
    fn get_outbound_buffer_size(&self) -> i64 {
        self.read(0, |peer| peer.settings.outbound_buffer_size)
    }

    #[func(gd_self)]
    fn set_outbound_buffer_size(this: Gd<Self>, buffer_size: i64) {
        _ = Self::answer(&this, |peer| peer.set_outbound_buffer_size(buffer_size));
    }

    #[func]
    fn get_max_queued_packets(&self) -> i64 {
        self.read(0, |peer| peer.settings.max_queued_packets)
    }

    #[func(gd_self)]
    fn set_max_queued_packets(this: Gd<Self>, buffer_size: i64) {
        _ = Self::answer(&this, |peer| peer.set_max_queued_packets(buffer_size));
    }

    #[func]
    fn get_heartbeat_interval(&self) -> f64 {
        self.read(0.0, |peer| peer.settings.heartbeat_interval)
    }

    #[func(gd_self)]
    fn set_heartbeat_interval(this: Gd<Self>, interval: f64) {
        _ = Self::answer(&this, |peer| peer.set_heartbeat_interval(interval));
    }

    // What the built-in does not have.

    #[func]
    fn get_connect_timeout(&self) -> f64 {
        self.read(0.0, |peer| peer.settings.connect_timeout)
    }

    #[func(gd_self)]
    fn set_connect_timeout(this: Gd<Self>, timeout: f64) {
        _ = Self::answer(&this, |peer| peer.settings_mut().set_connect_timeout(timeout));
    }

    #[func]
    fn get_close_timeout(&self) -> f64 {
        self.read(0.0, |peer| peer.settings.close_timeout)
    }

    #[func(gd_self)]
    fn set_close_timeout(this: Gd<Self>, timeout: f64) {
        _ = Self::answer(&this, |peer| peer.set_close_timeout(timeout));
    }

    #[func(gd_self)]
    fn get_packets(this: Gd<Self>, #[opt(default = -1)] max: i64) -> Array<PackedByteArray> {
        fence(Array::new(), || {
            let packets = Self::state_of(&this).with(|peer| peer.take_packets(count_or_all(max)));
            packets_to_godot(&packets)
        })
    }

    #[func]
    fn get_compression(&self) -> Compression {
        self.read(Compression(0), |peer| Compression(peer.settings.compresses.into()))
    }

    #[func(gd_self)]
    fn set_compression(this: Gd<Self>, mode: Compression) {
        _ = Self::answer(&this, |peer| peer.settings_mut().set_compression(mode.0));
    }

    #[func]
    fn get_compression_threshold(&self) -> i64 {
        self.read(0, |peer| peer.settings.compression_threshold)
    }

    #[func(gd_self)]
    fn set_compression_threshold(this: Gd<Self>, size: i64) {
        _ = Self::answer(&this, |peer| peer.settings_mut().set_compression_threshold(size));
    }

    #[func]
    fn get_compression_context_takeover(&self) -> bool {
        self.read(false, |peer| peer.settings.compression_context_takeover)
    }

    #[func(gd_self)]
    fn set_compression_context_takeover(this: Gd<Self>, enabled: bool) {
        Self::run(&this, |peer| peer.settings_mut().compression_context_takeover = enabled);
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
        self.read(GString::new(), |peer| GString::from(&peer.view().error_message()))
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
    fn get_statistics(&self) -> VarDictionary {
        statistics_to_godot(self.read(Statistics::default(), Peer::statistics))
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
