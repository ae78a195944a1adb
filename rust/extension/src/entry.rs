//! The library's entry under the built-in names: an engine that has classes of these names would take every member of
//! ours with an error each, so it is asked first.

use std::ffi::{CStr, c_char};
use std::mem::MaybeUninit;

use godot::sys;

use crate::rust_websocket_register;

const REFUSAL: &CStr = c"Rust WebSocket is not loaded: this build registers WebSocketPeer and \
    WebSocketMultiplayerPeer, which this engine has already; use an engine compiled with \
    module_websocket_enabled=no, or the addon's usual build.";

/// What the manifest names. Answers 0 (not loaded) when the names are taken.
///
/// # Safety
/// For the engine only, which passes what GDExtension prescribes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn rust_websocket_init(
    get_proc_address: sys::GDExtensionInterfaceGetProcAddress,
    library: sys::GDExtensionClassLibraryPtr,
    init: *mut sys::GDExtensionInitialization,
) -> sys::GDExtensionBool {
    // SAFETY: the engine's function, called as the interface documents; the arguments are passed on as they came.
    unsafe {
        if names_are_taken(get_proc_address) {
            refuse(get_proc_address);
            return 0;
        }
        rust_websocket_register(get_proc_address, library, init)
    }
}

/// # Safety
/// `get_proc_address` is the engine's.
unsafe fn names_are_taken(get_proc_address: sys::GDExtensionInterfaceGetProcAddress) -> bool {
    // SAFETY: the names stand for functions of these types since Godot 4.2. The engine writes a StringName of pointer
    // size, which it never frees because its text is static.
    unsafe {
        let new_name: Option<sys::GDExtensionInterfaceStringNameNewWithLatin1Chars> =
            std::mem::transmute(find(get_proc_address, c"string_name_new_with_latin1_chars"));
        let class_tag: Option<sys::GDExtensionInterfaceClassdbGetClassTag> =
            std::mem::transmute(find(get_proc_address, c"classdb_get_class_tag"));
        let (Some(new_name), Some(class_tag)) = (new_name, class_tag) else { return false };
        let mut name = MaybeUninit::<usize>::uninit();
        new_name(name.as_mut_ptr().cast(), c"WebSocketPeer".as_ptr(), 1);
        !class_tag(name.as_ptr().cast()).is_null()
    }
}

/// # Safety
/// `get_proc_address` is the engine's.
unsafe fn refuse(get_proc_address: sys::GDExtensionInterfaceGetProcAddress) {
    // SAFETY: the name stands for a function of this type since Godot 4.1; all texts are static and end in a NUL.
    unsafe {
        let print: Option<sys::GDExtensionInterfacePrintError> =
            std::mem::transmute(find(get_proc_address, c"print_error"));
        if let Some(print) = print {
            print(REFUSAL.as_ptr(), c"rust_websocket_init".as_ptr(), FILE.as_ptr(), line!() as i32, 1);
        }
    }
}

const FILE: &CStr = c"rust/extension/src/entry.rs";

/// # Safety
/// `get_proc_address` is the engine's.
unsafe fn find(
    get_proc_address: sys::GDExtensionInterfaceGetProcAddress,
    name: &CStr,
) -> Option<unsafe extern "C" fn()> {
    let text: *const c_char = name.as_ptr();
    // SAFETY: as the caller promises; the text ends in a NUL.
    get_proc_address.and_then(|get| unsafe { get(text) })
}
