//! How a multiplayer server learns that a script has closed a member's connection.

use std::{mem, sync::Mutex};

use rust_websocket_net::lock;

/// The members whose connection the script has closed through their peer, which notes it here, so
/// that a poll does not have to look at everybody.
#[derive(Debug, Default)]
pub(crate) struct CloseRequests(Mutex<Vec<i32>>);

impl CloseRequests {
    pub(crate) fn push(&self, id: i32) {
        lock(&self.0).push(id);
    }

    pub(crate) fn take(&self) -> Vec<i32> {
        mem::take(&mut *lock(&self.0))
    }
}
