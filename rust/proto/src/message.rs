//! From frames to messages: fragments (RFC 6455 section 5.4), the size limit, UTF-8 as it comes in (section 8.1),
//! compressed messages inflated as they come in (RFC 7692 section 7.2.2).

use std::mem;

use crate::{
    CloseCause, Message, MessageKind, ProtocolError,
    buffer::ReceiveBuffer,
    deflate::{InflateError, Inflater},
    frame::{self, CloseFrame, FrameKind, Header, Side},
    mask::Mask,
};

/// A declared length reserves at most this much, or as much again as has really been received.
const RESERVE_STEP: usize = 64 * 1024;
/// Compressed payloads are unmasked in pieces of this size.
const UNMASKED_PIECE: usize = 1024;

/// What a decoder finds.
#[derive(Debug)]
pub(crate) enum Item {
    Message(Message),
    Ping(Vec<u8>),
    Pong,
    Close(CloseFrame),
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
    remaining: u64,
    is_final: bool,
    mask: Option<Mask>,
}

/// A message whose fragments are coming in.
#[derive(Debug)]
struct Assembly {
    kind: MessageKind,
    is_compressed: bool,
    payload: Vec<u8>,
    /// How much of a text is known to be UTF-8.
    valid: usize,
    /// Over the limit while closing: its bytes are dropped.
    is_discarded: bool,
}

impl Assembly {
    fn new(kind: MessageKind, is_compressed: bool) -> Self {
        Self { kind, is_compressed, payload: Vec::new(), valid: 0, is_discarded: false }
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
            let step = usize::try_from(remaining).unwrap_or(usize::MAX).min(start.max(RESERVE_STEP));
            self.payload.reserve_exact(step.max(data.len()));
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

    /// Takes what belongs to the payload under way, past the receive buffer, which must be empty; returns how much.
    pub(crate) fn take_payload(&mut self, data: &[u8]) -> usize {
        let (Stage::Data(frame), Some(assembly)) = (&mut self.stage, &mut self.assembly) else { return 0 };
        let count = data.len().min(usize::try_from(frame.remaining).unwrap_or(usize::MAX));
        let data = data.get(..count).unwrap_or_default();
        if !assembly.is_compressed {
            assembly.append(data, frame.remaining, frame.mask.as_mut());
        } else if let Some(inflater) = &mut self.inflater
            && self.inflate_error.is_none()
            && !assembly.is_discarded
        {
            let inflated = inflate(inflater, data, frame.mask.as_mut(), &mut assembly.payload, self.limit);
            self.inflate_error = inflated.err();
        }
        frame.remaining -= count as u64;
        count
    }

    /// Decodes as far as the next item, or until there is more to come.
    pub(crate) fn next(&mut self, input: &mut ReceiveBuffer) -> Result<Option<Item>, CloseCause> {
        loop {
            match self.stage {
                Stage::Header => {
                    let deflate = self.inflater.is_some();
                    let Some((header, size)) = frame::read_header(input.bytes(), self.side, deflate)? else {
                        return Ok(None);
                    };
                    input.consume(size);
                    self.begin(header)?;
                }
                Stage::Data(_) => {
                    let count = self.take_payload(input.bytes());
                    input.consume(count);
                    if !self.is_frame_complete()? {
                        return Ok(None);
                    }
                    if let Some(message) = self.end_data_frame()? {
                        return Ok(Some(Item::Message(message)));
                    }
                }
                Stage::Control(header) => return self.control(header, input),
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
        self.stage = Stage::Data(DataFrame {
            remaining: header.length,
            is_final: header.is_final,
            mask: header.mask.map(Mask::new),
        });
        Ok(())
    }

    /// The limit is on the whole message, and is judged by what the header declares; of a compressed one by what it
    /// inflates to, as it does.
    fn check_size(&mut self, length: u64) -> Result<(), CloseCause> {
        let Some(assembly) = &mut self.assembly else { return Ok(()) };
        if assembly.is_compressed {
            return Ok(());
        }
        let size = (assembly.payload.len() as u64).saturating_add(length);
        if size <= self.limit as u64 || assembly.is_discarded {
            return Ok(());
        }
        if self.is_closing {
            assembly.discard();
            return Ok(());
        }
        Err(CloseCause::MessageTooBig { size, limit: self.limit })
    }

    fn is_frame_complete(&mut self) -> Result<bool, CloseCause> {
        self.check_inflated()?;
        if let Some(assembly) = &mut self.assembly {
            assembly.check_text()?;
        }
        Ok(matches!(&self.stage, Stage::Data(frame) if frame.remaining == 0))
    }

    fn end_data_frame(&mut self) -> Result<Option<Message>, CloseCause> {
        let Stage::Data(frame) = mem::replace(&mut self.stage, Stage::Header) else { return Ok(None) };
        if !frame.is_final {
            return Ok(None);
        }
        self.finish_inflating()?;
        match self.assembly.take() {
            Some(assembly) => Ok(assembly.finish()?),
            None => Ok(None),
        }
    }

    fn finish_inflating(&mut self) -> Result<(), CloseCause> {
        if let (Some(inflater), Some(assembly)) = (&mut self.inflater, &mut self.assembly)
            && assembly.is_compressed
            && !assembly.is_discarded
        {
            self.inflate_error = inflater.finish(&mut assembly.payload, self.limit).err();
            self.check_inflated()?;
            if let Some(assembly) = &mut self.assembly {
                assembly.check_text()?;
            }
        }
        Ok(())
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
    fn control(&mut self, header: Header, input: &mut ReceiveBuffer) -> Result<Option<Item>, CloseCause> {
        let length = usize::try_from(header.length).unwrap_or(usize::MAX);
        let Some(payload) = input.bytes().get(..length) else { return Ok(None) };
        let mut payload = payload.to_vec();
        input.consume(length);
        if let Some(key) = header.mask {
            Mask::new(key).apply(&mut payload);
        }
        self.stage = Stage::Header;
        Ok(Some(match header.kind {
            FrameKind::Close => Item::Close(frame::read_close(&payload)?),
            FrameKind::Ping => Item::Ping(payload),
            _ => Item::Pong,
        }))
    }
}

/// Unmasks a part of a compressed payload and appends what it says.
fn inflate(
    inflater: &mut Inflater,
    data: &[u8],
    mask: Option<&mut Mask>,
    output: &mut Vec<u8>,
    limit: usize,
) -> Result<(), InflateError> {
    let Some(mask) = mask else { return inflater.inflate(data, output, limit) };
    for masked in data.chunks(UNMASKED_PIECE) {
        let mut piece = [0; UNMASKED_PIECE];
        let Some(piece) = piece.get_mut(..masked.len()) else { continue };
        piece.copy_from_slice(masked);
        mask.apply(piece);
        inflater.inflate(piece, output, limit)?;
    }
    Ok(())
}
