extends SceneTree
## Compares what ClassDB says about the addon's classes with what it says about the engine's own:
## every method, argument, default, return type, flag, property, enum, constant and signal. More
## members are fine, fewer or other ones are failures.
##
##   godot --headless --path godot-project -s res://tests/classdb.gd
##
## In an engine without the websocket module our classes have the engine's names, and nothing is
## there to compare them with. The description that a stock engine wrote is read then:
##
##   stock-godot ... -s res://tests/classdb.gd -- record=FILE
##   other-godot ... -s res://tests/classdb.gd -- against=FILE

const CLASSES := {
	"WebSocketPeer": "RustWebSocketPeer",
	"WebSocketMultiplayerPeer": "RustWebSocketMultiplayerPeer",
}

var _passed := 0
var _failed := 0


func _initialize() -> void:
	var record := _option("record")
	if not record.is_empty():
		_record(record)
		return
	var against := _option("against")
	var recorded: Dictionary = {}
	if not against.is_empty():
		recorded = str_to_var(FileAccess.get_file_as_string(against))
	for builtin: String in CLASSES:
		var ours: String = CLASSES[builtin] if against.is_empty() else builtin
		if not ClassDB.class_exists(ours) or not (ClassDB.class_exists(builtin) or recorded.has(builtin)):
			_check("both %s and %s exist" % [builtin, ours], true, false)
			continue
		_check("%s can be made" % ours, true, ClassDB.can_instantiate(ours))
		if recorded.is_empty():
			_compare(ours, _describe(builtin), _describe(ours))
		else:
			# A null object is recorded as a null.
			_compare(ours, recorded[builtin], str_to_var(var_to_str(_describe(ours))))
	_check_typed_use(against.is_empty())
	print("%d passed, %d failed" % [_passed, _failed])
	quit(0 if _failed == 0 else 1)


func _option(option: String) -> String:
	for argument in OS.get_cmdline_user_args():
		if argument.begins_with(option + "="):
			return argument.get_slice("=", 1)
	return ""


func _record(path: String) -> void:
	var described := {}
	for builtin: String in CLASSES:
		described[builtin] = _describe(builtin)
	var file := FileAccess.open(path, FileAccess.WRITE)
	var is_stored := file != null and file.store_string(var_to_str(described))
	if not is_stored:
		printerr("FAIL cannot write %s" % path)
	quit(0 if is_stored else 1)


## What ClassDB shows of a class, as plain values: what is looked at, and what is seen.
func _describe(type: String) -> Dictionary:
	var seen := {}
	for method: Dictionary in ClassDB.class_get_method_list(type):
		if method["flags"] & METHOD_FLAG_VIRTUAL:
			continue
		var name: String = method["name"]
		seen[name + "() arguments"] = _typed(method["args"])
		seen[name + "() defaults"] = method["default_args"]
		seen[name + "() return"] = _typed([method["return"]])
		seen[name + "() flags"] = method["flags"]
	for property: Dictionary in ClassDB.class_get_property_list(type):
		if property["usage"] & (PROPERTY_USAGE_CATEGORY | PROPERTY_USAGE_GROUP | PROPERTY_USAGE_SUBGROUP):
			continue
		var name: String = property["name"]
		if name == "heartbeat_interval":
			# The engine declares an int over float accessors; ours is the float that it is.
			property["type"] = TYPE_FLOAT
		seen[name] = property
		seen[name + " default"] = ClassDB.class_get_property_default_value(type, name)
		seen[name + " setter"] = ClassDB.class_get_property_setter(type, name)
		seen[name + " getter"] = ClassDB.class_get_property_getter(type, name)
	for enum_name in ClassDB.class_get_enum_list(type):
		seen["enum " + enum_name] = ClassDB.class_get_enum_constants(type, enum_name)
	for constant in ClassDB.class_get_integer_constant_list(type):
		seen["constant " + constant] = ClassDB.class_get_integer_constant(type, constant)
	for signal_info: Dictionary in ClassDB.class_get_signal_list(type):
		seen["signal " + signal_info["name"]] = _typed(signal_info["args"])
	return seen


func _compare(type: String, wanted: Dictionary, found: Dictionary) -> void:
	for what: String in wanted:
		_check("%s: %s" % [type, what], wanted[what], found.get(what, "missing"))


## Types, names and usages, with our class names read as the engine's.
func _typed(infos: Array) -> Array:
	return infos.map(func(info: Dictionary) -> Array:
		var type_names: Array = [info["class_name"], info["hint_string"]].map(_plain_name)
		return [info["name"], info["type"], type_names, info["hint"], info["usage"]])


func _plain_name(name: String) -> String:
	return name.replace("RustWebSocket", "WebSocket")


## Names that only the compiler looks up.
func _check_typed_use(has_own_names: bool) -> void:
	var script := GDScript.new()
	var source := "\n".join([
		"extends RefCounted",
		"func use(peer: RustWebSocketPeer, multiplayer_peer: RustWebSocketMultiplayerPeer) -> Error:",
		"	var state: RustWebSocketPeer.State = RustWebSocketPeer.STATE_OPEN",
		"	state = RustWebSocketPeer.State.STATE_CLOSED",
		"	state = peer.STATE_CLOSING",
		"	state = peer.get_ready_state()",
		"	var base: PacketPeer = peer",
		"	var multiplayer_base: MultiplayerPeer = multiplayer_peer",
		"	var other: RustWebSocketPeer = multiplayer_peer.get_peer(1)",
		"	if state != RustWebSocketPeer.STATE_OPEN:",
		"		return OK",
		"	return peer.send(PackedByteArray(), RustWebSocketPeer.WRITE_MODE_TEXT)",
	])
	script.source_code = source if has_own_names else source.replace("RustWebSocket", "WebSocket")
	_check("typed GDScript compiles", OK, script.reload())


func _check(what: String, expected: Variant, actual: Variant) -> void:
	if typeof(expected) == typeof(actual) and expected == actual:
		_passed += 1
		return
	_failed += 1
	print("FAIL %s\n  built-in: %s\n  ours:     %s" % [what, expected, actual])
