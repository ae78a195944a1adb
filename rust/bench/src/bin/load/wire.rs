//! As much of WebSocket as a load generator needs, and no more: it has to be far cheaper than what it measures.

use std::io::{self, Read, Write};

use rustls::ClientConnection;

use crate::stream::Stream;

/// Masks need not be unpredictable here; one for all saves drawing them.
pub(crate) const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub(crate) const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// The same, with an offer to compress.
pub(crate) const DEFLATING_REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\r\n";

/// A frame's header as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) opcode: u8,
    pub(crate) length: u64,
    pub(crate) key: Option<[u8; 4]>,
}

impl Header {
    pub(crate) fn is_message(self) -> bool {
        self.opcode < 8
    }
}

/// The header at the beginning of `bytes` and its size; `None` if there is more to come.
pub(crate) fn read_header(bytes: &[u8]) -> Option<(Header, usize)> {
    let [first, second, rest @ ..] = bytes else { return None };
    let (length, used) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 2),
        127 => (u64::from_be_bytes(*rest.first_chunk()?), 8),
        short => (u64::from(short), 0),
    };
    let (key, used) = match second & 0x80 {
        0 => (None, used),
        _ => (Some(*rest.get(used..)?.first_chunk()?), used + 4),
    };
    Some((Header { opcode: first & 0x0f, length, key }, used + 2))
}

/// Appends the header of an unfragmented binary frame.
pub(crate) fn write_header(output: &mut Vec<u8>, length: usize, key: Option<[u8; 4]>) {
    let masked = if key.is_some() { 0x80 } else { 0 };
    output.push(0x82);
    match length {
        0..126 => output.push(masked | length as u8),
        126..65536 => {
            output.push(masked | 126);
            output.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            output.push(masked | 127);
            output.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    output.extend_from_slice(key.as_ref().map_or(&[], |key| key));
}

/// Masks or unmasks `data`, whose first byte is number `offset` of its frame.
pub(crate) fn apply_mask(data: &mut [u8], key: [u8; 4], offset: u64) {
    let mut key = key;
    key.rotate_left((offset % 4) as usize);
    let [a, b, c, d] = key;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = data.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (index, byte) in rest.iter_mut().enumerate() {
        *byte ^= key[index % 4];
    }
}

/// A socket, perhaps with TLS, and what it has not taken yet.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) stream: Stream,
    session: Option<Box<ClientConnection>>,
    output: Vec<u8>,
    written: usize,
}

impl Pipe {
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream, session: None, output: Vec::new(), written: 0 }
    }

    /// A client's end with TLS.
    pub(crate) fn secure(stream: Stream, mut session: ClientConnection) -> Self {
        // What is to be written has waited here already.
        session.set_buffer_limit(None);
        Self { session: Some(Box::new(session)), ..Self::new(stream) }
    }

    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Writes what the kernel takes.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if let Some(session) = &mut self.session {
            session.writer().write_all(&self.output)?;
            self.output.clear();
            return write_records(session, &mut self.stream);
        }
        while self.written < self.output.len() {
            match self.stream.write(&self.output[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.output.clear();
        self.written = 0;
        if self.output.capacity() > 1 << 20 {
            self.output = Vec::new();
        }
        Ok(())
    }

    /// Reads what is there: `None` when there is nothing (more) now.
    pub(crate) fn read(&mut self, scratch: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            let read = match &mut self.session {
                Some(session) => read_plaintext(session, &mut self.stream, scratch),
                None => self.stream.read(scratch),
            };
            match read {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => return Ok(Some(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Reads through TLS; what it has to answer is written.
fn read_plaintext(
    session: &mut ClientConnection,
    stream: &mut Stream,
    scratch: &mut [u8],
) -> io::Result<usize> {
    loop {
        match session.reader().read(scratch) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
        if session.read_tls(stream)? == 0 {
            return Ok(0);
        }
        session.process_new_packets().map_err(io::Error::other)?;
        write_records(session, stream)?;
    }
}

fn write_records(session: &mut ClientConnection, stream: &mut Stream) -> io::Result<()> {
    while session.wants_write() {
        match session.write_tls(stream) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Cuts a stream of bytes into frames; payloads are passed on as they come.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// The beginning of a header.
    partial: Vec<u8>,
    /// The frame under way, and how much of its payload has come.
    current: Option<(Header, u64)>,
}

/// What [`Frames::take`] meets.
pub(crate) enum Part<'a> {
    Begin(Header),
    /// Bytes of the payload and where in it they stand.
    Payload(Header, &'a mut [u8], u64),
    End(Header),
}

impl Frames {
    pub(crate) fn take(&mut self, bytes: &mut [u8], mut handle: impl FnMut(Part<'_>)) {
        let mut at = 0;
        loop {
            let Some((header, done)) = self.current else {
                let Some((header, size)) = self.next_header(&bytes[at..]) else { return };
                at += size;
                handle(Part::Begin(header));
                self.current = Some((header, 0));
                continue;
            };
            let wanted = header.length - done;
            let count = usize::try_from(wanted).unwrap_or(usize::MAX).min(bytes.len() - at);
            if count > 0 {
                handle(Part::Payload(header, &mut bytes[at..at + count], done));
                at += count;
            }
            if (count as u64) < wanted {
                self.current = Some((header, done + count as u64));
                return;
            }
            self.current = None;
            handle(Part::End(header));
            if at == bytes.len() {
                return;
            }
        }
    }

    /// The next header and how many of `bytes` belong to it; keeps them if it is not complete.
    fn next_header(&mut self, bytes: &[u8]) -> Option<(Header, usize)> {
        if self.partial.is_empty() {
            let found = read_header(bytes);
            if found.is_none() {
                self.partial.extend_from_slice(bytes);
            }
            return found;
        }
        let before = self.partial.len();
        for byte in bytes {
            self.partial.push(*byte);
            if let Some((header, size)) = read_header(&self.partial) {
                self.partial.clear();
                return Some((header, size - before));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cut_gives_the_same_frames() {
        let mut stream = Vec::new();
        for size in [0, 5, 125, 126, 300, 70_000] {
            write_header(&mut stream, size, Some(KEY));
            let start = stream.len();
            stream.resize(start + size, 7);
            apply_mask(&mut stream[start..], KEY, 0);
        }
        for step in [1, 3, 1000, stream.len()] {
            let mut frames = Frames::default();
            let (mut ends, mut payload) = (0, 0);
            for piece in stream.clone().chunks_mut(step) {
                frames.take(piece, |part| match part {
                    Part::Begin(_) => {}
                    Part::Payload(header, bytes, offset) => {
                        apply_mask(bytes, header.key.unwrap(), offset);
                        assert!(bytes.iter().all(|byte| *byte == 7));
                        payload += bytes.len();
                    }
                    Part::End(_) => ends += 1,
                });
            }
            assert_eq!((ends, payload), (6, 70_556), "{step}");
        }
    }
}
