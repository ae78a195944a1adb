//! What somebody who watches the connection is told.

use bytes::Bytes;

use super::{Connection, Handshake, State};
use crate::{Closed, Tracer, frame::FrameKind, trace::Sent};

impl Connection {
    /// Has everything told to `tracer` from now on; to nobody without one. `way`: to whom a client connects, or from where a
    /// server's client comes.
    pub fn set_tracer(&mut self, tracer: Option<Box<dyn Tracer>>, way: &str) {
        self.output.forget_told();
        self.trace.set(tracer);
        if !self.trace.is_on() {
            return;
        }
        match &self.state {
            State::Connecting(connecting) => {
                self.trace.connecting(way);
                self.trace.phase(connecting.phase);
                if let Handshake::Client(_) = connecting.handshake {
                    self.output.tell_first_head();
                }
            }
            State::Open(_) => self.trace.open(true),
            State::Closing(_) => self.trace.closing(),
            State::Ending(_) | State::Ended => {}
        }
    }

    /// Whether there is a tracer.
    pub fn is_traced(&self) -> bool {
        self.trace.is_on()
    }

    /// A frame is about to be queued; `content`: what a compressed payload stands for.
    #[inline]
    pub(super) fn trace_sending(&mut self, kind: FrameKind, payload: &Bytes, content: Option<&Bytes>) {
        if self.trace.is_on() {
            self.tell_sending(kind, payload, content);
        }
    }

    #[cold]
    fn tell_sending(&mut self, kind: FrameKind, payload: &Bytes, content: Option<&Bytes>) {
        if let Some(sent) = self.trace.sending(kind, payload, content) {
            self.output.tell_next(sent);
        }
    }

    /// A head is about to be queued.
    pub(super) fn trace_head(&mut self, head: &[u8]) {
        if self.trace.is_on() {
            self.output.tell_next(Sent::Head(head.to_vec()));
        }
    }

    /// Some output was written.
    #[inline]
    pub(super) fn trace_written(&mut self) {
        if self.trace.is_on() {
            self.tell_written();
        }
    }

    #[cold]
    fn tell_written(&mut self) {
        while let Some(sent) = self.output.next_told() {
            self.trace.sent(&sent);
        }
        if !self.trace.is_on() {
            self.output.forget_told(); // it watches no longer
        }
        self.trace_end_if_said();
    }

    /// The connection is over; somebody who watches reads of it behind the last that is said.
    pub(crate) fn trace_end(&mut self, closed: &Closed) {
        self.trace.closed(closed);
        self.trace_end_if_said();
    }

    fn trace_end_if_said(&mut self) {
        if self.output.is_empty() {
            self.trace.tell_end();
        }
    }
}
