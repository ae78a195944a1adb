@tool
extends EditorPlugin
## What the addon adds to the editor. The library makes this by itself.

const WebExport := preload("res://addons/rust_websocket/editor/web_export.gd")
const ReplaceExport := preload("res://addons/rust_websocket/editor/replace_export.gd")
const Settings := preload("res://addons/rust_websocket/editor/settings.gd")

## The rules of changing class names, code of the library's; set before this enters the tree, and
## gone with it, which is before the library is unloaded.
var rename := Callable()

var _web_export := WebExport.new()
var _replace_export := ReplaceExport.new()
var _settings := Settings.new()


func _enter_tree() -> void:
	add_export_plugin(_web_export)
	# Under the engine's own names (the build with built-in names) there is nothing to change.
	if rename.is_valid() and ClassDB.class_exists(&"RustWebSocketPeer"):
		Settings.register()
		add_inspector_plugin(_settings)
		_replace_export.rename = rename
		add_export_plugin(_replace_export)


func _exit_tree() -> void:
	remove_export_plugin(_web_export)
	if _replace_export.rename.is_valid():
		remove_export_plugin(_replace_export)
		remove_inspector_plugin(_settings)
	_replace_export.rename = Callable()
	rename = Callable()
