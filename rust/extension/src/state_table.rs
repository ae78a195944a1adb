//! Finds an object's state by a number of the object's, without gdext's cell: its instance id, or where gdext keeps it.
//!
//! gdext guards an object's Rust struct with a cell that panics when one thread mutates it while
//! another reads it, and that costs several times what a look-up here does. So the struct only
//! holds an `Arc` of the state, nothing ever binds it mutably, and calls find the `Arc` here.

use std::hash::BuildHasherDefault;
use std::sync::{Arc, PoisonError, RwLock};

use godot::obj::InstanceId;
use rust_websocket_peers::IdMap;

const SHARDS: usize = 16;

type Shard<T> = RwLock<IdMap<u64, Arc<T>>>;

/// All live objects of a class that have been called.
pub(crate) struct StateTable<T> {
    shards: [Shard<T>; SHARDS],
}

impl<T> StateTable<T> {
    pub(crate) const fn new() -> Self {
        Self { shards: [const { RwLock::new(IdMap::with_hasher(BuildHasherDefault::new())) }; SHARDS] }
    }

    /// The state of an object; `bind` fetches it from the object the first time.
    pub(crate) fn find(&self, key: u64, bind: impl FnOnce() -> Arc<T>) -> Arc<T> {
        let shard = self.shard(key);
        if let Some(state) = shard.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(state);
        }
        let state = bind();
        shard.write().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&state));
        state
    }

    /// The object is gone.
    pub(crate) fn forget(&self, key: u64) {
        self.shard(key).write().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }

    fn shard(&self, key: u64) -> &Shard<T> {
        // Addresses are multiples of 16.
        &self.shards[(key ^ key >> 4) as usize % SHARDS]
    }
}

/// The key of an object's instance id.
pub(crate) fn key_of(id: InstanceId) -> u64 {
    id.to_i64().cast_unsigned()
}
