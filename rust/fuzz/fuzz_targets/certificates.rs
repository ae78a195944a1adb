#![no_main]
//! Certificates, read by ours and by webpki: neither panics, and where both take it they see the same key.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| rust_websocket_net::fuzzing::compare_certificate(data));
