//! The engine classes of Rust WebSocket for Godot.
//!
//! This crate converts between the engine and the crates below it: `rust-websocket-net` moves the bytes,
//! `rust-websocket-proto` knows the protocol. Nothing of the engine goes to another thread from here.

mod chain_capture;
mod class_reference;
mod convert;
mod decider;
mod driver;
mod editor;
mod end_signals;
mod engine_dial;
mod engine_stream;
mod entry;
mod first_calls;
mod frame_share;
mod gauges;
mod local;
mod mapped;
mod monitors;
mod multiplayer_peer;
mod multiplayer_requests;
mod own_virtuals;
mod packet_virtuals;
#[cfg(not(feature = "builtin-names"))]
mod project_files;
mod properties;
mod proxies;
mod proxy_methods;
mod pump;
mod raw_packet;
mod registration;
mod rename;
#[cfg(not(feature = "builtin-names"))]
mod replace_names;
mod report;
mod request;
mod server;
mod state_table;
mod text;
mod tls_methods;
mod tls_objects;
mod tls_options;
mod trace_methods;
mod virtuals;
mod websocket_peer;

use godot::init::{ExtensionLibrary, InitStage};

// gdext defines this function of glibc's once more, for reloading, and exports it with it. Only this library's own calls
// are meant: its entry is all that it should export.
#[cfg(target_os = "linux")]
core::arch::global_asm!(".globl __cxa_thread_atexit_impl", ".hidden __cxa_thread_atexit_impl");

/// The library, for the engine.
pub(crate) struct RustWebSocket;

// SAFETY: the engine calls the entry function, which is in entry.rs, as GDExtension prescribes.
unsafe impl ExtensionLibrary for RustWebSocket {
    fn on_stage_init(stage: InitStage) {
        match stage {
            InitStage::Core => report::install_panic_hook(),
            InitStage::Scene => {
                monitors::init();
                rename::offer();
                #[cfg(not(feature = "builtin-names"))]
                replace_names::apply();
                end_signals::offer();
                registration::complete_classes();
            }
            InitStage::Editor => {
                class_reference::register();
                editor::add_plugin_later();
            }
            _ => {}
        }
    }

    fn on_stage_deinit(stage: InitStage) {
        if stage == InitStage::Editor {
            editor::remove_plugin();
        }
        if stage == InitStage::Scene {
            monitors::remove();
            rename::withdraw();
            end_signals::withdraw();
            let has_threads_left = rust_websocket_net::shutdown();
            pump::end();
            if has_threads_left {
                mapped::stay();
            }
        }
    }
}
