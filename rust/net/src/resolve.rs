//! Name resolution on helper threads: `getaddrinfo` blocks, the I/O thread must not.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::{Arc, OnceLock, Weak},
    thread::{self, JoinHandle},
};

use rust_websocket_proto::Quoted;

use crate::{
    LinkId,
    queues::{Command, ReactorHandle},
    thread::running,
};

/// Lookups under way at once; more wait for their turn (their connect timeout runs on).
const MAX_LOOKUPS: usize = 16;

/// Addresses, or one phrase for people.
pub(crate) type Resolution = Result<Vec<SocketAddr>, String>;

/// Who wants to know.
#[derive(Debug, Clone)]
pub(crate) enum Asker {
    Link(LinkId),
    /// Who holds the other end; gone if nobody does any more.
    Lookup(Weak<OnceLock<Resolution>>),
}

/// A name lookup for a connection that does not live on the I/O thread. Dropping it forgets it.
#[derive(Debug)]
pub struct Lookup(Arc<OnceLock<Resolution>>);

impl Lookup {
    /// Looks `host` up, unless it is an IP literal. Takes no time; the answer comes later.
    pub fn start(host: &str, port: u16) -> Self {
        let lookup = Self(Arc::default());
        match Resolver::literal(host, port) {
            Some(addresses) => lookup.set(Ok(addresses)),
            None => match running() {
                Ok(reactor) => {
                    let asker = Asker::Lookup(Arc::downgrade(&lookup.0));
                    reactor.push(Command::LookUp(asker, host.to_owned(), port));
                }
                Err(error) => lookup.set(Err(format!("the I/O thread did not start: {error}"))),
            },
        }
        lookup
    }

    /// The addresses in the order in which they should be tried (at least one), or one phrase for people; `None`
    /// while there is no answer.
    pub fn answer(&self) -> Option<Result<&[SocketAddr], &str>> {
        self.0.get().map(|resolution| match resolution {
            Ok(addresses) => Ok(addresses.as_slice()),
            Err(reason) => Err(reason.as_str()),
        })
    }

    fn set(&self, resolution: Resolution) {
        _ = self.0.set(resolution); // the first answer counts
    }
}

struct Waiting {
    asker: Asker,
    host: String,
    port: u16,
}

impl Waiting {
    fn is_wanted(&self) -> bool {
        match &self.asker {
            Asker::Link(_) => true, // see `Resolver::forget`
            Asker::Lookup(answer) => answer.strong_count() > 0,
        }
    }
}

/// Runs lookups, a thread each; lives on the I/O thread.
#[derive(Default)]
pub(crate) struct Resolver {
    waiting: VecDeque<Waiting>,
    running: usize,
    /// Of lookups that run, and of some that have ended.
    threads: Vec<JoinHandle<()>>,
}

impl Resolver {
    /// The addresses of an IP literal, which needs no lookup.
    pub(crate) fn literal(host: &str, port: u16) -> Option<Vec<SocketAddr>> {
        host.parse::<IpAddr>().ok().map(|address| vec![SocketAddr::new(address, port)])
    }

    /// Looks `host` up; the answer comes as [`Command::Resolved`].
    pub(crate) fn start(&mut self, asker: Asker, host: &str, port: u16, reactor: &ReactorHandle) {
        self.waiting.push_back(Waiting { asker, host: host.to_owned(), port });
        self.run_next(reactor);
    }

    /// Nobody waits for that link's lookup any more; one that runs cannot be called off.
    pub(crate) fn forget(&mut self, link: usize) {
        if !self.waiting.is_empty() {
            self.waiting.retain(|waiting| !matches!(waiting.asker, Asker::Link(asker) if asker.0 == link));
        }
    }

    /// The threads that may still run; none is started any more.
    pub(crate) fn stop(&mut self) -> Vec<JoinHandle<()>> {
        self.waiting.clear();
        std::mem::take(&mut self.threads)
    }

    /// A lookup has ended.
    pub(crate) fn ended(&mut self, reactor: &ReactorHandle) {
        self.running -= 1;
        self.run_next(reactor);
    }

    /// A thread has ended only when it is joined, not when it says that it is finished.
    fn join_finished(&mut self) {
        let (finished, running): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.threads).into_iter().partition(JoinHandle::is_finished);
        self.threads = running;
        for thread in finished {
            _ = thread.join();
        }
    }

    fn run_next(&mut self, reactor: &ReactorHandle) {
        while self.running < MAX_LOOKUPS {
            let Some(waiting) = self.waiting.pop_front() else { return };
            if !waiting.is_wanted() {
                continue;
            }
            let Waiting { asker, host, port } = waiting;
            let (answer_to, asking) = (reactor.clone(), asker.clone());
            let spawned = thread::Builder::new().name("websocket-resolve".to_owned()).spawn(move || {
                let resolution = look_up(&host, port);
                answer_to.push(Command::Resolved(asking, resolution));
            });
            self.running += 1;
            self.join_finished();
            match spawned {
                Ok(thread) => self.threads.push(thread),
                Err(error) => reactor.push(Command::Resolved(
                    asker,
                    Err(format!("no thread for the name lookup could be started: {error}")),
                )),
            }
        }
    }
}

fn look_up(host: &str, port: u16) -> Resolution {
    match (host, port).to_socket_addrs() {
        Ok(addresses) => {
            let addresses = interleave(addresses.collect());
            if addresses.is_empty() { Err(format!("{} has no address", Quoted(host))) } else { Ok(addresses) }
        }
        Err(error) => Err(format!("the host name {} could not be resolved: {error}", Quoted(host))),
    }
}

/// Alternates address families, starting with that of the system's first choice (RFC 8305 section 4).
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let mut unique: Vec<SocketAddr> = Vec::with_capacity(addresses.len());
    for address in addresses {
        if !unique.contains(&address) {
            unique.push(address);
        }
    }
    let Some(first) = unique.first().copied() else { return unique };
    let (preferred, other): (Vec<_>, Vec<_>) =
        unique.into_iter().partition(|address| address.is_ipv6() == first.is_ipv6());
    let mut ordered = Vec::with_capacity(preferred.len() + other.len());
    let (mut preferred, mut other) = (preferred.into_iter(), other.into_iter());
    loop {
        match (preferred.next(), other.next()) {
            (None, None) => return ordered,
            (a, b) => ordered.extend(a.into_iter().chain(b)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_alternate_and_nothing_is_tried_twice() {
        let found =
            addresses(&["[::1]:1", "[::1]:1", "[::2]:1", "127.0.0.1:1", "127.0.0.2:1", "127.0.0.3:1"]);
        let expected = addresses(&["[::1]:1", "127.0.0.1:1", "[::2]:1", "127.0.0.2:1", "127.0.0.3:1"]);
        assert_eq!(interleave(found), expected);
        assert_eq!(interleave(Vec::new()), Vec::new());
    }

    #[test]
    fn literals_need_no_lookup() {
        assert_eq!(Resolver::literal("::1", 80), Some(addresses(&["[::1]:80"])));
        assert_eq!(Resolver::literal("127.0.0.1", 81), Some(addresses(&["127.0.0.1:81"])));
        assert_eq!(Resolver::literal("localhost", 80), None);
        assert_eq!(Lookup::start("::1", 80).answer(), Some(Ok(addresses(&["[::1]:80"]).as_slice())));
    }

    #[test]
    fn names_are_answered_later() {
        let (known, unknown) = (Lookup::start("localhost", 80), Lookup::start("no.such.name.invalid", 80));
        let answer = wait_for(&known).unwrap();
        assert!(!answer.is_empty() && answer.iter().all(|address| address.ip().is_loopback()));
        let reason = wait_for(&unknown).unwrap_err();
        assert!(reason.contains("the host name 'no.such.name.invalid' could not be resolved"), "{reason}");
    }

    fn wait_for(lookup: &Lookup) -> Result<&[SocketAddr], &str> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if let Some(answer) = lookup.answer() {
                return answer;
            }
            thread::yield_now();
        }
        Err("no answer")
    }
}
