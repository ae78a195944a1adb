//! Packets as the engine passes them to and from the classes' virtuals: as raw pointers.

use bytes::Bytes;
use godot::meta::conv::RawPtr;

use crate::convert::saturate;

/// Copies the packet that the engine passes to `put_packet`.
///
/// # Safety
/// Unless it is null or `size` is not positive, `buffer` points to `size` bytes.
pub(crate) unsafe fn copy_packet(buffer: &RawPtr<*const u8>, size: i32) -> Bytes {
    let size = usize::try_from(size).unwrap_or(0);
    if size == 0 || buffer.ptr().is_null() {
        return Bytes::new();
    }
    // SAFETY: the caller's promise.
    Bytes::copy_from_slice(unsafe { std::slice::from_raw_parts(buffer.ptr(), size) })
}

/// A packet on its way out of `get_packet`: where it is and how long. It has to stay there until the next call.
pub(crate) struct RawPacket(*const u8, i32);

impl RawPacket {
    pub(crate) const NONE: Self = Self(std::ptr::null(), 0);

    pub(crate) fn of(payload: &[u8]) -> Self {
        Self(payload.as_ptr(), saturate(payload.len()))
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
