//! A file that traces are written into, by a thread of its own: whoever has something to write never waits for the disk.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::Path,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::lines::{Lines, Sink};
use crate::{helper, seam::locks::lock};

/// Lines that come within so long of one another are written together: waking a thread takes longer than a line.
const GATHERING: Duration = Duration::from_millis(10);
/// After so long a file is tried again that took no more.
const RETRY: Duration = Duration::from_millis(250);

/// What tells one file from others, whatever the path: one that was deleted is another than the one that took its place.
#[cfg(unix)]
type Identity = (u64, u64);
/// The same where files in use cannot be deleted.
#[cfg(not(unix))]
type Identity = std::path::PathBuf;

#[cfg(unix)]
fn identity(path: &Path) -> io::Result<Identity> {
    use std::os::unix::fs::MetadataExt;
    let metadata = path.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> io::Result<Identity> {
    path.canonicalize()
}

/// The files in use.
static FILES: Mutex<Vec<(Identity, Weak<TraceFile>)>> = Mutex::new(Vec::new());
/// Everything that writes or may write.
static JOURNALS: Mutex<Vec<Weak<Journal>>> = Mutex::new(Vec::new());

/// A file in use. When nobody uses it any more, what waits is still written.
pub(super) struct TraceFile {
    journal: Arc<Journal>,
    connections: AtomicU64,
}

impl TraceFile {
    /// The file at that path, if it is in use.
    pub(super) fn in_use(path: &Path) -> Option<Arc<Self>> {
        let identity = identity(path).ok()?; // asks the system, while nothing is locked
        find(&mut lock(&FILES), &identity)
    }

    /// Opens the file at that path unless it is in use.
    pub(super) fn open(path: &Path) -> io::Result<Arc<Self>> {
        let file = OpenOptions::new().append(true).open(path)?;
        let identity = identity(path)?;
        let mut files = lock(&FILES);
        if let Some(known) = find(&mut files, &identity) {
            return Ok(known);
        }
        let file = Arc::new(Self::new(Box::new(file)));
        files.push((identity, Arc::downgrade(&file)));
        Ok(file)
    }

    /// Over anything that can be written to.
    pub(super) fn new(file: Box<dyn Write + Send>) -> Self {
        Self { journal: Journal::new(file), connections: AtomicU64::new(0) }
    }

    /// For a connection.
    pub(super) fn next_number(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Has a line written. Returns at once.
    pub(super) fn put(&self, line: &str) {
        self.journal.put(line);
    }

    /// Waits until everything is written, or for as long as that.
    pub(super) fn wait_until_written(&self, patience: Duration) {
        self.journal.wait_until_written(patience);
    }
}

impl Drop for TraceFile {
    fn drop(&mut self) {
        let mut queue = self.journal.lock();
        queue.is_closed = true;
        self.journal.changed.notify_all();
    }
}

fn find(files: &mut Vec<(Identity, Weak<TraceFile>)>, identity: &Identity) -> Option<Arc<TraceFile>> {
    files.retain(|(_, file)| file.strong_count() > 0);
    files.iter().find(|(known, _)| known == identity).and_then(|(_, file)| file.upgrade())
}

/// The lines of one file, and the thread that writes them while there is one.
struct Journal {
    queue: Mutex<Queue>,
    changed: Condvar,
    /// Locked by the thread that writes, as long as it lives.
    sink: Mutex<Sink>,
}

struct Queue {
    lines: Lines,
    /// A thread writes, or is about to.
    has_writer: bool,
    /// It waits for a line, and has to be woken.
    is_idle: bool,
    /// Lines were taken and are not written.
    is_writing: bool,
    /// So many wait until all is written.
    waiting: usize,
    /// Nobody puts anything any more.
    is_closed: bool,
    /// The thread is to end: the library may be unloaded.
    is_ending: bool,
}

impl Queue {
    fn is_urgent(&self) -> bool {
        self.is_closed || self.is_ending || self.waiting > 0 || self.lines.is_half_full()
    }
}

impl Journal {
    fn new(file: Box<dyn Write + Send>) -> Arc<Self> {
        let journal = Arc::new(Self {
            queue: Mutex::new(Queue {
                lines: Lines::new(Instant::now()),
                has_writer: false,
                is_idle: false,
                is_writing: false,
                waiting: 0,
                is_closed: false,
                is_ending: false,
            }),
            changed: Condvar::new(),
            sink: Mutex::new(Sink::new(file)),
        });
        let mut journals = lock(&JOURNALS);
        journals.retain(|known| known.strong_count() > 0);
        journals.push(Arc::downgrade(&journal));
        journal
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    fn put(self: &Arc<Self>, line: &str) {
        let mut queue = self.lock();
        queue.lines.put(line, Instant::now());
        let needs_writer = !std::mem::replace(&mut queue.has_writer, true);
        if needs_writer {
            queue.is_ending = false;
        }
        let wakes = std::mem::take(&mut queue.is_idle) || queue.lines.is_half_full();
        drop(queue);
        if !needs_writer {
            if wakes {
                self.changed.notify_all();
            }
            return;
        }
        let journal = Arc::clone(self);
        if helper::spawn("websocket-trace", move || journal.write()).is_err() {
            // The next line tries again; meanwhile they wait, as far as there is room.
            self.lock().has_writer = false;
        }
    }

    /// On a thread of its own, until nobody puts anything any more.
    fn write(&self) {
        let mut sink = lock(&self.sink);
        while self.fill(&mut sink) {
            if sink.write().is_err() && !self.wait_to_retry() {
                return;
            }
        }
    }

    /// Waits for lines. False if there are none and it is time to end.
    fn fill(&self, sink: &mut Sink) -> bool {
        let mut queue = self.lock();
        loop {
            queue.is_writing = !sink.is_empty();
            if queue.is_writing {
                return true;
            }
            if !queue.lines.is_empty() {
                let text = queue.lines.take(Instant::now());
                sink.fill(text);
                continue;
            }
            self.changed.notify_all(); // whoever waits until all is written
            if queue.is_closed || queue.is_ending {
                queue.has_writer = false;
                return false;
            }
            queue.is_idle = true;
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue = self.gather(queue);
        }
    }

    /// Waits for more lines, unless somebody waits for those that are there.
    fn gather<'a>(&self, mut queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        let until = Instant::now() + GATHERING;
        while !queue.is_urgent() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            queue = self.wait(queue, left);
        }
        queue
    }

    /// The file takes no more. False if it is not worth waiting.
    fn wait_to_retry(&self) -> bool {
        let mut queue = self.lock();
        let until = Instant::now() + RETRY;
        loop {
            if queue.is_closed || queue.is_ending {
                queue.has_writer = false;
                return false;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            queue = self.wait(queue, left);
        }
    }

    fn wait<'a>(&self, queue: MutexGuard<'a, Queue>, most: Duration) -> MutexGuard<'a, Queue> {
        self.changed.wait_timeout(queue, most).unwrap_or_else(PoisonError::into_inner).0
    }

    fn wait_until_written(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let mut queue = self.lock();
        queue.waiting += 1;
        self.changed.notify_all();
        while queue.has_writer && (queue.is_writing || !queue.lines.is_empty()) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            queue = self.wait(queue, left);
        }
        queue.waiting -= 1;
    }
}

/// Has the threads end that write, once what waits is written as far as the disks take it at once.
pub(crate) fn end_writing() {
    let journals: Vec<_> = lock(&JOURNALS).iter().filter_map(Weak::upgrade).collect();
    for journal in journals {
        journal.lock().is_ending = true;
        journal.changed.notify_all();
    }
}
