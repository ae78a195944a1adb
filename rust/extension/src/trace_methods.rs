//! `set_trace`, the same on all classes.

use std::path::Path;

use godot::classes::FileAccess;
use godot::classes::file_access::ModeFlags;
use godot::global::Error;
use godot::obj::EngineEnum;
use godot::prelude::*;
use rust_websocket_net::{MAX_TRACED_PAYLOAD, Trace};
use rust_websocket_peers::{Locked, Multiplayer, Peer, Reception, Refused, Subject};

use crate::{
    multiplayer_peer::RustWebSocketMultiplayerPeer,
    report::{self, fence},
    server::RustWebSocketServer,
    text,
    websocket_peer::RustWebSocketPeer,
};

macro_rules! trace_methods {
    ($class:ident, $state:ty) => {
        impl Traced for $state {
            fn set_trace(&mut self, trace: Option<Trace>) -> Option<Trace> {
                <$state>::set_trace(self, trace)
            }
        }

        #[godot_api(secondary)]
        impl $class {
            #[func(gd_self)]
            fn set_trace(this: Gd<Self>, path: GString, #[opt(default = 75)] payload_bytes: i64) -> Error {
                fence(Error::ERR_BUG, || set(&*Self::state_of(&this), &path, payload_bytes))
            }
        }
    };
}

trace_methods!(RustWebSocketPeer, Peer);
trace_methods!(RustWebSocketMultiplayerPeer, Multiplayer);
trace_methods!(RustWebSocketServer, Reception);

/// What can be traced.
trait Traced: Subject {
    /// Returns the trace that is to be ended.
    fn set_trace(&mut self, trace: Option<Trace>) -> Option<Trace>;
}

fn set<T: Traced>(state: &Locked<T>, path: &GString, payload_bytes: i64) -> Error {
    let trace = text::read("set_trace: the path", path).and_then(|path| open(&path, payload_bytes));
    match trace {
        Err(refused) => report::answer::<_, ()>(state, |_| Err(refused)),
        Ok(trace) => {
            let ended = state.with(|subject| subject.set_trace(trace));
            // May wait for the disk a little, with nothing locked.
            ended.inspect(Trace::end);
            Error::OK
        }
    }
}

/// `None` for an empty path. The engine opens the file, so that paths mean what they mean to it, and errors are its own.
fn open(path: &str, payload_bytes: i64) -> Result<Option<Trace>, Refused> {
    if path.is_empty() {
        return Ok(None);
    }
    let payload_bytes = usize::try_from(payload_bytes)
        .ok()
        .filter(|count| *count <= MAX_TRACED_PAYLOAD)
        .ok_or(Refused::TracedPayload(payload_bytes))?;
    // Without changing it: it may be in use.
    if let Some(known) = real_path(path)
        && let Some(trace) = Trace::join(Path::new(&known), payload_bytes)
    {
        return Ok(Some(trace));
    }
    let refused =
        |code: Error, problem| Refused::TraceFile { path: path.to_owned(), code: code.ord(), problem };
    if FileAccess::open(path, ModeFlags::WRITE).is_none() {
        let code = match FileAccess::get_open_error() {
            Error::OK => Error::ERR_FILE_CANT_OPEN,
            code => code,
        };
        return Err(refused(code, format!("{code:?}")));
    }
    // Not before it is closed: the editor writes into another file, which takes this one's place then.
    let real = real_path(path).unwrap_or_else(|| path.to_owned());
    match Trace::begin(Path::new(&real), payload_bytes) {
        Ok(trace) => Ok(Some(trace)),
        Err(error) => Err(refused(Error::ERR_FILE_CANT_OPEN, error.to_string())),
    }
}

/// Where a file is that exists, without `user://` and the like.
fn real_path(path: &str) -> Option<String> {
    let file = FileAccess::open(path, ModeFlags::READ_WRITE)?;
    Some(file.get_path_absolute().to_string())
}
