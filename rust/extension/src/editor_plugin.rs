//! What the library adds to the editor by itself, so that nobody has to enable a plugin: the web export, which is a
//! script of the addon (`addon/editor/web_export.gd`), because `EditorExportPlugin` is not in the API file.

use godot::classes::{EditorPlugin, FileAccess, IEditorPlugin, Script};
use godot::prelude::*;

const EXPORT_SCRIPT: &str = "res://addons/rust_websocket/editor/web_export.gd";

/// Made by the editor when the library is loaded, and in the editor only.
#[derive(GodotClass)]
#[class(tool, internal, init, base = EditorPlugin)]
struct RustWebSocketEditorPlugin {
    base: Base<EditorPlugin>,
    /// The `EditorExportPlugin` while it is added, else nil.
    export_plugin: Variant,
}

#[godot_api]
impl IEditorPlugin for RustWebSocketEditorPlugin {
    fn enter_tree(&mut self) {
        // Without its scripts the addon works all the same, but for web exports.
        if !FileAccess::file_exists(EXPORT_SCRIPT) {
            return;
        }
        let Ok(mut script) = try_load::<Script>(EXPORT_SCRIPT) else { return };
        self.export_plugin = script.call("new", &[]);
        if !self.export_plugin.is_nil() {
            let plugin = self.export_plugin.clone();
            self.base_mut().call("add_export_plugin", &[plugin]);
        }
    }

    fn exit_tree(&mut self) {
        let plugin = std::mem::replace(&mut self.export_plugin, Variant::nil());
        if !plugin.is_nil() {
            self.base_mut().call("remove_export_plugin", &[plugin]);
        }
    }
}
