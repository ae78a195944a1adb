//! What moves a peer's bytes: the I/O thread ([`Link`]), or this thread over a stream of the engine ([`Local`]).

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rust_websocket_net::{ClientTls, Counters, How, Link, LinkEvent, LinkOptions, SendLimits};
use rust_websocket_proto::{ClientRequest, Event, MessageKind, SendError};

use crate::{engine_stream::EngineStream, local::Local};

/// What a client's connection is secured with.
pub(crate) enum Security {
    /// Nothing: `ws://`.
    None,
    /// TLS of the I/O thread.
    Tls(ClientTls),
    /// TLS of the engine, on the thread that polls.
    Engine(EngineStream),
}

/// A started connection.
pub(crate) enum Driver {
    /// Socket, TLS and protocol live on the I/O thread.
    Remote(Link),
    /// Everything happens in the calls of the script's thread.
    Local(Box<Local>),
}

impl Driver {
    /// Starts a client's connection.
    pub(crate) fn connect(request: ClientRequest, security: Security, options: LinkOptions) -> Self {
        match security {
            Security::None => Self::Remote(Link::connect(request, options)),
            Security::Tls(tls) => Self::Remote(Link::connect_tls(request, tls, options)),
            Security::Engine(stream) => {
                Self::Local(Box::new(Local::client(stream, &request, options, Instant::now())))
            }
        }
    }

    /// A server's end over a stream of the engine.
    pub(crate) fn accept(stream: EngineStream, options: LinkOptions) -> Self {
        Self::Local(Box::new(Local::server(stream, options, Instant::now())))
    }

    /// Appends what happened since the last poll; returns the other side's address when it has become known.
    pub(crate) fn poll(
        &mut self,
        events: &mut Vec<Event>,
        reports: &mut Vec<LinkEvent>,
    ) -> Option<SocketAddr> {
        match self {
            Self::Remote(link) => {
                let mut address = None;
                link.take_events(reports);
                for report in reports.drain(..) {
                    match report {
                        LinkEvent::Connected(connected) => address = Some(connected),
                        LinkEvent::Protocol(event) => events.push(event),
                    }
                }
                address
            }
            Self::Local(local) => {
                local.poll(events, Instant::now());
                local.take_connected()
            }
        }
    }

    pub(crate) fn push(&mut self, kind: MessageKind, payload: Bytes, how: How<'_>) -> Result<(), SendError> {
        match self {
            Self::Remote(link) => link.push(kind, payload, how),
            Self::Local(local) => local.send(kind, payload),
        }
    }

    /// Starts the close handshake.
    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        match self {
            Self::Remote(link) => link.close(code, reason),
            Self::Local(local) => local.close(code, reason, Instant::now()),
        }
    }

    /// The script has taken a message of `bytes` bytes.
    pub(crate) fn consumed(&mut self, bytes: usize) {
        match self {
            Self::Remote(link) => link.consumed(bytes),
            Self::Local(local) => local.consumed(bytes),
        }
    }

    pub(crate) fn set_send_limits(&mut self, limits: SendLimits) {
        match self {
            Self::Remote(link) => link.set_send_limits(limits),
            Self::Local(local) => local.set_send_limits(limits),
        }
    }

    pub(crate) fn set_heartbeat_interval(&mut self, interval: Option<Duration>) {
        match self {
            Self::Remote(link) => link.set_heartbeat_interval(interval),
            Self::Local(local) => local.set_heartbeat_interval(interval, Instant::now()),
        }
    }

    pub(crate) fn set_close_timeout(&mut self, timeout: Duration) {
        match self {
            Self::Remote(link) => link.set_close_timeout(timeout),
            Self::Local(local) => local.set_close_timeout(timeout),
        }
    }

    pub(crate) fn round_trip_time(&self) -> Option<Duration> {
        match self {
            Self::Remote(link) => link.round_trip_time(),
            Self::Local(local) => local.round_trip_time(),
        }
    }

    pub(crate) fn set_no_delay(&mut self, enabled: bool) {
        match self {
            Self::Remote(link) => link.set_no_delay(enabled),
            Self::Local(local) => local.set_no_delay(enabled),
        }
    }

    pub(crate) fn counters(&self) -> &Arc<Counters> {
        match self {
            Self::Remote(link) => link.counters(),
            Self::Local(local) => local.counters(),
        }
    }

    pub(crate) fn buffered_amount(&self) -> usize {
        match self {
            Self::Remote(link) => link.buffered_amount(),
            Self::Local(local) => local.buffered_amount(),
        }
    }
}
