//! Messages that wait to be framed: where some of them are not worth sending for ever (`unreliable_lifetime`, `send_latest`), framing
//! is put off until the transport takes more, for a frame in the output is out of reach.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Connection, State};
use crate::{
    Amount, Compressor, Delivery, MessageKind, SendError,
    frame::FrameKind,
    timer::Timer,
    waiting::{FIRST_CHUNK, LARGEST_CHUNK, Unframed, Waiting},
};

impl Connection {
    /// Queues a message, to be delivered as `delivery` says. Otherwise like [`send_with`](Self::send_with).
    ///
    /// # Errors
    /// As there.
    pub fn send_as(
        &mut self,
        kind: MessageKind,
        payload: Bytes,
        delivery: Delivery,
        compressor: &mut Compressor,
    ) -> Result<(), SendError> {
        let key = match delivery {
            Delivery::Latest(key) => Some(key),
            Delivery::Reliable | Delivery::Unreliable(_) => None,
        };
        if self.waiting.is_none() && key.is_none() {
            return self.send_with(kind, payload, compressor);
        }
        if !self.is_open() {
            return Err(SendError::NotOpen);
        }
        if let Some(key) = key
            && self.waiting.as_ref().is_some_and(|waiting| waiting.has_framed(key))
        {
            self.take_back();
        }
        let waiting = self.waiting.get_or_insert_with(|| Box::new(Waiting::new(None)));
        waiting.put(Unframed { kind, payload, key }, delivery);
        if self.backlog.is_some_and(|backlog| backlog.is_refused) {
            self.watch_waiting();
        }
        Ok(())
    }

    /// Changes at once for how long messages that were put as [`Delivery::Unreliable`] are worth sending; `None`: for ever. It also holds
    /// for those that wait to be framed, which none does before there is a lifetime.
    pub fn set_unreliable_lifetime(&mut self, lifetime: Option<Duration>) {
        match &mut self.waiting {
            Some(waiting) => waiting.queue.set_lifetime(lifetime),
            None if lifetime.is_some() => self.waiting = Some(Box::new(Waiting::new(lifetime))),
            None => {}
        }
        self.timers.set(Timer::Stale, None);
    }

    /// Frames what the transport can be offered next, and drops what is not worth it any more. To be called before each look at the
    /// [`output`](Self::output) of a connection to which messages are [sent so](Self::send_as), while the transport takes more.
    pub fn fill_output(&mut self, now: Instant, compressor: &mut Compressor) {
        self.take_back_stale(now);
        loop {
            let Some(waiting) = &mut self.waiting else { return };
            waiting.seen_at = waiting.seen_at.max(Some(now));
            if self.output.len() >= waiting.chunk {
                return;
            }
            let Some(entry) = waiting.pop(now) else { break };
            let (kind, payload) = (entry.item.kind, entry.item.payload.clone());
            waiting.framed.push_back(entry);
            self.frame_message(kind, payload, compressor);
        }
        if let Some(idle) = self.waiting.take_if(|waiting| waiting.is_idle()) {
            self.dropped += idle.dropped;
        }
    }

    /// Frames that are not begun go back into the queue if one of them has grown stale.
    fn take_back_stale(&mut self, now: Instant) {
        if self.waiting.as_ref().is_some_and(|waiting| waiting.has_stale_frame(now)) {
            self.take_back();
        }
    }

    /// Frames that are not begun go back into the queue.
    pub(super) fn take_back(&mut self) {
        let Some(waiting) = &mut self.waiting else { return };
        let count = self.output.unbegun().min(waiting.framed.len());
        self.output.take_back(count);
        for _ in 0..count {
            let Some(entry) = waiting.framed.pop_back() else { break };
            waiting.amount.bytes += entry.item.payload.len();
            waiting.amount.messages += 1;
            waiting.queue.put_back(entry);
        }
        if count > 0
            && let Some(deflater) = &mut self.deflater
        {
            // Later messages must not refer to what the other side will never see.
            deflater.forget_context();
        }
    }

    /// Some output was written: what is begun cannot be taken back.
    pub(super) fn note_begun(&mut self) {
        let Some(waiting) = &mut self.waiting else { return };
        let unbegun = self.output.unbegun();
        while waiting.framed.len() > unbegun {
            waiting.framed.pop_front();
        }
        if self.output.is_empty() {
            waiting.chunk = (waiting.chunk * 2).min(LARGEST_CHUNK);
        }
    }

    /// The transport takes no more for now: less is framed at once from here on, and what grows stale meanwhile is dropped.
    pub(super) fn note_refused(&mut self) {
        if let Some(waiting) = &mut self.waiting {
            waiting.chunk = FIRST_CHUNK;
            self.watch_waiting();
        }
    }

    fn watch_waiting(&mut self) {
        if let Some(waiting) = &self.waiting
            && !self.timers.is_set(Timer::Stale)
            && let Some(until) = waiting.fresh_until()
        {
            // It is still worth sending at that moment.
            self.timers.set(Timer::Stale, until.checked_add(Duration::from_millis(1)));
        }
    }

    /// Drops what has grown stale while the transport takes nothing.
    pub(super) fn drop_stale(&mut self, now: Instant) {
        self.take_back_stale(now);
        if let Some(waiting) = &mut self.waiting {
            waiting.drop_stale(now);
            self.watch_waiting();
        }
    }

    /// What the transport was offered last and has not taken counts as begun: it has to be offered again.
    pub fn pin_output(&mut self) {
        self.output.pin();
        self.note_begun();
    }

    /// Frames all that waits and is worth it: nothing follows but perhaps a close frame.
    pub(super) fn flush_waiting(&mut self) {
        let Some(mut waiting) = self.waiting.take() else { return };
        let now = waiting.seen_at.unwrap_or(self.received_at);
        while let Some(entry) = waiting.pop(now) {
            let Unframed { kind, payload, .. } = entry.item;
            self.queue_frame(FrameKind::Message(kind), payload);
        }
        self.dropped += waiting.dropped;
    }

    /// Bytes that are framed and not written.
    pub(crate) fn output_size(&self) -> u64 {
        self.output.len()
    }

    /// What waits to be framed.
    pub(super) fn waiting_amount(&self) -> Amount {
        self.waiting.as_ref().map_or(Amount::default(), |waiting| waiting.amount)
    }

    /// Messages dropped since the last call, because they had grown stale or another of the same key took their place.
    pub fn take_dropped(&mut self) -> u64 {
        let waiting = self.waiting.as_mut().map_or(0, |waiting| std::mem::take(&mut waiting.dropped));
        waiting + std::mem::take(&mut self.dropped)
    }

    /// Messages compressed since the last call, and how often the codec ran for that.
    pub fn take_compressed(&mut self) -> (u64, u64) {
        self.deflater.as_mut().map_or((0, 0), |deflater| deflater.take_counts())
    }

    fn frame_message(&mut self, kind: MessageKind, payload: Bytes, compressor: &mut Compressor) {
        match self.deflater.as_mut().and_then(|deflater| deflater.compress(&payload, compressor)) {
            Some(packed) => {
                let key = self.masks.as_mut().map(|masks| masks.next_key());
                self.trace_sending(FrameKind::Message(kind), &packed, Some(&payload));
                self.output.push_compressed(kind, packed, key, payload.len());
            }
            None => self.queue_frame(FrameKind::Message(kind), payload),
        }
    }

    /// Queues a message. A message that goes to several connections (clones of one `payload`) through the same
    /// `compressor` is compressed once where no context is kept.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_with(
        &mut self,
        kind: MessageKind,
        payload: Bytes,
        compressor: &mut Compressor,
    ) -> Result<(), SendError> {
        if !matches!(self.state, State::Open(_)) {
            return Err(SendError::NotOpen);
        }
        if self.waiting.is_some() {
            return self.send_as(kind, payload, Delivery::Reliable, compressor);
        }
        self.frame_message(kind, payload, compressor);
        Ok(())
    }
}
