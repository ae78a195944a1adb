//! Packets that wait to be taken.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use rust_websocket_proto::Message;

use crate::PeerState;

/// Packets to hand out, in the order of their arrival.
#[derive(Default)]
pub(crate) struct Incoming(VecDeque<Packet>);

/// A packet and whose it is.
pub(crate) struct Packet {
    pub(crate) sender: i32,
    pub(crate) from: Arc<PeerState>,
    pub(crate) payload: Bytes,
}

impl Incoming {
    /// Takes a message, text or binary; an empty one is no packet.
    pub(crate) fn push(&mut self, sender: i32, from: &Arc<PeerState>, message: Message) -> bool {
        if message.payload.is_empty() {
            from.with(|peer| peer.consumed_by_owner(0));
            return false;
        }
        self.0.push_back(Packet { sender, from: Arc::clone(from), payload: message.payload });
        true
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn next_sender(&self) -> Option<i32> {
        self.0.front().map(|packet| packet.sender)
    }

    pub(crate) fn pop(&mut self) -> Option<Packet> {
        self.0.pop_front()
    }

    /// Drops the packets of one sender.
    pub(crate) fn forget(&mut self, sender: i32) {
        self.0.retain(|packet| packet.sender != sender);
    }
}
