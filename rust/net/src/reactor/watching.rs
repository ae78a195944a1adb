//! Having the system watch sockets, once more too.

use std::io;

use mio::Interest;

use super::Reactor;
use crate::{
    listener::ListenerShared,
    notices::{NoticeCause, say},
    socket::Sockets,
};

impl Reactor {
    /// Answers to what was asked of the system about sockets may be lost: it is asked again, about all of them. What is ready already
    /// is reported anew.
    pub(crate) fn watch_anew(&mut self) {
        for (&id, acceptor) in &self.acceptors {
            let Some(token) = acceptor.token else { continue };
            let sockets = Sockets { id, registry: self.poll.registry(), owners: &mut self.owners };
            let shared = &acceptor.shared;
            let watched = shared.with_socket(|socket| sockets.watch_anew(token, socket, Interest::READABLE));
            if let Some(Err(error)) = watched {
                Self::give_up_listening(shared, &error);
            }
        }
        let connections: Vec<usize> = self.conns.keys().copied().collect();
        for id in connections {
            if self.with_conn(id, |conn, turn| conn.watch_anew(turn.sockets)) == Some(false) {
                self.ready.push(id);
            }
        }
    }

    /// The kernel is out of memory: better nobody gets in than that they wait for an answer.
    pub(super) fn give_up_listening(listener: &ListenerShared, error: &io::Error) {
        listener.close_socket();
        let port = listener.local_address().port();
        let text = format!(
            "The server on port {port} accepts nobody: the system cannot watch its socket ({error})."
        );
        say(NoticeCause::AcceptFailed, text);
    }
}
