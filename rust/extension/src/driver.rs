//! What carries a peer's bytes: a [`Link`] of the I/O thread, or an engine stream on the thread
//! that polls.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rust_websocket_net::{
    ClientTls, ConnectionTrace, Counters, How, Link, LinkEvent, LinkOptions, PipeSocket,
};
use rust_websocket_peers::{Accepted, Carrier, LiveSetting, NO_DELAY, Now, address_text};
use rust_websocket_proto::{Amount, ClientRequest, Delivery, MessageKind, SendError, admission::Endpoint};

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

impl Security {
    /// Starts a client's connection.
    pub(crate) fn dial(self, request: ClientRequest, options: LinkOptions) -> Box<dyn Carrier> {
        match self {
            Self::None => Box::new(Link::connect(request, options)),
            Self::Tls(tls) => Box::new(Link::connect_tls(request, tls, options)),
            Self::Engine(stream) => Box::new(Local::client(stream, &request, options, Instant::now())),
        }
    }
}

/// Starts a server's end over a stream of the engine, of which `received` was read before.
pub(crate) fn accept(stream: EngineStream, received: Bytes, options: LinkOptions) -> Accepted {
    let remote = stream.open().and_then(|mut open| open.start(NO_DELAY));
    let local = Local::server(stream, received, options, remote.as_ref(), Instant::now());
    Accepted { carrier: Box::new(local), remote }
}

/// Starts a server's end over a stream of any kind, whose bytes a [pump](crate::pump) moves.
pub(crate) fn accept_pumped(from: Endpoint, socket: PipeSocket) -> impl FnOnce(LinkOptions) -> Accepted {
    move |options| {
        let remote = (from != Endpoint::UNKNOWN).then(|| (address_text(from.address), from.port));
        Accepted { carrier: Box::new(Link::serve(socket, options)), remote }
    }
}

impl Carrier for Local {
    fn poll(&mut self, events: &mut Vec<LinkEvent>, now: Now<'_>) {
        Local::poll(self, events, now());
    }

    fn push(
        &mut self,
        kind: MessageKind,
        payload: Bytes,
        delivery: Delivery,
        _how: How<'_>,
    ) -> Result<(), SendError> {
        self.send(kind, payload, delivery)
    }

    fn close(&mut self, code: u16, reason: &str, now: Now<'_>) {
        Local::close(self, code, reason, now());
    }

    fn leave(&mut self) {
        Local::leave(self);
    }

    fn consumed(&mut self, bytes: usize) {
        Local::consumed(self, bytes);
    }

    fn set(&mut self, setting: LiveSetting, now: Now<'_>) {
        match setting {
            LiveSetting::SendLimits(limits) => self.set_send_limits(limits),
            LiveSetting::HeartbeatInterval(interval) => self.set_heartbeat_interval(interval, now()),
            LiveSetting::CloseTimeout(timeout) => self.set_close_timeout(timeout),
            LiveSetting::NoDelay(enabled) => self.set_no_delay(enabled),
            LiveSetting::UnreliableLifetime(lifetime) => self.set_unreliable_lifetime(lifetime),
        }
    }

    fn set_trace(&mut self, trace: Option<ConnectionTrace>) {
        Local::set_trace(self, trace);
    }

    fn trace(&self) -> Option<&ConnectionTrace> {
        Local::trace(self)
    }

    fn round_trip_time(&self) -> Option<Duration> {
        Local::round_trip_time(self)
    }

    fn counters(&self) -> &Arc<Counters> {
        Local::counters(self)
    }

    fn unread(&self) -> Amount {
        Local::unread(self)
    }

    fn buffered_amount(&self) -> usize {
        Local::buffered_amount(self)
    }

    fn needs_polls(&self) -> bool {
        !self.is_released()
    }
}
