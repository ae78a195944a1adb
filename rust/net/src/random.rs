//! The system's random generator, read in blocks.

use std::cell::RefCell;

use rust_websocket_proto::Random;

/// Bytes fetched from the system at once: a mask needs 4, and a system call each would cost more than the
/// frame.
const BLOCK: usize = 1024;

struct Block {
    bytes: [u8; BLOCK],
    used: usize,
}

thread_local! {
    static FETCHED: RefCell<Block> = const { RefCell::new(Block { bytes: [0; BLOCK], used: BLOCK }) };
}

/// The system's cryptographically secure generator (RFC 6455 section 10.3 asks for one). Every byte is handed
/// out once.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) {
        if buffer.len() > BLOCK {
            fetch(buffer);
            return;
        }
        FETCHED.with_borrow_mut(|block| {
            if BLOCK - block.used < buffer.len() {
                fetch(&mut block.bytes);
                block.used = 0;
            }
            let end = block.used + buffer.len();
            buffer.copy_from_slice(&block.bytes[block.used..end]);
            block.bytes[block.used..end].fill(0);
            block.used = end;
        });
    }
}

fn fetch(buffer: &mut [u8]) {
    // Fails only on systems without any generator or before it is seeded at boot; predictable masks would be
    // worse than the end of this connection, which is where the reactor's fence turns the panic.
    #[expect(clippy::expect_used, reason = "no way to go on, and nothing from the network leads here")]
    getrandom::fill(buffer).expect("the system has a random generator");
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_byte_is_handed_out_twice() {
        let mut seen = HashSet::new();
        for _ in 0..BLOCK {
            let mut key = [0; 16];
            SystemRandom.fill(&mut key);
            assert!(seen.insert(key));
        }
        let mut large = [0; BLOCK * 2];
        SystemRandom.fill(&mut large);
        assert!(large.iter().any(|byte| *byte != 0));
    }
}
