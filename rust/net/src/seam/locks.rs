//! Taking a lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Data behind the locks of this crate is consistent after every statement, so a panic elsewhere does not
/// spoil it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
