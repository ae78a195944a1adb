//! A queue to a thread that sleeps in the system's poll, and what wakes it from that.

use std::{
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use mio::Waker;

use super::lock;

/// Commands to the I/O thread, in order.
pub(crate) struct Commands<C> {
    /// `None`: none is taken any more.
    waiting: Mutex<Option<Vec<C>>>,
    wakeup: Wakeup,
}

/// Wakes a thread that sleeps, once.
pub(crate) struct Wakeup {
    /// The thread waits for its sockets or is about to. While it works it needs no waking, since it looks for
    /// commands before it sleeps.
    asleep: AtomicBool,
    waker: Waker,
}

impl Wakeup {
    pub(crate) fn new(waker: Waker) -> Self {
        Self { asleep: AtomicBool::new(false), waker }
    }

    fn wake(&self) {
        // Only looked at while the thread works, which leaves the flag in everybody's cache.
        if self.asleep.load(Ordering::SeqCst)
            && self.asleep.swap(false, Ordering::SeqCst)
            && self.waker.wake().is_err()
        {
            // For want of memory in the kernel. The thread finds the command on its next turn, or is woken
            // for the next one.
            self.asleep.store(true, Ordering::SeqCst);
        }
    }
}

impl<C> fmt::Debug for Commands<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Commands").field("stopped", &self.is_stopped()).finish_non_exhaustive()
    }
}

impl<C> Commands<C> {
    pub(crate) fn new(wakeup: Wakeup) -> Self {
        Self { waiting: Mutex::new(Some(Vec::new())), wakeup }
    }

    /// Gives the command back if none is taken any more.
    pub(crate) fn push(&self, command: C) -> Result<(), C> {
        self.add(command)?;
        self.wake();
        Ok(())
    }

    /// Like [`push`](Self::push), but leaves the thread asleep: it has to be [woken](Self::wake) after.
    pub(crate) fn add(&self, command: C) -> Result<(), C> {
        match lock(&self.waiting).as_mut() {
            Some(waiting) => {
                waiting.push(command);
                Ok(())
            }
            None => Err(command),
        }
    }

    /// Changes the last command that waits, or adds one if `change` returns it; leaves the thread asleep.
    pub(crate) fn extend(&self, change: impl FnOnce(Option<&mut C>) -> Option<C>) {
        if let Some(waiting) = lock(&self.waiting).as_mut()
            && let Some(command) = change(waiting.last_mut())
        {
            waiting.push(command);
        }
    }

    /// Wakes the thread, if it sleeps.
    pub(crate) fn wake(&self) {
        self.wakeup.wake();
    }

    /// The thread is about to sleep. False if there are commands: it must not.
    ///
    /// A command pushed after the look below finds the flag up, since its push takes the same lock later.
    pub(crate) fn fall_asleep(&self) -> bool {
        self.wakeup.asleep.store(true, Ordering::SeqCst);
        let may_sleep = lock(&self.waiting).as_ref().is_none_or(Vec::is_empty);
        if !may_sleep {
            self.awake();
        }
        may_sleep
    }

    /// The thread works again.
    pub(crate) fn awake(&self) {
        self.wakeup.asleep.store(false, Ordering::SeqCst);
    }

    /// Wakes the thread without a command, or has it not sleep the next time. Takes no lock.
    pub(crate) fn interrupt(&self) {
        // For want of memory in the kernel it goes without.
        _ = self.wakeup.waker.wake();
    }

    /// Swaps the waiting commands into the empty `commands`.
    pub(crate) fn take(&self, commands: &mut Vec<C>) {
        if let Some(waiting) = lock(&self.waiting).as_mut() {
            std::mem::swap(waiting, commands);
        }
    }

    /// No command is taken any more; those that waited are returned.
    pub(crate) fn stop(&self) -> Vec<C> {
        lock(&self.waiting).take().unwrap_or_default()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        lock(&self.waiting).is_none()
    }
}

#[cfg(test)]
mod tests {
    use mio::{Poll, Token};

    use super::*;

    #[test]
    fn commands_keep_their_order_until_it_ends() {
        let poll = Poll::new().unwrap();
        let commands = Commands::new(Wakeup::new(Waker::new(poll.registry(), Token(0)).unwrap()));
        assert!(commands.fall_asleep());
        assert_eq!((commands.push(1), commands.push(2)), (Ok(()), Ok(())));
        assert!(!commands.fall_asleep(), "commands wait");
        let mut taken = Vec::new();
        commands.take(&mut taken);
        assert_eq!(taken, [1, 2]);
        assert_eq!(commands.push(3), Ok(()));
        assert_eq!(commands.stop(), [3]);
        assert_eq!((commands.push(4), commands.is_stopped()), (Err(4), true));
    }
}
