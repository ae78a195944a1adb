extends SceneTree
## Runs one script of `examples/`, or another by its path, as a user has it: as a node in a tree,
## until it stops processing or is ended from outside. If there is a scene of that name, that.
##
##   godot --headless --path godot-project -s res://tests/examples.gd -- NAME [PROPERTY=VALUE...]


func _initialize() -> void:
	var arguments := OS.get_cmdline_user_args()
	var node := _scene(arguments[0])
	for argument in arguments.slice(1):
		var parts := argument.split("=", true, 1)
		node.set(parts[0], type_convert(parts[1], typeof(node.get(parts[0]))))
	root.add_child(node)
	await process_frame # it is ready then, and processes if it has something to do
	while node.is_processing() or not node.has_method("_process"):
		await process_frame
	quit()


func _scene(name: String) -> Node:
	var scene := "res://examples/%s.tscn" % name
	if not name.is_absolute_path() and ResourceLoader.exists(scene):
		return load(scene).instantiate()
	var node := Node.new()
	node.name = "Example"
	node.set_script(load(name if name.is_absolute_path() else "res://examples/%s.gd" % name))
	return node
