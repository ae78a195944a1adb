//! SOCKS version 5 (RFC 1928), without authentication or with user name and password (RFC 1929).

use std::net::IpAddr;

use super::{Proxy, TunnelFailure, proxy::Credentials};
use crate::Target;

const VERSION: u8 = 5;
/// Of the login's own negotiation.
const LOGIN_VERSION: u8 = 1;
const NO_LOGIN: u8 = 0;
const WITH_PASSWORD: u8 = 2;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const DOMAIN: u8 = 3;
const IPV6: u8 = 4;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Method,
    Login,
    Reply,
}

/// A tunnel through a SOCKS proxy.
#[derive(Debug)]
pub(super) struct Socks {
    stage: Stage,
    /// How much of the input is read.
    read: usize,
    /// To be sent when they are asked for.
    login: Option<Vec<u8>>,
    request: Vec<u8>,
}

impl Socks {
    /// With the greeting to send.
    pub(super) fn new(proxy: &Proxy, target: &Target) -> (Self, Vec<u8>) {
        let login = proxy.credentials().map(login);
        let greeting = match login {
            Some(_) => vec![VERSION, 2, NO_LOGIN, WITH_PASSWORD],
            None => vec![VERSION, 1, NO_LOGIN],
        };
        (Self { stage: Stage::Method, read: 0, login, request: request(target) }, greeting)
    }

    /// The size of all that the proxy said, once there is a tunnel. `input` is everything received so far.
    pub(super) fn step(
        &mut self,
        input: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<Option<usize>, TunnelFailure> {
        loop {
            let bytes = input.get(self.read..).unwrap_or_default();
            match self.stage {
                Stage::Method => {
                    if bytes.first().is_some_and(|version| *version != VERSION) {
                        return Err(NO_SOCKS);
                    }
                    let Some([_, method]) = bytes.first_chunk() else { return Ok(None) };
                    self.read += 2;
                    self.answer_method(*method, output)?;
                    self.check_order(input)?;
                }
                Stage::Login => {
                    if bytes.first().is_some_and(|version| *version != LOGIN_VERSION) {
                        return Err(NO_SOCKS);
                    }
                    let Some([_, status]) = bytes.first_chunk() else { return Ok(None) };
                    if *status != 0 {
                        return Err(TunnelFailure::LoginRefused);
                    }
                    self.read += 2;
                    self.ask(output);
                    self.check_order(input)?;
                }
                Stage::Reply => {
                    let size = reply_size(bytes)?.filter(|size| bytes.len() >= *size);
                    return Ok(size.map(|size| self.read + size));
                }
            }
        }
    }

    /// Nothing can have come in answer to what was only just put into the output.
    fn check_order(&self, input: &[u8]) -> Result<(), TunnelFailure> {
        if input.len() > self.read { Err(TOO_EARLY) } else { Ok(()) }
    }

    fn answer_method(&mut self, method: u8, output: &mut Vec<u8>) -> Result<(), TunnelFailure> {
        match (method, self.login.take()) {
            (NO_LOGIN, _) => self.ask(output),
            (WITH_PASSWORD, Some(login)) => {
                output.extend_from_slice(&login);
                self.stage = Stage::Login;
            }
            (0xff, None) => return Err(TunnelFailure::NeedsLogin),
            (0xff, Some(_)) => return Err(TunnelFailure::OtherLogin),
            _ => return Err(TunnelFailure::Malformed("a choice that it was not offered")),
        }
        Ok(())
    }

    fn ask(&mut self, output: &mut Vec<u8>) {
        output.extend_from_slice(&self.request);
        self.stage = Stage::Reply;
    }
}

/// What was not asked for yet is no answer to it: taken for one, the question would never be sent.
pub(super) const TOO_EARLY: TunnelFailure =
    TunnelFailure::Malformed("an answer to what it was not asked yet");
const NO_SOCKS: TunnelFailure = TunnelFailure::Malformed("not SOCKS5");

/// The size of the reply, as soon as it can be told. A refusal need not be whole.
fn reply_size(bytes: &[u8]) -> Result<Option<usize>, TunnelFailure> {
    if bytes.first().is_some_and(|version| *version != VERSION) {
        return Err(NO_SOCKS);
    }
    match bytes.get(1) {
        None | Some(0) => {}
        Some(code) => return Err(refusal(*code)),
    }
    let address_size = match (bytes.get(3), bytes.get(4)) {
        (None, _) | (Some(&DOMAIN), None) => return Ok(None),
        (Some(&IPV4), _) => 4,
        (Some(&IPV6), _) => 16,
        (Some(&DOMAIN), Some(size)) => 1 + usize::from(*size),
        _ => return Err(TunnelFailure::Malformed("malformed SOCKS5")),
    };
    Ok(Some(4 + address_size + 2))
}

/// RFC 1928 section 6.
fn refusal(code: u8) -> TunnelFailure {
    TunnelFailure::Reply(match code {
        1 => "general failure",
        2 => "connection not allowed by its rules",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "the time to live has expired",
        7 => "it does not know the command CONNECT",
        8 => "it does not know this type of address",
        _ => return TunnelFailure::UnknownReply(code),
    })
}

/// Lengths were checked before; what is too long all the same is cut, and refused then.
fn login(credentials: &Credentials) -> Vec<u8> {
    let mut login = vec![LOGIN_VERSION];
    push_counted(&mut login, credentials.user.as_bytes());
    push_counted(&mut login, credentials.password.as_bytes());
    login
}

fn request(target: &Target) -> Vec<u8> {
    let mut request = vec![VERSION, CONNECT, 0];
    match target.host.parse() {
        Ok(IpAddr::V4(address)) => {
            request.push(IPV4);
            request.extend_from_slice(&address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(IPV6);
            request.extend_from_slice(&address.octets());
        }
        Err(_) => {
            request.push(DOMAIN);
            push_counted(&mut request, target.host.as_bytes());
        }
    }
    request.extend_from_slice(&target.port.to_be_bytes());
    request
}

fn push_counted(bytes: &mut Vec<u8>, text: &[u8]) {
    let size = u8::try_from(text.len()).unwrap_or(u8::MAX);
    bytes.push(size);
    bytes.extend_from_slice(text.get(..usize::from(size)).unwrap_or(text));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tunnel::{ProxyKind, Tunnel, TunnelError, TunnelProgress};

    const GRANTED: &[u8] = &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0];

    fn tunnel(url: &str, user: &str, password: &str) -> Tunnel {
        let proxy = Proxy::new(ProxyKind::Socks5, "::1", 1080, user, password).unwrap().unwrap();
        Tunnel::new(&proxy, &Target::parse(url).unwrap())
    }

    fn take_output(tunnel: &mut Tunnel) -> Vec<u8> {
        let output = tunnel.output().to_vec();
        tunnel.advance_output(output.len());
        output
    }

    /// Feeds the answers and returns what was written in between.
    fn talk(tunnel: &mut Tunnel, answers: &[&[u8]]) -> (Vec<Vec<u8>>, Result<TunnelProgress, TunnelError>) {
        let mut written = vec![take_output(tunnel)];
        let mut last = Ok(TunnelProgress::Pending);
        for answer in answers {
            last = tunnel.handle_input(answer);
            written.push(take_output(tunnel));
        }
        (written, last)
    }

    /// Taken as answers, they would open a tunnel that nobody has asked for.
    #[test]
    fn answers_before_the_questions_open_nothing() {
        let all_at_once: &[u8] = &[&[5, 2, 1, 0], GRANTED].concat();
        for answers in [&[all_at_once][..], &[&[5, 2, 1, 0]], &[&[5, 2], &[1, 0, 5]]] {
            let (_, last) = talk(&mut tunnel("ws://a", "ada", "secret"), answers);
            assert_eq!(last.map_err(|error| error.reason().clone()), Err(TOO_EARLY), "{answers:?}");
        }
        let mut unwritten = tunnel("ws://a", "", "");
        assert!(unwritten.handle_input(&[5, 0]).is_err(), "the greeting has not even left");
    }

    fn open(received: &[u8]) -> Result<TunnelProgress, TunnelError> {
        Ok(TunnelProgress::Open { received: received.to_vec() })
    }

    #[test]
    fn without_login() {
        let (written, last) = talk(&mut tunnel("wss://game.example", "", ""), &[&[5, 0], GRANTED]);
        assert_eq!(written[0], [5, 1, 0]);
        assert_eq!(written[1], [&[5, 1, 0, 3, 12][..], b"game.example", &[1, 187]].concat());
        assert_eq!(last, open(b""));
    }

    #[test]
    fn with_login() {
        let (written, last) =
            talk(&mut tunnel("ws://game.example", "ada", "secret"), &[&[5, 2], &[1, 0], GRANTED]);
        assert_eq!(written[0], [5, 2, 0, 2]);
        assert_eq!(written[1], b"\x01\x03ada\x06secret");
        assert_eq!(written[2][..5], [5, 1, 0, 3, 12]);
        assert_eq!(last, open(b""));
        let (written, last) = talk(&mut tunnel("ws://game.example", "ada", "secret"), &[&[5, 0], GRANTED]);
        assert_eq!(written[1][..5], [5, 1, 0, 3, 12], "a proxy that does not ask gets none");
        assert_eq!(last, open(b""));
    }

    #[test]
    fn addresses() {
        let (written, _) = talk(&mut tunnel("ws://10.0.0.1:9080", "", ""), &[&[5, 0]]);
        assert_eq!(written[1], [5, 1, 0, 1, 10, 0, 0, 1, 0x23, 0x78]);
        let (written, _) = talk(&mut tunnel("ws://[2001:db8::1]", "", ""), &[&[5, 0]]);
        assert_eq!(written[1], [5, 1, 0, 4, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 80]);
    }

    #[test]
    fn every_answer_cut_at_every_byte() {
        let granted_v6 = [&[5, 0, 0, 4][..], &[7; 18]].concat();
        let granted_name = [&[5, 0, 0, 3, 3][..], b"abc", &[0, 80]].concat();
        let granted_nothing = [5, 0, 0, 3, 0, 0, 80];
        for granted in [GRANTED, &granted_v6, &granted_name, &granted_nothing] {
            let answers: [&[u8]; 3] = [&[5, 2], &[1, 0], granted];
            for cut in 1..granted.len() {
                let (early, late) = granted.split_at(cut);
                let late = [late, b"HTTP/1.1 101"].concat();
                let pieces: [&[u8]; 6] = [&[5], &[2], &[1], &[0], early, &late];
                let (_, last) = talk(&mut tunnel("ws://a", "ada", "secret"), &pieces);
                assert_eq!(last, open(b"HTTP/1.1 101"), "{cut} of {granted:?}");
            }
            let bytes: Vec<&[u8]> = answers.iter().flat_map(|answer| answer.chunks(1)).collect();
            let (_, last) = talk(&mut tunnel("ws://a", "ada", "secret"), &bytes);
            assert_eq!(last, open(b""));
        }
    }

    #[test]
    fn refusals() {
        let words = |answers: &[&[u8]], user: &str| {
            talk(&mut tunnel("ws://a", user, user), answers).1.unwrap_err().to_string()
        };
        for (code, sentence) in [
            (1, "the SOCKS proxy [::1]:1080: general failure"),
            (2, "the SOCKS proxy [::1]:1080: connection not allowed by its rules"),
            (3, "the SOCKS proxy [::1]:1080: network unreachable"),
            (4, "the SOCKS proxy [::1]:1080: host unreachable"),
            (5, "the SOCKS proxy [::1]:1080: connection refused"),
            (6, "the SOCKS proxy [::1]:1080: the time to live has expired"),
            (7, "the SOCKS proxy [::1]:1080: it does not know the command CONNECT"),
            (8, "the SOCKS proxy [::1]:1080: it does not know this type of address"),
            (9, "the SOCKS proxy [::1]:1080 refused the tunnel with the unknown code 9"),
            (255, "the SOCKS proxy [::1]:1080 refused the tunnel with the unknown code 255"),
        ] {
            assert_eq!(words(&[&[5, 0], &[5, code]], ""), sentence, "two bytes are enough");
            assert_eq!(words(&[&[5, 0], &[5, code, 0, 1, 0, 0, 0, 0, 0, 0]], ""), sentence);
        }
        assert_eq!(
            words(&[&[5, 2], &[1, 1]], "ada"),
            "the SOCKS proxy [::1]:1080 does not take this user and password"
        );
        assert_eq!(
            words(&[&[5, 0xff]], ""),
            "the SOCKS proxy [::1]:1080 asks for a login: set its user and password"
        );
        assert_eq!(
            words(&[&[5, 0xff]], "ada"),
            "the SOCKS proxy [::1]:1080 asks for another kind of login than user and password"
        );
        for answers in [&[&[4_u8][..]][..], &[b"HTTP/1.1 400"], &[&[5, 0], &[4]], &[&[5, 2], &[5]]] {
            assert_eq!(words(answers, "ada"), "what the SOCKS proxy [::1]:1080 answers is not SOCKS5");
        }
        assert!(words(&[&[5, 2]], "").contains("was not offered"));
        assert!(words(&[&[5, 1]], "ada").contains("was not offered"));
        assert!(words(&[&[5, 0], &[5, 0, 0, 9]], "").contains("malformed SOCKS5"));
    }
}
