//! Who watches a connection, and what is kept until it has happened.

use std::fmt;

use bytes::Bytes;

use super::event::{Direction, End, Frame, Kind, State, TraceEvent, Tracer};
use crate::{Closed, ConnectPhase, MessageKind, frame::FrameKind};

/// A frame that has come in, as its decoder knows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Received<'a> {
    pub(crate) kind: FrameKind,
    /// Of the message that it is part of.
    pub(crate) content: MessageKind,
    pub(crate) is_final: bool,
    pub(crate) is_compressed: bool,
    pub(crate) is_incomplete: bool,
    /// Of the payload on the wire.
    pub(crate) length: u64,
    /// The payload is what it was inflated to.
    pub(crate) is_inflated: bool,
    /// Unmasked, and as much as there is of it.
    pub(crate) payload: &'a [u8],
}

/// Something in the output, to be told when it goes out.
#[derive(Debug)]
pub(crate) enum Sent {
    Head(Vec<u8>),
    Frame {
        kind: FrameKind,
        /// Of the payload on the wire.
        length: usize,
        /// Of what a compressed payload stands for.
        inflated: Option<usize>,
        /// The beginning of what it says.
        shown: Bytes,
    },
}

/// Somebody who watches, if there is anybody.
#[derive(Default)]
pub(crate) struct Trace(Option<Box<Watch>>);

struct Watch {
    tracer: Box<dyn Tracer>,
    /// The end, until what was to be said before is written.
    end: Option<End>,
    is_over: bool,
    /// It watches no longer.
    is_gone: bool,
}

/// What it takes to write a line of a trace, and a byte of a payload that it shows, in nanoseconds (see `budget.rs`).
const LINE: u64 = 1_500;
const SHOWN_BYTE: u64 = 10;

impl Watch {
    fn tell(&mut self, kind: Kind<'_>) {
        self.is_gone = self.is_gone || !self.tracer.trace(&TraceEvent(kind));
    }

    fn tell_end(&mut self) {
        if let Some(end) = self.end.take() {
            self.tell(Kind::State(State::Closed(&end)));
        }
    }

    fn tell_sent(&mut self, sent: &Sent) {
        match sent {
            Sent::Head(head) => self.tell(Kind::Head(Direction::Out, head)),
            Sent::Frame { kind, length, inflated, shown } => {
                let size = inflated.unwrap_or(*length);
                self.tell(Kind::Frame(
                    Direction::Out,
                    Frame {
                        kind: *kind,
                        content: MessageKind::Binary, // no message is fragmented
                        is_final: true,
                        is_compressed: inflated.is_some(),
                        is_incomplete: false,
                        length: *length as u64,
                        inflated: *inflated,
                        payload: shown,
                        is_cut: shown.len() < size,
                    },
                ));
            }
        }
    }

    #[cold]
    fn tell_received(&mut self, received: &Received<'_>) {
        let Received { kind, content, is_final, is_compressed, is_incomplete, length, payload, .. } =
            *received;
        let inflated = received.is_inflated.then_some(payload.len());
        let shown = payload.get(..self.tracer.payload_bytes()).unwrap_or(payload);
        let size = inflated.map_or(length, |size| size as u64);
        let is_cut = (shown.len() as u64) < size;
        let payload = shown;
        self.tell(Kind::Frame(
            Direction::In,
            Frame {
                kind,
                content,
                is_final,
                is_compressed,
                is_incomplete,
                length,
                inflated,
                payload,
                is_cut,
            },
        ));
    }
}

impl Trace {
    /// Has it watched by that one from now on.
    pub(crate) fn set(&mut self, tracer: Option<Box<dyn Tracer>>) {
        self.tell_end();
        self.0 = tracer.map(|tracer| Box::new(Watch { tracer, end: None, is_over: false, is_gone: false }));
    }

    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// What telling of a frame that comes in costs of a turn's budget.
    #[inline]
    pub(crate) fn cost(&self, payload: u64) -> u64 {
        self.0
            .as_ref()
            .map_or(0, |watch| LINE + payload.min(watch.tracer.payload_bytes() as u64) * SHOWN_BYTE)
    }

    #[inline]
    fn with(&mut self, tell: impl FnOnce(&mut Watch)) {
        if let Some(watch) = &mut self.0 {
            tell(watch);
            if watch.is_gone {
                self.0 = None;
            }
        }
    }

    fn tell_state(&mut self, state: State<'_>) {
        self.with(|watch| watch.tell(Kind::State(state)));
    }

    /// A client's way, or a server's client.
    pub(crate) fn connecting(&mut self, way: &str) {
        self.tell_state(State::Connecting(way));
    }

    pub(crate) fn phase(&mut self, phase: ConnectPhase) {
        self.tell_state(State::Phase(phase));
    }

    /// It is open; `was_open`: it was when the watching began.
    pub(crate) fn open(&mut self, was_open: bool) {
        self.tell_state(State::Open { was_open });
    }

    pub(crate) fn closing(&mut self) {
        self.tell_state(State::Closing);
    }

    /// It is over, which is told once: when what was to be said before is written, or will not be.
    pub(crate) fn closed(&mut self, closed: &Closed) {
        if let Some(watch) = self.0.as_mut().filter(|watch| !watch.is_over) {
            watch.is_over = true;
            let Closed { code, reason, cause } = closed;
            watch.end = Some(End { code: *code, reason: reason.clone(), sentence: cause.to_string() });
        }
    }

    pub(crate) fn tell_end(&mut self) {
        self.with(Watch::tell_end);
    }

    /// A head that has come in.
    pub(crate) fn head(&mut self, head: &[u8]) {
        self.with(|watch| watch.tell(Kind::Head(Direction::In, head)));
    }

    /// A frame that has come in.
    #[inline]
    pub(crate) fn received<'a>(&mut self, received: impl FnOnce() -> Received<'a>) {
        self.with(|watch| watch.tell_received(&received()));
    }

    /// What is to be told of a frame that is queued: nothing if nobody watches. `content`: what a compressed payload stands for.
    pub(crate) fn sending(&self, kind: FrameKind, payload: &Bytes, content: Option<&Bytes>) -> Option<Sent> {
        let watch = self.0.as_ref()?;
        let said = content.unwrap_or(payload);
        let shown = said.get(..watch.tracer.payload_bytes()).unwrap_or(said);
        Some(Sent::Frame {
            kind,
            length: payload.len(),
            inflated: content.map(Bytes::len),
            shown: Bytes::copy_from_slice(shown),
        })
    }

    /// Something goes out.
    pub(crate) fn sent(&mut self, sent: &Sent) {
        self.with(|watch| watch.tell_sent(sent));
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Trace").field(&self.is_on()).finish()
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.tell_end();
    }
}
