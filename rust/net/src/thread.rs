//! The one I/O thread of the process: started on first use, ended by [`shutdown`].

use std::{
    io,
    sync::{Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    queues::{Command, ReactorHandle},
    reactor::Reactor,
};

/// How long [`shutdown`] waits for name lookups: most are answered by then, and nobody notices.
const PATIENCE: Duration = Duration::from_millis(500);

struct Running {
    handle: ReactorHandle,
    /// Ends with the threads of name lookups that were not awaited.
    thread: JoinHandle<Vec<JoinHandle<()>>>,
}

/// Held only to start or end the thread; links and listeners keep a handle of their own.
static RUNNING: Mutex<Option<Running>> = Mutex::new(None);

/// Threads that do one piece of work by themselves; they end soon, but not before the library may be unloaded.
static HELPERS: Mutex<Vec<JoinHandle<()>>> = Mutex::new(Vec::new());

/// Runs `work` on a thread of its own.
pub(crate) fn spawn_helper(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let helper = thread::Builder::new().name(name.to_owned()).spawn(work)?;
    let mut helpers = HELPERS.lock().unwrap_or_else(PoisonError::into_inner);
    helpers.push(helper);
    Ok(())
}

/// The running thread's handle, starting it if need be.
pub(crate) fn running() -> io::Result<ReactorHandle> {
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(Running { handle, .. }) = running.as_ref().filter(|running| !running.handle.is_stopped()) {
        return Ok(handle.clone());
    }
    let reactor = Reactor::new()?;
    let handle = reactor.handle();
    let thread = thread::Builder::new().name("websocket-io".to_owned()).spawn(move || reactor.run())?;
    *running = Some(Running { handle: handle.clone(), thread });
    Ok(handle)
}

/// Ends the I/O thread: one non-blocking pass over what is still to be written, then everything is closed. Links
/// report [`Closed`](rust_websocket_proto::Event::Closed); the next use starts a new thread.
///
/// True if threads are left: name lookups that the system has not answered and that cannot be called off. They will do
/// nothing more, but the code that they return to must not be unloaded.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the engine's thread waits here, at its end, and the I/O thread is gone"
)]
pub fn shutdown() -> bool {
    let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner).take();
    let mut helpers = std::mem::take(&mut *HELPERS.lock().unwrap_or_else(PoisonError::into_inner));
    if let Some(Running { handle, thread }) = running {
        handle.push(Command::Shutdown);
        // The thread catches its panics; should one get away, no lookup can be known of.
        helpers.extend(thread.join().unwrap_or_default());
    }
    let deadline = Instant::now() + PATIENCE;
    while helpers.iter().any(|helper| !helper.is_finished()) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
    let (finished, left): (Vec<_>, Vec<_>) = helpers.into_iter().partition(JoinHandle::is_finished);
    for helper in finished {
        // Its last instructions may still be to come.
        _ = helper.join();
    }
    !left.is_empty()
}
