//! Which way a client's connection goes: through which proxy, and where redirects lead.

use std::{sync::Arc, time::Instant};

use godot::classes::TlsOptions;
use godot::prelude::*;
use rust_websocket_net::{ClientTls, LinkOptions, ProxyWay};
use rust_websocket_peers::{
    Carrier, Dial, Locked, Multiplayer, Peer, Proxies, ProxyUse, Redirected, Refused, Subject, Ways, property,
};
use rust_websocket_proto::{ClientRequest, Scheme, Target};

use crate::{
    driver::Security,
    report::{self, fence},
    text,
    tls_options::{self, ClientSide},
};

/// What has proxies.
pub(crate) trait Proxied: Subject {
    fn proxies(&mut self) -> &mut Proxies;
    fn uses_environment(&self) -> bool;
    /// `max_redirects`.
    fn redirects(&self) -> i64;
}

impl Proxied for Peer {
    fn proxies(&mut self) -> &mut Proxies {
        &mut self.proxies
    }

    fn uses_environment(&self) -> bool {
        *self.get::<property::use_environment_proxy>()
    }

    fn redirects(&self) -> i64 {
        *self.get::<property::max_redirects>()
    }
}

impl Proxied for Multiplayer {
    fn proxies(&mut self) -> &mut Proxies {
        &mut self.proxies
    }

    fn uses_environment(&self) -> bool {
        *self.get::<property::use_environment_proxy>()
    }

    fn redirects(&self) -> i64 {
        *self.get::<property::max_redirects>()
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

/// What a client needs that follows redirects.
pub(crate) struct Following {
    limit: usize,
    ways: Ways,
    /// What the script has asked for.
    first: Option<Target>,
    /// For its host.
    tls: Result<ClientTls, String>,
    /// For others: without the client's certificate.
    tls_elsewhere: Result<ClientTls, String>,
}

impl Following {
    /// By what is set now; `None` where a redirect is a refusal like others.
    pub(crate) fn new<T: Proxied>(
        state: &Locked<T>,
        url: &str,
        options: Option<&Gd<TlsOptions>>,
        own: &ClientSide,
    ) -> Option<Self> {
        let (limit, ways) = state.with(|peer| {
            let uses_environment = peer.uses_environment();
            (peer.redirects(), peer.proxies().ways(uses_environment))
        });
        let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0)?;
        // Also for a URL without TLS: a redirect may lead to one with it.
        let tls = tls_options::for_redirected(options, Some(own), own.minimum);
        Some(Self {
            limit,
            ways,
            first: Target::parse(url).ok(),
            tls_elsewhere: if own.shows_nothing() {
                tls.clone()
            } else {
                tls_options::for_redirected(options, None, own.minimum)
            },
            tls,
        })
    }

    /// Whether that is the host that the script has named. It proves in TLS that it is.
    fn is_first(&self, target: &Target) -> bool {
        self.first.as_ref().is_some_and(|first| first.host == target.host)
    }

    fn dial(self) -> Dial {
        Box::new(move |request, options| {
            let security = match request.target.scheme {
                Scheme::Ws => Security::None,
                Scheme::Wss if self.is_first(&request.target) => Security::Tls(self.tls.clone()?),
                Scheme::Wss => Security::Tls(self.tls_elsewhere.clone()?),
            };
            let way = self.ways.begin(&request.target);
            Ok(security.dial(request, LinkOptions { way, ..options }))
        })
    }
}

/// What starts a connection that goes this way.
pub(crate) fn dial(
    security: Result<Security, Refused>,
    way: Option<Arc<ProxyWay>>,
    following: Option<Following>,
) -> Result<impl FnOnce(ClientRequest, LinkOptions) -> Box<dyn Carrier>, Refused> {
    let security = security?;
    if way.is_some() && matches!(security, Security::Engine(_)) {
        return Err(Refused::ProxyTls);
    }
    let first = move |request, options| security.dial(request, LinkOptions { way, ..options });
    Ok(move |request, options| match following {
        None => first(request, options),
        Some(following) => {
            let (limit, dial) = (following.limit, following.dial());
            Box::new(Redirected::start(request, limit, options, first, dial, Instant::now()))
                as Box<dyn Carrier>
        }
    })
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
