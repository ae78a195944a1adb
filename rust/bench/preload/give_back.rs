//! Preloaded into a program (`LD_PRELOAD`), has the allocator give back to the system each second what the program has freed. Left
//! to itself, glibc's keeps it, in an arena for each thread: behind an attack a process may be 200 MiB larger that has nothing in use
//! of it. With this the memory of a process says what it holds, which `ci/test-hostile.sh --soak` wants to know.
#![allow(unsafe_code, reason = "the allocator is the C library's")]

use std::{thread, time::Duration};

#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
static START: extern "C" fn() = start;

extern "C" fn start() {
    // Without the thread the program runs as it would without this library.
    _ = thread::Builder::new().name("give-back".to_owned()).spawn(|| {
        loop {
            thread::sleep(Duration::from_secs(1));
            give_back();
        }
    });
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn give_back() {
    // SAFETY: the call may be made at any time and by any thread.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_back() {}
