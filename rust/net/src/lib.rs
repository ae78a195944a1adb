//! All WebSocket connections of the process on one I/O thread.
//!
//! The calling side holds [`Link`]s and [`Listener`]s: plain handles that queue work for the thread and take what it
//! reports. No call here blocks on the network. The thread starts on first use; [`shutdown`] ends it.
#![forbid(unsafe_code)]

mod conn;
mod connect;
mod counters;
mod ids;
mod limits;
mod link;
mod listener;
mod local_address;
mod orders;
mod queues;
mod random;
mod reactor;
mod ready;
mod resolve;
mod thread;
mod tls;
mod transport;
mod wire;

pub use counters::{Counters, Statistics};
pub use limits::{ReceiveLimits, SendLimits, UNOFFERED_CAP};
pub use link::{Link, LinkEvent, LinkId, LinkOptions, Listener, ListenerEvent, Outbox};
pub use listener::{ListenError, ListenOptions};
pub use local_address::{LocalAddress, LocalAddressError};
pub use queues::{Batch, How};
pub use random::SystemRandom;
pub use resolve::Lookup;
pub use thread::shutdown;
pub use tls::{
    CertificateChain, ChainCapture, ClientTls, DefaultRoots, ExpectedName, ServerTls, ServerTrust, TlsError,
};
