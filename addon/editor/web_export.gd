@tool
extends EditorExportPlugin
## Makes web exports run scripts that name the addon's classes. There is no library for browsers:
## scripts that extend the engine's classes go into the pack instead (folder web), under the names
## of ours; the library's manifest and its line in the list of extensions stay out of it.
##
## The library adds this to the editor by itself. The folders editor and web hold a .gdignore: the
## editor neither shows their scripts nor registers their class names, which are the library's.

const FOLDER := "res://addons/rust_websocket/"
const MANIFEST := FOLDER + "rust_websocket.gdextension"
const STAND_INS: Array[Array] = [
	[&"RustWebSocketPeer", &"WebSocketPeer", FOLDER + "web/rust_websocket_peer.gd"],
	[
		&"RustWebSocketMultiplayerPeer",
		&"WebSocketMultiplayerPeer",
		FOLDER + "web/rust_websocket_multiplayer_peer.gd"
	],
	[&"RustWebSocketRequest", &"RefCounted", FOLDER + "web/rust_websocket_request.gd"],
	[&"RustWebSocketServer", &"RefCounted", FOLDER + "web/rust_websocket_server.gd"],
]
## Where Godot 4.0 kept the project's class names. The engine still reads it when a game starts, and
## a setting that is never saved leaves nothing behind.
const CLASSES_SETTING := "_global_script_classes"

var _is_active := false
var _classes_before: Variant
var _list_before := PackedByteArray()


## Sorts before "GDExtension", the engine's plugin that warns of manifests without a library: what
## an earlier plugin skips the later ones do not see.
func _get_name() -> String:
	return "Addon rust_websocket"


func _export_begin(
	features: PackedStringArray, _is_debug: bool, _path: String, _flags: int
) -> void:
	_is_active = features.has("web") and not _has_web_library()
	if not _is_active:
		return
	_add_stand_ins()
	if not _is_excluded(MANIFEST):
		_shorten_list()


func _export_file(path: String, _type: String, _features: PackedStringArray) -> void:
	if _is_active and path == MANIFEST:
		skip()


## Called after a failed export too.
func _export_end() -> void:
	if not _is_active:
		return
	_is_active = false
	ProjectSettings.set_setting(CLASSES_SETTING, _classes_before)
	_restore_list()


func _add_stand_ins() -> void:
	_classes_before = ProjectSettings.get_setting(CLASSES_SETTING, null)
	var classes: Array = _classes_before.duplicate() if _classes_before is Array else []
	for stand_in in STAND_INS:
		# Under the engine's own names (the build with built-in names) there is nothing to stand in for.
		if not ClassDB.class_exists(stand_in[0]):
			continue
		add_file(stand_in[2], FileAccess.get_file_as_bytes(stand_in[2]), false)
		classes.append(_class_entry(stand_in[0], stand_in[1], stand_in[2]))
	ProjectSettings.set_setting(CLASSES_SETTING, classes)


func _class_entry(name: StringName, base: StringName, path: String) -> Dictionary:
	return {
		"class": name,
		"base": base,
		"language": &"GDScript",
		"path": path,
		"icon": "",
		"is_abstract": false,
		"is_tool": false,
	}


func _has_web_library() -> bool:
	var manifest := ConfigFile.new()
	if manifest.load(MANIFEST) != OK or not manifest.has_section("libraries"):
		return false
	for tags in manifest.get_section_keys("libraries"):
		if "web" in tags.split(".") or "wasm32" in tags.split("."):
			return true
	return false


# Whether the preset leaves the file out, as the engine reads its filters. It leaves the line out of
# the list then, too. (Presets can be asked since Godot 4.4; before, the list is shortened anyhow.)
func _is_excluded(path: String) -> bool:
	if not has_method(&"get_export_preset"):
		return false
	var preset: Object = call(&"get_export_preset")
	if preset == null:
		return false
	for filter: String in preset.call(&"get_exclude_filter").split(",", false):
		var pattern := filter.strip_edges()
		if path.matchn(pattern) or path.matchn("res://" + pattern):
			return true
	return false


# The engine packs the list as the file is, and a game complains about each line that it cannot
# load. An editor that dies while it exports writes the line anew when it starts again.
func _shorten_list() -> void:
	_list_before = FileAccess.get_file_as_bytes(_list_path())
	var lines := _list_before.get_string_from_utf8().split("\n")
	var rest := PackedStringArray()
	for line in lines:
		if line.strip_edges() != MANIFEST:
			rest.append(line)
	if rest.size() == lines.size():
		_list_before.clear()
	else:
		_write_list("\n".join(rest).to_utf8_buffer())


func _restore_list() -> void:
	if not _list_before.is_empty():
		_write_list(_list_before)
		_list_before.clear()


func _write_list(content: PackedByteArray) -> void:
	var file := FileAccess.open(_list_path(), FileAccess.WRITE)
	if file == null:
		push_error(
			(
				"Rust WebSocket: %s cannot be written: %s"
				% [_list_path(), error_string(FileAccess.get_open_error())]
			)
		)
		return
	file.store_buffer(content)
	file.close()


func _list_path() -> String:
	const SETTING := "application/config/use_hidden_project_data_directory"
	return (
		"res://%s/extension_list.cfg"
		% (".godot" if ProjectSettings.get_setting(SETTING, true) else "godot")
	)
