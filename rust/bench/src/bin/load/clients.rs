//! Many clients: they connect, then send in a window or at a rate, and measure how long the echo takes.

use std::{
    collections::VecDeque,
    error::Error,
    io, thread,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token};
use rust_websocket_net::{ClientTls, ExpectedName, ServerTrust};

use crate::{
    Report,
    histogram::Histogram,
    options::Options,
    stream::Stream,
    wire::{DEFLATING_REQUEST, Frames, KEY, Part, Pipe, REQUEST, apply_mask, write_header},
};

const SCRATCH: usize = 256 * 1024;
const EVENTS: usize = 1024;
/// Between everybody being in and the measured part.
const SETTLE: Duration = Duration::from_millis(200);
/// Between the report and the end of the connections.
const FAREWELL: Duration = Duration::from_millis(300);
/// How finely sending at a rate is paced.
const PACE: Duration = Duration::from_millis(1);

#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Upgrading(Vec<u8>),
    /// The peer id is to come.
    Entering,
    In,
}

#[derive(Debug)]
struct Client {
    pipe: Pipe,
    stage: Stage,
    frames: Frames,
    /// When each message under way was sent.
    sent_at: VecDeque<Instant>,
}

/// What all clients have in common.
struct Crowd<'a> {
    options: &'a Options,
    poll: Poll,
    clients: Vec<Option<Client>>,
    frame: Vec<u8>,
    scratch: Vec<u8>,
    entered: usize,
    lost: usize,
    /// Echoes of what was sent, and everything else.
    echoes: u64,
    others: u64,
    bytes: u64,
    latencies: Histogram,
    is_measuring: bool,
}

/// Connects, sends, reports.
pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut frame = Vec::new();
    write_header(&mut frame, options.size, Some(KEY));
    let start = frame.len();
    frame.resize(start + options.size, b'x');
    apply_mask(&mut frame[start..], KEY, 0);
    let mut crowd = Crowd {
        options,
        poll: Poll::new()?,
        clients: Vec::new(),
        frame,
        scratch: vec![0; SCRATCH],
        entered: 0,
        lost: 0,
        echoes: 0,
        others: 0,
        bytes: 0,
        latencies: Histogram::new(),
        is_measuring: false,
    };
    let began = Instant::now();
    crowd.connect(began + options.connect_time)?;
    let mut report = Report::default();
    report.add("entered", crowd.entered as f64);
    report.add("connect_seconds", began.elapsed().as_secs_f64());
    if crowd.entered == options.clients {
        let cpu = cpu_seconds();
        let measured = crowd.measure()?;
        report.add("seconds", measured.as_secs_f64());
        report.add("load_cpu_seconds", cpu_seconds() - cpu);
    }
    report.add("echoes", crowd.echoes as f64);
    report.add("others", crowd.others as f64);
    report.add("bytes", crowd.bytes as f64);
    report.add("lost", crowd.lost as f64);
    report.add("p50_us", crowd.latencies.quantile(0.5));
    report.add("p99_us", crowd.latencies.quantile(0.99));
    report.add("longest_us", crowd.latencies.longest());
    report.write(options)?;
    // Who looks for the report stops then; until that nobody is to see the connections go.
    thread::sleep(FAREWELL);
    Ok(())
}

/// User and system time of this process so far.
fn cpu_seconds() -> f64 {
    let Ok(line) = std::fs::read_to_string("/proc/self/schedstat") else { return 0.0 };
    line.split_whitespace().next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

impl Crowd<'_> {
    fn connect(&mut self, deadline: Instant) -> Result<(), Box<dyn Error>> {
        let mut events = Events::with_capacity(EVENTS);
        while self.entered < self.options.clients && self.lost == 0 && Instant::now() < deadline {
            while self.clients.len() < self.options.clients
                && self.clients.len() - self.entered < self.options.at_once
            {
                self.start_client()?;
            }
            self.turn(&mut events, Duration::from_millis(10))?;
        }
        Ok(())
    }

    fn start_client(&mut self) -> Result<(), Box<dyn Error>> {
        let mut stream = Stream::connect(self.options)?;
        let token = Token(self.clients.len());
        self.poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        let mut pipe = if self.options.is_secure {
            // Settings of its own for each: with shared ones later clients would resume the sessions of earlier ones.
            let tls = ClientTls::new(ServerTrust::Anything, ExpectedName::Any)?;
            Pipe::secure(stream, tls.begin("localhost")?)
        } else {
            Pipe::new(stream)
        };
        let request = if self.options.offers_deflate { DEFLATING_REQUEST } else { REQUEST };
        pipe.output().extend_from_slice(request);
        self.clients.push(Some(Client {
            pipe,
            stage: Stage::Upgrading(Vec::new()),
            frames: Frames::default(),
            sent_at: VecDeque::new(),
        }));
        Ok(())
    }

    /// The measured part: returns how long it was.
    fn measure(&mut self) -> Result<Duration, Box<dyn Error>> {
        let mut events = Events::with_capacity(EVENTS);
        self.for_a_while(SETTLE, &mut events)?;
        let begin = Instant::now();
        self.is_measuring = true;
        if self.options.window > 0 {
            for index in 0..self.clients.len() {
                self.send(index, self.options.window, Instant::now());
            }
        }
        if self.options.rate > 0.0 {
            self.send_at_rate(begin, &mut events)?;
        } else {
            self.for_a_while(self.options.time, &mut events)?;
        }
        self.is_measuring = false;
        Ok(begin.elapsed())
    }

    fn for_a_while(&mut self, time: Duration, events: &mut Events) -> io::Result<()> {
        let end = Instant::now() + time;
        while self.lost < self.clients.len() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            // Spinning would take a processor away from what is measured.
            self.turn(events, left.min(Duration::from_millis(100)))?;
        }
        Ok(())
    }

    /// Everybody sends at the rate, one after the other within each period.
    fn send_at_rate(&mut self, begin: Instant, events: &mut Events) -> io::Result<()> {
        let all_per_second = self.options.rate * self.clients.len() as f64;
        let mut sent = 0_u64;
        while begin.elapsed() < self.options.time && self.lost < self.clients.len() {
            let due = (begin.elapsed().as_secs_f64() * all_per_second) as u64;
            let now = Instant::now();
            while sent < due {
                let index = sent as usize % self.clients.len();
                self.send(index, 1, now);
                sent += 1;
            }
            self.turn(events, PACE)?;
        }
        Ok(())
    }

    fn send(&mut self, index: usize, count: usize, now: Instant) {
        let Some(client) = &mut self.clients[index] else { return };
        for _ in 0..count {
            client.pipe.output().extend_from_slice(&self.frame);
            client.sent_at.push_back(now);
        }
        if client.pipe.flush().is_err() {
            self.lose(index);
        }
    }

    fn lose(&mut self, index: usize) {
        self.clients[index] = None;
        self.lost += 1;
    }

    fn turn(&mut self, events: &mut Events, wait: Duration) -> io::Result<()> {
        match self.poll.poll(events, Some(wait)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        for event in &*events {
            let index = event.token().0;
            if self.serve(index).is_err() {
                self.lose(index);
            }
        }
        Ok(())
    }

    fn serve(&mut self, index: usize) -> io::Result<()> {
        let Some(client) = self.clients.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
        if matches!(&client.stage, Stage::Upgrading(head) if head.is_empty())
            && !client.pipe.stream.is_connected()?
        {
            return Ok(());
        }
        client.pipe.flush()?;
        while let Some(count) = self.clients_pipe(index)? {
            self.receive(index, count);
        }
        Ok(())
    }

    fn clients_pipe(&mut self, index: usize) -> io::Result<Option<usize>> {
        match &mut self.clients[index] {
            Some(client) => client.pipe.read(&mut self.scratch),
            None => Ok(None),
        }
    }

    fn receive(&mut self, index: usize, count: usize) {
        let Some(client) = &mut self.clients[index] else { return };
        let mut start = 0;
        if let Stage::Upgrading(head) = &mut client.stage {
            let before = head.len();
            head.extend_from_slice(&self.scratch[..count]);
            let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") else { return };
            start = end + 4 - before;
            client.stage = if self.options.expects_id { Stage::Entering } else { Stage::In };
            self.entered += usize::from(!self.options.expects_id);
        }
        let mut messages = 0;
        client.frames.take(&mut self.scratch[start..count], |part| {
            if let Part::End(header) = part
                && header.is_message()
            {
                if client.stage == Stage::Entering {
                    client.stage = Stage::In;
                    self.entered += 1;
                } else {
                    messages += 1;
                    self.bytes += header.length;
                }
            }
        });
        self.count(index, messages);
    }

    fn count(&mut self, index: usize, messages: usize) {
        let Some(client) = &mut self.clients[index] else { return };
        if messages == 0 {
            return;
        }
        let now = Instant::now();
        let mut echoes = 0;
        for _ in 0..messages {
            if let Some(sent_at) = client.sent_at.pop_front() {
                echoes += 1;
                self.latencies.record(now - sent_at);
            }
        }
        self.echoes += echoes as u64;
        self.others += (messages - echoes) as u64;
        if self.is_measuring && self.options.window > 0 {
            self.send(index, echoes, now);
        }
    }
}
