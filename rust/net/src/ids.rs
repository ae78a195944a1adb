//! Tables by number.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// Keys are numbers that we gave out ourselves: nobody can choose them so that they collide, and they are looked up
/// for every event of every socket.
pub(crate) type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// Spreads a number over all bits.
#[derive(Debug, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_usize(self.0 as usize ^ usize::from(*byte));
        }
    }

    fn write_usize(&mut self, id: usize) {
        self.0 = (id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
    }
}
