extends RefCounted
## What a person does in the editor, for checks and for pictures: finds parts of its window, waits
## for them. Made by an EditorPlugin of a project of its own.

const PATIENCE_MSEC := 20000

var tree: SceneTree
var failures := 0


func check(condition: bool, what: String) -> bool:
	failures += 0 if condition else 1
	print("%s %s" % ["ok" if condition else "FAIL", what])
	return condition


func frames(count: int) -> void:
	for i in count:
		await tree.process_frame


## Waits until `condition` holds, and counts it as a check.
func until(condition: Callable, what: String) -> bool:
	var end := Time.get_ticks_msec() + PATIENCE_MSEC
	while not condition.call() and Time.get_ticks_msec() < end:
		await tree.process_frame
	return check(condition.call(), what)


## Until the editor has looked at all files of the project, and has imported them.
func editor_is_ready() -> void:
	var files := EditorInterface.get_resource_filesystem()
	await frames(20)
	await until(func() -> bool: return not files.is_scanning(), "the editor is ready")
	await frames(20)


## All nodes of a class that are shown, from `root` on.
func shown(type: String, root: Node = null) -> Array[Node]:
	if root == null:
		root = EditorInterface.get_base_control()
	return root.find_children("*", type, true, false).filter(
		func(node: Node) -> bool:
			if node is Window:
				return node.visible
			return node is CanvasItem and node.is_visible_in_tree()
	)


## The first that is shown and whose `property` is `value`; null without one.
func find(type: String, property: StringName, value: Variant, root: Node = null) -> Node:
	for node in shown(type, root):
		if node.get(property) == value:
			return node
	return null


func press(text: String, root: Node = null) -> void:
	var button: Button = find("Button", &"text", text, root)
	if check(button != null, "there is a button '%s'" % text):
		button.pressed.emit()
		await frames(3)


## Chooses an entry of a menu, whichever has it.
func choose(text: String) -> void:
	for menu: PopupMenu in EditorInterface.get_base_control().find_children(
		"*", "PopupMenu", true, false
	):
		for index in menu.item_count:
			if menu.get_item_text(index) == text:
				menu.id_pressed.emit(menu.get_item_id(index))
				menu.index_pressed.emit(index)
				await frames(5)
				check(true, "a menu has '%s'" % text)
				return
	check(false, "a menu has '%s'" % text)


## Types into a field, as far as its owner can tell.
func type_into(field: LineEdit, text: String) -> void:
	field.text = text
	field.text_changed.emit(text)
	await frames(3)


## The entry of a tree with that text; null without one.
func item_of(items: Tree, text: String) -> TreeItem:
	var item := items.get_root()
	while item != null:
		if item.get_text(0) == text:
			return item
		item = item.get_next_in_tree()
	return null


## Makes a scene with a node RustWebSocketClient as a person does, by "Create New Node".
func create_client_node() -> void:
	await press("Other Node")
	var dialog: Window = find("CreateDialog", &"title", "Create New Node")
	if not check(dialog != null, "the dialog Create New Node opens"):
		return
	await type_into(shown("LineEdit", dialog)[0], "RustWebSocketClient")
	var item: TreeItem = null
	for items: Tree in shown("Tree", dialog):
		item = item_of(items, "RustWebSocketClient") if item == null else item
	if check(item != null, "Create New Node offers RustWebSocketClient"):
		check(is_own_icon(item.get_icon(0)), "it has its icon in Create New Node")
		check(
			item.get_tooltip_text(0).contains("WebSocket client"),
			"it says what it is in Create New Node: '%s'" % item.get_tooltip_text(0)
		)
	dialog.get_ok_button().pressed.emit()
	await until(
		func() -> bool: return EditorInterface.get_edited_scene_root() != null,
		"the node is in the scene"
	)
	await frames(10)


## Whether it is one of the addon's.
func is_own_icon(icon: Texture2D) -> bool:
	return (
		icon != null
		and icon.resource_path.begins_with("res://addons/rust_websocket/icons/")
	)


## How bright the visible parts of an icon are, from 0 to 1.
func brightness(icon: Texture2D) -> float:
	var image := icon.get_image()
	var sum := 0.0
	var weight := 0.0
	for y in image.get_height():
		for x in image.get_width():
			var pixel := image.get_pixel(x, y)
			sum += pixel.get_luminance() * pixel.a
			weight += pixel.a
	return sum / maxf(weight, 0.001)


## Opens a script and gives the field in which it is edited.
func open_script(path: String) -> CodeEdit:
	EditorInterface.set_main_screen_editor("Script")
	EditorInterface.edit_script(load(path))
	await frames(10)
	return EditorInterface.get_script_editor().get_current_editor().get_base_editor()


## What completion offers behind the text.
func completions(code: CodeEdit, text: String) -> PackedStringArray:
	code.text = text
	code.set_caret_line(code.get_line_count() - 1)
	code.set_caret_column(code.get_line(code.get_line_count() - 1).length())
	code.request_code_completion(true)
	await frames(30)
	var offered := PackedStringArray()
	for option in code.get_code_completion_options():
		offered.append(option.display_text)
	code.cancel_code_completion()
	return offered


## A picture of the window, or of a part of it.
func save_picture(path: String, part := Rect2i()) -> void:
	await frames(10)
	# An editor in which nothing changes draws nothing.
	EditorInterface.get_base_control().queue_redraw()
	await RenderingServer.frame_post_draw
	var picture := tree.root.get_texture().get_image()
	if part.has_area():
		picture = picture.get_region(part.intersection(Rect2i(Vector2i.ZERO, picture.get_size())))
	picture.convert(Image.FORMAT_RGB8)
	check(picture.save_png(path) == OK, "picture %s" % path.get_file())
