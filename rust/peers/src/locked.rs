//! A peer that several threads may call, one at a time.

use std::sync::Mutex;

use rust_websocket_net::lock;

use crate::{Lent, Refused, Reported};

/// What remembers the refusal of its last call.
pub trait Subject {
    /// A call was refused.
    fn note_refusal(&mut self, refused: &Refused);
}

/// A peer behind a lock, and which of its refusals have been reported.
#[derive(Debug, Default)]
pub struct Locked<T> {
    subject: Mutex<T>,
    /// Outside the lock: reports are printed while it is free.
    pub reported: Reported,
    /// Outside the lock: what callers read after it is free again.
    pub lent: Lent,
}

impl<T> Locked<T> {
    /// Puts it behind a lock.
    pub fn new(subject: T) -> Self {
        Self { subject: Mutex::new(subject), reported: Reported::default(), lent: Lent::default() }
    }

    /// Runs `call` on the peer. Nothing in there may emit a signal or print: a script's handler may
    /// use the peer.
    pub fn with<R>(&self, call: impl FnOnce(&mut T) -> R) -> R {
        call(&mut lock(&self.subject))
    }
}

impl<T: Subject> Locked<T> {
    /// Runs a call that may be refused.
    ///
    /// # Errors
    /// As the call.
    pub fn attempt<R>(&self, call: impl FnOnce(&mut T) -> Result<R, Refused>) -> Result<R, Refused> {
        self.with(|subject| {
            let result = call(subject);
            if let Err(refused) = &result {
                subject.note_refusal(refused);
            }
            result
        })
    }
}
