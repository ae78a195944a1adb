//! The end of a thread that has run the reactor.
//!
//! mio watches a socket on Windows with a request to the system, issued by whoever runs the reactor. Windows keeps such requests apart
//! from threads, but Wine gives the answer to the thread that has asked, and when that ends in the same moment, the answer is lost: mio
//! takes the socket for closed, and nothing is heard of it any more. So a thread that has run the reactor says so when it ends, and all
//! sockets are watched anew by one that lives.

use std::{
    cell::RefCell,
    sync::{Arc, Weak},
};

use super::Driving;

thread_local! {
    /// What this thread has run last.
    static HAS_RUN: RefCell<Option<Ends>> = const { RefCell::new(None) };
}

/// Dropped with the thread.
struct Ends(Weak<Driving>);

impl Drop for Ends {
    /// Takes no lock: the system may hold one of its own here, and at the process's end the threads that held ours are gone.
    fn drop(&mut self) {
        if let Some(driving) = self.0.upgrade() {
            driving.has_lost_thread();
        }
    }
}

impl Driving {
    /// This thread runs the reactor, and its end is to be noted.
    pub(super) fn note_thread(self: &Arc<Self>) {
        // Fails while the thread ends, which is too late.
        _ = HAS_RUN.try_with(|has_run| {
            let Ok(mut has_run) = has_run.try_borrow_mut() else { return };
            let is_known = has_run.as_ref().is_some_and(|ends| Weak::as_ptr(&ends.0) == Arc::as_ptr(self));
            if !is_known {
                *has_run = Some(Ends(Arc::downgrade(self)));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::Ipv4Addr,
        time::{Duration, Instant},
    };

    use bytes::Bytes;
    use rust_websocket_proto::{ClientRequest, Event, MessageKind, ReceiveLimits, SendLimits, Target};

    use crate::{
        Admission, How, Link, LinkEvent, LinkOptions, ListenOptions, Listener, ListenerEvent, Reporting,
        thread,
    };

    fn options() -> LinkOptions {
        LinkOptions {
            config: std::sync::Arc::default(),
            send_limits: SendLimits { bytes: 65_535, messages: 4096 },
            receive_limits: ReceiveLimits { bytes: 65_535, messages: 4096 },
            no_delay: true,
            way: None,
            trace: None,
        }
    }

    fn listen() -> Listener {
        Listener::bind(ListenOptions {
            address: Some(std::net::IpAddr::from(Ipv4Addr::LOCALHOST).into()),
            port: 0,
            link: options(),
            tls: None,
            admission: Admission::default(),
            reporting: Reporting::Together,
        })
        .unwrap()
    }

    /// While they connect, while they are accepted and while they are open.
    #[test]
    fn connections_go_on_when_all_sockets_are_watched_anew() {
        let mut listener = listen();
        let url = format!("ws://{}/", listener.local_address());
        let request = ClientRequest { target: Target::parse(&url).unwrap() };
        let mut client = Link::connect(request, options());
        let (mut links, mut sent, mut received) = (Vec::new(), 0, 0);
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut due = Instant::now();
        while received < 50 {
            assert!(Instant::now() < deadline, "waited in vain behind {received} of {sent}");
            // Not with each poll: where the system is slow it would never come to answer.
            if Instant::now() >= due {
                thread::running().unwrap().has_lost_thread();
                due = Instant::now() + Duration::from_millis(5);
            }
            let (mut arrivals, mut events) = (Vec::new(), Vec::new());
            listener.take_events(&mut arrivals);
            for arrival in arrivals {
                if let ListenerEvent::Accepted(link, ..) = arrival {
                    links.push(link);
                }
            }
            if let (Some(link), true) = (links.first(), sent == received) {
                link.push(MessageKind::Binary, Bytes::from_static(b"here"), How::Now).unwrap();
                sent += 1;
            }
            client.take_events(&mut events);
            for event in events {
                match event {
                    LinkEvent::Protocol(Event::Message(message)) => {
                        client.consumed(message.payload.len());
                        received += 1;
                    }
                    LinkEvent::Protocol(Event::Closed(closed)) => panic!("{closed:?}"),
                    _ => {}
                }
            }
            std::thread::yield_now();
        }
    }
}
