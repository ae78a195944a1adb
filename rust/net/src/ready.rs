//! The run queue: who is ready for a turn.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    time::{Duration, Instant},
};

use rust_websocket_proto::admission::AddressKey;

use crate::ids::IdMap;

/// A handshake that waits for longer has little hope; where there are many of these, others of that address that have only
/// begun come first, since those can still be in time.
const PATIENCE: Duration = Duration::from_millis(250);

/// The order in which connections and listeners work. Each stands in it once, however many reasons there are:
/// whoever always has more to do would otherwise get a further share with every event, and the others would
/// wait longer and longer.
///
/// Pending handshakes stand in a line of their own, which gets its share behind those who are ready: a TLS handshake takes as
/// long as a thousand other turns, for the signature. So a crowd of them holds nobody up, and gets in one after the other
/// instead of all together at its end.
#[derive(Default)]
pub(crate) struct ReadyList {
    queue: VecDeque<usize>,
    handshakes: Handshakes,
    /// Who waits; those in the line of handshakes with their address.
    waiting: IdMap<usize, Option<Line>>,
}

/// Whose line of handshakes; `None`: our own.
type Line = Option<AddressKey>;

/// Pending handshakes that have something to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Handshake {
    pub(crate) id: usize,
    /// Whose it is; `None`: our own.
    pub(crate) address: Line,
    /// Its turn may be one with a step of TLS.
    pub(crate) is_slow: bool,
    /// What takes long is behind it: it comes first, and is in, where others would only begin.
    pub(crate) is_advanced: bool,
}

impl ReadyList {
    /// Whoever waits in the line of handshakes has no more reason to.
    pub(crate) fn push(&mut self, id: usize) {
        match self.waiting.insert(id, None) {
            Some(None) => {}
            Some(Some(line)) => {
                self.handshakes.remove(id, line);
                self.queue.push_back(id);
            }
            None => self.queue.push_back(id),
        }
    }

    pub(crate) fn push_handshake(&mut self, handshake: Handshake, now: Instant) {
        if let Entry::Vacant(vacant) = self.waiting.entry(handshake.id) {
            vacant.insert(Some(handshake.address));
            self.handshakes.push(handshake, now);
        }
    }

    pub(crate) fn pop(&mut self) -> Option<usize> {
        let id = self.queue.pop_front()?;
        self.waiting.remove(&id);
        Some(id)
    }

    pub(crate) fn pop_handshake(&mut self, now: Instant) -> Option<usize> {
        let id = self.handshakes.pop(now)?;
        self.waiting.remove(&id);
        Some(id)
    }

    /// It has nothing to do any more.
    pub(crate) fn forget_handshake(&mut self, id: usize) {
        if let Some(&Some(line)) = self.waiting.get(&id) {
            self.handshakes.remove(id, line);
            self.waiting.remove(&id);
        }
    }

    /// How many are ready, without pending handshakes.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn has_handshakes(&self) -> bool {
        !self.handshakes.turns.is_empty()
    }

    /// Whether there is a handshake among them whose turn may be slow.
    pub(crate) fn has_slow(&self) -> bool {
        self.handshakes.slow > 0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// Addresses take turns: whoever begins a thousand handshakes a second waits for his own.
#[derive(Debug, Default)]
struct Handshakes {
    lines: HashMap<Line, VecDeque<(Handshake, Instant)>>,
    /// Those that have a line, in the order of their turns.
    turns: VecDeque<Line>,
    slow: usize,
}

impl Handshakes {
    fn push(&mut self, handshake: Handshake, now: Instant) {
        let line = self.lines.entry(handshake.address).or_default();
        if line.is_empty() {
            self.turns.push_back(handshake.address);
        }
        if handshake.is_advanced {
            line.push_front((handshake, now));
        } else {
            line.push_back((handshake, now));
        }
        self.slow += usize::from(handshake.is_slow);
    }

    fn pop(&mut self, now: Instant) -> Option<usize> {
        let address = self.turns.pop_front()?;
        let line = self.lines.get_mut(&address)?;
        let is_late = line.front().is_some_and(|(first, since)| {
            !first.is_advanced && now.saturating_duration_since(*since) > PATIENCE
        });
        let next = if is_late { line.pop_back() } else { line.pop_front() };
        if line.is_empty() {
            self.lines.remove(&address);
        } else {
            self.turns.push_back(address);
        }
        let (handshake, _) = next?;
        self.slow -= usize::from(handshake.is_slow);
        Some(handshake.id)
    }

    fn remove(&mut self, id: usize, address: Line) {
        let Some(line) = self.lines.get_mut(&address) else { return };
        let found = line.iter().position(|(handshake, _)| handshake.id == id);
        if let Some((handshake, _)) = found.and_then(|index| line.remove(index)) {
            self.slow -= usize::from(handshake.is_slow);
        }
        if line.is_empty() {
            self.lines.remove(&address);
            self.turns.retain(|turn| *turn != address);
        }
    }
}

#[cfg(test)]
mod tests {
    use rust_websocket_proto::admission::Address;

    use super::*;

    fn handshake(id: usize, address: &str) -> Handshake {
        let address: std::net::IpAddr = address.parse().unwrap();
        Handshake { id, address: Some(Address::from(address).key()), is_slow: true, is_advanced: false }
    }

    fn pop_all(ready: &mut ReadyList, now: Instant) -> Vec<usize> {
        std::iter::from_fn(|| ready.pop_handshake(now)).collect()
    }

    #[test]
    fn whoever_is_ready_for_several_reasons_gets_one_turn() {
        let mut ready = ReadyList::default();
        for id in [1, 2, 1, 1, 3, 2] {
            ready.push(id);
        }
        assert_eq!((ready.pop(), ready.pop()), (Some(1), Some(2)));
        ready.push(1);
        assert_eq!((ready.pop(), ready.pop(), ready.pop()), (Some(3), Some(1), None));
    }

    #[test]
    fn handshakes_have_a_line_of_their_own() {
        let (mut ready, now) = (ReadyList::default(), Instant::now());
        ready.push_handshake(handshake(1, "127.0.0.1"), now);
        ready.push_handshake(handshake(2, "127.0.0.1"), now);
        ready.push(3);
        ready.push_handshake(handshake(1, "127.0.0.1"), now);
        assert_eq!((ready.pop(), ready.pop()), (Some(3), None));
        assert_eq!(ready.pop_handshake(now), Some(1));
        assert!(!ready.is_empty() && ready.has_slow());
        ready.push(1);
        assert_eq!(ready.pop(), Some(1));
        assert_eq!((ready.pop_handshake(now), ready.pop_handshake(now)), (Some(2), None));
        assert!(ready.is_empty() && !ready.has_slow());
    }

    #[test]
    fn who_is_nearly_in_comes_before_those_who_begin() {
        let (mut ready, now) = (ReadyList::default(), Instant::now());
        ready.push_handshake(handshake(1, "10.0.0.1"), now);
        ready.push_handshake(handshake(2, "10.0.0.1"), now);
        ready.push_handshake(Handshake { is_advanced: true, ..handshake(3, "10.0.0.1") }, now);
        ready.push_handshake(handshake(4, "10.0.0.2"), now);
        assert_eq!(pop_all(&mut ready, now + PATIENCE * 2), [3, 4, 2, 1]);
    }

    #[test]
    fn addresses_take_turns_whoever_has_begun_most() {
        let (mut ready, now) = (ReadyList::default(), Instant::now());
        for id in 0..1000 {
            ready.push_handshake(handshake(id, "10.0.0.1"), now);
        }
        ready.push_handshake(handshake(1000, "10.0.0.2"), now);
        ready.push_handshake(handshake(1001, "fd00::1"), now);
        ready.push_handshake(handshake(1002, "fd00::2"), now);
        let order = pop_all(&mut ready, now);
        assert_eq!(order[..6], [0, 1000, 1001, 1, 1002, 2]);
        assert_eq!(order.len(), 1003);
        assert!(ready.is_empty() && ready.handshakes.lines.is_empty() && ready.handshakes.turns.is_empty());
    }

    #[test]
    fn where_many_wait_for_long_the_newest_come_first() {
        let (mut ready, start) = (ReadyList::default(), Instant::now());
        for id in 0..4 {
            ready.push_handshake(handshake(id, "10.0.0.1"), start + Duration::from_millis(id as u64 * 100));
        }
        let late = start + PATIENCE + Duration::from_millis(50);
        assert_eq!(
            ready.pop_handshake(start + PATIENCE),
            Some(0),
            "in their order while nobody waits for long"
        );
        assert_eq!(pop_all(&mut ready, late + Duration::from_millis(100)), [3, 2, 1]);
    }
    /// A timeout is met on time however many are in front.
    #[test]
    fn what_is_due_does_not_wait_in_the_line() {
        let (mut ready, now) = (ReadyList::default(), Instant::now());
        for id in 0..3 {
            ready.push_handshake(handshake(id, "10.0.0.1"), now);
        }
        ready.push_handshake(handshake(3, "10.0.0.2"), now);
        ready.push(1);
        ready.push(3);
        ready.push_handshake(handshake(1, "10.0.0.1"), now);
        ready.forget_handshake(2);
        assert_eq!((ready.pop(), ready.pop(), ready.pop()), (Some(1), Some(3), None));
        assert_eq!(pop_all(&mut ready, now), [0]);
        assert!(ready.is_empty() && !ready.has_slow() && ready.handshakes.turns.is_empty());
    }
}
