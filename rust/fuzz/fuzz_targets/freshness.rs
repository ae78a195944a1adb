#![no_main]
#![allow(clippy::unwrap_used, reason = "a fuzz target reports what it finds by failing")]
//! A sender of messages that are not worth sending for ever, whose transport takes what the input says: what arrives is a part of what
//! was sent, in order, with every reliable message and nothing that was stale.

use libfuzzer_sys::fuzz_target;
use rust_websocket_fuzz::now;

#[path = "../../proto/tests/util/freshness.rs"]
mod model;

fuzz_target!(|data: &[u8]| model::run(data, now()));
