//! Connections that are not open yet: their share of the thread, and what they may hold.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::Reactor;

/// What pending handshakes get of a turn behind those who are ready, at least. It ends behind the one that exceeds it.
const HANDSHAKES: Duration = Duration::from_millis(1);

/// Connections whose handshake has failed and that wait for the other side's end, so that what they were told arrives.
const MAX_LINGERING: usize = 256;

impl Reactor {
    /// Queues a connection or listener that has something to do.
    pub(super) fn make_ready(&mut self, id: usize) {
        let Some(entry) = self.conns.get(&id).filter(|entry| entry.address.is_some()) else {
            return self.ready.push(id);
        };
        self.ready.push_handshake(entry.as_handshake(id), Instant::now());
    }

    /// The share of pending handshakes: as long as the turn has taken before it served anybody (`overhead`), if that is more. Where
    /// asking for the readiness of a thousand sockets takes long, one handshake a turn would never be done with them.
    pub(super) fn shake_hands(&mut self, overhead: Duration) {
        let (begun, share) = (Instant::now(), overhead.max(HANDSHAKES));
        while let Some(id) = self.ready.pop_handshake(begun) {
            self.work(id);
            if begun.elapsed() >= share {
                return;
            }
        }
    }

    /// The same on the thread of somebody who polls: nothing of TLS, and until the turn's end.
    pub(super) fn shake_hands_quickly(&mut self, ends_at: Instant) {
        while self.ready.has_handshakes() && !self.ready.has_slow() {
            let now = Instant::now();
            if now >= ends_at {
                return;
            }
            let Some(id) = self.ready.pop_handshake(now) else { return };
            self.work_unless_slow(id);
        }
    }

    /// A connection's handshake has failed. It lingers for a while, but only so many do: a client that makes them fail as fast as it
    /// can holds no more than that.
    pub(super) fn note_failed(&mut self, id: usize) {
        self.lingering.push_back(id);
        for _ in 0..2 {
            if self.lingering.len() <= MAX_LINGERING {
                return;
            }
            let Some(oldest) = self.lingering.pop_front() else { return };
            match self.conns.get(&oldest).map(|entry| entry.conn.lingers()) {
                Some(true) => self.cut(oldest),
                Some(false) => self.lingering.push_back(oldest), // it still has something to say
                None => {}
            }
        }
    }

    /// There is no room for others: cuts off those who linger, and the handshakes that hang for long of the address that has
    /// most of those. True if there is room now.
    pub(super) fn make_room(&mut self, now: Instant) -> bool {
        let lingering = std::mem::take(&mut self.lingering);
        let (idle, busy) = lingering
            .into_iter()
            .filter(|id| self.conns.contains_key(id))
            .partition(|id| self.conns.get(id).is_some_and(|entry| entry.conn.lingers()));
        self.lingering = busy;
        let mut victims: Vec<usize> = idle.into();
        let mut hanging: HashMap<_, Vec<usize>> = HashMap::new();
        for (id, entry) in self.conns.iter().filter(|(_, entry)| entry.conn.may_be_sacrificed(now)) {
            hanging.entry(entry.address).or_default().push(*id);
        }
        victims.extend(hanging.into_values().max_by_key(Vec::len).unwrap_or_default());
        let has_room = !victims.is_empty();
        victims.into_iter().for_each(|id| self.cut(id));
        has_room
    }

    fn cut(&mut self, id: usize) {
        let listener = self.conns.get(&id).and_then(|entry| entry.conn.pending_at());
        _ = self.with_conn(id, |conn, turn| conn.end(turn.sockets));
        self.remove(id);
        if let Some(acceptor) = listener.and_then(|listener| self.acceptors.get_mut(&listener)) {
            acceptor.pending_ended();
        }
    }
}
