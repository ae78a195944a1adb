//! Keys of sessions in a file; a process of its own, for it is asked for once and for all.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests may fail and wait")]

#[path = "util/identity.rs"]
mod identity;
mod util;

use identity::{connect, like_godot, server, trusting};
use rust_websocket_net::log_tls_keys;
use util::wait_until;

#[test]
fn keys_are_written_for_both_sides() {
    let folder = std::env::temp_dir().join(format!("rust_websocket_keys_{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    assert!(log_tls_keys(&folder.join("missing/keys")).is_err());
    let path = folder.join("keys");
    std::fs::write(&path, "# before\n").unwrap();
    log_tls_keys(&path).unwrap();
    let identity = like_godot(|_| {});
    let mut server = server(identity.server());
    let mut client = connect(server.address(), &trusting(&identity.chain));
    wait_until("the handshake", || {
        client.poll();
        server.poll();
        client.open && server.links.len() == 1
    });
    let text = std::fs::read_to_string(&path).unwrap();
    let secrets: Vec<_> = text.lines().filter(|line| line.starts_with("CLIENT_TRAFFIC_SECRET_0 ")).collect();
    assert!(text.starts_with("# before\n"), "what was there stays");
    assert_eq!((secrets.len(), secrets.first() == secrets.last()), (2, true), "{text}");
    let parts: Vec<_> = secrets[0].split(' ').map(str::len).collect();
    assert!(parts == [23, 64, 64] || parts == [23, 64, 96], "{parts:?}");
    // The process keeps the file open, and where Windows keeps what is open, the folder stays.
    let removed = std::fs::remove_dir_all(&folder);
    assert!(removed.is_ok() || cfg!(windows), "{removed:?}");
}
