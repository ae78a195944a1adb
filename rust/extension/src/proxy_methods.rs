//! The methods about proxies, the same on both classes.

use godot::prelude::*;
use rust_websocket_peers::{Peer, ProxyUse, ReadyState};

use crate::{
    multiplayer_peer::RustWebSocketMultiplayerPeer, proxies::set, websocket_peer::RustWebSocketPeer,
};

macro_rules! proxy_methods {
    ($class:ident) => {
        #[godot_api(secondary)]
        impl $class {
            #[func(gd_self)]
            fn set_http_proxy(
                this: Gd<Self>,
                host: GString,
                port: i64,
                #[opt(default = "")] user: GString,
                #[opt(default = "")] password: GString,
            ) {
                let of = ("set_http_proxy", ProxyUse::Http);
                set(&*Self::state_of(&this), of, (&host, port), (&user, &password));
            }

            #[func(gd_self)]
            fn set_https_proxy(
                this: Gd<Self>,
                host: GString,
                port: i64,
                #[opt(default = "")] user: GString,
                #[opt(default = "")] password: GString,
            ) {
                let of = ("set_https_proxy", ProxyUse::Https);
                set(&*Self::state_of(&this), of, (&host, port), (&user, &password));
            }

            #[func(gd_self)]
            fn set_socks_proxy(
                this: Gd<Self>,
                host: GString,
                port: i64,
                #[opt(default = "")] user: GString,
                #[opt(default = "")] password: GString,
            ) {
                let of = ("set_socks_proxy", ProxyUse::Socks);
                set(&*Self::state_of(&this), of, (&host, port), (&user, &password));
            }

            #[func]
            fn get_proxy_response_code(&self) -> i64 {
                self.proxy_response_code().into()
            }
        }
    };
}

proxy_methods!(RustWebSocketPeer);
proxy_methods!(RustWebSocketMultiplayerPeer);

impl RustWebSocketPeer {
    /// As with everything that a poll shows, not before it has.
    fn proxy_response_code(&self) -> u16 {
        let is_over = |peer: &Peer| peer.ready_state() == ReadyState::Closed;
        self.read(0, |peer| if is_over(peer) { peer.proxies.response_code() } else { 0 })
    }
}

impl RustWebSocketMultiplayerPeer {
    fn proxy_response_code(&self) -> u16 {
        self.read(
            0,
            |multiplayer| if multiplayer.is_idle() { multiplayer.proxies.response_code() } else { 0 },
        )
    }
}
