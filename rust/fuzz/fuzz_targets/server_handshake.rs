#![no_main]
//! A request to a server, whole and cut: the same answer, the same events.

use libfuzzer_sys::fuzz_target;
use rust_websocket_fuzz::{config, same_however_cut, server, split};

fuzz_target!(|data: &[u8]| {
    let Some((cuts, request)) = split(data, 2) else { return };
    same_however_cut(|| server(config(cuts[0] & 1 != 0, cuts[0] & 2 != 0)), request, cuts);
});
