//! Which virtuals the two peer classes answer for themselves: those that are called for every packet.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use godot::classes::multiplayer_peer::{ConnectionStatus, TransferMode};
use godot::global::Error;
use godot::meta::conv::RawPtr;
use godot::obj::EngineEnum;
use godot::private::{Storage, as_storage};
use godot::sys;
use rust_websocket_peers::{Locked, PeerState, Refused, Subject};

use crate::{
    convert::{saturate, status_to_godot, transfer_mode_from_godot},
    first_calls,
    multiplayer_peer::{MULTIPLAYER_PEERS_BY_ADDRESS, MultiplayerState, RustWebSocketMultiplayerPeer},
    raw_packet::{RawPacket, copy_packet, packet_at},
    report,
    state_table::StateTable,
    virtuals::{Call, OwnVirtuals, Virtual, key_of_address},
    websocket_peer::{MAX_PACKET_SIZE, PEERS_BY_ADDRESS, RustWebSocketPeer},
};

impl OwnVirtuals for RustWebSocketPeer {
    type State = PeerState;

    const VIRTUALS: &'static [(&'static str, Virtual)] = &[
        ("_get_available_packet_count", peer::get_available_packet_count),
        ("_get_max_packet_size", get_max_packet_size),
        ("_get_packet", peer::get_packet),
        ("_put_packet", peer::put_packet),
    ];

    fn others() -> &'static OnceLock<sys::GDExtensionClassGetVirtual> {
        static OTHERS: OnceLock<sys::GDExtensionClassGetVirtual> = OnceLock::new();
        &OTHERS
    }

    fn by_address() -> &'static StateTable<PeerState> {
        &PEERS_BY_ADDRESS
    }

    unsafe fn first_call(address: sys::GDExtensionClassInstancePtr) -> Arc<PeerState> {
        // SAFETY: the caller's promise.
        let this = unsafe { as_storage::<Self>(address) }.get_gd();
        Self::first_virtual(&this, key_of_address(address))
    }
}

impl OwnVirtuals for RustWebSocketMultiplayerPeer {
    type State = MultiplayerState;

    const VIRTUALS: &'static [(&'static str, Virtual)] = &[
        ("_get_available_packet_count", multiplayer::get_available_packet_count),
        ("_get_max_packet_size", get_max_packet_size),
        ("_get_packet", multiplayer::get_packet),
        ("_put_packet", multiplayer::put_packet),
        ("_get_packet_channel", multiplayer::get_packet_channel),
        ("_get_packet_mode", multiplayer::get_packet_mode),
        ("_get_packet_peer", multiplayer::get_packet_peer),
        ("_set_transfer_channel", multiplayer::set_transfer_channel),
        ("_set_transfer_mode", multiplayer::set_transfer_mode),
        ("_set_target_peer", multiplayer::set_target_peer),
        ("_get_unique_id", multiplayer::get_unique_id),
        ("_get_connection_status", multiplayer::get_connection_status),
        ("_is_server", multiplayer::is_server),
        ("_is_server_relay_supported", multiplayer::is_server_relay_supported),
    ];

    fn others() -> &'static OnceLock<sys::GDExtensionClassGetVirtual> {
        static OTHERS: OnceLock<sys::GDExtensionClassGetVirtual> = OnceLock::new();
        &OTHERS
    }

    fn by_address() -> &'static StateTable<MultiplayerState> {
        &MULTIPLAYER_PEERS_BY_ADDRESS
    }

    unsafe fn first_call(address: sys::GDExtensionClassInstancePtr) -> Arc<MultiplayerState> {
        // SAFETY: the caller's promise.
        let this = unsafe { as_storage::<Self>(address) }.get_gd();
        Self::first_virtual(&this, key_of_address(address))
    }
}

/// Functions as GDExtension calls a virtual of that name. What a body does with its call is right for the arguments and the
/// result with which the engine declares it (`PacketPeerExtension`, `MultiplayerPeerExtension`).
macro_rules! virtuals {
    ($(fn $name:ident($call:ident) $body:block)*) => {$(
        /// # Safety
        /// For the engine only.
        pub(super) unsafe extern "C" fn $name(
            instance: sys::GDExtensionClassInstancePtr,
            arguments: *const sys::GDExtensionConstTypePtr,
            result: sys::GDExtensionTypePtr,
        ) {
            // SAFETY: the engine passes what it declares, of an object of the class for which this stands in a table.
            unsafe {
                let $call = Call::new(instance, arguments, result);
                $body
            }
        }
    )*};
}

mod peer {
    use super::{Call, RustWebSocketPeer as Class, *};

    virtuals! {
        fn get_available_packet_count(call) {
            let count = call.run::<Class, _>(0, |state| saturate(state.with(|peer| peer.view().available())));
            call.answer(count.into());
        }

        fn get_packet(call) {
            super::get_packet::<Class, _>(call, |peer| peer.next_packet());
        }

        fn put_packet(call) {
            let payload = copy_packet(&RawPtr::new(call.argument(0)), int(call.argument(1)));
            let error = call.run::<Class, _>(Error::OK, |state| {
                report::answer(&**state, |peer| peer.put_packet(payload))
            });
            call.answer(error.ord().into());
        }
    }
}

mod multiplayer {
    use super::{Call, RustWebSocketMultiplayerPeer as Class, *};

    virtuals! {
        fn get_available_packet_count(call) {
            let count =
                call.run::<Class, _>(0, |state| saturate(state.with(|multiplayer| multiplayer.available_packets())));
            call.answer(count.into());
        }

        fn get_packet(call) {
            super::get_packet::<Class, _>(call, |multiplayer| multiplayer.next_packet());
        }

        fn put_packet(call) {
            let payload = packet_at(&RawPtr::new(call.argument(0)), int(call.argument(1)));
            let error = call.run::<Class, _>(Error::OK, |state| Class::put(state, payload));
            call.answer(error.ord().into());
        }

        fn get_packet_channel(call) {
            call.answer(0);
        }

        fn get_packet_mode(call) {
            call.answer(TransferMode::RELIABLE.ord().into());
        }

        fn get_packet_peer(call) {
            let peer = call.run::<Class, _>(1, |state| state.with(|multiplayer| multiplayer.packet_peer()));
            call.answer(peer.into());
        }

        fn set_transfer_channel(call) {
            let channel = int(call.argument(0));
            call.run::<Class, _>((), |state| state.with(|multiplayer| multiplayer.transfer_channel = channel));
        }

        fn set_transfer_mode(call) {
            let mode = TransferMode::try_from_ord(int(call.argument(0))).unwrap_or(TransferMode::RELIABLE);
            let mode = transfer_mode_from_godot(mode);
            call.run::<Class, _>((), |state| state.with(|multiplayer| multiplayer.transfer_mode = mode));
        }

        fn set_target_peer(call) {
            let peer = int(call.argument(0));
            call.run::<Class, _>((), |state| state.with(|multiplayer| multiplayer.target_peer = peer));
        }

        fn get_unique_id(call) {
            let id = call.run::<Class, _>(0, |state| state.with(|multiplayer| multiplayer.unique_id()));
            call.answer(id.into());
        }

        fn get_connection_status(call) {
            let status = call.run::<Class, _>(ConnectionStatus::DISCONNECTED, |state| {
                status_to_godot(state.with(|multiplayer| multiplayer.status()))
            });
            call.answer(status.ord().into());
        }

        fn is_server(call) {
            let is_server = call.run::<Class, _>(false, |state| state.with(|multiplayer| multiplayer.is_server()));
            call.answer_bool(is_server);
        }

        fn is_server_relay_supported(call) {
            call.answer_bool(true);
        }
    }
}

virtuals! {
    fn get_max_packet_size(call) {
        call.answer(MAX_PACKET_SIZE.into());
    }
}

/// Hands out the next packet of either class.
///
/// # Safety
/// A call of `_get_packet`.
unsafe fn get_packet<C: OwnVirtuals<State = Locked<T>>, T: Subject + 'static>(
    call: Call,
    next: impl FnOnce(&mut T) -> Result<Option<Bytes>, Refused>,
) {
    // SAFETY: the arguments are pointers to two variables of the engine, valid for this call.
    unsafe {
        let (buffer, size) = (RawPtr::new(call.argument(0)), RawPtr::new(call.argument(1)));
        RawPacket::NONE.hand_out(&buffer, &size);
        if first_calls::are_made() {
            return call.answer(Error::OK.ord().into());
        }
        let error = call.work::<C, _>(Error::ERR_BUG, |state| {
            let (result, packet) = state.with(|subject| match next(subject) {
                Ok(Some(payload)) => (Ok(Error::OK), RawPacket::of(payload, &state.lent)),
                Ok(None) => (Ok(Error::ERR_UNAVAILABLE), RawPacket::NONE),
                Err(refused) => (Err(refused), RawPacket::NONE),
            });
            packet.hand_out(&buffer, &size);
            result.unwrap_or_else(|refused| report::refuse(&**state, &refused))
        });
        call.answer(error.ord().into());
    }
}

/// An `int` of the engine's, which is passed as 64 bits.
fn int(passed: i64) -> i32 {
    passed as i32
}
