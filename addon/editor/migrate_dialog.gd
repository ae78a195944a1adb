@tool
extends ConfirmationDialog
## Project > Tools > Rust WebSocket: Use in This Project: every line that would change, file by
## file, and what to look at by hand. Made in code, since it belongs to an addon without scenes.

const Migration := preload("res://addons/rust_websocket/editor/migration.gd")
const SIZE := Vector2i(900, 640)

var _migration := Migration.new()
var _intro := Label.new()
var _tree := Tree.new()
var _hazards := RichTextLabel.new()
var _hazards_title := Label.new()
var _include_addons := CheckBox.new()
var _other_direction: Button


func set_up(rename: Callable) -> void:
	_migration.rename = rename
	title = "Rust WebSocket: Use in This Project"
	ok_button_text = "Change"
	cancel_button_text = "Close"
	dialog_hide_on_ok = false
	_other_direction = add_button("", true)
	_other_direction.pressed.connect(_turn)
	confirmed.connect(_change)
	_intro.autowrap_mode = TextServer.AUTOWRAP_WORD_SMART
	_tree.hide_root = true
	_tree.size_flags_vertical = Control.SIZE_EXPAND_FILL
	_tree.item_edited.connect(_show_button)
	_hazards_title.text = "To look at by hand"
	_hazards.custom_minimum_size.y = 130
	_hazards.selection_enabled = true
	_hazards.focus_mode = Control.FOCUS_ALL
	_include_addons.text = "In addons/ too"
	_include_addons.toggled.connect(func(_is_on: bool) -> void: look())
	var box := VBoxContainer.new()
	for part: Control in [_intro, _tree, _include_addons, _hazards_title, _hazards]:
		box.add_child(part)
	add_child(box)


## Opens it for the way to this addon's classes.
func begin() -> void:
	_migration.to_ours = true
	look()
	popup_centered(SIZE)


## Looks through the project and shows what would change.
func look() -> void:
	_migration.include_addons = _include_addons.button_pressed
	_migration.look()
	_show_findings()
	if not _migration.errors.is_empty():
		_say_errors()


func _turn() -> void:
	_migration.to_ours = not _migration.to_ours
	look()


func _show_findings() -> void:
	var ours := "the addon's classes"
	var engines := "the engine's classes"
	_other_direction.text = (
		"Back to the Engine's Classes" if _migration.to_ours else "To the Addon's Classes"
	)
	_intro.text = (
		"%d lines in %d files change from %s to %s. Save your scripts and scenes first." % [
			_migration.line_count(),
			_migration.files.size(),
			engines if _migration.to_ours else ours,
			ours if _migration.to_ours else engines
		]
	)
	_fill_tree()
	_hazards.text = "\n".join(_migration.hazards)
	_hazards.visible = not _migration.hazards.is_empty()
	_hazards_title.visible = _hazards.visible
	_show_button()


func _fill_tree() -> void:
	_tree.clear()
	var root := _tree.create_item()
	for path: String in _migration.files:
		var item := _tree.create_item(root)
		item.set_cell_mode(0, TreeItem.CELL_MODE_CHECK)
		item.set_text(0, path)
		item.set_checked(0, true)
		item.set_editable(0, true)
		for line: Array in _migration.files[path].lines:
			var entry := _tree.create_item(item)
			entry.set_text(0, "%d:  %s" % [line[0], line[2].strip_edges()])
			entry.set_tooltip_text(0, "%s\n%s" % [line[1].strip_edges(), line[2].strip_edges()])


func _chosen() -> Array:
	var paths := []
	for item in _tree.get_root().get_children():
		if item.is_checked(0):
			paths.append(item.get_text(0))
	return paths


func _show_button() -> void:
	get_ok_button().disabled = _chosen().is_empty()


func _change() -> void:
	var paths := _chosen()
	_wait_for_another_second(paths)
	if not _migration.change(paths):
		_say_errors()
		return
	_reload(paths)
	look()
	_intro.text = (
		"%d files were changed; as they were they are in %s. %s"
		% [paths.size(), _migration.kept_in, _intro.text]
	)


# The editor knows files by the second in which they were changed: it would not see that one is
# changed again in the same second, and would show, and save, what was there before.
func _wait_for_another_second(paths: Array) -> void:
	for path: String in paths:
		var now := Time.get_unix_time_from_system()
		if FileAccess.get_modified_time(path) == int(now):
			OS.delay_msec(ceili((floorf(now) + 1.0 - now) * 1000.0))


func _say_errors() -> void:
	_intro.text = "Nothing was changed. %s." % ". ".join(_migration.errors)


# What is open in the editor is read again, as after a change by another program.
func _reload(paths: Array) -> void:
	EditorInterface.get_script_editor().notification(NOTIFICATION_APPLICATION_FOCUS_IN)
	for path: String in paths:
		EditorInterface.get_resource_filesystem().update_file(path)
		if path in EditorInterface.get_open_scenes():
			EditorInterface.reload_scene_from_path(path)
	EditorInterface.get_resource_filesystem().scan()
