//! All WebSocket connections of the process on one I/O thread.
//!
//! The calling side holds [`Link`]s and [`Listener`]s: plain handles that queue work for the thread and take what it
//! reports. No call here blocks on the network. The thread starts on first use; [`shutdown`] ends it.
#![cfg_attr(not(windows), forbid(unsafe_code))]
#![cfg_attr(windows, deny(unsafe_code))] // a socket option, see `socket`

mod conn;
mod drive;
mod helper;
mod ids;
mod link;
mod listener;
mod lookup;
mod pace;
mod race;
mod random;
mod reactor;
mod ready;
mod route;
mod seam;
mod socket;
mod thread;
mod tls;
mod transport;
mod wire;

pub use link::{Link, Listener, ListenerEvent};
pub use listener::{ListenError, ListenOptions};
pub use lookup::Lookup;
pub use random::SystemRandom;
pub use seam::{
    Batch, Counters, How, LinkEvent, LinkId, LinkOptions, Outbox, ReceiveLimits, SendLimits, Statistics,
    UNOFFERED_CAP,
};
pub use thread::shutdown;
pub use tls::{
    CertificateChain, ChainCapture, ClientTls, DefaultRoots, ExpectedName, ServerTls, ServerTrust, TlsError,
};
