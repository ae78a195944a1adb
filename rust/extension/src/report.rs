//! Errors that a script sees: the code of a refusal every time, its sentence once per object. Everything that the library
//! prints goes through here, where what others can bring about gets one line a second for each cause.

use std::{
    cell::Cell,
    panic::{self, AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

use godot::classes::Engine;
use godot::global::{Error, godot_error, printerr};
use godot::meta::ToGodot;
use godot::obj::{EngineEnum, Singleton};
use rust_websocket_net::{ListenError, LocalAddressError, NoticeCause, lock, take_notices};
use rust_websocket_peers::{FailedAttempt, LatelyPrinted, LineCause, LineLimit, Locked, Refused, Subject};
use rust_websocket_proto::http::{AnswerError, DecisionError};

/// The code with which the engine answers such a call.
fn error_of(refused: &Refused) -> Error {
    match refused {
        Refused::InUse { .. }
        | Refused::RequestAnswered
        | Refused::ListensAlready
        | Refused::RoomTaken(_) => Error::ERR_ALREADY_IN_USE,
        Refused::RequestOver => Error::ERR_CONNECTION_ERROR,
        Refused::Decision(error) if **error == DecisionError::PlainRequest => Error::ERR_UNAVAILABLE,
        Refused::Answer(error) if matches!(**error, AnswerError::BodyTooLarge(_)) => Error::ERR_OUT_OF_MEMORY,
        Refused::Listen { problem: ListenError::NoDescriptors(_), .. } => Error::ERR_CANT_CREATE,
        Refused::Listen { problem: ListenError::NotASocket | ListenError::File(_), .. } => {
            Error::ERR_INVALID_PARAMETER
        }
        Refused::NoUnixSockets | Refused::BindAddress { problem: LocalAddressError::NoUnixSockets, .. } => {
            Error::ERR_UNAVAILABLE
        }
        // The engine answers this for whatever else keeps the socket from listening, foreign
        // addresses included.
        Refused::Listen { .. } => Error::ERR_ALREADY_IN_USE,
        Refused::Closed { .. } | Refused::Ended { .. } | Refused::Lost | Refused::NothingToReceive { .. } => {
            Error::FAILED
        }
        Refused::Full | Refused::TooBig { .. } => Error::ERR_OUT_OF_MEMORY,
        Refused::NoConnection(_)
        | Refused::NotListening(_)
        | Refused::NotConnected { .. }
        | Refused::NotServer(_)
        | Refused::RoomTls(_) => Error::ERR_UNCONFIGURED,
        Refused::NoTls(_) => Error::ERR_UNAVAILABLE,
        Refused::Recipient { refused, .. } => error_of(refused),
        Refused::TraceFile { code, .. } => Error::try_from_ord(*code).unwrap_or(Error::ERR_FILE_CANT_OPEN),
        // Everything else is a wrong argument or property.
        _ => Error::ERR_INVALID_PARAMETER,
    }
}

/// The code that answers a call; a refusal is printed.
pub(crate) fn answer<T: Subject, R>(
    state: &Locked<T>,
    call: impl FnOnce(&mut T) -> Result<R, Refused>,
) -> Error {
    match state.attempt(call) {
        Ok(_) => Error::OK,
        Err(refused) => refuse(state, &refused),
    }
}

/// Prints the sentence of a refusal unless this object has done so, and answers its code. Call it
/// while no lock is held: a script may watch the engine's log and use the object from there.
pub(crate) fn refuse<T>(state: &Locked<T>, refused: &Refused) -> Error {
    if state.reported.is_new(refused) {
        let tone = if refused.is_by_members() { Tone::Error } else { Tone::Mistake };
        let text = refused.to_string();
        print(tone, LineCause::of_sentence(&text), text, 1);
    }
    error_of(refused)
}

/// A script's mistake that no call answers for.
pub(crate) fn mistake(text: String) {
    print(Tone::Mistake, LineCause::of_sentence(&text), text, 1);
}

/// What the project is to know of its set-up: it is said once, since it is found once.
pub(crate) fn notice(text: String) {
    print(Tone::Warning, LineCause::of_sentence(&text), text, 1);
}

/// What was printed lately of attempts to connect, by all peers together.
static ATTEMPTS: Mutex<LatelyPrinted> = Mutex::new(LatelyPrinted::new());

/// Warns that an attempt to connect has failed, as the class `class` shows it. Call it while no
/// lock is held.
pub(crate) fn warn(class: &str, failed: &FailedAttempt) {
    let text = format!("{class}: {failed}");
    let due = lock(&ATTEMPTS).offer(&text, Instant::now());
    if let Some(text) = due {
        print(Tone::Warning, failed.cause(class), text, 1);
    }
}

/// How a line is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tone {
    /// An error of the call that the script makes: a debug build of the engine says where that is, with a backtrace.
    Mistake,
    /// Others have brought it about. No backtrace: it would tell of the call of `poll()` that met it.
    Error,
    /// The same, less grave.
    Warning,
}

/// What was printed lately, by everything in the process. Mistakes are the script's own: the engine prints each of them, and so does
/// each object once, unless they are very many.
static MISTAKES: Mutex<LineLimit> = Mutex::new(LineLimit::new(16));
static ERRORS: Mutex<LineLimit> = Mutex::new(LineLimit::new(1));
static WARNINGS: Mutex<LineLimit> = Mutex::new(LineLimit::new(1));
/// Something was left out, which is to be printed later.
static IS_LEFT_OUT: AtomicBool = AtomicBool::new(false);
/// A bug was met where nothing can be printed.
static HAS_NEW_BUG: AtomicBool = AtomicBool::new(false);

/// The one place where something is printed: a line of a cause, which was to be printed so often. No lock is held meanwhile.
fn print(tone: Tone, cause: LineCause, text: String, times: usize) {
    if !Engine::singleton().is_printing_error_messages() {
        return; // nor is it to be counted, and told later
    }
    let limit = match tone {
        Tone::Mistake => &MISTAKES,
        Tone::Error => &ERRORS,
        Tone::Warning => &WARNINGS,
    };
    let line = lock(limit).offer(cause, text, times, Instant::now());
    match (line, tone) {
        (None, _) => IS_LEFT_OUT.store(true, Ordering::Release),
        (Some(line), Tone::Mistake) => godot_error!("{line}"),
        (Some(line), Tone::Error) => printerr(&[format!("ERROR: {line}").to_variant()]),
        (Some(line), Tone::Warning) => printerr(&[format!("WARNING: {line}").to_variant()]),
    }
}

/// Prints what has become due: what the I/O thread has to say, and lines that were left out a second ago. To be called by every
/// poll, while no lock is held.
pub(crate) fn print_due() {
    for notice in take_notices() {
        // Whatever the port, it is the same news.
        let cause = match notice.cause {
            NoticeCause::DescriptorsScarce => "descriptors",
            NoticeCause::AcceptFailed => "accepting",
            _ => "dropped",
        };
        print(Tone::Warning, LineCause::of_text(cause), notice.text, notice.times);
    }
    if HAS_NEW_BUG.swap(false, Ordering::AcqRel) {
        print_bugs();
    }
    if IS_LEFT_OUT.load(Ordering::Acquire) {
        print_left_out();
    }
}

fn print_left_out() {
    let now = Instant::now();
    let mut lines = Vec::new();
    let mut is_waiting = false;
    for (limit, word) in [(&MISTAKES, "ERROR"), (&ERRORS, "ERROR"), (&WARNINGS, "WARNING")] {
        let mut limit = lock(limit);
        lines.extend(limit.due(now).into_iter().map(|line| format!("{word}: {line}")));
        is_waiting |= limit.is_waiting();
    }
    IS_LEFT_OUT.store(is_waiting, Ordering::Release);
    for line in lines {
        printerr(&[line.to_variant()]);
    }
}

thread_local! {
    /// This thread runs inside [`fence`].
    static IS_FENCED: Cell<bool> = const { Cell::new(false) };
}

/// The bugs met so far, each once, and whether it has been printed.
static BUGS: Mutex<Vec<(String, bool)>> = Mutex::new(Vec::new());

/// Keeps gdext's panic hook from printing what [`fence`] catches: it would do so every time, and
/// while a lock is held. To be called when gdext has installed its own.
pub(crate) fn install_panic_hook() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        // The I/O thread has a fence around each connection.
        let is_ours = thread::current().name() == Some(rust_websocket_net::IO_THREAD_NAME);
        if !IS_FENCED.get() && !is_ours {
            return print(info);
        }
        let text = info.payload_as_str().unwrap_or("panic");
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let bug = format!("{text} ({place})");
        let mut bugs = lock(&BUGS);
        if !bugs.iter().any(|(known, _)| *known == bug) {
            bugs.push((bug, false));
            HAS_NEW_BUG.store(true, Ordering::Release);
        }
    }));
}

fn print_bugs() {
    let mut unprinted = Vec::new();
    for (bug, is_printed) in lock(&BUGS).iter_mut() {
        if !std::mem::replace(is_printed, true) {
            unprinted.push(bug.clone());
        }
    }
    for bug in unprinted {
        let text = format!("Rust WebSocket has a bug, please report it: {bug}");
        print(Tone::Error, LineCause::of_text(&bug), text, 1);
    }
}

/// Runs a call of the engine and keeps its panics from it: gdext would answer 0 (OK) to typed
/// script code and abort untyped code.
pub(crate) fn fence<R>(on_panic: R, body: impl FnOnce() -> R) -> R {
    let was_fenced = IS_FENCED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(body));
    IS_FENCED.set(was_fenced);
    result.unwrap_or_else(|_| {
        print_bugs();
        on_panic
    })
}

/// Who keeps the engine from printing errors, and whether it did before: one switch for all
/// threads.
static SILENCE: Mutex<(usize, bool)> = Mutex::new((0, true));

/// Keeps the engine from printing errors that are none: the NUL that its own `save_to_string`
/// appends, what it tells of a connection that fails.
pub(crate) fn quietly<R>(call: impl FnOnce() -> R) -> R {
    struct Silence;
    impl Drop for Silence {
        fn drop(&mut self) {
            let mut silence = lock(&SILENCE);
            silence.0 -= 1;
            if silence.0 == 0 {
                Engine::singleton().set_print_error_messages(silence.1);
            }
        }
    }
    let mut silence = lock(&SILENCE);
    if silence.0 == 0 {
        let mut engine = Engine::singleton();
        silence.1 = engine.is_printing_error_messages();
        engine.set_print_error_messages(false);
    }
    silence.0 += 1;
    drop(silence);
    let _silence = Silence;
    call()
}
