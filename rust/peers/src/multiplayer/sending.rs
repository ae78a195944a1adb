//! What a multiplayer peer sends.

use std::sync::Arc;

use bytes::Bytes;
use rust_websocket_net::AdmissionCounts;
use rust_websocket_proto::Delivery;

use super::{Listening, Multiplayer, Refusals, Session, TransferMode};
use crate::{Levels, LiveSetting, Now, PeerState, Refused, Subject};

/// Larger ones are rare, and would be kept until the next poll.
const LARGEST_SHARED: usize = 64 * 1024;
/// Who has put the same for so many more puts it for everybody, most likely.
const A_FEW: usize = 3;
/// Of so many members the processor's cache still holds the first when it is the last one's turn.
const MOST_PREFETCHED: usize = 2048;

impl<L: Listening> Multiplayer<L> {
    /// Sends a packet, which is copied unless the same bytes were put for a peer just before. The peers that refuse it are
    /// returned, each with what to report for it.
    ///
    /// # Errors
    /// Nobody is sent anything: not connected, or an unknown target.
    pub fn put_packet(&mut self, payload: &[u8], now: Now<'_>) -> Result<Refusals, Refused> {
        self.check_connected("put_packet")?;
        let delivery = self.delivery(now);
        let is_shared = self.shares(payload.len());
        if is_shared {
            self.share(payload);
        }
        let refused = match &self.session {
            // By reference: the I/O thread drops what has gone out meanwhile, and each count of the same bytes waits for it.
            Session::Server(server) if is_shared => {
                server.send(self.target_peer, &self.last_put, delivery)?
            }
            Session::Server(server) => {
                server.send(self.target_peer, &Bytes::copy_from_slice(payload), delivery)?
            }
            Session::Client(client) => {
                client.send(Bytes::copy_from_slice(payload), delivery)?;
                Vec::new()
            }
            Session::Idle => Vec::new(),
        };
        if let Some((_, last)) = refused.last() {
            self.note_refusal(last);
        }
        Ok(refused)
    }

    /// Whether a packet may be one of those that are put for one peer after the other.
    fn shares(&self, len: usize) -> bool {
        matches!(self.session, Session::Server(_)) && self.target_peer > 0 && len <= LARGEST_SHARED
    }

    /// `SceneMultiplayer` sends a packet to everybody as one for each peer, with the same bytes: they share one payload, and so what
    /// it is compressed to.
    fn share(&mut self, payload: &[u8]) {
        if self.last_put == payload {
            self.note_repeat();
        } else {
            self.last_put = Bytes::copy_from_slice(payload);
            self.repeats = 0;
        }
    }

    /// The same was put for another peer: who does that a few times goes on with the others, whose memory is asked for together.
    fn note_repeat(&mut self) {
        self.repeats += 1;
        if self.repeats == A_FEW
            && let Session::Server(server) = &self.session
            && server.member_count() <= MOST_PREFETCHED
        {
            server.prefetch();
        }
    }

    /// Of a packet that is put now. The time is asked only where something depends on it.
    fn delivery(&self, now: Now<'_>) -> Delivery {
        if self.transfer_mode == TransferMode::Reliable || self.settings.lifetime().is_none() {
            return Delivery::Reliable;
        }
        Delivery::Unreliable(now())
    }

    /// What waits on all connections of this session.
    pub fn levels(&self) -> Levels {
        let levels = |state: &Arc<PeerState>| state.with(|peer| peer.levels());
        match &self.session {
            Session::Server(server) => server.members().map(levels).fold(Levels::default(), Levels::and),
            Session::Client(client) => levels(client.server()),
            Session::Idle => Levels::default(),
        }
    }

    /// Who is in, on a server.
    pub fn member_ids(&self) -> Vec<i32> {
        match &self.session {
            Session::Server(server) => server.member_ids().collect(),
            Session::Client(_) | Session::Idle => Vec::new(),
        }
    }

    /// What became of those who came to this server, or to the last one; `None` for a client.
    pub fn admissions(&self) -> Option<AdmissionCounts> {
        match &self.session {
            Session::Server(server) => Some(server.tally().read()),
            Session::Client(_) => None,
            Session::Idle => self.past.tally.as_ref().map(|tally| tally.read()),
        }
    }

    /// Has all connections obey what was set.
    pub(super) fn set_live(&self, setting: LiveSetting, now: Now<'_>) {
        let set = |state: &Arc<PeerState>| state.with(|peer| peer.set_live(setting, now));
        match &self.session {
            Session::Server(server) => server.members().for_each(set),
            Session::Client(client) => set(client.server()),
            Session::Idle => {}
        }
    }
}
