//! What a WebSocket peer and a multiplayer peer do, apart from the engine whose classes show it.
//!
//! A [`Peer`] is one connection after the other, a [`Multiplayer`] a server with its clients or one
//! client. Both are moved by calls alone: what carries their bytes is a [`Carrier`], the time is
//! asked through [`Now`], and a call that is not done answers with a [`Refused`]. Nothing here
//! prints or runs script code; what is to be emitted is returned.
#![forbid(unsafe_code)]
// No panic can be reached from scripts or the network.
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

mod address;
mod attempt;
mod carrier;
mod close_requests;
mod frame_share;
mod held_end;
mod lent;
mod levels;
mod line_limit;
mod locked;
mod multiplayer;
mod peer;
mod place;
mod proxies;
mod reception;
mod redirected;
mod refused;
mod request;
mod requests;
mod rotation;
mod settings;
mod text;
mod view;

pub use address::address_text;
pub use attempt::{FailedAttempt, LatelyPrinted};
pub use carrier::{Carrier, LiveSetting, Now};
pub use frame_share::FrameShare;
pub use lent::Lent;
pub use levels::Levels;
pub use line_limit::{LineCause, LineLimit};
pub use locked::{Locked, Subject};
pub use multiplayer::{
    Emission, Listening, Multiplayer, Outcome, PeerIdError, Refusals, SERVER_ID, Signal, Status, TakesCopies,
    TransferMode,
};
pub use peer::{Accepted, Peer, PeerState};
pub use proxies::{Proxies, ProxyUse, Ways};
pub use reception::Reception;
pub use redirected::{Dial, Redirected};
pub use refused::{Allowed, MAX_RECEIVED, Refused, Reported};
pub use request::{Asking, RequestHead, RequestState, ServerRequest};
pub use rotation::Rotation;
pub use rust_websocket_net::IdMap;
pub use settings::{Class, NO_DELAY, Property, Settings, SharedSettings, property};
pub use text::{BrokenLine, Line, NotText, read_line, read_text};
pub use view::{PeerView, ReadyState};
