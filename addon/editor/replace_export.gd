@tool
extends EditorExportPlugin
## Exports of a project with the setting rust_websocket/replace_engine_classes: its scripts, and
## those in its scenes, name the addon's classes in the package. The project's files stay.
##
## Scripts with names go into the package as text, also where the preset asks for binary tokens: the
## engine makes those of the file in the project, and of nothing else.

const SETTING := "rust_websocket/replace_engine_classes"
const ADDONS_SETTING := "rust_websocket/replace_engine_classes_in_addons"
const OWN_FOLDER := "res://addons/rust_websocket/"
const ENDINGS: Array[String] = ["gd", "tscn", "tres"]
const SCRIPTS_AS_TEXT := 0

## The rules of changing class names, code of the library's; the plugin lends it.
var rename := Callable()

var _is_active := false
var _as_text := PackedStringArray()


## Sorts before "GDScript", the engine's plugin that makes tokens of scripts: what an earlier plugin
## skips the later ones do not see.
func _get_name() -> String:
	return "Addon rust_websocket, names"


func _export_begin(
	features: PackedStringArray, _is_debug: bool, _path: String, _flags: int
) -> void:
	_as_text.clear()
	# In a browser the engine's classes are what there is.
	_is_active = (
		rename.is_valid()
		and ProjectSettings.get_setting_with_override(SETTING) == true
		and not features.has("web")
	)


func _export_file(path: String, _type: String, _features: PackedStringArray) -> void:
	if not _is_active or not path.get_extension().to_lower() in ENDINGS or not _is_reached(path):
		return
	var source := FileAccess.get_file_as_bytes(path)
	var found: Dictionary = rename.call(path, source, true, false)
	if found.is_empty() or found.lines.is_empty():
		return
	if path.get_extension().to_lower() == "gd" and _wants_tokens():
		_as_text.append(path.trim_prefix("res://"))
	add_file(path, found.content, false)
	skip()


## Called after a failed export too.
func _export_end() -> void:
	if not _as_text.is_empty():
		print(
			"%s: in the package as text, since names are replaced in it: %s"
			% [SETTING, ", ".join(_as_text)]
		)
	_as_text.clear()
	_is_active = false


func _is_reached(path: String) -> bool:
	if path.begins_with(OWN_FOLDER):
		return false
	if path.begins_with("res://addons/"):
		return ProjectSettings.get_setting_with_override(ADDONS_SETTING) == true
	return true


# Presets can be asked since Godot 4.4.
func _wants_tokens() -> bool:
	if not has_method(&"get_export_preset"):
		return true
	var preset: Object = call(&"get_export_preset")
	return preset != null and preset.call(&"get_script_export_mode") != SCRIPTS_AS_TEXT
