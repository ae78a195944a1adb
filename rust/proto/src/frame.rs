//! Frame headers (RFC 6455 section 5.2): what can be refused before the payload is refused here.

use std::io::Cursor;

use tungstenite::protocol::frame::{
    FrameHeader,
    coding::{CloseCode, Control, Data, OpCode},
};

use crate::{MessageKind, ProtocolError};

/// Most bytes that a control frame may carry (section 5.5).
pub(crate) const MAX_CONTROL_PAYLOAD: usize = 125;
/// What is left of it behind a close code.
const MAX_CLOSE_REASON: usize = MAX_CONTROL_PAYLOAD - 2;
/// Bits that extensions may use.
const RESERVED_BITS: u8 = 0x70;
/// RSV1 marks a compressed message, on its first frame (RFC 7692 section 6).
const COMPRESSED: u8 = 0x40;
const FIN: u8 = 0x80;
const OPCODE: u8 = 0x0f;
const CONTROL: u8 = 0x08;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;

/// Which side we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// What a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameKind {
    Message(MessageKind),
    Continuation,
    Close,
    Ping,
    Pong,
}

impl FrameKind {
    fn of(opcode: OpCode) -> Result<Self, ProtocolError> {
        match opcode {
            OpCode::Data(Data::Continue) => Ok(Self::Continuation),
            OpCode::Data(Data::Text) => Ok(Self::Message(MessageKind::Text)),
            OpCode::Data(Data::Binary) => Ok(Self::Message(MessageKind::Binary)),
            OpCode::Control(Control::Close) => Ok(Self::Close),
            OpCode::Control(Control::Ping) => Ok(Self::Ping),
            OpCode::Control(Control::Pong) => Ok(Self::Pong),
            OpCode::Data(Data::Reserved(code)) | OpCode::Control(Control::Reserved(code)) => {
                Err(ProtocolError::ReservedOpcode(code))
            }
        }
    }

    fn opcode(self) -> OpCode {
        match self {
            Self::Message(MessageKind::Text) => OpCode::Data(Data::Text),
            Self::Message(MessageKind::Binary) => OpCode::Data(Data::Binary),
            Self::Continuation => OpCode::Data(Data::Continue),
            Self::Close => OpCode::Control(Control::Close),
            Self::Ping => OpCode::Control(Control::Ping),
            Self::Pong => OpCode::Control(Control::Pong),
        }
    }
}

/// A received frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: FrameKind,
    pub(crate) is_final: bool,
    /// Begins a compressed message.
    pub(crate) is_compressed: bool,
    pub(crate) mask: Option<[u8; 4]>,
    pub(crate) length: u64,
}

/// Reads a header that `side` receives: with its size, or `None` if there is more to come. What the first two bytes
/// already show is refused without waiting for the rest. `deflate`: messages may be compressed.
pub(crate) fn read_header(
    bytes: &[u8],
    side: Side,
    deflate: bool,
) -> Result<Option<(Header, usize)>, ProtocolError> {
    let [first, second, ..] = *bytes else { return Ok(None) };
    check_start(first, second, side, deflate)?;
    let mut cursor = Cursor::new(bytes);
    let header = match FrameHeader::parse(&mut cursor) {
        Ok(Some(header)) => header,
        Ok(None) => return Ok(None),
        Err(_) => return Err(ProtocolError::ReservedOpcode(first & OPCODE)),
    };
    let (frame, length) = header;
    let size = cursor.position() as usize;
    if length > i64::MAX as u64 {
        return Err(ProtocolError::LengthTopBit);
    }
    if frame.len(length) != size {
        return Err(ProtocolError::LengthNotMinimal);
    }
    let kind = FrameKind::of(frame.opcode)?;
    let FrameHeader { is_final, rsv1: is_compressed, mask, .. } = frame;
    Ok(Some((Header { kind, is_final, is_compressed, mask, length }, size)))
}

fn check_start(first: u8, second: u8, side: Side, deflate: bool) -> Result<(), ProtocolError> {
    let kind = FrameKind::of(OpCode::from(first & OPCODE));
    let may_be_compressed = deflate && matches!(kind, Ok(FrameKind::Message(_)));
    let reserved = if may_be_compressed { RESERVED_BITS & !COMPRESSED } else { RESERVED_BITS };
    if first & reserved != 0 {
        return Err(ProtocolError::ReservedBits);
    }
    kind?;
    match (side, second & MASKED != 0) {
        (Side::Server, false) => return Err(ProtocolError::UnmaskedFrame),
        (Side::Client, true) => return Err(ProtocolError::MaskedFrame),
        _ => {}
    }
    if first & CONTROL != 0 {
        if first & FIN == 0 {
            return Err(ProtocolError::FragmentedControlFrame);
        }
        if usize::from(second & LENGTH) > MAX_CONTROL_PAYLOAD {
            return Err(ProtocolError::ControlFrameTooLong);
        }
    }
    Ok(())
}

/// The longest header: two bytes, a length of eight, a mask (section 5.2).
pub(crate) const MAX_HEADER: usize = 14;

/// Appends the header of an unfragmented frame.
pub(crate) fn write_header(
    kind: FrameKind,
    is_compressed: bool,
    length: usize,
    mask: Option<[u8; 4]>,
    output: &mut Vec<u8>,
) {
    let header = FrameHeader { opcode: kind.opcode(), rsv1: is_compressed, mask, ..FrameHeader::default() };
    let written = header.format(length as u64, output);
    debug_assert!(written.is_ok(), "writing to a Vec does not fail");
}

/// A received close frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CloseFrame {
    pub(crate) code: Option<u16>,
    pub(crate) reason: String,
}

/// Reads the payload of a close frame (section 5.5.1).
pub(crate) fn read_close(payload: &[u8]) -> Result<CloseFrame, ProtocolError> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return match payload {
            [] => Ok(CloseFrame { code: None, reason: String::new() }),
            _ => Err(ProtocolError::CloseFrameOfOneByte),
        };
    };
    let code = u16::from_be_bytes(*code);
    if !may_be_on_the_wire(code) {
        return Err(ProtocolError::IllegalCloseCode(code));
    }
    match str::from_utf8(reason) {
        Ok(reason) => Ok(CloseFrame { code: Some(code), reason: reason.to_owned() }),
        Err(_) => Err(ProtocolError::CloseReasonNotUtf8),
    }
}

/// A close frame's payload: nothing for code 0; the reason is cut at a character boundary to what fits.
pub(crate) fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    if code == 0 {
        return Vec::new();
    }
    let fitting = reason.get(..reason.floor_char_boundary(MAX_CLOSE_REASON)).unwrap_or_default();
    [&code.to_be_bytes()[..], fitting.as_bytes()].concat()
}

/// 1014 (bad gateway) is registered with IANA but unknown to the codec; it is what `close` may send, so it is taken too.
fn may_be_on_the_wire(code: u16) -> bool {
    code == 1014 || CloseCode::from(code).is_allowed()
}

/// Whether a script may close with this code: 0 (a close frame without one) and what RFC 6455 section 7.4 and the IANA
/// registry allow on the wire.
pub fn is_valid_close_code(code: i64) -> bool {
    code == 0 || u16::try_from(code).is_ok_and(may_be_on_the_wire)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_codes() {
        let valid = |code: i64| matches!(code, 0 | 1000..=1003 | 1007..=1014 | 3000..=4999);
        for code in -10..70_000 {
            assert_eq!(is_valid_close_code(code), valid(code), "{code}");
        }
        for code in 0..=u16::MAX {
            assert_eq!(read_close(&code.to_be_bytes()).is_ok(), code != 0 && valid(code.into()), "{code}");
        }
    }

    #[test]
    fn reasons_are_cut_at_a_character_boundary() {
        assert_eq!(close_payload(0, "ignored"), []);
        assert_eq!(close_payload(1000, ""), [3, 232]);
        assert_eq!(close_payload(1000, &"x".repeat(200)).len(), 125);
        let reason = "x".repeat(122) + "é";
        assert_eq!(close_payload(1000, &reason)[2..], *"x".repeat(122).as_bytes());
        let reason = "x".repeat(121) + "é";
        assert_eq!(close_payload(1000, &reason)[2..], *reason.as_bytes());
    }

    #[test]
    fn headers_are_refused_as_early_as_possible() {
        let refused = |bytes: &[u8], side| read_header(bytes, side, false).unwrap_err();
        for bit in [0x40, 0x20, 0x10] {
            assert_eq!(refused(&[0x81 | bit, 0], Side::Client), ProtocolError::ReservedBits);
        }
        for code in (3..8).chain(11..16) {
            assert_eq!(refused(&[0x80 | code, 0], Side::Client), ProtocolError::ReservedOpcode(code));
        }
        assert_eq!(refused(&[0x81, 0], Side::Server), ProtocolError::UnmaskedFrame);
        assert_eq!(refused(&[0x81, 0x80], Side::Client), ProtocolError::MaskedFrame);
        assert_eq!(refused(&[0x09, 0], Side::Client), ProtocolError::FragmentedControlFrame);
        assert_eq!(refused(&[0x89, 126], Side::Client), ProtocolError::ControlFrameTooLong);
        assert_eq!(refused(&[0x82, 126, 0, 125], Side::Client), ProtocolError::LengthNotMinimal);
        assert_eq!(
            refused(&[0x82, 127, 0, 0, 0, 0, 0, 0, 255, 255], Side::Client),
            ProtocolError::LengthNotMinimal
        );
        assert_eq!(
            refused(&[0x82, 127, 128, 0, 0, 0, 0, 1, 0, 0], Side::Client),
            ProtocolError::LengthTopBit
        );
    }

    #[test]
    fn rsv1_marks_the_start_of_a_compressed_message() {
        let read = |first: u8| read_header(&[first, 0], Side::Client, true);
        for first in [0xc1, 0xc2, 0x41, 0x42] {
            assert!(matches!(read(first), Ok(Some((Header { is_compressed: true, .. }, 2)))), "{first:x}");
        }
        for first in [0xc0, 0x40, 0xc8, 0xc9, 0xca, 0xa1, 0x91, 0xe1, 0xd1] {
            assert_eq!(read(first), Err(ProtocolError::ReservedBits), "{first:x}");
        }
    }

    #[test]
    fn lengths_at_the_edges_of_their_forms() {
        for length in [0, 1, 125, 126, 127, 65535, 65536, 1 << 32] {
            let sides = [(Side::Client, None, false), (Side::Server, Some([1, 2, 3, 4]), true)];
            for (side, mask, is_compressed) in sides {
                let mut bytes = Vec::new();
                let kind = FrameKind::Message(MessageKind::Binary);
                write_header(kind, is_compressed, length, mask, &mut bytes);
                for cut in 0..bytes.len() {
                    assert_eq!(read_header(&bytes[..cut], side, is_compressed), Ok(None));
                }
                let header = Header { kind, is_final: true, is_compressed, mask, length: length as u64 };
                assert_eq!(read_header(&bytes, side, is_compressed), Ok(Some((header, bytes.len()))));
            }
        }
    }
}
