@tool
extends EditorPlugin
## What the addon adds to the editor. The library makes this by itself.

const WebExport := preload("res://addons/rust_websocket/editor/web_export.gd")

var _web_export := WebExport.new()


func _enter_tree() -> void:
	add_export_plugin(_web_export)


func _exit_tree() -> void:
	remove_export_plugin(_web_export)
