//! What `ClassDB` shall show and gdext's attributes cannot say: enums with the engine's names, and
//! the properties.

use godot::obj::GodotClass;
use godot::register::private::constant::{ConstantKind, ExportConstant, IntegerConstant};

use crate::{
    convert::{
        Compression, MultiplayerClientAuth, MultiplayerCompression, MultiplayerTlsVersion, ServerClientAuth,
        ServerCompression, ServerTlsVersion, State, TlsVersion, WriteMode,
    },
    multiplayer_peer::RustWebSocketMultiplayerPeer,
    properties,
    server::RustWebSocketServer,
    websocket_peer::RustWebSocketPeer,
};

/// Completes both classes, once gdext has registered them and their methods.
pub(crate) fn complete_classes() {
    register_enum::<RustWebSocketPeer>(WriteMode::NAME, WriteMode::CONSTANTS);
    register_enum::<RustWebSocketPeer>(State::NAME, State::CONSTANTS);
    register_enum::<RustWebSocketPeer>(Compression::NAME, Compression::CONSTANTS);
    register_enum::<RustWebSocketMultiplayerPeer>(
        MultiplayerCompression::NAME,
        MultiplayerCompression::CONSTANTS,
    );
    register_enum::<RustWebSocketServer>(ServerCompression::NAME, ServerCompression::CONSTANTS);
    register_tls_enums();
    properties::register();
    properties::register_callbacks();
    properties::register_tls_objects();
}

fn register_tls_enums() {
    register_enum::<RustWebSocketPeer>(TlsVersion::NAME, TlsVersion::CONSTANTS);
    register_enum::<RustWebSocketMultiplayerPeer>(
        MultiplayerTlsVersion::NAME,
        MultiplayerTlsVersion::CONSTANTS,
    );
    register_enum::<RustWebSocketMultiplayerPeer>(
        MultiplayerClientAuth::NAME,
        MultiplayerClientAuth::CONSTANTS,
    );
    register_enum::<RustWebSocketServer>(ServerTlsVersion::NAME, ServerTlsVersion::CONSTANTS);
    register_enum::<RustWebSocketServer>(ServerClientAuth::NAME, ServerClientAuth::CONSTANTS);
}

fn register_enum<C: GodotClass>(name: &str, constants: &[(&str, i64)]) {
    let enumerators = constants.iter().map(|(name, value)| IntegerConstant::new(name, *value)).collect();
    ExportConstant::new(C::class_id(), ConstantKind::Enum { name: name.into(), enumerators }).register();
}
