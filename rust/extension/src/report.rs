//! Errors that a script sees: the code of a refusal every time, its sentence once per object.

use std::{
    cell::Cell,
    panic::{self, AssertUnwindSafe, catch_unwind},
    sync::{Mutex, PoisonError},
    time::Instant,
};

use godot::classes::Engine;
use godot::global::{Error, godot_error, godot_warn};
use godot::obj::Singleton;
use rust_websocket_net::{ListenError, LocalAddressError};
use rust_websocket_peers::{FailedAttempt, LatelyPrinted, Locked, Refused, Subject};
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
        godot_error!("{refused}");
    }
    error_of(refused)
}

/// What was printed lately of attempts to connect, by all peers together.
static ATTEMPTS: Mutex<LatelyPrinted> = Mutex::new(LatelyPrinted::new());

/// Warns that an attempt to connect has failed, as the class `class` shows it. Call it while no
/// lock is held.
pub(crate) fn warn(class: &str, failed: &FailedAttempt) {
    let text = format!("{class}: {failed}");
    let is_due = ATTEMPTS.lock().unwrap_or_else(PoisonError::into_inner).is_due(&text, Instant::now());
    if is_due {
        godot_warn!("{text}");
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
        if !IS_FENCED.get() {
            return print(info);
        }
        let text = info.payload_as_str().unwrap_or("panic");
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let bug = format!("{text} ({place})");
        let mut bugs = BUGS.lock().unwrap_or_else(PoisonError::into_inner);
        if !bugs.iter().any(|(known, _)| *known == bug) {
            bugs.push((bug, false));
        }
    }));
}

fn print_bugs() {
    let mut unprinted = Vec::new();
    for (bug, is_printed) in BUGS.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
        if !std::mem::replace(is_printed, true) {
            unprinted.push(bug.clone());
        }
    }
    for bug in unprinted {
        godot_error!("Rust WebSocket has a bug, please report it: {bug}");
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
            let mut silence = SILENCE.lock().unwrap_or_else(PoisonError::into_inner);
            silence.0 -= 1;
            if silence.0 == 0 {
                Engine::singleton().set_print_error_messages(silence.1);
            }
        }
    }
    let mut silence = SILENCE.lock().unwrap_or_else(PoisonError::into_inner);
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
