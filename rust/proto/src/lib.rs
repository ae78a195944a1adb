//! The WebSocket protocol (RFC 6455) as a state machine without input or output of its own.
//!
//! A [`Connection`] takes received bytes and the time, and gives bytes to send, [`Event`]s and the next deadline.
//! It never touches a socket, a thread, a clock, a lock or a random source: whoever drives it does.
#![forbid(unsafe_code)]

mod config;
mod connection;
mod error;
mod event;
pub mod multiplayer;
mod target;
mod view;

pub use config::{ClientRequest, Config, Random};
pub use connection::Connection;
pub use error::{CloseCause, ConnectPhase, SendError, TransportEnd};
pub use event::{Closed, Event, Message, MessageKind, Opened};
pub use target::{Scheme, Target, TargetError};
pub use view::{PeerView, ReadyState};
