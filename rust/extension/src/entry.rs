//! The library's entry, before gdext's own. Here stands what has to be done before gdext registers anything: under the built-in
//! names an engine that has classes of these names is refused, since it would take every member of ours with an error each;
//! and the classes take over virtuals of theirs (see `virtuals.rs`).

use std::ffi::{CStr, c_char};
#[cfg(feature = "builtin-names")]
use std::mem::MaybeUninit;
use std::mem::transmute;
use std::sync::OnceLock;

use godot::builtin::StringName;
use godot::init::__gdext_load_library;
use godot::obj::GodotClass;
use godot::sys;

use crate::{
    RustWebSocket, multiplayer_peer::RustWebSocketMultiplayerPeer, virtuals::take_over,
    websocket_peer::RustWebSocketPeer,
};

type RegisterClass = sys::GDExtensionInterfaceClassdbRegisterExtensionClass3;

/// The engine's function through which gdext registers classes, for engines from 4.3 on.
const REGISTER_CLASS: &CStr = c"classdb_register_extension_class3";

static ENGINE: OnceLock<sys::GDExtensionInterfaceGetProcAddress> = OnceLock::new();
static REGISTER: OnceLock<RegisterClass> = OnceLock::new();

#[cfg(feature = "builtin-names")]
const REFUSAL: &CStr = c"Rust WebSocket is not loaded: this build registers WebSocketPeer and \
    WebSocketMultiplayerPeer, which this engine has already; use an engine compiled with \
    module_websocket_enabled=no, or the addon's usual build.";

// As gdext's attribute does beside the entry, which would be a second one here.
#[cfg(target_os = "linux")]
sys::register_hot_reload_workaround!();

/// What the manifest names. Answers 0 (not loaded) when the names are taken.
///
/// # Safety
/// For the engine only, which passes what GDExtension prescribes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn rust_websocket_init(
    engine: sys::GDExtensionInterfaceGetProcAddress,
    library: sys::GDExtensionClassLibraryPtr,
    init: *mut sys::GDExtensionInitialization,
) -> sys::GDExtensionBool {
    // SAFETY: the engine's function, called as the interface documents; the arguments are passed on as they came.
    unsafe {
        #[cfg(feature = "builtin-names")]
        if names_are_taken(engine) {
            refuse(engine);
            return 0;
        }
        _ = ENGINE.set(engine);
        __gdext_load_library::<RustWebSocket>(Some(get_proc_address), library, init)
    }
}

/// Finds the engine's functions for gdext, all but one.
///
/// # Safety
/// As the engine's own: the name ends in a NUL.
unsafe extern "C" fn get_proc_address(name: *const c_char) -> sys::GDExtensionInterfaceFunctionPtr {
    // SAFETY: the caller's promise; the name stands for a function of this type.
    unsafe {
        let name = CStr::from_ptr(name);
        let found = find(ENGINE.get().copied().flatten(), name)?;
        if name != REGISTER_CLASS {
            return Some(found);
        }
        _ = REGISTER.set(transmute::<unsafe extern "C" fn(), RegisterClass>(found));
        Some(transmute::<RegisterClass, unsafe extern "C" fn()>(register_class))
    }
}

/// Registers a class of ours for gdext, the two peers with virtuals of their own.
///
/// # Safety
/// As the engine's.
unsafe extern "C" fn register_class(
    library: sys::GDExtensionClassLibraryPtr,
    class: sys::GDExtensionConstStringNamePtr,
    parent: sys::GDExtensionConstStringNamePtr,
    info: *const sys::GDExtensionClassCreationInfo3,
) {
    // SAFETY: the caller's promise: a live name, and what gdext has filled in.
    unsafe {
        let name = (*class.cast::<StringName>()).to_string();
        let mut info = *info;
        if name == RustWebSocketPeer::class_id().to_string() {
            take_over::<RustWebSocketPeer>(&mut info);
        } else if name == RustWebSocketMultiplayerPeer::class_id().to_string() {
            take_over::<RustWebSocketMultiplayerPeer>(&mut info);
        }
        if let Some(register) = REGISTER.get() {
            register(library, class, parent, &raw const info);
        }
    }
}

/// # Safety
/// `get_proc_address` is the engine's.
#[cfg(feature = "builtin-names")]
unsafe fn names_are_taken(get_proc_address: sys::GDExtensionInterfaceGetProcAddress) -> bool {
    // SAFETY: the names stand for functions of these types since Godot 4.2. The engine writes a StringName of pointer
    // size, which it never frees because its text is static.
    unsafe {
        let new_name: Option<sys::GDExtensionInterfaceStringNameNewWithLatin1Chars> =
            transmute(find(get_proc_address, c"string_name_new_with_latin1_chars"));
        let class_tag: Option<sys::GDExtensionInterfaceClassdbGetClassTag> =
            transmute(find(get_proc_address, c"classdb_get_class_tag"));
        let (Some(new_name), Some(class_tag)) = (new_name, class_tag) else { return false };
        let mut name = MaybeUninit::<usize>::uninit();
        new_name(name.as_mut_ptr().cast(), c"WebSocketPeer".as_ptr(), 1);
        !class_tag(name.as_ptr().cast()).is_null()
    }
}

/// # Safety
/// `get_proc_address` is the engine's.
#[cfg(feature = "builtin-names")]
unsafe fn refuse(get_proc_address: sys::GDExtensionInterfaceGetProcAddress) {
    // SAFETY: the name stands for a function of this type since Godot 4.1; all texts are static and end in a NUL.
    unsafe {
        let print: Option<sys::GDExtensionInterfacePrintError> =
            transmute(find(get_proc_address, c"print_error"));
        if let Some(print) = print {
            print(REFUSAL.as_ptr(), c"rust_websocket_init".as_ptr(), FILE.as_ptr(), line!() as i32, 1);
        }
    }
}

#[cfg(feature = "builtin-names")]
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
