//! What is not worth sending for ever: how a message is delivered, and a queue in which some entries grow stale
//! (`unreliable_lifetime`).

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// What becomes of a message that has to wait because the transport is slower than what is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Delivery {
    /// It arrives, in its place.
    #[default]
    Reliable,
    /// It was put at that time, and is dropped once it has waited for longer than the connection's unreliable lifetime. Without one it
    /// arrives.
    Unreliable(Instant),
    /// It takes the place of one with the same key that waits, but stands at the end of the queue.
    Latest(i64),
}

/// Entries in order, of which the unreliable ones are worth sending for a while only.
///
/// One that has waited longer than the lifetime is dropped when its turn comes, or when the queue is
/// [cleared of stale ones](Self::drop_stale). Order is kept among the rest; reliable entries are never dropped, overtaken or
/// held back. The lifetime counts from when an entry was put, also for those that wait already when it is changed.
#[derive(Debug)]
pub struct LifetimeQueue<T> {
    lifetime: Option<Duration>,
    entries: VecDeque<Entry<T>>,
    /// How many of them are unreliable.
    unreliable: usize,
}

/// An entry that was taken out of a [`LifetimeQueue`], with what is needed to put it back.
#[derive(Debug)]
pub struct Entry<T> {
    /// `None`: reliable.
    put_at: Option<Instant>,
    /// What was put.
    pub item: T,
}

impl<T> Default for LifetimeQueue<T> {
    fn default() -> Self {
        Self { lifetime: None, entries: VecDeque::new(), unreliable: 0 }
    }
}

impl<T> LifetimeQueue<T> {
    /// Changes at once how long unreliable entries are worth sending; `None`: for ever (default).
    pub fn set_lifetime(&mut self, lifetime: Option<Duration>) {
        self.lifetime = lifetime;
    }

    /// Puts an entry that is never dropped at the end.
    pub fn push_reliable(&mut self, item: T) {
        self.entries.push_back(Entry { put_at: None, item });
    }

    /// Puts an entry that may grow stale at the end.
    pub fn push_unreliable(&mut self, item: T, now: Instant) {
        self.unreliable += 1;
        self.entries.push_back(Entry { put_at: Some(now), item });
    }

    /// Takes the next entry that is worth sending. Those before it are handed to `dropped`.
    pub fn pop(&mut self, now: Instant, dropped: impl FnMut(T)) -> Option<T> {
        self.pop_entry(now, dropped).map(|entry| entry.item)
    }

    /// As [`pop`](Self::pop), for who may have to [put it back](Self::put_back).
    pub fn pop_entry(&mut self, now: Instant, mut dropped: impl FnMut(T)) -> Option<Entry<T>> {
        loop {
            let entry = self.entries.pop_front()?;
            self.unreliable -= usize::from(entry.put_at.is_some());
            if !self.is_stale(&entry, now) {
                return Some(entry);
            }
            dropped(entry.item);
        }
    }

    /// Puts an entry back to where it was taken from, at the front.
    pub fn put_back(&mut self, entry: Entry<T>) {
        self.unreliable += usize::from(entry.put_at.is_some());
        self.entries.push_front(entry);
    }

    /// Whether an entry that was taken out is stale by now.
    pub fn is_stale(&self, entry: &Entry<T>, now: Instant) -> bool {
        is_stale(self.lifetime, entry.put_at, now)
    }

    /// The last moment at which that entry is worth sending; `None`: there is no last one.
    pub fn fresh_until(&self, entry: &Entry<T>) -> Option<Instant> {
        entry.put_at?.checked_add(self.lifetime?)
    }

    /// The last moment at which the first unreliable entry is worth sending.
    pub fn first_fresh_until(&self) -> Option<Instant> {
        if self.unreliable == 0 || self.lifetime.is_none() {
            return None;
        }
        self.fresh_until(self.entries.iter().find(|entry| entry.put_at.is_some())?)
    }

    /// Takes out the entry that `is_meant` finds first.
    pub fn remove(&mut self, mut is_meant: impl FnMut(&T) -> bool) -> Option<T> {
        let place = self.entries.iter().position(|entry| is_meant(&entry.item))?;
        let entry = self.entries.remove(place)?;
        self.unreliable -= usize::from(entry.put_at.is_some());
        Some(entry.item)
    }

    /// Gives back memory while nothing waits.
    pub fn release_memory(&mut self) {
        if self.entries.is_empty() {
            self.entries = VecDeque::new();
        }
    }

    /// How long unreliable entries are worth sending; `None`: for ever.
    pub fn lifetime(&self) -> Option<Duration> {
        self.lifetime
    }

    /// Drops every stale entry, wherever it stands: for a queue that is full while nothing is taken out of it.
    pub fn drop_stale(&mut self, now: Instant, mut dropped: impl FnMut(T)) {
        let lifetime = self.lifetime;
        if self.unreliable == 0
            || lifetime.is_none()
            || !self.entries.iter().any(|entry| is_stale(lifetime, entry.put_at, now))
        {
            return;
        }
        for entry in std::mem::take(&mut self.entries) {
            if is_stale(lifetime, entry.put_at, now) {
                self.unreliable -= 1;
                dropped(entry.item);
            } else {
                self.entries.push_back(entry);
            }
        }
    }

    /// How many entries wait, stale ones included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// A clock that goes backwards makes nothing stale.
fn is_stale(lifetime: Option<Duration>, put_at: Option<Instant>, now: Instant) -> bool {
    lifetime.zip(put_at).is_some_and(|(lifetime, put_at)| now.saturating_duration_since(put_at) > lifetime)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[allow(clippy::disallowed_methods, reason = "an Instant can be had in no other way")]
    fn start() -> Instant {
        Instant::now()
    }

    fn popped(queue: &mut LifetimeQueue<u32>, now: Instant) -> (Vec<u32>, Vec<u32>) {
        let (mut sent, mut dropped) = (Vec::new(), Vec::new());
        while let Some(item) = queue.pop(now, |item| dropped.push(item)) {
            sent.push(item);
        }
        (sent, dropped)
    }

    #[test]
    fn without_a_lifetime_everything_arrives() {
        let now = start();
        let mut queue = LifetimeQueue::default();
        queue.push_unreliable(1, now);
        queue.push_reliable(2);
        queue.push_unreliable(3, now);
        assert_eq!(queue.len(), 3);
        queue.drop_stale(now + 1_000_000 * MS, |_| panic!("nothing is stale"));
        assert_eq!(popped(&mut queue, now + 1_000_000 * MS), (vec![1, 2, 3], vec![]));
        assert!(queue.is_empty());
    }

    #[test]
    fn stale_ones_are_dropped_when_their_turn_comes() {
        let now = start();
        let mut queue = LifetimeQueue::default();
        queue.set_lifetime(Some(100 * MS));
        queue.push_unreliable(1, now);
        queue.push_reliable(2);
        queue.push_unreliable(3, now + 50 * MS);
        queue.push_unreliable(4, now + 51 * MS);
        assert_eq!(
            popped(&mut queue, now + 151 * MS),
            (vec![2, 4], vec![1, 3]),
            "just that old is not too old"
        );
    }

    #[test]
    fn a_change_counts_for_those_that_wait() {
        let now = start();
        let mut queue = LifetimeQueue::default();
        queue.push_unreliable(1, now);
        queue.push_reliable(2);
        queue.set_lifetime(Some(100 * MS));
        let mut dropped = Vec::new();
        queue.drop_stale(now + 101 * MS, |item| dropped.push(item));
        assert_eq!((dropped, queue.len()), (vec![1], 1));
        queue.push_unreliable(3, now);
        queue.set_lifetime(None);
        assert_eq!(popped(&mut queue, now + 500 * MS), (vec![2, 3], vec![]));
        queue.set_lifetime(Some(Duration::ZERO));
        queue.push_unreliable(4, now);
        queue.push_unreliable(5, now + MS);
        assert_eq!(popped(&mut queue, now), (vec![4, 5], vec![]), "nor does a clock that goes backwards");
    }

    /// Against a list of all that was ever put.
    #[test]
    fn any_history() {
        let mut seed = 1_u64;
        let mut next = |limit: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed % limit
        };
        for _ in 0..2000 {
            let mut now = start();
            let mut queue = LifetimeQueue::default();
            let (mut lifetime, mut waiting) = (None, VecDeque::new());
            let (mut last_sent, mut number) = (None, 0_u32);
            for _ in 0..next(60) {
                let is_stale = |put_at: Option<Instant>, lifetime: Option<Duration>, now: Instant| matches!((put_at, lifetime), (Some(put_at), Some(lifetime)) if now - put_at > lifetime);
                match next(7) {
                    0 | 1 => {
                        number += 1;
                        queue.push_reliable(number);
                        waiting.push_back((number, None));
                    }
                    2 | 3 => {
                        number += 1;
                        queue.push_unreliable(number, now);
                        waiting.push_back((number, Some(now)));
                    }
                    4 => now += MS * u32::try_from(next(80)).unwrap(),
                    5 => {
                        lifetime = (next(4) > 0).then(|| MS * u32::try_from(next(150)).unwrap());
                        queue.set_lifetime(lifetime);
                        if next(3) == 0 {
                            let mut dropped = Vec::new();
                            queue.drop_stale(now, |item| dropped.push(item));
                            let stale = |put_at: &Option<Instant>| is_stale(*put_at, lifetime, now);
                            let expected: Vec<u32> = waiting
                                .iter()
                                .filter(|(_, put_at)| stale(put_at))
                                .map(|(item, _)| *item)
                                .collect();
                            waiting.retain(|(_, put_at)| !stale(put_at));
                            assert_eq!(dropped, expected);
                        }
                    }
                    _ => {
                        let mut dropped = Vec::new();
                        let sent = queue.pop(now, |item| dropped.push(item));
                        let mut stale = Vec::new();
                        let expected = loop {
                            match waiting.pop_front() {
                                Some((item, put_at)) if is_stale(put_at, lifetime, now) => stale.push(item),
                                other => break other.map(|(item, _)| item),
                            }
                        };
                        assert_eq!((sent, dropped), (expected, stale));
                        assert!(sent.is_none() || sent > last_sent, "in order");
                        last_sent = sent.or(last_sent);
                    }
                }
                assert_eq!(queue.len(), waiting.len());
            }
        }
    }
}
