//! How many clients there may be, and what those get who may not come in.

use std::collections::HashMap;

use super::AddressKey;
use crate::http::{Answer, Decision, Request};

/// How many clients a server takes. `None`: any number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// At once; 0 refuses everybody: a drain.
    pub max_clients: Option<usize>,
    /// At once from one address, see [`AddressKey`].
    pub max_clients_per_address: Option<usize>,
}

/// Why a server does not let a client in, in words for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// `max_clients_per_address`.
    #[error("too many connections")]
    TooManyFromAddress,
    /// `max_clients`.
    #[error("the server is full")]
    Full,
    /// `allowed_origins`.
    #[error("pages of this origin may not connect here")]
    Origin,
    /// Nobody answers at this path.
    #[error("there is nothing at this path")]
    Path,
}

impl Refusal {
    /// The HTTP status of the answer.
    pub fn status(self) -> u16 {
        match self {
            Self::TooManyFromAddress => 429,
            Self::Full => 503,
            Self::Origin => 403,
            Self::Path => 404,
        }
    }

    /// The close code with which a browser is let in and sent away again, because it shows its page no status: what is
    /// worth trying again later (1013).
    pub fn close_code(self) -> Option<u16> {
        match self {
            Self::TooManyFromAddress | Self::Full => Some(1013),
            Self::Origin | Self::Path => None,
        }
    }

    /// What the client gets. A request with an `Origin` is a browser's.
    pub fn decision(self, request: &Request) -> Decision {
        if let Some(code) = self.close_code().filter(|_| request.origin().is_some()) {
            return Decision::Refuse { code, reason: self.to_string() };
        }
        let headers = match self {
            Self::Full => vec!["Retry-After: 5".to_owned()],
            _ => Vec::new(),
        };
        Decision::Answer(Answer::short(self.status(), format!("{self}\n"), headers))
    }
}

/// The clients that a server has, counted. A place is taken before a client is answered, so that any number of clients at
/// once never gets in beyond the limits, and given back when its connection has ended.
#[derive(Debug, Default)]
pub struct Places {
    taken: usize,
    per_address: HashMap<AddressKey, usize>,
}

impl Places {
    /// Takes a place for a client of this address.
    ///
    /// # Errors
    /// [`Refusal::TooManyFromAddress`] or [`Refusal::Full`]; nothing is taken then. The limit per address is looked at
    /// first. Lowering a limit ends nobody: more may be taken than there are.
    pub fn take(&mut self, key: AddressKey, limits: &Limits) -> Result<(), Refusal> {
        if limits.max_clients_per_address.is_some_and(|limit| self.taken_by(key) >= limit) {
            return Err(Refusal::TooManyFromAddress);
        }
        if limits.max_clients.is_some_and(|limit| self.taken >= limit) {
            return Err(Refusal::Full);
        }
        self.taken += 1;
        *self.per_address.entry(key).or_default() += 1;
        Ok(())
    }

    /// Gives a place back that was taken for a client of this address.
    pub fn give_back(&mut self, key: AddressKey) {
        let Some(count) = self.per_address.get_mut(&key) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.per_address.remove(&key);
        }
        self.taken = self.taken.saturating_sub(1);
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// How many are taken by clients of this address.
    pub fn taken_by(&self, key: AddressKey) -> usize {
        self.per_address.get(&key).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::admission::Address;

    fn key(text: &str) -> AddressKey {
        Address::from(text.parse::<IpAddr>().unwrap()).key()
    }

    const NONE: Limits = Limits { max_clients: None, max_clients_per_address: None };

    #[test]
    fn without_limits_everybody_gets_one() {
        let mut places = Places::default();
        for count in 1..=1000 {
            assert_eq!(places.take(key("10.0.0.1"), &NONE), Ok(()));
            assert_eq!((places.taken(), places.taken_by(key("10.0.0.1"))), (count, count));
        }
    }

    #[test]
    fn never_more_than_max_clients() {
        let limits = Limits { max_clients: Some(2), ..NONE };
        let mut places = Places::default();
        assert_eq!(places.take(key("10.0.0.1"), &limits), Ok(()));
        assert_eq!(places.take(key("10.0.0.2"), &limits), Ok(()));
        assert_eq!(places.take(key("10.0.0.3"), &limits), Err(Refusal::Full));
        places.give_back(key("10.0.0.3"));
        assert_eq!(places.taken(), 2, "who has none gives none back");
        places.give_back(key("10.0.0.1"));
        assert_eq!(places.take(key("10.0.0.3"), &limits), Ok(()));
    }

    #[test]
    fn a_drain_ends_nobody() {
        let mut places = Places::default();
        assert_eq!(places.take(key("10.0.0.1"), &NONE), Ok(()));
        let drain = Limits { max_clients: Some(0), ..NONE };
        assert_eq!(places.take(key("10.0.0.2"), &drain), Err(Refusal::Full));
        assert_eq!(places.taken(), 1);
        places.give_back(key("10.0.0.1"));
        assert_eq!(places.take(key("10.0.0.1"), &drain), Err(Refusal::Full));
        assert_eq!(places.take(key("10.0.0.1"), &NONE), Ok(()));
    }

    #[test]
    fn per_address_and_per_ipv6_network() {
        let limits = Limits { max_clients: Some(3), max_clients_per_address: Some(1) };
        let mut places = Places::default();
        assert_eq!(places.take(key("10.0.0.1"), &limits), Ok(()));
        assert_eq!(places.take(key("::ffff:10.0.0.1"), &limits), Err(Refusal::TooManyFromAddress));
        assert_eq!(places.take(key("2001:db8::1"), &limits), Ok(()));
        assert_eq!(places.take(key("2001:db8::2"), &limits), Err(Refusal::TooManyFromAddress));
        assert_eq!(places.take(key("2001:db8:0:1::2"), &limits), Ok(()));
        assert_eq!(places.take(key("10.0.0.1"), &limits), Err(Refusal::TooManyFromAddress), "comes first");
        assert_eq!(places.take(key("10.0.0.2"), &limits), Err(Refusal::Full));
        places.give_back(key("2001:db8::ffff"));
        assert_eq!(places.take(key("2001:db8::2"), &limits), Ok(()));
    }

    #[test]
    fn what_natives_and_browsers_get() {
        let request = |lines: &str| {
            let head = format!("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n{lines}\r\n");
            Request::parse(head.as_bytes()).unwrap()
        };
        let sent = |refusal: Refusal| match refusal.decision(&request("")) {
            Decision::Answer(answer) => {
                String::from_utf8(answer.encode(crate::http::Method::Get).head).unwrap()
            }
            other => panic!("{other:?}"),
        };
        assert!(sent(Refusal::Full).starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
        assert!(sent(Refusal::Full).contains("\r\nRetry-After: 5\r\n"));
        assert!(sent(Refusal::TooManyFromAddress).starts_with("HTTP/1.1 429 Too Many Requests\r\n"));
        assert!(sent(Refusal::Path).starts_with("HTTP/1.1 404 Not Found\r\n"));
        let browser = request("Origin: https://game.example\r\n");
        let refuse = |reason: &str| Decision::Refuse { code: 1013, reason: reason.to_owned() };
        assert_eq!(Refusal::Full.decision(&browser), refuse("the server is full"));
        assert_eq!(Refusal::TooManyFromAddress.decision(&browser), refuse("too many connections"));
        for refusal in [Refusal::Origin, Refusal::Path] {
            let Decision::Answer(answer) = refusal.decision(&browser) else { panic!("{refusal:?}") };
            assert_eq!(answer.status(), refusal.status());
        }
    }

    #[test]
    fn nothing_is_left_behind() {
        let mut places = Places::default();
        for host in 0..100_u8 {
            let key = key(&format!("10.0.0.{host}"));
            assert_eq!(places.take(key, &NONE), Ok(()));
            places.give_back(key);
            places.give_back(key);
        }
        assert!(places.per_address.is_empty());
        assert_eq!(places.taken(), 0);
    }
}
