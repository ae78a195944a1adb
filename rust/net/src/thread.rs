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
    let Some(Running { handle, thread }) = running else { return false };
    handle.push(Command::Shutdown);
    // The thread catches its panics; should one get away, no lookup can be known of.
    let lookups = thread.join().unwrap_or_default();
    let deadline = Instant::now() + PATIENCE;
    while lookups.iter().any(|lookup| !lookup.is_finished()) && Instant::now() < deadline {
        #[expect(clippy::disallowed_methods, reason = "not on the I/O thread, which has ended")]
        thread::sleep(Duration::from_millis(1));
    }
    let (finished, left): (Vec<_>, Vec<_>) = lookups.into_iter().partition(JoinHandle::is_finished);
    for lookup in finished {
        // Its last instructions may still be to come.
        _ = lookup.join();
    }
    !left.is_empty()
}
