//! The properties of both classes: one row each, from which getters, setters and registration come.
//! Their fields, defaults and ranges are rows of the same names in `rust-websocket-peers`.

use godot::classes::{CryptoKey, X509Certificate};
use godot::prelude::*;
use godot::register::info::{PropertyHint, PropertyHintInfo, PropertyUsageFlags};
use godot::register::private::{register_export, register_var};
use godot::register::property::Export;
use rust_websocket_peers::{Line, property};

use crate::{
    convert::{
        Compression, MultiplayerClientAuth, MultiplayerCompression, MultiplayerTlsVersion, Named,
        ServerClientAuth, ServerCompression, ServerTlsVersion, TlsVersion, lines_to_godot,
    },
    multiplayer_peer::RustWebSocketMultiplayerPeer,
    server::RustWebSocketServer,
    text,
    websocket_peer::RustWebSocketPeer,
};

/// A type that scripts see, and what stands for it below.
trait ScriptValue: Default {
    /// Its field's type.
    type Field;
    /// How it is registered.
    type Registered: Export;

    fn show(field: &Self::Field) -> Self;
    fn read(self) -> Self::Field;

    fn hint() -> PropertyHintInfo {
        PropertyHintInfo::none()
    }
}

/// Types that are the same on both sides.
macro_rules! plain_values {
    ($($type:ty),*) => {$(
        impl ScriptValue for $type {
            type Field = Self;
            type Registered = Self;

            fn show(field: &Self) -> Self {
                *field
            }

            fn read(self) -> Self {
                self
            }
        }
    )*};
}

plain_values!(i64, f64, bool);

impl ScriptValue for PackedStringArray {
    type Field = Vec<Line>;
    type Registered = Self;

    fn show(field: &Vec<Line>) -> Self {
        lines_to_godot(field)
    }

    fn read(self) -> Vec<Line> {
        text::read_lines(&self)
    }
}

/// Enums of the classes, and what the inspector calls their values.
macro_rules! enum_values {
    ($($type:ty = $names:literal),*) => {$(
        impl ScriptValue for $type {
            type Field = i64;
            type Registered = i64;

            fn show(field: &i64) -> Self {
                Self(*field)
            }

            fn read(self) -> i64 {
                self.0
            }

            fn hint() -> PropertyHintInfo {
                PropertyHintInfo { hint: PropertyHint::ENUM, hint_string: $names.into() }
            }
        }
    )*};
}

enum_values!(
    Compression = "Disabled,Enabled",
    MultiplayerCompression = "Disabled,Enabled",
    ServerCompression = "Disabled,Enabled",
    TlsVersion = "TLS 1.2,TLS 1.3",
    MultiplayerTlsVersion = "TLS 1.2,TLS 1.3",
    ServerTlsVersion = "TLS 1.2,TLS 1.3",
    MultiplayerClientAuth = "None,Optional,Required",
    ServerClientAuth = "None,Optional,Required"
);

/// `name: getter, setter, Class(argument of the setter: type), ...;`
macro_rules! properties {
    ($($name:ident: $get:ident, $set:ident, $($class:ident($argument:ident: $type:ident)),+;)*) => {
        $($(
            #[godot_api(secondary)]
            impl $class {
                #[func]
                fn $get(&self) -> $type {
                    self.property::<property::$name, _>(ScriptValue::show)
                }

                #[func(gd_self)]
                fn $set(this: Gd<Self>, $argument: $type) {
                    Self::set_property::<property::$name>(&this, $argument.read());
                }
            }
        )+)*

        /// Registers them to look as the built-in's do (stored, with a default value) while their
        /// setters do not bind the object.
        pub(crate) fn register() {
            $($(
                register_export::<$class, <$type as ScriptValue>::Registered>(
                    stringify!($name),
                    stringify!($get),
                    stringify!($set),
                    Some($type::hint()),
                    None,
                );
            )+)*
        }
    };
}

properties! {
    supported_protocols: get_supported_protocols, set_supported_protocols,
        RustWebSocketPeer(protocols: PackedStringArray), RustWebSocketMultiplayerPeer(protocols: PackedStringArray),
        RustWebSocketServer(protocols: PackedStringArray);
    handshake_headers: get_handshake_headers, set_handshake_headers,
        RustWebSocketPeer(protocols: PackedStringArray), RustWebSocketMultiplayerPeer(protocols: PackedStringArray),
        RustWebSocketServer(protocols: PackedStringArray);
    inbound_buffer_size: get_inbound_buffer_size, set_inbound_buffer_size,
        RustWebSocketPeer(buffer_size: i64), RustWebSocketMultiplayerPeer(buffer_size: i64),
        RustWebSocketServer(buffer_size: i64);
    outbound_buffer_size: get_outbound_buffer_size, set_outbound_buffer_size,
        RustWebSocketPeer(buffer_size: i64), RustWebSocketMultiplayerPeer(buffer_size: i64),
        RustWebSocketServer(buffer_size: i64);
    max_queued_packets: get_max_queued_packets, set_max_queued_packets,
        RustWebSocketPeer(buffer_size: i64), RustWebSocketMultiplayerPeer(max_queued_packets: i64),
        RustWebSocketServer(max_packets: i64);
    heartbeat_interval: get_heartbeat_interval, set_heartbeat_interval,
        RustWebSocketPeer(interval: f64), RustWebSocketMultiplayerPeer(interval: f64),
        RustWebSocketServer(interval: f64);
    close_timeout: get_close_timeout, set_close_timeout,
        RustWebSocketPeer(timeout: f64), RustWebSocketMultiplayerPeer(timeout: f64),
        RustWebSocketServer(timeout: f64);
    compression: get_compression, set_compression,
        RustWebSocketPeer(mode: Compression), RustWebSocketMultiplayerPeer(mode: MultiplayerCompression),
        RustWebSocketServer(mode: ServerCompression);
    compression_threshold: get_compression_threshold, set_compression_threshold,
        RustWebSocketPeer(size: i64), RustWebSocketMultiplayerPeer(size: i64),
        RustWebSocketServer(size: i64);
    compression_context_takeover: get_compression_context_takeover, set_compression_context_takeover,
        RustWebSocketPeer(enabled: bool), RustWebSocketMultiplayerPeer(enabled: bool),
        RustWebSocketServer(enabled: bool);
    tls_minimum_version: get_tls_minimum_version, set_tls_minimum_version,
        RustWebSocketPeer(version: TlsVersion), RustWebSocketMultiplayerPeer(version: MultiplayerTlsVersion),
        RustWebSocketServer(version: ServerTlsVersion);
    tls_client_auth: get_tls_client_auth, set_tls_client_auth,
        RustWebSocketMultiplayerPeer(auth: MultiplayerClientAuth), RustWebSocketServer(auth: ServerClientAuth);
    max_clients: get_max_clients, set_max_clients, RustWebSocketMultiplayerPeer(count: i64),
        RustWebSocketServer(count: i64);
    max_clients_per_address: get_max_clients_per_address, set_max_clients_per_address,
        RustWebSocketMultiplayerPeer(count: i64),
        RustWebSocketServer(count: i64);
    allowed_origins: get_allowed_origins, set_allowed_origins,
        RustWebSocketMultiplayerPeer(origins: PackedStringArray),
        RustWebSocketServer(origins: PackedStringArray);
    trusted_proxies: get_trusted_proxies, set_trusted_proxies,
        RustWebSocketMultiplayerPeer(proxies: PackedStringArray),
        RustWebSocketServer(proxies: PackedStringArray);
    max_redirects: get_max_redirects, set_max_redirects,
        RustWebSocketPeer(count: i64), RustWebSocketMultiplayerPeer(count: i64);
    use_environment_proxy: get_use_environment_proxy, set_use_environment_proxy,
        RustWebSocketPeer(enabled: bool), RustWebSocketMultiplayerPeer(enabled: bool);
    proxy_protocol: get_proxy_protocol, set_proxy_protocol, RustWebSocketMultiplayerPeer(enabled: bool),
        RustWebSocketServer(enabled: bool);
    connect_timeout: get_connect_timeout, set_connect_timeout, RustWebSocketPeer(timeout: f64);
    unreliable_lifetime: get_unreliable_lifetime, set_unreliable_lifetime, RustWebSocketMultiplayerPeer(lifetime: i64);
    handshake_timeout: get_handshake_timeout, set_handshake_timeout, RustWebSocketMultiplayerPeer(timeout: f64),
        RustWebSocketServer(timeout: f64);
    request_timeout: get_request_timeout, set_request_timeout,
        RustWebSocketMultiplayerPeer(timeout: f64), RustWebSocketServer(timeout: f64);
    max_pending_connections: get_max_pending_connections, set_max_pending_connections,
        RustWebSocketMultiplayerPeer(max_connections: i64), RustWebSocketServer(max_connections: i64);
}

/// As `SceneMultiplayer.auth_callback` is.
pub(crate) fn register_callbacks() {
    register_var::<RustWebSocketMultiplayerPeer, Callable>(
        "request_callback",
        "get_request_callback",
        "set_request_callback",
        None,
        Some(PropertyUsageFlags::DEFAULT),
    );
    register_var::<RustWebSocketServer, Callable>(
        "request_callback",
        "get_request_callback",
        "set_request_callback",
        None,
        Some(PropertyUsageFlags::DEFAULT),
    );
}

/// Certificates and keys, null by default.
pub(crate) fn register_tls_objects() {
    register_object::<RustWebSocketPeer, X509Certificate>(CLIENT_CERTIFICATE);
    register_object::<RustWebSocketPeer, CryptoKey>(CLIENT_KEY);
    register_object::<RustWebSocketMultiplayerPeer, X509Certificate>(CLIENT_CERTIFICATE);
    register_object::<RustWebSocketMultiplayerPeer, CryptoKey>(CLIENT_KEY);
    register_object::<RustWebSocketMultiplayerPeer, X509Certificate>(CLIENT_CA);
    register_object::<RustWebSocketServer, X509Certificate>(CLIENT_CA);
}

/// A property with its getter and setter.
type Names = [&'static str; 3];

const CLIENT_CA: Names = ["tls_client_ca", "get_tls_client_ca", "set_tls_client_ca"];
const CLIENT_KEY: Names = ["tls_client_key", "get_tls_client_key", "set_tls_client_key"];
const CLIENT_CERTIFICATE: Names =
    ["tls_client_certificate", "get_tls_client_certificate", "set_tls_client_certificate"];

fn register_object<C: GodotClass, T: Named>([name, getter, setter]: Names)
where
    Option<Gd<T>>: Var,
{
    let hint = PropertyHintInfo { hint: PropertyHint::RESOURCE_TYPE, hint_string: T::NAME.into() };
    register_var::<C, Option<Gd<T>>>(name, getter, setter, Some(hint), Some(PropertyUsageFlags::DEFAULT));
}
