//! What the system says of the server's process.

use std::{fs, io, path::PathBuf, time::Duration};

/// A process and those of its threads that can be in anybody's way.
#[derive(Debug)]
pub(crate) struct Process {
    folder: PathBuf,
    main: PathBuf,
    /// The thread that does the sockets, if there is one.
    io: Option<PathBuf>,
}

/// Processor time used so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Times {
    pub(crate) main: Duration,
    pub(crate) io: Duration,
}

impl Times {
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self { main: self.main.saturating_sub(earlier.main), io: self.io.saturating_sub(earlier.io) }
    }
}

impl Process {
    pub(crate) fn new(pid: u32) -> io::Result<Self> {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let mut io = None;
        for task in fs::read_dir(folder.join("task"))? {
            let path = task?.path();
            if fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == "websocket-io") {
                io = Some(path.join("schedstat"));
            }
        }
        Ok(Self { main: folder.join(format!("task/{pid}/schedstat")), io, folder })
    }

    pub(crate) fn times(&self) -> Times {
        let read = |path: &PathBuf| {
            let line = fs::read_to_string(path).unwrap_or_default();
            let nanos = line.split_whitespace().next().and_then(|word| word.parse().ok());
            Duration::from_nanos(nanos.unwrap_or(0))
        };
        Times { main: read(&self.main), io: self.io.as_ref().map(read).unwrap_or_default() }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.folder.join("fd").exists() && self.status("State:").is_none_or(|state| !state.starts_with('Z'))
    }

    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(self.folder.join("fd")).map_or(0, Iterator::count)
    }

    pub(crate) fn threads(&self) -> usize {
        fs::read_dir(self.folder.join("task")).map_or(0, Iterator::count)
    }

    /// KiB of memory in use.
    pub(crate) fn resident(&self) -> u64 {
        self.kib("VmRSS:")
    }

    /// The most since [`Self::forget_peak`].
    pub(crate) fn peak(&self) -> u64 {
        self.kib("VmHWM:")
    }

    pub(crate) fn forget_peak(&self) {
        // Where that is not allowed the peak counts from the start of the process, and says too much.
        _ = fs::write(self.folder.join("clear_refs"), "5");
    }

    fn kib(&self, name: &str) -> u64 {
        self.status(name).and_then(|value| value.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    }

    fn status(&self, name: &str) -> Option<String> {
        let status = fs::read_to_string(self.folder.join("status")).ok()?;
        status.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
    }
}
