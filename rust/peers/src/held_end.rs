//! The one rule about an end that packets stand before.

use rust_websocket_proto::Closed;

/// The end of a connection, kept back while packets that came before it are unread.
///
/// The usual loop (poll, then read while the state is open) would lose them otherwise: what comes together with a close frame, a
/// FIN or a reset would never be seen as open.
#[derive(Debug, Default)]
pub(crate) struct HeldEnd(Option<Box<Closed>>);

impl HeldEnd {
    /// A poll meets the end. Returns it if it is to be shown at once.
    pub(crate) fn meet(&mut self, closed: Closed, unread: usize) -> Option<Box<Closed>> {
        let closed = Box::new(closed);
        if unread == 0 {
            return Some(closed);
        }
        self.0 = Some(closed);
        None
    }

    /// The next poll begins. Returns the end if it is to be shown now.
    pub(crate) fn poll(&mut self) -> Option<Box<Closed>> {
        self.0.take()
    }

    /// The end, met and not shown.
    pub(crate) fn get(&self) -> Option<&Closed> {
        self.0.as_deref()
    }

    /// The script has ended the connection itself: whatever was kept back does not matter any more.
    pub(crate) fn take(&mut self) -> Option<Box<Closed>> {
        self.0.take()
    }
}
