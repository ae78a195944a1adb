//! The state and behaviour of a multiplayer peer, apart from the engine class that shows it.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use godot::classes::multiplayer_peer::{ConnectionStatus, TransferMode};
use godot::global::Error;

use crate::{
    report::{Cause, Refusal, Reports},
    settings::Settings,
};

/// Seconds from accepting or connecting to the completed handshake.
const HANDSHAKE_TIMEOUT: f64 = 3.0;

/// What an engine object holds: the multiplayer peer behind a lock, and what it has printed.
#[derive(Default)]
pub(crate) struct MultiplayerState {
    multiplayer: Mutex<Multiplayer>,
    pub(crate) reports: Reports,
}

impl MultiplayerState {
    /// Runs `call` on the multiplayer peer. Nothing in there may emit a signal or print: a script's handler may use
    /// the peer.
    pub(crate) fn with<R>(&self, call: impl FnOnce(&mut Multiplayer) -> R) -> R {
        call(&mut self.multiplayer.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs `call`, then answers its refusal.
    pub(crate) fn answer(&self, call: impl FnOnce(&mut Multiplayer) -> Result<(), Refusal>) -> Error {
        let result = self.with(call);
        self.reports.answer(result)
    }
}

/// A server with its clients, or one client.
pub(crate) struct Multiplayer {
    pub(crate) settings: Settings,
    pub(crate) transfer_mode: TransferMode,
    pub(crate) transfer_channel: i32,
    pub(crate) target_peer: i32,
    pub(crate) refuses_new_connections: bool,
}

impl Default for Multiplayer {
    fn default() -> Self {
        Self {
            settings: Settings::new(HANDSHAKE_TIMEOUT),
            transfer_mode: TransferMode::RELIABLE,
            transfer_channel: 0,
            target_peer: 0,
            refuses_new_connections: false,
        }
    }
}

impl Multiplayer {
    pub(crate) fn status(&self) -> ConnectionStatus {
        ConnectionStatus::DISCONNECTED
    }

    pub(crate) fn put_packet(&mut self, _payload: Bytes) -> Result<(), Refusal> {
        Err(Refusal::new(Error::ERR_UNCONFIGURED, Cause::SendClosed, "put_packet: not connected."))
    }
}
