extends SceneTree
## Runs one script of `examples/`, or another by its path, as a user has it: as a node in a tree,
## until it stops processing or is ended from outside.
##
##   godot --headless --path godot-project -s res://tests/examples.gd -- NAME [PROPERTY=VALUE...]


func _initialize() -> void:
	var arguments := OS.get_cmdline_user_args()
	var node := Node.new()
	node.name = "Example"
	var is_path := arguments[0].is_absolute_path()
	node.set_script(load(arguments[0] if is_path else "res://examples/%s.gd" % arguments[0]))
	for argument in arguments.slice(1):
		var parts := argument.split("=", true, 1)
		node.set(parts[0], type_convert(parts[1], typeof(node.get(parts[0]))))
	root.add_child(node)
	await process_frame # it is ready then, and processes if it has something to do
	while node.is_processing() or not node.has_method("_process"):
		await process_frame
	quit()
