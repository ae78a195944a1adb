//! Name resolution on helper threads: `getaddrinfo` blocks, the I/O thread must not.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    thread::{self, JoinHandle},
};

use crate::{
    LinkId,
    queues::{Command, ReactorHandle},
};

/// Lookups under way at once; more wait for their turn (their connect timeout runs on).
const MAX_LOOKUPS: usize = 16;

/// Addresses, or one phrase for people.
pub(crate) type Resolution = Result<Vec<SocketAddr>, String>;

struct Lookup {
    link: LinkId,
    host: String,
    port: u16,
}

/// Runs lookups, a thread each; lives on the I/O thread.
#[derive(Default)]
pub(crate) struct Resolver {
    waiting: VecDeque<Lookup>,
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
    pub(crate) fn start(&mut self, link: LinkId, host: &str, port: u16, reactor: &ReactorHandle) {
        self.waiting.push_back(Lookup { link, host: host.to_owned(), port });
        self.run_next(reactor);
    }

    /// Nobody waits for that link's lookup any more; one that runs cannot be called off.
    pub(crate) fn forget(&mut self, link: usize) {
        if !self.waiting.is_empty() {
            self.waiting.retain(|lookup| lookup.link.0 != link);
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
            let Some(Lookup { link, host, port }) = self.waiting.pop_front() else { return };
            let answer_to = reactor.clone();
            let spawned = thread::Builder::new().name("websocket-resolve".to_owned()).spawn(move || {
                let resolution = look_up(&host, port);
                answer_to.push(Command::Resolved(link, resolution));
            });
            self.running += 1;
            self.join_finished();
            match spawned {
                Ok(thread) => self.threads.push(thread),
                Err(error) => reactor.push(Command::Resolved(
                    link,
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
            if addresses.is_empty() { Err(format!("'{host}' has no address")) } else { Ok(addresses) }
        }
        Err(error) => Err(format!("the host name '{host}' could not be resolved: {error}")),
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
    }
}
