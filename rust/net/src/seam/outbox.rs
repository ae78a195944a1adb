//! What a connection and its owner share: the way of orders down, what counts against the send limits, and what the owner can
//! read at any time.
//!
//! Orders wait in one queue for all connections, the reactor's (`Commands`), and not here: whoever sends to many touches nothing
//! that the I/O thread writes, for which the processors would have to wait at each of them.

use std::{
    fmt,
    ops::Deref,
    sync::{
        Arc, Mutex, MutexGuard, Weak,
        atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use rust_websocket_proto::{Amount, Delivery, MessageKind, Offered, SendError, SendLimits};

use super::{
    Counters, LinkId, LinkOptions,
    census::{Counted, Membership, Phase, Standing},
    limits::Receiving,
    lock,
    orders::Order,
};
use crate::trace::{ConnectionTrace, Trace};

/// Whoever runs connections, as seen from here.
pub(crate) trait Runner: fmt::Debug + Send + Sync {
    /// Asks for a look at a connection.
    fn notify(&self, link: LinkId);
    /// Takes an order for a connection, in its place behind all earlier ones. It may wait until the next [`wake`](Self::wake).
    fn order(&self, link: LinkId, order: Order);
    /// Takes a message likewise, which may be one of many copies.
    fn send_copy(&self, link: LinkId, kind: MessageKind, payload: &Bytes, delivery: Delivery);
    /// Has what was ordered looked at.
    fn wake(&self);
    /// Has a thread of its own run connections again, and none that calls in here.
    fn recall(&self);
}

/// Nobody runs connections.
#[derive(Debug)]
pub(crate) struct Stopped;

impl Runner for Stopped {
    fn notify(&self, _link: LinkId) {}
    fn order(&self, _link: LinkId, _order: Order) {}
    fn send_copy(&self, _link: LinkId, _kind: MessageKind, _payload: &Bytes, _delivery: Delivery) {}
    fn wake(&self) {}
    fn recall(&self) {}
}

/// What a connection and its owner share. In this order: what the owner touches with each message, and, a line of the processor's
/// cache or more behind it, what the I/O thread does.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Shared {
    outgoing: Outgoing,
    pub(crate) counters: Arc<Counters>,
    /// Where what happens on it is written since it began.
    pub(crate) trace: Option<ConnectionTrace>,
    _membership: Membership,
    pub(crate) receiving: Receiving,
    /// Microseconds between the last answered ping and its pong, plus one; 0 before the first.
    round_trip_time: AtomicUsize,
    /// A [`Phase`].
    phase: AtomicU8,
    /// The owner has let go.
    is_left: AtomicBool,
    /// What the kernel has taken so far. The owner seldom looks.
    taken: Level,
}

impl Shared {
    pub(crate) fn new(id: usize, runner: Arc<dyn Runner>, options: &LinkOptions) -> Arc<Self> {
        let counters = Arc::default();
        Arc::new_cyclic(|shared: &Weak<Self>| Self {
            outgoing: Outgoing {
                account: Mutex::new(Account {
                    closed: false,
                    is_over: false,
                    limits: options.send_limits,
                    accepted: Amount::default(),
                    taken: Amount::default(),
                    counted: Amount::default(),
                }),
                left: Level::default(),
                id: LinkId(id),
                runner,
            },
            taken: Level::default(),
            receiving: Receiving::new(options.receive_limits),
            _membership: Membership::new(&counters, Weak::clone(shared) as Weak<dyn Counted>),
            counters,
            round_trip_time: AtomicUsize::new(0),
            phase: AtomicU8::new(Phase::Pending as u8),
            is_left: AtomicBool::new(false),
            trace: options.trace.as_ref().map(Trace::connection),
        })
    }

    /// Its name.
    pub(crate) fn id(&self) -> LinkId {
        self.outgoing.id
    }

    /// Whoever runs the connection.
    pub(crate) fn runner(&self) -> &Arc<dyn Runner> {
        &self.outgoing.runner
    }

    pub(crate) fn round_trip_time(&self) -> Option<Duration> {
        let micros = self.round_trip_time.load(Ordering::Relaxed).checked_sub(1)?;
        Some(Duration::from_micros(micros as u64))
    }

    pub(crate) fn set_round_trip_time(&self, time: Option<Duration>) {
        let micros = time.map_or(0, |time| usize::try_from(time.as_micros()).unwrap_or(usize::MAX - 1) + 1);
        // Looked at before it is changed, which it hardly ever is: others read its neighbours.
        if micros != self.round_trip_time.load(Ordering::Relaxed) {
            self.round_trip_time.store(micros, Ordering::Relaxed);
        }
    }

    /// The handshake is through.
    pub(crate) fn opened(&self) {
        self.phase.store(Phase::Open as u8, Ordering::Relaxed);
    }

    /// Accepts a message. A refusal is not counted here.
    pub(crate) fn push(
        &self,
        kind: MessageKind,
        payload: Bytes,
        delivery: Delivery,
        how: How<'_>,
    ) -> Result<(), SendError> {
        let len = payload.len();
        self.accept(len, how, || self.runner().order(self.id(), Order::Send(kind, payload, delivery)))
    }

    /// Accepts a message of `len` bytes, which `hand_on` orders.
    fn accept(&self, len: usize, how: How<'_>, hand_on: impl FnOnce()) -> Result<(), SendError> {
        {
            let mut account = self.outgoing.account();
            account.accept(len, self.outgoing.left.get(), &self.taken)?;
            // Under the lock: what is ordered last from another thread comes behind all that was accepted.
            hand_on();
        }
        match how {
            How::Now => self.runner().wake(),
            How::With(batch) => batch.wakes_at_its_end(self.runner()),
        }
        Ok(())
    }

    pub(crate) fn order(&self, order: Order) {
        self.runner().order(self.id(), order);
        self.runner().wake();
    }

    /// Like [`order`](Self::order), and nothing may be sent any more.
    pub(crate) fn order_last(&self, order: Order) {
        self.outgoing.account().closed = true;
        self.order(order);
    }

    /// Asks the I/O thread to look at the connection.
    pub(crate) fn notify(&self) {
        self.runner().notify(self.id());
    }

    /// Counts what was accepted for sending since the last call.
    pub(crate) fn count_sent(&self) {
        let mut account = self.outgoing.account();
        let Amount { bytes, messages } = account.count();
        self.counters.sent(messages, bytes);
    }

    /// What was accepted for sending was offered to the kernel.
    pub(crate) fn offered(&self, Offered { taken, left }: Offered) {
        self.taken.add(taken);
        if self.outgoing.left.get() != left {
            self.outgoing.left.set(left);
        }
    }

    pub(crate) fn set_send_limits(&self, limits: SendLimits) {
        self.outgoing.account().limits = limits;
    }

    /// Payload bytes accepted and not taken by the kernel.
    pub(crate) fn held_bytes(&self) -> usize {
        let mut account = self.outgoing.account();
        account.taken = self.taken.get();
        if account.is_over { 0 } else { account.held().bytes }
    }

    /// The connection is over: later sends are refused.
    pub(crate) fn refuse_sends(&self) {
        self.phase.store(Phase::Over as u8, Ordering::Relaxed);
        let mut account = self.outgoing.account();
        account.closed = true;
        account.is_over = true;
    }
}

impl Counted for Shared {
    fn standing(&self) -> Standing {
        self.count_sent();
        let phase = self.phase.load(Ordering::Relaxed);
        let is = |known: Phase| phase == known as u8;
        Standing {
            phase: [Phase::Pending, Phase::Open].into_iter().find(|known| is(*known)).unwrap_or(Phase::Over),
            is_left: self.is_left.load(Ordering::Relaxed),
            unsent_bytes: self.held_bytes(),
            unread: self.receiving.unread(),
            round_trip_time: self.round_trip_time(),
        }
    }
}

/// When the I/O thread is told of a message.
#[derive(Debug)]
pub enum How<'a> {
    /// At once: it is woken, if it sleeps, and waits for nothing else.
    Now,
    /// At the end of the batch.
    With(&'a mut Batch),
}

/// The owner's hold on a connection: dropping it leaves the connection, which reports nothing any more.
#[derive(Debug)]
pub(crate) struct Claim(Arc<Shared>);

impl Claim {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    pub(crate) fn outbox(&self) -> Outbox {
        Outbox(Arc::clone(&self.0))
    }
}

impl Deref for Claim {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.0.count_sent();
        self.0.is_left.store(true, Ordering::Relaxed);
        self.0.order(Order::Abandon);
    }
}

/// The part of a link that accepts messages, for those who send copies of one to many. It knows nothing but
/// where the link keeps what that touches, and keeps no connection alive.
#[derive(Debug, Clone)]
pub struct Outbox(Arc<Shared>);

impl Outbox {
    /// Has the processor fetch what [`push`](Self::push) touches. A message to many links waits for each
    /// one's memory in turn, since taking a lock lets nothing overtake it; looking at all of them before lets
    /// these waits overlap.
    pub fn prefetch(&self) {
        self.0.outgoing.fetch();
    }

    /// Like [`Link::push_as`](crate::Link::push_as), but a refusal is not counted: who sends copies asks again
    /// through the link, which says why.
    ///
    /// # Errors
    /// As there.
    pub fn push(
        &self,
        kind: MessageKind,
        payload: &Bytes,
        delivery: Delivery,
        how: How<'_>,
    ) -> Result<(), SendError> {
        let link = &self.0;
        link.accept(payload.len(), how, || link.runner().send_copy(link.id(), kind, payload, delivery))
    }
}

/// Messages to many links: the I/O thread is woken once, when this is dropped.
#[derive(Default)]
pub struct Batch {
    /// All links of a process have the same, but for those that outlived an I/O thread, which nobody runs.
    runner: Option<Arc<dyn Runner>>,
}

impl Batch {
    fn wakes_at_its_end(&mut self, runner: &Arc<dyn Runner>) {
        self.runner.get_or_insert_with(|| Arc::clone(runner));
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Batch").finish_non_exhaustive()
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if let Some(runner) = &self.runner {
            runner.wake();
        }
    }
}

/// What accepting a message touches, side by side in two lines of a processor's cache, where that of many connections is not.
#[derive(Debug)]
#[repr(C, align(64))]
struct Outgoing {
    account: Mutex<Account>,
    /// What the kernel refuses at the moment. The I/O thread writes it where it changes alone, and it is mostly nothing.
    left: Level,
    id: LinkId,
    runner: Arc<dyn Runner>,
}

impl Outgoing {
    /// Has the processor fetch it.
    fn fetch(&self) {
        std::hint::black_box((self.account.is_poisoned(), self.left.get()));
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        lock(&self.account)
    }
}

/// What was accepted, and what of it may still wait. The I/O thread takes this lock when the connection is over, and not for what it
/// sends and receives.
#[derive(Debug)]
struct Account {
    /// Nothing may be sent any more.
    closed: bool,
    /// Nothing that was accepted waits any more.
    is_over: bool,
    limits: SendLimits,
    /// So far.
    accepted: Amount,
    /// What the kernel had taken when the owner looked last.
    taken: Amount,
    /// What of `accepted` is in the counters.
    counted: Amount,
}

impl Account {
    /// Accepts a message of `len` bytes. What the kernel has taken is looked at if without it there is no room.
    fn accept(&mut self, len: usize, left: Amount, taken: &Level) -> Result<(), SendError> {
        if self.closed {
            return Err(SendError::NotOpen);
        }
        if !self.limits.have_room(self.held(), left, len) {
            self.taken = taken.get();
            if !self.limits.have_room(self.held(), left, len) {
                return Err(SendError::BufferFull);
            }
        }
        self.accepted = sum(self.accepted, Amount::message(len));
        Ok(())
    }

    fn held(&self) -> Amount {
        difference(self.accepted, self.taken)
    }

    fn count(&mut self) -> Amount {
        let new = difference(self.accepted, self.counted);
        self.counted = self.accepted;
        new
    }
}

/// An amount that one thread writes and others read. They may see its bytes before its messages, or the other way round.
#[derive(Debug, Default)]
struct Level {
    bytes: AtomicUsize,
    messages: AtomicUsize,
}

impl Level {
    fn get(&self) -> Amount {
        Amount { bytes: self.bytes.load(Ordering::Relaxed), messages: self.messages.load(Ordering::Relaxed) }
    }

    fn add(&self, more: Amount) {
        self.set(sum(self.get(), more));
    }

    fn set(&self, amount: Amount) {
        self.bytes.store(amount.bytes, Ordering::Relaxed);
        self.messages.store(amount.messages, Ordering::Relaxed);
    }
}

/// Sums since a connection began wrap around, where `usize` has 32 bits after 4 GiB.
fn sum(one: Amount, other: Amount) -> Amount {
    Amount { bytes: one.bytes.wrapping_add(other.bytes), messages: one.messages.wrapping_add(other.messages) }
}

/// Between two such sums.
fn difference(later: Amount, earlier: Amount) -> Amount {
    Amount {
        bytes: later.bytes.wrapping_sub(earlier.bytes),
        messages: later.messages.wrapping_sub(earlier.messages),
    }
}

#[cfg(test)]
mod tests {
    use rust_websocket_proto::UNOFFERED_CAP;

    use super::*;

    #[test]
    fn an_account_goes_on_where_its_sums_wrap_around() {
        let limits = SendLimits { bytes: 0, messages: 0 };
        let before = Amount { bytes: usize::MAX - 10, messages: usize::MAX };
        let mut account = Account {
            closed: false,
            is_over: false,
            limits,
            accepted: before,
            taken: before,
            counted: before,
        };
        let taken = Level::default();
        taken.set(before);
        let nothing = Amount::default();
        assert!(account.accept(100, nothing, &taken).is_ok());
        assert_eq!(account.held(), Amount::message(100));
        assert_eq!(account.count(), Amount::message(100));
        taken.add(Amount::message(100));
        assert_eq!(account.accept(UNOFFERED_CAP, nothing, &taken), Ok(()), "what was taken makes room");
        assert_eq!(account.accept(1, nothing, &taken), Err(SendError::BufferFull));
    }
}
