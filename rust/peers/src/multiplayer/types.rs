//! What scripts see of a multiplayer peer, in the engine's terms.

use std::sync::Arc;

use crate::{PeerState, Refused};

/// The peers that did not take a packet, and what to report for each.
pub type Refusals = Vec<(Arc<PeerState>, Refused)>;

/// What the engine knows as `MultiplayerPeer.TransferMode`. Everything is sent reliably; it is kept
/// for whoever asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TransferMode {
    /// May be lost or overtaken.
    Unreliable,
    /// May be lost.
    UnreliableOrdered,
    /// Arrives, in order.
    #[default]
    Reliable,
}

/// The engine's `MultiplayerPeer.ConnectionStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Neither server nor client.
    Disconnected,
    /// A client without an id.
    Connecting,
    /// A server, or a client that has its id.
    Connected,
}

/// To be emitted while no lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// `peer_connected`.
    Connected(i32),
    /// `peer_disconnected`.
    Disconnected(i32),
}
