extends SceneTree
## Runs the test suite on the engine's own classes or on ours, and says what it saw.
##
##   godot --headless --path godot-project -s res://tests/run.gd -- impl=rust other=rust
##   filter=closing
##
## `impl` (builtin or rust) is the class of the clients and of every peer that faces a raw socket,
## `other` that of the servers; `filter` holds parts of case names, separated by commas.
## `names=engine` says that our classes have the engine's names, in an engine without them;
## `recorded` is then the file in which `classdb.gd` has recorded the members of a stock engine's.
## `patience` is what waits are multiplied with, for engines that are emulated.
## `ci/test-engine.sh` and `ci/test-module.sh` run this and compare.

const Case := preload("res://tests/harness/case.gd")
const CASES := "res://tests/cases/"

var _passed := 0
var _failed := 0


func _process(_delta: float) -> bool:
	var options := _read_options()
	Case.has_engine_names = options.names == "engine"
	if Case.has_engine_names:
		Case.recorded = str_to_var(FileAccess.get_file_as_string(options.recorded))
	Case.patience = float(options.patience)
	Case.RawPeer.patience = Case.patience
	for which: String in [options.impl, options.other]:
		var name: String = Case.new().ws_class(which)
		if not ClassDB.class_exists(name):
			printerr("FAIL the class %s is not registered: is the addon built?" % name)
			_failed += 1
	if _failed == 0:
		for file in _case_files():
			_run_file(file, options)
	print("%d passed, %d failed" % [_passed, _failed])
	print("SUITE DONE")
	quit(1 if _failed > 0 else 0)
	return true


func _read_options() -> Dictionary:
	var options := {"impl": "builtin", "other": "", "filter": "", "names": "addon", "recorded": "",
		"patience": "1"}
	for argument in OS.get_cmdline_user_args():
		var parts := argument.split("=", true, 1)
		if parts.size() == 2 and options.has(parts[0]):
			options[parts[0]] = parts[1]
		else:
			printerr("unknown argument '%s' (known: %s)" % [argument, "=, ".join(options.keys()) + "="])
	if options.other.is_empty():
		options.other = options.impl
	return options


func _case_files() -> PackedStringArray:
	var files := PackedStringArray()
	for file in DirAccess.get_files_at(CASES):
		if file.ends_with(".gd"):
			files.append(file)
	files.sort()
	return files


func _run_file(file: String, options: Dictionary) -> void:
	var script: GDScript = load(CASES + file)
	if script == null or not script.can_instantiate():
		_failed += 1
		print("FAIL %s does not load" % file)
		return
	for method in script.get_script_method_list():
		if not method.name.begins_with("test_"):
			continue
		var title: String = file.get_basename() + "." + method.name.trim_prefix("test_")
		if _is_wanted(title, options.filter):
			_run_case(script.new(), method.name, title, options)


func _is_wanted(title: String, filter: String) -> bool:
	if filter.is_empty():
		return true
	for part in filter.split(",", false):
		if title.contains(part):
			return true
	return false


func _run_case(case: Case, method: String, title: String, options: Dictionary) -> void:
	if options.impl != options.other and not case.runs_mixed():
		return
	case.impl = options.impl
	case.other = options.other
	case.title = title
	print("CASE ", title)
	var began := Time.get_ticks_msec()
	case.start()
	case.call(method)
	case.finish()
	if case.checks == 0:
		case.failures.append("the case ended before its first check")
	for failure in case.failures:
		print("FAIL %s: %s" % [title, failure])
	if case.failures.is_empty():
		_passed += 1
		print("ok %s (%d ms)" % [title, Time.get_ticks_msec() - began])
	else:
		_failed += 1
