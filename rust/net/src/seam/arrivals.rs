//! What a listener's connections report, and how many of them its owner has not seen.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use rust_websocket_proto::{Event, Opened};

use super::{Asked, Claim, LinkId, Reports};

/// A report of a listener's connection.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// Its request waits for the owner's decision.
    Asked(Asked),
    /// It ended before it was open, and had asked. Without a decision it is too late for one.
    Over(LinkId),
    /// It has completed its handshake; dropping the claim turns it away.
    Accepted(Claim, SocketAddr, Opened),
    /// Something happened on one that was reported.
    Link(LinkId, Event),
}

/// Reports of all connections that came in through one listener.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    pub(crate) reports: Reports<Arrival>,
    /// Connections reported and not taken.
    unseen: AtomicUsize,
    /// Accepting waits until some are taken.
    held_back: AtomicBool,
}

impl Arrivals {
    /// Reports a connection that has completed its handshake.
    pub(crate) fn report_accepted(&self, claim: Claim, address: SocketAddr, opened: Opened) {
        self.unseen.fetch_add(1, Ordering::SeqCst);
        self.reports.push(Arrival::Accepted(claim, address, opened));
    }

    pub(crate) fn unseen(&self) -> usize {
        self.unseen.load(Ordering::SeqCst)
    }

    /// Announces that accepting stops until connections are taken; false if some have been meanwhile.
    pub(crate) fn hold_back(&self) -> bool {
        let unseen = self.unseen();
        self.held_back.store(true, Ordering::SeqCst);
        self.unseen() >= unseen
    }

    /// The owner has taken that many connections. True if accepting waits for that.
    pub(crate) fn seen(&self, count: usize) -> bool {
        self.unseen.fetch_sub(count, Ordering::SeqCst);
        self.held_back.swap(false, Ordering::SeqCst)
    }
}
