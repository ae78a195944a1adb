//! Masking (RFC 6455 section 5.3).

use std::sync::Arc;

use crate::Random;

/// A frame's masking key, turned so that its first byte belongs to the next payload byte.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mask([u8; 4]);

impl Mask {
    pub(crate) fn new(key: [u8; 4]) -> Self {
        Self(key)
    }

    /// Masks or unmasks the next part of the payload, a word at a time.
    pub(crate) fn apply(&mut self, data: &mut [u8]) {
        let [a, b, c, d] = self.0;
        let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
        let (words, rest) = data.as_chunks_mut::<8>();
        for bytes in words {
            *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
        }
        for (byte, key) in rest.iter_mut().zip([a, b, c, d, a, b, c]) {
            *byte ^= key;
        }
        self.0.rotate_left(rest.len() % 4);
    }
}

/// Fresh masking keys, drawn several at a time: asking the system costs more than masking a small message.
pub(crate) struct MaskSource {
    random: Arc<dyn Random>,
    pool: [u8; MaskSource::POOL],
    used: usize,
}

impl MaskSource {
    const POOL: usize = 128;

    pub(crate) fn new(random: Arc<dyn Random>) -> Self {
        Self { random, pool: [0; Self::POOL], used: Self::POOL }
    }

    pub(crate) fn next_key(&mut self) -> [u8; 4] {
        if self.used >= Self::POOL {
            self.random.fill(&mut self.pool);
            self.used = 0;
        }
        let key = self.pool.get(self.used..).and_then(|rest| rest.first_chunk()).copied();
        self.used += 4;
        key.unwrap_or_default() // the pool is a multiple of four: always there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked_bytewise(data: &[u8], key: [u8; 4]) -> Vec<u8> {
        data.iter().enumerate().map(|(index, byte)| byte ^ key[index % 4]).collect()
    }

    #[test]
    fn any_split_gives_the_same_bytes() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let data: Vec<u8> = (0..97).map(|value: u8| value.wrapping_mul(7)).collect();
        let expected = masked_bytewise(&data, key);
        for first in 0..data.len() {
            for second in first..data.len() {
                let mut mask = Mask::new(key);
                let mut bytes = data.clone();
                mask.apply(&mut bytes[..first]);
                mask.apply(&mut bytes[first..second]);
                mask.apply(&mut bytes[second..]);
                assert_eq!(bytes, expected, "{first} {second}");
            }
        }
    }

    struct Counting;

    impl Random for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            for (index, byte) in buffer.iter_mut().enumerate() {
                *byte = index as u8;
            }
        }
    }

    #[test]
    fn keys_are_drawn_one_after_the_other() {
        let mut source = MaskSource::new(Arc::new(Counting));
        assert_eq!(source.next_key(), [0, 1, 2, 3]);
        assert_eq!(source.next_key(), [4, 5, 6, 7]);
        for _ in 0..29 {
            source.next_key();
        }
        assert_eq!(source.next_key(), [124, 125, 126, 127]);
        assert_eq!(source.next_key(), [0, 1, 2, 3]);
    }
}
