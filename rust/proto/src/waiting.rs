//! A queue of messages that are not framed yet, and those of them that could be taken back.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::{Amount, Delivery, LifetimeQueue, MessageKind, lifetime::Entry};

/// Bytes that are framed at once for a transport that has just taken no more: what it takes in one go may exceed the limit on what it
/// holds by that much, and is out of reach then. About a segment of TCP.
pub(crate) const FIRST_CHUNK: u64 = 1024;
/// As much as that becomes while the transport takes everything.
pub(crate) const LARGEST_CHUNK: u64 = 16 * 1024;

/// A message as it was put.
#[derive(Debug)]
pub(crate) struct Unframed {
    pub(crate) kind: MessageKind,
    pub(crate) payload: Bytes,
    /// Of [`Delivery::Latest`].
    pub(crate) key: Option<i64>,
}

/// Messages that wait to be framed, and those that are framed and could be taken back.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    pub(crate) queue: LifetimeQueue<Unframed>,
    /// What waits in the queue.
    pub(crate) amount: Amount,
    /// In the output and not begun, as the last messages there.
    pub(crate) framed: VecDeque<Entry<Unframed>>,
    /// Some have had a key: what is sent is bounded from then on, so that the next one finds those before it unframed.
    pub(crate) has_keys: bool,
    /// How much is framed at once.
    pub(crate) chunk: u64,
    /// Messages dropped since that was asked for.
    pub(crate) dropped: u64,
    /// The latest time that was told.
    pub(crate) seen_at: Option<Instant>,
}

impl Waiting {
    pub(crate) fn new(lifetime: Option<Duration>) -> Self {
        let mut waiting = Self { chunk: FIRST_CHUNK, ..Self::default() };
        waiting.queue.set_lifetime(lifetime);
        waiting
    }

    /// Whether messages can be framed as they come: none has to wait for another, and none grows stale.
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.lifetime().is_none() && !self.has_keys && self.queue.is_empty() && self.framed.is_empty()
    }

    pub(crate) fn put(&mut self, message: Unframed, delivery: Delivery) {
        if let Some(key) = message.key {
            self.has_keys = true;
            self.replace(key);
        }
        self.amount.bytes += message.payload.len();
        self.amount.messages += 1;
        match delivery {
            Delivery::Unreliable(put_at) => {
                self.seen_at = self.seen_at.max(Some(put_at));
                self.queue.push_unreliable(message, put_at);
            }
            Delivery::Reliable | Delivery::Latest(_) => self.queue.push_reliable(message),
        }
    }

    /// Drops the message with that key, of which there is at most one.
    fn replace(&mut self, key: i64) {
        if let Some(replaced) = self.queue.remove(|message| message.key == Some(key)) {
            self.amount = self.amount.without(Amount::message(replaced.payload.len()));
            self.dropped += 1;
        }
    }

    pub(crate) fn pop(&mut self, now: Instant) -> Option<Entry<Unframed>> {
        let (mut gone, mut dropped) = (Amount::default(), 0);
        let entry = self.queue.pop_entry(now, |message| {
            gone.bytes += message.payload.len();
            gone.messages += 1;
            dropped += 1;
        });
        self.dropped += dropped;
        if let Some(entry) = &entry {
            gone.bytes += entry.item.payload.len();
            gone.messages += 1;
        } else {
            self.queue.release_memory();
        }
        self.amount = self.amount.without(gone);
        entry
    }

    pub(crate) fn drop_stale(&mut self, now: Instant) {
        let mut gone = Amount::default();
        self.queue.drop_stale(now, |message| {
            gone.bytes += message.payload.len();
            gone.messages += 1;
        });
        self.dropped += gone.messages as u64;
        self.amount = self.amount.without(gone);
    }

    /// The last moment at which everything that waits is worth sending.
    pub(crate) fn fresh_until(&self) -> Option<Instant> {
        let framed = self.framed.iter().filter_map(|entry| self.queue.fresh_until(entry)).min();
        [framed, self.queue.first_fresh_until()].into_iter().flatten().min()
    }

    pub(crate) fn has_stale_frame(&self, now: Instant) -> bool {
        self.framed.iter().any(|entry| self.queue.is_stale(entry, now))
    }

    pub(crate) fn has_framed(&self, key: i64) -> bool {
        self.framed.iter().any(|entry| entry.item.key == Some(key))
    }
}
