//! Requests of the system to end the process (SIGTERM and SIGINT, a console's events on Windows), for the addon's node
//! `RustWebSocketServerLifecycle`: a Callable in the engine's metadata, since a class of ours would be offered by code
//! completion. Nothing is installed before the node asks for it, and what was there before comes back.
//!
//! The system is asked with `libc` and `windows-sys`, which the sockets need anyhow: crates made for signals chain handlers
//! and cannot give back the one that was there, which has to happen before the library is unloaded.

use std::sync::{
    Mutex,
    atomic::{AtomicU32, Ordering},
};

use rust_websocket_net::lock;

use godot::classes::Engine;
use godot::prelude::*;

use crate::report::fence;

const NAME: &str = "rust_websocket_end_signals";

/// How many have come since the first `watch`. The handler may touch nothing but this.
static COUNT: AtomicU32 = AtomicU32::new(0);
static WATCH: Mutex<Watch> = Mutex::new(Watch { watchers: 0, before: None });

/// Who wants to know, and what the system did before.
struct Watch {
    watchers: u32,
    before: Option<system::Before>,
}

/// Puts the Callable where the node finds it. To be called at the scene's initialization level.
pub(crate) fn offer() {
    // Not in the editor, whose end is its own: the node runs in games.
    if !Engine::singleton().is_editor_hint() {
        let callable = Callable::from_sync_fn(NAME, |arguments: &[&Variant]| fence(0, || answer(arguments)));
        Engine::singleton().set_meta(NAME, &callable.to_variant());
    }
}

/// The engine keeps its metadata longer than the library, and the system its handlers.
pub(crate) fn withdraw() {
    let mut engine = Engine::singleton();
    if engine.has_meta(NAME) {
        engine.remove_meta(NAME);
    }
    let mut watch = lock(&WATCH);
    watch.watchers = 0;
    if let Some(before) = watch.before.take() {
        system::restore(before);
    }
}

/// `"watch"` and `"unwatch"`, once for each node; anything else only asks. Answers how many requests have come, or -1 where the
/// system does not tell.
fn answer(arguments: &[&Variant]) -> i64 {
    let command = arguments.first().map(|command| command.stringify().to_string()).unwrap_or_default();
    let mut watch = lock(&WATCH);
    match command.as_str() {
        "watch" => watch.begin(),
        "unwatch" => watch.end(),
        _ => {}
    }
    if watch.before.is_none() && watch.watchers > 0 { -1 } else { i64::from(COUNT.load(Ordering::Relaxed)) }
}

impl Watch {
    fn begin(&mut self) {
        self.watchers += 1;
        if self.before.is_none() {
            COUNT.store(0, Ordering::Relaxed);
            self.before = system::install();
        }
    }

    fn end(&mut self) {
        self.watchers = self.watchers.saturating_sub(1);
        if self.watchers == 0
            && let Some(before) = self.before.take()
        {
            system::restore(before);
        }
    }
}

#[cfg(unix)]
mod system {
    use std::mem::MaybeUninit;
    use std::ptr;
    use std::sync::atomic::Ordering;

    use libc::{SIG_DFL, SIGINT, SIGTERM, c_int, sigaction};

    use super::COUNT;

    const SIGNALS: [c_int; 2] = [SIGTERM, SIGINT];

    pub(super) type Before = [sigaction; 2];

    /// The first signal is counted; the second ends the process as if nobody had asked for either.
    extern "C" fn count(signal: c_int) {
        if COUNT.fetch_add(1, Ordering::Relaxed) > 0 {
            // SAFETY: both may be called in a handler (POSIX, async-signal-safe). The signal is blocked until this returns.
            unsafe {
                libc::signal(signal, SIG_DFL);
                libc::raise(signal);
            }
        }
    }

    /// Nothing where the system refuses, which it does for no valid signal.
    pub(super) fn install() -> Option<Before> {
        // SAFETY: all bits zero are a valid sigaction, with an empty mask; the handler is async-signal-safe. Calls that a signal
        // interrupts go on (SA_RESTART), and it uses the engine's alternate stack if a thread has one.
        unsafe {
            let mut ours = MaybeUninit::<sigaction>::zeroed().assume_init();
            ours.sa_sigaction = count as extern "C" fn(c_int) as usize;
            ours.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
            let mut before = MaybeUninit::<Before>::zeroed().assume_init();
            for (signal, old) in SIGNALS.iter().zip(&mut before) {
                if sigaction(*signal, &raw const ours, old) != 0 {
                    return None;
                }
            }
            Some(before)
        }
    }

    pub(super) fn restore(before: Before) {
        for (signal, old) in SIGNALS.iter().zip(&before) {
            // SAFETY: what the system said before.
            unsafe { sigaction(*signal, old, ptr::null_mut()) };
        }
    }
}

#[cfg(windows)]
mod system {
    use std::sync::atomic::Ordering;
    use std::thread;
    use std::time::Duration;

    use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};

    use super::COUNT;

    pub(super) struct Before;

    /// Runs in a thread that the system makes for it. With 0 the handler that was there before decides, which ends the process.
    unsafe extern "system" fn count(event: u32) -> i32 {
        if COUNT.fetch_add(1, Ordering::Relaxed) > 0 {
            return 0;
        }
        if event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT {
            // The window was closed, or the system shuts down: it ends the process when this returns, and after some seconds
            // in any case.
            loop {
                thread::sleep(Duration::from_secs(3600));
            }
        }
        1
    }

    pub(super) fn install() -> Option<Before> {
        // SAFETY: the handler lives until `restore`, which is called before the library is unloaded.
        let is_installed = unsafe { SetConsoleCtrlHandler(Some(count), 1) } != 0;
        is_installed.then_some(Before)
    }

    pub(super) fn restore(_before: Before) {
        // SAFETY: takes out what `install` put in.
        unsafe { SetConsoleCtrlHandler(Some(count), 0) };
    }
}

#[cfg(not(any(unix, windows)))]
mod system {
    pub(super) struct Before;

    pub(super) fn install() -> Option<Before> {
        None
    }

    pub(super) fn restore(_before: Before) {}
}
