//! The proxies of a client.

use std::sync::{Arc, Mutex};

use rust_websocket_net::{ProxyWay, lock};
use rust_websocket_proto::{
    Target,
    tunnel::{Proxy, ProxyKind, ProxySettings},
};

use crate::Refused;

/// For which connections a proxy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyUse {
    /// For `ws://`.
    Http,
    /// For `wss://`.
    Https,
    /// For both, where there is none of the scheme's own.
    Socks,
}

/// What a script has set, and through which proxy the latest connection goes.
#[derive(Debug, Default)]
pub struct Proxies {
    settings: ProxySettings,
    latest: LatestWay,
}

/// The way of the latest connection, which a redirect changes.
type LatestWay = Arc<Mutex<Option<Arc<ProxyWay>>>>;

/// The ways of a client that is redirected, by what was set when it began.
#[derive(Debug)]
pub struct Ways {
    settings: ProxySettings,
    latest: LatestWay,
}

impl Ways {
    /// The way of a connection to `target`, which begins; `None`: straight to the server, as where the environment names no proxy
    /// that can be used.
    pub fn begin(&self, target: &Target) -> Option<Arc<ProxyWay>> {
        let way = choose(&self.settings, target).ok().flatten();
        lock(&self.latest).clone_from(&way);
        way
    }
}

fn choose(settings: &ProxySettings, target: &Target) -> Result<Option<Arc<ProxyWay>>, Refused> {
    if target.socket_path.is_some() {
        return Ok(None);
    }
    let proxy = settings.choose(target, |name| std::env::var(name).ok());
    Ok(proxy.map_err(Refused::Environment)?.map(|proxy| Arc::new(ProxyWay::new(proxy))))
}

impl Proxies {
    /// Sets a proxy for connections to come; no host, or port -1: none.
    ///
    /// # Errors
    /// [`Refused::Proxy`]; there is none then.
    pub fn set(
        &mut self,
        call: &'static str,
        which: ProxyUse,
        (host, port): (&str, i64),
        (user, password): (&str, &str),
    ) -> Result<(), Refused> {
        let kind = if which == ProxyUse::Socks { ProxyKind::Socks5 } else { ProxyKind::Http };
        let place = match which {
            ProxyUse::Http => &mut self.settings.http,
            ProxyUse::Https => &mut self.settings.https,
            ProxyUse::Socks => &mut self.settings.socks,
        };
        *place = None;
        *place = Proxy::new(kind, host, port, user, password)
            .map_err(|problem| Refused::Proxy { call, problem })?;
        Ok(())
    }

    /// The way of a connection to that URL; `None`: straight to the server.
    ///
    /// # Errors
    /// [`Refused::Environment`]: to be reported, and the way is straight.
    pub fn choose(&self, url: &str, use_environment: bool) -> Result<Option<Arc<ProxyWay>>, Refused> {
        // What is wrong with the URL is said elsewhere.
        let Ok(target) = Target::parse(url) else { return Ok(None) };
        choose(&self.ways(use_environment).settings, &target)
    }

    /// The ways of a connection that may be redirected.
    pub fn ways(&self, use_environment: bool) -> Ways {
        let settings = ProxySettings { use_environment, ..self.settings.clone() };
        Ways { settings, latest: Arc::clone(&self.latest) }
    }

    /// A connection has begun that goes this way.
    pub fn begin(&mut self, way: Option<Arc<ProxyWay>>) {
        *lock(&self.latest) = way;
    }

    /// What an HTTP proxy has answered instead of opening the tunnel of the latest connection; 0 if none has.
    pub fn response_code(&self) -> u16 {
        lock(&self.latest).as_ref().map_or(0, |way| way.response_code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_for_its_own() {
        let mut proxies = Proxies::default();
        proxies.set("set_https_proxy", ProxyUse::Https, ("cache", 3128), ("", "")).unwrap();
        proxies.set("set_socks_proxy", ProxyUse::Socks, ("socks", 1080), ("ada", "")).unwrap();
        let way = |proxies: &Proxies, url: &str| {
            proxies.choose(url, false).unwrap().map(|way| way.proxy().to_string())
        };
        assert_eq!(way(&proxies, "wss://game.example/").as_deref(), Some("cache:3128"));
        assert_eq!(way(&proxies, "ws://game.example/").as_deref(), Some("socks:1080"));
        assert_eq!(way(&proxies, "ws+unix:/run/x"), None);
        assert_eq!(way(&proxies, ":"), None);
        let refused = proxies.set("set_socks_proxy", ProxyUse::Socks, ("socks", 0), ("", ""));
        assert!(matches!(refused, Err(Refused::Proxy { .. })));
        assert_eq!(way(&proxies, "ws://game.example/"), None, "a mistake leaves none");
        proxies.set("set_https_proxy", ProxyUse::Https, ("", 3128), ("", "")).unwrap();
        assert_eq!(way(&proxies, "wss://game.example/"), None);
        assert_eq!(proxies.response_code(), 0);
    }
}
