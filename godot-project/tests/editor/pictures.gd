@tool
extends RefCounted
## Takes the pictures of the documentation in a running editor.

const Steps := preload("steps.gd")
const Migration := preload("migration.gd")
const GAME := "res://addons/look/traffic.tscn"
const SECONDS_OF_MONITORS := 30.0
const MONITORS: Array[String] = [
	"Connections", "Messages in per second", "KiB out per second", "IO thread percent"
]

var _steps: Steps
var _folder := ""


func _init(steps: Steps, folder: String) -> void:
	_steps = steps
	_folder = folder


func take() -> void:
	await _take_migration()
	await _take_client()
	await _take_monitors()


func _take_migration() -> void:
	var dialog := await Migration.new(_steps).open_dialog()
	if dialog != null:
		dialog.size = Vector2i(900, 560)
		var frame := Rect2i(dialog.position, dialog.size).grow_individual(0, 32, 0, 0)
		await _steps.save_picture(_folder.path_join("migration.png"), frame)
		dialog.hide()


## The inspector with the node, and the scene that it is in.
func _take_client() -> void:
	await _steps.create_client_node()
	var client := EditorInterface.get_edited_scene_root()
	client.set("url", "wss://game.example.com/play")
	client.set("autoconnect", true)
	client.notify_property_list_changed()
	await _steps.frames(10)
	var inspector := EditorInterface.get_inspector()
	# The whole dock, its tabs included.
	var dock: Control = inspector.get_parent_control()
	while dock != null and not dock is TabContainer:
		dock = dock.get_parent_control()
	if _steps.check(dock != null, "the inspector is in a dock"):
		var part := Rect2i(dock.get_global_rect())
		await _steps.save_picture(_folder.path_join("client.png"), part)


## A game runs, and the editor's debugger draws its monitors. It is started from here: an engine
## that is run through a wrapper does not find itself.
func _take_monitors() -> void:
	var port := _free_port()
	EditorInterface.get_editor_settings().set_setting("network/debug/remote_port", port)
	await _steps.choose("Keep Debug Server Open")
	var folder := ProjectSettings.globalize_path("res://")
	var game := OS.create_process(
		OS.get_environment("GODOT"),
		["--headless", "--path", folder, "--remote-debug", "tcp://127.0.0.1:%d" % port, GAME]
	)
	await _take_monitors_of_the_game()
	OS.kill(game)


func _take_monitors_of_the_game() -> void:
	var profilers := EditorInterface.get_base_control().find_children(
		"*", "EditorPerformanceProfiler", true, false
	)
	if not _steps.check(not profilers.is_empty(), "there are monitors"):
		return
	var profiler: Control = profilers[0]
	var items: Tree = profiler.find_children("*", "Tree", true, false)[0]
	await _steps.until(
		func() -> bool: return _item(items, MONITORS[0]) != null,
		"the game's monitors come"
	)
	for name in MONITORS:
		var item := _item(items, name)
		if not _steps.check(item != null, "there is a monitor '%s'" % name):
			return
		item.set_checked(0, true)
	items.item_edited.emit()
	profiler.custom_minimum_size.y = 330
	_show(profiler)
	await _steps.tree.create_timer(SECONDS_OF_MONITORS).timeout
	items.scroll_to_item(_item(items, MONITORS[-1]))
	await _steps.save_picture(
		_folder.path_join("monitors.png"), Rect2i(profiler.get_global_rect()).grow(4)
	)


## The editor writes capital letters.
func _item(items: Tree, name: String) -> TreeItem:
	var item := items.get_root()
	while item != null and _letters(item.get_text(0)) != _letters(name):
		item = item.get_next_in_tree()
	return item


func _letters(text: String) -> String:
	return text.replace(" ", "").to_lower()


func _free_port() -> int:
	var probe := TCPServer.new()
	probe.listen(0, "127.0.0.1")
	return probe.get_local_port()


## Brings all that it is in to the front.
func _show(control: Control) -> void:
	var child: Node = control
	while child != null:
		var parent := child.get_parent()
		if parent is TabContainer and child is Control:
			var index: int = parent.get_tab_idx_from_control(child)
			if index >= 0:
				parent.current_tab = index
		child = parent
	for button: Button in _steps.shown("Button"):
		if button.text == "Debugger":
			button.button_pressed = true
