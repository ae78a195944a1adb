//! Finds an object's state by its instance id, without gdext's cell.
//!
//! gdext guards an object's Rust struct with a cell that panics when one thread mutates it while another reads it,
//! and that costs several times what a look-up here does. So the struct only holds an `Arc` of the state, nothing
//! ever binds it mutably, and calls find the `Arc` here.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{Arc, PoisonError, RwLock},
};

use godot::obj::InstanceId;

const SHARDS: usize = 16;

/// A table by ids that the engine or we have chosen: nobody can make them collide.
pub(crate) type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

type Shard<T> = RwLock<IdMap<u64, Arc<T>>>;

/// All live objects of a class that have been called.
pub(crate) struct StateTable<T> {
    shards: [Shard<T>; SHARDS],
}

impl<T> StateTable<T> {
    pub(crate) const fn new() -> Self {
        Self { shards: [const { RwLock::new(HashMap::with_hasher(BuildHasherDefault::new())) }; SHARDS] }
    }

    /// The state of an object; `bind` fetches it from the object the first time.
    pub(crate) fn find(&self, id: InstanceId, bind: impl FnOnce() -> Arc<T>) -> Arc<T> {
        let key = key_of(id);
        let shard = self.shard(key);
        if let Some(state) = shard.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(state);
        }
        let state = bind();
        shard.write().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&state));
        state
    }

    /// The object is gone.
    pub(crate) fn forget(&self, id: InstanceId) {
        let key = key_of(id);
        self.shard(key).write().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }

    fn shard(&self, key: u64) -> &Shard<T> {
        &self.shards[key as usize % SHARDS]
    }
}

fn key_of(id: InstanceId) -> u64 {
    id.to_i64().cast_unsigned()
}

/// Instance ids are a slot number and a random validator already: spreading the bits is enough.
#[derive(Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn write_i32(&mut self, id: i32) {
        self.write_u64(u64::from(id.cast_unsigned()));
    }

    fn write_usize(&mut self, id: usize) {
        self.write_u64(id as u64);
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = id.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
    }
}
