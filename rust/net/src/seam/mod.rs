//! What the calling threads and the I/O thread share: orders down, reports up, and how much of either may
//! wait. It knows no connection, acceptor or name lookup. Every lock in here is held for a push or a swap.

mod arrivals;
mod asked;
mod census;
mod commands;
mod counters;
mod limits;
pub(crate) mod locks;
mod mailbox;
mod orders;
mod outbox;
mod reports;
mod types;

pub(crate) use self::{
    arrivals::{Arrival, Arrivals, Newcomer, Unseen, UnseenCount},
    census::io_thread_worked,
    commands::{Commands, Wakeup},
    orders::{Order, Orders},
    outbox::{Claim, Runner, Shared, Stopped},
    reports::Reports,
    types::next_id,
};
pub use self::{
    asked::{Asked, TlsFacts},
    census::{Counted, Membership, Phase, ProcessSums, Standing},
    counters::Counters,
    locks::lock,
    orders::Tag,
    outbox::{Batch, How, Outbox},
    types::{LinkEvent, LinkId, LinkOptions, ProxyWay},
};
