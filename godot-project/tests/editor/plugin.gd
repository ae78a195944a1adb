@tool
extends EditorPlugin
## Looks at what the addon adds to a running editor: icons, Create New Node, help pages, hover and
## completion. `ci/test-editor.sh` puts it into a project of its own.
##
##   godot --editor --path PROJECT -- [light | pictures=FOLDER]

const Steps := preload("steps.gd")
const Migration := preload("migration.gd")
const Pictures := preload("pictures.gd")
const CLASSES: Array[String] = [
	"RustWebSocketPeer",
	"RustWebSocketMultiplayerPeer",
	"RustWebSocketClient",
	"RustWebSocketServer",
	"RustWebSocketRequest",
	"RustWebSocketServerLifecycle"
]
const SCRIPT_TEXT := """extends Node

func _ready() -> void:
	var socket := RustWebSocketClient.new()
	var peer := RustWebSocketPeer.new()
"""

var _steps := Steps.new()


func _enter_tree() -> void:
	_run.call_deferred()


func _run() -> void:
	_steps.tree = get_tree()
	await _steps.editor_is_ready()
	var arguments := OS.get_cmdline_user_args()
	if not arguments.is_empty() and arguments[0].begins_with("pictures="):
		await Pictures.new(_steps, arguments[0].get_slice("=", 1)).take()
	else:
		await _look_at_everything("light" in arguments)
	print("EDITOR DONE")
	get_tree().quit(7 if _steps.failures == 0 else 1)


func _look_at_everything(is_light: bool) -> void:
	await _look_at_icons()
	if not is_light:
		await _steps.create_client_node()
		_look_at_the_inspector()
		await _look_at_help()
		await _look_at_completion()
		await _look_at_hover()
		await Migration.new(_steps).look()


# The list of classes in the search of help shows what every list of classes shows.
func _look_at_icons() -> void:
	EditorInterface.set_main_screen_editor("Script")
	await _steps.frames(5)
	var dialogs := EditorInterface.get_base_control().find_children(
		"*", "EditorHelpSearch", true, false
	)
	if not _steps.check(not dialogs.is_empty(), "there is a search of help"):
		return
	var dialog: ConfirmationDialog = dialogs[0]
	dialog.popup_centered(Vector2i(800, 600))
	await _steps.type_into(_steps.shown("LineEdit", dialog)[0], "RustWebSocket")
	var items: Tree = _steps.shown("Tree", dialog)[0]
	await _steps.until(
		func() -> bool: return _steps.item_of(items, CLASSES[2]) != null,
		"help finds them"
	)
	for name in CLASSES:
		var item := _steps.item_of(items, name)
		if not _steps.check(
			item != null and _steps.is_own_icon(item.get_icon(0)),
			"%s has its icon" % name
		):
			continue
		var light := _steps.brightness(item.get_icon(0))
		if "light" in OS.get_cmdline_user_args():
			_steps.check(
				light < 0.5, "%s is dark on a light theme (%.2f)" % [name, light]
			)
		else:
			_steps.check(
				light > 0.5, "%s is light on a dark theme (%.2f)" % [name, light]
			)
	dialog.hide()
	await _steps.frames(3)


func _look_at_the_inspector() -> void:
	var node := EditorInterface.get_edited_scene_root()
	_steps.check(
		EditorInterface.get_inspector().get_edited_object() == node,
		"the inspector shows the node"
	)
	for property: String in [
		"url", "autoconnect", "reconnect_delay_max", "no_reconnect_codes"
	]:
		# Those of folded groups too.
		var inspector := EditorInterface.get_inspector()
		var fields := inspector.find_children("*", "EditorProperty", true, false)
		var found := fields.any(
			func(field: EditorProperty) -> bool: return field.get_edited_property() == property
		)
		_steps.check(found, "the inspector shows %s" % property)


func _look_at_help() -> void:
	for name in CLASSES:
		EditorInterface.get_script_editor().goto_help("class_name:" + name)
		await _steps.frames(20)
		var pages := _steps.shown("EditorHelp")
		if not _steps.check(pages.size() == 1, "%s has a help page" % name):
			continue
		var text: String = _steps.shown("RichTextLabel", pages[0])[0].get_parsed_text()
		_steps.check(text.contains(name), "the page of %s is its own" % name)
		_steps.check(text.length() > 4000, "it is written: %d characters" % text.length())
		var gap := text.find("There is currently no description")
		_steps.check(
			gap < 0,
			"nothing is without a text: %s" % text.substr(maxi(gap - 100, 0), 200)
		)


func _look_at_completion() -> void:
	var code := await _steps.open_script("res://code.gd")
	var names := await _steps.completions(
		code, "extends Node\n\nfunc _ready() -> void:\n\tvar a := RustWeb"
	)
	for name in CLASSES:
		_steps.check(name in names, "completion offers %s" % name)
	for name in names:
		_steps.check(
			not name.begins_with("RustWeb") or name in CLASSES,
			"completion offers nothing else: %s" % name
		)
	var start := "extends Node\n\nfunc _ready() -> void:\n\tvar a := RustWebSocketClient.new()\n\ta."
	var members := await _steps.completions(code, start)
	for member: String in [
		"url", "connect_to_url(…)", "text_received", "is_reconnecting()"
	]:
		_steps.check(member in members, "completion behind a node offers %s" % member)


func _look_at_hover() -> void:
	var code := await _steps.open_script("res://code.gd")
	code.text = SCRIPT_TEXT
	await _steps.frames(20)
	for line: int in [3, 4]:
		var name: String = CLASSES[2] if line == 3 else CLASSES[0]
		code.symbol_hovered.emit(name, line, code.get_line(line).find(name) + 2)
		var found: Array[Node] = []
		await _steps.until(
			func() -> bool:
				found = _steps.shown("EditorHelpBit", code)
				return not found.is_empty(),
			"hovering shows something on %s" % name
		)
		if found.is_empty():
			continue
		var text := ""
		for label: RichTextLabel in _steps.shown("RichTextLabel", found[0]):
			text += label.get_parsed_text() + " "
		_steps.check(
			text.contains(name) and text.length() > 60,
			"it says what %s is: '%s'" % [name, text]
		)
		code.find_children("*", "EditorHelpBitTooltip", true, false)[0].queue_free()
		await _steps.frames(10)
