//! Deflate streams (RFC 1951) that an honest compressor would not write.

/// Writes bits, the lowest of each byte first.
#[derive(Debug, Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    fn put(&mut self, value: u32, count: u32) {
        for index in 0..count {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> index & 1) as u8) << (self.used % 8);
            }
            self.used += 1;
        }
    }

    /// Zeros, with the fixed code: one, and runs of 258 until there are `size` bytes of it or `runs` of them.
    fn put_zeros(&mut self, size: usize, runs: usize) {
        self.put(0b0000_1100, 8); // the literal 0 is 00110000, its highest bit first
        for _ in 0..runs {
            if self.bytes.len() >= size {
                return;
            }
            self.put(0b1010_0011, 8); // length 258 is code 285: 11000101
            self.put(0, 5); // distance 1
        }
    }

    fn is_aligned(&self) -> bool {
        self.used.is_multiple_of(8)
    }
}

/// As many blocks as fit into `size` bytes, and the beginning of the empty stored block whose end the protocol leaves out
/// (RFC 7692 section 7.2.1).
fn repeated(size: usize, block: impl Fn(&mut Bits)) -> Vec<u8> {
    let mut unit = Bits::default();
    loop {
        block(&mut unit);
        if unit.is_aligned() {
            break;
        }
    }
    let mut stream = unit.bytes.repeat(size / unit.bytes.len());
    stream.push(0);
    stream
}

/// Stored blocks without content.
pub(crate) fn empty_stored(size: usize) -> Vec<u8> {
    let mut stream = [0, 0, 0, 0xff, 0xff].repeat(size / 5);
    stream.push(0);
    stream
}

/// Blocks with the fixed code that end at once.
pub(crate) fn empty_fixed(size: usize) -> Vec<u8> {
    repeated(size, |bits| {
        bits.put(0b01 << 1, 3);
        bits.put(0, 7);
    })
}

/// A window full of zeros, and final blocks behind it that end at once: behind each a new stream begins with that window.
pub(crate) fn final_blocks(size: usize) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(0b01 << 1 | 1, 3);
    bits.put_zeros(usize::MAX, 130);
    bits.put(0, 7);
    let mut stream = bits.bytes;
    while stream.len() < size {
        stream.extend([0b011, 0]);
    }
    stream.push(0);
    stream
}

/// Blocks that describe a code of their own and then end at once: the table is the work.
pub(crate) fn empty_dynamic(size: usize) -> Vec<u8> {
    repeated(size, |bits| {
        bits.put(0b10 << 1, 3);
        bits.put(0, 5); // 257 lengths of literals
        bits.put(0, 5); // one of distances
        bits.put(14, 4); // 18 lengths of the code for lengths, in the RFC's odd order
        for index in 0..18 {
            // Code 18 (a run of zeros) is third, code 1 eighteenth; each has one bit: 0 is code 1, 1 is code 18.
            bits.put(u32::from(index == 2 || index == 17), 3);
        }
        for zeros in [138, 118] {
            bits.put(1, 1);
            bits.put(zeros - 11, 7);
        }
        bits.put(0, 1); // the end of block has one bit
        bits.put(0, 1); // and so has the one distance
        bits.put(0, 1); // the end of the block
    })
}

/// `a`, in a block with the fixed code.
pub(crate) const ONE_LETTER: &[u8] = &[0x4a, 0x04, 0x00];

/// Zeros that are about a thousandth of what they become: a fixed block of runs of 258.
pub(crate) fn bomb(size: usize) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(0b01 << 1, 3);
    bits.put_zeros(size, usize::MAX);
    bits.put(0, 7);
    bits.put(0, 3); // the stored block whose end is left out
    bits.bytes
}

#[cfg(test)]
mod tests {
    use flate2::{Decompress, FlushDecompress, Status};

    use super::*;

    /// What a message comes to, with the end that the protocol leaves out.
    fn inflated(message: &[u8]) -> Vec<u8> {
        let mut output = Vec::with_capacity(1 << 26);
        let input = [message, &[0, 0, 0xff, 0xff]].concat();
        let mut inflater = Decompress::new(false);
        inflater.decompress_vec(&input, &mut output, FlushDecompress::Sync).unwrap();
        assert_eq!(inflater.total_in(), input.len() as u64, "all of it is valid");
        output
    }

    #[test]
    fn blocks_are_valid_and_empty() {
        for blocks in [empty_stored(10_000), empty_fixed(10_000), empty_dynamic(10_000)] {
            assert!(blocks.len() > 9_900);
            assert_eq!(inflated(&blocks), b"");
        }
        assert_eq!(inflated(ONE_LETTER), b"a");
    }

    #[test]
    fn final_blocks_are_a_window_and_nothing_more() {
        let message = final_blocks(10_000);
        let (mut rest, mut size) = (&message[..message.len() - 1], 0);
        while !rest.is_empty() {
            let mut output = Vec::with_capacity(1 << 16);
            let mut inflater = Decompress::new(false);
            let status = inflater.decompress_vec(rest, &mut output, FlushDecompress::Sync).unwrap();
            assert_eq!(status, Status::StreamEnd);
            rest = &rest[inflater.total_in() as usize..];
            size += output.len();
        }
        assert!((32 * 1024..64 * 1024).contains(&size), "{size}");
    }

    #[test]
    fn bombs_become_large() {
        let bomb = bomb(10_000);
        let size = inflated(&bomb).len();
        assert!(size > 100 * bomb.len(), "{size}");
    }
}
