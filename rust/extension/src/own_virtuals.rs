//! Scripts that extend a class and name a function as one of its virtuals. The engine then calls the
//! script's function in place of the class's, and the peer is dead; with the engine's own class,
//! which has no virtuals, the same script works. All that can be done is to say so.

use std::sync::{Arc, Mutex, MutexGuard};

use rust_websocket_net::lock;

use godot::builtin::{Array, VarDictionary, Variant};
use godot::classes::Object;
use godot::obj::{Gd, Inherits, InstanceId};

use crate::{report, text};

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

/// A script that has been looked at.
struct Known {
    script: InstanceId,
    /// Those of the virtuals that it names.
    names: Arc<[String]>,
    /// Its error was printed, if there is one to print.
    is_settled: bool,
}

static KNOWN: Mutex<Vec<Known>> = Mutex::new(Vec::new());

/// Those of `virtuals` that the object's script names too. To be called while no lock is held.
pub(crate) fn named_by_script<C: Inherits<Object>>(peer: &Gd<C>, virtuals: &[&str]) -> Arc<[String]> {
    script_of(peer).map_or_else(Arc::default, |script| look_at(&script, virtuals))
}

/// Prints one error for the object's script if it names a function like one of `virtuals`. To be
/// called when a connection is to begin, while no lock is held.
pub(crate) fn warn<C: Inherits<Object>>(peer: &Gd<C>, virtuals: &[&str]) {
    let Some(script) = script_of(peer) else { return };
    let names = look_at(&script, virtuals);
    if !names.is_empty() && settle(script.instance_id()) {
        let class = peer.clone().upcast().get_class();
        report::mistake(format!(
            "{} in the script of this {class} stands in for a function of the class itself, which then does not \
             work: give it another name.",
            names.join("(), ") + "()"
        ));
    }
}

fn script_of<C: Inherits<Object>>(peer: &Gd<C>) -> Option<Gd<Object>> {
    // Not by gdext's own functions: its file of the engine's interface is cut to what it has to have.
    call(&mut peer.clone().upcast(), "get_script")
}

/// Those of `virtuals` that a script names; asked of the engine once.
fn look_at(script: &Gd<Object>, virtuals: &[&str]) -> Arc<[String]> {
    let id = script.instance_id();
    if let Some(known) = lock_known().iter().find(|known| known.script == id) {
        return Arc::clone(&known.names);
    }
    let methods = call::<Array<VarDictionary>>(&mut script.clone(), "get_script_method_list");
    let mut names: Vec<String> = methods
        .unwrap_or_default()
        .iter_shared()
        .filter_map(|method| method.get("name").map(|name| text::read_lossy(&name.stringify())))
        .filter(|name| virtuals.contains(&name.as_str()))
        .collect();
    names.sort_unstable();
    names.dedup();
    let names: Arc<[String]> = names.into();
    remember(Known { script: id, names: Arc::clone(&names), is_settled: false });
    names
}

/// What a method without arguments returns, if it is there and it is that.
fn call<T: godot::meta::FromGodot>(object: &mut Gd<Object>, method: &str) -> Option<T> {
    object.try_call(method, &[]).ok().filter(|answer: &Variant| !answer.is_nil())?.try_to().ok()
}

fn remember(new: Known) {
    let mut known = lock_known();
    if known.iter().any(|known| known.script == new.script) {
        return; // another thread was quicker
    }
    if known.len() >= REMEMBERED {
        known.remove(0);
    }
    known.push(new);
}

/// Whether nothing has been printed for this script; true once.
fn settle(script: InstanceId) -> bool {
    let mut known = lock_known();
    let known = known.iter_mut().find(|known| known.script == script);
    known.is_some_and(|known| !std::mem::replace(&mut known.is_settled, true))
}

fn lock_known() -> MutexGuard<'static, Vec<Known>> {
    lock(&KNOWN)
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
