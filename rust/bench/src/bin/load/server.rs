//! An echo server.

use std::{
    collections::HashMap,
    error::Error,
    io::{self, ErrorKind},
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, net::TcpListener};
use rust_websocket_proto::{Config, Connection, Event, Scheme};

use crate::{
    Report,
    options::Options,
    stream::Stream,
    wire::{Frames, Part, Pipe, apply_mask, write_header},
};

const LISTENER: Token = Token(usize::MAX);
const SCRATCH: usize = 256 * 1024;

/// One client. The upgrade is left to the protocol crate; it is not what is measured.
struct Session {
    pipe: Pipe,
    upgrade: Option<Box<Connection>>,
    frames: Frames,
}

/// Echoes until nobody is left, or the time is over.
pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, options.port)))?;
    let mut report = Report::default();
    report.add("port", f64::from(listener.local_addr()?.port()));
    report.write(options)?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(1024);
    let mut sessions: HashMap<Token, Session> = HashMap::new();
    let mut scratch = vec![0; SCRATCH];
    let mut next = 0;
    let end = Instant::now() + options.time;
    while Instant::now() < end {
        poll.poll(&mut events, Some(Duration::from_millis(100)))?;
        for event in &events {
            if event.token() == LISTENER {
                accept(&listener, &poll, &mut sessions, &mut next)?;
            } else if let Some(session) = sessions.get_mut(&event.token())
                && session.serve(&mut scratch).is_err()
            {
                sessions.remove(&event.token());
            }
        }
        if next > 0 && sessions.is_empty() {
            break;
        }
    }
    Ok(())
}

fn accept(
    listener: &TcpListener,
    poll: &Poll,
    sessions: &mut HashMap<Token, Session>,
    next: &mut usize,
) -> io::Result<()> {
    loop {
        match listener.accept() {
            Ok((mut stream, _)) => {
                stream.set_nodelay(true)?;
                let token = Token(*next);
                *next += 1;
                poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
                let upgrade = Connection::server(Scheme::Ws, Config::default(), Instant::now());
                let session = Session {
                    pipe: Pipe::new(Stream::Tcp(stream)),
                    upgrade: Some(Box::new(upgrade)),
                    frames: Frames::default(),
                };
                sessions.insert(token, session);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

impl Session {
    fn serve(&mut self, scratch: &mut [u8]) -> io::Result<()> {
        while let Some(count) = self.pipe.read(scratch)? {
            match self.upgrade.take() {
                Some(upgrade) => self.upgrade(upgrade, &scratch[..count]),
                None => self.echo(&mut scratch[..count])?,
            }
            self.pipe.flush()?;
        }
        self.pipe.flush()
    }

    fn upgrade(&mut self, mut upgrade: Box<Connection>, input: &[u8]) {
        let now = Instant::now();
        upgrade.handle_input(input, now);
        let opened = matches!(upgrade.poll_event(now), Some(Event::Opened(_)));
        let mut slices = [io::IoSlice::new(&[]); 4];
        let filled = upgrade.output(&mut slices);
        for slice in &slices[..filled] {
            self.pipe.output().extend_from_slice(slice);
        }
        if !opened {
            self.upgrade = Some(upgrade);
        }
    }

    fn echo(&mut self, input: &mut [u8]) -> io::Result<()> {
        let output = self.pipe.output();
        let mut is_closed = false;
        self.frames.take(input, |part| match part {
            Part::Begin(header) if header.is_message() => write_header(output, header.length as usize, None),
            Part::Payload(header, bytes, offset) if header.is_message() => {
                apply_mask(bytes, header.key.unwrap_or_default(), offset);
                output.extend_from_slice(bytes);
            }
            Part::End(header) => is_closed |= header.opcode == 8,
            _ => {}
        });
        if is_closed {
            // An empty close frame is the answer; the socket closes when this session is dropped.
            self.pipe.output().extend_from_slice(&[0x88, 0]);
            self.pipe.flush()?;
            return Err(ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}
