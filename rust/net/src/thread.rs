//! The one I/O thread of the process: started on first use, ended by [`shutdown`].

use std::{
    io,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{drive::Driving, helper, lookup, reactor::Command, seam::lock, trace};

/// How long [`shutdown`] waits for name lookups: most are answered by then, and nobody notices.
const PATIENCE: Duration = Duration::from_millis(500);

/// The I/O thread's name.
pub const IO_THREAD_NAME: &str = "websocket-io";

struct Running {
    driving: Arc<Driving>,
    thread: JoinHandle<()>,
}

/// Held only to start or end the thread; links and listeners keep a handle of their own.
static RUNNING: Mutex<Option<Running>> = Mutex::new(None);

/// What the running thread drives, starting it if need be.
pub(crate) fn running() -> io::Result<Arc<Driving>> {
    let mut running = lock(&RUNNING);
    if let Some(Running { driving, .. }) = running.as_ref().filter(|running| !running.driving.is_stopped()) {
        return Ok(Arc::clone(driving));
    }
    let driving = Driving::new()?;
    let its = Arc::clone(&driving);
    let thread = thread::Builder::new().name(IO_THREAD_NAME.to_owned()).spawn(move || its.run())?;
    *running = Some(Running { driving: Arc::clone(&driving), thread });
    Ok(driving)
}

/// Ends the I/O thread: one non-blocking pass over what is still to be written, then everything is closed.
/// Links report [`Closed`](rust_websocket_proto::Event::Closed); the next use starts a new thread.
///
/// True if threads are left: name lookups that the system has not answered and that cannot be called off, traces on a disk that
/// has stopped.
/// They will do nothing more, but the code that they return to must not be unloaded.
#[must_use]
pub fn shutdown() -> bool {
    let running = lock(&RUNNING).take();
    lookup::cancel_waiting();
    if let Some(Running { driving, thread }) = running {
        driving.push(Command::Shutdown);
        driving.recall();
        // The thread catches its panics.
        _ = thread.join();
    }
    trace::end_writing();
    helper::are_left_after(PATIENCE)
}
