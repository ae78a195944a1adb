//! Sums over all connections of the process, for those who watch it. They cost a connection nothing while messages flow:
//! what it keeps of itself anyhow is added up when somebody asks.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, LazyLock, Mutex, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rust_websocket_proto::{Amount, Statistics};

use super::{Counters, lock};

/// How far a connection is, for those who count connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// Connecting: not open yet, or a request that waits for its answer.
    #[default]
    Pending,
    /// From the end of the handshake on, until the connection is over.
    Open,
    /// Over; its owner may not have taken everything yet.
    Over,
}

/// What a connection adds to the sums at this moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Standing {
    /// How far it is.
    pub phase: Phase,
    /// Whether its owner has let go of it.
    pub is_left: bool,
    /// Payload bytes accepted for sending and not yet taken by the system.
    pub unsent_bytes: usize,
    /// What arrived and was not taken by its owner.
    pub unread: Amount,
    /// Between the last answered ping and its pong.
    pub round_trip_time: Option<Duration>,
}

/// A connection that is counted. It is asked with a lock held and must not wait for anybody.
pub trait Counted: fmt::Debug + Send + Sync {
    /// How it stands. Its [`Counters`] have to be up to date when this returns.
    fn standing(&self) -> Standing;
}

/// Sums over all connections of the process.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessSums {
    /// What they have carried, those that ended included.
    pub statistics: Statistics,
    /// How many are open.
    pub open: usize,
    /// How many are not open yet.
    pub pending: usize,
    /// How many of the open ones nobody owns any more: what was accepted still goes out, and the other side has time to answer
    /// the close.
    pub leaving: usize,
    /// Payload bytes accepted for sending and not yet taken by the system.
    pub unsent_bytes: usize,
    /// What arrived and was not taken by the owners.
    pub unread: Amount,
    /// Between a ping and its pong: the mean of the open connections that have sent one.
    pub round_trip_time: Option<Duration>,
    /// For how long the I/O thread has worked, which is to say not waited.
    pub io_busy: Duration,
}

impl ProcessSums {
    /// The sums as they are now. Takes some ten nanoseconds for each connection.
    pub fn now() -> Self {
        let mut asked = Vec::new();
        let mut sums =
            Self { io_busy: Duration::from_nanos(BUSY.load(Ordering::Relaxed)), ..Self::default() };
        let mut round_trips = Duration::ZERO;
        let mut measured = 0;
        let census = lock(&CENSUS);
        sums.statistics = census.ended;
        for entry in census.living.values() {
            if let Some(member) = entry.member.upgrade() {
                let standing = member.standing();
                sums.add(&standing);
                if let (Phase::Open, Some(time)) = (standing.phase, standing.round_trip_time) {
                    round_trips += time;
                    measured += 1;
                }
                // Whoever drops the last hold on a member takes the lock: that is not to happen here.
                asked.push(member);
            }
            sums.statistics += entry.counters.read();
        }
        drop(census);
        sums.round_trip_time = round_trips.checked_div(measured);
        sums
    }

    fn add(&mut self, standing: &Standing) {
        match standing.phase {
            Phase::Pending => self.pending += 1,
            Phase::Open => {
                self.open += 1;
                self.leaving += usize::from(standing.is_left);
            }
            Phase::Over => {}
        }
        self.unsent_bytes += standing.unsent_bytes;
        self.unread.bytes += standing.unread.bytes;
        self.unread.messages += standing.unread.messages;
    }
}

struct Entry {
    counters: Arc<Counters>,
    member: Weak<dyn Counted>,
}

#[derive(Default)]
struct Census {
    living: BTreeMap<u64, Entry>,
    next: u64,
    ended: Statistics,
}

static CENSUS: LazyLock<Mutex<Census>> = LazyLock::new(Mutex::default);

/// Nanoseconds for which the I/O thread has worked.
static BUSY: AtomicU64 = AtomicU64::new(0);

/// A connection's place in the sums. Dropping it moves what the connection has carried to those that ended.
#[derive(Debug)]
pub struct Membership(u64);

impl Membership {
    /// Takes part in the sums from now on.
    pub fn new(counters: &Arc<Counters>, member: Weak<dyn Counted>) -> Self {
        let mut census = lock(&CENSUS);
        let id = census.next;
        census.next += 1;
        census.living.insert(id, Entry { counters: Arc::clone(counters), member });
        Self(id)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut census = lock(&CENSUS);
        let left = census.living.remove(&self.0);
        if let Some(entry) = &left {
            census.ended += entry.counters.read();
        }
        drop(census);
        drop(left);
    }
}

/// The I/O thread has worked for so long.
pub(crate) fn io_thread_worked(time: Duration) {
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    BUSY.fetch_add(nanos, Ordering::Relaxed);
}
