//! The first call of each virtual, made by one thread alone.
//!
//! The engine looks up where a class implements a virtual when an object is called for the first time, keeps the answer
//! in that object, and reads it again for the call itself. While it looks it writes a null pointer there: of two threads
//! that call the same virtual of an object for the first time, one may jump to it. Classes of the engine have no such
//! place. So the first use of an object calls all of its virtuals, which then do nothing, before anything else.

use std::cell::Cell;

use godot::builtin::{PackedByteArray, Variant};
use godot::classes::Object;
use godot::meta::ToGodot;
use godot::obj::{Gd, Inherits};

use crate::{own_virtuals, report::fence};

thread_local! {
    /// This thread runs [`make`].
    static ARE_MADE: Cell<bool> = const { Cell::new(false) };
}

/// Whether the virtual that runs now is to do nothing.
pub(crate) fn are_made() -> bool {
    ARE_MADE.get()
}

/// Runs a virtual; answers `idle` if it is one of these calls.
pub(crate) fn virtual_call<R>(idle: R, body: impl FnOnce() -> R) -> R {
    if are_made() { idle } else { fence(idle, body) }
}

/// A virtual, the method through which the engine calls it, and an argument.
type Call = (&'static str, &'static str, Argument);

enum Argument {
    None,
    Number(i64),
    Bool(bool),
    Packet,
    Disconnected,
}

impl Argument {
    fn values(&self) -> Vec<Variant> {
        match self {
            Self::None => Vec::new(),
            Self::Number(number) => vec![number.to_variant()],
            Self::Bool(value) => vec![value.to_variant()],
            // The engine drops an empty one by itself.
            Self::Packet => vec![PackedByteArray::from(&[0][..]).to_variant()],
            Self::Disconnected => vec![0.to_variant(), false.to_variant()],
        }
    }
}

const OF_PACKET_PEERS: &[Call] = &[
    ("_get_packet", "get_packet", Argument::None),
    ("_put_packet", "put_packet", Argument::Packet),
    ("_get_available_packet_count", "get_available_packet_count", Argument::None),
];

/// The rest cannot be called by scripts; the engine's multiplayer does it on the thread that polls.
const OF_MULTIPLAYER_PEERS: &[Call] = &[
    ("_get_packet_channel", "get_packet_channel", Argument::None),
    ("_get_packet_mode", "get_packet_mode", Argument::None),
    ("_set_transfer_channel", "set_transfer_channel", Argument::Number(0)),
    ("_get_transfer_channel", "get_transfer_channel", Argument::None),
    ("_set_transfer_mode", "set_transfer_mode", Argument::Number(2)),
    ("_get_transfer_mode", "get_transfer_mode", Argument::None),
    ("_set_target_peer", "set_target_peer", Argument::Number(0)),
    ("_get_packet_peer", "get_packet_peer", Argument::None),
    ("_poll", "poll", Argument::None),
    ("_close", "close", Argument::None),
    ("_disconnect_peer", "disconnect_peer", Argument::Disconnected),
    ("_get_unique_id", "get_unique_id", Argument::None),
    ("_set_refuse_new_connections", "set_refuse_new_connections", Argument::Bool(false)),
    ("_is_refusing_new_connections", "is_refusing_new_connections", Argument::None),
    ("_is_server_relay_supported", "is_server_relay_supported", Argument::None),
    ("_get_connection_status", "get_connection_status", Argument::None),
];

/// Calls the virtuals of a packet peer.
pub(crate) fn of_packet_peer<C: Inherits<Object>>(peer: &Gd<C>) {
    make(peer, own_virtuals::OF_PACKET_PEERS, &[OF_PACKET_PEERS]);
}

/// Calls the virtuals of a multiplayer peer.
pub(crate) fn of_multiplayer_peer<C: Inherits<Object>>(peer: &Gd<C>) {
    make(peer, own_virtuals::OF_MULTIPLAYER_PEERS, &[OF_PACKET_PEERS, OF_MULTIPLAYER_PEERS]);
}

fn make<C: Inherits<Object>>(peer: &Gd<C>, virtuals: &[&str], tables: &[&[Call]]) {
    // A script that names one of them is called in its place, and not by us.
    let of_script = own_virtuals::named_by_script(peer, virtuals);
    let mut object = peer.clone().upcast();
    let _until_the_end = Making::begin();
    for (name, method, argument) in tables.iter().copied().flatten() {
        if !of_script.iter().any(|named| named == name) {
            _ = object.try_call(*method, &argument.values());
        }
    }
}

/// As long as it lives, the virtuals of this thread do nothing; whatever ends the calls, they work again.
struct Making;

impl Making {
    fn begin() -> Self {
        ARE_MADE.set(true);
        Self
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        ARE_MADE.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_virtual_that_scripts_can_call_is_called() {
        let called: Vec<&str> =
            OF_PACKET_PEERS.iter().chain(OF_MULTIPLAYER_PEERS).map(|(name, ..)| *name).collect();
        // Of these the engine has no method that a script can call, or none that is ours.
        let others = ["_get_max_packet_size", "_get_packet_script", "_put_packet_script", "_is_server"];
        for name in own_virtuals::OF_MULTIPLAYER_PEERS {
            assert!(called.contains(name) != others.contains(name), "{name}");
        }
    }
}
