extends SceneTree
## Checks that an engine answers to everything that the addon's library looks up when it is loaded.
##
##   godot --headless -s ci/check-api.gd -- api=rust/extension/godot-api.json
##   engine=extension_api.json
##
## `api` is what the library was compiled from, `engine` what that engine writes with
## `--dump-extension-api`. A method is found by its name and a hash of its signature; a newer engine
## lists the hashes of older signatures that it still answers to. gdext gives up at the first that
## is missing, so an engine without it would not load the addon at all.

var _passed := 0
var _failed := 0


func _init() -> void:
	var files := {}
	for argument in OS.get_cmdline_user_args():
		files[argument.get_slice("=", 0)] = argument.substr(argument.find("=") + 1)
	var api := _read(files.get("api", ""))
	var engine := _read(files.get("engine", ""))
	if api.is_empty() or engine.is_empty():
		printerr("usage: see the head of ci/check-api.gd")
		quit(2)
		return
	_check_classes(api["classes"], _by_name(engine["classes"]))
	_check_builtins(api["builtin_classes"], _by_name(engine["builtin_classes"]))
	_check_sizes(api["builtin_class_sizes"], engine["builtin_class_sizes"])
	_check_methods("the engine", api["utility_functions"], engine["utility_functions"])
	_check_names("the singleton", api["singletons"], engine["singletons"])
	print("%d passed, %d failed" % [_passed, _failed])
	quit(0 if _failed == 0 and _passed > 0 else 1)


func _read(path: String) -> Dictionary:
	var content: Variant = JSON.parse_string(FileAccess.get_file_as_string(path))
	return content if content is Dictionary else {}


func _by_name(entries: Array) -> Dictionary:
	var result := {}
	for entry: Dictionary in entries:
		result[entry["name"]] = entry
	return result


func _expect(is_there: bool, what: String) -> void:
	if is_there:
		_passed += 1
	else:
		_failed += 1
		print("FAIL " + what)


func _check_classes(wanted: Array, present: Dictionary) -> void:
	for entry: Dictionary in wanted:
		var class_label: String = entry["name"]
		_expect(present.has(class_label), "there is no class %s" % class_label)
		if not present.has(class_label):
			continue
		# A newer engine may have put another class between it and its base, and moved members there.
		var found := {"methods": [], "enums": []}
		var ancestor: Variant = class_label
		var ancestors := []
		while present.has(ancestor):
			found["methods"] += present[ancestor].get("methods", [])
			found["enums"] += present[ancestor].get("enums", [])
			ancestor = present[ancestor].get("inherits")
			ancestors.append(ancestor)
		_expect(entry.get("inherits") in ancestors, "%s is no %s" % [class_label, entry.get("inherits")])
		_check_methods(class_label, entry.get("methods", []), found["methods"])
		_check_enums(class_label, entry.get("enums", []), found["enums"])


func _check_methods(owner: String, wanted: Array, present: Array) -> void:
	var found := _by_name(present)
	for method: Dictionary in wanted:
		var method_label := "%s.%s" % [owner, method["name"]]
		if not found.has(method["name"]):
			_expect(false, "there is no method %s" % method_label)
		elif method.get("is_virtual", false):
			_expect(found[method["name"]].get("is_virtual", false), "%s is not virtual" % method_label)
		else:
			_expect(method["hash"] in _hashes(found[method["name"]]),
				"%s has another signature, and no entry for the old one" % method_label)


func _hashes(method: Dictionary) -> Array:
	return [method.get("hash")] + method.get("hash_compatibility", [])


func _check_enums(owner: String, wanted: Array, present: Array) -> void:
	var found := _by_name(present)
	for entry: Dictionary in wanted:
		var values := _by_name(found.get(entry["name"], {}).get("values", []))
		for value: Dictionary in entry["values"]:
			if value["name"].ends_with("_MAX"):
				continue # how many there are
			_expect(values.get(value["name"], {}).get("value") == value["value"], "%s.%s has another value"
				% [owner, value["name"]])


func _check_builtins(wanted: Array, present: Dictionary) -> void:
	for entry: Dictionary in wanted:
		var found: Dictionary = present.get(entry["name"], {})
		_check_methods(entry["name"], entry.get("methods", []), found.get("methods", []))
		_expect(entry["constructors"].size() <= found.get("constructors", []).size(),
			"%s has fewer constructors" % entry["name"])


func _check_sizes(wanted: Array, present: Array) -> void:
	for configuration: Dictionary in wanted:
		var found := {}
		for candidate: Dictionary in present:
			if candidate["build_configuration"] == configuration["build_configuration"]:
				found = _by_name(candidate["sizes"])
		for entry: Dictionary in configuration["sizes"]:
			_expect(found.get(entry["name"], {}).get("size") == entry["size"], "%s has another size (%s)"
				% [entry["name"], configuration["build_configuration"]])


func _check_names(what: String, wanted: Array, present: Array) -> void:
	var found := _by_name(present)
	for entry: Dictionary in wanted:
		_expect(found.has(entry["name"]), "there is no %s %s" % [what, entry["name"]])
