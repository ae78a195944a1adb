//! What has happened, as one line.

use std::fmt::{self, Display, Formatter};

use super::shown::{Head, Payload};
use crate::{ConnectPhase, Escaped, MessageKind, Quoted, frame::FrameKind};

/// Somebody who watches a connection.
pub trait Tracer: Send {
    /// Most bytes of a payload that are to be shown.
    fn payload_bytes(&self) -> usize;

    /// Something has happened now. False: it watches no longer, and is dropped.
    fn trace(&mut self, event: &TraceEvent<'_>) -> bool;
}

/// What has happened. `Display` writes it on one line, without control characters, whatever the other side has sent.
#[derive(Debug)]
pub struct TraceEvent<'a>(pub(super) Kind<'a>);

#[derive(Debug)]
pub(super) enum Kind<'a> {
    Head(Direction, &'a [u8]),
    Frame(Direction, Frame<'a>),
    State(State<'a>),
}

/// Which way something goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    In,
    Out,
}

/// A frame as far as it is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) kind: FrameKind,
    /// Of the message, for a continuation.
    pub(super) content: MessageKind,
    pub(super) is_final: bool,
    /// RSV1.
    pub(super) is_compressed: bool,
    /// Its payload has not come in whole.
    pub(super) is_incomplete: bool,
    /// Of the payload on the wire.
    pub(super) length: u64,
    /// Of what a compressed payload stands for.
    pub(super) inflated: Option<usize>,
    /// The beginning of that, unmasked.
    pub(super) payload: &'a [u8],
    /// There is more of it.
    pub(super) is_cut: bool,
}

/// What becomes of the connection.
#[derive(Debug)]
pub(super) enum State<'a> {
    Connecting(&'a str),
    Phase(ConnectPhase),
    Open { was_open: bool },
    Closing,
    Closed(&'a End),
}

/// How a connection ended.
#[derive(Debug)]
pub(super) struct End {
    pub(super) code: Option<u16>,
    pub(super) reason: String,
    pub(super) sentence: String,
}

impl Display for TraceEvent<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Head(direction, head) => write!(formatter, "{direction} {}", Head(head)),
            Kind::Frame(direction, frame) => write!(formatter, "{direction} {frame}"),
            Kind::State(state) => write!(formatter, "= {state}"),
        }
    }
}

impl Display for Direction {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::In => "<",
            Self::Out => ">",
        })
    }
}

impl Display for Frame<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.kind {
            FrameKind::Message(MessageKind::Text) => "TEXT",
            FrameKind::Message(MessageKind::Binary) => "BINARY",
            FrameKind::Continuation => "CONTINUATION",
            FrameKind::Close => "CLOSE",
            FrameKind::Ping => "PING",
            FrameKind::Pong => "PONG",
        })?;
        let flags = [
            (self.is_final, " fin"),
            (self.is_compressed, " compressed"),
            (self.is_incomplete, " incomplete"),
        ];
        flags.iter().filter(|(is_set, _)| *is_set).try_for_each(|(_, word)| formatter.write_str(word))?;
        write!(formatter, " {}", self.length)?;
        if let Some(size) = self.inflated {
            write!(formatter, " of {size}")?;
        }
        let payload = match self.kind {
            FrameKind::Close => Payload::Close(self.payload),
            FrameKind::Message(MessageKind::Text) => Payload::Text(self.payload, self.is_cut),
            FrameKind::Continuation if self.content == MessageKind::Text => {
                Payload::Text(self.payload, self.is_cut)
            }
            _ => Payload::Binary(self.payload),
        };
        if !self.payload.is_empty() {
            write!(formatter, " {payload}")?;
        }
        if self.is_cut { formatter.write_str("...") } else { Ok(()) }
    }
}

impl Display for State<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connecting(way) => write!(formatter, "CONNECTING {}", Escaped(way)),
            Self::Phase(phase) => write!(formatter, "CONNECTING: {phase}"),
            Self::Open { was_open: false } => formatter.write_str("OPEN"),
            Self::Open { was_open: true } => formatter.write_str("OPEN, traced from here on"),
            Self::Closing => formatter.write_str("CLOSING"),
            Self::Closed(End { code, reason, sentence }) => {
                formatter.write_str("CLOSED")?;
                if let Some(code) = code {
                    write!(formatter, " {code}")?;
                }
                if !reason.is_empty() {
                    write!(formatter, " {}", Quoted(reason))?;
                }
                let sentence = if sentence.is_empty() { "cleanly" } else { sentence };
                write!(formatter, ": {}", Payload::Text(sentence.as_bytes(), false))
            }
        }
    }
}
