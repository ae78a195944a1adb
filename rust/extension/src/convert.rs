//! Types that carry the engine's names and defaults, and the texts in the engine's formats.

use std::fmt;

use bytes::Bytes;
use godot::builtin::{Array, GString, PackedByteArray, PackedStringArray, VarDictionary, VariantType, vdict};
use godot::classes::multiplayer_peer::{ConnectionStatus, TransferMode as EngineTransferMode};
use godot::classes::{CryptoKey, StreamPeer, TlsOptions, X509Certificate};
use godot::meta::conv::ByValue;
use godot::meta::shape::{EnumeratorShape, GodotShape};
use godot::meta::{FromGodot, GodotConvert, GodotImmutable, ToGodot, error::ConvertError};
use godot::obj::{Gd, GodotClass};
use godot::register::info::{ParamMetadata, PropertyHint, PropertyHintInfo, PropertyUsageFlags};
use rust_websocket_net::{AdmissionCounts, ProcessSums, Statistics};
use rust_websocket_peers::{Levels, Line, ReadyState, Status, TransferMode};
use rust_websocket_proto::{HttpResponse, MessageKind};

/// The peer class's name in the engine.
pub(crate) const PEER_CLASS: &str =
    if cfg!(feature = "builtin-names") { "WebSocketPeer" } else { "RustWebSocketPeer" };

/// The multiplayer class's name in the engine.
pub(crate) const MULTIPLAYER_CLASS: &str =
    if cfg!(feature = "builtin-names") { "WebSocketMultiplayerPeer" } else { "RustWebSocketMultiplayerPeer" };

/// The request class's name in the engine.
pub(crate) const REQUEST_CLASS: &str = "RustWebSocketRequest";

/// The server class's name in the engine.
pub(crate) const SERVER_CLASS: &str = "RustWebSocketServer";

/// Declares an integer that the engine knows as an enum of one of the classes. Any integer
/// converts: a number without a name must not abort the calling script, as gdext's own enum
/// conversion would.
macro_rules! peer_enum {
    ($(#[$doc:meta])* $type:ident, $class:ident, $godot_name:literal, [$($name:literal = $value:literal),* $(,)?]) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub(crate) struct $type(pub(crate) i64);

        impl $type {
            /// Name within the class.
            pub(crate) const NAME: &str = $godot_name;
            /// Constants' names and values.
            pub(crate) const CONSTANTS: &[(&str, i64)] = &[$(($name, $value)),*];
        }

        impl GodotConvert for $type {
            type Via = i64;

            fn godot_shape() -> GodotShape {
                GodotShape::Enum {
                    variant_type: VariantType::INT,
                    enumerators: std::borrow::Cow::Borrowed(const { &[$(EnumeratorShape::new_int($name, $value)),*] }),
                    godot_name: Some(format!("{}.{}", $class, $godot_name).into()),
                    is_bitfield: false,
                }
            }
        }

        impl ToGodot for $type {
            type Pass = ByValue;

            fn to_godot(&self) -> i64 {
                self.0
            }
        }

        impl FromGodot for $type {
            fn try_from_godot(via: i64) -> Result<Self, ConvertError> {
                Ok(Self(via))
            }
        }
    };
}

peer_enum!(
    /// `WebSocketPeer.State`.
    State,
    PEER_CLASS,
    "State",
    ["STATE_CONNECTING" = 0, "STATE_OPEN" = 1, "STATE_CLOSING" = 2, "STATE_CLOSED" = 3]
);

peer_enum!(
    /// `WebSocketPeer.WriteMode`.
    WriteMode,
    PEER_CLASS,
    "WriteMode",
    ["WRITE_MODE_TEXT" = 0, "WRITE_MODE_BINARY" = 1]
);

peer_enum!(
    /// `RustWebSocketPeer.Compression`.
    Compression,
    PEER_CLASS,
    "Compression",
    ["COMPRESSION_DISABLED" = 0, "COMPRESSION_ENABLED" = 1]
);

peer_enum!(
    /// `RustWebSocketMultiplayerPeer.Compression`.
    MultiplayerCompression,
    MULTIPLAYER_CLASS,
    "Compression",
    ["COMPRESSION_DISABLED" = 0, "COMPRESSION_ENABLED" = 1]
);

peer_enum!(
    /// `RustWebSocketServer.Compression`.
    ServerCompression,
    SERVER_CLASS,
    "Compression",
    ["COMPRESSION_DISABLED" = 0, "COMPRESSION_ENABLED" = 1]
);

peer_enum!(
    /// `RustWebSocketPeer.TLSVersion`.
    TlsVersion,
    PEER_CLASS,
    "TLSVersion",
    ["TLS_VERSION_1_2" = 0, "TLS_VERSION_1_3" = 1]
);

peer_enum!(
    /// `RustWebSocketMultiplayerPeer.TLSVersion`.
    MultiplayerTlsVersion,
    MULTIPLAYER_CLASS,
    "TLSVersion",
    ["TLS_VERSION_1_2" = 0, "TLS_VERSION_1_3" = 1]
);

peer_enum!(
    /// `RustWebSocketServer.TLSVersion`.
    ServerTlsVersion,
    SERVER_CLASS,
    "TLSVersion",
    ["TLS_VERSION_1_2" = 0, "TLS_VERSION_1_3" = 1]
);

peer_enum!(
    /// `RustWebSocketMultiplayerPeer.TLSClientAuth`.
    MultiplayerClientAuth,
    MULTIPLAYER_CLASS,
    "TLSClientAuth",
    ["TLS_CLIENT_AUTH_NONE" = 0, "TLS_CLIENT_AUTH_OPTIONAL" = 1, "TLS_CLIENT_AUTH_REQUIRED" = 2]
);

peer_enum!(
    /// `RustWebSocketServer.TLSClientAuth`.
    ServerClientAuth,
    SERVER_CLASS,
    "TLSClientAuth",
    ["TLS_CLIENT_AUTH_NONE" = 0, "TLS_CLIENT_AUTH_OPTIONAL" = 1, "TLS_CLIENT_AUTH_REQUIRED" = 2]
);

impl From<ReadyState> for State {
    fn from(state: ReadyState) -> Self {
        Self(match state {
            ReadyState::Connecting => 0,
            ReadyState::Open => 1,
            ReadyState::Closing => 2,
            ReadyState::Closed => 3,
        })
    }
}

impl From<MessageKind> for WriteMode {
    fn from(kind: MessageKind) -> Self {
        Self(match kind {
            MessageKind::Text => 0,
            MessageKind::Binary => 1,
        })
    }
}

impl WriteMode {
    /// What the built-in does: anything but text is binary.
    pub(crate) fn kind(self) -> MessageKind {
        if self.0 == 0 { MessageKind::Text } else { MessageKind::Binary }
    }
}

// SAFETY: a plain integer, each copy is independent.
unsafe impl GodotImmutable for WriteMode {}

/// A class as the hint of an argument or result names it.
pub(crate) trait Named: GodotClass {
    /// The class's name in the engine.
    const NAME: &str;
}

impl Named for TlsOptions {
    const NAME: &str = "TLSOptions";
}

impl Named for X509Certificate {
    const NAME: &str = "X509Certificate";
}

impl Named for CryptoKey {
    const NAME: &str = "CryptoKey";
}

impl Named for StreamPeer {
    const NAME: &str = "StreamPeer";
}

/// An object argument or result that may be null, with the hint that the engine's own methods give
/// it.
pub(crate) struct Nullable<C: GodotClass>(pub(crate) Option<Gd<C>>);

impl<C: GodotClass> fmt::Debug for Nullable<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl<C: GodotClass> Clone for Nullable<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C: Named> GodotConvert for Nullable<C> {
    type Via = Option<Gd<C>>;

    fn godot_shape() -> GodotShape {
        let hint = PropertyHintInfo { hint: PropertyHint::RESOURCE_TYPE, hint_string: C::NAME.into() };
        GodotShape::Custom {
            variant_type: VariantType::OBJECT,
            var_hint: hint.clone(),
            export_hint: hint,
            class_name: Some(C::NAME.into()),
            usage_flags: PropertyUsageFlags::NONE,
            metadata: ParamMetadata::NONE,
        }
    }
}

impl<C: Named> ToGodot for Nullable<C> {
    type Pass = ByValue;

    fn to_godot(&self) -> Option<Gd<C>> {
        self.0.clone()
    }
}

impl<C: Named> FromGodot for Nullable<C> {
    fn try_from_godot(via: Self::Via) -> Result<Self, ConvertError> {
        Ok(Self(via))
    }
}

/// A `TLSOptions` argument, null by default.
pub(crate) type OptionalTlsOptions = Nullable<TlsOptions>;

impl OptionalTlsOptions {
    /// The default value.
    pub(crate) const NULL: Self = Self(None);
}

// SAFETY: the only default value is null, which nobody can change.
unsafe impl GodotImmutable for OptionalTlsOptions {}

/// For the engine's 32-bit sizes.
pub(crate) fn saturate(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// A limit on how many, where negative means none.
pub(crate) fn count_or_all(limit: i64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

pub(crate) fn packets_to_godot(packets: &[Bytes]) -> Array<PackedByteArray> {
    packets.iter().map(|packet| PackedByteArray::from(&packet[..])).collect()
}

/// What `get_statistics` returns.
pub(crate) fn statistics_to_godot((statistics, levels): (Statistics, Levels)) -> VarDictionary {
    let int = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let size = |size: usize| i64::try_from(size).unwrap_or(i64::MAX);
    vdict! {
        "messages_in" => int(statistics.messages_in),
        "messages_out" => int(statistics.messages_out),
        "bytes_in" => int(statistics.bytes_in),
        "bytes_out" => int(statistics.bytes_out),
        "sends_refused" => int(statistics.sends_refused),
        "reads_paused" => int(statistics.reads_paused),
        "wire_bytes_in" => int(statistics.wire_bytes_in),
        "wire_bytes_out" => int(statistics.wire_bytes_out),
        "pings_out" => int(statistics.pings_out),
        "unreliable_dropped" => int(statistics.unreliable_dropped),
        "compressed_out" => int(statistics.compressed_out),
        "compressions" => int(statistics.compressions),
        "unread_messages" => size(levels.unread.messages),
        "unread_bytes" => size(levels.unread.bytes),
        "unsent_bytes" => size(levels.unsent_bytes),
        "opened_at" => int(levels.opened_at),
    }
}

/// What a server's `get_statistics` returns besides.
pub(crate) fn add_admissions(dictionary: &mut VarDictionary, counts: &AdmissionCounts) {
    for (key, count) in [
        ("connections", counts.connections),
        ("connections_total", counts.connections_total),
        ("handshakes_pending", counts.handshakes_pending),
        ("handshakes_failed", counts.handshakes_failed),
        ("requests_answered", counts.requests_answered),
        ("refused_full", counts.refused_full),
        ("refused_address", counts.refused_address),
        ("refused_origin", counts.refused_origin),
        ("refused_timeout", counts.refused_timeout),
    ] {
        dictionary.set(key, i64::try_from(count).unwrap_or(i64::MAX));
    }
}

/// What `get_process_statistics` returns.
pub(crate) fn process_statistics_to_godot() -> VarDictionary {
    let sums = ProcessSums::now();
    let levels = Levels { unread: sums.unread, unsent_bytes: sums.unsent_bytes, opened_at: 0 };
    let mut dictionary = statistics_to_godot((sums.statistics, levels));
    dictionary.remove("opened_at");
    dictionary.set("connections", i64::try_from(sums.open).unwrap_or(i64::MAX));
    dictionary.set("handshakes_pending", i64::try_from(sums.pending).unwrap_or(i64::MAX));
    dictionary.set("io_thread_busy_usec", i64::try_from(sums.io_busy.as_micros()).unwrap_or(i64::MAX));
    dictionary
}

/// What `get_handshake_response_code` returns; 0 without an answer.
pub(crate) fn status_of(response: Option<&HttpResponse>) -> i64 {
    response.map_or(0, |response| response.status.into())
}

/// What `get_handshake_response_headers` returns.
pub(crate) fn headers_of(response: Option<&HttpResponse>) -> PackedStringArray {
    response.map_or_else(PackedStringArray::new, |response| strings_to_godot(&response.headers))
}

/// What `get_handshake_response_body` returns.
pub(crate) fn body_of(response: Option<&HttpResponse>) -> PackedByteArray {
    response.map_or_else(PackedByteArray::new, |response| PackedByteArray::from(response.body.as_slice()))
}

pub(crate) fn strings_to_godot(strings: &[String]) -> PackedStringArray {
    strings.iter().map(GString::from).collect()
}

/// What is no text is shown as well as it can be.
pub(crate) fn lines_to_godot(lines: &[Line]) -> PackedStringArray {
    lines.iter().map(|line| GString::from(line.as_ref().unwrap_or_else(|broken| &broken.shown))).collect()
}

/// The engine's transfer mode, and ours.
pub(crate) fn transfer_mode_to_godot(mode: TransferMode) -> EngineTransferMode {
    match mode {
        TransferMode::Unreliable => EngineTransferMode::UNRELIABLE,
        TransferMode::UnreliableOrdered => EngineTransferMode::UNRELIABLE_ORDERED,
        TransferMode::Reliable => EngineTransferMode::RELIABLE,
    }
}

/// See [`transfer_mode_to_godot`].
pub(crate) fn transfer_mode_from_godot(mode: EngineTransferMode) -> TransferMode {
    match mode {
        EngineTransferMode::UNRELIABLE => TransferMode::Unreliable,
        EngineTransferMode::UNRELIABLE_ORDERED => TransferMode::UnreliableOrdered,
        _ => TransferMode::Reliable,
    }
}

/// The engine's connection status.
pub(crate) fn status_to_godot(status: Status) -> ConnectionStatus {
    match status {
        Status::Disconnected => ConnectionStatus::DISCONNECTED,
        Status::Connecting => ConnectionStatus::CONNECTING,
        Status::Connected => ConnectionStatus::CONNECTED,
    }
}
