//! Racing connection attempts to the addresses of one host (RFC 8305, "Happy Eyeballs").

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use mio::{Token, net::TcpStream};

use crate::socket::Sockets;

/// A further address is tried this long after the last one, or as soon as that has failed (RFC 8305 section
/// 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

#[derive(Debug)]
struct Attempt {
    token: Token,
    stream: TcpStream,
    address: SocketAddr,
}

/// Attempts under way and addresses still to try.
#[derive(Debug)]
pub(crate) struct Race {
    untried: VecDeque<SocketAddr>,
    attempts: Vec<Attempt>,
    next_attempt: Instant,
    last_failure: Option<(SocketAddr, io::Error)>,
}

/// What a race has come to.
#[derive(Debug)]
pub(crate) enum Outcome {
    Undecided,
    /// The socket stays registered under the token.
    Won(TcpStream, Token, SocketAddr),
    /// All addresses failed: one phrase for people.
    Lost(String),
}

impl Race {
    pub(crate) fn new(addresses: Vec<SocketAddr>, now: Instant) -> Self {
        Self { untried: addresses.into(), attempts: Vec::new(), next_attempt: now, last_failure: None }
    }

    /// When [`advance`](Self::advance) has something to do even if no socket reports anything.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        (!self.untried.is_empty()).then_some(self.next_attempt)
    }

    /// Looks at the attempts under way and starts further ones when their time has come.
    pub(crate) fn advance(&mut self, now: Instant, sockets: &mut Sockets<'_>) -> Outcome {
        if let Some(index) = self.check_attempts(now, sockets) {
            let winner = self.attempts.swap_remove(index);
            self.give_up(sockets);
            return Outcome::Won(winner.stream, winner.token, winner.address);
        }
        while !self.untried.is_empty() && (self.attempts.is_empty() || now >= self.next_attempt) {
            self.start_next(now, sockets);
        }
        if self.attempts.is_empty() { Outcome::Lost(self.describe_failure()) } else { Outcome::Undecided }
    }

    /// Has the system watch all attempts anew.
    pub(crate) fn watch_anew(&mut self, sockets: &Sockets<'_>) -> io::Result<()> {
        let mut attempts = self.attempts.iter_mut();
        attempts.try_for_each(|attempt| sockets.watch_anew(attempt.token, &mut attempt.stream, Sockets::BOTH))
    }

    /// Ends all attempts.
    pub(crate) fn give_up(&mut self, sockets: &mut Sockets<'_>) {
        self.untried.clear();
        for mut attempt in self.attempts.drain(..) {
            sockets.forget(attempt.token, &mut attempt.stream);
        }
    }

    /// Drops failed attempts; returns the index of one that is connected.
    fn check_attempts(&mut self, now: Instant, sockets: &mut Sockets<'_>) -> Option<usize> {
        let mut index = 0;
        while let Some(attempt) = self.attempts.get(index) {
            match is_connected(&attempt.stream) {
                Ok(true) => return Some(index),
                Ok(false) => index += 1,
                Err(error) => {
                    let mut failed = self.attempts.swap_remove(index);
                    sockets.forget(failed.token, &mut failed.stream);
                    self.last_failure = Some((failed.address, error));
                    self.next_attempt = now;
                }
            }
        }
        None
    }

    fn start_next(&mut self, now: Instant, sockets: &mut Sockets<'_>) {
        let Some(address) = self.untried.pop_front() else { return };
        self.next_attempt = now + ATTEMPT_DELAY;
        let attempt = TcpStream::connect(address).and_then(|mut stream| {
            let token = sockets.register(&mut stream)?;
            Ok(Attempt { token, stream, address })
        });
        match attempt {
            Ok(attempt) => self.attempts.push(attempt),
            Err(error) => self.last_failure = Some((address, error)),
        }
    }

    fn describe_failure(&self) -> String {
        match &self.last_failure {
            Some((address, error)) => format!("connecting to {address} failed: {error}"),
            None => "the host has no address".to_owned(),
        }
    }
}

/// Whether a non-blocking connect has succeeded yet.
fn is_connected(stream: &TcpStream) -> io::Result<bool> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}
