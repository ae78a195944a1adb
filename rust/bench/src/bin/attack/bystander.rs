//! An honest client: what it sends has to come back, whatever the others do.

use std::{
    error::Error,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use rustls::StreamOwned;

use crate::{
    frames::{self, BINARY, CLOSE, FIN, PING, PONG, TEXT},
    greeting,
    options::Options,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// What the server's script sends back begins with this.
const MARK: u8 = b'B';
/// What it sends to everybody begins with this.
const BROADCAST: u8 = b'C';
/// Payload of a message that is sent to come back.
const SIZE: usize = 64;

/// A connection without anything of what it tests.
pub(crate) struct Client {
    stream: Box<dyn Stream>,
    input: Vec<u8>,
    sent: u64,
    returned: u64,
    broadcasts: u64,
    last_broadcast: Option<u64>,
}

impl Client {
    /// Connects, and waits for everything that takes at most for `patience`.
    pub(crate) fn connect(options: &Options, patience: Duration) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
        let stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        let stream: Box<dyn Stream> = if options.is_secure {
            Box::new(StreamOwned::new(greeting::session()?, stream))
        } else {
            Box::new(stream)
        };
        let mut client =
            Self { stream, input: Vec::new(), sent: 0, returned: 0, broadcasts: 0, last_broadcast: None };
        client.upgrade()?;
        if !options.is_raw {
            // The id that a multiplayer server gives.
            let (opcode, payload) = client.receive()?;
            if opcode != BINARY || payload.len() != 4 {
                return Err(format!("no peer id: opcode {opcode}, {} bytes", payload.len()).into());
            }
        }
        Ok(client)
    }

    fn upgrade(&mut self) -> Result<()> {
        self.stream.write_all(&frames::request(false))?;
        self.stream.flush()?;
        loop {
            if let Some(end) = self.input.windows(4).position(|window| window == b"\r\n\r\n") {
                if !self.input.starts_with(b"HTTP/1.1 101") {
                    return Err(format!("refused: {}", String::from_utf8_lossy(&self.input[..end])).into());
                }
                self.input.drain(..end + 4);
                return Ok(());
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> Result<()> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer)? {
            0 => Err("the server has ended the connection".into()),
            count => {
                self.input.extend_from_slice(&buffer[..count]);
                Ok(())
            }
        }
    }

    fn send(&mut self, first: u8, payload: &[u8]) -> io::Result<()> {
        self.stream.write_all(&frames::frame(first, payload))?;
        self.stream.flush()
    }

    /// The next frame's opcode and payload.
    fn receive(&mut self) -> Result<(u8, Vec<u8>)> {
        loop {
            if let Some((opcode, start, end)) = frame_in(&self.input) {
                let payload = self.input[start..end].to_vec();
                self.input.drain(..end);
                return Ok((opcode, payload));
            }
            self.fill()?;
        }
    }

    /// The next frame that is neither a broadcast nor one of ours that comes back; those are checked.
    fn next_answer(&mut self) -> Result<Option<(u8, Vec<u8>)>> {
        let (opcode, payload) = self.receive()?;
        match (opcode, payload.first()) {
            (BINARY, Some(&MARK)) => {
                if number(&payload)? != self.returned || payload.len() != SIZE {
                    return Err(
                        format!("message {} came back as {}", self.returned, number(&payload)?).into()
                    );
                }
                self.returned += 1;
                Ok(None)
            }
            (BINARY, Some(&BROADCAST)) => {
                let number = number(&payload)?;
                if self.last_broadcast.is_some_and(|last| number != last + 1) {
                    return Err(format!("broadcast {number} came after {:?}", self.last_broadcast).into());
                }
                self.last_broadcast = Some(number);
                self.broadcasts += 1;
                Ok(None)
            }
            (CLOSE, _) => Err(format!("the server has closed: {payload:?}").into()),
            _ => Ok(Some((opcode, payload))),
        }
    }

    /// Sends a ping and waits for its pong.
    pub(crate) fn ping(&mut self) -> Result<()> {
        self.send(FIN | PING, b"bystander")?;
        loop {
            match self.next_answer()? {
                Some((PONG, payload)) if payload == b"bystander" => return Ok(()),
                Some((opcode, payload)) => return Err(format!("no pong: {opcode} {payload:?}").into()),
                None => {}
            }
        }
    }

    /// Sends the next message that is to come back.
    pub(crate) fn send_message(&mut self) -> Result<()> {
        let mut payload = [0; SIZE];
        payload[0] = MARK;
        payload[1..9].copy_from_slice(&self.sent.to_le_bytes());
        self.sent += 1;
        Ok(self.send(FIN | BINARY, &payload)?)
    }

    /// Waits until every message has come back.
    pub(crate) fn wait_for_messages(&mut self) -> Result<()> {
        while self.returned < self.sent {
            if let Some((opcode, payload)) = self.next_answer()? {
                return Err(format!("not asked for: {opcode} {payload:?}").into());
            }
        }
        Ok(())
    }

    /// Has the server's script do something, and returns what it says.
    pub(crate) fn ask(&mut self, command: &str) -> Result<String> {
        self.send(FIN | BINARY, command.as_bytes())?;
        loop {
            match self.next_answer()? {
                Some((BINARY | TEXT, payload)) => return Ok(String::from_utf8(payload)?),
                Some((opcode, payload)) => return Err(format!("no answer: {opcode} {payload:?}").into()),
                None => {}
            }
        }
    }

    /// Closes as the protocol wants it.
    pub(crate) fn close(mut self) -> Result<()> {
        self.send(FIN | CLOSE, &1000_u16.to_be_bytes())?;
        loop {
            if self.receive()?.0 == CLOSE {
                return Ok(());
            }
        }
    }

    pub(crate) fn messages(&self) -> (u64, u64) {
        (self.sent, self.returned)
    }

    pub(crate) fn broadcasts(&self) -> u64 {
        self.broadcasts
    }
}

/// The opcode of the frame at the beginning, and where its payload is; `None` if there is more to come.
fn frame_in(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let [first, second, rest @ ..] = bytes else { return None };
    let (length, start) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 4),
        127 => (u64::from_be_bytes(*rest.first_chunk()?), 10),
        short => (u64::from(short), 2),
    };
    let end = usize::try_from(length).ok()?.checked_add(start)?;
    (end <= bytes.len()).then_some((first & 0x0f, start, end))
}

fn number(payload: &[u8]) -> Result<u64> {
    let bytes = payload.get(1..9).ok_or("a message came back cut")?;
    Ok(u64::from_le_bytes(bytes.try_into()?))
}
