extends SceneTree
## Changes the engine's WebSocket class names to this addon's in a project's scripts, or back.
##
##   godot --headless --path . -s addons/rust_websocket/migrate.gd -- --to=rust [--dry-run]
##
## Options: --to=rust or --to=engine; --dry-run only says what would change; --include-addons;
## PATH... (files or folders, res:// or relative): only these. Exit codes: 0 done or nothing to do;
## 1 a dry run found changes; 2 something could not be read or written, and nothing was changed.

const CLASSES: Array[String] = ["WebSocketPeer", "WebSocketMultiplayerPeer"]
const OURS := "res://addons/rust_websocket"
const WARNINGS := {
	"is": "objects that are made elsewhere may be of the other class",
	"extends": "functions named like virtuals of the base class take their place",
	"declaration": "a class of the project has this name",
}

var _to_ours := true
var _dry_run := false
var _include_addons := false
var _paths := PackedStringArray()
var _rename: Callable
## Of files that change: path to old and to new content.
var _before := {}
var _after := {}
var _line_count := 0
var _hazards := PackedStringArray()
var _has_failed := false


func _initialize() -> void:
	quit(_run(OS.get_cmdline_user_args()))


func _run(arguments: PackedStringArray) -> int:
	if not _understand(arguments):
		return 2
	if not Engine.has_meta(&"rust_websocket_rename"):
		return _fail("the addon's library is not loaded: open the project in the editor once")
	_rename = Engine.get_meta(&"rust_websocket_rename")
	for path in _paths if not _paths.is_empty() else PackedStringArray(["res://"]):
		if DirAccess.dir_exists_absolute(path):
			_look_into(path)
		else:
			_look_at(path)
	for hazard in _hazards:
		print("hazard: ", hazard)
	if not _has_failed and not _dry_run and not _before.is_empty():
		_change_all()
	if _has_failed:
		return 2
	print(
		(
			"%d files, %d lines %s; %d hazards"
			% [_before.size(), _line_count, "would change" if _dry_run else "changed", _hazards.size()]
		)
	)
	return 1 if _dry_run and not _before.is_empty() else 0


func _understand(arguments: PackedStringArray) -> bool:
	var has_direction := false
	for argument in arguments:
		if argument in ["--to=rust", "--to=engine"]:
			_to_ours = argument == "--to=rust"
			has_direction = true
		elif argument == "--dry-run":
			_dry_run = true
		elif argument == "--include-addons":
			_include_addons = true
		elif argument.begins_with("-"):
			_fail("unknown option '%s'" % argument)
		else:
			_paths.append(argument if "://" in argument else "res://" + argument)
	if not has_direction:
		_fail("--to=rust or --to=engine is needed")
	return not _has_failed


func _look_into(folder: String) -> void:
	var directory := DirAccess.open(folder)
	if directory == null:
		_fail("%s cannot be read" % folder)
		return
	if directory.file_exists(".gdignore"):
		return
	for name in directory.get_files():
		_look_at(folder.path_join(name))
	for name in directory.get_directories():
		var path := folder.path_join(name)
		var is_left := path == OURS or (path == "res://addons" and not _include_addons)
		if not is_left and not directory.is_link(name):
			_look_into(path)


func _look_at(path: String) -> void:
	var ending := path.get_extension().to_lower()
	if not ending in ["gd", "tscn", "tres", "cs"] and path != "res://export_presets.cfg":
		return
	var content := FileAccess.get_file_as_bytes(path)
	if content.is_empty():
		if FileAccess.get_open_error() != OK:
			_fail("%s cannot be read: %s" % [path, error_string(FileAccess.get_open_error())])
		return
	if ending in ["gd", "tscn", "tres"]:
		_look_at_script(path, content)
	else:
		_look_at_other(path, content.get_string_from_utf8())


func _look_at_script(path: String, content: PackedByteArray) -> void:
	var found: Dictionary = _rename.call(path, content, _to_ours)
	if found.is_empty() or found.lines.is_empty():
		return
	_before[path] = content
	_after[path] = found.content
	_line_count += found.lines.size()
	for line: Array in found.lines:
		print("%s:%d: %s -> %s" % [path, line[0], line[1].strip_edges(), line[2].strip_edges()])
	for place: Array in found.roles:
		if place[1] in WARNINGS:
			_hazards.append("%s:%d: %s: %s" % [path, place[0], place[1], WARNINGS[place[1]]])
	for place: Array in found.already:
		_hazards.append("%s:%d: has the new name already: the way back changes it too" % [path, place[0]])
	if not _to_ours:
		_look_for_members(path, content.get_string_from_utf8())


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
			_hazards.append(
				"%s:%d: the engine's classes have no %s" % [path, index + 1, word.get_string(1)]
			)


func _look_at_other(path: String, text: String) -> void:
	var names := RegEx.create_from_string("\\bWebSocket(Multiplayer)?Peer\\b").search(text)
	if path.get_extension() == "cs" and names != null:
		_hazards.append("%s names %s (C#, not changed)" % [path, names.get_string()])
	elif path.ends_with("export_presets.cfg") and text.contains("platform=\"Web\"") and _to_ours:
		_hazards.append("%s has a web preset: see the addon's page on web exports" % path)


func _change_all() -> void:
	for path: String in _before:
		if OS.get_name() != "Windows" and FileAccess.get_unix_permissions(path) & 0x80 == 0:
			_fail("%s is read-only" % path)
	if _has_failed or not _keep_old_files():
		return
	var changed := PackedStringArray()
	for path: String in _before:
		if not _write(path, _after[path]):
			for done in changed:
				_write(done, _before[done])
			return
		changed.append(path)


func _keep_old_files() -> bool:
	const FOLDER := "res://.godot/rust_websocket"
	var time := Time.get_datetime_string_from_system().replace(":", "-")
	var path := "%s/before-%s.zip" % [FOLDER, time]
	DirAccess.make_dir_recursive_absolute(FOLDER)
	var zip := ZIPPacker.new()
	if zip.open(path) != OK:
		_fail("%s cannot be written" % path)
		return false
	for file: String in _before:
		zip.start_file(file.trim_prefix("res://"))
		zip.write_file(_before[file])
		zip.close_file()
	zip.close()
	print("the old files are in ", path)
	return true


func _write(path: String, content: PackedByteArray) -> bool:
	var new_path := path + ".rust_websocket_new"
	var file := FileAccess.open(new_path, FileAccess.WRITE)
	if file == null or not _store(file, content):
		_fail("%s cannot be written" % new_path)
		return false
	file.close()
	if OS.get_name() != "Windows":
		FileAccess.set_unix_permissions(new_path, FileAccess.get_unix_permissions(path))
	if DirAccess.rename_absolute(new_path, path) != OK:
		DirAccess.remove_absolute(new_path)
		_fail("%s cannot be written" % path)
		return false
	return true


func _store(file: FileAccess, content: PackedByteArray) -> bool:
	file.store_buffer(content)
	file.flush()
	return file.get_error() == OK


func _fail(sentence: String) -> int:
	_has_failed = true
	printerr("migrate: ", sentence)
	return 2
