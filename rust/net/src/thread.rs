//! The one I/O thread of the process: started on first use, ended by [`shutdown`].

use std::{
    io,
    sync::{Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use crate::{
    queues::{Command, ReactorHandle},
    reactor::Reactor,
};

struct Running {
    handle: ReactorHandle,
    thread: JoinHandle<()>,
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
pub fn shutdown() {
    let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(Running { handle, thread }) = running {
        handle.push(Command::Shutdown);
        // The thread catches its panics; there is nothing to learn from its result.
        _ = thread.join();
    }
}
