//! Bytes on their way: received and not yet decoded, and to be sent. Both hold memory only while they hold bytes: asking the
//! allocator is cheap beside the system call that each buffer is for, and most connections are idle.

use std::{collections::VecDeque, io::IoSlice};

use bytes::Bytes;

use crate::{
    MessageKind,
    frame::{self, FrameKind},
    mask::Mask,
    trace::Sent,
};

/// Payloads up to this size are copied next to their header; larger ones are queued as they are, shared by a broadcast.
const COPIED_PAYLOAD: usize = 1024;
/// Small frames are gathered in chunks of at most this size.
const GATHERED_CHUNK: usize = 16 * 1024;

/// Offered to the transport at once: a system call with megabytes takes longer than one connection may keep the others waiting.
const MOST_OFFERED: usize = 256 * 1024;

/// Received bytes that have not been decoded.
#[derive(Debug, Default)]
pub(crate) struct ReceiveBuffer {
    data: Vec<u8>,
    start: usize,
}

impl ReceiveBuffer {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        // Moving is paid for by what was consumed, so that any number of pushes stays linear.
        if self.start > self.data.len() / 2 {
            self.data.drain(..self.start);
            self.start = 0;
        }
        self.data.extend_from_slice(bytes);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.data.get(self.start..).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes().is_empty()
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count);
        if self.start >= self.data.len() {
            self.clear();
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// What a queued piece of output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Message { payload: usize },
    Ping,
    Pong,
    Other,
}

/// Where a piece ends in the stream of everything ever queued.
#[derive(Debug)]
struct Mark {
    end: u64,
    piece: Piece,
}

#[derive(Debug)]
enum Chunk {
    Gathered(Vec<u8>),
    Shared(Bytes),
}

impl Chunk {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Gathered(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }

    fn truncate(&mut self, len: usize) {
        match self {
            Self::Gathered(bytes) => bytes.truncate(len),
            Self::Shared(bytes) => bytes.truncate(len),
        }
    }
}

/// Encoded output, in order.
#[derive(Debug, Default)]
pub(crate) struct SendQueue {
    chunks: VecDeque<Chunk>,
    /// How much of the first chunk has been written.
    front_written: usize,
    marks: VecDeque<Mark>,
    queued: u64,
    written: u64,
    /// Where the first mark's piece starts.
    released: u64,
    /// What the transport has seen and insists on: up to there nothing can be taken back.
    pinned: u64,
    message_bytes: usize,
    messages: usize,
    pings: usize,
    pongs: usize,
    /// What somebody who watches is told when it goes out, and where that begins.
    told: VecDeque<(u64, Sent)>,
}

impl SendQueue {
    /// What is queued next is to be told when it goes out.
    pub(crate) fn tell_next(&mut self, sent: Sent) {
        self.told.push_back((self.queued, sent));
    }

    /// The same of the head that was queued first, if nothing was written of it.
    pub(crate) fn tell_first_head(&mut self) {
        if let (Some(Chunk::Gathered(head)), 0) = (self.chunks.front(), self.written) {
            self.told.push_front((0, Sent::Head(head.clone())));
        }
    }

    /// Nothing that is queued by now is to be told.
    pub(crate) fn forget_told(&mut self) {
        self.told = VecDeque::new();
    }

    /// The next thing to be told: the beginning of it was written.
    pub(crate) fn next_told(&mut self) -> Option<Sent> {
        let written = self.written;
        self.told.pop_front_if(|(start, _)| *start < written).map(|(_, sent)| sent)
    }

    /// Queues bytes that are no frame: the handshake.
    pub(crate) fn push_handshake(&mut self, bytes: Vec<u8>) {
        self.queued += bytes.len() as u64;
        self.chunks.push_back(Chunk::Gathered(bytes));
        self.mark(Piece::Other);
    }

    /// Queues what follows a head and is no frame either: an answer's body.
    pub(crate) fn push_body(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.queued += bytes.len() as u64;
            self.chunks.push_back(Chunk::Shared(bytes));
            self.mark(Piece::Other);
        }
    }

    /// Queues an unfragmented frame.
    pub(crate) fn push_frame(&mut self, kind: FrameKind, payload: Bytes, key: Option<[u8; 4]>) {
        let size = payload.len();
        self.push(kind, payload, key, false, size);
    }

    /// Queues a compressed message that stands for `size` bytes, which are what counts.
    pub(crate) fn push_compressed(
        &mut self,
        kind: MessageKind,
        payload: Bytes,
        key: Option<[u8; 4]>,
        size: usize,
    ) {
        self.push(FrameKind::Message(kind), payload, key, true, size);
    }

    fn push(
        &mut self,
        kind: FrameKind,
        payload: Bytes,
        key: Option<[u8; 4]>,
        is_compressed: bool,
        counted: usize,
    ) {
        let size = payload.len();
        let header = |chunk: &mut Vec<u8>| frame::write_header(kind, is_compressed, size, key, chunk);
        if size <= COPIED_PAYLOAD {
            self.gather(header, &payload, key);
        } else {
            self.gather(header, &[], key);
            let payload = match key {
                Some(key) => masked(payload, key),
                None => payload,
            };
            self.queued += size as u64;
            self.chunks.push_back(Chunk::Shared(payload));
        }
        let piece = match kind {
            FrameKind::Message(_) | FrameKind::Continuation => Piece::Message { payload: counted },
            FrameKind::Ping => Piece::Ping,
            FrameKind::Pong => Piece::Pong,
            FrameKind::Close => Piece::Other,
        };
        self.count(piece);
        self.mark(piece);
    }

    /// Appends a header and the payload's copy to the last chunk.
    fn gather(&mut self, header: impl FnOnce(&mut Vec<u8>), payload: &[u8], key: Option<[u8; 4]>) {
        let has_room = |bytes: &Vec<u8>| bytes.len() + payload.len() <= GATHERED_CHUNK;
        if !matches!(self.chunks.back(), Some(Chunk::Gathered(bytes)) if has_room(bytes)) {
            self.chunks.push_back(Chunk::Gathered(Vec::with_capacity(frame::MAX_HEADER + payload.len())));
        }
        let Some(Chunk::Gathered(chunk)) = self.chunks.back_mut() else { return };
        let before = chunk.len();
        header(chunk);
        let start = chunk.len();
        chunk.extend_from_slice(payload);
        if let (Some(key), Some(copy)) = (key, chunk.get_mut(start..)) {
            Mask::new(key).apply(copy);
        }
        self.queued += (chunk.len() - before) as u64;
    }

    fn count(&mut self, piece: Piece) {
        match piece {
            Piece::Message { payload } => {
                self.message_bytes += payload;
                self.messages += 1;
            }
            Piece::Ping => self.pings += 1,
            Piece::Pong => self.pongs += 1,
            Piece::Other => {}
        }
    }

    fn uncount(&mut self, piece: Piece) {
        match piece {
            Piece::Message { payload } => {
                self.message_bytes -= payload;
                self.messages -= 1;
            }
            Piece::Ping => self.pings -= 1,
            Piece::Pong => self.pongs -= 1,
            Piece::Other => {}
        }
    }

    fn mark(&mut self, piece: Piece) {
        self.marks.push_back(Mark { end: self.queued, piece });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Payload bytes of messages not written whole.
    pub(crate) fn message_bytes(&self) -> usize {
        self.message_bytes
    }

    /// Messages not written whole.
    pub(crate) fn messages(&self) -> usize {
        self.messages
    }

    /// Pings not written whole.
    pub(crate) fn pings(&self) -> usize {
        self.pings
    }

    /// Pongs not written whole.
    pub(crate) fn pongs(&self) -> usize {
        self.pongs
    }

    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut skipped = self.front_written;
        let (mut filled, mut left) = (0, MOST_OFFERED);
        for (slot, chunk) in slices.iter_mut().zip(&self.chunks) {
            let bytes = chunk.bytes().get(skipped..).unwrap_or_default();
            let bytes = bytes.get(..left).unwrap_or(bytes);
            *slot = IoSlice::new(bytes);
            skipped = 0;
            filled += 1;
            left -= bytes.len();
            if left == 0 {
                break;
            }
        }
        filled
    }

    /// The next `count` bytes were written.
    pub(crate) fn advance(&mut self, count: usize) {
        let mut left = count;
        while let Some(chunk) = self.chunks.front() {
            let unwritten = chunk.bytes().len().saturating_sub(self.front_written);
            if left < unwritten {
                self.front_written += left;
                left = 0;
                break;
            }
            left -= unwritten;
            self.front_written = 0;
            self.chunks.pop_front();
        }
        self.written += (count - left) as u64;
        self.release_marks();
    }

    /// Bytes not written.
    pub(crate) fn len(&self) -> u64 {
        self.queued - self.written
    }

    /// Nothing that is queued by now can be taken back.
    pub(crate) fn pin(&mut self) {
        self.pinned = self.queued;
    }

    /// How many of the last pieces are messages of which nothing was written.
    pub(crate) fn unbegun(&self) -> usize {
        let begun = self.written.max(self.pinned);
        let starts = self.marks.iter().rev().skip(1).map(|mark| mark.end).chain([self.released]);
        let last_ones = self.marks.iter().rev().zip(starts);
        last_ones
            .take_while(|(mark, start)| matches!(mark.piece, Piece::Message { .. }) && *start >= begun)
            .count()
    }

    /// Takes back the last `count` pieces, which are [not begun](Self::unbegun).
    pub(crate) fn take_back(&mut self, count: usize) {
        let before = self.queued;
        for _ in 0..count {
            let Some(mark) = self.marks.pop_back() else { break };
            self.uncount(mark.piece);
            self.queued = self.marks.back().map_or(self.released, |mark| mark.end);
        }
        let queued = self.queued;
        while self.told.pop_back_if(|(start, _)| *start >= queued).is_some() {}
        let mut excess = usize::try_from(before - queued).unwrap_or(usize::MAX);
        while let Some(chunk) = self.chunks.back_mut() {
            let kept = chunk.bytes().len().saturating_sub(excess);
            if kept > 0 {
                chunk.truncate(kept);
                break;
            }
            excess -= chunk.bytes().len();
            self.chunks.pop_back();
        }
        // What is left of the first chunk may be what was written of it.
        self.advance(0);
    }

    fn release_marks(&mut self) {
        while let Some(mark) = self.marks.pop_front_if(|mark| mark.end <= self.written) {
            self.released = mark.end;
            self.uncount(mark.piece);
        }
        if self.chunks.is_empty() {
            self.chunks = VecDeque::new();
            self.marks = VecDeque::new();
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Masks in place if nobody else holds the payload, else a copy.
fn masked(payload: Bytes, key: [u8; 4]) -> Bytes {
    let mut own = payload.try_into_mut().unwrap_or_else(|shared| shared.as_ref().into());
    Mask::new(key).apply(&mut own);
    own.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MessageKind;

    const BINARY: FrameKind = FrameKind::Message(MessageKind::Binary);

    fn written(queue: &mut SendQueue, step: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while !queue.is_empty() {
            let mut slices = [IoSlice::new(&[]); 3];
            let filled = queue.slices(&mut slices);
            let mut taken = 0;
            for slice in &slices[..filled] {
                let part = slice.len().min(step - taken);
                all.extend_from_slice(&slice[..part]);
                taken += part;
            }
            queue.advance(taken);
        }
        all
    }

    #[test]
    fn received_bytes_are_given_back_and_memory_is_freed() {
        let mut buffer = ReceiveBuffer::default();
        let data: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        let mut seen = Vec::new();
        for piece in data.chunks(700) {
            buffer.push(piece);
            let count = buffer.bytes().len() / 2;
            seen.extend_from_slice(&buffer.bytes()[..count]);
            buffer.consume(count);
        }
        seen.extend_from_slice(buffer.bytes());
        buffer.consume(buffer.bytes().len());
        assert_eq!(seen, data);
        assert_eq!(buffer.data.capacity(), 0);
    }

    #[test]
    fn any_write_size_gives_the_same_stream() {
        let build = || {
            let mut queue = SendQueue::default();
            for size in [0, 1, 125, 126, 1024, 1025, 70_000, 3] {
                queue.push_frame(BINARY, vec![size as u8; size].into(), None);
            }
            queue
        };
        let whole = written(&mut build(), usize::MAX);
        for step in [1, 2, 7, 1000, 16_384] {
            assert_eq!(written(&mut build(), step), whole);
        }
    }

    #[test]
    fn messages_count_until_their_last_byte() {
        let mut queue = SendQueue::default();
        queue.push_frame(BINARY, Bytes::from_static(b"abc"), None);
        queue.push_frame(FrameKind::Ping, Bytes::new(), None);
        queue.push_frame(BINARY, vec![0; 5000].into(), None);
        assert_eq!((queue.messages(), queue.message_bytes(), queue.pings()), (2, 5003, 1));
        queue.advance(4);
        assert_eq!((queue.messages(), queue.message_bytes()), (2, 5003));
        queue.advance(1);
        assert_eq!((queue.messages(), queue.message_bytes(), queue.pings()), (1, 5000, 1));
        queue.advance(2 + 4 + 4999);
        assert_eq!((queue.messages(), queue.message_bytes(), queue.pings()), (1, 5000, 0));
        queue.advance(1);
        assert_eq!((queue.messages(), queue.message_bytes()), (0, 0));
        assert!(queue.is_empty());
        assert_eq!((queue.chunks.capacity(), queue.marks.capacity()), (0, 0));
        queue.advance(1);
    }

    #[test]
    fn a_shared_payload_is_not_masked_in_place() {
        let payload = Bytes::from(vec![0; 2000]);
        let mut queue = SendQueue::default();
        queue.push_frame(BINARY, payload.clone(), Some([1, 2, 3, 4]));
        assert!(payload.iter().all(|byte| *byte == 0));
        assert_eq!(written(&mut queue, usize::MAX)[8..12], [1, 2, 3, 4]);
    }

    #[test]
    fn a_broadcast_shares_one_payload() {
        let payload = Bytes::from(vec![7; 2000]);
        let mut queue = SendQueue::default();
        queue.push_frame(BINARY, payload.clone(), None);
        let mut slices = [IoSlice::new(&[]); 4];
        assert_eq!(queue.slices(&mut slices), 2);
        assert_eq!(slices[1].as_ptr(), payload.as_ptr());
    }
}
