//! Connections that are not open yet: their share of the thread, and what they may hold.

use std::{
    cmp::Reverse,
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

use super::Reactor;

/// What pending handshakes get of a turn behind those who are ready, at least. It ends behind the one that exceeds it.
const HANDSHAKES: Duration = Duration::from_millis(1);

/// What answers that nobody has fetched may hold in all, in bytes.
const MAX_UNFETCHED: u64 = 256 * 1024 * 1024;
/// As much is left where those who hold most were cut off.
const UNFETCHED_LEFT: u64 = MAX_UNFETCHED / 8 * 7;

/// Connections whose handshake has failed and that wait for the other side's end, so that what they were told arrives.
const MAX_LINGERING: usize = 256;

/// A handshake that has come to nothing by then, and a client that has not fetched its answer, may be cut off where there is no room
/// for others: of the address that has most of them, and of any other.
const LEAST_TIME: Duration = Duration::from_secs(1);
const LEAST_TIME_OF_OTHERS: Duration = Duration::from_secs(3);

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

    /// The same on the thread of somebody who polls: nothing of TLS, and until the turn's end, but one at least, since those who are in
    /// may need all of each turn.
    pub(super) fn shake_hands_quickly(&mut self, ends_at: Instant) {
        while self.ready.has_handshakes() && !self.ready.has_slow() {
            let now = Instant::now();
            let Some(id) = self.ready.pop_handshake(now) else { return };
            self.work_unless_slow(id);
            if now >= ends_at {
                return;
            }
        }
    }

    /// A connection's handshake has failed. It lingers for a while, but only so many do: a client that makes them fail as fast as it
    /// can holds no more than that.
    pub(super) fn note_failed(&mut self, id: usize) {
        self.lingering.push_back(id);
        self.unfetched += self.conns.get(&id).map_or(0, |entry| entry.conn.unfetched());
        if self.unfetched > MAX_UNFETCHED {
            self.bound_answers();
        }
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

    /// Counts anew what answers hold that were not fetched, and cuts off those who hold most if it is too much.
    fn bound_answers(&mut self) {
        self.lingering.retain(|id| self.conns.contains_key(id));
        let held: Vec<_> = self
            .lingering
            .iter()
            .filter_map(|id| {
                let conn = &self.conns.get(id)?.conn;
                let (address, since) = conn.hangs()?;
                Some((address, *id, since, conn.unfetched()))
            })
            .collect();
        self.unfetched = held.iter().map(|(.., size)| size).sum();
        if self.unfetched > MAX_UNFETCHED {
            let (victims, left) = those_who_hold_most(held, UNFETCHED_LEFT);
            victims.into_iter().for_each(|id| self.cut(id));
            self.unfetched = left;
        }
    }

    /// Somebody has no place at a listener: cuts off the handshakes there that hang for long, of one address. True if there were
    /// some, at the end of which the listener looks again.
    pub(super) fn free_places(&mut self, listener: usize, now: Instant) -> bool {
        let at_it = self.conns.iter().filter(|(_, entry)| entry.conn.pending_at() == Some(listener));
        let victims = those_who_make_way(at_it.filter_map(|(id, entry)| entry.as_hanging(*id, now)));
        self.cut_all(victims)
    }

    /// There is no descriptor for others: cuts off those who linger, and of one address the handshakes that hang for long and the
    /// answers that were not fetched for long. True if there were some.
    pub(super) fn free_descriptors(&mut self, now: Instant) -> bool {
        // Also those that were open, and over which the place of another stands by now.
        let lingering = self.conns.iter().filter(|(_, entry)| entry.conn.lingers());
        let mut victims: Vec<usize> = lingering.map(|(id, _)| *id).collect();
        let others = self.conns.iter().filter(|(_, entry)| !entry.conn.lingers());
        victims.extend(those_who_make_way(others.filter_map(|(id, entry)| entry.as_hanging(*id, now))));
        self.cut_all(victims)
    }

    fn cut_all(&mut self, victims: Vec<usize>) -> bool {
        let is_any = !victims.is_empty();
        victims.into_iter().for_each(|id| self.cut(id));
        self.lingering.retain(|id| self.conns.contains_key(id));
        is_any
    }

    fn cut(&mut self, id: usize) {
        let listener = self.conns.get(&id).and_then(|entry| entry.conn.pending_at());
        _ = self.with_conn(id, |conn, turn| conn.end(turn.sockets));
        self.remove(id);
        if let Some(acceptor) = listener.and_then(|listener| self.acceptors.get_mut(&listener)) {
            acceptor.pending_ended();
            self.ready.push(acceptor.id());
        }
    }
}

/// Who is cut off of handshakes that are pending: whose each is, its number, and for how long it has hung. The address that has most of
/// them is judged by all of them: who makes way and comes again is as young as can be, and must not have somebody else take the blame.
fn those_who_make_way<A: Eq + Hash + Copy>(
    hanging: impl Iterator<Item = (A, usize, Duration)>,
) -> Vec<usize> {
    let mut by_address: HashMap<A, Vec<(usize, Duration)>> = HashMap::new();
    for (address, id, age) in hanging {
        by_address.entry(address).or_default().push((id, age));
    }
    let mut addresses: Vec<_> = by_address.into_values().collect();
    addresses.sort_by_key(|all| Reverse(all.len()));
    let mut least = LEAST_TIME;
    for all in addresses {
        let old: Vec<_> = all.into_iter().filter(|(_, age)| *age >= least).map(|(id, _)| id).collect();
        if !old.is_empty() {
            return old;
        }
        least = LEAST_TIME_OF_OTHERS;
    }
    Vec::new()
}

/// Who is cut off so that no more than `most` bytes are held: whose each is, its number, since when it holds how much. The address
/// that holds most loses its oldest first. With what is left then.
fn those_who_hold_most<A: Eq + Hash + Copy>(
    held: Vec<(A, usize, Instant, u64)>,
    most: u64,
) -> (Vec<usize>, u64) {
    let mut by_address: HashMap<A, Vec<(Instant, usize, u64)>> = HashMap::new();
    for (address, id, since, size) in held {
        by_address.entry(address).or_default().push((since, id, size));
    }
    let sum = |all: &[(Instant, usize, u64)]| -> u64 { all.iter().map(|(.., size)| size).sum() };
    let mut addresses: Vec<_> = by_address.into_values().collect();
    addresses.sort_by_key(|all| Reverse(sum(all)));
    let mut left = addresses.iter().map(|all| sum(all)).sum();
    let mut victims = Vec::new();
    for mut all in addresses {
        all.sort_unstable();
        for (_, id, size) in all {
            if left <= most {
                return (victims, left);
            }
            victims.push(id);
            left -= size;
        }
    }
    (victims, left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_most_loses_the_oldest_answers() {
        let begun = Instant::now();
        let at = |age: u64| begun + Duration::from_secs(10 - age);
        let held = vec![('a', 0, at(9), 40), ('b', 1, at(1), 30), ('b', 2, at(5), 20), ('b', 3, at(3), 10)];
        assert_eq!(those_who_hold_most(held.clone(), 100), (vec![], 100));
        assert_eq!(those_who_hold_most(held.clone(), 75), (vec![2, 3], 70));
        assert_eq!(those_who_hold_most(held, 30), (vec![2, 3, 1, 0], 0));
        assert_eq!(those_who_hold_most(vec![('a', 7, begun, 1)], 0), (vec![7], 0));
    }

    /// Those who make way of so many for each address, each for so many milliseconds; they are numbered as they stand here.
    fn victims(hanging: &[(char, &[u64])]) -> Vec<usize> {
        let all = hanging.iter().flat_map(|(address, ages)| ages.iter().map(|age| (*address, *age)));
        let aged = all.enumerate().map(|(id, (address, age))| (address, id, Duration::from_millis(age)));
        those_who_make_way(aged)
    }

    #[test]
    fn who_has_most_makes_way() {
        assert_eq!(victims(&[]), [0_usize; 0]);
        assert_eq!(
            victims(&[('a', &[2000]), ('b', &[1000, 999, 5000])]),
            [1, 3],
            "once it hangs for a second"
        );
    }

    #[test]
    fn nobody_pays_for_an_address_that_comes_again_and_again() {
        assert_eq!(victims(&[('a', &[2000]), ('b', &[10, 20, 30])]), [0_usize; 0]);
        assert_eq!(
            victims(&[('a', &[3000, 10]), ('b', &[10, 20, 30]), ('c', &[9000])]),
            [0],
            "but not for ever"
        );
    }
}
