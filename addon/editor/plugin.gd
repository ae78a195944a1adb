@tool
extends EditorPlugin
## What the addon adds to the editor. The library makes this by itself.

const WebExport := preload("res://addons/rust_websocket/editor/web_export.gd")
const ReplaceExport := preload("res://addons/rust_websocket/editor/replace_export.gd")
const Settings := preload("res://addons/rust_websocket/editor/settings.gd")
const MigrateDialog := preload("res://addons/rust_websocket/editor/migrate_dialog.gd")
const MENU_ITEM := "Rust WebSocket: Use in This Project..."

## The rules of changing class names, code of the library's; set before this enters the tree, and
## gone with it, which is before the library is unloaded.
var rename := Callable()

var _web_export := WebExport.new()
var _replace_export := ReplaceExport.new()
var _settings := Settings.new()
var _dialog: MigrateDialog


func _enter_tree() -> void:
	add_export_plugin(_web_export)
	if not _has_other_names():
		return
	add_tool_menu_item(MENU_ITEM, _show_dialog)
	Settings.register()
	add_inspector_plugin(_settings)
	_replace_export.rename = rename
	add_export_plugin(_replace_export)


func _exit_tree() -> void:
	remove_export_plugin(_web_export)
	if _has_other_names():
		remove_tool_menu_item(MENU_ITEM)
		remove_inspector_plugin(_settings)
		remove_export_plugin(_replace_export)
	if _dialog != null:
		_dialog.free()
	_replace_export.rename = Callable()
	rename = Callable()


# Under the engine's own names (the build with built-in names) there is nothing to change.
func _has_other_names() -> bool:
	return rename.is_valid() and ClassDB.class_exists(&"RustWebSocketPeer")


func _show_dialog() -> void:
	if _dialog == null:
		_dialog = MigrateDialog.new()
		_dialog.set_up(rename)
		EditorInterface.get_base_control().add_child(_dialog)
	_dialog.begin()
