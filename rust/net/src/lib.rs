//! All WebSocket connections of the process on one I/O thread.
//!
//! The calling side holds [`Link`]s and [`Listener`]s: plain handles that queue work for the thread and take
//! what it reports. No call here blocks on the network. The thread starts on first use; [`shutdown`] ends it.
//!
//! # Floors
//! Files import downward only (`ci/lint.sh` checks it). From the top:
//!
//! | floor | files |
//! | --- | --- |
//! | handles | `link`: what the calling side holds |
//! | the thread | `thread`: started and ended; `drive`: who runs the reactor |
//! | the loop | `reactor`: everything that has something to do; the only one that knows connections and listeners both |
//! | what it runs | `conn`: a connection; `listener`: a listening socket; `wire`: a transport's readiness; `route`: a client's way to its server |
//! | layers | `transport`: a socket, bytes before the protocol, TLS; `tls` |
//! | connecting | `race`: to the addresses of a host; `lookup`: names |
//! | services | `socket`: registration, options, reading and writing |
//! | the seam | `seam`: orders down, reports up, and how much of either may wait; knows nobody above |
//! | traces | `trace`: what happens on connections, in files |
//! | plain data | `ready`, `pace`, `ids`, `random`, `local_address`; `helper`: threads for one piece of work; `notices`: what is to be printed; `descriptors`, `outages`: what keeps listeners from accepting |
//!
//! # Lock order
//! Floor order; it stands in `ARCHITECTURE.md`.
#![deny(unsafe_code)] // but for the limit of open files, see `descriptors`, and a socket option of Windows, see `socket`

mod admission;
mod conn;
mod descriptors;
mod drive;
mod helper;
mod ids;
mod link;
mod listener;
mod local_address;
mod lookup;
mod notices;
mod outages;
mod pace;
mod pipe;
mod places;
mod race;
mod random;
mod reactor;
mod ready;
mod rooms;
mod route;
mod seam;
mod socket;
#[cfg(unix)]
mod socket_file;
mod tally;
mod thread;
mod tls;
mod trace;
mod transport;
mod wire;

pub use admission::Admission;
pub use ids::{IdMap, SpreadBits};
pub use link::{Link, Listener, ListenerEvent};
pub use listener::{ListenError, ListenOptions};
pub use local_address::{LocalAddress, LocalAddressError};
pub use lookup::Lookup;
pub use notices::{Notice, NoticeCause, take_notices};
pub use pipe::{Pipe, PipeSocket};
pub use random::SystemRandom;
pub use rooms::Reporting;
pub use rust_websocket_proto::{ReceiveLimits, SendLimits, Statistics, UNOFFERED_CAP};
pub use seam::{
    Asked, Batch, Counted, Counters, How, LinkEvent, LinkId, LinkOptions, Membership, Outbox, Phase,
    ProcessSums, ProxyWay, Standing, Tag, TlsFacts, lock,
};
pub use tally::{AdmissionCounts, Tally};
pub use thread::{IO_THREAD_NAME, shutdown};
#[cfg(feature = "fuzzing")]
pub use tls::fuzzing;
pub use tls::{
    CertificateChain, CertificateChange, ChainCapture, ClientAuth, ClientTls, DefaultRoots, ExpectedName,
    Identity, ServerRules, ServerTls, ServerTrust, TlsError, TlsVersion, log_tls_keys,
};
pub use trace::{ConnectionTrace, MAX_TRACED_PAYLOAD, TRACED_LATER, Trace, way_to};
