//! Compressing and inflating messages (RFC 7692 section 7.2).

use std::collections::VecDeque;

use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, DecompressError, FlushCompress, FlushDecompress, Status};

use super::Agreed;

/// What a flush leaves at the end of a message, and what is not sent (section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// An empty message (section 7.2.3.6). The codec has nothing to flush when there is nothing new.
const EMPTY: [u8; 1] = [0];
/// zlib turns 8 into 9, and then refers to at most 250 bytes back (512 less its look-ahead of 262), which is within the
/// 256 bytes of a window of 8 bits.
const SMALLEST_WINDOW: u8 = 9;
/// As far back as a deflate stream can refer.
const LARGEST_WINDOW: usize = 32 * 1024;
/// Output grows by at least this much.
const GROWTH: usize = 1024;
/// What the codec may write in one go. It is cleared before, so it is no more than what the input can be expected to say.
const SMALLEST_STEP: usize = 256;
const LARGEST_STEP: usize = 16 * 1024;
const EXPECTED_RATIO: usize = 4;
/// Compressed broadcasts kept for their next recipient, and how much payload they may keep alive.
const MAX_RECENT: usize = 64;
const MAX_RECENT_BYTES: usize = 4 * 1024 * 1024;

/// Compresses one side's messages.
#[derive(Debug)]
pub(crate) struct Deflater {
    threshold: usize,
    window_bits: u8,
    keeps_context: bool,
    /// The context, from the first compressed message on. It may go at any time: a message need not refer to others.
    context: Option<Compress>,
    /// Since [`give_back`](Self::give_back) last looked.
    is_used: bool,
    /// Messages compressed and not yet counted, and how often the codec ran for them.
    counts: (u64, u64),
}

impl Deflater {
    pub(crate) fn new(agreed: Agreed, threshold: usize) -> Self {
        let Agreed { own_window_bits: window_bits, own_context: keeps_context, .. } = agreed;
        Self { threshold, window_bits, keeps_context, context: None, is_used: false, counts: (0, 0) }
    }

    /// `None`: goes as it is.
    pub(crate) fn compress(&mut self, payload: &Bytes, shared: &mut Compressor) -> Option<Bytes> {
        if payload.len() < self.threshold {
            return None;
        }
        if payload.is_empty() {
            return Some(Bytes::from_static(&EMPTY));
        }
        let packed = if self.keeps_context {
            self.counts.1 += 1;
            self.compress_in_context(payload)
        } else {
            let runs = shared.runs;
            let packed = shared.compress(payload, self.window_bits);
            self.counts.1 += shared.runs - runs;
            packed
        };
        self.counts.0 += u64::from(packed.is_some());
        packed
    }

    /// What it comes to depends on all messages before: nobody else can have it.
    fn compress_in_context(&mut self, payload: &Bytes) -> Option<Bytes> {
        self.is_used = true;
        let context = self.context.get_or_insert_with(|| new_compress(self.window_bits));
        let packed = pack(context, payload);
        if packed.is_none() {
            self.context = None;
        }
        packed
    }

    /// Messages compressed since the last call, and how often the codec ran for that.
    pub(crate) fn take_counts(&mut self) -> (u64, u64) {
        std::mem::take(&mut self.counts)
    }

    /// What was compressed with the context last is not sent after all: later messages do not refer to it.
    pub(crate) fn forget_context(&mut self) {
        self.context = None;
    }

    /// Whether a context takes up memory.
    pub(crate) fn holds_memory(&self) -> bool {
        self.context.is_some()
    }

    /// Frees the context unless it was used since the last call.
    pub(crate) fn give_back(&mut self) {
        if !std::mem::take(&mut self.is_used) {
            self.context = None;
        }
    }
}

fn new_compress(window_bits: u8) -> Compress {
    Compress::new_with_window_bits(Compression::default(), false, window_bits.clamp(SMALLEST_WINDOW, 15))
}

/// The payload as one flushed run of blocks without its tail. `None` only if the codec fails, which it has no reason to.
fn pack(context: &mut Compress, payload: &[u8]) -> Option<Bytes> {
    let mut packed = Vec::with_capacity(payload.len() / 2 + GROWTH);
    let start = context.total_in();
    loop {
        let taken = usize::try_from(context.total_in() - start).ok()?;
        context.compress_vec(payload.get(taken..)?, &mut packed, FlushCompress::Sync).ok()?;
        // Room left means that there was nothing more to write.
        if packed.len() < packed.capacity() {
            break;
        }
        packed.reserve(packed.len().max(GROWTH));
    }
    packed.truncate(packed.strip_suffix(&TAIL)?.len());
    packed.shrink_to_fit();
    Some(packed.into())
}

/// What the connections of one thread share when they send: memory to compress in, and messages that went to several of
/// them, compressed once.
///
/// Only connections that keep no context use it. Call [`release`](Self::release) when the sends at hand are done.
#[derive(Debug, Default)]
pub struct Compressor {
    codec: Option<(u8, Compress)>,
    recent: VecDeque<Recent>,
    recent_bytes: usize,
    /// How often the codec ran.
    runs: u64,
}

/// A message that has more recipients.
#[derive(Debug)]
struct Recent {
    payload: Bytes,
    window_bits: u8,
    packed: Option<Bytes>,
}

impl Compressor {
    /// Compresses without a context; `None` if that does not make it smaller.
    fn compress(&mut self, payload: &Bytes, window_bits: u8) -> Option<Bytes> {
        let has_more_recipients = !payload.is_unique();
        if has_more_recipients && let Some(recent) = self.find(payload, window_bits) {
            return recent.packed.clone();
        }
        let packed = self.pack(payload, window_bits);
        if has_more_recipients {
            self.remember(payload.clone(), window_bits, packed.clone());
        }
        packed
    }

    fn pack(&mut self, payload: &Bytes, window_bits: u8) -> Option<Bytes> {
        let (_, codec) = match self.codec.take_if(|(bits, _)| *bits == window_bits) {
            Some(codec) => self.codec.insert(codec),
            None => self.codec.insert((window_bits, new_compress(window_bits))),
        };
        codec.reset();
        self.runs += 1;
        pack(codec, payload).filter(|packed| packed.len() < payload.len())
    }

    /// Held payloads are not freed, so the address names the payload.
    fn find(&self, payload: &Bytes, window_bits: u8) -> Option<&Recent> {
        self.recent.iter().find(|recent| {
            recent.window_bits == window_bits
                && recent.payload.as_ptr() == payload.as_ptr()
                && recent.payload.len() == payload.len()
        })
    }

    fn remember(&mut self, payload: Bytes, window_bits: u8, packed: Option<Bytes>) {
        self.recent_bytes += payload.len();
        self.recent.push_back(Recent { payload, window_bits, packed });
        while self.recent.len() > MAX_RECENT || self.recent_bytes > MAX_RECENT_BYTES {
            let Some(oldest) = self.recent.pop_front() else { break };
            self.recent_bytes -= oldest.payload.len();
        }
    }

    /// Forgets messages that all recipients have got.
    pub fn release(&mut self) {
        if self.recent.is_empty() {
            return;
        }
        self.recent.retain(|recent| !recent.payload.is_unique());
        self.recent_bytes = self.recent.iter().map(|recent| recent.payload.len()).sum();
    }

    /// Frees all memory.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Why a message cannot be inflated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InflateError {
    /// It is larger than the limit.
    TooBig,
    Corrupt,
}

/// Compressed payloads are unmasked and inflated in pieces of this size: as large a step as a spent budget can be exceeded by. It
/// becomes at most a thousand times larger.
pub(crate) const MOST_INFLATED_AT_ONCE: usize = 512;
/// The same behind a piece in which streams have begun anew, for which two bytes are enough. It stays so: honest senders have no such
/// pieces, and others would send some that cost little in between.
const LEAST_INFLATED_AT_ONCE: usize = 16;

/// A message is one stream, or with senders that end each of its pieces, one for each of these.
const MOST_STREAMS: usize = 1024;

/// Inflates the other side's messages.
#[derive(Debug)]
pub(crate) struct Inflater {
    keeps_context: bool,
    codec: Option<Decompress>,
    /// A final block has ended (section 7.2.3.4): what follows is a new stream.
    is_ended: bool,
    /// The message at hand had a payload.
    is_begun: bool,
    /// Streams that were begun behind a final block in the message at hand, and how many of them are counted.
    restarts: usize,
    counted: usize,
    /// Of a payload, what the next call should be given.
    at_once: usize,
}

impl Inflater {
    pub(crate) fn new(agreed: Agreed) -> Self {
        Self {
            keeps_context: agreed.peer_context,
            codec: None,
            is_ended: false,
            is_begun: false,
            restarts: 0,
            counted: 0,
            at_once: MOST_INFLATED_AT_ONCE,
        }
    }

    /// Whether one codec serves all messages; otherwise each has its own.
    pub(crate) fn keeps_context(&self) -> bool {
        self.keeps_context
    }

    /// How many streams were begun anew since this was asked last: each takes as long as a page of text.
    pub(crate) fn take_restarts(&mut self) -> usize {
        let restarts = self.restarts - std::mem::replace(&mut self.counted, self.restarts);
        if restarts > 1 {
            self.at_once = LEAST_INFLATED_AT_ONCE;
        }
        restarts
    }

    /// How much of a payload to hand in before the budget is asked again.
    pub(crate) fn at_once(&self) -> usize {
        self.at_once
    }

    /// Appends what the next part of a message says; never more than one byte beyond `limit`.
    pub(crate) fn inflate(
        &mut self,
        mut input: &[u8],
        output: &mut Vec<u8>,
        limit: usize,
    ) -> Result<(), InflateError> {
        while !input.is_empty() {
            self.is_begun = true;
            let count = self.step(input, output, limit)?;
            input = input.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    /// Runs the codec until it has taken all of `input` or a stream has ended; returns how much it took.
    fn step(&mut self, input: &[u8], output: &mut Vec<u8>, limit: usize) -> Result<usize, InflateError> {
        let codec = self.codec.get_or_insert_with(|| Decompress::new(false));
        if std::mem::take(&mut self.is_ended) {
            self.restarts += 1;
            if self.restarts > MOST_STREAMS {
                return Err(InflateError::Corrupt);
            }
            codec.reset(false);
            let window = output.get(output.len().saturating_sub(LARGEST_WINDOW)..).unwrap_or_default();
            if !window.is_empty() {
                codec.set_dictionary(window).map_err(|_| InflateError::Corrupt)?;
            }
        }
        let start = codec.total_in();
        loop {
            let taken = usize::try_from(codec.total_in() - start).unwrap_or(usize::MAX);
            let rest = input.get(taken..).unwrap_or_default();
            let filled = output.len();
            let step = make_room(output, rest.len(), limit);
            let (status, written) = inflate_into(codec, rest, output, step);
            output.truncate(filled + written);
            let status = status.map_err(|_| InflateError::Corrupt)?;
            let now_taken = usize::try_from(codec.total_in() - start).unwrap_or(usize::MAX);
            if output.len() > limit {
                return Err(InflateError::TooBig);
            }
            if status == Status::StreamEnd {
                self.is_ended = true;
                return Ok(now_taken);
            }
            if written < step {
                // Room left: there is nothing more to say without more input.
                if now_taken >= input.len() {
                    return Ok(now_taken);
                }
                if now_taken == taken && written == 0 {
                    return Err(InflateError::Corrupt);
                }
            }
        }
    }

    /// The message is complete.
    pub(crate) fn finish(&mut self, output: &mut Vec<u8>, limit: usize) -> Result<(), InflateError> {
        // Some senders leave an empty message's payload empty.
        if std::mem::take(&mut self.is_begun) && !self.is_ended {
            self.step(&TAIL, output, limit)?;
        }
        if !self.keeps_context {
            self.codec = None;
            self.is_ended = false;
        }
        (self.restarts, self.counted) = (0, 0);
        Ok(())
    }
}

/// Lengthens the output by `step` bytes and has the codec write there; returns how many it wrote, also before an error.
fn inflate_into(
    codec: &mut Decompress,
    input: &[u8],
    output: &mut Vec<u8>,
    step: usize,
) -> (Result<Status, DecompressError>, usize) {
    let (filled, before) = (output.len(), codec.total_out());
    output.resize(filled + step, 0);
    let status = codec.decompress(input, output.get_mut(filled..).unwrap_or_default(), FlushDecompress::Sync);
    (status, usize::try_from(codec.total_out() - before).unwrap_or(usize::MAX))
}

/// Makes room for the next step and returns its size. Memory grows with what is really there, and both end one byte beyond the
/// limit, which shows that there is more.
fn make_room(output: &mut Vec<u8>, input: usize, limit: usize) -> usize {
    let size = output.len();
    let most = limit.saturating_add(1) - size;
    let step = input.saturating_mul(EXPECTED_RATIO).clamp(SMALLEST_STEP, LARGEST_STEP).min(most);
    if output.capacity() - size < step {
        output.reserve_exact(size.max(input).max(GROWTH).min(most).max(step));
    }
    step
}
