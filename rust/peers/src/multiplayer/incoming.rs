//! Packets that wait to be taken.

use std::{collections::VecDeque, mem, sync::Arc};

use bytes::Bytes;
use rust_websocket_proto::Message;

use crate::PeerState;

/// Packets to hand out, in the order of their arrival.
#[derive(Default)]
pub(crate) struct Incoming {
    packets: VecDeque<Packet>,
    /// What they cost together.
    cost: usize,
    /// A packet was taken since the last poll.
    was_read: bool,
    /// What has to wait before they are looked through again.
    trims_above: usize,
}

/// What may wait here before packets of peers that have left are dropped. Those of live peers do
/// not count for that: each is bounded by the peer's own limits.
const KEPT: usize = 64 * 1024 * 1024;

/// What a packet costs beside its payload.
const PACKET_OVERHEAD: usize = 64;

/// Packets for which there is memory while none waits.
const KEPT_CAPACITY: usize = 4096;

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
        self.cost += message.payload.len() + PACKET_OVERHEAD;
        self.packets.push_back(Packet { sender, from: Arc::clone(from), payload: message.payload });
        true
    }

    pub(crate) fn len(&self) -> usize {
        self.packets.len()
    }

    pub(crate) fn next_sender(&self) -> Option<i32> {
        self.packets.front().map(|packet| packet.sender)
    }

    pub(crate) fn pop(&mut self) -> Option<Packet> {
        let packet = self.packets.pop_front()?;
        self.cost -= packet.cost();
        self.was_read = true;
        self.release_memory();
        Some(packet)
    }

    /// Whether packets were taken since the last call.
    pub(crate) fn take_was_read(&mut self) -> bool {
        mem::take(&mut self.was_read)
    }

    /// Drops the packets of one sender.
    pub(crate) fn forget(&mut self, sender: i32) {
        self.retain(|packet| packet.sender != sender);
    }

    /// A peer has left. When too much waits, the oldest packets of those that are not `is_live` any
    /// more are dropped: nobody reads them, and peers that come, send and go again would fill the
    /// memory.
    pub(crate) fn trim(&mut self, is_live: impl Fn(i32) -> bool) {
        if self.cost <= KEPT {
            self.trims_above = 0;
        }
        // Where those of live peers alone are too much, they are not looked through for each that leaves.
        if self.cost <= self.trims_above.max(KEPT) {
            return;
        }
        // Some more than that, so that this is not done again for each of many that leave.
        let mut excess = self.cost - KEPT * 3 / 4;
        self.retain(|packet| {
            let is_dropped = excess > 0 && !is_live(packet.sender);
            if is_dropped {
                excess = excess.saturating_sub(packet.cost());
            }
            !is_dropped
        });
        self.trims_above = self.cost + KEPT / 4;
    }

    /// A burst does not keep its memory: a thousand clients may send four thousand packets each, once.
    fn release_memory(&mut self) {
        if self.packets.is_empty() && self.packets.capacity() > KEPT_CAPACITY {
            self.packets = VecDeque::new();
        }
    }

    fn retain(&mut self, mut is_kept: impl FnMut(&Packet) -> bool) {
        let cost = &mut self.cost;
        self.packets.retain(|packet| {
            let is_kept = is_kept(packet);
            if !is_kept {
                *cost -= packet.cost();
            }
            is_kept
        });
        self.release_memory();
    }
}

impl Packet {
    fn cost(&self) -> usize {
        self.payload.len() + PACKET_OVERHEAD
    }
}

#[cfg(test)]
mod tests {
    use rust_websocket_proto::MessageKind;

    use super::*;

    fn fill(incoming: &mut Incoming, sender: i32, bytes: usize) {
        let from = Arc::new(PeerState::default());
        let payload = Bytes::from(vec![0; 1024 * 1024]);
        for _ in 0..bytes / payload.len() {
            incoming.push(sender, &from, Message { kind: MessageKind::Binary, payload: payload.clone() });
        }
    }

    #[test]
    fn what_live_peers_have_sent_is_not_looked_through_each_time_that_one_leaves() {
        let mut incoming = Incoming::default();
        fill(&mut incoming, 1, KEPT + KEPT / 8);
        let looked_at = std::cell::Cell::new(0);
        for _ in 0..1000 {
            incoming.trim(|_| {
                looked_at.set(looked_at.get() + 1);
                true
            });
        }
        assert_eq!(looked_at.get(), incoming.len(), "once");
        fill(&mut incoming, 2, KEPT / 2);
        incoming.trim(|sender| sender != 2);
        assert!(incoming.cost < KEPT + KEPT / 4, "what others have left is dropped all the same");
        while incoming.pop().is_some() {}
        incoming.trim(|_| true);
        fill(&mut incoming, 3, KEPT + KEPT / 16);
        incoming.trim(|_| false);
        assert!(incoming.cost < KEPT, "and at the first of it when there was room between");
    }

    #[test]
    fn a_burst_does_not_keep_its_memory() {
        let (mut incoming, from) = (Incoming::default(), Arc::new(PeerState::default()));
        let message = Message { kind: MessageKind::Binary, payload: Bytes::from_static(b"x") };
        for burst in [100, 100_000] {
            for sender in 0..burst {
                incoming.push(sender, &from, message.clone());
            }
            let had = incoming.packets.capacity();
            while incoming.pop().is_some() {}
            assert_eq!(incoming.packets.capacity() == had, burst == 100, "{burst}");
        }
        (0..100_000).for_each(|_| _ = incoming.push(7, &from, message.clone()));
        incoming.forget(7);
        assert!(incoming.packets.capacity() <= KEPT_CAPACITY);
    }

    #[test]
    fn packets_of_peers_that_have_left_do_not_fill_the_memory() {
        let mut incoming = Incoming::default();
        fill(&mut incoming, 2, KEPT / 2);
        for round in 0..20 {
            fill(&mut incoming, 100 + round, KEPT / 4);
            incoming.trim(|id| id == 2);
            assert!(incoming.cost <= KEPT, "round {round}");
        }
        let live = incoming.packets.iter().filter(|packet| packet.sender == 2).count();
        assert_eq!(live, KEPT / 2 / (1024 * 1024), "a live peer loses nothing");
        assert!(incoming.packets.iter().any(|packet| packet.sender == 119), "the latest are kept");
        assert!(incoming.packets.iter().all(|packet| packet.sender != 100), "the oldest go first");
        while incoming.pop().is_some() {}
        assert_eq!(incoming.cost, 0);
    }
}
