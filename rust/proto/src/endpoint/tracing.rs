//! Somebody who watches.

use super::Endpoint;
use crate::{Closed, Tracer};

impl Endpoint {
    /// Has everything that happens told to `tracer` from now on; see [`Connection::set_tracer`](crate::Connection::set_tracer).
    pub fn set_tracer(&mut self, tracer: Option<Box<dyn Tracer>>, way: &str) {
        self.protocol.set_tracer(tracer, way);
    }

    /// Whether there is a tracer.
    pub fn is_traced(&self) -> bool {
        self.protocol.is_traced()
    }

    /// Tells it that the connection has ended, in a way that is not the protocol's, unless it has been told of the end.
    pub fn trace_end(&mut self, closed: &Closed) {
        self.protocol.trace_end(closed);
    }
}
