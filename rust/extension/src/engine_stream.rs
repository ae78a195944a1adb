//! A stream of the engine as a source and sink of bytes, on the thread that polls the peer.

use godot::builtin::{PackedByteArray, VarArray};
use godot::classes::{StreamPeer, StreamPeerTcp, StreamPeerTls, stream_peer_tcp, stream_peer_tls};
use godot::global::Error;
use godot::obj::{Gd, InstanceId};

/// Most bytes taken from the stream at once, so that a full receive queue stops reading soon.
const READ_CHUNK: i32 = 64 * 1024;

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

/// Which stream, by instance id: engine references must not travel with state that other threads can reach. The
/// engine object of the peer holds the reference that keeps the stream alive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EngineStream {
    tcp: InstanceId,
    tls: Option<InstanceId>,
}

impl EngineStream {
    /// `None` unless it is a TCP stream or a TLS stream over one.
    pub(crate) fn new(stream: &Gd<StreamPeer>) -> Option<Self> {
        if let Ok(tls) = stream.clone().try_cast::<StreamPeerTls>() {
            let tcp = tls.get_stream()?.try_cast::<StreamPeerTcp>().ok()?;
            return Some(Self { tcp: tcp.instance_id(), tls: Some(tls.instance_id()) });
        }
        let tcp = stream.clone().try_cast::<StreamPeerTcp>().ok()?;
        Some(Self { tcp: tcp.instance_id(), tls: None })
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
        Some(OpenStream { tcp, tls })
    }
}

/// References to a stream, held during one call.
pub(crate) struct OpenStream {
    tcp: Gd<StreamPeerTcp>,
    tls: Option<Gd<StreamPeerTls>>,
}

impl OpenStream {
    /// Lets the engine look at the socket.
    pub(crate) fn poll(&mut self) {
        match &mut self.tls {
            Some(tls) => tls.poll(),
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
        let stream = self.stream();
        let available = stream.get_available_bytes();
        if available <= 0 {
            return (PackedByteArray::new(), false);
        }
        let (_, data) = split_answer(&stream.get_partial_data(available.min(READ_CHUNK)));
        // A TCP stream counts all that has arrived, a TLS stream only the record that it has decrypted.
        let may_have_more = self.tls.is_some() || available > READ_CHUNK;
        (data, may_have_more)
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
        Some((self.tcp.get_connected_host().to_string(), port))
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
