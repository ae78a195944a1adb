//! Lines on their way into a file: what waits is bounded, and what finds no room is counted.

use std::{
    io::{self, Write},
    time::Instant,
};

/// Bytes of lines that may wait for the file, beside those that are being written. A longer line gets in alone.
pub(super) const MAX_WAITING: usize = 512 * 1024;

/// Whole lines that wait.
#[derive(Debug)]
pub(super) struct Lines {
    began: Instant,
    text: Vec<u8>,
    /// Lines that found no room. Those that follow find none either until what waits was taken, so that the order stays.
    lost: u64,
}

impl Lines {
    pub(super) fn new(began: Instant) -> Self {
        Self { began, text: Vec::new(), lost: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty() && self.lost == 0
    }

    /// Whether there is not much room any more.
    pub(super) fn is_half_full(&self) -> bool {
        self.text.len() > MAX_WAITING / 2
    }

    /// Adds a line, which has no end, behind the time.
    pub(super) fn put(&mut self, line: &str, now: Instant) {
        let has_room = self.text.is_empty() || self.text.len().saturating_add(line.len()) <= MAX_WAITING;
        if self.lost > 0 || !has_room {
            self.lost = self.lost.saturating_add(1);
        } else {
            self.append(line, now);
        }
    }

    fn append(&mut self, line: &str, now: Instant) {
        let seconds = now.saturating_duration_since(self.began).as_secs_f64();
        let written = writeln!(self.text, "{seconds:.3} {line}");
        debug_assert!(written.is_ok(), "writing to a Vec does not fail");
    }

    /// Takes what waits, and what is to be said of lines that were lost.
    pub(super) fn take(&mut self, now: Instant) -> Vec<u8> {
        match std::mem::take(&mut self.lost) {
            0 => {}
            1 => self.append("= 1 line lost: the disk is full, or too slow", now),
            lost => self.append(&format!("= {lost} lines lost: the disk is full, or too slow"), now),
        }
        std::mem::take(&mut self.text)
    }
}

/// A file and what it has not taken yet of the lines that are being written.
pub(super) struct Sink {
    file: Box<dyn Write + Send>,
    text: Vec<u8>,
    written: usize,
}

impl Sink {
    pub(super) fn new(file: Box<dyn Write + Send>) -> Self {
        Self { file, text: Vec::new(), written: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.written >= self.text.len()
    }

    /// The next lines, once the ones before are written.
    pub(super) fn fill(&mut self, text: Vec<u8>) {
        (self.text, self.written) = (text, 0);
    }

    /// Writes all there is. After an error it goes on where it stopped, so that no line is torn.
    ///
    /// # Errors
    /// The file takes no more for now.
    pub(super) fn write(&mut self) -> io::Result<()> {
        while let Some(rest) = self.text.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.fill(Vec::new());
        Ok(())
    }
}
