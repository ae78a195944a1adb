//! What the editor shows under Debugger > Monitors, and scripts by `Performance.get_custom_monitor()`: values of the whole
//! process, computed when they are asked for (the debugger asks once a second).

use std::{
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use godot::classes::{Engine, Object};
use godot::prelude::*;
use rust_websocket_net::{ProcessSums, lock};

use crate::report::fence;

/// What is asked for twice within that time has not been two readings.
const ONE_MOMENT: Duration = Duration::from_millis(1);

/// How a monitor comes by its value.
#[derive(Clone, Copy)]
enum Kind {
    /// A number of things.
    Count(fn(&ProcessSums) -> usize),
    /// As it is.
    Now(fn(&ProcessSums) -> f64),
    /// What a sum has grown by, for each second since this monitor was asked before.
    PerSecond(fn(&ProcessSums) -> f64),
}

/// The engine groups by what stands before the slash, and takes names with several for ungrouped ones: hence "per second".
const MONITORS: [(&str, Kind); 11] = [
    ("WebSocket/Connections", Kind::Count(|sums| sums.open)),
    ("WebSocket/Handshakes pending", Kind::Count(|sums| sums.pending)),
    ("WebSocket/Messages in per second", Kind::PerSecond(|sums| sums.statistics.messages_in as f64)),
    ("WebSocket/Messages out per second", Kind::PerSecond(|sums| sums.statistics.messages_out as f64)),
    ("WebSocket/KiB in per second", Kind::PerSecond(|sums| kib(sums.statistics.wire_bytes_in as f64))),
    ("WebSocket/KiB out per second", Kind::PerSecond(|sums| kib(sums.statistics.wire_bytes_out as f64))),
    ("WebSocket/KiB unsent", Kind::Now(|sums| kib(sums.unsent_bytes as f64))),
    ("WebSocket/Messages unread", Kind::Count(|sums| sums.unread.messages)),
    ("WebSocket/Sends refused per second", Kind::PerSecond(|sums| sums.statistics.sends_refused as f64)),
    ("WebSocket/Round trip ms", Kind::Now(|sums| milliseconds(sums.round_trip_time.unwrap_or_default()))),
    ("WebSocket/IO thread percent", Kind::PerSecond(|sums| 100.0 * sums.io_busy.as_secs_f64())),
];

/// Whether they were added to the engine, or are about to be.
static ADDED: AtomicBool = AtomicBool::new(false);
/// Those that were: a project may have monitors of the same names.
static OURS: Mutex<Vec<StringName>> = Mutex::new(Vec::new());
static MAIN_THREAD: OnceLock<ThreadId> = OnceLock::new();
static LAST: Mutex<Option<Reading>> = Mutex::new(None);

/// To be called on the main thread when the library is loaded.
pub(crate) fn init() {
    _ = MAIN_THREAD.set(thread::current().id());
}

/// Adds them, once: to be called, with no lock held, when a connection or a listener was made. A process without any does not
/// have them, and the editor never has.
pub(crate) fn add() {
    if ADDED.load(Ordering::Relaxed)
        || Engine::singleton().is_editor_hint()
        || ADDED.swap(true, Ordering::Relaxed)
    {
        return;
    }
    if MAIN_THREAD.get() == Some(&thread::current().id()) {
        add_all();
    } else {
        Callable::from_sync_fn("rust_websocket_add_monitors", |_| add_all()).call_deferred(&[]);
    }
}

/// Takes them out of the engine, which keeps them longer than the library.
pub(crate) fn remove() {
    let ours = std::mem::take(&mut *lock(&OURS));
    let Some(mut performance) = performance().filter(|_| !ours.is_empty()) else { return };
    for name in ours {
        if has(&mut performance, &name) {
            performance.call("remove_custom_monitor", &[name.to_variant()]);
        }
    }
}

fn add_all() {
    let Some(mut performance) = performance() else { return };
    for (index, (name, kind)) in MONITORS.into_iter().enumerate() {
        let name = StringName::from(name);
        // A second one of a name is an error of the engine.
        if has(&mut performance, &name) {
            continue;
        }
        let monitor = Monitor::new(index, kind);
        let callable = Callable::from_sync_fn(name.to_string(), move |_: &[&Variant]| {
            fence(Variant::nil(), || monitor.value())
        });
        performance.call("add_custom_monitor", &[name.to_variant(), callable.to_variant()]);
        lock(&OURS).push(name);
    }
}

fn has(performance: &mut Gd<Object>, name: &StringName) -> bool {
    performance.call("has_custom_monitor", &[name.to_variant()]).booleanize()
}

fn performance() -> Option<Gd<Object>> {
    Engine::singleton().get_singleton("Performance")
}

/// One of them, and what it was when it was asked before.
struct Monitor {
    index: usize,
    kind: Kind,
    last: Mutex<Rate>,
}

/// When it was asked, the sum then, and what it answered.
struct Rate {
    at: Instant,
    sum: f64,
    shown: f64,
}

impl Monitor {
    fn new(index: usize, kind: Kind) -> Self {
        let (now, sums) = read_sums(index);
        let before = if let Kind::PerSecond(read) = kind { read(&sums) } else { 0.0 };
        Self { index, kind, last: Mutex::new(Rate { at: now, sum: before, shown: 0.0 }) }
    }

    fn value(&self) -> Variant {
        let (now, sums) = read_sums(self.index);
        match self.kind {
            Kind::Count(read) => i64::try_from(read(&sums)).unwrap_or(i64::MAX).to_variant(),
            Kind::Now(read) => read(&sums).to_variant(),
            Kind::PerSecond(read) => self.rate(now, read(&sums)).to_variant(),
        }
    }

    fn rate(&self, now: Instant, sum: f64) -> f64 {
        let mut last = lock(&self.last);
        let elapsed = now.saturating_duration_since(last.at);
        // Asked twice in one moment, it says the same twice.
        if elapsed >= ONE_MOMENT {
            *last = Rate { at: now, sum, shown: (sum - last.sum) / elapsed.as_secs_f64() };
        }
        last.shown
    }
}

/// Sums that were read, and for which monitor.
struct Reading {
    index: usize,
    at: Instant,
    sums: ProcessSums,
}

/// The sums of this moment. The debugger asks for all monitors, one after the other: they are added up once for it.
fn read_sums(index: usize) -> (Instant, ProcessSums) {
    let mut last = lock(&LAST);
    let now = Instant::now();
    let reading = match last.take() {
        Some(Reading { index: previous, at, sums })
            if previous + 1 == index && now.saturating_duration_since(at) < ONE_MOMENT =>
        {
            Reading { index, at, sums }
        }
        _ => Reading { index, at: now, sums: ProcessSums::now() },
    };
    let Reading { at, sums, .. } = *last.insert(reading);
    (at, sums)
}

fn kib(bytes: f64) -> f64 {
    bytes / 1024.0
}

fn milliseconds(time: Duration) -> f64 {
    1000.0 * time.as_secs_f64()
}
