//! What connections that are driven in polls may cost the polling thread, all of them together.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use rust_websocket_peers::FrameShare;

thread_local! {
    static SHARE: Cell<FrameShare> = const { Cell::new(FrameShare::new()) };
}

/// What is left of this thread's frame.
pub(crate) fn left(now: Instant) -> Duration {
    SHARE.get().left(now)
}

/// Work that began at `now` has cost so much.
pub(crate) fn spend(now: Instant, cost: Duration) {
    let mut share = SHARE.get();
    share.spend(now, cost);
    SHARE.set(share);
}
