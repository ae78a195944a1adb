//! Attackers: one thread, as many peers as wanted, each as fast as it can.

use std::{
    error::Error,
    io,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token};

use crate::{options::Options, plan::Plan, wire::Wire};

/// New connections in one turn: beyond, the attackers would do nothing else.
const CONNECTS_PER_TURN: usize = 64;
/// How long it may take until all of them have begun to connect.
const GATHERING: Duration = Duration::from_secs(25);
const EVENTS: usize = 1024;
const SCRATCH: usize = 64 * 1024;
/// Writes of one attacker before it is another's turn.
const WRITES_PER_TURN: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// So many bytes of the request are sent.
    Asking(usize),
    /// So much of the end of an answer's head is seen.
    Waiting(usize),
    /// So many bytes of what is sent once.
    Begun(usize),
    /// The place in what is sent again and again.
    Flooding(usize),
}

struct Attacker {
    wire: Wire,
    stage: Stage,
    is_blocked: bool,
    is_connected: bool,
    next_at: Option<Instant>,
}

#[derive(Debug, Default)]
struct Counts {
    bytes: u64,
    connections: u64,
    refused: u64,
}

struct Crowd {
    plan: Plan,
    port: u16,
    poll: Poll,
    attackers: Vec<Option<Attacker>>,
    counts: Counts,
    scratch: Vec<u8>,
}

/// Attacks for a while. Prints READY once as many connections as there are attackers have begun (some may have been cut by then),
/// and at the end what it came to.
pub(crate) fn flood(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut crowd = Crowd {
        plan: Plan::of(&options.class)?,
        port: options.port,
        poll: Poll::new()?,
        attackers: (0..options.peers).map(|_| None).collect(),
        counts: Counts::default(),
        scratch: vec![0; SCRATCH],
    };
    let mut events = Events::with_capacity(EVENTS);
    let mut ends_at = Instant::now() + GATHERING;
    let mut is_ready = false;
    while Instant::now() < ends_at {
        crowd.turn(&mut events)?;
        if !is_ready && crowd.counts.connections >= crowd.attackers.len() as u64 {
            is_ready = true;
            println!("READY");
            ends_at = Instant::now() + options.time;
        }
    }
    if !is_ready {
        return Err(format!("not all could connect; refused by the system: {}", crowd.counts.refused).into());
    }
    let Counts { bytes, connections, refused } = crowd.counts;
    println!(
        "flood_mib {:.1}\nflood_connections {connections}\nflood_refused {refused}",
        bytes as f64 / 1_048_576.0
    );
    Ok(())
}

impl Crowd {
    fn turn(&mut self, events: &mut Events) -> io::Result<()> {
        self.connect();
        let mut is_busy = false;
        for index in 0..self.attackers.len() {
            is_busy |= self.work(index);
        }
        let wait = if is_busy { Duration::ZERO } else { Duration::from_millis(5) };
        match self.poll.poll(events, Some(wait)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        for event in &*events {
            let index = event.token().0;
            if let Some(attacker) = &mut self.attackers[index] {
                attacker.is_blocked &= !event.is_writable();
                attacker.is_connected |= event.is_writable();
            }
            if event.is_readable() && self.receive(index).is_err() {
                self.lose(index);
            }
        }
        Ok(())
    }

    fn connect(&mut self) {
        let mut tried = 0;
        for index in 0..self.attackers.len() {
            if self.attackers[index].is_none() && tried < CONNECTS_PER_TURN {
                tried += 1;
                match self.new_attacker(index) {
                    Ok(attacker) => {
                        self.counts.connections += 1;
                        self.attackers[index] = Some(attacker);
                    }
                    Err(_) => self.counts.refused += 1,
                }
            }
        }
    }

    fn new_attacker(&self, index: usize) -> Result<Attacker, Box<dyn Error>> {
        let mut wire = Wire::connect(self.port, self.plan.tls)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut wire.stream, Token(index), interest)?;
        Ok(Attacker { wire, stage: Stage::Asking(0), is_blocked: false, is_connected: false, next_at: None })
    }

    fn lose(&mut self, index: usize) {
        self.attackers[index] = None;
    }

    /// True if there is more to do at once.
    fn work(&mut self, index: usize) -> bool {
        let Some(attacker) = &mut self.attackers[index] else { return true };
        match attacker.write(&self.plan, &mut self.counts.bytes) {
            Ok(is_busy) => is_busy,
            Err(_) => {
                self.lose(index);
                true
            }
        }
    }

    fn receive(&mut self, index: usize) -> io::Result<()> {
        let Some(attacker) = &mut self.attackers[index] else { return Ok(()) };
        if self.plan.resets && attacker.stage != Stage::Asking(0) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        loop {
            if !self.plan.reads && !matches!(attacker.stage, Stage::Asking(_) | Stage::Waiting(_)) {
                return Ok(());
            }
            match attacker.wire.read(&mut self.scratch) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => attacker.see(&self.scratch[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // A TLS session may go on with what was read.
        attacker.is_blocked &= !self.plan.tls.is_on();
        attacker.wire.write_records()
    }
}

impl Attacker {
    /// Looks for the end of an answer's head.
    fn see(&mut self, bytes: &[u8]) {
        let Stage::Waiting(mut matched) = self.stage else { return };
        for byte in bytes {
            matched = match (byte, matched) {
                (b'\r', 0 | 2) | (b'\n', 1 | 3) => matched + 1,
                (b'\r', _) => 1,
                _ => 0,
            };
            if matched == 4 {
                self.stage = Stage::Begun(0);
                return;
            }
        }
        self.stage = Stage::Waiting(matched);
    }

    /// True if there is more to write and the socket takes it.
    fn write(&mut self, plan: &Plan, total: &mut u64) -> io::Result<bool> {
        if !self.is_connected || self.is_blocked {
            return Ok(false);
        }
        for _ in 0..WRITES_PER_TURN {
            let now = Instant::now();
            if self.next_at.is_some_and(|at| now < at) {
                return Ok(false);
            }
            let Some(bytes) = self.next_bytes(plan) else { break };
            match self.wire.write(bytes) {
                Ok(count) => {
                    *total += count as u64;
                    self.advance(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_blocked = true;
                    return Ok(false);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if !plan.pause.is_zero() {
                self.next_at = Some(now + plan.pause);
                return Ok(false);
            }
        }
        self.wire.write_records()?;
        Ok(self.next_bytes(plan).is_some())
    }

    /// What is to be written next; moves on where a part is complete.
    fn next_bytes<'a>(&mut self, plan: &'a Plan) -> Option<&'a [u8]> {
        if self.stage == Stage::Asking(plan.request.len()) {
            self.stage = if plan.waits { Stage::Waiting(0) } else { Stage::Begun(0) };
        }
        if self.stage == Stage::Begun(plan.once.len()) {
            self.stage = Stage::Flooding(0);
        }
        if matches!(self.stage, Stage::Flooding(at) if at >= plan.cycle.len()) {
            self.stage = Stage::Flooding(0);
        }
        let (part, start, piece) = match self.stage {
            Stage::Asking(start) => (&plan.request, start, usize::MAX),
            Stage::Waiting(_) => return None,
            Stage::Begun(start) => (&plan.once, start, usize::MAX),
            Stage::Flooding(start) => (&plan.cycle, start, plan.piece),
        };
        let end = start.saturating_add(piece).min(part.len());
        part.get(start..end).filter(|bytes| !bytes.is_empty())
    }

    fn advance(&mut self, count: usize) {
        match &mut self.stage {
            Stage::Asking(at) | Stage::Begun(at) | Stage::Flooding(at) => *at += count,
            Stage::Waiting(_) => {}
        }
    }
}
