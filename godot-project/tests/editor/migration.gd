@tool
extends RefCounted
## Project > Tools > Rust WebSocket: Use in This Project, there and back.

const Steps := preload("steps.gd")
const MENU_ITEM := "Rust WebSocket: Use in This Project..."
const TITLE := "Rust WebSocket: Use in This Project"
const CLIENT := "res://net/client.gd"
const LEFT := "res://net/left.gd"
const FILES: Array[String] = [
	CLIENT, LEFT, "res://net/crlf.gd", "res://net/level.tscn", "res://Bot.cs"
]

var _steps: Steps


func _init(steps: Steps) -> void:
	_steps = steps


func look() -> void:
	var code := await _steps.open_script(CLIENT)
	var before := _contents()
	var dialog := await open_dialog()
	if dialog == null:
		return
	_look_at_what_would_change(dialog)
	_steps.check(_contents() == before, "looking changes nothing")
	await _change(dialog, code, before)
	await _change_back(dialog, code, before)
	dialog.get_cancel_button().pressed.emit()
	await _steps.frames(3)
	_steps.check(not dialog.visible, "the dialog closes")


func open_dialog() -> ConfirmationDialog:
	await _steps.choose(MENU_ITEM)
	var dialog: ConfirmationDialog = _steps.find("ConfirmationDialog", &"title", TITLE)
	_steps.check(dialog != null, "the dialog '%s' opens" % TITLE)
	return dialog


func _look_at_what_would_change(dialog: ConfirmationDialog) -> void:
	for path in FILES.slice(0, 4):
		_steps.check(_item(dialog, path) != null, "the dialog shows %s" % path)
	var line := "3:  var socket := RustWebSocketPeer.new()"
	_steps.check(_item(dialog, line) != null, "it shows the line that changes")
	var hazards: String = _steps.shown("RichTextLabel", dialog)[0].get_parsed_text()
	for hazard: String in [
		"res://Bot.cs names WebSocketPeer",
		"res://net/fake.gd:3: a fake: ",
		CLIENT + ":5: is: ",
		LEFT + ":1: extends: "
	]:
		_steps.check(hazards.contains(hazard), "it lists '%s': %s" % [hazard, hazards])


func _change(dialog: ConfirmationDialog, code: CodeEdit, before: Dictionary) -> void:
	var left := _item(dialog, LEFT)
	left.set_checked(0, false)
	_steps.shown("Tree", dialog)[0].item_edited.emit()
	dialog.get_ok_button().pressed.emit()
	await _steps.frames(30)
	var after := _contents()
	for path in FILES:
		var changes := path != LEFT and path != "res://Bot.cs"
		_steps.check(
			(after[path] != before[path]) == changes,
			"%s is %s" % [path, "changed" if changes else "left"]
		)
	_steps.check(_item(dialog, LEFT) != null, "what is left is still shown")
	_steps.check(_item(dialog, CLIENT) == null, "what is changed is not")
	await _steps.until(
		func() -> bool: return code.text.contains("RustWebSocketPeer.new()"),
		"the script that is open is read again"
	)


func _change_back(dialog: ConfirmationDialog, code: CodeEdit, before: Dictionary) -> void:
	dialog.get("_other_direction").pressed.emit()
	await _steps.frames(3)
	var line := "3:  var socket := WebSocketPeer.new()"
	_steps.check(_item(dialog, line) != null, "back: it shows the line that changes")
	dialog.get_ok_button().pressed.emit()
	await _steps.frames(30)
	_steps.check(_contents() == before, "there and back are the same bytes")
	_steps.check(dialog.get_ok_button().disabled, "there is nothing more to change")
	await _steps.until(
		func() -> bool: return code.text.contains(":= WebSocketPeer.new()"),
		"back: the script that is open is read again"
	)


func _item(dialog: Window, text: String) -> TreeItem:
	return _steps.item_of(_steps.shown("Tree", dialog)[0], text)


func _contents() -> Dictionary:
	var contents := {}
	for path in FILES:
		contents[path] = FileAccess.get_file_as_bytes(path)
	return contents
