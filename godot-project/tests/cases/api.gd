extends "res://tests/harness/case.gd"
## A script sees the same members: names, arguments, defaults, types, const, enums, signals.

const PACKET_PEER_METHODS := ["get_available_packet_count", "get_packet", "get_packet_error",
	"get_var", "put_packet", "put_var",
	"get_encode_buffer_max_size", "set_encode_buffer_max_size"]
const MULTIPLAYER_METHODS := ["close", "disconnect_peer", "generate_unique_id",
	"get_connection_status", "get_packet_channel",
	"get_packet_mode", "get_packet_peer", "get_unique_id", "is_refusing_new_connections",
	"is_server_relay_supported", "poll",
	"set_refuse_new_connections", "set_target_peer", "get_transfer_mode", "set_transfer_mode",
	"get_transfer_channel",
	"set_transfer_channel"]


func test_websocket_peer_has_the_same_members() -> void:
	_see_members("WebSocketPeer", ws_class(), PACKET_PEER_METHODS)
	_see_values("WebSocketPeer", new_ws())


func test_multiplayer_peer_has_the_same_members() -> void:
	_see_members("WebSocketMultiplayerPeer", mp_class(), PACKET_PEER_METHODS + MULTIPLAYER_METHODS)
	_see_values("WebSocketMultiplayerPeer", new_mp())


func test_peers_are_packet_peers() -> void:
	same("ws_is_packet_peer", new_ws() is PacketPeer, true)
	same("ws_is_ref_counted", new_ws() is RefCounted, true)
	same("mp_is_multiplayer_peer", new_mp() is MultiplayerPeer, true)
	same("mp_is_packet_peer", new_mp() is PacketPeer, true)


## Names, constants, enum types and defaults in typed code, as a user's script has them.
func test_typed_script_compiles_and_runs() -> void:
	expect_error("url|address|scheme|host|port")
	var script := template("typed_use.gd")
	if script == null:
		return
	var lines: PackedStringArray = script.new().look()
	for i in lines.size():
		saw("line%d" % i, named_plain(lines[i]))
	equal(lines.size(), 9, "lines of the typed script")


## Godot 3 names that ours has in addition, for people who port.
func test_godot_3_methods_of_ours() -> void:
	check(true, "only ours has them")
	if not impl_is_ours():
		return
	var pair := connect_pair()
	equal(pair.client.get_write_mode(), BINARY, "write mode at first")
	equal(pair.client.is_connected_to_host(), true, "is_connected_to_host while open")
	pair.client.set_write_mode(TEXT)
	equal(pair.client.get_write_mode(), TEXT, "write mode after set_write_mode")
	pair.client.put_packet("as text".to_utf8_buffer())
	equal(receive_text(pair.server, 1), PackedStringArray(["as text"]), "packet")
	equal(pair.server.was_string_packet(), true, "put_packet in text mode arrives as text")
	pair.client.close(-1)
	equal(pair.client.is_connected_to_host(), false, "is_connected_to_host after the end")


## One line per method, property, constant and signal that the built-in class declares, as the class
## under test has it.
func _see_members(plain_class: String, tested_class: String, inherited: Array) -> void:
	check(ClassDB.class_exists(tested_class), tested_class + " exists")
	if not ClassDB.class_exists(plain_class):
		return
	var methods := _by_name(ClassDB.class_get_method_list(tested_class))
	for method in ClassDB.class_get_method_list(plain_class, true):
		if _is_ours_alone(plain_class, method.name + "() flags"):
			continue
		saw("method." + method.name, _describe_method(methods.get(method.name, {})))
	for method_name: String in inherited:
		saw("inherited." + method_name, methods.has(method_name))
	var properties := _by_name(ClassDB.class_get_property_list(tested_class))
	for property in ClassDB.class_get_property_list(plain_class):
		if property.usage & (PROPERTY_USAGE_CATEGORY | PROPERTY_USAGE_GROUP):
			continue
		if _is_ours_alone(plain_class, property.name):
			continue
		saw("property." + property.name,
			_describe_property(tested_class, properties.get(property.name, {})))
	for constant in ClassDB.class_get_integer_constant_list(plain_class, true):
		if _is_ours_alone(plain_class, "constant " + constant):
			continue
		saw("constant." + constant,
			"%d of %s" % [ClassDB.class_get_integer_constant(tested_class, constant),
			ClassDB.class_get_integer_constant_enum(tested_class, constant)])
	for event: String in ["peer_connected", "peer_disconnected"]:
		var found := ClassDB.class_get_signal(tested_class, event)
		saw("signal." + event, str(found.get("args", []).map(func(argument: Dictionary) -> String:
			return "%s %s" % [argument.name, type_string(argument.type)])))


## The values that a fresh object shows for the built-in class's properties.
func _see_values(plain_class: String, peer: Object) -> void:
	if not ClassDB.class_exists(plain_class):
		return
	for property in ClassDB.class_get_property_list(plain_class):
		if property.usage & (PROPERTY_USAGE_CATEGORY | PROPERTY_USAGE_GROUP):
			continue
		if not _is_ours_alone(plain_class, property.name):
			saw("value." + property.name, var_to_str(peer.get(property.name)))


## Whether the engine's class of that name has no such member; where there is one it is asked
## for its members itself.
func _is_ours_alone(plain_class: String, member: String) -> bool:
	return not recorded.is_empty() and not recorded[plain_class].has(member)


func _by_name(list: Array) -> Dictionary:
	var found := {}
	for entry: Dictionary in list:
		found[entry.name] = entry
	return found


func _describe_method(method: Dictionary) -> String:
	if method.is_empty():
		return "missing"
	var arguments := PackedStringArray()
	var first_default: int = method.args.size() - method.default_args.size()
	for i: int in method.args.size():
		var argument: Dictionary = method.args[i]
		var text := "%s: %s" % [argument.name, _type_name(argument)]
		if i >= first_default:
			text += " = " + var_to_str(method.default_args[i - first_default])
		arguments.append(text)
	return "(%s) -> %s%s%s" % [", ".join(arguments), _type_name(method["return"]),
		" const" if method.flags & METHOD_FLAG_CONST else "",
		" static" if method.flags & METHOD_FLAG_STATIC else ""]


func _describe_property(tested_class: String, property: Dictionary) -> String:
	if property.is_empty():
		return "missing"
	return "%s, hint %d, usage %d, %s, %s, default %s" % [_type_name(property), property.hint,
		property.usage,
		ClassDB.class_get_property_setter(tested_class, property.name),
		ClassDB.class_get_property_getter(tested_class, property.name),
		var_to_str(ClassDB.class_get_property_default_value(tested_class, property.name))]


func _type_name(info: Dictionary) -> String:
	if not String(info["class_name"]).is_empty():
		return named_plain(info["class_name"])
	return "void" if info.type == TYPE_NIL else type_string(info.type)
