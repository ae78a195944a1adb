//! The peer-id protocol of the engine's `WebSocketMultiplayerPeer` and its target rules, as pure
//! logic.

use std::{
    collections::{HashSet, VecDeque},
    time::{Duration, Instant},
};

use rust_websocket_proto::Random;

/// The server's own id.
pub const SERVER_ID: i32 = 1;
/// The least id that a client can have.
pub(crate) const FIRST_CLIENT_ID: i32 = 2;

/// What is wrong with the first message from a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerIdError {
    /// Not four bytes.
    #[error(
        "the server's first message has {0} bytes instead of a peer id of 4: it is no WebSocketMultiplayerPeer server"
    )]
    Size(usize),
    /// Less than 2.
    #[error("the server assigned the peer id {0}, which no client can have")]
    Value(i32),
}

/// The message that assigns `id`: four bytes, little-endian, sent as binary.
pub(crate) fn encode_peer_id(id: i32) -> [u8; 4] {
    id.to_le_bytes()
}

/// Reads the message that assigns an id.
///
/// # Errors
/// See [`PeerIdError`].
pub(crate) fn decode_peer_id(payload: &[u8]) -> Result<i32, PeerIdError> {
    let bytes = payload.try_into().map_err(|_| PeerIdError::Size(payload.len()))?;
    match i32::from_le_bytes(bytes) {
        id if id >= FIRST_CLIENT_ID => Ok(id),
        id => Err(PeerIdError::Value(id)),
    }
}

/// Whom a packet goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recipients {
    /// Every peer, of which there may be none.
    All,
    /// That one.
    One(i32),
    /// Every peer but that one, which need not exist.
    AllBut(i32),
}

impl Recipients {
    /// Whether `id` is among them.
    pub(crate) fn includes(self, id: i32) -> bool {
        match self {
            Self::All => true,
            Self::One(one) => id == one,
            Self::AllBut(other) => id != other,
        }
    }
}

/// The target peer does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no peer {0} to send to")]
pub(crate) struct UnknownPeer(
    /// The target.
    pub(crate) i32,
);

/// Whom a server's packet goes to: 0 all, > 0 that one, < 0 all but that one.
///
/// # Errors
/// [`UnknownPeer`] for a single target that `exists` does not know.
pub(crate) fn server_recipients(
    target: i32,
    exists: impl FnOnce(i32) -> bool,
) -> Result<Recipients, UnknownPeer> {
    match target {
        0 => Ok(Recipients::All),
        1.. if exists(target) => Ok(Recipients::One(target)),
        1.. => Err(UnknownPeer(target)),
        // The engine takes any excluded id, known or not. There is no positive counterpart of
        // i32::MIN to exclude.
        _ => Ok(target.checked_neg().map_or(Recipients::All, Recipients::AllBut)),
    }
}

/// For so long the id of a peer that has left is not given to another: whoever still has it means
/// the one before.
const KEPT_BACK: Duration = Duration::from_secs(300);
/// And no more than so many, the latest: thousands may come and go in each second, and a random id is hardly ever one of a few.
const MOST_KEPT_BACK: usize = 65_536;

/// Gives out random ids of 31 bits, none to two peers, and none again for some minutes.
#[derive(Debug, Default)]
pub(crate) struct PeerIds {
    /// Of live peers, and of those that have left lately.
    taken: HashSet<i32>,
    /// Of those that have left, in that order.
    left: VecDeque<(Instant, i32)>,
}

impl PeerIds {
    /// A new id, at least [`FIRST_CLIENT_ID`].
    pub(crate) fn assign(&mut self, random: &dyn Random) -> i32 {
        let mut bytes = [0; 4];
        random.fill(&mut bytes);
        let mut id = i32::from_le_bytes(bytes) & i32::MAX;
        // The next free one instead of another draw: this ends whatever the random source gives.
        while id < FIRST_CLIENT_ID || !self.taken.insert(id) {
            id = id.checked_add(1).unwrap_or(FIRST_CLIENT_ID);
        }
        id
    }

    /// A peer has left.
    pub(crate) fn release(&mut self, id: i32, now: Instant) {
        let mut excess = (self.left.len() + 1).saturating_sub(MOST_KEPT_BACK);
        while let Some((_, old)) = self
            .left
            .pop_front_if(|(since, _)| excess > 0 || now.saturating_duration_since(*since) >= KEPT_BACK)
        {
            excess = excess.saturating_sub(1);
            self.taken.remove(&old);
        }
        self.left.push_back((now, id));
    }

    /// Whether this is the id of a peer that has left lately; it is asked of ids that no live peer has.
    pub(crate) fn has_left(&self, id: i32) -> bool {
        self.taken.contains(&id)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn peer_id_messages() {
        assert_eq!(encode_peer_id(0x0102_0304), [4, 3, 2, 1]);
        for id in [2, 3, 0x7fff_ffff] {
            assert_eq!(decode_peer_id(&encode_peer_id(id)), Ok(id));
        }
        for id in [1, 0, -1, i32::MIN] {
            assert_eq!(decode_peer_id(&encode_peer_id(id)), Err(PeerIdError::Value(id)));
        }
        for size in [0, 1, 3, 5, 8] {
            assert_eq!(decode_peer_id(&vec![2; size]), Err(PeerIdError::Size(size)));
        }
    }

    #[test]
    fn targets() {
        let target = |target| server_recipients(target, |id| id == 7);
        assert_eq!(target(0), Ok(Recipients::All));
        assert_eq!(target(7), Ok(Recipients::One(7)));
        assert_eq!(target(8), Err(UnknownPeer(8)));
        assert_eq!(target(1), Err(UnknownPeer(1)));
        assert_eq!(target(-7), Ok(Recipients::AllBut(7)));
        assert_eq!(target(-8), Ok(Recipients::AllBut(8)));
        assert_eq!(target(i32::MIN), Ok(Recipients::All));
        assert!(Recipients::AllBut(7).includes(8) && !Recipients::AllBut(7).includes(7));
        assert!(Recipients::One(7).includes(7) && !Recipients::One(7).includes(8));
    }

    struct Fixed(AtomicU32);

    impl Random for Fixed {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.copy_from_slice(&self.0.load(Ordering::Relaxed).to_le_bytes());
        }
    }

    #[test]
    fn ids_are_not_given_twice() {
        let random = Fixed(AtomicU32::new(0));
        let mut ids = PeerIds::default();
        assert_eq!([ids.assign(&random), ids.assign(&random)], [2, 3]);
        random.0.store(u32::MAX, Ordering::Relaxed);
        assert_eq!([ids.assign(&random), ids.assign(&random)], [i32::MAX, 4]);
        random.0.store(0x8000_0009, Ordering::Relaxed);
        assert_eq!(ids.assign(&random), 9);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn ids_of_those_who_left_are_free_after_some_minutes() {
        let random = Fixed(AtomicU32::new(7));
        let mut ids = PeerIds::default();
        let start = Instant::now();
        assert_eq!(ids.assign(&random), 7);
        ids.release(7, start);
        assert_eq!(ids.assign(&random), 8, "too early");
        ids.release(8, start + KEPT_BACK);
        assert_eq!(ids.assign(&random), 7);
        // A server that runs for ever does not remember for ever.
        for second in 0..3000 {
            let id = ids.assign(&random);
            ids.release(id, start + KEPT_BACK * 2 + Duration::from_secs(second));
        }
        assert!(ids.taken.len() < 400 && ids.left.len() < 400, "{} {}", ids.taken.len(), ids.left.len());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn ids_of_a_flood_of_peers_that_come_and_go_do_not_pile_up() {
        let random = Fixed(AtomicU32::new(2));
        let mut ids = PeerIds::default();
        let now = Instant::now();
        let (first, stays) = (ids.assign(&random), ids.assign(&random));
        ids.release(first, now);
        for number in 0..3 * MOST_KEPT_BACK {
            random.0.store(u32::try_from(number + 10).unwrap(), Ordering::Relaxed);
            let id = ids.assign(&random);
            ids.release(id, now);
        }
        assert_eq!((ids.left.len(), ids.taken.len()), (MOST_KEPT_BACK, MOST_KEPT_BACK + 1));
        assert!(ids.taken.contains(&stays) && !ids.has_left(first), "the oldest are free, the live are not");
    }
}
