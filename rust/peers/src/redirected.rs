//! A client's connection that goes where servers redirect it to.

use std::{
    mem::{self, discriminant},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rust_websocket_net::{ConnectionTrace, Counters, How, LinkEvent, LinkOptions};
use rust_websocket_proto::{
    Amount, ClientRequest, CloseCause, ConnectPhase, Delivery, Event, HttpResponse, MessageKind,
    RedirectProblem, Redirects, RefusedRedirect, SendError,
};

use crate::{Carrier, LiveSetting, Now};

/// Starts a connection, each time that there is a request to be made. The error is one phrase for people.
pub type Dial = Box<dyn FnMut(ClientRequest, LinkOptions) -> Result<Box<dyn Carrier>, String> + Send>;

/// A client's carrier that makes its request anew where the answer is a redirect, until it is open.
///
/// A hop is made by the poll that meets the answer, on a connection of its own: to the protocol and to the I/O thread it is
/// one like others. The connect timeout is that of the whole way.
pub struct Redirected {
    carrier: Box<dyn Carrier>,
    /// Until the connection is open, or over.
    way: Option<Way>,
}

/// What further hops need.
struct Way {
    redirects: Redirects,
    dial: Dial,
    options: LinkOptions,
    /// By when all of it has to be done; `None`: there is no such time.
    deadline: Option<Instant>,
    timeout: Duration,
    /// What was changed on a hop holds on those that follow. One of each kind.
    settings: Vec<LiveSetting>,
}

impl Redirected {
    /// Begins with a connection for `request`, which may be redirected `limit` times. `first` starts that one, `dial` those
    /// that follow.
    pub fn start(
        request: ClientRequest,
        limit: usize,
        options: LinkOptions,
        first: impl FnOnce(ClientRequest, LinkOptions) -> Box<dyn Carrier>,
        dial: Dial,
        now: Instant,
    ) -> Self {
        let timeout = options.config.connect_timeout;
        let way = Way {
            redirects: Redirects::new(request.target.clone(), limit),
            dial,
            options: options.clone(),
            deadline: now.checked_add(timeout),
            timeout,
            settings: Vec::new(),
        };
        Self { carrier: first(request, options), way: Some(way) }
    }

    /// Looks at what the latest hop has come to.
    fn follow(&mut self, events: &mut Vec<LinkEvent>, new_from: usize, now: Now<'_>) {
        let Some(way) = &mut self.way else { return };
        let fresh = events.get(new_from..).unwrap_or_default();
        if fresh.iter().any(|event| matches!(event, LinkEvent::Protocol(Event::Opened(_)))) {
            self.way = None;
            return;
        }
        // Before it is open, nothing follows the end.
        let Some(LinkEvent::Protocol(Event::Closed(closed))) = events.last_mut() else { return };
        let cause = mem::replace(&mut closed.cause, CloseCause::Aborted);
        match way.next(cause, now, &mut self.carrier) {
            None => _ = events.pop(),
            Some(cause) => {
                closed.cause = cause;
                self.way = None;
            }
        }
    }
}

impl Way {
    /// Goes on to the next hop, if the end of the one before asks for that; else why the whole way has ended.
    fn next(
        &mut self,
        cause: CloseCause,
        now: Now<'_>,
        carrier: &mut Box<dyn Carrier>,
    ) -> Option<CloseCause> {
        match cause {
            CloseCause::HttpStatus(response) if Redirects::is_redirect(response.status) => {
                match self.hop(&response, now) {
                    Ok(next) => {
                        *carrier = next;
                        None
                    }
                    Err(cause) => Some(cause),
                }
            }
            CloseCause::ConnectTimeout { phase, .. } => Some(self.late_for(phase)),
            CloseCause::ConnectFailed { phase, error } => {
                let error = match self.redirects.place() {
                    Some(place) => format!("{error} (redirected to {place})"),
                    None => error,
                };
                Some(CloseCause::ConnectFailed { phase, error })
            }
            cause => Some(cause),
        }
    }

    fn late_for(&self, phase: ConnectPhase) -> CloseCause {
        CloseCause::ConnectTimeout { phase, timeout: self.timeout }
    }

    fn hop(&mut self, response: &HttpResponse, now: Now<'_>) -> Result<Box<dyn Carrier>, CloseCause> {
        let config = Arc::make_mut(&mut self.options.config);
        let target = self.redirects.follow(response, &mut config.handshake_headers);
        let target = target.map_err(|problem| refused(response, problem))?.clone();
        if let Some(deadline) = self.deadline {
            config.connect_timeout = deadline.saturating_duration_since(now());
            if config.connect_timeout.is_zero() {
                return Err(self.late_for(ConnectPhase::Upgrade));
            }
        }
        let dialed = (self.dial)(ClientRequest { target }, self.options.clone());
        let mut carrier = dialed.map_err(|phrase| refused(response, RedirectProblem::NoWay(phrase)))?;
        self.settings.iter().for_each(|setting| carrier.set(*setting, now));
        Ok(carrier)
    }
}

fn refused(response: &HttpResponse, problem: RedirectProblem) -> CloseCause {
    CloseCause::Redirect(Box::new(RefusedRedirect { response: response.clone(), problem }))
}

impl Carrier for Redirected {
    fn poll(&mut self, events: &mut Vec<LinkEvent>, now: Now<'_>) {
        let new_from = events.len();
        self.carrier.poll(events, now);
        if self.way.is_some() && events.len() > new_from {
            self.follow(events, new_from, now);
        }
    }

    fn push(
        &mut self,
        kind: MessageKind,
        payload: Bytes,
        delivery: Delivery,
        how: How<'_>,
    ) -> Result<(), SendError> {
        self.carrier.push(kind, payload, delivery, how)
    }

    fn close(&mut self, code: u16, reason: &str, now: Now<'_>) {
        self.carrier.close(code, reason, now);
    }

    fn leave(&mut self) {
        self.carrier.leave();
    }

    fn consumed(&mut self, bytes: usize) {
        self.carrier.consumed(bytes);
    }

    fn set(&mut self, setting: LiveSetting, now: Now<'_>) {
        if let Some(way) = &mut self.way {
            way.settings.retain(|known| discriminant(known) != discriminant(&setting));
            way.settings.push(setting);
        }
        self.carrier.set(setting, now);
    }

    fn set_trace(&mut self, trace: Option<ConnectionTrace>) {
        if let Some(way) = &mut self.way {
            way.options.trace = trace.as_ref().map(|trace| trace.trace().clone());
        }
        self.carrier.set_trace(trace);
    }

    fn trace(&self) -> Option<&ConnectionTrace> {
        self.carrier.trace()
    }

    fn round_trip_time(&self) -> Option<Duration> {
        self.carrier.round_trip_time()
    }

    fn counters(&self) -> &Arc<Counters> {
        self.carrier.counters()
    }

    fn unread(&self) -> Amount {
        self.carrier.unread()
    }

    fn buffered_amount(&self) -> usize {
        self.carrier.buffered_amount()
    }

    fn has_news(&self) -> bool {
        self.carrier.has_news()
    }

    fn needs_polls(&self) -> bool {
        self.carrier.needs_polls()
    }
}
