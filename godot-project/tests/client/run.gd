extends SceneTree
## Runs the suite of RustWebSocketClient with peers of the engine's class or of ours.
##
##   godot --headless --path godot-project -s res://tests/client/run.gd -- impl=rust filter=queue
##
## `impl` is builtin or rust, `filter` a part of case names. `ci/test-client.sh` runs both and
## judges what was printed.

const CASES := "res://tests/client/cases/"

var _impl := "rust"
var _filter := ""
var _passed := 0
var _failed := 0


func _initialize() -> void:
	for argument in OS.get_cmdline_user_args():
		if argument.begins_with("impl="):
			_impl = argument.get_slice("=", 1)
		elif argument.begins_with("filter="):
			_filter = argument.get_slice("=", 1)
	Engine.max_fps = 250
	_run.call_deferred()


func _run() -> void:
	for file in DirAccess.get_files_at(CASES):
		if file.ends_with(".gd"):
			await _run_file(file)
	print("%d passed, %d failed" % [_passed, _failed])
	print("SUITE DONE")
	quit(1 if _failed > 0 else 0)


func _run_file(file: String) -> void:
	var script: GDScript = load(CASES + file)
	if script == null or not script.can_instantiate():
		print("FAIL %s does not load" % file)
		_failed += 1
		return
	# The first wait makes the object that carries this function on; it is not left over by a case.
	await _object_count()
	for method in script.get_script_method_list():
		var title: String = "%s.%s" % [file.get_basename(), method.name.trim_prefix("test_")]
		if method.name.begins_with("test_") and (_filter.is_empty() or _filter in title):
			var before: int = await _object_count()
			var failed: PackedStringArray = await _run_case(script, method.name, title)
			var left: int = await _object_count() - before
			if left > 0:
				failed.append("%d objects are left over" % left)
			_report(title, failed)


func _run_case(script: GDScript, method: String, title: String) -> PackedStringArray:
	print("CASE ", title)
	var case: RefCounted = script.new()
	case.tree = self
	case.impl = _impl
	await case.call(method)
	case.finish()
	case.check(case.checks > 1, "the case checks something")
	return case.failures


## What was freed by queue_free() is gone in the next frame.
func _object_count() -> int:
	await process_frame
	await process_frame
	return int(Performance.get_monitor(Performance.OBJECT_COUNT))


func _report(title: String, failures: PackedStringArray) -> void:
	for failure in failures:
		print("FAIL ", failure)
	if failures.is_empty():
		_passed += 1
		print("ok ", title)
	else:
		_failed += 1
