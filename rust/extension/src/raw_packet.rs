//! Packets as the engine passes them to and from the classes' virtuals: as raw pointers.

use bytes::Bytes;
use godot::meta::conv::RawPtr;
use rust_websocket_peers::Lent;

use crate::convert::saturate;

/// The packet that the engine passes to `put_packet`.
///
/// # Safety
/// Unless it is null or `size` is not positive, `buffer` points to `size` bytes, which stay as they are for as long as the result is
/// used.
pub(crate) unsafe fn packet_at<'a>(buffer: &RawPtr<*const u8>, size: i32) -> &'a [u8] {
    let size = usize::try_from(size).unwrap_or(0);
    if size == 0 || buffer.ptr().is_null() {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(buffer.ptr(), size) }
}

/// Copies that packet.
///
/// # Safety
/// As there, for this call.
pub(crate) unsafe fn copy_packet(buffer: &RawPtr<*const u8>, size: i32) -> Bytes {
    // SAFETY: the caller's promise.
    Bytes::copy_from_slice(unsafe { packet_at(buffer, size) })
}

/// A packet on its way out of `get_packet`: where it is and how long. The engine reads it when the call has returned, on
/// the thread that made it.
pub(crate) struct RawPacket(*const u8, i32);

impl RawPacket {
    pub(crate) const NONE: Self = Self(std::ptr::null(), 0);

    /// A packet that `lent` keeps until this thread asks for another.
    pub(crate) fn of(payload: Bytes, lent: &Lent) -> Self {
        let raw = Self(payload.as_ptr(), saturate(payload.len()));
        lent.keep(payload);
        raw
    }

    /// Tells the engine.
    ///
    /// # Safety
    /// Both pointers are the engine's variables for it.
    pub(crate) unsafe fn hand_out(self, buffer: &RawPtr<*mut RawPtr<*const u8>>, size: &RawPtr<*mut i32>) {
        // SAFETY: the caller's promise.
        unsafe {
            *buffer.ptr() = RawPtr::new(self.0);
            *size.ptr() = self.1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Mutex, thread};

    use super::*;

    /// What the engine does: it calls for a packet and reads it through the pointer when the call has returned.
    fn call_and_read(queue: &Mutex<Vec<Bytes>>, lent: &Lent) -> Option<Vec<u8>> {
        let mut size = -1;
        // SAFETY: it is not read before it is set.
        let mut buffer = unsafe { RawPtr::<*const u8>::null() };
        {
            let mut queue = queue.lock().unwrap();
            let packet = RawPacket::of(queue.pop()?, lent);
            // SAFETY: both are variables of this function.
            unsafe { packet.hand_out(&RawPtr::new(&raw mut buffer), &RawPtr::new(&raw mut size)) };
        }
        thread::yield_now(); // to those who take the next packets
        // SAFETY: the packet is there until this thread asks for another.
        Some(unsafe { copy_packet(&buffer, size) }.to_vec())
    }

    /// Under valgrind (`ci/test-valgrind.sh`) it shows whether a packet is freed too early.
    #[test]
    fn packets_are_whole_while_other_threads_take_others() {
        let packets = (0..400u32).map(|number| Bytes::from(vec![number as u8; 1000 + number as usize]));
        let queue = Mutex::new(packets.collect());
        let lent = Lent::default();
        let read = thread::scope(|scope| {
            let take_all = || {
                let packets = std::iter::from_fn(|| call_and_read(&queue, &lent));
                packets.inspect(|packet| assert!(packet.iter().all(|byte| *byte == packet[0]))).count()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take_all)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert_eq!(read, 400);
    }

    #[test]
    fn nothing_is_copied_from_nowhere() {
        let bytes = [1, 2, 3];
        // SAFETY: there are three bytes, and no more than that are asked for.
        unsafe {
            assert_eq!(copy_packet(&RawPtr::new(bytes.as_ptr()), 2), [1, 2][..]);
            assert!(copy_packet(&RawPtr::new(bytes.as_ptr()), -1).is_empty());
            assert!(copy_packet(&RawPtr::null(), 3).is_empty());
        }
    }
}
