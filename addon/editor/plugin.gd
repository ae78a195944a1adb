@tool
extends EditorPlugin
## What the addon adds to the editor. The library makes this by itself.

const WebExport := preload("res://addons/rust_websocket/editor/web_export.gd")
const MigrateDialog := preload("res://addons/rust_websocket/editor/migrate_dialog.gd")
const MENU_ITEM := "Rust WebSocket: Use in This Project..."

## The rules of changing class names, code of the library's; set before this enters the tree, and
## gone with it, which is before the library is unloaded.
var rename := Callable()

var _web_export := WebExport.new()
var _dialog: MigrateDialog


func _enter_tree() -> void:
	add_export_plugin(_web_export)
	# Under the engine's own names (the build with built-in names) there is nothing to change.
	if rename.is_valid() and ClassDB.class_exists(&"RustWebSocketPeer"):
		add_tool_menu_item(MENU_ITEM, _show_dialog)


func _exit_tree() -> void:
	remove_export_plugin(_web_export)
	if rename.is_valid() and ClassDB.class_exists(&"RustWebSocketPeer"):
		remove_tool_menu_item(MENU_ITEM)
	if _dialog != null:
		_dialog.free()
	rename = Callable()


func _show_dialog() -> void:
	if _dialog == null:
		_dialog = MigrateDialog.new()
		_dialog.set_up(rename)
		EditorInterface.get_base_control().add_child(_dialog)
	_dialog.begin()
