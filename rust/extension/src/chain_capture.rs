//! How the engine's own TLS server presents a certificate chain, learnt from a handshake in memory: nothing else in the
//! engine tells the members of a chain that was not loaded as a resource.

use godot::classes::{ClassDb, StreamPeer, StreamPeerTls, TlsOptions, stream_peer_tls};
use godot::global::Error;
use godot::prelude::*;
use rust_websocket_net::{CertificateChain, ChainCapture};

/// Turns of the conversation; the engine presents its certificates in the second (a retried greeting costs one more).
const TURNS: usize = 8;

/// The chain that a server with these options presents.
pub(crate) fn capture(options: &Gd<TlsOptions>) -> Option<CertificateChain> {
    let mut client = ChainCapture::new().ok()?;
    let mut pipe = Pipe::new()?;
    let mut server = StreamPeerTls::new_gd();
    pipe.hand_over(&client.take_output());
    if server.accept_stream(&pipe.stream, options) != Error::OK {
        return None;
    }
    for _ in 0..TURNS {
        client.handle_input(&pipe.take_answer());
        if let Some(chain) = client.chain() {
            return Some(chain);
        }
        pipe.hand_over(&client.take_output());
        if server.get_status() != stream_peer_tls::Status::HANDSHAKING {
            return None;
        }
        server.poll();
    }
    None
}

/// The engine's buffer as a stream for its TLS to talk over, one turn at a time. Reading and writing share one cursor:
/// the server reads what it was handed to the end, and what it then writes stands behind that.
///
/// A stream class of ours would do it too, but code completion would offer it, internal or not.
struct Pipe {
    stream: Gd<StreamPeer>,
    handed_over: usize,
}

impl Pipe {
    fn new() -> Option<Self> {
        let stream = ClassDb::singleton().instantiate("StreamPeerBuffer").try_to::<Gd<StreamPeer>>().ok()?;
        Some(Self { stream, handed_over: 0 })
    }

    /// The server's next input, in place of everything that was there.
    fn hand_over(&mut self, bytes: &[u8]) {
        self.handed_over = bytes.len();
        self.stream.call("set_data_array", &[PackedByteArray::from(bytes).to_variant()]);
        self.stream.call("seek", &[0.to_variant()]);
    }

    /// What the server has written since.
    fn take_answer(&mut self) -> Vec<u8> {
        let bytes = self.stream.call("get_data_array", &[]).try_to::<PackedByteArray>().unwrap_or_default();
        bytes.as_slice().get(self.handed_over..).unwrap_or_default().to_vec()
    }
}
