//! Tables by number.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// A table by ids that the engine or we have chosen: nobody can make them collide, and they are looked up for
/// every event of every socket.
pub type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<SpreadBits>>;

/// The ids are random or count upwards: spreading the bits is enough.
#[derive(Debug, Default)]
pub struct SpreadBits(u64);

impl Hasher for SpreadBits {
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
