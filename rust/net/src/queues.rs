//! The queues between the calling threads and the I/O thread. Orders go down (a link's outbox, the reactor's command
//! queue), reports come up (mailboxes); nothing is held for longer than a push or a swap.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use mio::Waker;
use rust_websocket_proto::{MessageKind, SendError};

use crate::{
    Counters, LinkId, LinkOptions,
    conn::Conn,
    limits::{Amount, Receiving, SendLimits, Sending},
    listener::Acceptor,
    orders::{Order, Orders},
    resolve::{Asker, Resolution},
};

/// What a [`Link`](crate::Link) and its [`Conn`] share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) id: LinkId,
    pub(crate) reactor: ReactorHandle,
    outbox: Mutex<Outbox>,
    pub(crate) receiving: Receiving,
    pub(crate) counters: Arc<Counters>,
    /// Microseconds between the last answered ping and its pong, plus one; 0 before the first.
    round_trip_time: AtomicUsize,
}

impl Shared {
    pub(crate) fn new(id: usize, reactor: ReactorHandle, options: &LinkOptions) -> Self {
        Self {
            id: LinkId(id),
            reactor,
            outbox: Mutex::new(Outbox {
                orders: Orders::default(),
                attention_asked: false,
                closed: false,
                sent: Amount::default(),
                sending: Sending::new(options.send_limits),
            }),
            receiving: Receiving::new(options.receive_limits),
            counters: Arc::default(),
            round_trip_time: AtomicUsize::new(0),
        }
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

    pub(crate) fn push(&self, kind: MessageKind, payload: Bytes, how: How<'_>) -> Result<(), SendError> {
        if self.queue_send(kind, payload)? {
            match how {
                How::With(batch) => batch.push(self),
                How::Now | How::Here => self.attend(),
            }
        }
        Ok(())
    }

    /// True if the I/O thread is to be told.
    pub(crate) fn queue_send(&self, kind: MessageKind, payload: Bytes) -> Result<bool, SendError> {
        let mut outbox = self.lock_outbox();
        outbox.check(payload.len())?;
        Ok(outbox.push_send(kind, payload))
    }

    /// Looks at the outbox's memory, to no other end than to have it at hand.
    pub(crate) fn fetch(&self) {
        std::hint::black_box(self.outbox.is_poisoned());
    }

    fn lock_outbox(&self) -> MutexGuard<'_, Outbox> {
        lock(&self.outbox)
    }

    pub(crate) fn order(&self, order: Order) {
        let is_new = self.lock_outbox().push(order);
        if is_new {
            self.attend();
        }
    }

    /// Asks the I/O thread to look at the connection.
    pub(crate) fn attend(&self) {
        self.reactor.push(Command::Attend(self.id));
    }

    /// Like [`order`](Self::order), and nothing may be sent any more.
    pub(crate) fn order_last(&self, order: Order) {
        self.lock_outbox().closed = true;
        self.order(order);
    }

    /// Swaps the waiting orders into the empty `orders`; an order that comes after asks for attention again.
    pub(crate) fn take_orders(&self, orders: &mut Orders) {
        let mut outbox = self.lock_outbox();
        outbox.attention_asked = false;
        std::mem::swap(&mut outbox.orders, orders);
    }

    /// Counts what was accepted for sending since the last call.
    pub(crate) fn count_sent(&self) {
        let mut outbox = self.lock_outbox();
        let Amount { bytes, messages } = std::mem::take(&mut outbox.sent);
        self.counters.sent(messages, bytes);
    }

    /// The kernel has taken `taken` of what was accepted for sending, and left `left`. The emptied `orders` that said so lend
    /// their memory to those to come.
    pub(crate) fn offered(&self, taken: Amount, left: Amount, orders: &mut Orders) {
        let mut outbox = self.lock_outbox();
        outbox.sending.offered(taken, left);
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
        let mut outbox = self.lock_outbox();
        outbox.closed = true;
        outbox.orders.forget_sends();
        outbox.sending.clear();
    }
}

/// How the I/O thread comes to know of a message.
#[derive(Debug)]
pub enum How<'a> {
    /// It is notified, and writes the message without waiting for anything else.
    Now,
    /// It is notified with the batch, of all links in it at once.
    With(&'a mut Batch),
    /// For an owner that does nothing but wait for an answer: where nothing is in the way, the message goes to the kernel from
    /// this thread. That costs the owner a system call and spares the message a change of threads. Else as [`How::Now`].
    Here,
}

/// Links that have something for the I/O thread, which is told of all of them at once when this is dropped: waking
/// it for the first of many would have it take its locks between ours.
#[derive(Default)]
pub struct Batch {
    links: Vec<LinkId>,
    /// All links of a process have the same, but for those that outlived an I/O thread, which nobody attends.
    reactor: Option<ReactorHandle>,
}

impl Batch {
    fn push(&mut self, link: &Shared) {
        self.reactor.get_or_insert_with(|| link.reactor.clone());
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
        if let Some(reactor) = &self.reactor {
            reactor.push(Command::AttendAll(std::mem::take(&mut self.links)));
        }
    }
}

/// What a link's owner has ordered and the I/O thread has not taken. One lock for all of it: sending a message touches
/// it and nothing else that the two threads share.
#[derive(Debug)]
struct Outbox {
    orders: Orders,
    /// A command asking the reactor to look is under way.
    attention_asked: bool,
    closed: bool,
    /// What was accepted for sending and not yet counted.
    sent: Amount,
    sending: Sending,
}

impl Outbox {
    /// Whether a message of `len` bytes is taken.
    fn check(&self, len: usize) -> Result<(), SendError> {
        if self.closed {
            return Err(SendError::NotOpen);
        }
        if self.sending.has_room(len) { Ok(()) } else { Err(SendError::BufferFull) }
    }

    fn push_send(&mut self, kind: MessageKind, payload: Bytes) -> bool {
        self.sending.accepted(payload.len());
        self.sent.bytes += payload.len();
        self.sent.messages += 1;
        self.push(Order::Send(kind, payload))
    }

    /// True if the reactor has to be asked to look.
    fn push(&mut self, order: Order) -> bool {
        self.orders.push(order);
        !std::mem::replace(&mut self.attention_asked, true)
    }
}

/// Reports of the I/O thread, until their owner takes them.
#[derive(Debug)]
pub(crate) struct Mailbox<E> {
    /// `None`: nobody takes reports any more.
    reports: Mutex<Option<Vec<E>>>,
    /// Lets an empty mailbox be passed without its lock.
    filled: AtomicBool,
    /// Connections whose fault waits until their owner has answered what was reported before it.
    faults: Mutex<Faults>,
    /// There are some.
    has_faults: AtomicBool,
}

/// The owner takes the reports in one call and has answered them by the next.
#[derive(Debug, Default)]
struct Faults {
    /// Their last messages are reported.
    reported: Vec<Arc<Shared>>,
    /// Their last messages are taken.
    taken: Vec<Arc<Shared>>,
}

impl<E> Default for Mailbox<E> {
    fn default() -> Self {
        Self {
            reports: Mutex::new(Some(Vec::new())),
            filled: AtomicBool::new(false),
            faults: Mutex::default(),
            has_faults: AtomicBool::new(false),
        }
    }
}

impl<E> Mailbox<E> {
    pub(crate) fn push(&self, report: E) {
        let unwanted = {
            let mut reports = lock(&self.reports);
            match reports.as_mut() {
                Some(reports) => {
                    reports.push(report);
                    self.filled.store(true, Ordering::Release);
                    None
                }
                None => Some(report),
            }
        };
        // May hold a link, whose end takes other locks.
        drop(unwanted);
    }

    /// To be called after the last report before the fault.
    pub(crate) fn push_fault(&self, shared: Arc<Shared>) {
        if lock(&self.reports).is_none() {
            return;
        }
        lock(&self.faults).reported.push(shared);
        self.has_faults.store(true, Ordering::Release);
    }

    fn settle_faults(&self) {
        if !self.has_faults.load(Ordering::Acquire) {
            return;
        }
        let answered = {
            let mut faults = lock(&self.faults);
            let reported = std::mem::take(&mut faults.reported);
            self.has_faults.store(!reported.is_empty(), Ordering::Release);
            std::mem::replace(&mut faults.taken, reported)
        };
        for shared in answered {
            shared.order(Order::SettleFault);
        }
    }

    pub(crate) fn is_filled(&self) -> bool {
        self.filled.load(Ordering::Acquire)
    }

    pub(crate) fn take(&self, into: &mut Vec<E>) {
        self.settle_faults();
        if !self.is_filled() {
            return;
        }
        let mut reports = lock(&self.reports);
        self.filled.store(false, Ordering::Release);
        match reports.as_mut() {
            Some(reports) if into.is_empty() => std::mem::swap(reports, into),
            Some(reports) => into.append(reports),
            None => {}
        }
    }

    /// Drops what was reported and all that will be.
    pub(crate) fn close(&self) {
        let left = lock(&self.reports).take();
        drop(left);
        let faults = std::mem::take(&mut *lock(&self.faults));
        drop(faults);
    }
}

/// To the I/O thread.
pub(crate) enum Command {
    /// Look at a link's outbox.
    Attend(LinkId),
    /// Look at the outboxes of several.
    AttendAll(Vec<LinkId>),
    /// A new client connection, with the host and port to look for.
    Connect(Arc<Mutex<Conn>>, String, u16),
    /// A host and port to look for on behalf of somebody else.
    LookUp(Asker, String, u16),
    Resolved(Asker, Resolution),
    Listen(Acceptor),
    ResumeAccepting(usize),
    CloseListener(usize),
    Shutdown,
}

/// The calling threads' end of the reactor.
#[derive(Clone)]
pub(crate) struct ReactorHandle(Arc<ReactorShared>);

struct ReactorShared {
    commands: Mutex<Vec<Command>>,
    /// The thread waits for its sockets or is about to: who pushes a command wakes it, once. While it works it needs
    /// nobody, since it looks for commands before it sleeps.
    asleep: AtomicBool,
    waker: Option<Waker>,
    next_id: AtomicUsize,
    stopped: AtomicBool,
}

impl fmt::Debug for ReactorHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ReactorHandle").field("stopped", &self.is_stopped()).finish_non_exhaustive()
    }
}

impl ReactorHandle {
    /// `first_id`: where numbering of links, listeners and sockets starts.
    pub(crate) fn new(waker: Waker, first_id: usize) -> Self {
        Self(Arc::new(ReactorShared {
            commands: Mutex::default(),
            asleep: AtomicBool::new(false),
            waker: Some(waker),
            next_id: AtomicUsize::new(first_id),
            stopped: AtomicBool::new(false),
        }))
    }

    /// Of a thread that never ran: takes commands and forgets them.
    pub(crate) fn stopped() -> Self {
        Self(Arc::new(ReactorShared {
            commands: Mutex::default(),
            asleep: AtomicBool::new(false),
            waker: None,
            next_id: AtomicUsize::new(0),
            stopped: AtomicBool::new(true),
        }))
    }

    pub(crate) fn next_id(&self) -> usize {
        self.0.next_id.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn push(&self, command: Command) {
        {
            let mut commands = lock(&self.0.commands);
            if self.is_stopped() {
                drop(commands);
                discard(command);
                return;
            }
            commands.push(command);
        }
        self.wake();
    }

    fn wake(&self) {
        // Only looked at while the thread works, which leaves the flag in everybody's cache.
        if self.0.asleep.load(Ordering::SeqCst)
            && self.0.asleep.swap(false, Ordering::SeqCst)
            && let Some(waker) = &self.0.waker
            && waker.wake().is_err()
        {
            // For want of memory in the kernel. The thread finds the command on its next turn, or is woken for the next one.
            self.0.asleep.store(true, Ordering::SeqCst);
        }
    }

    /// The thread is about to sleep. False if there are commands: it must not.
    ///
    /// A command pushed after the look below finds the flag up, since its push takes the same lock later.
    pub(crate) fn fall_asleep(&self) -> bool {
        self.0.asleep.store(true, Ordering::SeqCst);
        let may_sleep = lock(&self.0.commands).is_empty();
        if !may_sleep {
            self.awake();
        }
        may_sleep
    }

    /// The thread works again.
    pub(crate) fn awake(&self) {
        self.0.asleep.store(false, Ordering::SeqCst);
    }

    /// Swaps the waiting commands into the empty `commands`.
    pub(crate) fn take(&self, commands: &mut Vec<Command>) {
        std::mem::swap(&mut *lock(&self.0.commands), commands);
    }

    /// No command is taken any more; those that waited are returned.
    pub(crate) fn stop(&self) -> Vec<Command> {
        let mut commands = lock(&self.0.commands);
        self.0.stopped.store(true, Ordering::Release);
        std::mem::take(&mut *commands)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::Acquire)
    }
}

/// A command that comes too late.
pub(crate) fn discard(command: Command) {
    if let Command::Connect(conn, ..) = command {
        lock(&conn).report_stopped();
    }
}

/// Data behind these locks is consistent after every statement, so a panic elsewhere does not spoil it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
