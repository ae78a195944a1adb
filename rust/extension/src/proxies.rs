//! Proxies of clients: which way a connection goes.

use std::sync::Arc;

use godot::prelude::*;
use rust_websocket_net::{LinkOptions, ProxyWay};
use rust_websocket_peers::{
    Carrier, Locked, Multiplayer, Peer, Proxies, ProxyUse, Refused, Subject, property,
};
use rust_websocket_proto::ClientRequest;

use crate::{
    driver::Security,
    report::{self, fence},
    text,
};

/// What has proxies.
pub(crate) trait Proxied: Subject {
    fn proxies(&mut self) -> &mut Proxies;
    fn uses_environment(&self) -> bool;
}

impl Proxied for Peer {
    fn proxies(&mut self) -> &mut Proxies {
        &mut self.proxies
    }

    fn uses_environment(&self) -> bool {
        *self.get::<property::use_environment_proxy>()
    }
}

impl Proxied for Multiplayer {
    fn proxies(&mut self) -> &mut Proxies {
        &mut self.proxies
    }

    fn uses_environment(&self) -> bool {
        *self.get::<property::use_environment_proxy>()
    }
}

/// The way of a connection that is about to begin. A mistake in the environment is printed, and the way is straight then.
pub(crate) fn way<T: Proxied>(state: &Locked<T>, url: &str) -> Option<Arc<ProxyWay>> {
    let chosen = state.with(|peer| {
        let uses_environment = peer.uses_environment();
        peer.proxies().choose(url, uses_environment)
    });
    chosen.unwrap_or_else(|refused| {
        _ = report::refuse(state, &refused);
        None
    })
}

/// What starts a connection that goes this way.
pub(crate) fn dial(
    security: Result<Security, Refused>,
    way: Option<Arc<ProxyWay>>,
) -> Result<impl FnOnce(ClientRequest, LinkOptions) -> Box<dyn Carrier>, Refused> {
    let security = security?;
    if way.is_some() && matches!(security, Security::Engine(_)) {
        return Err(Refused::ProxyTls);
    }
    Ok(move |request, options| security.dial(request, LinkOptions { way, ..options }))
}

/// What a script's call sets.
pub(crate) fn set<T: Proxied>(
    state: &Locked<T>,
    (call, which): (&'static str, ProxyUse),
    (host, port): (&GString, i64),
    (user, password): (&GString, &GString),
) {
    fence((), || {
        let host = text::read("the proxy's host", host);
        let user = text::read("the proxy's user name", user);
        let password = text::read("the proxy's password", password);
        _ = report::answer(state, |peer| {
            peer.proxies().set(call, which, (&host?, port), (&user?, &password?))
        });
    });
}
