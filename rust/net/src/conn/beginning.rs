//! How connections begin.

use std::{sync::Arc, time::Instant};

use mio::Token;
use rust_websocket_proto::{
    ClientRequest, ConnectPhase, Endpoint, EndpointOptions, Random, Scheme, admission,
};

use super::{Conn, Owner, Pending, Stage};
use crate::{
    listener::ListenerShared,
    route::Route,
    seam::{LinkEvent, LinkOptions, Orders, Reports, Shared},
    socket::UnsentLimit,
    trace::{way_from, way_to},
    transport::Transport,
    wire::Wire,
};

impl Conn {
    /// A client that still has to find its host.
    pub(crate) fn client(
        shared: Arc<Shared>,
        reports: Arc<Reports<LinkEvent>>,
        request: &ClientRequest,
        route: Route,
        options: LinkOptions,
        random: Arc<dyn Random>,
    ) -> Self {
        let bounds = bounds(&options, EndpointOptions::CLIENT_READ_AHEAD);
        let config = Arc::clone(&options.config);
        let mut endpoint = Endpoint::client(request, options.config, random, bounds, Instant::now());
        endpoint.set_connect_phase(ConnectPhase::NameResolution);
        let mut conn = Self::new(shared, endpoint, Owner::Link(reports), Stage::Created, options.no_delay);
        conn.limit_kernel_queue(config.heartbeat_interval.is_some(), config.unreliable_lifetime.is_some());
        conn.route = Some(Box::new(route));
        conn.begin_trace(|| way_to(&request.target, options.way.map(|way| way.proxy().to_string())));
        conn
    }

    /// A connection that a listener has accepted.
    pub(crate) fn accepted(
        transport: Transport,
        token: Token,
        (listener, address): (Arc<ListenerShared>, admission::Endpoint),
        shared: Arc<Shared>,
        options: LinkOptions,
    ) -> Self {
        let bounds = bounds(&options, EndpointOptions::SERVER_READ_AHEAD);
        let config = Arc::clone(&options.config);
        let scheme = if transport.is_secure() { Scheme::Wss } else { Scheme::Ws };
        let mut endpoint = Endpoint::server(scheme, options.config, bounds, Instant::now());
        endpoint.set_connect_phase(transport.phase());
        let stage = Stage::Connected(Wire::new(transport, token, options.no_delay));
        let owner = Owner::Listener(Arc::clone(&listener.arrivals));
        let mut conn = Self::new(shared, endpoint, owner, stage, options.no_delay);
        conn.booked = Some(0);
        conn.limit_kernel_queue(config.heartbeat_interval.is_some(), config.unreliable_lifetime.is_some());
        conn.pending = Some(Box::new(Pending::new(listener, address)));
        conn.begin_trace(|| way_from(address));
        conn
    }

    /// A server's end of a stream that somebody has accepted, without a listener.
    pub(crate) fn served(
        transport: Transport,
        shared: Arc<Shared>,
        reports: Arc<Reports<LinkEvent>>,
        options: LinkOptions,
    ) -> Self {
        let bounds = bounds(&options, EndpointOptions::SERVER_READ_AHEAD);
        let scheme = if transport.is_secure() { Scheme::Wss } else { Scheme::Ws };
        let mut endpoint = Endpoint::server(scheme, options.config, bounds, Instant::now());
        endpoint.set_connect_phase(transport.phase());
        let token = Token(shared.id().0);
        let stage = Stage::Connected(Wire::new(transport, token, options.no_delay));
        let mut conn = Self::new(shared, endpoint, Owner::Link(reports), stage, options.no_delay);
        conn.begin_trace(|| "over a stream".to_owned());
        conn
    }

    fn new(shared: Arc<Shared>, endpoint: Endpoint, owner: Owner, stage: Stage, no_delay: bool) -> Self {
        Self {
            shared,
            route: None,
            endpoint,
            owner,
            pending: None,
            sent_away: None,
            place: None,
            stage,
            no_delay,
            has_heartbeat: false,
            sends_states: false,
            unsent_limit: UnsentLimit::None,
            booked: None,
            awaits_owner: false,
            refuses_sends: false,
            orders: Orders::default(),
        }
    }
}

fn bounds(options: &LinkOptions, read_ahead: usize) -> EndpointOptions {
    let LinkOptions { send_limits, receive_limits, .. } = *options;
    EndpointOptions { send_limits, receive_limits, read_ahead, half_close: true }
}
