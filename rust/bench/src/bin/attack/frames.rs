//! Frames of clients, ready to be sent. The mask is zero: a server does not look at how random it is.

use std::iter;

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;
pub(crate) const FIN: u8 = 0x80;
pub(crate) const COMPRESSED: u8 = 0x40;

/// Bytes that are sent again and again have about this size.
const CYCLE: usize = 64 * 1024;

pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        size @ ..126 => bytes.push(0x80 | size as u8),
        size @ ..65536 => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(size as u16).to_be_bytes());
        }
        size => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(size as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

/// The same frame, many times.
pub(crate) fn many(first: u8, payload: &[u8]) -> Vec<u8> {
    let frame = frame(first, payload);
    frame.repeat(CYCLE / frame.len())
}

/// The request that opens a connection.
pub(crate) fn request(offers_compression: bool) -> Vec<u8> {
    let offer = if offers_compression { "Sec-WebSocket-Extensions: permessage-deflate\r\n" } else { "" };
    format!(
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{offer}\r\n"
    )
    .into_bytes()
}

pub(crate) const REQUEST_LINE: &[u8] = b"GET / HTTP/1.1\r\n";

/// What goes on and on behind it.
pub(crate) fn endless_head() -> Vec<u8> {
    b"X-More: and more\r\n".repeat(CYCLE / 18)
}

/// Bytes that look like nothing.
pub(crate) fn noise() -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    })
    .take(CYCLE)
    .collect()
}
