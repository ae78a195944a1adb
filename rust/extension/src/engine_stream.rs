//! A stream of the engine as a source and sink of bytes, on the thread that polls the peer.

use std::{
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use rust_websocket_net::lock;

use godot::builtin::{GString, PackedByteArray, VarArray};
use godot::classes::{
    RefCounted, StreamPeer, StreamPeerTcp, StreamPeerTls, TlsOptions, stream_peer_tcp, stream_peer_tls,
};
use godot::global::Error;
use godot::obj::{Gd, InstanceId, NewGd};

use crate::{report::quietly, text};

/// Most bytes taken from the stream at once, so that a full receive queue stops reading soon.
const READ_CHUNK: i32 = 64 * 1024;

/// Most bytes that a TLS stream takes at once.
pub(crate) const TLS_RECORD: usize = 16 * 1024;

/// What a stream is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StreamState {
    /// TLS handshake under way.
    Handshaking,
    /// Bytes flow.
    Open,
    /// The other side ended it.
    Ended,
    /// It broke; one phrase.
    Failed(String),
}

/// What keeps the objects behind an [`EngineStream`] alive.
pub(crate) type Held = Vec<Gd<RefCounted>>;

/// Where an engine object keeps it, for its latest connection.
#[derive(Default)]
pub(crate) struct Holder {
    held: Mutex<Held>,
    /// The [pump](crate::pump) of a stream of another kind; 0 for none.
    pump: AtomicU64,
}

impl Holder {
    /// The latest connection is over that stream, which a pump keeps that has this number, or which is to be held here (0).
    pub(crate) fn hold_stream(&self, stream: Gd<StreamPeer>, pump: u64) {
        self.pump.store(pump, Ordering::Relaxed);
        self.hold(if pump == 0 { vec![stream.upcast()] } else { Held::new() });
    }

    /// Its number; 0 for none.
    pub(crate) fn pump(&self) -> u64 {
        self.pump.load(Ordering::Relaxed)
    }

    pub(crate) fn hold(&self, held: Held) {
        let before = std::mem::replace(&mut *lock(&self.held), held);
        drop(before); // after the lock is gone
    }
}

/// Which stream, by instance id: engine references must not travel with state that other threads can reach. The
/// engine object of the peer holds the references that keep the stream alive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EngineStream {
    tcp: InstanceId,
    tls: Option<InstanceId>,
    /// Of a stream that a client connects.
    options: Option<InstanceId>,
}

impl EngineStream {
    /// A TLS stream for a client to connect, with these options.
    pub(crate) fn for_client(options: &Gd<TlsOptions>) -> (Self, Held) {
        let (tcp, tls) = (StreamPeerTcp::new_gd(), StreamPeerTls::new_gd());
        let stream = Self {
            tcp: tcp.instance_id(),
            tls: Some(tls.instance_id()),
            options: Some(options.instance_id()),
        };
        (stream, vec![tcp.upcast(), tls.upcast(), options.clone().upcast()])
    }

    /// `None` unless it is a TCP stream or a TLS stream over one.
    pub(crate) fn new(stream: &Gd<StreamPeer>) -> Option<Self> {
        if let Ok(tls) = stream.clone().try_cast::<StreamPeerTls>() {
            let tcp = tls.get_stream()?.try_cast::<StreamPeerTcp>().ok()?;
            return Some(Self { tcp: tcp.instance_id(), tls: Some(tls.instance_id()), options: None });
        }
        let tcp = stream.clone().try_cast::<StreamPeerTcp>().ok()?;
        Some(Self { tcp: tcp.instance_id(), tls: None, options: None })
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// For the calls of one poll; `None` when somebody has freed the stream.
    pub(crate) fn open(&self) -> Option<OpenStream> {
        let tcp = Gd::<StreamPeerTcp>::try_from_instance_id(self.tcp).ok()?;
        let tls = match self.tls {
            Some(id) => Some(Gd::<StreamPeerTls>::try_from_instance_id(id).ok()?),
            None => None,
        };
        Some(OpenStream { tcp, tls, options: self.options })
    }
}

/// References to a stream, held during one call.
pub(crate) struct OpenStream {
    tcp: Gd<StreamPeerTcp>,
    tls: Option<Gd<StreamPeerTls>>,
    options: Option<InstanceId>,
}

impl OpenStream {
    /// Begins to connect TCP, after whatever was tried before. False if that fails at once.
    pub(crate) fn connect(&mut self, address: SocketAddr) -> bool {
        self.tcp.disconnect_from_host();
        let host = GString::from(&address.ip().to_string());
        quietly(|| self.tcp.connect_to_host(&host, i32::from(address.port()))) == Error::OK
    }

    /// How connecting TCP stands.
    pub(crate) fn connecting(&mut self) -> StreamState {
        // The engine complains of a refused connection, which is nobody's mistake.
        quietly(|| _ = self.tcp.poll());
        tcp_state(self.tcp.get_status())
    }

    /// Begins TLS over the connected socket, for that name unless the options have another. False if it cannot.
    pub(crate) fn secure(&mut self, host: &str) -> bool {
        let Some(options) = self.options() else { return false };
        let Some(tls) = &mut self.tls else { return false };
        let tcp = &self.tcp;
        quietly(|| tls.connect_to_stream_ex(tcp, host).client_options(&options).done()) == Error::OK
    }

    /// How the TLS handshake stands.
    pub(crate) fn securing(&mut self) -> StreamState {
        if self.state() == StreamState::Handshaking {
            self.poll();
        }
        self.state()
    }

    /// The name that a client's options ask for, empty for the host's; `None` if any will do.
    pub(crate) fn expected_name(&self) -> Option<String> {
        let options = self.options()?;
        (!options.is_unsafe_client()).then(|| text::read_lossy(&options.get_common_name_override()))
    }

    fn options(&self) -> Option<Gd<TlsOptions>> {
        Gd::try_from_instance_id(self.options?).ok()
    }

    /// Lets the engine look at the socket.
    pub(crate) fn poll(&mut self) {
        match &mut self.tls {
            // The engine complains of a poll after the end.
            Some(tls) => match tls_state(tls.get_status()) {
                StreamState::Ended | StreamState::Failed(_) => {}
                // Of a handshake that fails it complains as often as others like.
                StreamState::Handshaking => quietly(|| tls.poll()),
                StreamState::Open => tls.poll(),
            },
            None => _ = self.tcp.poll(),
        }
    }

    pub(crate) fn state(&self) -> StreamState {
        match &self.tls {
            Some(tls) => tls_state(tls.get_status()),
            None => tcp_state(self.tcp.get_status()),
        }
    }

    /// What can be read now, at most a chunk, and whether there may be more; empty when there is nothing.
    pub(crate) fn read(&mut self) -> (PackedByteArray, bool) {
        if self.tls.is_some() {
            return (self.read_decrypted(), true);
        }
        let available = self.tcp.get_available_bytes();
        if available <= 0 {
            return (PackedByteArray::new(), false);
        }
        let (_, data) = split_answer(&self.tcp.get_partial_data(available.min(READ_CHUNK)));
        (data, available > READ_CHUNK)
    }

    /// What a TLS stream holds of one record. It is asked for exactly that: where it meets the end while it looks for
    /// more, it drops what it has.
    fn read_decrypted(&mut self) -> PackedByteArray {
        let Some(tls) = &mut self.tls else { return PackedByteArray::new() };
        if tls.get_available_bytes() <= 0 {
            // Decrypts the next record.
            tls.poll();
        }
        if tls.get_status() != stream_peer_tls::Status::CONNECTED {
            return PackedByteArray::new();
        }
        match tls.get_available_bytes() {
            available @ 1.. => split_answer(&tls.get_partial_data(available)).1,
            _ => PackedByteArray::new(),
        }
    }

    /// The end that carries our bytes.
    fn stream(&mut self) -> &mut StreamPeer {
        match &mut self.tls {
            Some(tls) => &mut *tls,
            None => &mut self.tcp,
        }
    }

    /// Offers bytes to the stream; how many it took, `None` when it is broken.
    pub(crate) fn write(&mut self, data: &PackedByteArray) -> Option<usize> {
        let answer = self.stream().put_partial_data(data);
        let taken = answer.get(1).and_then(|taken| taken.try_to::<i64>().ok()).unwrap_or(0);
        (error_of(&answer) == Error::OK).then(|| usize::try_from(taken).unwrap_or(0))
    }

    /// A connection begins over it: the other side's address and port as the engine writes them, if it is connected.
    pub(crate) fn start(&mut self, no_delay: bool) -> Option<(String, u16)> {
        if tcp_state(self.tcp.get_status()) != StreamState::Open {
            return None;
        }
        self.tcp.set_no_delay(no_delay);
        let port = u16::try_from(self.tcp.get_connected_port()).unwrap_or(0);
        Some((text::read_lossy(&self.tcp.get_connected_host()), port))
    }

    pub(crate) fn set_no_delay(&mut self, enabled: bool) {
        if tcp_state(self.tcp.get_status()) == StreamState::Open {
            self.tcp.set_no_delay(enabled);
        }
    }

    pub(crate) fn disconnect(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.disconnect_from_stream();
        }
        self.tcp.disconnect_from_host();
    }
}

/// `[error, data]`, as the engine's partial reads answer.
fn split_answer(answer: &VarArray) -> (Error, PackedByteArray) {
    let data = answer.get(1).and_then(|data| data.try_to().ok()).unwrap_or_default();
    (error_of(answer), data)
}

fn error_of(answer: &VarArray) -> Error {
    answer.get(0).and_then(|error| error.try_to().ok()).unwrap_or(Error::FAILED)
}

fn tcp_state(status: stream_peer_tcp::Status) -> StreamState {
    use stream_peer_tcp::Status;
    match status {
        Status::CONNECTED => StreamState::Open,
        Status::CONNECTING => StreamState::Handshaking,
        Status::ERROR => StreamState::Failed("the TCP connection broke".to_owned()),
        _ => StreamState::Ended,
    }
}

fn tls_state(status: stream_peer_tls::Status) -> StreamState {
    use stream_peer_tls::Status;
    match status {
        Status::CONNECTED => StreamState::Open,
        Status::HANDSHAKING => StreamState::Handshaking,
        Status::DISCONNECTED => StreamState::Ended,
        _ => StreamState::Failed("the TLS connection broke".to_owned()),
    }
}
