//! Watching a connection's sockets anew.

use rust_websocket_proto::TransportEnd;

use super::{Conn, Stage};
use crate::socket::Sockets;

impl Conn {
    /// False if that fails: the connection ends with its next turn.
    pub(crate) fn watch_anew(&mut self, sockets: &mut Sockets<'_>) -> bool {
        let watched = match &mut self.stage {
            Stage::Connecting(race) => race.watch_anew(sockets),
            Stage::Connected(wire) => sockets.watch_anew(wire.token, wire.transport.socket(), Sockets::BOTH),
            Stage::Created | Stage::Resolving(_) | Stage::Done => Ok(()),
        };
        let Err(error) = watched else { return true };
        if let Stage::Connected(wire) = &mut self.stage {
            wire.end_input();
            wire.writable = false;
        }
        self.endpoint.handle_end(TransportEnd::Error(format!("the system cannot watch its socket: {error}")));
        false
    }
}
