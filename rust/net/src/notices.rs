//! What the I/O thread has to say to people. It prints nothing: whoever may print asks for it.

use std::{
    mem,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// Different texts that may wait; nobody who can print may be there.
const MAX_WAITING: usize = 16;

/// What a line is about. Lines of one cause are alike, whatever they name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NoticeCause {
    /// Servers accept nobody, to leave the game the last file descriptors.
    DescriptorsScarce,
    /// Servers cannot accept, whatever the system's reason is.
    AcceptFailed,
    /// A connection was accepted and cannot be served.
    ConnectionDropped,
}

/// A line for whoever looks after the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it is about.
    pub cause: NoticeCause,
    /// One sentence, or two.
    pub text: String,
    /// How often it was to be said since it was taken last; at least 1.
    pub times: usize,
}

static WAITING: Mutex<Vec<Notice>> = Mutex::new(Vec::new());
/// Lets those who poll pass without the lock.
static IS_FILLED: AtomicBool = AtomicBool::new(false);

/// Has whoever polls next print a line.
pub(crate) fn say(cause: NoticeCause, text: String) {
    let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(same) = waiting.iter_mut().find(|notice| notice.cause == cause && notice.text == text) {
        same.times += 1;
    } else if waiting.len() < MAX_WAITING {
        waiting.push(Notice { cause, text, times: 1 });
    } else if let Some(alike) = waiting.iter_mut().rev().find(|notice| notice.cause == cause) {
        alike.times += 1;
    }
    IS_FILLED.store(true, Ordering::Release);
}

/// What is to be printed. Cheap if that is nothing.
pub fn take_notices() -> Vec<Notice> {
    if !IS_FILLED.load(Ordering::Acquire) {
        return Vec::new();
    }
    let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
    IS_FILLED.store(false, Ordering::Release);
    mem::take(&mut *waiting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_takes_is_counted_and_does_not_grow() {
        for number in 0..1000 {
            say(NoticeCause::ConnectionDropped, format!("reason {}", number % 100));
        }
        let taken = take_notices();
        assert_eq!(
            (taken.len(), taken.iter().map(|notice| notice.times).sum::<usize>()),
            (MAX_WAITING, 1000)
        );
        assert!(take_notices().is_empty());
    }
}
