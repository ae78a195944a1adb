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
    limits::{Receiving, Sending},
    listener::Acceptor,
    resolve::{Asker, Resolution},
};

/// What a [`Link`](crate::Link) and its [`Conn`] share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) id: LinkId,
    pub(crate) reactor: ReactorHandle,
    outbox: Mutex<Outbox>,
    /// A command asking the reactor to look at the outbox is under way.
    attention_asked: AtomicBool,
    pub(crate) sending: Sending,
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
            outbox: Mutex::default(),
            attention_asked: AtomicBool::new(false),
            sending: Sending::new(options.send_limits),
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
        self.round_trip_time.store(micros, Ordering::Relaxed);
    }

    pub(crate) fn order_send(&self, kind: MessageKind, payload: Bytes) -> Result<(), SendError> {
        self.queue_send(kind, payload)?;
        self.ask_for_attention();
        Ok(())
    }

    pub(crate) fn order_send_in(
        &self,
        batch: &mut Batch,
        kind: MessageKind,
        payload: Bytes,
    ) -> Result<(), SendError> {
        self.queue_send(kind, payload)?;
        if !self.attention_asked.swap(true, Ordering::AcqRel) {
            batch.reactor.get_or_insert_with(|| self.reactor.clone());
            batch.commands.push(Command::Attend(self.id));
        }
        Ok(())
    }

    fn queue_send(&self, kind: MessageKind, payload: Bytes) -> Result<(), SendError> {
        let mut outbox = self.lock_outbox();
        if outbox.closed {
            return Err(SendError::NotOpen);
        }
        if !self.sending.has_room(payload.len()) {
            self.counters.send_refused();
            return Err(SendError::BufferFull);
        }
        self.sending.accepted(payload.len());
        self.counters.sent(payload.len());
        outbox.orders.push(Order::Send(kind, payload));
        Ok(())
    }

    fn lock_outbox(&self) -> MutexGuard<'_, Outbox> {
        lock(&self.outbox)
    }

    pub(crate) fn order(&self, order: Order) {
        self.lock_outbox().orders.push(order);
        self.ask_for_attention();
    }

    /// Like [`order`](Self::order), and nothing may be sent any more.
    pub(crate) fn order_last(&self, order: Order) {
        {
            let mut outbox = self.lock_outbox();
            outbox.closed = true;
            outbox.orders.push(order);
        }
        self.ask_for_attention();
    }

    fn ask_for_attention(&self) {
        if !self.attention_asked.swap(true, Ordering::AcqRel) {
            self.reactor.push(Command::Attend(self.id));
        }
    }

    /// Swaps the waiting orders into the empty `orders`. The flag goes down first, so that an order that comes
    /// after the swap asks again.
    pub(crate) fn take_orders(&self, orders: &mut Vec<Order>) {
        self.attention_asked.store(false, Ordering::Release);
        std::mem::swap(&mut self.lock_outbox().orders, orders);
    }

    /// The connection is over: later sends are refused.
    pub(crate) fn refuse_sends(&self) {
        let mut outbox = self.lock_outbox();
        outbox.closed = true;
        outbox.orders.retain(|order| !matches!(order, Order::Send(..)));
        self.sending.clear();
    }
}

/// Links that have something for the I/O thread, which is told of all of them at once when this is dropped: waking
/// it for the first of many would have it take its locks between ours.
#[derive(Default)]
pub struct Batch {
    commands: Vec<Command>,
    /// All links of a process have the same, but for those that outlived an I/O thread, which nobody attends.
    reactor: Option<ReactorHandle>,
}

impl fmt::Debug for Batch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Batch").field("links", &self.commands.len()).finish()
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if let Some(reactor) = &self.reactor {
            reactor.push_all(&mut self.commands);
        }
    }
}

#[derive(Debug, Default)]
struct Outbox {
    orders: Vec<Order>,
    closed: bool,
}

/// From a link's owner to the I/O thread, in order.
#[derive(Debug)]
pub(crate) enum Order {
    Send(MessageKind, Bytes),
    Close(u16, String),
    Leave,
    /// The owner is gone: leave unless a close handshake is under way, report nothing any more.
    Abandon,
    /// There is room for messages again.
    Resume,
    /// The owner has had the chance to answer what was reported.
    SettleFault,
    SetHeartbeatInterval(Option<Duration>),
    SetCloseTimeout(Duration),
    SetNoDelay(bool),
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

    pub(crate) fn take(&self, into: &mut Vec<E>) {
        self.settle_faults();
        if !self.filled.load(Ordering::Acquire) {
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
    /// A new client connection, with the host and port to look for.
    Connect(Box<Conn>, String, u16),
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
    /// A wake is under way: however many commands are pushed until the thread looks, it is woken once.
    woken: AtomicBool,
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
            woken: AtomicBool::new(false),
            waker: Some(waker),
            next_id: AtomicUsize::new(first_id),
            stopped: AtomicBool::new(false),
        }))
    }

    /// Of a thread that never ran: takes commands and forgets them.
    pub(crate) fn stopped() -> Self {
        Self(Arc::new(ReactorShared {
            commands: Mutex::default(),
            woken: AtomicBool::new(true),
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

    /// Pushes commands that nobody misses once the thread has stopped.
    fn push_all(&self, new: &mut Vec<Command>) {
        {
            let mut commands = lock(&self.0.commands);
            if self.is_stopped() {
                return;
            }
            commands.append(new);
        }
        self.wake();
    }

    fn wake(&self) {
        if !self.0.woken.swap(true, Ordering::AcqRel)
            && let Some(waker) = &self.0.waker
            && waker.wake().is_err()
        {
            // For want of memory in the kernel. The thread finds the command on its next turn, or is woken for the next one.
            self.0.woken.store(false, Ordering::Release);
        }
    }

    /// Swaps the waiting commands into the empty `commands`.
    pub(crate) fn take(&self, commands: &mut Vec<Command>) {
        self.0.woken.store(false, Ordering::Release);
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
    if let Command::Connect(mut conn, ..) = command {
        conn.report_stopped();
    }
}

/// Data behind these locks is consistent after every statement, so a panic elsewhere does not spoil it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
