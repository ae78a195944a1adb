//! What became of those who came to a listener or a room.

use std::{
    ops::AddAssign,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use rust_websocket_proto::admission::Refusal;

use crate::seam::lock;

/// Counts of a listener, or of one of its rooms, which has no pending handshakes of its own. Readable at any time, also after the
/// listener is gone: its connections live on and count.
#[derive(Debug, Default)]
pub struct Tally {
    open: AtomicU64,
    opened: AtomicU64,
    pending: AtomicU64,
    failed: AtomicU64,
    answered: AtomicU64,
    full: AtomicU64,
    address: AtomicU64,
    origin: AtomicU64,
    timeout: AtomicU64,
    /// Why TLS has failed, the last time since somebody has asked.
    tls_failure: Mutex<Option<String>>,
    has_tls_failure: AtomicBool,
}

/// A [`Tally`] as it stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AdmissionCounts {
    /// Clients that are in.
    pub connections: u64,
    /// Clients that have come in, those that are gone included.
    pub connections_total: u64,
    /// Connections before the end of their handshake; those that wait for a decision included.
    pub handshakes_pending: u64,
    /// Handshakes that came to nothing in a way that has no count of its own: the client left or was silent, TLS failed, the request
    /// could not be read or asked for what is not there.
    pub handshakes_failed: u64,
    /// Requests that the owner has answered with HTTP.
    pub requests_answered: u64,
    /// Refused by the limit of clients.
    pub refused_full: u64,
    /// Refused by the limit per address.
    pub refused_address: u64,
    /// Refused as pages of another origin.
    pub refused_origin: u64,
    /// Requests on which nobody decided in time.
    pub refused_timeout: u64,
}

impl Tally {
    /// The counts as they are now.
    pub fn read(&self) -> AdmissionCounts {
        AdmissionCounts {
            connections: self.open.load(Relaxed),
            connections_total: self.opened.load(Relaxed),
            handshakes_pending: self.pending.load(Relaxed),
            handshakes_failed: self.failed.load(Relaxed),
            requests_answered: self.answered.load(Relaxed),
            refused_full: self.full.load(Relaxed),
            refused_address: self.address.load(Relaxed),
            refused_origin: self.origin.load(Relaxed),
            refused_timeout: self.timeout.load(Relaxed),
        }
    }

    /// Why the latest client that has come to nothing in TLS since the last call has: of a listener that asks more of its clients
    /// than TLS does by itself. Cheap if that is nobody.
    pub fn take_tls_failure(&self) -> Option<String> {
        if !self.has_tls_failure.load(Relaxed) {
            return None;
        }
        self.has_tls_failure.store(false, Relaxed);
        lock(&self.tls_failure).take()
    }

    pub(crate) fn note_tls_failure(&self, phrase: &str) {
        *lock(&self.tls_failure) = Some(phrase.to_owned());
        self.has_tls_failure.store(true, Relaxed);
    }

    pub(crate) fn begun(&self) {
        self.pending.fetch_add(1, Relaxed);
    }

    pub(crate) fn ended(&self, outcome: HandshakeEnd) {
        self.pending.fetch_sub(1, Relaxed);
        match outcome {
            HandshakeEnd::Failed => self.failed.fetch_add(1, Relaxed),
            HandshakeEnd::Answered => self.answered.fetch_add(1, Relaxed),
            HandshakeEnd::TimedOut => self.timeout.fetch_add(1, Relaxed),
            HandshakeEnd::CountedElsewhere => 0,
        };
    }

    /// True if that refusal has a count of its own.
    pub(crate) fn refused(&self, refusal: Refusal) -> bool {
        let count = match refusal {
            Refusal::Full => &self.full,
            Refusal::TooManyFromAddress => &self.address,
            Refusal::Origin => &self.origin,
            _ => return false,
        };
        count.fetch_add(1, Relaxed);
        true
    }

    pub(crate) fn came_in(&self) {
        self.open.fetch_add(1, Relaxed);
        self.opened.fetch_add(1, Relaxed);
    }

    pub(crate) fn left(&self) {
        self.open.fetch_sub(1, Relaxed);
    }
}

/// What became of a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HandshakeEnd {
    Failed,
    /// By the owner, with HTTP.
    Answered,
    /// Nobody decided.
    TimedOut,
    /// It is complete, or refused by a rule or with a close code.
    CountedElsewhere,
}

impl AddAssign for AdmissionCounts {
    /// For what one server counts on several listeners, one after the other.
    fn add_assign(&mut self, other: Self) {
        self.connections += other.connections;
        self.connections_total += other.connections_total;
        self.handshakes_pending += other.handshakes_pending;
        self.handshakes_failed += other.handshakes_failed;
        self.requests_answered += other.requests_answered;
        self.refused_full += other.refused_full;
        self.refused_address += other.refused_address;
        self.refused_origin += other.refused_origin;
        self.refused_timeout += other.refused_timeout;
    }
}
