//! How a client gets its stream where the engine's own TLS is to be used: the host's addresses, TCP, TLS, all by streams
//! of the engine and without waiting, on the thread that polls the peer.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use rust_websocket_net::Lookup;
use rust_websocket_proto::{ConnectPhase, Quoted, Target};

use crate::engine_stream::{OpenStream, StreamState};

/// A further address is tried when one has been silent for this long: by then TCP repeats itself. One stream holds one
/// attempt, so that they cannot run side by side.
const PATIENCE: Duration = Duration::from_secs(1);

enum Stage {
    Resolving(Lookup),
    Connecting { address: SocketAddr, since: Instant },
    Securing,
}

/// A connection that is being made.
pub(crate) struct Dial {
    host: String,
    stage: Stage,
    untried: VecDeque<SocketAddr>,
    pub(crate) no_delay: bool,
    /// Since TCP stands; taken by whoever tells the script.
    connected: Option<SocketAddr>,
}

impl Dial {
    /// Starts looking for the host.
    pub(crate) fn start(target: &Target, no_delay: bool) -> Self {
        Self {
            host: target.host.clone(),
            stage: Stage::Resolving(Lookup::start(&target.lookup_name(), target.port)),
            untried: VecDeque::new(),
            no_delay,
            connected: None,
        }
    }

    /// How far it has come.
    pub(crate) fn phase(&self) -> ConnectPhase {
        match &self.stage {
            Stage::Resolving(_) => ConnectPhase::NameResolution,
            Stage::Connecting { .. } => ConnectPhase::Tcp,
            Stage::Securing => ConnectPhase::Tls,
        }
    }

    /// The other side's address, once.
    pub(crate) fn take_connected(&mut self) -> Option<SocketAddr> {
        self.connected.take()
    }

    /// Goes on as far as it goes now. True when the stream carries our bytes; an error is one phrase.
    pub(crate) fn advance(&mut self, stream: &mut OpenStream, now: Instant) -> Result<bool, String> {
        if let Stage::Resolving(lookup) = &self.stage {
            let Some(answer) = lookup.answer() else { return Ok(false) };
            self.untried = answer?.iter().copied().collect();
            self.try_next(stream, now)?;
        }
        if let Stage::Connecting { address, since } = self.stage {
            match stream.connecting() {
                StreamState::Open => self.secure(address, stream)?,
                StreamState::Handshaking => {
                    if !self.untried.is_empty() && now.saturating_duration_since(since) >= PATIENCE {
                        self.try_next(stream, now)?;
                    }
                    return Ok(false);
                }
                StreamState::Ended | StreamState::Failed(_) => {
                    self.try_next(stream, now)?;
                    return Ok(false);
                }
            }
        }
        match stream.securing() {
            StreamState::Handshaking => Ok(false),
            StreamState::Open => Ok(true),
            StreamState::Ended | StreamState::Failed(_) => Err(self.refusal(stream)),
        }
    }

    /// Tries the next address, or says why the last one failed.
    fn try_next(&mut self, stream: &mut OpenStream, now: Instant) -> Result<(), String> {
        while let Some(address) = self.untried.pop_front() {
            let begun = stream.connect(address);
            self.stage = Stage::Connecting { address, since: now };
            if begun {
                return Ok(());
            }
        }
        match self.stage {
            // The engine does not tell why.
            Stage::Connecting { address, .. } => Err(format!("connecting to {address} failed")),
            _ => Err("the host has no address".to_owned()),
        }
    }

    /// TCP stands.
    fn secure(&mut self, address: SocketAddr, stream: &mut OpenStream) -> Result<(), String> {
        self.connected = Some(address);
        self.stage = Stage::Securing;
        stream.set_no_delay(self.no_delay);
        if stream.secure(&self.host) { Ok(()) } else { Err(self.refusal(stream)) }
    }

    /// All that can be said: what the engine knows it only prints.
    fn refusal(&self, stream: &OpenStream) -> String {
        let (whose, or_whose) = match stream.expected_name() {
            None => (String::new(), ""),
            Some(name) => {
                let name = if name.is_empty() { &self.host } else { &name };
                (format!(" for {}", Quoted(name)), " has another name,")
            }
        };
        format!(
            "the server's certificate{whose} was refused (it is none of those that this client trusts nor signed by \
             one,{or_whose} or has expired), or the other side does not speak TLS here"
        )
    }
}
