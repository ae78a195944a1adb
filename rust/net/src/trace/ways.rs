//! Where connections go to and come from, in words.

use rust_websocket_proto::{Scheme, Target, admission::Endpoint};

/// For a connection that was there before its trace.
pub const TRACED_LATER: &str = "and traced from here on";

/// Where a client connects to.
pub fn way_to(target: &Target, proxy: Option<String>) -> String {
    let scheme = if target.scheme == Scheme::Wss { "wss" } else { "ws" };
    let way = match &target.socket_path {
        Some(file) => format!("to ws+unix:{file}:{}", target.request_target),
        None => format!("to {scheme}://{}{}", target.host_header(), target.request_target),
    };
    match proxy {
        Some(proxy) => format!("{way} through the proxy {proxy}"),
        None => way,
    }
}

/// Where a server's client comes from.
pub(crate) fn way_from(end: Endpoint) -> String {
    match end {
        Endpoint { port: 0, address } => format!("from {address}"),
        Endpoint { port, address } => format!("from {address} port {port}"),
    }
}
