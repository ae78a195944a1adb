//! Threads that do one piece of work by themselves. They end soon, but not before the library may be
//! unloaded.

use std::{
    io,
    sync::Mutex,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::seam::locks::lock;

static HELPERS: Mutex<Vec<JoinHandle<()>>> = Mutex::new(Vec::new());

/// Runs `work` on a thread of its own.
pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let helper = thread::Builder::new().name(name.to_owned()).spawn(work)?;
    let mut helpers = lock(&HELPERS);
    join_finished(&mut helpers);
    helpers.push(helper);
    Ok(())
}

/// Waits until all have ended, but not longer than `patience`. True if some are left.
#[expect(
    clippy::disallowed_methods,
    reason = "the engine's thread waits here, at its end, and the I/O thread is gone"
)]
pub(crate) fn are_left_after(patience: Duration) -> bool {
    let mut helpers = std::mem::take(&mut *lock(&HELPERS));
    let deadline = Instant::now() + patience;
    while helpers.iter().any(|helper| !helper.is_finished()) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
    join_finished(&mut helpers);
    !helpers.is_empty()
}

/// A thread has ended only when it is joined: its last instructions may still be to come when it says that it
/// is finished.
fn join_finished(helpers: &mut Vec<JoinHandle<()>>) {
    let (finished, running): (Vec<_>, Vec<_>) =
        std::mem::take(helpers).into_iter().partition(JoinHandle::is_finished);
    *helpers = running;
    for helper in finished {
        _ = helper.join();
    }
}
