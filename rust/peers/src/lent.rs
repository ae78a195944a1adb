//! Packets that a caller reads without a copy.

use std::sync::{Arc, Mutex, Weak};

use rust_websocket_net::lock;

use bytes::Bytes;

thread_local! {
    /// Lives as long as this thread.
    static THREAD: Arc<()> = Arc::new(());
}

/// Keeps the packet that each thread was given last, until that thread asks for another.
///
/// The engine reads a packet through a pointer after the call that gave it has returned, when no lock is held any more.
/// Meanwhile another thread may take the next packet of the same peer, close it, or connect it anew; none of that may
/// free the packet.
#[derive(Debug, Default)]
pub struct Lent(Mutex<Vec<(Weak<()>, Bytes)>>);

impl Lent {
    /// Keeps `packet` until this thread's next call, or until the thread has ended.
    pub fn keep(&self, packet: Bytes) {
        // A thread whose own values are gone already is about to end: its packet stays as long as the peer.
        let thread = THREAD.try_with(Arc::downgrade).unwrap_or_default();
        let mut packets = lock(&self.0);
        let earlier = match packets.iter_mut().find(|(whose, _)| whose.ptr_eq(&thread)) {
            Some((_, kept)) => std::mem::replace(kept, packet),
            None => {
                packets.retain(|(whose, _)| whose.strong_count() > 0);
                packets.push((thread, packet));
                Bytes::new()
            }
        };
        drop(packets);
        drop(earlier); // after the lock is gone
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// A packet that says whether it is still there.
    struct Watched {
        _token: Arc<()>,
    }

    impl AsRef<[u8]> for Watched {
        fn as_ref(&self) -> &[u8] {
            b"packet"
        }
    }

    fn watched() -> (Bytes, Weak<()>) {
        let token = Arc::new(());
        let watch = Arc::downgrade(&token);
        (Bytes::from_owner(Watched { _token: token }), watch)
    }

    fn is_there(watch: &Weak<()>) -> bool {
        watch.strong_count() > 0
    }

    #[test]
    fn a_packet_lives_until_the_same_thread_takes_another() {
        let lent = Lent::default();
        let (first, watch) = watched();
        lent.keep(first);
        assert!(is_there(&watch));
        thread::scope(|scope| {
            scope.spawn(|| (0..10).for_each(|_| lent.keep(watched().0)));
        });
        assert!(is_there(&watch), "other threads do not count");
        lent.keep(Bytes::new());
        assert!(!is_there(&watch));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "packets are kept per thread")]
    fn packets_of_threads_that_have_ended_are_not_kept_for_ever() {
        let lent = Arc::new(Lent::default());
        for _ in 0..20 {
            let lent = Arc::clone(&lent);
            // Joined, since a scope does not wait for what a thread drops at its end.
            thread::spawn(move || lent.keep(watched().0)).join().unwrap();
        }
        assert_eq!(lent.0.lock().unwrap().len(), 1);
    }
}
