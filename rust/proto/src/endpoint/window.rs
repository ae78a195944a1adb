//! The receive window: what the owner may have unread, and what is read ahead of that.

use std::collections::VecDeque;

use crate::{Amount, Message, ReceiveLimits};

/// What a message that is held costs beside its payload.
const MESSAGE_OVERHEAD: usize = 64;

/// What becomes of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// They are handed out within the limits, and held beyond.
    Deliver,
    /// They are handed out whatever the limits: the connection is over, and its owner takes nothing.
    Flush,
    /// This side has closed: they are handed out within the limits, and dropped beyond.
    Closing,
    /// Nobody wants them.
    Drop,
}

/// Messages handed out and not consumed, and messages held back until some are.
#[derive(Debug)]
pub(super) struct Window {
    limits: ReceiveLimits,
    read_ahead: usize,
    unread: Amount,
    held: VecDeque<Message>,
    /// What holding them costs.
    held_size: usize,
    mode: Mode,
}

fn size_of(message: &Message) -> usize {
    message.payload.len().saturating_add(MESSAGE_OVERHEAD)
}

impl Window {
    pub(super) fn new(limits: ReceiveLimits, read_ahead: usize) -> Self {
        let held = VecDeque::new();
        Self { limits, read_ahead, unread: Amount::default(), held, held_size: 0, mode: Mode::Deliver }
    }

    /// A message was received. It comes back if it may be handed out now.
    pub(super) fn admit(&mut self, message: Message) -> Option<Message> {
        match self.mode {
            Mode::Deliver if !self.held.is_empty() || !self.has_room() => {
                self.held_size = self.held_size.saturating_add(size_of(&message));
                self.held.push_back(message);
                return None;
            }
            Mode::Closing if !self.has_room() => return None,
            Mode::Drop => return None,
            Mode::Deliver | Mode::Flush | Mode::Closing => {}
        }
        self.hand_out(&message);
        Some(message)
    }

    /// The next message that was held back, if there is room for it by now.
    pub(super) fn release(&mut self) -> Option<Message> {
        if self.mode != Mode::Flush && !self.has_room() {
            return None;
        }
        let message = self.held.pop_front()?;
        self.held_size = self.held_size.saturating_sub(size_of(&message));
        if self.held.is_empty() {
            self.held = VecDeque::new();
        }
        self.hand_out(&message);
        Some(message)
    }

    fn hand_out(&mut self, message: &Message) {
        self.unread.bytes = self.unread.bytes.saturating_add(message.payload.len());
        self.unread.messages += 1;
    }

    fn has_room(&self) -> bool {
        self.unread.messages < self.limits.messages && self.unread.bytes < self.limits.bytes
    }

    /// Whether another message may be decoded.
    pub(super) fn may_decode(&self) -> bool {
        self.mode != Mode::Deliver || self.held_size < self.read_ahead || self.has_room()
    }

    pub(super) fn consumed(&mut self, amount: Amount) {
        self.unread = self.unread.without(amount);
    }

    pub(super) fn unread(&self) -> Amount {
        self.unread
    }

    pub(super) fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    pub(super) fn held_size(&self) -> usize {
        self.held_size
    }

    pub(super) fn set_read_ahead(&mut self, read_ahead: usize) {
        self.read_ahead = read_ahead;
    }

    /// This side has closed: nothing is held for an owner who expects no more.
    pub(super) fn close(&mut self) {
        if self.mode == Mode::Deliver {
            self.mode = Mode::Closing;
            self.forget();
        }
    }

    /// Nobody takes messages any more.
    pub(super) fn drop_all(&mut self) {
        self.mode = Mode::Drop;
        self.forget();
    }

    /// What is held need not wait any longer.
    pub(super) fn flush(&mut self) {
        if self.mode == Mode::Deliver {
            self.mode = Mode::Flush;
        }
    }

    fn forget(&mut self) {
        self.held = VecDeque::new();
        self.held_size = 0;
    }
}
