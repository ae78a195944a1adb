//! Errors that a script sees: its code every time, its text the first time for that object and cause.

use std::{
    borrow::Cow,
    cell::Cell,
    panic::{self, AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use godot::classes::Engine;
use godot::global::{Error, godot_error};
use godot::obj::Singleton;

/// What a refusal is about; each is printed once per object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Cause {
    /// A URL, port or address that cannot be used.
    Target,
    /// TLS options of the wrong side or kind.
    Tls,
    /// A stream that is neither TCP nor TLS over TCP.
    Stream,
    /// A handshake header that would break the request.
    HandshakeHeader,
    /// Connecting or listening while doing so already.
    InUse,
    /// The port or address is taken.
    Listen,
    /// Sending while not open.
    SendClosed,
    /// Receiving while not open.
    ReceiveClosed,
    /// The outbound limits are reached.
    BufferFull,
    /// One message over the outbound limit.
    MessageTooBig,
    /// An unusable close code.
    CloseCode,
    /// A call that needs a connection.
    NoConnection,
    /// A peer id that nobody has.
    UnknownPeer,
    /// A property value out of range, by property.
    InboundBufferSize,
    /// See [`Self::InboundBufferSize`].
    OutboundBufferSize,
    /// See [`Self::InboundBufferSize`].
    MaxQueuedPackets,
    /// See [`Self::InboundBufferSize`].
    HeartbeatInterval,
    /// See [`Self::InboundBufferSize`].
    ConnectTimeout,
    /// See [`Self::InboundBufferSize`].
    HandshakeTimeout,
    /// See [`Self::InboundBufferSize`].
    CloseTimeout,
    /// See [`Self::InboundBufferSize`].
    Compression,
    /// See [`Self::InboundBufferSize`].
    CompressionThreshold,
}

/// A call that is not done: the answer and one sentence that says what was wrong.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) error: Error,
    pub(crate) cause: Cause,
    pub(crate) message: Cow<'static, str>,
}

impl Refusal {
    pub(crate) fn new(error: Error, cause: Cause, message: impl Into<Cow<'static, str>>) -> Self {
        Self { error, cause, message: message.into() }
    }

    /// An answer that nobody could have foreseen: nothing is printed.
    pub(crate) fn silent(error: Error, cause: Cause) -> Self {
        Self::new(error, cause, "")
    }

    pub(crate) fn invalid(cause: Cause, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Error::ERR_INVALID_PARAMETER, cause, message)
    }
}

/// Which causes one object has printed.
#[derive(Debug, Default)]
pub(crate) struct Reports(AtomicU32);

impl Reports {
    /// Prints unless this object has done so for the cause. Call it while no lock is held: a script may watch the
    /// engine's log and use the object from there.
    pub(crate) fn print(&self, refusal: &Refusal) {
        if refusal.message.is_empty() {
            return;
        }
        let bit = 1 << refusal.cause as u32;
        if self.0.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
            godot_error!("{}", refusal.message);
        }
    }

    /// The code that answers a call.
    pub(crate) fn answer(&self, result: Result<(), Refusal>) -> Error {
        match result {
            Ok(()) => Error::OK,
            Err(refusal) => {
                self.print(&refusal);
                refusal.error
            }
        }
    }
}

thread_local! {
    /// This thread runs inside [`fence`].
    static IS_FENCED: Cell<bool> = const { Cell::new(false) };
}

/// The bugs met so far, each once, and whether it has been printed.
static BUGS: Mutex<Vec<(String, bool)>> = Mutex::new(Vec::new());

/// Keeps gdext's panic hook from printing what [`fence`] catches: it would do so every time, and while a lock is held.
/// To be called when gdext has installed its own.
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

/// Runs a call of the engine and keeps its panics from it: gdext would answer 0 (OK) to typed script code and abort
/// untyped code.
pub(crate) fn fence<R>(on_panic: R, body: impl FnOnce() -> R) -> R {
    let was_fenced = IS_FENCED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(body));
    IS_FENCED.set(was_fenced);
    result.unwrap_or_else(|_| {
        print_bugs();
        on_panic
    })
}

/// Who keeps the engine from printing errors, and whether it did before: one switch for all threads.
static SILENCE: Mutex<(usize, bool)> = Mutex::new((0, true));

/// Keeps the engine from printing errors that are none: the NUL that its own `save_to_string` appends, what it tells of a
/// connection that fails.
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
