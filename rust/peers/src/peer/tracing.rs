//! What happens on the connection, written into a file.

use std::sync::Arc;

use rust_websocket_net::Trace;

use super::Peer;

impl Peer {
    /// Traces this connection from now on, and those that follow; `None`: no more. Returns the trace that is to be
    /// [ended](Trace::end) instead.
    pub fn set_trace(&mut self, trace: Option<Trace>) -> Option<Trace> {
        let is_own = std::mem::replace(&mut self.owns_trace, trace.is_some());
        if let Some(carrier) = &mut self.carrier {
            let connection = trace.as_ref().map(Trace::connection);
            if let Some(connection) = &connection {
                connection.set_peer_id(self.id_in_session);
            }
            carrier.set_trace(connection);
        }
        let before = std::mem::replace(&mut Arc::make_mut(&mut self.settings).trace, trace);
        before.filter(|_| is_own)
    }

    /// The id that the client of this connection has in a multiplayer session, for traces.
    pub(crate) fn set_id_in_session(&mut self, id: i32) {
        self.id_in_session = id;
        if let Some(trace) = self.carrier.as_ref().and_then(|carrier| carrier.trace()) {
            trace.set_peer_id(id);
        }
    }
}
