//! What the I/O thread reports to an owner of connections, and the faults that wait for the owner's answers.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use super::{Order, Shared, lock, mailbox::Mailbox};

/// Reports of the I/O thread, until their owner takes them.
#[derive(Debug)]
pub(crate) struct Reports<E> {
    mailbox: Mailbox<E>,
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

impl<E> Default for Reports<E> {
    fn default() -> Self {
        Self { mailbox: Mailbox::default(), faults: Mutex::default(), has_faults: AtomicBool::new(false) }
    }
}

impl<E> Reports<E> {
    pub(crate) fn push(&self, report: E) {
        self.mailbox.push(report);
    }

    /// To be called after the last report before the fault.
    pub(crate) fn push_fault(&self, shared: Arc<Shared>) {
        if self.mailbox.is_closed() {
            return;
        }
        lock(&self.faults).reported.push(shared);
        self.has_faults.store(true, Ordering::Release);
    }

    /// Appends what was reported; faults whose last messages were taken before are answered by now.
    pub(crate) fn take(&self, into: &mut Vec<E>) {
        self.settle_faults();
        self.mailbox.take(into);
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
        self.mailbox.is_filled()
    }

    /// Drops what was reported and all that will be.
    pub(crate) fn close(&self) {
        self.mailbox.close();
        let faults = std::mem::take(&mut *lock(&self.faults));
        drop(faults);
    }
}
