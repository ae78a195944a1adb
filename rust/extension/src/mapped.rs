//! Keeps the library in memory although the engine unloads it.

use std::ffi::c_void;

/// Never unloads the library: a thread that cannot be ended will return to its code. What the engine loads after this
/// is the same code again, so a debug build, which gdext makes to be replaced, does not load before a restart.
pub(crate) fn stay() {
    let address = stay as fn() as *const c_void;
    pin(address);
}

#[cfg(unix)]
fn pin(address: *const c_void) {
    let mut found = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: dladdr fills in the structure when it does not answer 0; the name in it is a C string that lives as long as
    // the library. Opening a library that is open already runs no code of it.
    unsafe {
        if libc::dladdr(address, found.as_mut_ptr()) != 0 {
            let flags = libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
            libc::dlopen(found.assume_init().dli_fname, flags);
        }
    }
}

#[cfg(windows)]
fn pin(address: *const c_void) {
    const FROM_ADDRESS: u32 = 4;
    const PIN: u32 = 1;
    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn GetModuleHandleExW(flags: u32, address: *const c_void, module: *mut *mut c_void) -> i32;
    }
    let mut module = std::ptr::null_mut();
    // SAFETY: with FROM_ADDRESS the second argument is any address within the library.
    unsafe {
        GetModuleHandleExW(FROM_ADDRESS | PIN, address, &raw mut module);
    }
}

#[cfg(not(any(unix, windows)))]
fn pin(_address: *const c_void) {}
