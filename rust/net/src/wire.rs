//! A connected transport with what is known of its readiness.

use std::{
    io,
    ops::AddAssign,
    time::{Duration, Instant},
};

use mio::Token;

use crate::{tls::Received, transport::Transport};

/// Reads of a connection that ends with the I/O thread: what is there, but no flood to its end.
const LAST_READS: usize = 16;

/// How often a connection that is not read from is looked at for its end, where that is not reported by itself.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// What the kernel says of a socket.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Readiness {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// The end is there to be read.
    pub(crate) is_ending: bool,
}

impl AddAssign for Readiness {
    fn add_assign(&mut self, other: Self) {
        self.readable |= other.readable;
        self.writable |= other.writable;
        self.is_ending |= other.is_ending;
    }
}

/// A transport and its readiness (edge-triggered: true until the kernel says otherwise).
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) transport: Transport,
    pub(crate) token: Token,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// The kernel says that the end is there to be read.
    pub(crate) is_ending: bool,
    /// When to ask for readiness that was reported before.
    looks_at: Option<Instant>,
    /// Nobody says when it is ready.
    is_in_memory: bool,
}

impl Wire {
    pub(crate) fn new(mut transport: Transport, token: Token, no_delay: bool) -> Self {
        // Only a hint to the kernel; a socket that refuses it is about to report why.
        _ = transport.socket().set_no_delay(no_delay);
        let is_in_memory = transport.socket().is_in_memory();
        Self {
            transport,
            token,
            readable: true,
            writable: true,
            is_ending: false,
            looks_at: None,
            is_in_memory,
        }
    }

    pub(crate) fn note(&mut self, readiness: Readiness) {
        self.is_ending |= readiness.is_ending;
        self.readable |= readiness.readable || readiness.is_ending;
        self.writable |= readiness.writable;
        if self.is_in_memory {
            (self.readable, self.writable) = (true, true);
        }
    }

    /// Somebody waits for the turn that has begun, with all that he has ordered before.
    pub(crate) fn turn_begins(&mut self) {
        if self.is_in_memory {
            self.transport.socket().turn_begins();
        }
    }

    /// The connection has done all that it can for now.
    pub(crate) fn turn_ends(&mut self) {
        if self.is_in_memory {
            self.transport.socket().turn_ends();
        }
    }

    /// Nothing is read for now. On Windows mio reports nothing more of a socket, its end included, until an operation on it would
    /// have blocked, so it is asked again from time to time: at once it would answer with what is there to be read.
    pub(crate) fn pause(&mut self, now: Instant) {
        self.is_ending |= self.is_in_memory && self.transport.socket().is_ending();
        if cfg!(windows) && !self.is_ending && self.looks_at.is_none() {
            self.looks_at = Some(now + LOOK_INTERVAL);
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.looks_at
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.looks_at.is_some_and(|at| at <= now) {
            self.looks_at = None;
            self.transport.socket().report_again();
        }
    }

    pub(crate) fn end_input(&mut self) {
        self.readable = false;
    }

    /// Reads and forgets what is there.
    pub(crate) fn discard_input(&mut self, scratch: &mut [u8]) {
        for _ in 0..LAST_READS {
            if !self.readable {
                return;
            }
            match self.transport.read(scratch) {
                Ok(Received::End) => self.end_input(),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
                Err(_) => {
                    self.end_input();
                    self.writable = false;
                }
            }
        }
    }
}
