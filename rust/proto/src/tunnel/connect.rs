//! HTTP CONNECT (RFC 9110 section 9.3.6).

use super::{Proxy, TunnelFailure};
use crate::{
    Target,
    http::{HeadError, HeadScan, MAX_INTERIM, MAX_LINES, status_name},
    trace::Trace,
};

/// Most characters of a proxy's reason phrase that are shown.
const MAX_REASON: usize = 100;

/// Waits for the answer to CONNECT.
#[derive(Debug, Default)]
pub(super) struct Connect {
    scan: HeadScan,
    /// Where the head begins that is being read: behind interim answers.
    start: usize,
    /// Interim answers so far.
    interim: usize,
}

impl Connect {
    /// With the request to send.
    pub(super) fn new(proxy: &Proxy, target: &Target) -> (Self, Vec<u8>) {
        let server = authority(target);
        let mut request = format!("CONNECT {server} HTTP/1.1\r\nHost: {server}\r\n");
        if let Some(credentials) = proxy.credentials() {
            request.push_str(&format!("Proxy-Authorization: {}\r\n", credentials.basic()));
        }
        request.push_str("\r\n");
        (Self::default(), request.into_bytes())
    }

    /// The size of all that the proxy said, once there is a tunnel. `input` is everything received so far.
    pub(super) fn step(&mut self, input: &[u8], trace: &mut Trace) -> Result<Option<usize>, TunnelFailure> {
        loop {
            let bytes = input.get(self.start..).unwrap_or_default();
            if !bytes.iter().zip(b"HTTP/").all(|(byte, expected)| byte == expected) {
                return Err(TunnelFailure::Malformed("not HTTP"));
            }
            let size = match self.scan.find_end(bytes) {
                Ok(Some(size)) => size,
                Ok(None) => return Ok(None),
                Err(HeadError::TooLarge) => {
                    return Err(TunnelFailure::Malformed("a head larger than 16 KiB"));
                }
                Err(HeadError::BareLineFeed) => return Err(TunnelFailure::Malformed("malformed HTTP")),
            };
            self.start += size;
            self.scan = HeadScan::default();
            let head = bytes.get(..size).unwrap_or_default();
            trace.head(head);
            match read_status(head)? {
                // Whatever its header says: what follows is the server's.
                (200..300, _) => return Ok(Some(self.start)),
                // RFC 9110 section 15.2: another head follows.
                (100..200, _) if self.interim < MAX_INTERIM => self.interim += 1,
                (100..200, _) => return Err(TunnelFailure::Malformed("too many interim answers")),
                (status, reason) => return Err(TunnelFailure::Status(status, reason)),
            }
        }
    }
}

fn read_status(head: &[u8]) -> Result<(u16, String), TunnelFailure> {
    let mut lines = [httparse::EMPTY_HEADER; MAX_LINES];
    let mut response = httparse::Response::new(&mut lines);
    // Of the fields none matters here, so nor does it how they are written.
    match httparse::ParserConfig::default()
        .ignore_invalid_headers_in_responses(true)
        .parse_response(&mut response, head)
    {
        Ok(_) | Err(httparse::Error::TooManyHeaders) if response.code.is_some() => {}
        _ => return Err(TunnelFailure::Malformed("malformed HTTP")),
    }
    let status = response.code.unwrap_or_default();
    let reason: String = response.reason.unwrap_or_default().chars().take(MAX_REASON).collect();
    Ok((status, if reason.is_empty() { status_name(status).to_owned() } else { reason }))
}

/// Host and port, which CONNECT always has.
fn authority(target: &Target) -> String {
    let (open, close) = if target.host.contains(':') { ("[", "]") } else { ("", "") };
    format!("{open}{}{close}:{}", target.host, target.port)
}

#[cfg(test)]
mod tests {
    use crate::{
        Target,
        tunnel::{Proxy, ProxyKind, Tunnel, TunnelError, TunnelFailure, TunnelProgress},
    };

    fn tunnel(url: &str, user: &str) -> Tunnel {
        let proxy = Proxy::new(ProxyKind::Http, "cache.example", 3128, user, user).unwrap().unwrap();
        Tunnel::new(&proxy, &Target::parse(url).unwrap())
    }

    fn answered(bytes: &[u8]) -> Result<TunnelProgress, TunnelError> {
        tunnel("wss://game.example/", "").handle_input(bytes)
    }

    fn open(received: &[u8]) -> TunnelProgress {
        TunnelProgress::Open { received: received.to_vec() }
    }

    #[test]
    fn requests() {
        let output = |url: &str, user: &str| String::from_utf8(tunnel(url, user).output().to_vec()).unwrap();
        assert_eq!(
            output("wss://game.example/lobby", ""),
            "CONNECT game.example:443 HTTP/1.1\r\nHost: game.example:443\r\n\r\n"
        );
        assert_eq!(output("ws://[::1]:9080", ""), "CONNECT [::1]:9080 HTTP/1.1\r\nHost: [::1]:9080\r\n\r\n");
        assert_eq!(
            output("ws://game.example", "ada"),
            "CONNECT game.example:80 HTTP/1.1\r\nHost: game.example:80\r\nProxy-Authorization: Basic YWRhOmFkYQ==\r\n\r\n"
        );
    }

    #[test]
    fn output_in_pieces() {
        let mut tunnel = tunnel("ws://a", "");
        let whole = tunnel.output().to_vec();
        tunnel.advance_output(10);
        assert_eq!(tunnel.output(), &whole[10..]);
        tunnel.advance_output(whole.len() - 10);
        assert!(tunnel.output().is_empty());
        tunnel.advance_output(5);
        assert!(tunnel.output().is_empty());
    }

    #[test]
    fn a_proxy_may_not_put_off_its_answer_for_ever() {
        let interim = |count: usize| "HTTP/1.1 102 Processing\r\n\r\n".repeat(count).into_bytes();
        assert_eq!(answered(&interim(16)), Ok(TunnelProgress::Pending));
        let refused = answered(&interim(17)).unwrap_err();
        assert_eq!(refused.reason, TunnelFailure::Malformed("too many interim answers"));
    }

    #[test]
    fn every_answer_cut_at_every_byte() {
        for head in [
            "HTTP/1.1 200 Connection established\r\n\r\n",
            "HTTP/1.0 200 OK\r\nVia: x\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102\r\nA: b\r\n\r\nHTTP/1.1 201 \r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            let stream = [head.as_bytes(), b"\x16\x03\x03"].concat();
            for cut in 0..head.len() {
                let mut tunnel = tunnel("wss://a", "");
                assert_eq!(
                    tunnel.handle_input(&stream[..cut]),
                    Ok(TunnelProgress::Pending),
                    "{cut} of {head}"
                );
                assert_eq!(tunnel.handle_input(&stream[cut..]), Ok(open(b"\x16\x03\x03")), "{cut} of {head}");
            }
            let mut tunnel = tunnel("wss://a", "");
            for byte in &stream[..head.len() - 1] {
                assert_eq!(tunnel.handle_input(&[*byte]), Ok(TunnelProgress::Pending));
            }
            assert_eq!(tunnel.handle_input(b"\n"), Ok(open(b"")));
        }
    }

    #[test]
    fn refusals() {
        for (answer, code, sentence) in [
            (
                "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n",
                407,
                "the proxy cache.example:3128 refused the tunnel: 407 Proxy Authentication Required",
            ),
            (
                "HTTP/1.1 407\r\n\r\n",
                407,
                "the proxy cache.example:3128 refused the tunnel: 407 Proxy Authentication Required",
            ),
            (
                "HTTP/1.0 403 Filtered\r\n\r\nbody",
                403,
                "the proxy cache.example:3128 refused the tunnel: 403 Filtered",
            ),
            (
                "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n",
                302,
                "the proxy cache.example:3128 refused the tunnel: 302 Found",
            ),
            ("HTTP/1.1 799\r\n\r\n", 799, "the proxy cache.example:3128 refused the tunnel: 799"),
            ("SSH-2.0-x\r\n", 0, "what the proxy cache.example:3128 answers is not HTTP"),
            ("\x05\0", 0, "what the proxy cache.example:3128 answers is not HTTP"),
            ("HTTP/1.1 2x0 OK\r\n\r\n", 0, "what the proxy cache.example:3128 answers is malformed HTTP"),
            ("HTTP/1.1 200 OK\n\n", 0, "what the proxy cache.example:3128 answers is malformed HTTP"),
        ] {
            let error = answered(answer.as_bytes()).unwrap_err();
            assert_eq!((error.response_code(), &*error.to_string()), (code, sentence), "{answer}");
        }
        let long = format!("HTTP/1.1 500 {}\r\n\r\n", "x".repeat(1000));
        assert!(answered(long.as_bytes()).unwrap_err().to_string().len() < 200);
    }

    #[test]
    fn fields_that_do_not_matter_may_be_anything() {
        for line in ["no colon", "A B: c", "A: \u{1}", "Set-Cookie: a=\u{2}b"] {
            let answer = format!("HTTP/1.1 200 OK\r\n{line}\r\nX: y\r\n\r\n");
            assert_eq!(answered(answer.as_bytes()), Ok(open(b"")), "{line}");
        }
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(1000));
        assert_eq!(answered(many.as_bytes()), Ok(open(b"")));
    }

    #[test]
    fn heads_of_just_the_limit() {
        let head = |size: usize| {
            let rest = "HTTP/1.1 200 OK\r\nA: \r\n\r\n".len();
            format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(size - rest))
        };
        assert_eq!(answered(head(16 * 1024).as_bytes()), Ok(open(b"")));
        for size in [16 * 1024 + 1, 64 * 1024] {
            let error = answered(head(size).as_bytes()).unwrap_err();
            assert_eq!(error.reason(), &TunnelFailure::Malformed("a head larger than 16 KiB"));
        }
        let endless = answered(&[&b"HTTP/1.1 200 OK\r\n"[..], &[b'x'; 64 * 1024]].concat());
        assert!(endless.is_err());
    }

    #[test]
    fn an_early_end() {
        assert_eq!(
            tunnel("ws://a", "").handle_end().to_string(),
            "the proxy cache.example:3128 ended the connection before there was a tunnel"
        );
    }

    #[test]
    fn after_the_end_nothing_happens() {
        let mut tunnel = tunnel("ws://a", "");
        assert!(tunnel.handle_input(b"x").is_err());
        assert_eq!(tunnel.handle_input(b"HTTP/1.1 200 OK\r\n\r\n"), Ok(TunnelProgress::Pending));
    }
}
