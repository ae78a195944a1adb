//! The one rule about an end that packets stand before.

use rust_websocket_proto::Closed;

/// The end of a connection, kept back while packets that came before it are unread and somebody
/// reads them.
///
/// Scripts read while the state is open, some of them a few packets per frame. What comes together
/// with a close frame, a FIN or a reset would be lost to them if the end showed at once. A script
/// that has taken nothing between two polls is not reading: it is shown the end, and the packets
/// stay readable.
#[derive(Debug, Default)]
pub(crate) struct HeldEnd(Option<Box<Closed>>);

impl HeldEnd {
    /// A poll meets the end. Returns it if it is to be shown at once: nothing is to be read or
    /// waited for before it.
    pub(crate) fn meet(&mut self, closed: Box<Closed>, is_awaited: bool) -> Option<Box<Closed>> {
        if !is_awaited {
            return Some(closed);
        }
        self.0 = Some(closed);
        None
    }

    /// A later poll begins; `was_read` tells whether packets were taken since the last one. Returns
    /// the end if it is to be shown now.
    pub(crate) fn poll(&mut self, unread: usize, was_read: bool) -> Option<Box<Closed>> {
        if unread > 0 && was_read { None } else { self.0.take() }
    }

    /// The end, met and not shown.
    pub(crate) fn get(&self) -> Option<&Closed> {
        self.0.as_deref()
    }

    /// The end, whatever is unread: the script has closed the connection itself.
    pub(crate) fn take(&mut self) -> Option<Box<Closed>> {
        self.0.take()
    }
}
