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

mod budget;
mod buffer;
mod config;
mod connection;
mod deflate;
mod endpoint;
mod error;
mod event;
mod frame;
mod handshake;
mod limits;
mod mask;
mod message;
pub mod multiplayer;
mod statistics;
mod target;
mod timer;
mod token;
mod view;

pub use budget::Budget;
pub use config::{ClientRequest, Config, DeflateConfig, HandshakeLineError, Random};
pub use connection::{Connection, Polled};
pub use deflate::Compressor;
pub use endpoint::{Endpoint, EndpointOptions, Farewell};
pub use error::{
    CloseCause, ConnectPhase, HttpResponse, ProtocolError, RequestError, ResponseError, SendError,
    TransportEnd,
};
pub use event::{Closed, Event, Message, MessageKind, Opened};
pub use frame::is_valid_close_code;
pub use limits::{Amount, Offered, ReceiveLimits, SendAccount, SendLimits, UNOFFERED_CAP};
pub use statistics::Statistics;
pub use target::{Scheme, Target, TargetError};
pub use view::{PeerView, ReadyState};
