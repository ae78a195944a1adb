//! What happens on connections, line by line in a file: for people who want to see it.

mod file;
mod lines;
mod ways;

use std::{
    fmt::{self, Display},
    io,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use rust_websocket_proto::{TraceEvent, Tracer};

use self::file::TraceFile;
pub use self::ways::{TRACED_LATER, way_to};
pub(crate) use self::{file::end_writing, ways::way_from};
use crate::seam::locks::lock;

/// Most bytes of a payload that a trace may show.
pub const MAX_TRACED_PAYLOAD: usize = 1024 * 1024;

/// How long [`Trace::end`] waits for the file.
const PATIENCE: Duration = Duration::from_secs(1);

/// What one peer or server traces of its connections, from one call to the next.
#[derive(Debug, Clone)]
pub struct Trace(Arc<Traced>);

#[derive(Debug)]
struct Traced {
    /// Until it is ended.
    file: Mutex<Option<Arc<TraceFile>>>,
    payload_bytes: usize,
}

impl Trace {
    /// Begins a trace in the file at `path`, which exists: behind what is in it. If the file is in use by another trace, both write into
    /// it, and count time and connections together.
    ///
    /// # Errors
    /// The system does not open it.
    pub fn begin(path: &Path, payload_bytes: usize) -> io::Result<Self> {
        Ok(Self::into(TraceFile::open(path)?, payload_bytes))
    }

    /// Joins the trace that is written into the file at `path`, if one is.
    pub fn join(path: &Path, payload_bytes: usize) -> Option<Self> {
        Some(Self::into(TraceFile::in_use(path)?, payload_bytes))
    }

    fn into(file: Arc<TraceFile>, payload_bytes: usize) -> Self {
        Self(Arc::new(Traced { file: Mutex::new(Some(file)), payload_bytes }))
    }

    /// Traces nothing any more. When this returns the file holds everything that was traced, unless writing takes longer than a
    /// second.
    pub fn end(&self) {
        let file = lock(&self.0.file).take();
        if let Some(file) = file {
            file.wait_until_written(PATIENCE);
        }
    }

    /// Traces another connection.
    pub fn connection(&self) -> ConnectionTrace {
        let number = self.0.file().map_or(0, |file| file.next_number());
        ConnectionTrace(Arc::new(Connection { trace: self.clone(), number, peer_id: AtomicI32::new(0) }))
    }
}

impl PartialEq for Trace {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Traced {
    fn file(&self) -> Option<Arc<TraceFile>> {
        lock(&self.file).clone()
    }
}

/// The trace of one connection.
#[derive(Debug, Clone)]
pub struct ConnectionTrace(Arc<Connection>);

#[derive(Debug)]
struct Connection {
    trace: Trace,
    /// Among the connections of the file.
    number: u64,
    /// In a multiplayer session; 0: none (yet).
    peer_id: AtomicI32,
}

impl ConnectionTrace {
    /// The trace that it is part of.
    pub fn trace(&self) -> &Trace {
        &self.0.trace
    }

    /// The id that the connection's client has in a multiplayer session.
    pub fn set_peer_id(&self, id: i32) {
        self.0.peer_id.store(id, Ordering::Relaxed);
    }

    /// A line of its own.
    #[cfg(test)]
    fn note(&self, text: impl Display) {
        self.write(&format_args!("= {text}"));
    }

    /// False if the trace has ended.
    fn write(&self, event: &dyn Display) -> bool {
        let Some(file) = self.0.trace.0.file() else { return false };
        let number = self.0.number;
        match self.0.peer_id.load(Ordering::Relaxed) {
            0 => file.put(&format!("#{number} {event}")),
            id => file.put(&format!("#{number} id {id} {event}")),
        }
        true
    }

    /// For an endpoint.
    pub fn tracer(&self) -> Box<dyn Tracer> {
        Box::new(self.clone())
    }
}

impl Tracer for ConnectionTrace {
    fn payload_bytes(&self) -> usize {
        self.0.trace.0.payload_bytes
    }

    fn trace(&mut self, event: &TraceEvent<'_>) -> bool {
        self.write(event)
    }
}

impl fmt::Debug for TraceFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TraceFile").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
