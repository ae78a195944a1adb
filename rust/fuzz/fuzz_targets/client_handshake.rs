#![no_main]
//! A server's answer to a client, whole and cut. The client's key is always the same, so that answers can be right.

use libfuzzer_sys::fuzz_target;
use rust_websocket_fuzz::{client, config, same_however_cut, split, take_output};

fuzz_target!(|data: &[u8]| {
    let Some((cuts, answer)) = split(data, 2) else { return };
    let make = || {
        let mut client = client(config(cuts[0] & 1 != 0, cuts[0] & 2 != 0));
        take_output(&mut client);
        client
    };
    same_however_cut(make, answer, cuts);
});
