//! A client's way through a proxy: HTTP CONNECT (RFC 9110 section 9.3.6) and SOCKS5 (RFC 1928, RFC 1929), as state machines,
//! and which proxy to take.
//!
//! TLS with the server, if any, is spoken inside of the tunnel, behind it.

mod bypass;
mod choice;
mod connect;
mod failure;
mod proxy;
mod socks;

pub use choice::{EnvironmentError, ProxySettings};
pub use failure::{TunnelError, TunnelFailure};
pub use proxy::{Proxy, ProxyError, ProxyKind};

use crate::{
    Target, Tracer,
    trace::{Sent, Trace},
};
use connect::Connect;
use socks::Socks;

/// A tunnel through a proxy to a server, being opened over a transport that is connected to the proxy.
///
/// # Calling contract
/// Write what [`output`](Self::output) offers and report it with [`advance_output`](Self::advance_output); hand received
/// bytes to [`handle_input`](Self::handle_input) until it says [`TunnelProgress::Open`], and the end of the transport
/// to [`handle_end`](Self::handle_end). There is no timeout here: the connection's covers the proxy.
#[derive(Debug)]
pub struct Tunnel {
    /// As it is shown in messages.
    proxy: String,
    kind: ProxyKind,
    output: Vec<u8>,
    written: usize,
    input: Vec<u8>,
    state: State,
    trace: Trace,
}

#[derive(Debug)]
enum State {
    Connect(Connect),
    Socks(Socks),
    Over,
}

/// How far a tunnel has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TunnelProgress {
    /// More has to be written or to come in.
    Pending,
    /// What is written and read from now on is the server's.
    Open {
        /// The server's first bytes, which came together with the proxy's answer.
        received: Vec<u8>,
    },
}

impl Tunnel {
    /// A tunnel through `proxy` to the server of `target`. The proxy looks up the server's name.
    pub fn new(proxy: &Proxy, target: &Target) -> Self {
        let (state, output) = match proxy.kind() {
            ProxyKind::Http => {
                let (connect, output) = Connect::new(proxy, target);
                (State::Connect(connect), output)
            }
            ProxyKind::Socks5 => {
                let (socks, output) = Socks::new(proxy, target);
                (State::Socks(socks), output)
            }
        };
        Self {
            proxy: proxy.to_string(),
            kind: proxy.kind(),
            output,
            written: 0,
            input: Vec::new(),
            state,
            trace: Trace::default(),
        }
    }

    /// Has the heads told that pass between client and proxy. What is said in SOCKS5 is not told.
    pub fn set_tracer(&mut self, tracer: Option<Box<dyn Tracer>>) {
        self.trace.set(tracer);
    }

    /// What is to be written to the proxy.
    pub fn output(&self) -> &[u8] {
        self.output.get(self.written..).unwrap_or_default()
    }

    /// `count` bytes of the output were written.
    pub fn advance_output(&mut self, count: usize) {
        self.written = self.written.saturating_add(count);
        if self.written >= self.output.len() {
            let output = std::mem::take(&mut self.output);
            if let (State::Connect(_), true, false) = (&self.state, self.trace.is_on(), output.is_empty()) {
                self.trace.sent(&Sent::Head(output));
            }
            self.written = 0;
        }
    }

    /// Takes received bytes.
    ///
    /// # Errors
    /// Why there will be no tunnel; hand in nothing more then.
    pub fn handle_input(&mut self, data: &[u8]) -> Result<TunnelProgress, TunnelError> {
        self.input.extend_from_slice(data);
        let step = match &mut self.state {
            State::Connect(connect) => connect.step(&self.input, &mut self.trace),
            State::Socks(_) if self.written < self.output.len() => Err(socks::TOO_EARLY),
            State::Socks(socks) => socks.step(&self.input, &mut self.output),
            State::Over => Ok(None),
        };
        match step {
            Ok(None) => Ok(TunnelProgress::Pending),
            Ok(Some(size)) => {
                self.state = State::Over;
                let received = self.input.get(size..).unwrap_or_default().to_vec();
                self.input = Vec::new();
                Ok(TunnelProgress::Open { received })
            }
            Err(reason) => {
                self.state = State::Over;
                self.input = Vec::new();
                Err(self.error(reason))
            }
        }
    }

    /// The proxy ended the connection before there was a tunnel.
    pub fn handle_end(&self) -> TunnelError {
        self.error(TunnelFailure::Ended)
    }

    fn error(&self, reason: TunnelFailure) -> TunnelError {
        TunnelError { proxy: self.proxy.clone(), kind: self.kind, reason }
    }
}
