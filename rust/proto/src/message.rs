//! From frames to messages: fragments (RFC 6455 section 5.4), the size limit, UTF-8 as it comes in (section 8.1),
//! compressed messages inflated as they come in (RFC 7692 section 7.2.2).

use crate::{
    Budget, CloseCause, Message, MessageKind, ProtocolError,
    budget::{CONTROL, FRAME, INFLATER, MESSAGE},
    buffer::ReceiveBuffer,
    deflate::{InflateError, Inflater, MOST_INFLATED_AT_ONCE},
    frame::{self, CloseFrame, FrameKind, Header, Side},
    mask::Mask,
    trace::{Received, Trace},
};

/// A declared length reserves at most this much, or as much again as has really been received.
const RESERVE_STEP: usize = 64 * 1024;
/// Most frames of one message, empty ones included: they cost time and count against no limit of bytes.
pub(crate) const MAX_FRAGMENTS: usize = 131_072;

/// What a decoder finds.
#[derive(Debug)]
pub(crate) enum Item {
    Message(Message),
    Ping(Vec<u8>),
    Pong,
    Close(CloseFrame),
    /// All input is decoded.
    NeedsInput,
    /// The rest of the input is for the next turn.
    BudgetSpent,
}

/// Where in the stream of frames we are.
#[derive(Debug)]
enum Stage {
    Header,
    Data(DataFrame),
    Control(Header),
}

/// A data frame whose payload is coming in.
#[derive(Debug)]
struct DataFrame {
    header: Header,
    remaining: u64,
    mask: Option<Mask>,
    /// Where in the message its payload begins.
    start: usize,
}

impl DataFrame {
    /// The part of `data` that is its own.
    fn claim<'a>(&self, data: &'a [u8]) -> &'a [u8] {
        let count = data.len().min(usize::try_from(self.remaining).unwrap_or(usize::MAX));
        data.get(..count).unwrap_or_default()
    }

    /// As somebody who watches sees it.
    fn seen<'a>(&self, assembly: &'a Assembly) -> Received<'a> {
        Received {
            is_incomplete: self.remaining > 0,
            is_inflated: assembly.is_compressed && !assembly.is_discarded,
            payload: assembly.payload.get(self.start..).unwrap_or_default(),
            ..seen(&self.header, assembly.kind)
        }
    }
}

/// A frame without its payload.
fn seen(header: &Header, content: MessageKind) -> Received<'static> {
    let Header { kind, is_final, is_compressed, length, .. } = *header;
    let is_incomplete = length > 0;
    Received {
        kind,
        content,
        is_final,
        is_compressed,
        is_incomplete,
        length,
        is_inflated: false,
        payload: &[],
    }
}

/// A message whose fragments are coming in.
#[derive(Debug)]
struct Assembly {
    kind: MessageKind,
    is_compressed: bool,
    payload: Vec<u8>,
    /// How much of a text is known to be UTF-8.
    valid: usize,
    /// Frames so far.
    fragments: usize,
    /// What their headers have declared.
    wire_size: u64,
    /// Over the limit while closing: its bytes are dropped.
    is_discarded: bool,
}

impl Assembly {
    fn new(kind: MessageKind, is_compressed: bool) -> Self {
        Self {
            kind,
            is_compressed,
            payload: Vec::new(),
            valid: 0,
            fragments: 0,
            wire_size: 0,
            is_discarded: false,
        }
    }

    fn discard(&mut self) {
        self.payload = Vec::new();
        self.is_discarded = true;
    }

    /// Appends the next `data` of a frame of which `remaining` bytes were outstanding.
    fn append(&mut self, data: &[u8], remaining: u64, mask: Option<&mut Mask>) {
        if self.is_discarded {
            return;
        }
        let start = self.payload.len();
        if self.payload.capacity() - start < data.len() {
            let declared = usize::try_from(remaining).unwrap_or(usize::MAX).min(start.max(RESERVE_STEP));
            // Many small fragments must not move what is there once each.
            let grown = if self.fragments > 1 { start / 2 } else { 0 };
            self.payload.reserve_exact(declared.max(data.len()).max(grown));
        }
        self.payload.extend_from_slice(data);
        if let (Some(mask), Some(added)) = (mask, self.payload.get_mut(start..)) {
            mask.apply(added);
        }
    }

    /// Fails as soon as no continuation could make the text valid.
    fn check_text(&mut self) -> Result<(), ProtocolError> {
        if self.kind == MessageKind::Binary || self.is_discarded {
            return Ok(());
        }
        match str::from_utf8(self.payload.get(self.valid..).unwrap_or_default()) {
            Ok(text) => self.valid += text.len(),
            Err(error) if error.error_len().is_none() => self.valid += error.valid_up_to(),
            Err(_) => return Err(ProtocolError::TextNotUtf8),
        }
        Ok(())
    }

    /// `None` for a message that was discarded.
    fn finish(mut self) -> Result<Option<Message>, ProtocolError> {
        if self.is_discarded {
            return Ok(None);
        }
        if self.kind == MessageKind::Text && self.valid != self.payload.len() {
            return Err(ProtocolError::TextNotUtf8);
        }
        self.payload.shrink_to_fit();
        Ok(Some(Message { kind: self.kind, payload: self.payload.into() }))
    }
}

/// Decodes one side's frames.
#[derive(Debug)]
pub(crate) struct Decoder {
    side: Side,
    limit: usize,
    stage: Stage,
    assembly: Option<Assembly>,
    /// Where compression was agreed on.
    inflater: Option<Box<Inflater>>,
    /// A payload that could not be inflated, to be reported.
    inflate_error: Option<InflateError>,
    /// After our close frame only the other side's matters: what is too big is skipped and not refused.
    is_closing: bool,
}

impl Decoder {
    pub(crate) fn new(side: Side, limit: usize, inflater: Option<Box<Inflater>>) -> Self {
        let stage = Stage::Header;
        Self { side, limit, stage, assembly: None, inflater, inflate_error: None, is_closing: false }
    }

    pub(crate) fn set_closing(&mut self) {
        self.is_closing = true;
    }

    /// Takes what belongs to the payload under way, past the receive buffer, which must be empty; returns how much. Compressed
    /// payloads are work, and wait for [`next`](Self::next).
    pub(crate) fn take_payload(&mut self, data: &[u8]) -> usize {
        let (Stage::Data(frame), Some(assembly)) = (&mut self.stage, &mut self.assembly) else { return 0 };
        if assembly.is_compressed && !assembly.is_discarded {
            return 0;
        }
        let data = frame.claim(data);
        assembly.append(data, frame.remaining, frame.mask.as_mut());
        frame.remaining -= data.len() as u64;
        data.len()
    }

    /// Inflates as much of the payload under way as the budget allows; returns how much was taken.
    fn inflate_payload(&mut self, data: &[u8], budget: &mut Budget) -> usize {
        let (Stage::Data(frame), Some(assembly), Some(inflater)) =
            (&mut self.stage, &mut self.assembly, &mut self.inflater)
        else {
            return 0;
        };
        let mut taken = 0;
        let data = frame.claim(data);
        while taken < data.len() && !budget.is_spent() {
            let rest = data.get(taken..).unwrap_or_default();
            let piece = rest.get(..inflater.at_once()).unwrap_or(rest);
            if self.inflate_error.is_none() {
                let before = assembly.payload.len();
                let inflated =
                    inflate(inflater, piece, frame.mask.as_mut(), &mut assembly.payload, self.limit);
                self.inflate_error = inflated.err();
                let restarts = inflater.take_restarts();
                budget.charge_inflation(piece.len(), assembly.payload.len() - before, restarts);
            }
            taken += piece.len();
        }
        frame.remaining -= taken as u64;
        taken
    }

    /// Decodes as far as the next item.
    pub(crate) fn next(
        &mut self,
        input: &mut ReceiveBuffer,
        budget: &mut Budget,
        trace: &mut Trace,
    ) -> Result<Item, CloseCause> {
        loop {
            if budget.is_spent() {
                return Ok(Item::BudgetSpent);
            }
            match self.stage {
                Stage::Header => {
                    let deflate = self.inflater.is_some();
                    let Some((header, size)) = frame::read_header(input.bytes(), self.side, deflate)? else {
                        return Ok(Item::NeedsInput);
                    };
                    budget.charge(FRAME + trace.cost(header.length));
                    input.consume(size);
                    self.begin(header)
                        .inspect_err(|_| trace.received(|| seen(&header, MessageKind::Binary)))?;
                }
                Stage::Data(_) => {
                    let mut count = self.take_payload(input.bytes());
                    if count == 0 {
                        count = self.inflate_payload(input.bytes(), budget);
                    }
                    input.consume(count);
                    if !self.is_frame_complete().inspect_err(|_| self.tell_frame(trace))? {
                        return Ok(if input.is_empty() { Item::NeedsInput } else { Item::BudgetSpent });
                    }
                    if let Some(message) = self.end_data_frame(budget, trace)? {
                        budget.charge(MESSAGE);
                        return Ok(Item::Message(message));
                    }
                }
                Stage::Control(header) => {
                    budget.charge(CONTROL);
                    return self.control(header, input, trace);
                }
            }
        }
    }

    fn begin(&mut self, header: Header) -> Result<(), CloseCause> {
        match (header.kind, &self.assembly) {
            (FrameKind::Close | FrameKind::Ping | FrameKind::Pong, _) => {
                self.stage = Stage::Control(header);
                return Ok(());
            }
            (FrameKind::Message(kind), None) => {
                self.assembly = Some(Assembly::new(kind, header.is_compressed));
            }
            (FrameKind::Continuation, Some(_)) => {}
            (FrameKind::Message(_), Some(_)) => return Err(ProtocolError::MissingContinuation.into()),
            (FrameKind::Continuation, None) => return Err(ProtocolError::UnexpectedContinuation.into()),
        }
        self.check_size(header.length)?;
        self.check_fragments()?;
        self.stage = Stage::Data(DataFrame {
            header,
            remaining: header.length,
            mask: header.mask.map(Mask::new),
            start: self.assembly.as_ref().map_or(0, |assembly| assembly.payload.len()),
        });
        Ok(())
    }

    /// The limit is on the whole message, and is judged by what the header declares; of a compressed one by what it
    /// inflates to, as it does, and by what has to be read for that.
    fn check_size(&mut self, length: u64) -> Result<(), CloseCause> {
        let Some(assembly) = &mut self.assembly else { return Ok(()) };
        assembly.wire_size = assembly.wire_size.saturating_add(length);
        let size = assembly.wire_size;
        let limit = if assembly.is_compressed { compressed_limit(self.limit) } else { self.limit };
        if size <= limit as u64 {
            return Ok(());
        }
        self.refuse(CloseCause::MessageTooBig { size, limit: self.limit })
    }

    fn check_fragments(&mut self) -> Result<(), CloseCause> {
        let Some(assembly) = &mut self.assembly else { return Ok(()) };
        assembly.fragments += 1;
        if assembly.fragments <= MAX_FRAGMENTS {
            return Ok(());
        }
        self.refuse(CloseCause::TooManyFragments { limit: MAX_FRAGMENTS })
    }

    /// The message under way is beyond a limit: the end, or after our close frame a message to skip.
    fn refuse(&mut self, cause: CloseCause) -> Result<(), CloseCause> {
        if !self.is_closing {
            return Err(cause);
        }
        if let Some(assembly) = &mut self.assembly {
            if assembly.is_compressed {
                // Later messages may refer to what is skipped here.
                self.inflate_error.get_or_insert(InflateError::TooBig);
            }
            assembly.discard();
        }
        Ok(())
    }

    /// The text before an error comes before it, however the input was cut.
    fn is_frame_complete(&mut self) -> Result<bool, CloseCause> {
        if let Some(assembly) = &mut self.assembly {
            assembly.check_text()?;
        }
        self.check_inflated()?;
        Ok(matches!(&self.stage, Stage::Data(frame) if frame.remaining == 0))
    }

    fn end_data_frame(
        &mut self,
        budget: &mut Budget,
        trace: &mut Trace,
    ) -> Result<Option<Message>, CloseCause> {
        let is_final = matches!(&self.stage, Stage::Data(frame) if frame.header.is_final);
        let inflated = if is_final { self.finish_inflating(budget) } else { Ok(()) };
        self.tell_frame(trace);
        self.stage = Stage::Header;
        inflated?;
        if !is_final {
            return Ok(None);
        }
        match self.assembly.take() {
            Some(assembly) => Ok(assembly.finish()?),
            None => Ok(None),
        }
    }

    /// Tells somebody who watches of the data frame under way.
    fn tell_frame(&self, trace: &mut Trace) {
        if let (Stage::Data(frame), Some(assembly)) = (&self.stage, &self.assembly) {
            trace.received(|| frame.seen(assembly));
        }
    }

    fn finish_inflating(&mut self, budget: &mut Budget) -> Result<(), CloseCause> {
        let (Some(inflater), Some(assembly)) = (&mut self.inflater, &mut self.assembly) else {
            return Ok(());
        };
        if !assembly.is_compressed || assembly.is_discarded {
            return Ok(());
        }
        let before = assembly.payload.len();
        self.inflate_error = inflater.finish(&mut assembly.payload, self.limit).err();
        budget.charge_inflation(0, assembly.payload.len() - before, inflater.take_restarts());
        if !inflater.keeps_context() {
            budget.charge(INFLATER);
        }
        assembly.check_text()?;
        self.check_inflated()
    }

    /// After our close frame what cannot be inflated is skipped, with every compressed message behind it.
    fn check_inflated(&mut self) -> Result<(), CloseCause> {
        let Some(error) = self.inflate_error else { return Ok(()) };
        if self.is_closing {
            if let Some(assembly) = self.assembly.as_mut().filter(|assembly| assembly.is_compressed) {
                assembly.discard();
            }
            return Ok(());
        }
        Err(match error {
            InflateError::Corrupt => ProtocolError::CorruptDeflate.into(),
            InflateError::TooBig => {
                CloseCause::MessageTooBig { size: (self.limit as u64).saturating_add(1), limit: self.limit }
            }
        })
    }

    /// A control frame is small enough to wait for.
    fn control(
        &mut self,
        header: Header,
        input: &mut ReceiveBuffer,
        trace: &mut Trace,
    ) -> Result<Item, CloseCause> {
        let length = usize::try_from(header.length).unwrap_or(usize::MAX);
        let Some(payload) = input.bytes().get(..length) else { return Ok(Item::NeedsInput) };
        let mut payload = payload.to_vec();
        input.consume(length);
        if let Some(key) = header.mask {
            Mask::new(key).apply(&mut payload);
        }
        trace.received(|| Received {
            is_incomplete: false,
            payload: &payload,
            ..seen(&header, MessageKind::Binary)
        });
        self.stage = Stage::Header;
        Ok(match header.kind {
            FrameKind::Close => Item::Close(frame::read_close(&payload)?),
            FrameKind::Ping => Item::Ping(payload),
            _ => Item::Pong,
        })
    }
}

/// How long a message of at most `limit` bytes may be once it is compressed: what zlib promises never to exceed, whatever its
/// settings, with room for an empty block or two.
fn compressed_limit(limit: usize) -> usize {
    limit.saturating_add(limit / 8).saturating_add(limit / 64).saturating_add(64)
}

/// Unmasks a piece of a compressed payload and appends what it says.
fn inflate(
    inflater: &mut Inflater,
    data: &[u8],
    mask: Option<&mut Mask>,
    output: &mut Vec<u8>,
    limit: usize,
) -> Result<(), InflateError> {
    let Some(mask) = mask else { return inflater.inflate(data, output, limit) };
    let mut piece = [0; MOST_INFLATED_AT_ONCE];
    let Some(piece) = piece.get_mut(..data.len()) else { return Ok(()) };
    piece.copy_from_slice(data);
    mask.apply(piece);
    inflater.inflate(piece, output, limit)
}
