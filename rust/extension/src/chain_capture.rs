//! How the engine's own TLS server presents a certificate chain, learnt from a handshake in memory: nothing else in the
//! engine tells the members of a chain that was not loaded as a resource.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use godot::classes::{IStreamPeerExtension, StreamPeerTls, TlsOptions, stream_peer_tls};
use godot::global::Error;
use godot::meta::conv::RawPtr;
use godot::prelude::*;
use rust_websocket_net::{CertificateChain, ChainCapture};

/// Turns of the conversation; the engine presents its certificates in the second (a retried greeting costs one more).
const TURNS: usize = 8;

/// The chain that a server with these options presents.
pub(crate) fn capture(options: &Gd<TlsOptions>) -> Option<CertificateChain> {
    let mut client = ChainCapture::new().ok()?;
    let pipes = Arc::new(Pipes::default());
    let stream = Gd::from_object(RustWebSocketMemoryStream { pipes: Arc::clone(&pipes) });
    let mut server = StreamPeerTls::new_gd();
    pipes.lock().to_engine.extend(client.take_output());
    if server.accept_stream(&stream, options) != Error::OK {
        return None;
    }
    for _ in 0..TURNS {
        let said = std::mem::take(&mut pipes.lock().from_engine);
        client.handle_input(&said);
        if let Some(chain) = client.chain() {
            return Some(chain);
        }
        pipes.lock().to_engine.extend(client.take_output());
        if server.get_status() != stream_peer_tls::Status::HANDSHAKING {
            return None;
        }
        server.poll();
    }
    None
}

#[derive(Default)]
struct Pipes(Mutex<Bytes>);

/// What waits for each side.
#[derive(Default)]
struct Bytes {
    to_engine: Vec<u8>,
    from_engine: Vec<u8>,
}

impl Pipes {
    fn lock(&self) -> MutexGuard<'_, Bytes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream in memory, for the engine's TLS to talk over. Of no use to scripts.
#[derive(GodotClass)]
#[class(tool, internal, no_init, base = StreamPeerExtension)]
struct RustWebSocketMemoryStream {
    pipes: Arc<Pipes>,
}

impl RustWebSocketMemoryStream {
    /// # Safety
    /// As the engine calls it: `buffer` has room for `size` bytes, `received` is a variable.
    unsafe fn read(&self, buffer: *mut u8, size: i32, received: *mut i32) {
        let mut pipes = self.pipes.lock();
        let count = pipes.to_engine.len().min(usize::try_from(size).unwrap_or(0));
        // SAFETY: the caller's promise; the bytes are ours and do not overlap the engine's.
        unsafe {
            std::ptr::copy_nonoverlapping(pipes.to_engine.as_ptr(), buffer, count);
            *received = i32::try_from(count).unwrap_or(0);
        }
        pipes.to_engine.drain(..count);
    }

    /// # Safety
    /// As the engine calls it: `data` holds `size` bytes, `sent` is a variable.
    unsafe fn write(&self, data: *const u8, size: i32, sent: *mut i32) {
        let count = usize::try_from(size).unwrap_or(0);
        if count > 0 {
            // SAFETY: the caller's promise.
            self.pipes
                .lock()
                .from_engine
                .extend_from_slice(unsafe { std::slice::from_raw_parts(data, count) });
        }
        // SAFETY: the caller's promise.
        unsafe { *sent = size.max(0) };
    }
}

#[godot_api]
impl IStreamPeerExtension for RustWebSocketMemoryStream {
    unsafe fn get_data_rawptr(
        &mut self,
        r_buffer: RawPtr<*mut u8>,
        r_bytes: i32,
        r_received: RawPtr<*mut i32>,
    ) -> Error {
        // SAFETY: as the engine calls it.
        unsafe { self.read(r_buffer.ptr(), r_bytes, r_received.ptr()) };
        Error::OK
    }

    unsafe fn get_partial_data_rawptr(
        &mut self,
        r_buffer: RawPtr<*mut u8>,
        r_bytes: i32,
        r_received: RawPtr<*mut i32>,
    ) -> Error {
        // SAFETY: as the engine calls it.
        unsafe { self.read(r_buffer.ptr(), r_bytes, r_received.ptr()) };
        Error::OK
    }

    unsafe fn put_data_rawptr(
        &mut self,
        p_data: RawPtr<*const u8>,
        p_bytes: i32,
        r_sent: RawPtr<*mut i32>,
    ) -> Error {
        // SAFETY: as the engine calls it.
        unsafe { self.write(p_data.ptr(), p_bytes, r_sent.ptr()) };
        Error::OK
    }

    unsafe fn put_partial_data_rawptr(
        &mut self,
        p_data: RawPtr<*const u8>,
        p_bytes: i32,
        r_sent: RawPtr<*mut i32>,
    ) -> Error {
        // SAFETY: as the engine calls it.
        unsafe { self.write(p_data.ptr(), p_bytes, r_sent.ptr()) };
        Error::OK
    }

    fn get_available_bytes(&self) -> i32 {
        i32::try_from(self.pipes.lock().to_engine.len()).unwrap_or(i32::MAX)
    }
}
