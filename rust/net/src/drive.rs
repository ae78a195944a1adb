//! Who runs the reactor: usually the I/O thread; while an owner polls in a tight loop, that poll.
//!
//! Whoever runs the reactor holds its lock. The I/O thread holds it from turn to turn, also while it sleeps
//! in the poll, so that others may only ever try for it. One whose try fails asks for the reactor; the I/O
//! thread then lends it: it lets go of the lock and parks, looks now and then whether turns are still run,
//! and takes it back when they are not, or when it is called for what is slow.

mod ended;

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, OnceLock, TryLockError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

use bytes::Bytes;
use mio::Poll;
use rust_websocket_proto::{Delivery, MessageKind};

use crate::{
    reactor::{Command, Copies, Reactor, ShortTurn},
    seam::{Commands, LinkId, Order, Runner, lock},
};

/// A reactor that was lent and has not been run for so long when the I/O thread looks is taken back.
const STALL: Duration = Duration::from_millis(2);
/// Whoever polls again after so long hands it back himself: no longer in a tight loop, but once per frame.
const PAUSE: Duration = Duration::from_millis(8);
/// How often the I/O thread looks at first whether it is still run, and how seldom after a while: so long may what nobody runs
/// wait. A look interrupts a conversation on which both sides wait, often on its own processor, and what the processors have
/// learned about the time of an answer is lost: with one each 2 ms a round trip took a quarter longer.
const FIRST_LOOK: Duration = Duration::from_millis(2);
const LAST_LOOK: Duration = Duration::from_millis(32);

/// The reactor and its queue of commands.
pub(crate) struct Driving {
    commands: Commands<Command>,
    /// `None`: it has ended.
    reactor: Mutex<Option<Reactor>>,
    /// The I/O thread is asked to lend it.
    asked: AtomicBool,
    /// It has.
    lent: AtomicBool,
    /// It wants it back.
    recalled: AtomicBool,
    /// A thread that has run the reactor has ended.
    has_lost_thread: AtomicBool,
    created_at: Instant,
    /// When it was lent, or somebody ran a turn last: nanoseconds since it was created.
    ran_at: AtomicU64,
    io_thread: OnceLock<Thread>,
}

impl fmt::Debug for Driving {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Driving").field("commands", &self.commands).finish_non_exhaustive()
    }
}

impl Driving {
    pub(crate) fn new() -> std::io::Result<Arc<Self>> {
        let poll = Poll::new()?;
        let commands = Reactor::commands(&poll)?;
        Ok(Arc::new_cyclic(|driving: &Weak<Self>| {
            let reactor = Reactor::new(poll, Weak::clone(driving) as Weak<dyn Runner>);
            Self {
                commands,
                reactor: Mutex::new(Some(reactor)),
                asked: AtomicBool::new(false),
                lent: AtomicBool::new(false),
                recalled: AtomicBool::new(false),
                has_lost_thread: AtomicBool::new(false),
                created_at: Instant::now(),
                ran_at: AtomicU64::new(0),
                io_thread: OnceLock::new(),
            }
        }))
    }

    /// Whether no command is taken any more.
    pub(crate) fn is_stopped(&self) -> bool {
        self.commands.is_stopped()
    }

    /// To the reactor. One that comes too late is answered here.
    pub(crate) fn push(&self, command: Command) {
        if let Err(late) = self.commands.push(command) {
            late.discard();
        }
    }

    /// Runs a short turn on this thread, or asks for the reactor, so that a later call can.
    pub(crate) fn drive(self: &Arc<Self>) -> Option<ShortTurn> {
        if cfg!(windows) {
            self.note_thread();
        }
        let turn = self.with_reactor(|reactor| {
            self.replace_lost(reactor);
            reactor.short_turn(&self.commands)
        });
        if turn.is_none() {
            self.ask();
        }
        turn
    }

    /// A thread that has run the reactor ends. Takes no lock.
    fn has_lost_thread(&self) {
        self.has_lost_thread.store(true, Ordering::Release);
        self.recall();
        self.commands.interrupt();
    }

    /// Makes up for what may be lost with a thread that has ended.
    fn replace_lost(&self, reactor: &mut Reactor) {
        if self.has_lost_thread.load(Ordering::Relaxed) && self.has_lost_thread.swap(false, Ordering::AcqRel)
        {
            reactor.watch_anew();
        }
    }

    /// `None` if somebody else has the reactor.
    fn with_reactor(&self, work: impl FnOnce(&mut Reactor) -> ShortTurn) -> Option<ShortTurn> {
        if self.recalled.load(Ordering::Acquire) {
            return None;
        }
        let mut reactor = match self.reactor.try_lock() {
            Ok(reactor) => reactor,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        let running = reactor.as_mut()?;
        let turn = catch_unwind(AssertUnwindSafe(|| work(running))).unwrap_or_else(|_| {
            // A bug that has escaped the fence around each connection.
            running.stop();
            ShortTurn { wants_thread: true, ..ShortTurn::new(Instant::now()) }
        });
        let has_paused = self.idle_until(turn.began_at) >= PAUSE;
        self.note_run(turn.began_at);
        drop(reactor);
        if turn.wants_thread || has_paused {
            self.recall();
        }
        Some(turn)
    }

    fn note_run(&self, at: Instant) {
        self.ran_at.store(self.nanos_until(at), Ordering::Relaxed);
    }

    /// For how long nobody has run it.
    fn idle_until(&self, now: Instant) -> Duration {
        let ran_at = self.ran_at.load(Ordering::Relaxed);
        Duration::from_nanos(self.nanos_until(now).saturating_sub(ran_at))
    }

    fn nanos_until(&self, at: Instant) -> u64 {
        let nanos = at.saturating_duration_since(self.created_at).as_nanos();
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }

    fn ask(&self) {
        let is_for_nothing = self.lent.load(Ordering::Relaxed) || self.asked.load(Ordering::Relaxed);
        if !is_for_nothing && !self.asked.swap(true, Ordering::AcqRel) {
            self.push(Command::Lend);
            // Where both threads share a processor, this one would go on until its time is up.
            thread::yield_now();
        }
    }

    /// Has the I/O thread take the reactor back, if it was lent.
    pub(crate) fn recall(&self) {
        if self.lent.load(Ordering::Acquire)
            && !self.recalled.swap(true, Ordering::AcqRel)
            && let Some(io_thread) = self.io_thread.get()
        {
            io_thread.unpark();
        }
    }

    /// The I/O thread's body.
    pub(crate) fn run(&self) {
        _ = self.io_thread.set(thread::current());
        loop {
            let mut reactor = lock(&self.reactor);
            self.asked.store(false, Ordering::Release);
            self.recalled.store(false, Ordering::Release);
            self.lent.store(false, Ordering::Release);
            let Some(running) = reactor.as_mut() else { return };
            if !self.run_until_lent(running) {
                running.finish(&self.commands);
                let ended = reactor.take();
                drop(reactor);
                drop(ended);
                return;
            }
            self.note_run(Instant::now());
            self.lent.store(true, Ordering::Release);
            drop(reactor);
            self.park();
        }
    }

    /// False if it has ended. A bug that escapes the fence around each connection ends all of them, cleanly.
    fn run_until_lent(&self, reactor: &mut Reactor) -> bool {
        while reactor.is_running() {
            let turn = || {
                self.replace_lost(reactor);
                reactor.turn(&self.commands);
            };
            if catch_unwind(AssertUnwindSafe(turn)).is_err() {
                reactor.stop();
            } else if reactor.may_be_lent() {
                return reactor.is_running();
            }
        }
        false
    }

    fn park(&self) {
        let mut look = FIRST_LOOK;
        loop {
            thread::park_timeout(look);
            if self.recalled.load(Ordering::Acquire) || self.idle_until(Instant::now()) >= STALL {
                return;
            }
            look = (look * 2).min(LAST_LOOK);
        }
    }
}

impl Runner for Driving {
    fn notify(&self, link: LinkId) {
        self.push(Command::Notify(link));
    }

    fn order(&self, link: LinkId, order: Order) {
        if let Err(late) = self.commands.add(Command::Order(link, order)) {
            late.discard();
        }
    }

    fn send_copy(&self, link: LinkId, kind: MessageKind, payload: &Bytes, delivery: Delivery) {
        self.commands.extend(|last| {
            if let Some(Command::Copies(copies)) = last
                && copies.are_of(kind, payload, delivery)
            {
                copies.others.push(link);
                return None;
            }
            let payload = payload.clone();
            Some(Command::Copies(Copies { first: link, others: Vec::new(), kind, payload, delivery }))
        });
    }

    fn wake(&self) {
        self.commands.wake();
    }

    fn recall(&self) {
        Self::recall(self);
    }
}
