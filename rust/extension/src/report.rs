//! Errors that a script sees: its code every time, its text the first time for that object and cause.

use std::{
    borrow::Cow,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

use godot::global::{Error, godot_error};

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

/// Keeps a panic from the engine: gdext would answer 0 (OK) to typed script code and abort untyped code.
pub(crate) fn fence<R>(on_panic: R, body: impl FnOnce() -> R) -> R {
    static PRINTED: AtomicBool = AtomicBool::new(false);
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
        if !PRINTED.swap(true, Ordering::Relaxed) {
            let text = payload
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| payload.downcast_ref::<&str>().copied())
                .unwrap_or("unknown");
            godot_error!("Rust WebSocket has a bug, please report it: {text}");
        }
        on_panic
    })
}
