//! What the library adds to the editor by itself, so that nobody has to enable a plugin: the web export and the dialog that
//! changes a project's class names (`addon/editor/`). It is an `EditorPlugin` by script. One by a class of ours would be
//! offered by code completion: GDScript lists every class that is registered when it starts, internal ones too.

use std::sync::atomic::{AtomicI64, Ordering};

use godot::classes::{Engine, FileAccess, Node, SceneTree, Script};
use godot::prelude::*;

use crate::rename;

const PLUGIN_SCRIPT: &str = "res://addons/rust_websocket/editor/plugin.gd";

/// The instance id of the plugin in the editor's tree; 0 if there is none.
static PLUGIN: AtomicI64 = AtomicI64::new(0);

/// Adds the plugin as soon as there is an editor. To be called at the editor's initialization level, which comes before.
pub(crate) fn add_plugin_later() {
    Callable::from_fn("rust_websocket_add_plugin", |_| add_plugin()).call_deferred(&[]);
}

/// Takes the plugin out of the editor. To be called when that level ends: at exit its tree is gone by then, but the
/// library can also be reloaded.
pub(crate) fn remove_plugin() {
    let id = PLUGIN.swap(0, Ordering::Relaxed);
    let Ok(id) = InstanceId::try_from_i64(id).ok_or(()) else { return };
    if let Ok(plugin) = Gd::<Node>::try_from_instance_id(id) {
        plugin.free();
    }
}

fn add_plugin() {
    // Without its scripts the addon works all the same, but for web exports.
    let Some(mut root) = editor_root().filter(|_| FileAccess::file_exists(PLUGIN_SCRIPT)) else { return };
    let Ok(mut script) = try_load::<Script>(PLUGIN_SCRIPT) else { return };
    let Ok(mut plugin) = script.call("new", &[]).try_to::<Gd<Node>>() else { return };
    // Goes with the plugin: see `remove_plugin`.
    plugin.set("rename", &rename::callable().to_variant());
    PLUGIN.store(plugin.instance_id().to_i64(), Ordering::Relaxed);
    root.call("add_child", &[plugin.to_variant()]);
}

/// The root of the tree that the editor is in. Other runs of an editor's executable (games, scripts, `--doctool`) have
/// none.
fn editor_root() -> Option<Gd<Node>> {
    let engine = Engine::singleton();
    let tree = engine.get_main_loop().filter(|_| engine.is_editor_hint())?.try_cast::<SceneTree>().ok()?;
    let root = tree.get_root()?.upcast::<Node>();
    let children = root.clone().call("get_children", &[]).try_to::<Array<Gd<Node>>>().ok()?;
    children.iter_shared().any(|child| child.is_class("EditorNode")).then_some(root)
}
