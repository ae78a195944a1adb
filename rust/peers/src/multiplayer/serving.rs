//! What only a server does.

use std::sync::Arc;

use rust_websocket_net::{ServerTls, Trace};

use super::{Listening, Multiplayer, Session, server::Server};
use crate::{Refused, place::certificate_change, settings::SharedSettings};

impl<L: Listening> Multiplayer<L> {
    /// Becomes a server that gets its clients from another, by their path: `room` is asked for what brings them, and tells the
    /// settings with which that server's connections begin.
    ///
    /// # Errors
    /// It is in use, the path cannot be one or is taken, it asks for certificates, or the other server does not listen.
    pub fn create_room(
        &mut self,
        path: &str,
        room: impl FnOnce(&str) -> Result<(L, SharedSettings), Refused>,
    ) -> Result<(), Refused> {
        self.check_idle("create_server_from")?;
        if !path.is_empty() && !path.starts_with('/') {
            return Err(Refused::RoomPath(path.into()));
        }
        if self.settings.tls_client_auth != 0 {
            let problem = "a room has no TLS of its own; set tls_client_auth on the RustWebSocketServer, and here to \
                           TLS_CLIENT_AUTH_NONE";
            return Err(Refused::Tls { call: "create_server_from", problem: problem.to_owned() });
        }
        let (listener, base) = room(path)?;
        let server = Server::in_room(listener, base);
        server.apply_settings(&self.settings, self.asks);
        server.set_accepting(!self.refuses_new_connections);
        self.start(Session::Server(Box::new(server)));
        Ok(())
    }

    /// Whether the script decides on requests that come from now on.
    pub fn set_asks(&mut self, asks: bool) {
        self.asks = asks;
        self.has_asked |= asks;
        self.apply_settings();
    }

    /// The script's function for the request that a poll has returned last has returned.
    pub fn asked(&mut self) {
        if let Session::Server(server) = &mut self.session {
            server.asked();
        }
    }

    /// Whether it ever has: requests may wait for an answer.
    pub fn has_asked(&self) -> bool {
        self.has_asked
    }

    /// Traces connections that are made from now on; `None`: none. Returns the trace that is to be [ended](Trace::end).
    pub fn set_trace(&mut self, trace: Option<Trace>) -> Option<Trace> {
        let before = std::mem::replace(&mut Arc::make_mut(&mut self.settings).trace, trace);
        self.apply_settings();
        before
    }

    pub(super) fn apply_settings(&self) {
        if let Session::Server(server) = &self.session {
            server.apply_settings(&self.settings, self.asks);
        }
    }

    /// Whether it is a server that listens with TLS, whose certificates can be exchanged.
    ///
    /// # Errors
    /// [`Refused::NotServer`], [`Refused::RoomTls`], [`Refused::NoTls`].
    pub fn check_tls(&self, call: &'static str) -> Result<(), Refused> {
        let Session::Server(server) = &self.session else { return Err(Refused::NotServer(call)) };
        if server.is_room() {
            return Err(Refused::RoomTls(call));
        }
        if server.is_tls() { Ok(()) } else { Err(Refused::NoTls(call)) }
    }

    /// Exchanges the certificate for handshakes to come: that for clients which announce `name`, where `None` takes the name
    /// away, or with an empty name the one for everybody else.
    ///
    /// # Errors
    /// As [`check_tls`](Self::check_tls), [`Refused::ServerName`], and [`Refused::Tls`] for `None` without a name.
    pub fn set_tls(&mut self, call: &'static str, name: &str, tls: Option<ServerTls>) -> Result<(), Refused> {
        self.check_tls(call)?;
        let change = certificate_change(call, name, tls)?;
        if let Session::Server(server) = &self.session {
            server.change_certificate(change);
        }
        Ok(())
    }
}
