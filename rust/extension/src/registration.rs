//! What `ClassDB` shall show and gdext's attributes cannot say: enums with the engine's names, and properties that
//! look as the built-in's do (stored, with a default value) while their setters do not bind the object.

use godot::builtin::PackedStringArray;
use godot::obj::GodotClass;
use godot::register::info::{PropertyHint, PropertyHintInfo};
use godot::register::private::constant::{ConstantKind, ExportConstant, IntegerConstant};
use godot::register::private::register_export;
use godot::register::property::Export;

use crate::{
    convert::{Compression, MultiplayerCompression, State, WriteMode},
    multiplayer_peer::RustWebSocketMultiplayerPeer,
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
    register_common_properties::<RustWebSocketPeer>();
    register_property::<RustWebSocketPeer, f64>("connect_timeout");
    register_common_properties::<RustWebSocketMultiplayerPeer>();
    register_property::<RustWebSocketMultiplayerPeer, f64>("handshake_timeout");
}

fn register_common_properties<C: GodotClass>() {
    register_property::<C, PackedStringArray>("supported_protocols");
    register_property::<C, PackedStringArray>("handshake_headers");
    register_property::<C, i64>("inbound_buffer_size");
    register_property::<C, i64>("outbound_buffer_size");
    register_property::<C, i64>("max_queued_packets");
    register_property::<C, f64>("heartbeat_interval");
    register_property::<C, f64>("close_timeout");
    let choices = PropertyHintInfo { hint: PropertyHint::ENUM, hint_string: "Disabled,Enabled".into() };
    register_property_with::<C, i64>("compression", choices);
    register_property::<C, i64>("compression_threshold");
    register_property::<C, bool>("compression_context_takeover");
}

fn register_enum<C: GodotClass>(name: &str, constants: &[(&str, i64)]) {
    let enumerators = constants.iter().map(|(name, value)| IntegerConstant::new(name, *value)).collect();
    ExportConstant::new(C::class_id(), ConstantKind::Enum { name: name.into(), enumerators }).register();
}

fn register_property<C: GodotClass, T: Export>(name: &str) {
    register_property_with::<C, T>(name, PropertyHintInfo::none());
}

fn register_property_with<C: GodotClass, T: Export>(name: &str, hint: PropertyHintInfo) {
    let (getter, setter) = (format!("get_{name}"), format!("set_{name}"));
    register_export::<C, T>(name, &getter, &setter, Some(hint), None);
}
