//! An inflater of its own (RFC 1951, after zlib's puff), slow and simple, that also tells how far back a stream refers.

/// Lengths and distances: base values and extra bits (RFC 1951 section 3.2.5).
const LENGTHS: [(usize, u32); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];
const DISTANCES: [(usize, u32); 30] = [
    (1, 0),
    (2, 0),
    (3, 0),
    (4, 0),
    (5, 1),
    (7, 1),
    (9, 2),
    (13, 2),
    (17, 3),
    (25, 3),
    (33, 4),
    (49, 4),
    (65, 5),
    (97, 5),
    (129, 6),
    (193, 6),
    (257, 7),
    (385, 7),
    (513, 8),
    (769, 8),
    (1025, 9),
    (1537, 9),
    (2049, 10),
    (3073, 10),
    (4097, 11),
    (6145, 11),
    (8193, 12),
    (12289, 12),
    (16385, 13),
    (24577, 13),
];
const CODE_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Everything inflated so far, and the longest way back.
#[derive(Default)]
pub struct Reference {
    pub output: Vec<u8>,
    pub farthest: usize,
}

struct Bits<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> Option<usize> {
        let mut value = 0;
        for index in 0..count {
            let bit = self.bytes.get(self.position / 8)? >> (self.position % 8) & 1;
            value |= usize::from(bit) << index;
            self.position += 1;
        }
        Some(value)
    }
}

/// A canonical Huffman code.
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    fn new(lengths: &[usize]) -> Self {
        let mut counts = [0; 16];
        let mut symbols: Vec<usize> = (0..lengths.len()).filter(|symbol| lengths[*symbol] != 0).collect();
        symbols.sort_by_key(|symbol| lengths[*symbol]);
        for symbol in &symbols {
            counts[lengths[*symbol]] += 1;
        }
        Self { counts, symbols }
    }

    fn read(&self, bits: &mut Bits<'_>) -> Option<usize> {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            code |= bits.take(1)?;
            if code < first + count {
                return self.symbols.get(index + code - first).copied();
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

impl Reference {
    /// Inflates one message, its context kept; `None` if it is not what RFC 7692 has it to be.
    pub fn message(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let start = self.output.len();
        let whole = [payload, &[0, 0, 0xff, 0xff]].concat();
        let mut bits = Bits { bytes: &whole, position: 0 };
        while bits.position < whole.len() * 8 {
            self.block(&mut bits)?;
        }
        Some(self.output[start..].to_vec())
    }

    fn block(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        bits.take(1)?;
        match bits.take(2)? {
            0 => {
                bits.position = bits.position.next_multiple_of(8);
                let (length, check) = (bits.take(16)?, bits.take(16)?);
                (length == !check & 0xffff).then_some(())?;
                for _ in 0..length {
                    self.output.push(bits.take(8)? as u8);
                }
                Some(())
            }
            1 => {
                let lengths: Vec<usize> = (0..288)
                    .map(|symbol| match symbol {
                        0..144 => 8,
                        144..256 => 9,
                        256..280 => 7,
                        _ => 8,
                    })
                    .collect();
                self.symbols(bits, &Code::new(&lengths), &Code::new(&[5; 30]))
            }
            2 => {
                let (literals, distances) = codes(bits)?;
                self.symbols(bits, &literals, &distances)
            }
            _ => None,
        }
    }

    fn symbols(&mut self, bits: &mut Bits<'_>, literals: &Code, distances: &Code) -> Option<()> {
        loop {
            match literals.read(bits)? {
                literal @ 0..256 => self.output.push(literal as u8),
                256 => return Some(()),
                symbol => {
                    let (base, extra) = *LENGTHS.get(symbol - 257)?;
                    let length = base + bits.take(extra)?;
                    let (base, extra) = *DISTANCES.get(distances.read(bits)?)?;
                    let distance = base + bits.take(extra)?;
                    self.farthest = self.farthest.max(distance);
                    for _ in 0..length {
                        self.output.push(*self.output.get(self.output.len().checked_sub(distance)?)?);
                    }
                }
            }
        }
    }
}

fn codes(bits: &mut Bits<'_>) -> Option<(Code, Code)> {
    let (literals, distances, codes) = (bits.take(5)? + 257, bits.take(5)? + 1, bits.take(4)? + 4);
    let mut lengths = [0; 19];
    for index in &CODE_ORDER[..codes] {
        lengths[*index] = bits.take(3)?;
    }
    let code = Code::new(&lengths);
    let mut lengths: Vec<usize> = Vec::new();
    while lengths.len() < literals + distances {
        let (value, times) = match code.read(bits)? {
            16 => (*lengths.last()?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            length => (length, 1),
        };
        lengths.extend(std::iter::repeat_n(value, times));
    }
    (lengths.len() == literals + distances)
        .then(|| (Code::new(&lengths[..literals]), Code::new(&lengths[literals..])))
}
