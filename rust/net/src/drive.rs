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
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

use mio::Poll;

use crate::{
    reactor::{Command, Reactor, ShortTurn},
    seam::{Commands, LinkId, Notify, lock},
};

/// How often the I/O thread looks whether the reactor that it has lent is still run: what nobody runs waits
/// up to twice as long.
const LOOK: Duration = Duration::from_millis(2);

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
    /// Turns that others have run.
    turns: AtomicUsize,
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
            let reactor = Reactor::new(poll, Weak::clone(driving) as Weak<dyn Notify>);
            Self {
                commands,
                reactor: Mutex::new(Some(reactor)),
                asked: AtomicBool::new(false),
                lent: AtomicBool::new(false),
                recalled: AtomicBool::new(false),
                has_lost_thread: AtomicBool::new(false),
                turns: AtomicUsize::new(0),
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
        self.commands.wake();
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
        self.turns.fetch_add(1, Ordering::Relaxed);
        let turn = catch_unwind(AssertUnwindSafe(|| work(running))).unwrap_or_else(|_| {
            // A bug that has escaped the fence around each connection.
            running.stop();
            ShortTurn { wants_thread: true, ..ShortTurn::default() }
        });
        drop(reactor);
        if turn.wants_thread {
            self.recall();
        }
        Some(turn)
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
        let mut seen = self.turns.load(Ordering::Relaxed);
        loop {
            thread::park_timeout(LOOK);
            let turns = self.turns.load(Ordering::Relaxed);
            if turns == seen || self.recalled.load(Ordering::Acquire) {
                return;
            }
            seen = turns;
        }
    }
}

impl Notify for Driving {
    fn notify(&self, link: LinkId) {
        self.push(Command::Notify(link));
    }

    fn notify_all(&self, links: Vec<LinkId>) {
        self.push(Command::NotifyAll(links));
    }
}
