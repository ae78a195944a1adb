//! Requests of the system to end the process (SIGTERM and SIGINT, a console's events on Windows), for the addon's node
//! `RustWebSocketServerLifecycle`: a Callable in the engine's metadata, since a class of ours would be offered by code
//! completion. Nothing is installed before the node asks for it, and what was there before comes back. The node also asks here for
//! what no class tells: who is in, and how many the I/O thread is still seeing off.
//!
//! The system is asked with `libc` and `windows-sys`, which the sockets need anyhow: crates made for signals chain handlers
//! and cannot give back the one that was there, which has to happen before the library is unloaded.

use std::sync::{
    Mutex,
    atomic::{AtomicU32, Ordering},
};

use rust_websocket_net::{ProcessSums, lock};

use godot::classes::Engine;
use godot::prelude::*;

use crate::{multiplayer_peer::RustWebSocketMultiplayerPeer, report::fence};

const NAME: &str = "rust_websocket_end_signals";

/// How many have come since the first `watch`. The handler may touch nothing but this, and what says which it was.
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
        let callable = Callable::from_sync_fn(NAME, |arguments: &[&Variant]| {
            fence(Variant::nil(), || answer_any(arguments))
        });
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

/// `"members"` of a multiplayer peer: the ids of a server's clients. `"leaving"`: how many connections of the process nobody owns any
/// more that are not over yet. Anything else is about signals.
fn answer_any(arguments: &[&Variant]) -> Variant {
    let command = arguments.first().map(|command| command.stringify().to_string()).unwrap_or_default();
    match command.as_str() {
        "members" => {
            let peer =
                arguments.get(1).and_then(|peer| peer.try_to::<Gd<RustWebSocketMultiplayerPeer>>().ok());
            peer.map_or_else(PackedInt32Array::new, |peer| peer.bind().member_ids()).to_variant()
        }
        "leaving" => i64::try_from(ProcessSums::now().leaving).unwrap_or(i64::MAX).to_variant(),
        _ => answer(&command).to_variant(),
    }
}

/// `"watch"` and `"unwatch"` or `"unwatch_or_end"`, once for each node; anything else only asks. Answers how many requests have come, or -1 where the
/// system does not tell.
fn answer(command: &str) -> i64 {
    let mut watch = lock(&WATCH);
    match command {
        "watch" => watch.begin(),
        "unwatch" => watch.end(),
        "unwatch_or_end" => watch.end_or_end_the_process(),
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

    /// The same for a node that has not taken up a request: unless another does, the process ends as if nobody had watched.
    fn end_or_end_the_process(&mut self) {
        self.end();
        if self.watchers == 0 && COUNT.load(Ordering::Acquire) > 0 {
            system::end_the_process();
        }
    }
}

#[cfg(unix)]
mod system {
    use std::mem::MaybeUninit;
    use std::ptr;
    use std::sync::atomic::{AtomicI32, Ordering};

    use libc::{SIG_DFL, SIGINT, SIGTERM, c_int, sigaction};

    use super::COUNT;

    const SIGNALS: [c_int; 2] = [SIGTERM, SIGINT];

    /// Which came last: shells tell Ctrl+C from a kill.
    static LAST: AtomicI32 = AtomicI32::new(SIGTERM);

    pub(super) type Before = [sigaction; 2];

    /// The first signal is counted; the second ends the process as if nobody had asked for either.
    extern "C" fn count(signal: c_int) {
        LAST.store(signal, Ordering::Relaxed);
        if COUNT.fetch_add(1, Ordering::Release) > 0 {
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

    /// What the system does with a request that nobody has asked for.
    pub(super) fn end_the_process() {
        // SAFETY: the signal is valid, and its handler is the one from before.
        unsafe { libc::raise(LAST.load(Ordering::Relaxed)) };
    }
}

#[cfg(windows)]
mod system {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::Duration;

    use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};

    use super::COUNT;

    const STATUS_CONTROL_C_EXIT: u32 = 0xC000_013A;

    /// Whether `count` holds the system's thread until the process ends.
    static HOLDS: AtomicBool = AtomicBool::new(false);

    pub(super) struct Before;

    /// Runs in a thread that the system makes for it. With 0 the handler that was there before decides, which ends the process.
    unsafe extern "system" fn count(event: u32) -> i32 {
        if COUNT.fetch_add(1, Ordering::Relaxed) > 0 {
            return 0;
        }
        if event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT {
            // The window was closed, or the system shuts down: it ends the process when this returns, and after some seconds
            // in any case.
            HOLDS.store(true, Ordering::Release);
            loop {
                thread::sleep(Duration::from_secs(3600));
            }
        }
        1
    }

    pub(super) fn install() -> Option<Before> {
        // SAFETY: the handler lives until `restore`, which is called before the library is unloaded.
        let is_installed = is_held() || unsafe { SetConsoleCtrlHandler(Some(count), 1) } != 0;
        is_installed.then_some(Before)
    }

    pub(super) fn restore(_before: Before) {
        if !is_held() {
            // SAFETY: takes out what `install` put in.
            unsafe { SetConsoleCtrlHandler(Some(count), 0) };
        }
    }

    /// What the system does with an event that nobody has asked for.
    pub(super) fn end_the_process() {
        std::process::exit(STATUS_CONTROL_C_EXIT.cast_signed());
    }

    /// The system calls handlers under the lock of their list: whoever changed the list now would wait until the process is ended.
    pub(super) fn is_held() -> bool {
        HOLDS.load(Ordering::Acquire)
    }
}

#[cfg(not(any(unix, windows)))]
mod system {
    pub(super) struct Before;

    pub(super) fn install() -> Option<Before> {
        None
    }

    pub(super) fn restore(_before: Before) {}

    pub(super) fn end_the_process() {}
}

#[cfg(test)]
#[cfg(any(unix, windows))]
mod tests {
    use std::env;
    use std::process::{Command, ExitStatus, Stdio, exit};
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// Set in the processes that these tests start: a request to end is for a whole process.
    const CHILD: &str = "RUST_WEBSOCKET_END_SIGNALS";
    const PATIENCE: Duration = Duration::from_secs(30);
    const HANGS: i32 = 3;

    /// Runs the test `name` again in a process of its own, where it is `scene`. Answers how that ended, and in it nothing.
    fn alone(name: &str, scene: fn(&mut Watch)) -> Option<ExitStatus> {
        if env::var_os(CHILD).is_some() {
            thread::spawn(|| {
                thread::sleep(PATIENCE);
                exit(HANGS);
            });
            requests::heed_interrupts();
            scene(&mut Watch { watchers: 0, before: None });
            return None;
        }
        let ended = Command::new(env::current_exe().unwrap())
            .args(["--exact", &format!("end_signals::tests::{name}"), "--nocapture"])
            .env(CHILD, "1")
            .stdout(Stdio::null())
            .status();
        Some(ended.unwrap())
    }

    fn wait_for_count(count: u32) {
        while COUNT.load(Ordering::Relaxed) != count {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Until the request ends the process, or patience does.
    fn wait_for_the_end() {
        loop {
            thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn the_first_is_counted_and_the_second_ends_the_process() {
        let ended = alone("the_first_is_counted_and_the_second_ends_the_process", |watch| {
            watch.begin();
            requests::ask();
            wait_for_count(1);
            requests::ask();
            wait_for_the_end();
        });
        assert!(ended.is_none_or(requests::has_ended_it), "{ended:?}");
    }

    #[test]
    fn whoever_watches_no_more_is_ended_by_the_first() {
        let ended = alone("whoever_watches_no_more_is_ended_by_the_first", |watch| {
            watch.begin();
            watch.begin();
            watch.end();
            requests::ask();
            wait_for_count(1);
            watch.end();
            requests::ask();
            wait_for_the_end();
        });
        assert!(ended.is_none_or(requests::has_ended_it), "{ended:?}");
    }

    #[test]
    fn a_request_that_nobody_takes_up_ends_the_process() {
        let ended = alone("a_request_that_nobody_takes_up_ends_the_process", |watch| {
            watch.begin();
            requests::interrupt();
            wait_for_count(1);
            watch.begin();
            watch.end_or_end_the_process();
            assert_eq!(COUNT.load(Ordering::Relaxed), 1, "it is left to the other");
            watch.end_or_end_the_process();
            wait_for_the_end();
        });
        assert!(ended.is_none_or(requests::was_interrupted), "{ended:?}");
    }

    /// Between the event and the end there is the drain, and after it the node goes.
    #[cfg(windows)]
    #[test]
    fn a_closed_console_waits_and_nobody_waits_for_it() {
        let ended = alone("a_closed_console_waits_and_nobody_waits_for_it", |watch| {
            watch.begin();
            requests::close_the_console();
            wait_for_count(1);
            while !system::is_held() {
                thread::sleep(Duration::from_millis(1));
            }
            watch.end();
            watch.begin();
            watch.end();
        });
        assert!(ended.is_none_or(|status| status.success()), "{ended:?}");
    }

    #[cfg(unix)]
    mod requests {
        use std::os::unix::process::ExitStatusExt;

        use super::*;

        pub(super) fn ask() {
            // SAFETY: sends a signal to this process.
            unsafe { libc::kill(libc::getpid(), libc::SIGTERM) };
        }

        /// A shell has the programs that it starts in the background ignore them.
        pub(super) fn heed_interrupts() {
            // SAFETY: no handler is involved.
            unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
        }

        /// Ctrl+C.
        pub(super) fn interrupt() {
            // SAFETY: sends a signal to this process.
            unsafe { libc::kill(libc::getpid(), libc::SIGINT) };
        }

        pub(super) fn has_ended_it(status: ExitStatus) -> bool {
            status.signal() == Some(libc::SIGTERM)
        }

        pub(super) fn was_interrupted(status: ExitStatus) -> bool {
            status.signal() == Some(libc::SIGINT)
        }
    }

    #[cfg(windows)]
    mod requests {
        use std::ffi::c_void;
        use std::ptr;

        use windows_sys::Win32::System::Console::{
            CTRL_BREAK_EVENT, CTRL_C_EVENT, CTRL_CLOSE_EVENT, SetConsoleCtrlHandler,
        };

        use super::*;

        const STATUS_CONTROL_C_EXIT: u32 = 0xC000_013A;

        #[link(name = "kernelbase", kind = "raw-dylib")]
        unsafe extern "system" {
            /// What the system starts for an event, in a thread that it makes in the process.
            fn CtrlRoutine(event: *mut c_void) -> u32;
        }

        pub(super) fn ask() {
            happen(CTRL_BREAK_EVENT);
        }

        /// A program that starts others may have them ignore them.
        pub(super) fn heed_interrupts() {
            // SAFETY: no handler is involved.
            unsafe { SetConsoleCtrlHandler(None, 0) };
        }

        pub(super) fn interrupt() {
            happen(CTRL_C_EVENT);
        }

        pub(super) fn close_the_console() {
            happen(CTRL_CLOSE_EVENT);
        }

        /// As the system does it. Not every event can be asked for (GenerateConsoleCtrlEvent), and none without a console.
        fn happen(event: u32) {
            // SAFETY: its argument is the event, and this thread is there for it alone.
            thread::spawn(move || unsafe { CtrlRoutine(ptr::without_provenance_mut(event as usize)) });
        }

        pub(super) fn has_ended_it(status: ExitStatus) -> bool {
            // Wine says 0.
            [STATUS_CONTROL_C_EXIT.cast_signed(), 0].map(Some).contains(&status.code())
        }

        pub(super) fn was_interrupted(status: ExitStatus) -> bool {
            has_ended_it(status)
        }
    }
}
