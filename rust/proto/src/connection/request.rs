//! A server's side of the upgrade: the request, the decision on it, and the answer.

use std::{
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Connection, Handshake, State};
use crate::{
    Event,
    frame::Side,
    handshake::{Answered, Outcome, ServerHandshake, ServerProgress},
    http::{Decision, Request},
    message::Decoder,
    timer::{Timer, deadline},
};

/// How much may wait behind a request that is not decided on.
const MAX_BEHIND: usize = 16 * 1024;

impl Connection {
    /// The request that waits for [`decide`](Self::decide), where the configuration has a
    /// [`request_timeout`](crate::Config::request_timeout). Look after each call that may have read one.
    pub fn pending_request(&self) -> Option<&Arc<Request>> {
        self.server_handshake()?.pending_request()
    }

    /// Decides on the pending request; then call [`poll_event`](Self::poll_event). Without one nothing happens: the client
    /// has left, or it was decided on in the meantime.
    pub fn decide(&mut self, decision: Decision) {
        if let Some(handshake) = self.server_handshake_mut() {
            handshake.decide(decision);
        }
    }

    /// The client has come by TLS, as a proxy says: the URL shown is `wss://`. For a request that is not decided on.
    pub fn set_secure(&mut self) {
        if let Some(handshake) = self.server_handshake_mut() {
            handshake.set_secure();
        }
    }

    /// Changes [`request_timeout`](crate::Config::request_timeout) for a request whose head is not complete yet.
    pub fn set_request_timeout(&mut self, timeout: Option<Duration>) {
        if let State::Connecting(connecting) = &mut self.state
            && connecting.config.request_timeout != timeout
            && matches!(&connecting.handshake, Handshake::Server(handshake) if !handshake.has_asked())
        {
            Arc::make_mut(&mut connecting.config).request_timeout = timeout;
        }
    }

    /// Whether a client was let in only to be told by a close frame why it is sent away; nobody is told of it.
    pub(crate) fn is_refused(&self) -> bool {
        self.is_refused
    }

    /// Whether nothing more should be read until the request is decided on.
    pub(crate) fn has_read_enough(&self) -> bool {
        self.pending_request().is_some() && self.input.bytes().len() >= MAX_BEHIND
    }

    fn server_handshake(&self) -> Option<&ServerHandshake> {
        match &self.state {
            State::Connecting(connecting) => match &connecting.handshake {
                Handshake::Server(handshake) => Some(handshake),
                Handshake::Client(_) => None,
            },
            _ => None,
        }
    }

    fn server_handshake_mut(&mut self) -> Option<&mut ServerHandshake> {
        match &mut self.state {
            State::Connecting(connecting) => match &mut connecting.handshake {
                Handshake::Server(handshake) => Some(handshake),
                Handshake::Client(_) => None,
            },
            _ => None,
        }
    }

    pub(super) fn poll_request(&mut self, now: Instant) -> Option<Event> {
        let State::Connecting(connecting) = &mut self.state else { return None };
        let Handshake::Server(handshake) = &mut connecting.handshake else { return None };
        match handshake.poll(&mut self.input, &connecting.config, &mut self.trace) {
            ServerProgress::Head => self.end_of_input(),
            ServerProgress::Asked => {
                if self.timers.is_set(Timer::Connect)
                    && let Some(timeout) = connecting.config.request_timeout
                {
                    // From here on it is no longer the client who takes the time.
                    self.timers.set(Timer::Connect, None);
                    self.timers.set(Timer::Request, deadline(now, timeout));
                }
                self.end_of_input()
            }
            ServerProgress::Answered(answered) => self.answered(answered, now),
        }
    }

    fn answered(&mut self, answered: Answered, now: Instant) -> Option<Event> {
        let Answered { head, body, outcome } = answered;
        self.trace_head(&head);
        self.output.push_handshake(head);
        self.output.push_body(body);
        match outcome {
            Outcome::Open(upgraded) => {
                let State::Connecting(connecting) = &self.state else { return None };
                let config = Arc::clone(&connecting.config);
                Some(self.open(*upgraded, &config, now))
            }
            Outcome::Close { code, reason } => {
                self.refuse(code, &reason, now);
                None
            }
            Outcome::End(cause) => Some(self.end(None, String::new(), cause)),
        }
    }

    /// The upgrade is complete and nobody is told: the connection only waits for the answer to our close frame.
    fn refuse(&mut self, code: u16, reason: &str, now: Instant) {
        let State::Connecting(connecting) = mem::replace(&mut self.state, State::Ended) else { return };
        let mut decoder = Decoder::new(Side::Server, connecting.config.max_message_size, None);
        decoder.set_closing();
        self.is_refused = true;
        self.trace.closing();
        self.state = State::Closing(decoder);
        self.queue_close(code, reason);
        self.timers.stop_all();
        if self.input_end.is_none() {
            self.timers.set(Timer::Close, deadline(now, self.close_timeout));
        }
    }

    /// [`request_timeout`](crate::Config::request_timeout) has passed.
    pub(super) fn expire_request(&mut self) {
        let State::Connecting(connecting) = &mut self.state else { return };
        if let (Handshake::Server(handshake), Some(timeout)) =
            (&mut connecting.handshake, connecting.config.request_timeout)
        {
            handshake.expire(timeout);
        }
    }
}
