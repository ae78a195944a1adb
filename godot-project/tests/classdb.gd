extends SceneTree
## Compares what ClassDB says about the addon's classes with what it says about the engine's own:
## every method, argument, default, return type, flag, property, enum, constant and signal. More
## members are fine, fewer or other ones are failures.
##
##   godot --headless --path godot-project -s tests/classdb.gd

const CLASSES := {
	"WebSocketPeer": "RustWebSocketPeer",
	"WebSocketMultiplayerPeer": "RustWebSocketMultiplayerPeer",
}

var _passed := 0
var _failed := 0


func _initialize() -> void:
	for builtin: String in CLASSES:
		_compare(builtin, CLASSES[builtin])
	_check_typed_use()
	print("%d passed, %d failed" % [_passed, _failed])
	quit(0 if _failed == 0 else 1)


func _compare(builtin: String, ours: String) -> void:
	if not ClassDB.class_exists(ours) or not ClassDB.class_exists(builtin):
		_check("both %s and %s exist" % [builtin, ours], true, false)
		return
	_check("%s can be made" % ours, true, ClassDB.can_instantiate(ours))
	_compare_methods(builtin, ours)
	_compare_properties(builtin, ours)
	_compare_constants(builtin, ours)
	for signal_info: Dictionary in ClassDB.class_get_signal_list(builtin):
		_check("%s: signal %s" % [ours, signal_info["name"]], _typed(signal_info["args"]),
			_typed(ClassDB.class_get_signal(ours, signal_info["name"]).get("args", [])))


func _compare_methods(builtin: String, ours: String) -> void:
	var found := {}
	for method: Dictionary in ClassDB.class_get_method_list(ours):
		found[method["name"]] = method
	for method: Dictionary in ClassDB.class_get_method_list(builtin):
		if method["flags"] & METHOD_FLAG_VIRTUAL:
			continue
		var what := "%s.%s()" % [ours, method["name"]]
		var own: Dictionary = found.get(method["name"], {})
		if own.is_empty():
			_check(what + " exists", true, false)
			continue
		_check(what + " arguments", _typed(method["args"]), _typed(own["args"]))
		_check(what + " defaults", method["default_args"], own["default_args"])
		_check(what + " return", _typed([method["return"]]), _typed([own["return"]]))
		_check(what + " flags", method["flags"], own["flags"])


func _compare_properties(builtin: String, ours: String) -> void:
	var found := {}
	for property: Dictionary in ClassDB.class_get_property_list(ours):
		found[property["name"]] = property
	for property: Dictionary in ClassDB.class_get_property_list(builtin):
		var name: String = property["name"]
		if property["usage"] & (PROPERTY_USAGE_CATEGORY | PROPERTY_USAGE_GROUP | PROPERTY_USAGE_SUBGROUP):
			continue
		var what := "%s.%s" % [ours, name]
		var own: Dictionary = found.get(name, {})
		if own.is_empty():
			_check(what + " exists", true, false)
			continue
		if name == "heartbeat_interval":
			# The engine declares an int over float accessors; ours is the float that it is.
			property["type"] = TYPE_FLOAT
		_check(what, property, own)
		_check(what + " default", ClassDB.class_get_property_default_value(builtin, name),
			ClassDB.class_get_property_default_value(ours, name))
		_check(what + " setter", ClassDB.class_get_property_setter(builtin, name),
			ClassDB.class_get_property_setter(ours, name))
		_check(what + " getter", ClassDB.class_get_property_getter(builtin, name),
			ClassDB.class_get_property_getter(ours, name))


func _compare_constants(builtin: String, ours: String) -> void:
	for enum_name in ClassDB.class_get_enum_list(builtin):
		_check("%s.%s" % [ours, enum_name], ClassDB.class_get_enum_constants(builtin, enum_name),
			ClassDB.class_get_enum_constants(ours, enum_name))
	for constant in ClassDB.class_get_integer_constant_list(builtin):
		_check("%s.%s" % [ours, constant], ClassDB.class_get_integer_constant(builtin, constant),
			ClassDB.class_get_integer_constant(ours, constant))


## Types, names and usages, with our class names read as the engine's.
func _typed(infos: Array) -> Array:
	return infos.map(func(info: Dictionary) -> Array:
		var type_names: Array = [info["class_name"], info["hint_string"]].map(_plain_name)
		return [info["name"], info["type"], type_names, info["hint"], info["usage"]])


func _plain_name(name: String) -> String:
	return name.replace("RustWebSocket", "WebSocket")


## Names that only the compiler looks up.
func _check_typed_use() -> void:
	var script := GDScript.new()
	script.source_code = "\n".join([
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
	_check("typed GDScript compiles", OK, script.reload())


func _check(what: String, expected: Variant, actual: Variant) -> void:
	if expected == actual:
		_passed += 1
		return
	_failed += 1
	print("FAIL %s\n  built-in: %s\n  ours:     %s" % [what, expected, actual])
