//! Name lookups on helper threads: `getaddrinfo` blocks, the I/O thread must not.

use std::{
    collections::VecDeque,
    fmt,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::{Arc, Mutex, OnceLock, Weak},
};

use rust_websocket_proto::Quoted;

use crate::{helper, seam::lock};

/// Lookups under way at once; more wait (their connect timeout runs on).
const MAX_LOOKUPS: usize = 16;

/// Addresses, or one phrase for people.
type Resolution = Result<Vec<SocketAddr>, String>;

/// A name lookup. Dropping it forgets it; one that has begun cannot be called off.
#[derive(Debug)]
pub struct Lookup(Arc<OnceLock<Resolution>>);

impl Lookup {
    /// Looks `host` up, unless it is an IP literal. Takes no time; the answer comes later.
    pub fn start(host: &str, port: u16) -> Self {
        Self::start_and(host, port, || {})
    }

    /// Like [`start`](Self::start); `notify` is called, on a thread of its own, when the answer of a lookup
    /// is there. That of a literal is there at once.
    pub(crate) fn start_and(host: &str, port: u16, notify: impl FnOnce() + Send + 'static) -> Self {
        let lookup = Self(Arc::default());
        match literal(host, port) {
            Some(addresses) => _ = lookup.0.set(Ok(addresses)),
            None => enqueue(Job {
                answer: Arc::downgrade(&lookup.0),
                host: host.to_owned(),
                port,
                notify: Box::new(notify),
            }),
        }
        lookup
    }

    /// The addresses in the order in which they should be tried (at least one), or one phrase for people;
    /// `None` while there is no answer.
    pub fn answer(&self) -> Option<Result<&[SocketAddr], &str>> {
        self.0.get().map(|resolution| match resolution {
            Ok(addresses) => Ok(addresses.as_slice()),
            Err(reason) => Err(reason.as_str()),
        })
    }
}

/// A lookup that waits for its thread.
struct Job {
    /// Gone if nobody wants to know any more.
    answer: Weak<OnceLock<Resolution>>,
    host: String,
    port: u16,
    notify: Box<dyn FnOnce() + Send>,
}

impl fmt::Debug for Job {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Job").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Job {
    fn answer(self, resolution: impl FnOnce(&str, u16) -> Resolution) {
        if self.answer.strong_count() == 0 {
            return;
        }
        let resolution = resolution(&self.host, self.port);
        if let Some(answer) = self.answer.upgrade() {
            _ = answer.set(resolution); // nobody else sets it
            (self.notify)();
        }
    }
}

/// Lookups of the whole process.
#[derive(Debug)]
struct Queue {
    waiting: VecDeque<Job>,
    threads: usize,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue { waiting: VecDeque::new(), threads: 0 });

/// Each thread goes on with the next lookup when it has answered one.
fn enqueue(job: Job) {
    let mut queue = lock(&QUEUE);
    queue.waiting.push_back(job);
    if queue.threads >= MAX_LOOKUPS {
        return;
    }
    queue.threads += 1;
    drop(queue);
    if let Err(error) = helper::spawn("websocket-resolve", serve) {
        let left = {
            let mut queue = lock(&QUEUE);
            queue.threads -= 1;
            if queue.threads == 0 { std::mem::take(&mut queue.waiting) } else { VecDeque::new() }
        };
        for job in left {
            job.answer(|_, _| Err(format!("no thread for the name lookup could be started: {error}")));
        }
    }
}

fn serve() {
    while let Some(job) = next_job() {
        job.answer(look_up);
    }
}

fn next_job() -> Option<Job> {
    let mut queue = lock(&QUEUE);
    let job = queue.waiting.pop_front();
    if job.is_none() {
        queue.threads -= 1;
    }
    job
}

/// Lookups that have not begun never will.
pub(crate) fn cancel_waiting() {
    let waiting = std::mem::take(&mut lock(&QUEUE).waiting);
    drop(waiting);
}

/// The addresses of an IP literal, which needs no lookup.
fn literal(host: &str, port: u16) -> Option<Vec<SocketAddr>> {
    host.parse::<IpAddr>().ok().map(|address| vec![SocketAddr::new(address, port)])
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
    use std::{
        thread,
        time::{Duration, Instant},
    };

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
        assert_eq!(literal("::1", 80), Some(addresses(&["[::1]:80"])));
        assert_eq!(literal("127.0.0.1", 81), Some(addresses(&["127.0.0.1:81"])));
        assert_eq!(literal("localhost", 80), None);
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

    #[test]
    fn more_than_run_at_once_are_all_answered_and_notified() {
        let (notify, notified) = std::sync::mpsc::channel();
        let lookups: Vec<_> = (0..MAX_LOOKUPS * 3)
            .map(|_| {
                let notify = notify.clone();
                Lookup::start_and("localhost", 80, move || _ = notify.send(()))
            })
            .collect();
        drop(notify);
        assert!(lookups.iter().all(|lookup| wait_for(lookup).is_ok()));
        assert_eq!(notified.iter().count(), lookups.len());
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
