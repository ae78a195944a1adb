//! A queue from the I/O thread to an owner who takes all of it at once.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use super::lock;

/// What waits until its owner takes it.
#[derive(Debug)]
pub(crate) struct Mailbox<E> {
    /// `None`: nobody takes anything any more.
    waiting: Mutex<Option<Vec<E>>>,
    /// Lets an empty mailbox be passed without its lock.
    filled: AtomicBool,
}

impl<E> Default for Mailbox<E> {
    fn default() -> Self {
        Self { waiting: Mutex::new(Some(Vec::new())), filled: AtomicBool::new(false) }
    }
}

impl<E> Mailbox<E> {
    pub(crate) fn push(&self, event: E) {
        let unwanted = match lock(&self.waiting).as_mut() {
            Some(waiting) => {
                waiting.push(event);
                self.filled.store(true, Ordering::Release);
                None
            }
            None => Some(event),
        };
        // May hold a connection, whose end takes other locks.
        drop(unwanted);
    }

    pub(crate) fn is_filled(&self) -> bool {
        self.filled.load(Ordering::Acquire)
    }

    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.waiting).is_none()
    }

    /// Appends what waits.
    pub(crate) fn take(&self, into: &mut Vec<E>) {
        if !self.is_filled() {
            return;
        }
        let mut waiting = lock(&self.waiting);
        self.filled.store(false, Ordering::Release);
        match waiting.as_mut() {
            Some(waiting) if into.is_empty() => std::mem::swap(waiting, into),
            Some(waiting) => into.append(waiting),
            None => {}
        }
    }

    /// Drops what waits and all that will come.
    pub(crate) fn close(&self) {
        let left = lock(&self.waiting).take();
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_is_pushed_is_taken_once_and_in_order() {
        let mailbox = Mailbox::default();
        mailbox.push(1);
        let mut taken = vec![0];
        mailbox.take(&mut taken);
        mailbox.push(2);
        mailbox.take(&mut taken);
        mailbox.take(&mut taken);
        assert_eq!((taken, mailbox.is_filled()), (vec![0, 1, 2], false));
    }

    #[test]
    fn a_closed_one_drops_what_it_had_and_what_comes() {
        let (mailbox, event) = (Mailbox::default(), Arc::new(()));
        mailbox.push(Arc::clone(&event));
        mailbox.close();
        mailbox.push(Arc::clone(&event));
        assert_eq!((Arc::strong_count(&event), mailbox.is_closed()), (1, true));
    }
}
