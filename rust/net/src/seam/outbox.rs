//! What a connection and its owner share: the orders on their way down, what counts against the send limits,
//! and what the owner can read at any time.

use std::{
    fmt,
    ops::Deref,
    sync::{
        Arc, Mutex, MutexGuard, Weak,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use rust_websocket_proto::{Amount, Delivery, MessageKind, Offered, SendAccount, SendError, SendLimits};

use super::{
    Counters, LinkId, LinkOptions,
    census::{Counted, Membership, Phase, Standing},
    limits::Receiving,
    lock,
    orders::{Order, Orders},
};
use crate::trace::{ConnectionTrace, Trace};

/// Whoever runs connections, as seen from here.
pub(crate) trait Notify: fmt::Debug + Send + Sync {
    /// Asks for a look at a connection's orders.
    fn notify(&self, link: LinkId);
    /// Asks for a look at the orders of several.
    fn notify_all(&self, links: Vec<LinkId>);
}

/// Nobody runs connections.
#[derive(Debug)]
pub(crate) struct Stopped;

impl Notify for Stopped {
    fn notify(&self, _link: LinkId) {}
    fn notify_all(&self, _links: Vec<LinkId>) {}
}

/// What a connection and its owner share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) id: LinkId,
    runner: Arc<dyn Notify>,
    outbox: Mutex<Queue>,
    pub(crate) receiving: Receiving,
    pub(crate) counters: Arc<Counters>,
    /// Microseconds between the last answered ping and its pong, plus one; 0 before the first.
    round_trip_time: AtomicUsize,
    /// A [`Phase`].
    phase: AtomicU8,
    /// Where what happens on it is written since it began.
    pub(crate) trace: Option<ConnectionTrace>,
    _membership: Membership,
}

impl Shared {
    pub(crate) fn new(id: usize, runner: Arc<dyn Notify>, options: &LinkOptions) -> Arc<Self> {
        let counters = Arc::default();
        Arc::new_cyclic(|shared: &Weak<Self>| Self {
            id: LinkId(id),
            runner,
            outbox: Mutex::new(Queue {
                orders: Orders::default(),
                notified: false,
                closed: false,
                sent: Amount::default(),
                sending: SendAccount::new(options.send_limits),
            }),
            receiving: Receiving::new(options.receive_limits),
            _membership: Membership::new(&counters, Weak::clone(shared) as Weak<dyn Counted>),
            counters,
            round_trip_time: AtomicUsize::new(0),
            phase: AtomicU8::new(Phase::Pending as u8),
            trace: options.trace.as_ref().map(Trace::connection),
        })
    }

    /// Whoever runs the connection.
    pub(crate) fn runner(&self) -> Arc<dyn Notify> {
        Arc::clone(&self.runner)
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
        let is_new = {
            let mut outbox = self.lock_outbox();
            outbox.check(payload.len())?;
            outbox.push_send(kind, payload, delivery)
        };
        match how {
            _ if !is_new => {}
            How::Now => self.notify(),
            How::With(batch) => batch.push(self),
        }
        Ok(())
    }

    /// Looks at the outbox's memory, to no other end than to have it at hand.
    pub(crate) fn fetch(&self) {
        std::hint::black_box(self.outbox.is_poisoned());
    }

    fn lock_outbox(&self) -> MutexGuard<'_, Queue> {
        lock(&self.outbox)
    }

    pub(crate) fn order(&self, order: Order) {
        let is_new = self.lock_outbox().push(order);
        if is_new {
            self.notify();
        }
    }

    /// Asks the I/O thread to look at the connection.
    pub(crate) fn notify(&self) {
        self.runner.notify(self.id);
    }

    /// Like [`order`](Self::order), and nothing may be sent any more.
    pub(crate) fn order_last(&self, order: Order) {
        self.lock_outbox().closed = true;
        self.order(order);
    }

    /// Swaps the waiting orders into the empty `orders`; an order that comes after notifies anew.
    pub(crate) fn take_orders(&self, orders: &mut Orders) {
        let mut outbox = self.lock_outbox();
        outbox.notified = false;
        std::mem::swap(&mut outbox.orders, orders);
    }

    /// Counts what was accepted for sending since the last call.
    pub(crate) fn count_sent(&self) {
        let mut outbox = self.lock_outbox();
        let Amount { bytes, messages } = std::mem::take(&mut outbox.sent);
        self.counters.sent(messages, bytes);
    }

    /// What was accepted for sending was offered to the kernel. The emptied `orders` that said so lend their
    /// memory to those to come.
    pub(crate) fn offered(&self, offered: Offered, orders: &mut Orders) {
        let mut outbox = self.lock_outbox();
        outbox.sending.offered(offered);
        outbox.orders.take_memory_of(orders);
    }

    pub(crate) fn set_send_limits(&self, limits: SendLimits) {
        self.lock_outbox().sending.set_limits(limits);
    }

    /// Payload bytes accepted and not taken by the kernel.
    pub(crate) fn held_bytes(&self) -> usize {
        self.lock_outbox().sending.held_bytes()
    }

    /// The connection is over: later sends are refused.
    pub(crate) fn refuse_sends(&self) {
        self.phase.store(Phase::Over as u8, Ordering::Relaxed);
        let mut outbox = self.lock_outbox();
        outbox.closed = true;
        outbox.orders.forget_sends();
        outbox.sending.clear();
    }
}

impl Counted for Shared {
    fn standing(&self) -> Standing {
        self.count_sent();
        let phase = self.phase.load(Ordering::Relaxed);
        let is = |known: Phase| phase == known as u8;
        Standing {
            phase: [Phase::Pending, Phase::Open].into_iter().find(|known| is(*known)).unwrap_or(Phase::Over),
            unsent_bytes: self.held_bytes(),
            unread: self.receiving.unread(),
            round_trip_time: self.round_trip_time(),
        }
    }
}

/// How the I/O thread comes to know of a message.
#[derive(Debug)]
pub enum How<'a> {
    /// It is notified, and writes the message without waiting for anything else.
    Now,
    /// It is notified with the batch, of all links in it at once.
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
        self.0.fetch();
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
        self.0.push(kind, payload.clone(), delivery, how)
    }
}

/// Links that have something for the I/O thread, which is notified of all of them at once when this is
/// dropped: waking it for the first of many would have it take its locks between ours.
#[derive(Default)]
pub struct Batch {
    links: Vec<LinkId>,
    /// All links of a process have the same, but for those that outlived an I/O thread, which nobody runs.
    runner: Option<Arc<dyn Notify>>,
}

impl Batch {
    fn push(&mut self, link: &Shared) {
        self.runner.get_or_insert_with(|| Arc::clone(&link.runner));
        self.links.push(link.id);
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Batch").field("links", &self.links.len()).finish()
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if let Some(runner) = &self.runner {
            runner.notify_all(std::mem::take(&mut self.links));
        }
    }
}

/// What a link's owner has ordered and the I/O thread has not taken. One lock for all of it: sending a
/// message touches it and nothing else that the two threads share.
#[derive(Debug)]
struct Queue {
    orders: Orders,
    /// A notification is under way.
    notified: bool,
    closed: bool,
    /// What was accepted for sending and not yet counted.
    sent: Amount,
    sending: SendAccount,
}

impl Queue {
    /// Whether a message of `len` bytes is taken.
    fn check(&self, len: usize) -> Result<(), SendError> {
        if self.closed {
            return Err(SendError::NotOpen);
        }
        if self.sending.has_room(len) { Ok(()) } else { Err(SendError::BufferFull) }
    }

    fn push_send(&mut self, kind: MessageKind, payload: Bytes, delivery: Delivery) -> bool {
        self.sending.accepted(payload.len());
        self.sent.bytes += payload.len();
        self.sent.messages += 1;
        self.push(Order::Send(kind, payload, delivery))
    }

    /// True if the I/O thread has to be notified.
    fn push(&mut self, order: Order) -> bool {
        self.orders.push(order);
        !std::mem::replace(&mut self.notified, true)
    }
}
