extends SceneTree
## Compares the scripts that stand in for the addon's classes in web exports with the classes
## themselves, as ClassDB shows them: each member that the engine's class does not have already, and
## each class.
##
##   godot --headless --path godot-project -s res://tests/web/members.gd -- CLASS...

const FOLDER := "res://addons/rust_websocket/web/"
## The stand-in for connections, without its class name: what the others mean by it.
const CONNECTION := "user://stand_in_of_connections.gd"

var _passed := 0
var _failed := 0


func _initialize() -> void:
	var connection := FileAccess.open(CONNECTION, FileAccess.WRITE)
	connection.store_string(_source("RustWebSocketPeer"))
	connection.close()
	for name in OS.get_cmdline_user_args():
		_compare(name)
	DirAccess.remove_absolute(CONNECTION)
	print("%d passed, %d failed" % [_passed, _failed])
	quit(0 if _failed == 0 and _passed > 0 else 1)


func _compare(name: String) -> void:
	var script := _stand_in(name)
	if script == null:
		return
	var base := String(script.get_instance_base_type())
	var object: Object = script.new()
	_compare_methods(name, base, script)
	for property in ClassDB.class_get_property_list(name, true):
		if property.usage & PROPERTY_USAGE_STORAGE:
			var default: Variant = ClassDB.class_get_property_default_value(name, property.name)
			var value: Variant = object.get(property.name)
			# A null of the engine is not of the same type as a script's.
			if value == null and default == null:
				_equal("%s.%s" % [name, property.name], property.name in object, true)
			else:
				_equal("%s.%s" % [name, property.name], value, default)
	for constant in ClassDB.class_get_integer_constant_list(name, true):
		var value: Variant = script.get_script_constant_map().get(constant)
		if ClassDB.class_has_integer_constant(base, constant):
			value = ClassDB.class_get_integer_constant(base, constant)
		_equal(
			"%s.%s" % [name, constant], value, ClassDB.class_get_integer_constant(name, constant)
		)
	for enum_name in ClassDB.class_get_enum_list(name, true):
		var values: Variant = script.get_script_constant_map().get(enum_name, {})
		if not ClassDB.class_has_enum(base, enum_name):
			var wanted := Array(ClassDB.class_get_enum_constants(name, enum_name, true))
			_equal("%s.%s" % [name, enum_name], values.keys(), wanted)
	if object.has_method(&"get_statistics"):
		var wanted: Array = ClassDB.instantiate(name).get_statistics().keys()
		var keys: Array = object.get_statistics().keys()
		wanted.sort()
		keys.sort()
		_equal("%s, statistics" % name, keys, wanted)
	for event in ClassDB.class_get_signal_list(name, true):
		_equal("%s.%s" % [name, event.name], object.has_signal(event.name), true)


func _stand_in(name: String) -> GDScript:
	var source := _source(name)
	if source.is_empty():
		return null
	var script := GDScript.new()
	if source.contains("RustWebSocketPeer"):
		source = source.replace("RustWebSocketPeer", "StandIn")
		source += "\nconst StandIn := preload(\"%s\")\n" % CONNECTION
	script.source_code = source
	_equal(name + " compiles", script.reload(), OK)
	return script


## What stands in for a class, without the class name, which is the library's here.
func _source(name: String) -> String:
	var file := FOLDER + name.replace("WebSocket", "Websocket").to_snake_case() + ".gd"
	_equal(file, FileAccess.file_exists(file), true)
	var source := FileAccess.get_file_as_string(file)
	var line := "class_name %s\n" % name
	_equal("the class name of " + file, source.contains(line), true)
	return source.replace(line, "")


func _compare_methods(name: String, base: String, script: GDScript) -> void:
	var known := {}
	for method in ClassDB.class_get_method_list(base):
		known[method.name] = true
	var found := {}
	for method in script.get_script_method_list():
		found[method.name] = method
	for method in ClassDB.class_get_method_list(name, true):
		# What stands in for the virtual methods of the base class is no member.
		if known.has(method.name) or method.name.begins_with("_"):
			continue
		var own: Dictionary = found.get(method.name, {})
		_equal("%s.%s()" % [name, method.name], _shape(own), _shape(method))


## Names and types of the arguments, defaults, type of the result.
func _shape(method: Dictionary) -> Array:
	if method.is_empty():
		return []
	var arguments: Array = method.args.map(
		func(info: Dictionary) -> String: return "%s: %s" % [info.name, type_string(info.type)]
	)
	var defaults: Array = method.default_args.map(_shown)
	return [arguments, defaults, type_string(method["return"].type)]


## An empty array is no constant to GDScript, which shows null for it; a null is not always of the
## same type.
func _shown(default: Variant) -> Variant:
	var is_list: bool = default is PackedStringArray or default is PackedByteArray
	var is_empty: bool = is_list and default.is_empty()
	return null if is_empty or default == null else default


func _equal(what: String, got: Variant, wanted: Variant) -> void:
	if typeof(got) == typeof(wanted) and got == wanted:
		_passed += 1
		return
	_failed += 1
	print("FAIL %s\n  stand-in: %s\n  class:    %s" % [what, got, wanted])
