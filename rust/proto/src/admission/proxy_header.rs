//! The PROXY protocol, versions 1 and 2 (haproxy's `doc/proxy-protocol.txt`): what a proxy sends before the client's first
//! byte. Nothing is guessed: where a header is expected, a connection without one is cut.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Address, Endpoint};

/// Version 1: one line, `\r\n` included.
const MAX_LINE: usize = 107;
const MAX_HEADER: usize = ProxyHeader::MAX_SIZE;
const LINE_START: &[u8] = b"PROXY ";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2: signature, version and command, family, length.
const FIXED_SIZE: usize = 16;

/// A whole header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyHeader {
    /// The client. `None`: the proxy speaks for itself (`LOCAL`, a health check) or does not know (`UNKNOWN`); who
    /// connected counts.
    pub client: Option<Endpoint>,
}

/// Why a connection that has to begin with a PROXY header is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyHeaderError {
    /// It begins with something else.
    #[error(
        "the connection does not begin with a PROXY header, which proxy_protocol asks for: switch it on at the proxy too, or off here"
    )]
    Missing,
    /// It begins like one and breaks a rule.
    #[error("the PROXY header is malformed ({0})")]
    Malformed(&'static str),
    /// Over 536 bytes, or over 107 in version 1.
    #[error("the PROXY header is too long: 536 bytes are taken, 107 in version 1")]
    TooLong,
}

use ProxyHeaderError::Malformed;

impl ProxyHeader {
    /// Largest header taken: 16 bytes, and 520 of addresses and additional fields. The specification's own bound for what
    /// arrives in one piece.
    pub const MAX_SIZE: usize = 536;

    /// Reads the header at the start of a connection; `bytes` is everything received so far. `None`: more has to come in.
    /// Otherwise with its size; what follows it is the client's.
    ///
    /// # Errors
    /// See [`ProxyHeaderError`]; as soon as it is certain.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, ProxyHeaderError> {
        let begins_like = |start: &[u8]| bytes.iter().zip(start).all(|(byte, expected)| byte == expected);
        if begins_like(SIGNATURE) {
            parse_binary(bytes)
        } else if begins_like(LINE_START) {
            parse_line(bytes)
        } else {
            Err(ProxyHeaderError::Missing)
        }
    }
}

/// Version 1.
fn parse_line(bytes: &[u8]) -> Result<Option<(ProxyHeader, usize)>, ProxyHeaderError> {
    let bytes = bytes.get(..MAX_LINE).unwrap_or(bytes);
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return if bytes.len() >= MAX_LINE { Err(ProxyHeaderError::TooLong) } else { Ok(None) };
    };
    let line = bytes.get(LINE_START.len()..end).and_then(|line| line.strip_suffix(b"\r"));
    let line = line.and_then(|line| str::from_utf8(line).ok()).ok_or(Malformed("the line's end"))?;
    let mut words = line.split(' ');
    let client = match words.next() {
        Some("TCP4") => Some(line_client::<Ipv4Addr>(words)?),
        Some("TCP6") => Some(line_client::<Ipv6Addr>(words)?),
        // Whatever follows has to be ignored.
        Some("UNKNOWN") => None,
        _ => return Err(Malformed("the protocol is none of TCP4, TCP6 and UNKNOWN")),
    };
    Ok(Some((ProxyHeader { client }, end + 1)))
}

/// Source, destination, and their ports.
fn line_client<'a, A: std::str::FromStr + Into<IpAddr>>(
    words: impl Iterator<Item = &'a str>,
) -> Result<Endpoint, ProxyHeaderError> {
    let words: Vec<_> = words.take(5).collect();
    let [source, destination, source_port, destination_port] = words.as_slice() else {
        return Err(Malformed("two addresses and two ports belong into it"));
    };
    let address = |text: &str| text.parse::<A>().map_err(|_| Malformed("an address"));
    let (source, _) = (address(source)?, address(destination)?);
    let (port, _) = (line_port(source_port)?, line_port(destination_port)?);
    Ok(Endpoint { address: source.into().into(), port })
}

/// Digits without leading zeros.
fn line_port(text: &str) -> Result<u16, ProxyHeaderError> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_number).ok_or(Malformed("a port"))
}

/// Version 2.
fn parse_binary(bytes: &[u8]) -> Result<Option<(ProxyHeader, usize)>, ProxyHeaderError> {
    let Some(rest) = bytes.get(SIGNATURE.len()..) else { return Ok(None) };
    let is_local = match rest.first() {
        None => return Ok(None),
        Some(0x20) => true,
        Some(0x21) => false,
        Some(0x22..=0x2f) => return Err(Malformed("the command")),
        Some(_) => return Err(Malformed("the version")),
    };
    let Some([_, family, high, low]) = rest.first_chunk() else { return Ok(None) };
    let size = usize::from(u16::from_be_bytes([*high, *low]));
    if FIXED_SIZE + size > MAX_HEADER {
        return Err(ProxyHeaderError::TooLong);
    }
    let Some(content) = bytes.get(FIXED_SIZE..FIXED_SIZE + size) else { return Ok(None) };
    // With LOCAL everything else has to be ignored.
    let client = if is_local { None } else { binary_client(*family, content)? };
    Ok(Some((ProxyHeader { client }, FIXED_SIZE + size)))
}

/// What stands behind the addresses is of no interest here.
fn binary_client(family: u8, content: &[u8]) -> Result<Option<Endpoint>, ProxyHeaderError> {
    let short = Malformed("it is too short for its addresses");
    match (family >> 4, family & 0xf) {
        (0, 0..=2) => Ok(None),
        (1, 1) => {
            let addresses: &[u8; 12] = content.first_chunk().ok_or(short)?;
            let [a, b, c, d, _, _, _, _, high, low, _, _] = *addresses;
            let address = IpAddr::from(Ipv4Addr::new(a, b, c, d)).into();
            Ok(Some(Endpoint { address, port: u16::from_be_bytes([high, low]) }))
        }
        (2, 1) => {
            let (source, rest) = content.split_first_chunk::<16>().ok_or(short)?;
            let (_, ports) = rest.split_first_chunk::<16>().ok_or(short)?;
            let [high, low, _, _] = *ports.first_chunk().ok_or(short)?;
            let address = IpAddr::from(Ipv6Addr::from(*source)).into();
            Ok(Some(Endpoint { address, port: u16::from_be_bytes([high, low]) }))
        }
        (3, 1) if content.len() < 216 => Err(short),
        (3, 1) => Ok(Some(Endpoint { address: Address::Unix, port: 0 })),
        // Datagrams: not what arrived here.
        (1..=3, 0 | 2) => Ok(None),
        _ => Err(Malformed("the address family")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parsed = Result<Option<(ProxyHeader, usize)>, ProxyHeaderError>;

    fn client(address: &str, port: u16) -> Option<Endpoint> {
        Some(Endpoint { address: address.parse::<IpAddr>().unwrap().into(), port })
    }

    fn whole(client: Option<Endpoint>, size: usize) -> Parsed {
        Ok(Some((ProxyHeader { client }, size)))
    }

    fn binary(command: u8, family: u8, content: &[u8]) -> Vec<u8> {
        let size = u16::try_from(content.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family], &size, content].concat()
    }

    fn v4_addresses() -> Vec<u8> {
        [&[203, 0, 113, 7, 10, 0, 0, 1][..], &5000_u16.to_be_bytes(), &443_u16.to_be_bytes()].concat()
    }

    fn v6_addresses() -> Vec<u8> {
        let source: Ipv6Addr = "2001:db8::7".parse().unwrap();
        let ports = [5000_u16.to_be_bytes(), 443_u16.to_be_bytes()].concat();
        [&source.octets()[..], &Ipv6Addr::LOCALHOST.octets(), &ports].concat()
    }

    fn good_headers() -> Vec<(Vec<u8>, Option<Endpoint>)> {
        let v4 = client("203.0.113.7", 5000);
        let v6 = client("2001:db8::7", 5000);
        let fields = |addresses: Vec<u8>, count: usize| [addresses, vec![4; count]].concat();
        let mut unix = vec![0; 216];
        unix[..9].copy_from_slice(b"/run/sock");
        vec![
            (b"PROXY TCP4 203.0.113.7 10.0.0.1 5000 443\r\n".to_vec(), v4),
            (b"PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n".to_vec(), client("0.0.0.0", 0)),
            (b"PROXY TCP6 2001:db8::7 ::1 5000 443\r\n".to_vec(), v6),
            (b"PROXY TCP6 ::ffff:203.0.113.7 ::1 5000 443\r\n".to_vec(), v4),
            (
                b"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"
                    .to_vec(),
                client("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", 65535),
            ),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN ffff::1 rubbish \r of any kind\r\n".to_vec(), None),
            (binary(0x21, 0x11, &v4_addresses()), v4),
            (binary(0x21, 0x11, &fields(v4_addresses(), 508)), v4),
            (binary(0x21, 0x21, &v6_addresses()), v6),
            (binary(0x21, 0x21, &fields(v6_addresses(), 20)), v6),
            (binary(0x21, 0x31, &unix), Some(Endpoint::UNIX)),
            (binary(0x21, 0x00, &[]), None),
            (binary(0x21, 0x00, &[9; 30]), None),
            (binary(0x21, 0x12, &v4_addresses()), None),
            (binary(0x20, 0x00, &[]), None),
            (binary(0x20, 0x11, &v4_addresses()), None),
            (binary(0x20, 0xff, &[1, 2, 3]), None),
        ]
    }

    #[test]
    fn every_header_cut_at_every_byte() {
        for (header, client) in good_headers() {
            for cut in 0..header.len() {
                assert_eq!(ProxyHeader::parse(&header[..cut]), Ok(None), "{cut} bytes of {header:?}");
            }
            assert_eq!(ProxyHeader::parse(&header), whole(client, header.len()), "{header:?}");
            let followed = [&header[..], b"GET / HTTP/1.1\r\n"].concat();
            assert_eq!(
                ProxyHeader::parse(&followed),
                whole(client, header.len()),
                "what follows is the client's"
            );
        }
    }

    #[test]
    fn something_else() {
        for bytes in [
            &b"G"[..],
            b"GET / HTTP/1.1\r\n",
            b"\x16\x03\x01",
            b"PROXX",
            b"proxy TCP4",
            b"PROXY\r\n",
            b"PROXY\t",
            b"\r\n\r\n\r",
            b"\r\nGET",
            b"\r\n\r\n\0\r\nQUIT\r",
            b"\0",
            b"\xff",
        ] {
            assert_eq!(ProxyHeader::parse(bytes), Err(ProxyHeaderError::Missing), "{bytes:?}");
        }
        assert_eq!(ProxyHeader::parse(b""), Ok(None));
    }

    #[test]
    fn malformed_lines() {
        for line in [
            "PROXY \r\n",
            "PROXY TCP\r\n",
            "PROXY TCP5 1.1.1.1 2.2.2.2 1 2\r\n",
            "PROXY tcp4 1.1.1.1 2.2.2.2 1 2\r\n",
            "PROXY UNKNOWNS\r\n",
            "PROXY TCP4\r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n",
            "PROXY  TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
            "PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n",
            "PROXY TCP4\t1.1.1.1 2.2.2.2 1 2\r\n",
            "PROXY TCP4 1.1.1 2.2.2.2 1 2\r\n",
            "PROXY TCP4 01.1.1.1 2.2.2.2 1 2\r\n",
            "PROXY TCP4 1.1.1.1 host 1 2\r\n",
            "PROXY TCP4 ::1 2.2.2.2 1 2\r\n",
            "PROXY TCP4 ::ffff:1.1.1.1 2.2.2.2 1 2\r\n",
            "PROXY TCP6 1.1.1.1 ::1 1 2\r\n",
            "PROXY TCP6 [::1] ::1 1 2\r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 65536 2\r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 -1 2\r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n",
            "PROXY UNKNOWN\n",
            "PROXY UNKNOWN\u{e4}\r\n",
        ] {
            let parsed = ProxyHeader::parse(line.as_bytes());
            assert!(matches!(parsed, Err(Malformed(_))), "{line:?}: {parsed:?}");
        }
        let parsed = ProxyHeader::parse(b"PROXY UNKNOWN \xff\xfe\r\n");
        assert!(matches!(parsed, Err(Malformed(_))), "{parsed:?}");
    }

    #[test]
    fn lines_of_just_the_limit() {
        let line = |size: usize| [&b"PROXY UNKNOWN"[..], &vec![b'x'; size - 15], b"\r\n"].concat();
        let spaced = |size: usize| {
            let mut line = line(size);
            line[13] = b' ';
            line
        };
        assert_eq!(ProxyHeader::parse(&spaced(107)), whole(None, 107));
        assert_eq!(ProxyHeader::parse(&spaced(107)[..106]), Ok(None));
        assert_eq!(ProxyHeader::parse(&spaced(108)), Err(ProxyHeaderError::TooLong));
        assert_eq!(ProxyHeader::parse(&spaced(108)[..107]), Err(ProxyHeaderError::TooLong));
    }

    #[test]
    fn malformed_binary_headers() {
        for header in [
            binary(0x11, 0x11, &v4_addresses()),
            binary(0x31, 0x11, &v4_addresses()),
            binary(0x01, 0x11, &v4_addresses()),
            binary(0x22, 0x11, &v4_addresses()),
            binary(0x2f, 0x11, &v4_addresses()),
            binary(0x21, 0x41, &[0; 300]),
            binary(0x21, 0x13, &v4_addresses()),
            binary(0x21, 0x03, &[]),
            binary(0x21, 0x11, &v4_addresses()[..11]),
            binary(0x21, 0x11, &[]),
            binary(0x21, 0x21, &v6_addresses()[..35]),
            binary(0x21, 0x21, &v4_addresses()),
            binary(0x21, 0x31, &[0; 215]),
        ] {
            let parsed = ProxyHeader::parse(&header);
            assert!(matches!(parsed, Err(Malformed(_))), "{header:?}: {parsed:?}");
        }
    }

    #[test]
    fn binary_headers_of_just_the_limit() {
        assert_eq!(ProxyHeader::parse(&binary(0x20, 0, &[0; 520])), whole(None, 536));
        let too_long = binary(0x20, 0, &[0; 521]);
        assert_eq!(ProxyHeader::parse(&too_long), Err(ProxyHeaderError::TooLong));
        assert_eq!(
            ProxyHeader::parse(&too_long[..16]),
            Err(ProxyHeaderError::TooLong),
            "without waiting for it"
        );
        assert_eq!(ProxyHeader::parse(&binary(0x21, 0x11, &[0xff; 65535])), Err(ProxyHeaderError::TooLong));
    }
}
