//! Requests and rooms of `RustWebSocketMultiplayerPeer`: what the class does for servers beyond the engine's.

use std::{
    collections::HashMap,
    sync::{Arc, MutexGuard},
};

use rust_websocket_net::lock;

use godot::global::Error;
use godot::prelude::*;
use rust_websocket_peers::{Asking, Multiplayer, Refused};

use crate::{
    convert::Nullable,
    decider,
    multiplayer_peer::{MultiplayerState, RustWebSocketMultiplayerPeer},
    own_virtuals,
    report::{self, fence},
    request::RustWebSocketRequest,
    server::RustWebSocketServer,
    text,
};

impl RustWebSocketMultiplayerPeer {
    pub(crate) fn lock_requests(&self) -> MutexGuard<'_, HashMap<i64, Gd<RustWebSocketRequest>>> {
        lock(&self.requests)
    }

    /// Has the script decide.
    pub(crate) fn ask(this: &Gd<Self>, state: &MultiplayerState, asking: Arc<Asking>) {
        let decider = Arc::clone(&this.bind().decider);
        let refused = decider.ask(asking);
        state.with(Multiplayer::asked);
        if let Some(refused) = refused {
            _ = report::refuse(state, &refused);
        }
    }

    /// Looks at requests that wait.
    pub(crate) fn sweep_requests(this: &Gd<Self>, state: &MultiplayerState) {
        let decider = Arc::clone(&this.bind().decider);
        if let Some(refused) = decider.sweep() {
            _ = report::refuse(state, &refused);
        }
    }

    /// Keeps the request behind a new member, with what the script has noted on it.
    pub(crate) fn claim_request(this: &Gd<Self>, id: i32) {
        let state = Self::state_of(this);
        let member = state.with(|multiplayer| multiplayer.peer(id).cloned());
        let Some(asking) = member.and_then(|member| member.with(|peer| peer.request().cloned())) else {
            return;
        };
        let request = decider::claim(&asking);
        let earlier = this.bind().lock_requests().insert(id.into(), request);
        drop(earlier);
    }
}

#[godot_api(secondary)]
impl RustWebSocketMultiplayerPeer {
    #[func(gd_self)]
    fn create_server_from(
        this: Gd<Self>,
        server: Nullable<RustWebSocketServer>,
        #[opt(default = "")] path: GString,
    ) -> Error {
        fence(Error::ERR_BUG, || {
            own_virtuals::warn(&this, own_virtuals::OF_MULTIPLAYER_PEERS);
            let path = text::read("create_server_from: the path", &path);
            let server = server.0.as_ref().map(RustWebSocketServer::state_of);
            report::answer(&*Self::state_of(&this), |multiplayer| {
                let server = server.ok_or(Refused::NoServer);
                multiplayer.create_room(&path?, |path| server?.with(|server| server.room(path)))
            })
        })
    }

    #[func]
    fn get_request_callback(&self) -> Callable {
        fence(Callable::invalid(), || self.decider.callback())
    }

    #[func(gd_self)]
    fn set_request_callback(this: Gd<Self>, callback: Callable) {
        fence((), || {
            let decider = Arc::clone(&this.bind().decider);
            let asks = decider.set_callback(callback);
            Self::state_of(&this).with(|multiplayer| multiplayer.set_asks(asks));
        });
    }
}
