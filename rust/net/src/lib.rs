//! All WebSocket connections of the process on one I/O thread.
//!
//! The calling side holds [`Link`]s and [`Listener`]s: plain handles that queue work for the thread and take what it
//! reports. No call here blocks on the network. The thread starts on first use; [`shutdown`] ends it.
#![forbid(unsafe_code)]

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use rust_websocket_proto::{ClientRequest, Config, Event, MessageKind, Opened, SendError};

/// Ends the I/O thread: one non-blocking pass over what is still to be written, then everything is closed. The
/// next use starts a new thread.
pub fn shutdown() {}

/// Outbound limits of a link; 0 means none (what nobody has offered to the kernel yet is capped at 8 MiB anyway).
#[derive(Debug, Clone, Copy)]
pub struct SendLimits {
    /// Payload bytes that the kernel has refused so far (`outbound_buffer_size`).
    pub bytes: usize,
    /// Messages that the kernel has refused so far (`max_queued_packets`).
    pub messages: usize,
}

/// Inbound limits of a link: reading pauses while this much was received and not consumed.
#[derive(Debug, Clone, Copy)]
pub struct ReceiveLimits {
    /// Payload bytes (`inbound_buffer_size`).
    pub bytes: usize,
    /// Messages (`max_queued_packets`).
    pub messages: usize,
}

/// Everything a new connection is told.
#[derive(Debug, Clone)]
pub struct LinkOptions {
    /// Protocol limits, timeouts, handshake contents.
    pub config: Config,
    /// Outbound limits; can be changed later.
    pub send_limits: SendLimits,
    /// Inbound limits; fixed.
    pub receive_limits: ReceiveLimits,
    /// TCP_NODELAY.
    pub no_delay: bool,
}

/// Names a link within the process; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(u64);

/// What a link reports.
#[derive(Debug)]
pub enum LinkEvent {
    /// The TCP connection stands; the other side's address.
    Connected(SocketAddr),
    /// From the protocol.
    Protocol(Event),
}

/// One connection, as its owner holds it. Dropping it is leaving: what was accepted is still offered to the kernel.
pub struct Link {}

impl Link {
    /// Starts connecting.
    pub fn connect(_request: ClientRequest, _options: LinkOptions) -> Self {
        unimplemented!()
    }
    /// Its name.
    pub fn id(&self) -> LinkId {
        unimplemented!()
    }
    /// Queues a message for the I/O thread.
    pub fn send(&self, _kind: MessageKind, _payload: Bytes) -> Result<(), SendError> {
        unimplemented!()
    }
    /// Starts the close handshake after what was sent.
    pub fn close(&self, _code: u16, _reason: &str) {}
    /// Leaves without a close frame (the engine's `close(-1)`): sends what was accepted, then FIN.
    pub fn leave(&self) {}
    /// Takes what was reported since the last call. (Links of a listener report through [`Listener::take_events`].)
    pub fn take_events(&self, _events: &mut Vec<LinkEvent>) {}
    /// The script has taken a message of `bytes` payload bytes: room for another.
    pub fn consumed(&self, _bytes: usize) {}
    /// Changes the outbound limits at once.
    pub fn set_send_limits(&self, _limits: SendLimits) {}
    /// Changes the heartbeat at once.
    pub fn set_heartbeat_interval(&self, _interval: Option<Duration>) {}
    /// Changes TCP_NODELAY.
    pub fn set_no_delay(&self, _enabled: bool) {}
    /// Payload bytes accepted and not yet taken by the kernel.
    pub fn buffered_amount(&self) -> usize {
        unimplemented!()
    }
}

/// Where and how to listen.
#[derive(Debug, Clone)]
pub struct ListenOptions {
    /// `None`: every address, IPv4 and IPv6.
    pub address: Option<IpAddr>,
    /// 0 lets the system choose.
    pub port: u16,
    /// For connections accepted from now on.
    pub link: LinkOptions,
}

/// What a listener reports.
#[derive(Debug)]
pub enum ListenerEvent {
    /// A newcomer completed its upgrade.
    Accepted(LinkId, SocketAddr, Opened),
    /// Something happened on one of its links.
    Link(LinkId, Event),
}

/// A listening socket and the connections that came in through it.
pub struct Listener {}

/// Interim.
pub const UNOFFERED_CAP: usize = 8 * 1024 * 1024;
