//! The PROXY header, with which a load balancer says whom it speaks for (haproxy's `doc/proxy-protocol.txt`).

use rust_websocket_proto::admission::ProxyHeader;

use super::Preamble;

/// Waits for the header. Nothing is answered to it; a connection that begins otherwise is cut.
#[derive(Debug, Default)]
pub(crate) struct ProxyPreamble {
    /// At most a header's length, which [`ProxyHeader::parse`] sees to.
    received: Vec<u8>,
    header: Option<ProxyHeader>,
}

impl Preamble for ProxyPreamble {
    fn handle_read(&mut self, bytes: &[u8]) -> Result<Option<usize>, String> {
        let before = self.received.len();
        // Behind the longest header nothing is looked at.
        let longest = ProxyHeader::MAX_SIZE.saturating_sub(before);
        self.received.extend_from_slice(bytes.get(..longest).unwrap_or(bytes));
        let parsed = ProxyHeader::parse(&self.received).map_err(|error| error.to_string())?;
        Ok(parsed.map(|(header, size)| {
            self.header = Some(header);
            self.received = Vec::new();
            size - before
        }))
    }

    fn output(&self) -> &[u8] {
        &[]
    }

    fn wrote(&mut self, _count: usize) {}

    fn header(&self) -> Option<ProxyHeader> {
        self.header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &[u8] = b"PROXY TCP4 203.0.113.7 10.0.0.1 5000 443\r\n";

    #[test]
    fn cut_at_every_byte() {
        let stream = [LINE, b"GET / HTTP/1.1\r\n"].concat();
        for cut in 1..LINE.len() {
            let mut preamble = ProxyPreamble::default();
            let (first, rest) = stream.split_at(cut);
            assert_eq!(preamble.handle_read(first), Ok(None), "{cut}");
            assert_eq!(preamble.handle_read(rest), Ok(Some(LINE.len() - cut)), "{cut}");
            assert_eq!(preamble.header(), ProxyHeader::parse(LINE).unwrap().map(|(header, _)| header));
        }
        let mut preamble = ProxyPreamble::default();
        assert_eq!(preamble.handle_read(&stream), Ok(Some(LINE.len())));
    }

    #[test]
    fn what_is_none_is_refused_at_once() {
        for bytes in [&b"GET / HTTP/1.1\r\n"[..], b"\x16\x03\x01", b"PROXY TCP4 x\r\n", &[b'P'; 9]] {
            assert!(ProxyPreamble::default().handle_read(bytes).is_err(), "{bytes:?}");
        }
        let mut endless = ProxyPreamble::default();
        let said = (0..200).find_map(|round| {
            endless.handle_read(if round == 0 { b"PROXY TCP4 " } else { b"1111111111" }).err()
        });
        assert!(said.is_some() && endless.received.len() <= ProxyHeader::MAX_SIZE);
    }
}
