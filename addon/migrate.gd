extends SceneTree
## Changes the engine's WebSocket class names to this addon's in a project's scripts, or back.
##
##   godot --headless --path . -s addons/rust_websocket/migrate.gd -- --to=rust [--dry-run]
##
## Options: --to=rust or --to=engine; --dry-run only says what would change; --include-addons;
## PATH... (files or folders, res:// or relative): only these. Exit codes: 0 done or nothing to do;
## 1 a dry run found changes; 2 something could not be read or written, and nothing was changed.

const Migration := preload("res://addons/rust_websocket/editor/migration.gd")

var _dry_run := false
var _paths := PackedStringArray()
var _migration := Migration.new()


func _initialize() -> void:
	quit(_run(OS.get_cmdline_user_args()))


func _run(arguments: PackedStringArray) -> int:
	if not _understand(arguments):
		return 2
	if not Engine.has_meta(&"rust_websocket_rename"):
		return _fail("the addon's library is not loaded: open the project in the editor once")
	_migration.rename = Engine.get_meta(&"rust_websocket_rename")
	_migration.look(_paths)
	_print_findings()
	if _migration.errors.is_empty() and not _dry_run and not _migration.files.is_empty():
		_migration.change(_migration.files.keys())
		if not _migration.kept_in.is_empty():
			print("the old files are in ", _migration.kept_in)
	if not _migration.errors.is_empty():
		return _fail("\nmigrate: ".join(_migration.errors))
	var counts := [_migration.files.size(), _migration.line_count()]
	var done := "would change" if _dry_run else "changed"
	print("%d files, %d lines %s; %d hazards" % (counts + [done, _migration.hazards.size()]))
	return 1 if _dry_run and not _migration.files.is_empty() else 0


func _understand(arguments: PackedStringArray) -> bool:
	var has_direction := false
	var complaint := ""
	for argument in arguments:
		if argument in ["--to=rust", "--to=engine"]:
			_migration.to_ours = argument == "--to=rust"
			has_direction = true
		elif argument == "--dry-run":
			_dry_run = true
		elif argument == "--include-addons":
			_migration.include_addons = true
		elif argument.begins_with("-"):
			complaint = "unknown option '%s'" % argument
		else:
			_paths.append(argument if "://" in argument else "res://" + argument)
	if complaint.is_empty() and not has_direction:
		complaint = "--to=rust or --to=engine is needed"
	if not complaint.is_empty():
		_fail(complaint)
	return complaint.is_empty()


func _print_findings() -> void:
	for path: String in _migration.files:
		for line: Array in _migration.files[path].lines:
			print("%s:%d: %s -> %s" % [path, line[0], line[1].strip_edges(), line[2].strip_edges()])
	for hazard in _migration.hazards:
		print("hazard: ", hazard)


func _fail(sentence: String) -> int:
	printerr("migrate: ", sentence)
	return 2
