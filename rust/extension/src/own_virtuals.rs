//! Scripts that extend a class and name a function as one of its virtuals. The engine then calls the
//! script's function in place of the class's, and the peer is dead; with the engine's own class,
//! which has no virtuals, the same script works. All that can be done is to say so.

use std::sync::{Mutex, PoisonError};

use godot::builtin::{Array, VarDictionary, Variant};
use godot::classes::Object;
use godot::global::godot_error;
use godot::obj::{Gd, Inherits, InstanceId};

use crate::text;

/// Of `PacketPeerExtension`.
pub(crate) const OF_PACKET_PEERS: &[&str] =
    &["_get_packet", "_put_packet", "_get_available_packet_count", "_get_max_packet_size"];

/// Of `MultiplayerPeerExtension`.
pub(crate) const OF_MULTIPLAYER_PEERS: &[&str] = &[
    "_get_packet",
    "_put_packet",
    "_get_available_packet_count",
    "_get_max_packet_size",
    "_get_packet_script",
    "_put_packet_script",
    "_get_packet_channel",
    "_get_packet_mode",
    "_set_transfer_channel",
    "_get_transfer_channel",
    "_set_transfer_mode",
    "_get_transfer_mode",
    "_set_target_peer",
    "_get_packet_peer",
    "_is_server",
    "_poll",
    "_close",
    "_disconnect_peer",
    "_get_unique_id",
    "_set_refuse_new_connections",
    "_is_refusing_new_connections",
    "_is_server_relay_supported",
    "_get_connection_status",
];

/// Scripts remembered.
const REMEMBERED: usize = 64;

/// The scripts that have been looked at, each once.
static KNOWN: Mutex<Vec<InstanceId>> = Mutex::new(Vec::new());

/// Prints one error for the object's script if it names a function like one of `virtuals`. To be
/// called when a connection is to begin, while no lock is held.
pub(crate) fn warn<C: Inherits<Object>>(peer: &Gd<C>, virtuals: &[&str]) {
    // Not by gdext's own functions: its file of the engine's interface is cut to what it has to have.
    let Some(script) = call::<Gd<Object>>(&mut peer.clone().upcast(), "get_script") else { return };
    if !is_new(script.instance_id()) {
        return;
    }
    let Some(methods) = call::<Array<VarDictionary>>(&mut script.clone(), "get_script_method_list") else {
        return;
    };
    let mut names: Vec<String> = methods
        .iter_shared()
        .filter_map(|method| method.get("name").map(|name| text::read_lossy(&name.stringify())))
        .filter(|name| virtuals.contains(&name.as_str()))
        .collect();
    names.sort_unstable();
    names.dedup();
    if !names.is_empty() {
        let class = peer.clone().upcast().get_class();
        godot_error!(
            "{} in the script of this {class} stands in for a function of the class itself, which then does not \
             work: give it another name.",
            names.join("(), ") + "()"
        );
    }
}

/// What a method without arguments returns, if it is there and it is that.
fn call<T: godot::meta::FromGodot>(object: &mut Gd<Object>, method: &str) -> Option<T> {
    object.try_call(method, &[]).ok().filter(|answer: &Variant| !answer.is_nil())?.try_to().ok()
}

fn is_new(script: InstanceId) -> bool {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if known.contains(&script) {
        return false;
    }
    if known.len() >= REMEMBERED {
        known.remove(0);
    }
    known.push(script);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The virtuals of a class, as the engine's interface names them.
    fn virtuals_of(class: &str) -> Vec<String> {
        let api = include_str!("../godot-api.json");
        let line = api
            .lines()
            .find(|line| line.contains("\"methods\"") && line.contains(&format!("\"name\":\"{class}\",")))
            .expect("one line per class");
        let names = line.split("\"name\":\"_").skip(1);
        names.map(|rest| format!("_{}", rest.split('"').next().unwrap_or_default())).collect()
    }

    #[test]
    fn all_virtuals_are_known() {
        for (class, known) in
            [("PacketPeerExtension", OF_PACKET_PEERS), ("MultiplayerPeerExtension", OF_MULTIPLAYER_PEERS)]
        {
            let virtuals = virtuals_of(class);
            assert!(virtuals.len() >= known.len().min(4), "{class}: {virtuals:?}");
            for name in virtuals {
                assert!(known.contains(&name.as_str()), "{class}.{name}");
            }
        }
    }
}
