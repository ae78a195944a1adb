//! A client's way through a proxy.

use std::sync::Arc;

use rust_websocket_proto::{
    ConnectPhase, Target,
    tunnel::{Tunnel, TunnelError, TunnelProgress},
};

use super::Preamble;
use crate::{seam::ProxyWay, trace::ConnectionTrace};

/// Asks the proxy for a tunnel; behind its answer everything is the server's.
#[derive(Debug)]
pub(crate) struct TunnelPreamble {
    tunnel: Tunnel,
    way: Arc<ProxyWay>,
}

impl TunnelPreamble {
    pub(crate) fn new(way: Arc<ProxyWay>, target: &Target, trace: Option<&ConnectionTrace>) -> Self {
        let mut tunnel = Tunnel::new(way.proxy(), target);
        tunnel.set_tracer(trace.map(ConnectionTrace::tracer));
        Self { tunnel, way }
    }

    fn refused(&self, error: &TunnelError) -> String {
        self.way.set_response_code(error.response_code());
        error.to_string()
    }
}

impl Preamble for TunnelPreamble {
    fn handle_read(&mut self, bytes: &[u8]) -> Result<Option<usize>, String> {
        match self.tunnel.handle_input(bytes) {
            Ok(TunnelProgress::Pending) => Ok(None),
            Ok(TunnelProgress::Open { received }) => Ok(Some(bytes.len().saturating_sub(received.len()))),
            Err(error) => Err(self.refused(&error)),
        }
    }

    fn output(&self) -> &[u8] {
        self.tunnel.output()
    }

    fn wrote(&mut self, count: usize) {
        self.tunnel.advance_output(count);
    }

    fn phase(&self) -> ConnectPhase {
        ConnectPhase::Tunnel
    }

    fn handle_end(&self) -> String {
        self.refused(&self.tunnel.handle_end())
    }
}

#[cfg(test)]
mod tests {
    use rust_websocket_proto::tunnel::{Proxy, ProxyKind};

    use super::*;

    fn preamble(kind: ProxyKind) -> (TunnelPreamble, Arc<ProxyWay>) {
        let proxy = Proxy::new(kind, "proxy.example", 3128, "", "").unwrap().unwrap();
        let way = Arc::new(ProxyWay::new(proxy));
        let target = Target::parse("ws://game.example:9080/").unwrap();
        (TunnelPreamble::new(Arc::clone(&way), &target, None), way)
    }

    #[test]
    fn the_server_s_first_bytes_come_with_the_proxy_s_answer() {
        let answer = b"HTTP/1.1 200 Connection established\r\n\r\n";
        let stream = [answer, &b"HTTP/1.1 101"[..]].concat();
        for cut in 1..answer.len() {
            let (mut preamble, _) = preamble(ProxyKind::Http);
            assert!(preamble.output().starts_with(b"CONNECT game.example:9080 HTTP/1.1\r\n"));
            preamble.wrote(preamble.output().len());
            let (first, rest) = stream.split_at(cut);
            assert_eq!(preamble.handle_read(first), Ok(None), "{cut}");
            assert_eq!(preamble.handle_read(rest), Ok(Some(answer.len() - cut)), "{cut}");
        }
    }

    #[test]
    fn refusals_say_who_refuses() {
        let (mut http, way) = preamble(ProxyKind::Http);
        let said = http.handle_read(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").unwrap_err();
        assert_eq!(
            said,
            "the proxy proxy.example:3128 refused the tunnel: 407 Proxy Authentication Required"
        );
        assert_eq!(way.response_code(), 407);
        let (socks, way) = preamble(ProxyKind::Socks5);
        assert!(socks.handle_end().contains("ended the connection before there was a tunnel"));
        assert_eq!((way.response_code(), socks.phase()), (0, ConnectPhase::Tunnel));
    }
}
