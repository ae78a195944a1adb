//! The editor's help pages of the classes, in the engine's own format: gdext's doc comments cannot describe properties
//! and constants that are registered by hand.

use godot::sys;

const PAGES: [&str; 4] = [
    include_str!("../doc_classes/RustWebSocketPeer.xml"),
    include_str!("../doc_classes/RustWebSocketMultiplayerPeer.xml"),
    include_str!("../doc_classes/RustWebSocketRequest.xml"),
    include_str!("../doc_classes/RustWebSocketServer.xml"),
];

/// Hands the pages to the editor. To be called at the editor's initialization level.
pub(crate) fn register() {
    for page in PAGES {
        let page = if cfg!(feature = "builtin-names") {
            page.replace("RustWebSocketPeer", "WebSocketPeer")
                .replace("RustWebSocketMultiplayerPeer", "WebSocketMultiplayerPeer")
        } else {
            page.to_owned()
        };
        let Ok(len) = i64::try_from(page.len()) else { continue };
        // SAFETY: the library is initialized; the engine reads `len` bytes of UTF-8 before it returns.
        unsafe {
            sys::interface_fn!(editor_help_load_xml_from_utf8_chars_and_len)(page.as_ptr().cast(), len);
        }
    }
}
