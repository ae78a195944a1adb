//! One request that a server has read, as the class `RustWebSocketRequest` shows it.

use std::{
    fmt, mem,
    sync::{Arc, OnceLock, atomic::AtomicBool},
};

use rust_websocket_net::{Asked, LinkId, TlsFacts};
use rust_websocket_proto::{
    admission::Remote,
    http::{Answer, Decision, DecisionError, Request},
};

use crate::{Locked, Refused, Subject, address_text};

/// A request until it is answered, and what it was after that.
#[derive(Default)]
pub struct ServerRequest {
    stage: Stage,
}

/// A request as its engine object and a server hold it.
pub type RequestState = Locked<ServerRequest>;

/// What is asked and who asks; it does not change.
#[derive(Debug, Clone)]
pub struct RequestHead {
    /// The name of the connection.
    pub id: LinkId,
    /// As received.
    pub request: Arc<Request>,
    /// Who asks.
    pub remote: Remote,
    /// What the client has told in TLS.
    pub tls: TlsFacts,
}

#[derive(Default)]
enum Stage {
    /// Nobody is waited for.
    Pending(Asked),
    /// The connection is becoming a WebSocket's, or has become one.
    Accepted,
    /// It is answered in another way. Also one that no client has sent.
    #[default]
    Answered,
    /// The client has left, or the time for an answer has passed.
    Over,
}

impl fmt::Debug for ServerRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ServerRequest")
            .field("is_pending", &self.is_pending())
            .finish_non_exhaustive()
    }
}

impl Subject for ServerRequest {
    fn note_refusal(&mut self, _refused: &Refused) {}
}

impl RequestHead {
    fn of(asked: &Asked) -> Self {
        Self {
            id: asked.id(),
            request: Arc::clone(asked.request()),
            remote: asked.remote(),
            tls: asked.tls().clone(),
        }
    }

    /// The client's address and port; 0 if only a proxy knows it.
    pub fn remote(&self) -> (String, u16) {
        (address_text(self.remote.client.address), self.remote.client.port)
    }

    /// Who really connected; empty without a proxy.
    pub fn proxy_address(&self) -> String {
        self.remote.proxy.map(|proxy| address_text(proxy.address)).unwrap_or_default()
    }
}

/// A request with its head, which needs no lock.
#[derive(Debug)]
pub struct Asking {
    /// Whether and how it is answered.
    pub state: RequestState,
    /// `None`: made by a script.
    pub head: Option<RequestHead>,
    /// What shows it in the engine, if something does: an instance id.
    pub object: OnceLock<i64>,
    /// Whoever has the connection has that too.
    pub is_claimed: AtomicBool,
}

impl Default for Asking {
    fn default() -> Self {
        Self {
            state: Locked::new(ServerRequest::default()),
            head: None,
            object: OnceLock::new(),
            is_claimed: AtomicBool::new(false),
        }
    }
}

impl Asking {
    pub(crate) fn new(asked: Asked) -> Self {
        let head = Some(RequestHead::of(&asked));
        let stage = Stage::Pending(asked);
        Self {
            state: Locked::new(ServerRequest { stage }),
            head,
            object: OnceLock::new(),
            is_claimed: AtomicBool::new(false),
        }
    }

    /// Answers.
    ///
    /// # Errors
    /// It is answered or over, or `decision` cannot be had. Nothing is sent then, and what was pending stays so.
    pub fn decide(self: &Arc<Self>, decision: Result<Decision, Refused>) -> Result<(), Refused> {
        self.state.attempt(|request| {
            match request.stage {
                Stage::Pending(_) => {}
                Stage::Over => return Err(Refused::RequestOver),
                Stage::Accepted | Stage::Answered => return Err(Refused::RequestAnswered),
            }
            let decision = decision?;
            if let Some(head) = &self.head {
                decision.check(&head.request)?;
            }
            let is_accepted = matches!(decision, Decision::Accept { .. });
            let next = if is_accepted { Stage::Accepted } else { Stage::Answered };
            if let Stage::Pending(asked) = mem::replace(&mut request.stage, next) {
                asked.decide(decision, is_accepted.then(|| Arc::clone(self) as _));
            }
            Ok(())
        })
    }

    /// Lets it be decided as if there were no script: upgrades are accepted, everything else gets 426 or 405.
    pub fn decide_as_without_script(self: &Arc<Self>) {
        let left = self.take_pending(Stage::Accepted);
        if let Some(asked) = left {
            asked.decide(Decision::accept(), None);
        }
    }

    fn take_pending(&self, next: Stage) -> Option<Asked> {
        self.state.with(|request| {
            if !request.is_pending() {
                return None;
            }
            match mem::replace(&mut request.stage, next) {
                Stage::Pending(asked) => Some(asked),
                _ => None,
            }
        })
    }

    /// Not answered, not too late, and the client was still there at the server's last poll.
    pub fn is_pending(&self) -> bool {
        self.state.with(|request| request.is_pending())
    }

    /// Whether it was accepted.
    pub fn is_accepted(&self) -> bool {
        self.state.with(|request| matches!(request.stage, Stage::Accepted))
    }

    /// Nobody will answer it. False if that is no loss.
    pub fn forsake(&self) -> bool {
        // Dropping it answers.
        self.take_pending(Stage::Answered).is_some()
    }

    /// It is too late for an answer, unless there is one.
    pub(crate) fn end(&self) {
        drop(self.take_pending(Stage::Over));
    }

    /// Like [`end`](Self::end), for a client that may still be there.
    pub(crate) fn end_with(&self, answer: Answer) {
        if let Some(asked) = self.take_pending(Stage::Over) {
            asked.decide(Decision::Answer(answer), None);
        }
    }
}

impl ServerRequest {
    fn is_pending(&self) -> bool {
        matches!(self.stage, Stage::Pending(_))
    }
}

impl From<DecisionError> for Refused {
    fn from(error: DecisionError) -> Self {
        Self::Decision(Box::new(error))
    }
}
