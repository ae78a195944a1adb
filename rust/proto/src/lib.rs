//! The WebSocket protocol (RFC 6455, with compression by RFC 7692) as a state machine without input or output of its own.
//!
//! A [`Connection`] takes received bytes and the time, and gives bytes to send, [`Event`]s and the next deadline.
//! It never touches a socket, a thread, a clock, a lock or a random source: whoever drives it does.
#![forbid(unsafe_code)]
// No panic can be reached from the network: nothing here may fail on what was received.
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::unwrap_used
    )
)]

pub mod admission;
mod authority;
mod budget;
mod buffer;
mod config;
mod connection;
mod deflate;
mod endpoint;
mod error;
mod event;
mod fields;
mod frame;
mod handshake;
pub mod http;
mod lifetime;
mod limits;
mod mask;
mod message;
mod quoted;
mod redirects;
mod server_names;
mod statistics;
mod target;
mod timer;
mod token;
mod trace;
pub mod tunnel;
mod waiting;

pub use budget::Budget;
pub use config::{ClientRequest, Config, DeflateConfig, Random};
pub use connection::{Connection, Polled};
pub use deflate::Compressor;
pub use endpoint::{Endpoint, EndpointOptions, Farewell};
pub use error::{
    CloseCause, ConnectPhase, HttpResponse, ProtocolError, RedirectProblem, RefusedRedirect, RequestError,
    ResponseError, SendError, TransportEnd,
};
pub use event::{Closed, Event, Message, MessageKind, Opened};
pub use fields::HandshakeLineError;
pub use frame::is_valid_close_code;
pub use lifetime::{Delivery, LifetimeQueue};
pub use limits::{Amount, Offered, ReceiveLimits, SendAccount, SendLimits, UNOFFERED_CAP};
pub use quoted::{Escaped, Quoted};
pub use redirects::Redirects;
pub use server_names::{ServerName, ServerNameError, ServerNames};
pub use statistics::Statistics;
pub use target::{Scheme, Target, TargetError, ascii_host_name, parse_ip_address, shown_url};
pub use trace::{TraceEvent, Tracer};
