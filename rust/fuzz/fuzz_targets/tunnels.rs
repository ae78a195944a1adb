#![no_main]
//! A proxy's answers, whole and byte by byte.

use libfuzzer_sys::fuzz_target;
use rust_websocket_fuzz::split;
use rust_websocket_proto::{
    Target,
    tunnel::{Proxy, ProxyKind, Tunnel, TunnelProgress},
};

const SECRET: &str = "secret";

fuzz_target!(|data: &[u8]| {
    let Some((flags, answer)) = split(data, 1) else { return };
    let kind = if flags[0] & 1 != 0 { ProxyKind::Socks5 } else { ProxyKind::Http };
    let user = if flags[0] & 2 != 0 { "ada" } else { "" };
    let Ok(Some(proxy)) = Proxy::new(kind, "proxy.example", 3128, user, SECRET) else { return };
    let Ok(target) = Target::parse("wss://game.example/lobby") else { return };
    let whole = outcome(&proxy, &target, answer, answer.len().max(1));
    let said: bool = answer.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
    assert!(said || !whole.contains(SECRET));
    // A SOCKS proxy that answers before it is asked is found out where its answers come together.
    if !whole.contains("was not asked yet") {
        assert_eq!(whole, outcome(&proxy, &target, answer, 1));
    }
});

/// What came of it, with the server's bytes behind the proxy's.
fn outcome(proxy: &Proxy, target: &Target, answer: &[u8], length: usize) -> String {
    let mut tunnel = Tunnel::new(proxy, target);
    let mut written = Vec::new();
    let mut pieces = answer.chunks(length);
    loop {
        written.extend_from_slice(tunnel.output());
        let count = tunnel.output().len();
        tunnel.advance_output(count);
        let Some(piece) = pieces.next() else { return format!("pending {written:?}") };
        match tunnel.handle_input(piece) {
            Ok(TunnelProgress::Pending) => {}
            Ok(TunnelProgress::Open { mut received }) => {
                pieces.for_each(|piece| received.extend_from_slice(piece));
                return format!("open {written:?} {received:?}");
            }
            Err(error) => return format!("{error}"),
        }
    }
}
