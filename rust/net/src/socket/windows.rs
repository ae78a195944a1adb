//! The one option that socket2 does not know.
#![allow(unsafe_code, reason = "a call of the system")]

use std::{io, os::windows::io::AsRawSocket};

use windows_sys::Win32::Networking::WinSock::{
    SO_EXCLUSIVEADDRUSE, SOCKET, SOCKET_ERROR, SOL_SOCKET, setsockopt,
};

/// Before binding: nobody else may listen on the port, not even with SO_REUSEADDR, which on Windows takes
/// ports over.
pub(crate) fn exclude_others(socket: &socket2::Socket) -> io::Result<()> {
    let enabled = 1_i32.to_ne_bytes();
    // SAFETY: the socket is open while it is borrowed, and the value is as long as the call is told.
    let result = unsafe {
        setsockopt(
            socket.as_raw_socket() as SOCKET,
            SOL_SOCKET,
            SO_EXCLUSIVEADDRUSE,
            enabled.as_ptr(),
            enabled.len() as i32,
        )
    };
    if result == SOCKET_ERROR { Err(io::Error::last_os_error()) } else { Ok(()) }
}
