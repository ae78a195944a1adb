//! What a listener's connections report, and how many of them its owner has not seen.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use rust_websocket_proto::{Event, Opened, admission::Endpoint};

use super::{Asked, Claim, LinkEvent, LinkId, Reports, Runner, Tag};

/// A report of a listener's connection.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// Its request waits for the owner's decision.
    Asked { asked: Asked, _unseen: Unseen },
    /// Nothing more comes of a request that was reported: its connection ended before it was open, or is somebody else's.
    /// Without a decision it is too late for one.
    Over(LinkId),
    /// It has completed its handshake.
    Accepted(Box<Newcomer>),
    /// Something happened on one that was reported.
    Link(LinkId, Event),
}

/// A connection that has completed its handshake; dropping it turns the client away.
#[derive(Debug)]
pub(crate) struct Newcomer {
    pub(crate) claim: Claim,
    /// The client, whoever passes its bytes on.
    pub(crate) client: Endpoint,
    pub(crate) opened: Opened,
    /// What came with the decision.
    pub(crate) tag: Option<Tag>,
    /// Where it reports; `None`: where it was reported.
    pub(crate) reports: Option<Arc<Reports<LinkEvent>>>,
    pub(crate) _unseen: Unseen,
}

/// Reports of connections that came in through one listener.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    pub(crate) reports: Reports<Arrival>,
}

/// How many connections of a listener are reported and not taken, whoever is to take them.
#[derive(Debug, Default)]
pub(crate) struct UnseenCount {
    count: AtomicUsize,
    /// Accepting waits until some are taken.
    held_back: AtomicBool,
}

impl UnseenCount {
    pub(crate) fn get(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Announces that accepting stops until connections are taken; false if some of the `unseen` ones have been meanwhile.
    pub(crate) fn hold_back(&self, unseen: usize) -> bool {
        self.held_back.store(true, Ordering::SeqCst);
        self.get() >= unseen
    }
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Unseen {
    count: Arc<UnseenCount>,
    /// Asks the reactor to look at the listener, which has numbers of links.
    runner: Arc<dyn Runner>,
    listener: LinkId,
}

impl Unseen {
    pub(crate) fn new(count: Arc<UnseenCount>, runner: Arc<dyn Runner>, listener: usize) -> Self {
        count.count.fetch_add(1, Ordering::SeqCst);
        Self { count, runner, listener: LinkId(listener) }
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        self.count.count.fetch_sub(1, Ordering::SeqCst);
        if self.count.held_back.swap(false, Ordering::SeqCst) {
            self.runner.notify(self.listener);
        }
    }
}
