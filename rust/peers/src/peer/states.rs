//! What need not be worth sending for ever, what waits on the connection, and what it has carried.

use std::sync::Arc;

use bytes::Bytes;
use rust_websocket_net::{Counters, How, Statistics};
use rust_websocket_proto::{Amount, Delivery, MessageKind};

use super::Peer;
use crate::{Levels, LiveSetting, Now, Refused};

impl Peer {
    /// What the owner of a fed peer has set for all its connections.
    pub(crate) fn set_live(&mut self, setting: LiveSetting, now: Now<'_>) {
        if let Some(carrier) = self.carrier.as_mut().filter(|_| self.is_fed) {
            carrier.set(setting, now);
        }
    }

    /// Sends a packet of a multiplayer peer.
    pub(crate) fn put_packet_as(
        &mut self,
        payload: Bytes,
        delivery: Delivery,
        how: How<'_>,
    ) -> Result<(), Refused> {
        self.push(self.write_mode, payload, delivery, how)
    }

    /// Sends a message that takes the place of one with the same key which was not handed to the system yet.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_latest(&mut self, kind: MessageKind, payload: Bytes, key: i64) -> Result<(), Refused> {
        self.push(kind, payload, Delivery::Latest(key), How::Now)
    }

    /// What waits on the connection, and since when it is open.
    pub fn levels(&self) -> Levels {
        let unread = self.carrier.as_ref().map_or(Amount::default(), |carrier| carrier.unread());
        Levels { unread, unsent_bytes: self.buffered_amount(), opened_at: self.counters.opened_at() }
    }

    /// Seconds; -1 before the first answered ping.
    pub fn round_trip_time(&self) -> f64 {
        let time = self.carrier.as_ref().and_then(|carrier| carrier.round_trip_time());
        time.map_or(-1.0, |time| time.as_secs_f64())
    }

    /// Where that is counted what the connection carries, also after its end.
    pub(crate) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// What the connection has carried so far.
    pub fn statistics(&self) -> Statistics {
        // A live connection counts what was sent when it is asked for its counters.
        self.carrier.as_ref().map_or(&self.counters, |carrier| carrier.counters()).read()
    }
}
