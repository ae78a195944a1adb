@tool
extends RefCounted
## Finds the engine's WebSocket class names in a project's scripts and changes them to this addon's,
## or back: for `migrate.gd` and for the editor's dialog. Prints nothing.

const CLASSES: Array[String] = ["WebSocketPeer", "WebSocketMultiplayerPeer"]
const OURS := "res://addons/rust_websocket"
const KEPT := "res://.godot/rust_websocket"
const WARNINGS := {
	"is": "objects that are made elsewhere may be of the other class",
	"extends": "functions named like virtuals of the base class take their place",
	"declaration": "a class of the project has this name",
}
## Calls whose strings are names of nodes, which keep theirs.
const NODE_CALLS := "\\b(get_node|get_node_or_null|has_node|find_child|NodePath)\\(|\\^[\"']"
## Functions by which an object that stands in for a peer is known, and how many of them it takes.
const PEER_FUNCTIONS := (
	"connect_to_url|accept_stream|get_ready_state|get_requested_url|get_selected_protocol"
	+ "|get_close_code|get_close_reason|was_string_packet|send_text|get_available_packet_count"
	+ "|get_packet|put_packet|get_current_outbound_buffered_amount|create_client|create_server"
	+ "|get_connection_status|get_packet_peer|set_target_peer|disconnect_peer|get_unique_id"
)
const PEER_FUNCTIONS_OF_A_FAKE := 3

## To this addon's names, or back to the engine's.
var to_ours := true
var include_addons := false
## The rules: file name, content and direction to what is found, by the library.
var rename := Callable()
## Files that would change: path to "before", "after" (bytes) and "lines" (number, old, new).
var files := {}
## What to look at by hand, each "PATH: sentence" or "PATH:LINE: sentence".
var hazards := PackedStringArray()
## Why something could not be read or written; nothing is changed then.
var errors := PackedStringArray()
## Where [method change] has put the files as they were.
var kept_in := ""


## Looks into these files and folders; into the whole project if there are none.
func look(paths := PackedStringArray()) -> void:
	files.clear()
	hazards.clear()
	errors.clear()
	for path in paths if not paths.is_empty() else PackedStringArray(["res://"]):
		if DirAccess.dir_exists_absolute(path):
			_look_into(path)
		else:
			_look_at(path)


func line_count() -> int:
	var count := 0
	for path: String in files:
		count += files[path].lines.size()
	return count


## Changes these of [member files], all or none; [member errors] say why not.
func change(paths: Array) -> bool:
	errors.clear()
	kept_in = ""
	for path: String in paths:
		if OS.get_name() != "Windows" and FileAccess.get_unix_permissions(path) & 0x80 == 0:
			errors.append("%s is read-only" % path)
		elif FileAccess.get_file_as_bytes(path) != files[path].before:
			errors.append("%s has changed meanwhile: look again" % path)
	if not errors.is_empty() or not _keep_old_files(paths):
		return false
	var changed := PackedStringArray()
	for path: String in paths:
		if not _write(path, files[path].after):
			for done in changed:
				_write(done, files[done].before)
			return false
		changed.append(path)
	return true


func _look_into(folder: String) -> void:
	var directory := DirAccess.open(folder)
	if directory == null:
		errors.append("%s cannot be read" % folder)
		return
	if directory.file_exists(".gdignore"):
		return
	for name in directory.get_files():
		_look_at(folder.path_join(name))
	for name in directory.get_directories():
		var path := folder.path_join(name)
		var is_left := path == OURS or (path == "res://addons" and not include_addons)
		if not is_left and not directory.is_link(name):
			_look_into(path)


func _look_at(path: String) -> void:
	var ending := path.get_extension().to_lower()
	if not ending in ["gd", "tscn", "tres", "cs"] and path != "res://export_presets.cfg":
		return
	var content := FileAccess.get_file_as_bytes(path)
	if content.is_empty():
		if FileAccess.get_open_error() != OK:
			errors.append(
				"%s cannot be read: %s" % [path, error_string(FileAccess.get_open_error())]
			)
		return
	if ending in ["gd", "tscn", "tres"]:
		_look_at_script(path, content)
	else:
		_look_at_other(path, content.get_string_from_utf8())


func _look_at_script(path: String, content: PackedByteArray) -> void:
	var found: Dictionary = rename.call(path, content, to_ours)
	if found.is_empty():
		return
	if path.get_extension().to_lower() == "gd":
		_look_for_fakes(path, content.get_string_from_utf8(), found.roles + found.already)
	for place: Array in found.already:
		if place[1] == "declaration":
			_warn(path, place[0], "declaration: a class of the project has the new name: rename it first")
	if found.lines.is_empty():
		return
	files[path] = {"before": content, "after": found.content, "lines": found.lines}
	for place: Array in found.roles:
		if place[1] in WARNINGS:
			_warn(path, place[0], "%s: %s" % [place[1], WARNINGS[place[1]]])
	_look_for_node_names(path, found)
	for place: Array in found.already:
		_warn(path, place[0], "has the new name already: the way back changes it too")
	if not to_ours:
		_look_for_members(path, content.get_string_from_utf8())


func _look_for_node_names(path: String, found: Dictionary) -> void:
	var calls := RegEx.create_from_string(NODE_CALLS)
	for place: Array in found.roles:
		for line: Array in found.lines:
			if place[1] == "text" and line[0] == place[0] and calls.search(line[1]) != null:
				_warn(path, line[0], "text: it may be a node's name, and nodes keep theirs")


## A class that has the functions of a peer and is none, as tests make them: it goes on to answer as
## the class that it was made after.
func _look_for_fakes(path: String, text: String, roles: Array) -> void:
	if roles.any(func(place: Array) -> bool: return place[1] == "extends"):
		return
	var functions := RegEx.create_from_string(
		"(?m)^[ \\t]*(?:static[ \\t]+)?func[ \\t]+(%s)[ \\t]*\\(" % PEER_FUNCTIONS
	)
	var names := {}
	var first := 0
	for function in functions.search_all(text):
		if names.is_empty():
			first = text.count("\n", 0, function.get_start(1)) + 1
		names[function.get_string(1)] = true
	if names.size() >= PEER_FUNCTIONS_OF_A_FAKE:
		var list := ", ".join(names.keys())
		_warn(path, first, "a fake: it has functions of a peer (%s) and is none" % list)


## Members that the engine's classes do not know.
func _look_for_members(path: String, text: String) -> void:
	var only_ours := {}
	for name in CLASSES:
		for member in ClassDB.class_get_method_list("Rust" + name, true):
			if not ClassDB.class_has_method(name, member.name) and not member.name.begins_with("_"):
				only_ours[member.name] = true
				only_ours[member.name.trim_prefix("set_").trim_prefix("get_")] = true
	var words := RegEx.create_from_string("\\.(%s)\\b" % "|".join(only_ours.keys()))
	var lines := text.split("\n")
	for index in lines.size():
		for word in words.search_all(lines[index]):
			_warn(path, index + 1, "the engine's classes have no %s" % word.get_string(1))


func _look_at_other(path: String, text: String) -> void:
	var prefix := "" if to_ours else "Rust"
	var names := RegEx.create_from_string("\\b%sWebSocket(Multiplayer)?Peer\\b" % prefix).search(text)
	if path.get_extension().to_lower() == "cs":
		if names != null:
			hazards.append("%s names %s (C#, not changed)" % [path, names.get_string()])
	elif text.contains("platform=\"Web\"") and to_ours:
		hazards.append("%s has a web preset: see the addon's page on web exports" % path)


func _warn(path: String, line: int, sentence: String) -> void:
	hazards.append("%s:%d: %s" % [path, line, sentence])


func _keep_old_files(paths: Array) -> bool:
	var time := Time.get_datetime_string_from_system().replace(":", "-")
	var path := "%s/before-%s.zip" % [KEPT, time]
	var number := 1
	while FileAccess.file_exists(path):
		number += 1
		path = "%s/before-%s-%d.zip" % [KEPT, time, number]
	DirAccess.make_dir_recursive_absolute(KEPT)
	var zip := ZIPPacker.new()
	if zip.open(path) != OK:
		errors.append("%s cannot be written" % path)
		return false
	var error := OK
	for file: String in paths:
		for step: Error in [
			zip.start_file(file.trim_prefix("res://")),
			zip.write_file(files[file].before),
			zip.close_file()
		]:
			error = step if error == OK else error
	zip.close()
	if error != OK:
		errors.append("%s cannot be written" % path)
		return false
	kept_in = path
	return true


func _write(path: String, content: PackedByteArray) -> bool:
	var new_path := path + ".rust_websocket_new"
	var file := FileAccess.open(new_path, FileAccess.WRITE)
	if file == null or not _store(file, content):
		errors.append("%s cannot be written" % new_path)
		return false
	file.close()
	if OS.get_name() != "Windows":
		FileAccess.set_unix_permissions(new_path, FileAccess.get_unix_permissions(path))
	if DirAccess.rename_absolute(new_path, path) != OK:
		DirAccess.remove_absolute(new_path)
		errors.append("%s cannot be written" % path)
		return false
	return true


func _store(file: FileAccess, content: PackedByteArray) -> bool:
	file.store_buffer(content)
	file.flush()
	return file.get_error() == OK
