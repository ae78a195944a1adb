//! Files that are full, slow, shared and gone.

use std::{
    fs,
    io::Write,
    sync::mpsc::{Receiver, Sender, channel},
    time::Instant,
};

use super::*;
use crate::trace::lines::{Lines, MAX_WAITING};

/// A disk that takes as many bytes as it is allowed to, each time it is allowed to, and says what it has taken.
struct Disk {
    allowed: Receiver<usize>,
    taken: Sender<Vec<u8>>,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.allowed.recv_timeout(Duration::from_secs(20)) {
            Ok(0) => Err(io::ErrorKind::StorageFull.into()),
            Ok(count) => {
                let count = count.min(bytes.len());
                _ = self.taken.send(bytes[..count].to_vec());
                Ok(count)
            }
            Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn trace_to(file: impl Write + Send + 'static) -> Trace {
    Trace::into(Arc::new(TraceFile::new(Box::new(file))), 75)
}

fn without_times(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.split_once(' ').unwrap().1).collect()
}

/// A file for one test, deleted with this.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rust-websocket-trace-{}-{name}", std::process::id()));
        fs::write(&path, "").unwrap();
        Self(path)
    }

    fn read(&self) -> String {
        fs::read_to_string(&self.0).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        _ = fs::remove_file(&self.0);
    }
}

#[test]
fn lines_have_time_number_and_peer_id() {
    let scratch = Scratch::new("lines");
    let trace = Trace::begin(&scratch.0, 75).unwrap();
    let (first, second) = (trace.connection(), trace.connection());
    first.note("a");
    second.set_peer_id(1_804_289_383);
    second.note("b");
    trace.end();
    let text = scratch.read();
    assert_eq!(without_times(&text), ["#1 = a", "#2 id 1804289383 = b"]);
    let time = text.split_once(' ').unwrap().0;
    assert_eq!(time.split_once('.').unwrap().1.len(), 3, "{time}");
    assert!(time.parse::<f64>().unwrap() < 10.0);
    first.note("ended");
    trace.connection().note("ended");
    assert_eq!(scratch.read(), text);
}

#[test]
fn what_finds_no_room_is_lost_and_counted() {
    let now = Instant::now();
    let mut lines = Lines::new(now);
    let line = "x".repeat(1000);
    for _ in 0..1000 {
        lines.put(&line, now);
    }
    lines.put("a short one would fit and is lost too", now);
    let text = String::from_utf8(lines.take(now)).unwrap();
    assert!(text.len() <= MAX_WAITING + 10_000);
    let kept = without_times(&text).iter().filter(|kept| **kept == line).count();
    let note = format!("= {} lines lost: the disk is full, or too slow", 1001 - kept);
    assert_eq!(without_times(&text).last().unwrap(), &note);
    assert!(lines.is_empty());
    lines.put("there is room again", now);
    assert_eq!(lines.take(now), b"0.000 there is room again\n");
    let long = "y".repeat(2 * MAX_WAITING);
    lines.put(&long, now);
    lines.put("z", now);
    let text = String::from_utf8(lines.take(now)).unwrap();
    assert_eq!(without_times(&text), [&long, "= 1 line lost: the disk is full, or too slow"]);
}

/// How many of the numbered lines are there or told to be lost.
fn accounted_for(text: &str, line: &str) -> usize {
    without_times(text).into_iter().fold(0, |next, shown| match shown.strip_suffix(LOST) {
        Some(lost) => next + lost.strip_prefix("= ").unwrap().parse::<usize>().unwrap(),
        None => {
            assert_eq!(shown, format!("#1 = {next} {line}"));
            next + 1
        }
    })
}

const LOST: &str = " lines lost: the disk is full, or too slow";

#[test]
fn a_full_disk_loses_lines_and_tears_none() {
    let (allow, allowed) = channel();
    let (taken, takes) = channel();
    let trace = trace_to(Disk { allowed, taken });
    let connection = trace.connection();
    let began = Instant::now();
    let line = "x".repeat(1000);
    for number in 0..5000 {
        connection.note(format_args!("{number} {line}"));
    }
    assert!(began.elapsed() < Duration::from_secs(2), "nobody waits for the disk");
    // It takes some bytes, is full, takes some more.
    for count in [10, 0, 700, usize::MAX] {
        allow.send(count).unwrap();
    }
    let mut text = Vec::new();
    // All of them are there, or counted where they are missing.
    let mut next = 0;
    while next < 5000 {
        _ = allow.send(usize::MAX);
        text.extend(takes.recv_timeout(Duration::from_secs(20)).unwrap());
        if text.ends_with(b"\n") {
            next = accounted_for(str::from_utf8(&text).unwrap(), &line);
        }
    }
    assert!(text.len() < 3 * MAX_WAITING);
    connection.note("there is room again");
    _ = allow.send(usize::MAX);
    let text = takes.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(without_times(str::from_utf8(&text).unwrap()), ["#1 = there is room again"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_for_ever_holds_nobody_up() {
    let trace = trace_to(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let connection = trace.connection();
    for _ in 0..10_000 {
        connection.note("x".repeat(100));
    }
    let began = Instant::now();
    trace.end();
    assert!(began.elapsed() < 3 * PATIENCE);
}

#[test]
fn traces_of_one_file_share_it() {
    let scratch = Scratch::new("shared");
    let first = Trace::begin(&scratch.0, 75).unwrap();
    let second = Trace::join(&scratch.0, 75).unwrap();
    let third = Trace::begin(&scratch.0, 75).unwrap();
    std::thread::scope(|scope| {
        for trace in [&first, &second, &third] {
            scope.spawn(|| {
                let connection = trace.connection();
                (0..1000).for_each(|number| connection.note(number));
            });
        }
    });
    first.end();
    second.connection().note("goes on");
    second.end();
    third.end();
    let text = scratch.read();
    let lines = without_times(&text);
    assert_eq!(lines.len(), 3001);
    for connection in 1..=3 {
        let mut own = lines.iter().filter(|line| line.starts_with(&format!("#{connection} ")));
        assert!((0..1000).all(|number| own.next() == Some(&&*format!("#{connection} = {number}"))));
    }
    assert_eq!(lines[3000], "#4 = goes on");
    assert!(Trace::join(&scratch.0, 75).is_none(), "nobody uses it any more");
}

#[cfg(unix)]
#[test]
fn a_file_that_takes_the_place_of_a_deleted_one_is_another() {
    let scratch = Scratch::new("deleted");
    let first = Trace::begin(&scratch.0, 75).unwrap();
    fs::remove_file(&scratch.0).unwrap();
    let again = Scratch::new("deleted");
    assert!(Trace::join(&again.0, 75).is_none());
    let second = Trace::begin(&again.0, 75).unwrap();
    first.connection().note("into the deleted one");
    second.connection().note("seen");
    first.end();
    second.end();
    assert_eq!(without_times(&again.read()), ["#1 = seen"]);
}

#[test]
fn nothing_is_lost_with_the_last_handle() {
    let scratch = Scratch::new("dropped");
    let trace = Trace::begin(&scratch.0, 75).unwrap();
    trace.connection().note("a");
    drop(trace);
    let deadline = Instant::now() + Duration::from_secs(20);
    while scratch.read().is_empty() {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    assert_eq!(without_times(&scratch.read()), ["#1 = a"]);
}
