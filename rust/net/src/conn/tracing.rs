//! What is written into a trace beside what the endpoint tells.

use rust_websocket_proto::{CloseCause, Closed};

use super::Conn;
use crate::trace::{ConnectionTrace, TRACED_LATER};

impl Conn {
    /// The connection has just been made; `way` says in words to whom it goes, or from where it comes.
    pub(super) fn begin_trace(&mut self, way: impl FnOnce() -> String) {
        if let Some(trace) = &self.shared.trace {
            self.endpoint.set_tracer(Some(trace.tracer()), &way());
        }
    }

    /// The owner has ordered a trace, or that there is none any more.
    pub(super) fn set_trace(&mut self, trace: Option<ConnectionTrace>) {
        self.endpoint.set_tracer(trace.map(|trace| trace.tracer()), TRACED_LATER);
    }

    /// It ends without the protocol's doing, unless it has ended before.
    pub(super) fn trace_end(&mut self, reason: &str) {
        if self.endpoint.is_traced() {
            let cause = CloseCause::TransportLost(reason.to_owned());
            self.endpoint.trace_end(&Closed { code: None, reason: String::new(), cause });
        }
    }
}
