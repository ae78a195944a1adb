//! Calls that are not done: why, with what the sentence about it needs.

use std::{
    fmt::{self, Write},
    hash::{DefaultHasher, Hasher},
    sync::Mutex,
};

use rust_websocket_net::{ListenError, LocalAddressError, MAX_TRACED_PAYLOAD, lock};
use rust_websocket_proto::{
    HandshakeLineError, Quoted, ServerNameError, TargetError,
    admission::{NetworkError, OriginError},
    http::{AnswerError, DecisionError},
    tunnel::{EnvironmentError, ProxyError},
};
use thiserror::Error;

use crate::NotText;

/// Different sentences remembered per object. A script that makes up more of them is not listened
/// to any longer.
const REMEMBERED: usize = 32;

/// Most bytes of a request that somebody may have read before the class does: more than that is refused as a request.
pub const MAX_RECEIVED: usize = 16 * 1024;

/// Why a call is not done. Its text is one sentence for the script's author: what was wrong, and
/// what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Refused {
    /// A URL that cannot be used.
    #[error("The URL {} cannot be used: {problem}.", Quoted(.url))]
    Url {
        /// Without what may be secret in it.
        url: String,
        /// What is wrong with it.
        problem: TargetError,
    },
    /// A number that is no port.
    #[error("{call}: {port} is no port; ports are 0 to 65535.")]
    Port {
        /// The script's call.
        call: &'static str,
        /// As passed.
        port: i64,
    },
    /// A proxy that cannot be used.
    #[error("{call}: {problem}. No proxy is set.")]
    Proxy {
        /// The script's call.
        call: &'static str,
        /// What is wrong with it.
        problem: ProxyError,
    },
    /// A variable of the environment.
    #[error("{0}.")]
    Environment(EnvironmentError),
    /// The engine's own TLS, which goes straight to the server.
    #[error(
        "a client that trusts several certificates which were loaded while the game runs does not go through a proxy: trust \
         one, or load them with load(\"res://...\")."
    )]
    ProxyTls,
    /// A socket file, where the system has none.
    #[error("Unix sockets do not exist on this system: use ws:// or wss://.")]
    NoUnixSockets,
    /// An address that is neither `*` nor an IP address nor a socket file.
    #[error("{call}: cannot listen there: {problem}; use \"*\" or an IP address of this machine.")]
    BindAddress {
        /// The script's call.
        call: &'static str,
        /// What is wrong with it.
        problem: LocalAddressError,
    },
    /// The system does not let us listen.
    #[error("{call}: cannot listen on {address} port {port}: {problem}.")]
    Listen {
        /// The script's call.
        call: &'static str,
        /// As passed.
        address: String,
        /// As passed.
        port: u16,
        /// The system's reason.
        problem: ListenError,
    },
    /// TLS options of the wrong side, or that cannot be used.
    #[error("{call}: {problem}.")]
    Tls {
        /// The script's call.
        call: &'static str,
        /// A phrase.
        problem: String,
    },
    /// A call that needs a server.
    #[error("{0}: this multiplayer peer is no server; call create_server first.")]
    NotServer(&'static str),
    /// Certificates for a room, which does not listen itself.
    #[error(
        "{0}: this multiplayer peer gets its clients from a RustWebSocketServer; exchange the certificate of that one."
    )]
    RoomTls(&'static str),
    /// Certificates for a server that speaks no TLS.
    #[error(
        "{0}: this server listens without TLS; pass TLS options to create_server or listen to have wss://."
    )]
    NoTls(&'static str),
    /// A name that no client announces.
    #[error("{call}: {problem}.")]
    ServerName {
        /// The script's call.
        call: &'static str,
        /// What is wrong with it.
        problem: ServerNameError,
    },
    /// No stream.
    #[error("accept_stream takes a StreamPeer of any kind, not null.")]
    Stream,
    /// More of a request than one may be long.
    #[error("{call}: {size} bytes were received already; a request is no longer than {MAX_RECEIVED}.")]
    Received {
        /// The script's call.
        call: &'static str,
        /// How many.
        size: usize,
    },
    /// A string that is no text.
    #[error("{what} holds {problem}.")]
    NotText {
        /// Which one, perhaps with the script's call.
        what: &'static str,
        /// What is wrong with it.
        problem: NotText,
    },
    /// Bytes to be sent as text.
    #[error(
        "What is sent as text has to be valid UTF-8, which byte {valid_up_to} is not; send bytes with WRITE_MODE_BINARY."
    )]
    TextNotUtf8 {
        /// Bytes before it.
        valid_up_to: usize,
    },
    /// A handshake header or subprotocol that would break the handshake.
    #[error("Handshake refused: {0}.")]
    HandshakeLine(#[from] HandshakeLineError),
    /// Connecting or listening while doing so already.
    #[error("{call}: this {what}; close it first.", what = if *.is_multiplayer {
        "multiplayer peer is in use already"
    } else {
        "peer has a connection already"
    })]
    InUse {
        /// The script's call.
        call: &'static str,
        /// Which of the two classes.
        is_multiplayer: bool,
    },
    /// Sending without an open connection.
    #[error("Nothing can be sent: the connection is not open{}.", because(.why))]
    Closed {
        /// Why it ended, if there was one; may be empty.
        why: String,
    },
    /// Sending after the end was met and while it is not shown, for want of reading what came
    /// before it.
    #[error("Nothing can be sent: {}, and what it sent before is still to be read.", ended(.code))]
    Ended {
        /// Of the other side's close frame.
        code: Option<u16>,
    },
    /// The connection is lost and still shown as open until the next poll. No mistake of the
    /// script: nothing is reported.
    #[error("the connection is lost")]
    Lost,
    /// The outbound limits are reached.
    #[error(
        "The outbound buffer is full: the other side does not read fast enough (outbound_buffer_size, max_queued_packets)."
    )]
    Full,
    /// One message over the outbound limit.
    #[error("A message of {size} bytes is larger than outbound_buffer_size ({limit}).")]
    TooBig {
        /// Of the message.
        size: usize,
        /// `outbound_buffer_size`.
        limit: i64,
    },
    /// Receiving without an open connection.
    #[error("get_packet: there is no packet and the connection is not open{}.", because(.why))]
    NothingToReceive {
        /// Why it ended, if there was one; may be empty.
        why: String,
    },
    /// A close code that may not be sent; 1000 was.
    #[error("{call}: {code} is no close code that may be sent (1000-1003, 1007-1014, 3000-4999), 1000 is.")]
    CloseCode {
        /// The script's call.
        call: &'static str,
        /// As passed.
        code: i64,
    },
    /// A call that needs a connection.
    #[error("{0}: there is no connection.")]
    NoConnection(&'static str),
    /// A packet call on a multiplayer peer that is not connected.
    #[error("{call}: this multiplayer peer is not connected{}.", because(.why))]
    NotConnected {
        /// The script's call.
        call: &'static str,
        /// Why the connection ended, if there was one; may be empty.
        why: String,
    },
    /// Nobody has that id.
    #[error("{call}: there is no peer {id}.")]
    UnknownPeer {
        /// The script's call.
        call: &'static str,
        /// As passed.
        id: i64,
    },
    /// Nobody has the id that packets are to go to.
    #[error("put_packet: there is no peer {0} to send to (set_target_peer).")]
    UnknownTarget(i32),
    /// Who had the id that packets are to go to has left.
    #[error("put_packet: there is no peer {0} to send to any more (set_target_peer): it has left.")]
    TargetHasLeft(i32),
    /// One of several recipients does not take a message.
    #[error("Peer {id}: {refused}")]
    Recipient {
        /// Whose.
        id: i32,
        /// Why not.
        refused: Box<Refused>,
    },
    /// Answering a request twice.
    #[error("This request is answered already; each gets one answer.")]
    RequestAnswered,
    /// Answering a request too late.
    #[error(
        "It is too late to answer this request: the client has left, or request_timeout has passed (is_pending)."
    )]
    RequestOver,
    /// A decision that cannot be had.
    #[error("The request is still pending: {0}.")]
    Decision(Box<DecisionError>),
    /// An answer that cannot be given.
    #[error("The request is still pending: {0}.")]
    Answer(Box<AnswerError>),
    /// Whoever was to answer a request has forgotten it.
    #[error(
        "request_callback: it failed, or has returned, and nobody holds the request any more, so that it was answered with 500; call accept(), refuse() or respond(), or keep the request to answer it later."
    )]
    RequestDropped,
    /// The function that is to answer is gone.
    #[error(
        "request_callback: the object that it calls is gone, so that requests are answered with 500; set another, or Callable()."
    )]
    CallbackGone,
    /// Listening twice.
    #[error("listen: the server listens already; call stop() before.")]
    ListensAlready,
    /// A close code that may not be sent; 1001 was.
    #[error("stop: {0} is no close code that may be sent (1000-1003, 1007-1014, 3000-4999), 1001 is.")]
    StopCode(i64),
    /// A server that does not listen.
    #[error("{0}: the server does not listen; call listen() before.")]
    NotListening(&'static str),
    /// No server at all.
    #[error("create_server_from needs a RustWebSocketServer that listens, not null.")]
    NoServer,
    /// A path of a room.
    #[error(
        "create_server_from: {0:?} is no path; it begins with a slash, or is empty for all paths that nobody else has."
    )]
    RoomPath(Box<str>),
    /// A path that another room has.
    #[error("create_server_from: another multiplayer peer has the path {0:?} of this server.")]
    RoomTaken(Box<str>),
    /// An entry of `allowed_origins`; the list keeps what it had.
    #[error("allowed_origins keeps what it had: {0}.")]
    Origins(Box<OriginError>),
    /// An entry of `trusted_proxies`; the list keeps what it had.
    #[error("trusted_proxies keeps what it had: {0}.")]
    Proxies(Box<NetworkError>),
    /// A file for a trace that cannot be written.
    #[error("set_trace: {} cannot be written: {problem}; what was traced before is traced still.", Quoted(.path))]
    TraceFile {
        /// As passed.
        path: String,
        /// The engine's code for that.
        code: i32,
        /// The code's name, or the system's reason.
        problem: String,
    },
    /// A number of bytes that is none.
    #[error(
        "set_trace: payload_bytes is how many bytes of a payload are shown, 0 to {MAX_TRACED_PAYLOAD}, not {0}."
    )]
    TracedPayload(i64),
    /// A property's value out of range; it keeps the one before.
    #[error("{property} must be {allowed}, not {value}.")]
    OutOfRange {
        /// Its name.
        property: &'static str,
        /// What it may be.
        allowed: Allowed,
        /// As passed.
        value: String,
    },
}

impl Refused {
    /// The same about another call of the script.
    pub(crate) fn of_call(self, call: &'static str) -> Self {
        match self {
            Self::CloseCode { code, .. } => Self::CloseCode { call, code },
            Self::UnknownPeer { id, .. } => Self::UnknownPeer { call, id },
            other => other,
        }
    }

    /// Whether members of a server have brought it about, as many as there are, so that where the script called says nothing.
    pub fn is_by_members(&self) -> bool {
        matches!(self, Self::Recipient { refused, .. } if matches!(**refused, Self::Full))
    }

    /// Whether a script's author is to read of it.
    pub fn is_reported(&self) -> bool {
        !matches!(self, Self::Lost)
    }
}

fn because(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(" ({why})") }
}

fn ended(code: &Option<u16>) -> String {
    match code {
        Some(code) => format!("the other side has closed the connection (code {code})"),
        None => "the connection to the other side has ended".to_owned(),
    }
}

/// What a property may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Allowed {
    /// A whole number from there on.
    #[error("at least {0}")]
    AtLeast(i64),
    /// A finite number of seconds; 0 turns it off.
    #[error("0 (off) or a number of seconds")]
    SecondsOrOff,
    /// A finite number of seconds.
    #[error("a number of seconds above 0")]
    SecondsAboveZero,
    /// One of an enum's names.
    #[error("{}", .0.join(" or "))]
    OneOf(&'static [&'static str]),
}

/// Which sentences one object has reported: each is printed once.
#[derive(Debug, Default)]
pub struct Reported(Mutex<Vec<u64>>);

impl Reported {
    /// Whether to print this now.
    pub fn is_new(&self, refused: &Refused) -> bool {
        if !refused.is_reported() {
            return false;
        }
        let sentence = match refused {
            // As many as come and go: they are one sentence, and leave room for others.
            Refused::TargetHasLeft(_) => fingerprint(&Refused::TargetHasLeft(0)),
            _ => fingerprint(refused),
        };
        let mut known = lock(&self.0);
        if known.len() >= REMEMBERED || known.contains(&sentence) {
            return false;
        }
        known.push(sentence);
        true
    }
}

/// Of a text that is not put together for it: a script may repeat a mistake ten thousand times a
/// second.
fn fingerprint(text: &impl fmt::Display) -> u64 {
    struct Writer(DefaultHasher);
    impl Write for Writer {
        fn write_str(&mut self, part: &str) -> fmt::Result {
            self.0.write(part.as_bytes());
            Ok(())
        }
    }
    let mut writer = Writer(DefaultHasher::new());
    _ = write!(writer, "{text}"); // hashing does not fail
    writer.0.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sentence_is_reported_once() {
        let reported = Reported::default();
        assert!(reported.is_new(&Refused::Full));
        assert!(!reported.is_new(&Refused::Full));
        assert!(reported.is_new(&Refused::TooBig { size: 2, limit: 1 }));
        assert!(!reported.is_new(&Refused::Lost), "no mistake");
        for id in 0..1000 {
            let is_new = reported.is_new(&Refused::UnknownPeer { call: "get_peer", id });
            assert_eq!(is_new, id < REMEMBERED as i64 - 2, "{id}");
        }
    }

    #[test]
    fn those_who_have_left_are_one_sentence() {
        let reported = Reported::default();
        assert_eq!((2..1000).filter(|id| reported.is_new(&Refused::TargetHasLeft(*id))).count(), 1);
        assert!(reported.is_new(&Refused::Full), "a script's other mistakes are still told");
    }

    #[test]
    fn a_refusal_is_small() {
        // It is in the way of every send.
        assert!(size_of::<Refused>() <= 80, "{}", size_of::<Refused>());
    }
}
