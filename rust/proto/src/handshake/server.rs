//! A client's request (RFC 6455 section 4.2), and whom it is shown before it is answered.

use std::{sync::Arc, time::Duration};

use super::{
    upgraded::speaks_tls,
    verdict::{Answered, Outcome, check_request},
};
use crate::{
    CloseCause, Config, RequestError, Scheme,
    buffer::ReceiveBuffer,
    http::{Answer, Decision, HeadError, HeadScan, Method, Request},
    token::is_token_byte,
    trace::Trace,
};

/// Waits for a request, and where the configuration says so for a decision on it.
#[derive(Debug)]
pub(crate) struct ServerHandshake {
    scheme: Scheme,
    scan: HeadScan,
    asked: Option<Asked>,
}

/// A valid request that is to be decided on.
#[derive(Debug)]
struct Asked {
    request: Arc<Request>,
    decision: Option<Decision>,
    /// The decision took longer than that.
    expired: Option<Duration>,
}

/// How far the handshake has come.
#[derive(Debug)]
pub(crate) enum ServerProgress {
    /// More has to come in.
    Head,
    /// A decision is waited for.
    Asked,
    Answered(Answered),
}

impl ServerHandshake {
    pub(crate) fn new(scheme: Scheme) -> Self {
        Self { scheme, scan: HeadScan::default(), asked: None }
    }

    /// Reads on.
    pub(crate) fn poll(
        &mut self,
        input: &mut ReceiveBuffer,
        config: &Config,
        trace: &mut Trace,
    ) -> ServerProgress {
        if let Some(asked) = self.asked.take() {
            return self.poll_decision(asked, config);
        }
        let request = match self.find_head(input.bytes()) {
            Ok(Some(size)) => {
                let head = input.bytes().get(..size).unwrap_or_default();
                trace.head(head);
                let request = read_request(head, config);
                input.consume(size);
                request
            }
            Ok(None) => return ServerProgress::Head,
            Err(error) => Err(error),
        };
        match request {
            Ok(request) if config.request_timeout.is_some() => {
                self.asked = Some(Asked { request: Arc::new(request), decision: None, expired: None });
                ServerProgress::Asked
            }
            Ok(request) => {
                let decision = Decision::accept();
                ServerProgress::Answered(Answered::new(&request, decision, self.scheme, config))
            }
            Err(error) => ServerProgress::Answered(Answered::error(error)),
        }
    }

    fn poll_decision(&mut self, mut asked: Asked, config: &Config) -> ServerProgress {
        let Some(decision) = asked.decision.take() else {
            self.asked = Some(asked);
            return ServerProgress::Asked;
        };
        let mut answered = Answered::new(&asked.request, decision, self.scheme, config);
        if let Some(timeout) = asked.expired {
            answered.outcome = Outcome::End(CloseCause::RequestTimeout { timeout });
        }
        ServerProgress::Answered(answered)
    }

    /// The request that waits for a decision.
    pub(crate) fn pending_request(&self) -> Option<&Arc<Request>> {
        self.asked.as_ref().filter(|asked| asked.decision.is_none()).map(|asked| &asked.request)
    }

    /// Whether a request is complete, decided on or not.
    pub(crate) fn has_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// The client has come by TLS, to whoever passes its bytes on.
    pub(crate) fn set_secure(&mut self) {
        self.scheme = Scheme::Wss;
    }

    /// Takes a decision; [`poll`](Self::poll) carries it out. The first one counts.
    pub(crate) fn decide(&mut self, decision: Decision) {
        if let Some(asked) = &mut self.asked {
            asked.decision.get_or_insert(decision);
        }
    }

    /// There was no decision in time.
    pub(crate) fn expire(&mut self, timeout: Duration) {
        let sentence = "the server did not decide on this request in time\n";
        let answer = Answer::short(503, sentence.to_owned(), Vec::new());
        if let Some(asked) = self.asked.as_mut().filter(|asked| asked.decision.is_none()) {
            asked.decision = Some(Decision::Answer(answer));
            asked.expired = Some(timeout);
        }
    }

    fn find_head(&mut self, bytes: &[u8]) -> Result<Option<usize>, RequestError> {
        // Neither has line ends to wait for.
        if speaks_tls(bytes) {
            return Err(RequestError::Tls);
        }
        if bytes.first().is_some_and(|byte| !is_token_byte(*byte) && *byte != b'\r' && *byte != b'\n') {
            return Err(RequestError::NotHttp);
        }
        self.scan.find_end(bytes).map_err(|error| match error {
            HeadError::TooLarge => RequestError::HeadTooLarge,
            HeadError::BareLineFeed => RequestError::Malformed("bare line feed"),
        })
    }
}

/// Who asks nobody has use for upgrades only.
fn read_request(head: &[u8], config: &Config) -> Result<Request, RequestError> {
    let request = Request::parse(head);
    if config.request_timeout.is_none() {
        return request.and_then(|request| match request.method() {
            // Whoever is in front takes the body for one, and we would take it for frames.
            Method::Get if request.has_body() => Err(RequestError::Body),
            Method::Get => Ok(request),
            Method::Head => Err(RequestError::Method),
        });
    }
    let request = request.map_err(|error| match error {
        RequestError::Method => RequestError::OtherMethod,
        error => error,
    })?;
    check_request(&request, config)?;
    Ok(request)
}
