#![no_main]
//! Frames to an open connection of either role, with and without compression, before and after its own close frame.

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use rust_websocket_fuzz::{config, now, open_pair, same_however_cut, split};
use rust_websocket_proto::MessageKind;

fuzz_target!(|data: &[u8]| {
    let Some((head, frames)) = split(data, 3) else { return };
    let flags = head[0];
    let config = config(flags & 1 != 0, flags & 2 != 0);
    let make = || {
        let (client, server) = open_pair(&config);
        let mut connection = if flags & 4 != 0 { client } else { server };
        if flags & 8 != 0 {
            _ = connection.send(MessageKind::Text, Bytes::from_static(b"bye"));
        }
        if flags & 16 != 0 {
            connection.close(1000, "done", now());
        }
        connection
    };
    same_however_cut(make, frames, &head[1..]);
});
