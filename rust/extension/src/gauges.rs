//! What the sums of the process see of a connection that is driven by polls: kept by its own thread, read by any.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use rust_websocket_net::{Counted, Counters, Membership, Phase, Standing};
use rust_websocket_proto::{Amount, Endpoint, Event};

#[derive(Debug, Default)]
struct Shown {
    /// A [`Phase`].
    phase: AtomicU8,
    unsent_bytes: AtomicUsize,
    unread_bytes: AtomicUsize,
    unread_messages: AtomicUsize,
    /// Microseconds plus one; 0 while there is none.
    round_trip_time: AtomicUsize,
}

impl Counted for Shown {
    fn standing(&self) -> Standing {
        let phase = self.phase.load(Relaxed);
        let is = |known: Phase| phase == known as u8;
        let micros = self.round_trip_time.load(Relaxed).checked_sub(1);
        Standing {
            phase: [Phase::Pending, Phase::Open].into_iter().find(|known| is(*known)).unwrap_or(Phase::Over),
            is_left: false, // it ends with its owner
            unsent_bytes: self.unsent_bytes.load(Relaxed),
            unread: Amount {
                bytes: self.unread_bytes.load(Relaxed),
                messages: self.unread_messages.load(Relaxed),
            },
            round_trip_time: micros.map(|micros| Duration::from_micros(micros as u64)),
        }
    }
}

/// A connection's part in the sums.
pub(crate) struct Gauges {
    shown: Arc<Shown>,
    _membership: Membership,
}

impl Gauges {
    pub(crate) fn new(counters: &Arc<Counters>) -> Self {
        let shown = Arc::<Shown>::default();
        let member = Arc::downgrade(&shown) as Weak<dyn Counted>;
        Self { shown, _membership: Membership::new(counters, member) }
    }

    /// An event of the connection, before its owner gets it.
    pub(crate) fn saw(&self, event: &Event) {
        match event {
            Event::Opened(_) => self.shown.phase.store(Phase::Open as u8, Relaxed),
            Event::Closed(_) => self.shown.phase.store(Phase::Over as u8, Relaxed),
            Event::Message(_) => {}
        }
    }

    /// The connection has worked.
    pub(crate) fn update(&self, endpoint: &Endpoint) {
        let unread = endpoint.unread();
        let micros = endpoint
            .round_trip_time()
            .map_or(0, |time| usize::try_from(time.as_micros()).unwrap_or(usize::MAX - 1).saturating_add(1));
        self.shown.unsent_bytes.store(endpoint.buffered_amount(), Relaxed);
        self.shown.unread_bytes.store(unread.bytes, Relaxed);
        self.shown.unread_messages.store(unread.messages, Relaxed);
        self.shown.round_trip_time.store(micros, Relaxed);
    }
}
