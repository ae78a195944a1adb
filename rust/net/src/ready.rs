//! The run queue: who is ready for a turn.

use std::collections::{HashSet, VecDeque};

/// The order in which connections and listeners work. Each stands in it once, however many reasons there are:
/// whoever always has more to do would otherwise get a further share with every event, and the others would
/// wait longer and longer.
///
/// A turn in which a TLS handshake begins takes as long as a thousand others, for the signature: one of these
/// at a time, and those who have become ready meanwhile come first. So a crowd of pending handshakes holds
/// nobody up, and gets in one after the other instead of all together at its end.
#[derive(Default)]
pub(crate) struct ReadyList {
    queue: VecDeque<usize>,
    slow: VecDeque<usize>,
    waiting: HashSet<usize>,
}

impl ReadyList {
    pub(crate) fn push(&mut self, id: usize) {
        if self.waiting.insert(id) {
            self.queue.push_back(id);
        }
    }

    pub(crate) fn push_slow(&mut self, id: usize) {
        if self.waiting.insert(id) {
            self.slow.push_back(id);
        }
    }

    pub(crate) fn pop(&mut self) -> Option<usize> {
        let id = self.queue.pop_front()?;
        self.waiting.remove(&id);
        Some(id)
    }

    pub(crate) fn pop_slow(&mut self) -> Option<usize> {
        let id = self.slow.pop_front()?;
        self.waiting.remove(&id);
        Some(id)
    }

    /// How many are ready, without those whose turn is slow.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn has_slow(&self) -> bool {
        !self.slow.is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn handshakes_begin_behind_those_who_are_ready() {
        let mut ready = ReadyList::default();
        ready.push_slow(1);
        ready.push_slow(2);
        ready.push(3);
        ready.push(1);
        assert_eq!((ready.pop(), ready.pop()), (Some(3), None));
        assert_eq!(ready.pop_slow(), Some(1));
        assert!(!ready.is_empty());
        ready.push(1);
        assert_eq!((ready.pop(), ready.pop_slow(), ready.pop_slow()), (Some(1), Some(2), None));
        assert!(ready.is_empty());
    }
}
