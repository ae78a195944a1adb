extends SceneTree
## Maintainer tool: cuts an extension_api.json down to what the addon's library looks up in the
## engine.
##
##   godot --headless -s ci/cut-api.gd -- input=FULL.json output=rust/extension/godot-api.json
##   modules=DIR godot --headless -s ci/cut-api.gd -- check=rust/extension/godot-api.json
##   modules=DIR
##
## gdext looks up every method of its API file while the library loads, and gives up at the first
## that the engine lacks. A full file therefore ties the library to engines with every module
## compiled in, the websocket module among them. The cut file names only classes of the engine's
## core, and only methods of those that are called.
##
## `input` is the file of the OLDEST engine that the addon supports, 4.3: newer engines keep
## answering to the method hashes of older ones, not the other way round. An engine writes its own
## with `--dump-extension-api`; the crate
## `gdextension-api`, which gdext brings along, holds one per version (src/4.3/extension_api.json).
## `modules` is what `godot --headless --doctool DIR` has written: it sorts the class reference by
## the module that registers a class (DIR/modules/<module>/doc_classes/<Class>.xml), so the engine
## itself says what is not core.

const ALL := ["*"]

## Classes that the addon or gdext itself calls, with the methods called; virtual methods always
## stay.
const CALLED := {
	"ClassDB": ["instantiate", "class_call_static", "class_exists", "is_parent_class",
	"class_get_api_type"],
	"Engine": ["get_main_loop", "get_singleton", "has_singleton", "is_editor_hint", "get_version_info",
	"register_singleton",
		"unregister_singleton", "set_print_error_messages", "is_printing_error_messages"],
	"FileAccess": ALL,
	"MultiplayerPeer": ALL,
	"MultiplayerPeerExtension": ALL,
	"Node": ["get_node_or_null", "get_node", "get_tree", "is_inside_tree", "get_path", "rpc", "rpc_id",
	"rpc_config", "duplicate",
		"find_child", "get_name"],
	"Object": ALL,
	"OS": ["crash", "has_feature", "get_system_ca_certificates"],
	"PackedScene": ["instantiate"],
	"PacketPeer": ALL,
	"PacketPeerExtension": ALL,
	"ProjectSettings": ["get_setting_with_override", "has_setting"],
	"RefCounted": ALL,
	"Resource": ["get_path", "set_path", "duplicate"],
	"ResourceLoader": ["load", "load_threaded_get", "load_threaded_get_status",
	"load_threaded_request"],
	"ResourceSaver": ["save"],
	"Script": ["get_global_name", "get_instance_base_type"],
	"ScriptExtension": ["_get_language"],
	"SceneTree": ["call_group_flags", "set_group_flags", "notify_group", "notify_group_flags",
	"get_root"],
	"StreamPeer": ["put_data", "put_partial_data", "get_data", "get_partial_data",
	"get_available_bytes"],
	"StreamPeerTCP": ["connect_to_host", "poll", "get_status", "get_connected_host",
	"get_connected_port", "set_no_delay", "disconnect_from_host"],
	"StreamPeerTLS": ["poll", "get_status", "get_stream", "accept_stream", "connect_to_stream",
	"disconnect_from_stream"],
	"StreamPeerExtension": ALL,
	"TLSOptions": ["is_server", "is_unsafe_client", "get_common_name_override", "get_trusted_ca_chain",
	"get_private_key",
		"get_own_certificate"],
	"CryptoKey": ["save_to_string", "is_public_only"],
	"X509Certificate": ["save_to_string"],
}

## Classes that gdext names in its own code, or that are bases or parameters of the above: no
## methods.
const NAMED := [
	"CanvasItem", "EditorPlugin", "MainLoop", "MultiplayerAPI", "Node2D", "Node3D", "ScriptLanguage",
	"ScriptLanguageExtension", "Viewport", "Window",
]

var _kept := {}
var _known := {}


func _init() -> void:
	var arguments := {}
	for argument in OS.get_cmdline_user_args():
		arguments[argument.get_slice("=", 0)] = argument.substr(argument.find("=") + 1)
	quit(_run(arguments))


func _run(arguments: Dictionary) -> int:
	if not arguments.has("modules"):
		printerr("usage: see the head of ci/cut-api.gd")
		return 2
	var module_classes := _module_classes(arguments["modules"])
	if module_classes.is_empty():
		printerr("cut-api: no module's class reference under '%s': run " % arguments["modules"]
			+ "godot --headless --doctool there first")
		return 1
	if arguments.has("check"):
		return _check(_read(arguments["check"]), module_classes)
	var full := _read(arguments["input"])
	for name: String in CALLED.keys() + NAMED:
		_kept[name] = true
	for api_class: Dictionary in full["classes"]:
		_known[api_class["name"]] = true
	var file := FileAccess.open(arguments["output"], FileAccess.WRITE)
	file.store_string(_write(_cut(full)))
	file.close()
	return _check(_read(arguments["output"]), module_classes)


func _read(path: String) -> Dictionary:
	return JSON.parse_string(FileAccess.get_file_as_string(path))


## Class name -> name of the engine module that registers it.
func _module_classes(reference: String) -> Dictionary:
	var classes := {}
	for module in DirAccess.get_directories_at(reference.path_join("modules")):
		var folder := reference.path_join("modules").path_join(module).path_join("doc_classes")
		for file in DirAccess.get_files_at(folder):
			classes[file.get_basename()] = module
	return classes


func _check(api: Dictionary, module_classes: Dictionary) -> int:
	var passed := 0
	var failed := 0
	for api_class: Dictionary in api["classes"]:
		var name: String = api_class["name"]
		var problem := ""
		if module_classes.has(name):
			problem = "is registered by the engine's module '%s'" % module_classes[name]
		elif not api_class.get("methods", []).is_empty() and not CALLED.has(name):
			problem = "has methods, but nothing calls them"
		elif api_class["api_type"] != "core" and not api_class.get("methods", []).is_empty():
			problem = "has methods, but exists in the editor only"
		if problem.is_empty():
			passed += 1
		else:
			failed += 1
			print("FAIL %s %s" % [name, problem])
	print("%d passed, %d failed" % [passed, failed])
	return 0 if failed == 0 and passed > 0 else 1


func _cut(full: Dictionary) -> Dictionary:
	var cut := {"header": full["header"]}
	for key in ["builtin_class_sizes", "builtin_classes", "global_enums", "utility_functions"]:
		cut[key] = full[key]
	cut["native_structures"] = full["native_structures"].filter(func(structure: Dictionary) -> bool:
		return structure["name"] == "ObjectID")
	cut["singletons"] = full["singletons"].filter(func(singleton: Dictionary) -> bool:
		return _kept.has(singleton["name"]))
	cut["classes"] = []
	for api_class: Dictionary in full["classes"]:
		if _kept.has(api_class["name"]):
			cut["classes"].append(_cut_class(api_class))
	return cut


func _cut_class(api_class: Dictionary) -> Dictionary:
	var cut := {}
	for key in ["name", "is_refcounted", "is_instantiable", "inherits", "api_type", "constants",
			"enums"]:
		if api_class.has(key):
			cut[key] = api_class[key]
	var called: Array = CALLED.get(api_class["name"], [])
	cut["methods"] = api_class.get("methods", []).filter(func(method: Dictionary) -> bool:
		return (called == ALL or method["name"] in called
			or (not called.is_empty() and method["is_virtual"])) and _types_known(method))
	if not called.is_empty():
		cut["signals"] = api_class.get("signals", []).filter(_types_known)
	for method: Dictionary in cut["methods"]:
		method.erase("hash_compatibility")
	return cut


## Whether every class that a method or signal names is in the cut file too.
func _types_known(member: Dictionary) -> bool:
	var types: Array = member.get("arguments", []).map(func(argument: Dictionary) -> String:
		return argument["type"])
	if member.has("return_value"):
		types.append(member["return_value"]["type"])
	return types.all(_type_known)


func _type_known(type: String) -> bool:
	if type.begins_with("enum::") or type.begins_with("bitfield::"):
		var owner := type.get_slice("::", 1)
		return not owner.contains(".") or _type_known(owner.get_slice(".", 0))
	type = type.trim_prefix("typedarray::").trim_suffix("*").trim_prefix("const ").strip_edges()
	return _kept.has(type) or not _known.has(type)


## One line per entry, so that a change shows as such; whole numbers without a fraction (JSON has
## read them as float).
func _write(api: Dictionary) -> String:
	var parts := PackedStringArray()
	for key: String in api:
		if api[key] is Array:
			var lines: Array = api[key].map(func(entry: Variant) -> String:
				return JSON.stringify(_whole(entry), "", false))
			parts.append("\"%s\": [\n%s\n]" % [key, ",\n".join(PackedStringArray(lines))])
		else:
			parts.append("\"%s\": %s" % [key, JSON.stringify(_whole(api[key]), "", false)])
	return "{\n%s\n}\n" % ",\n".join(parts)


func _whole(value: Variant) -> Variant:
	match typeof(value):
		TYPE_FLOAT:
			return int(value) if value == floorf(value) else value
		TYPE_ARRAY:
			return value.map(_whole)
		TYPE_DICTIONARY:
			var result := {}
			for key: Variant in value:
				result[key] = _whole(value[key])
			return result
	return value
