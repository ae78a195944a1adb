extends SceneTree
## Starts one process of the fleet: [code]server[/code] or [code]bots[/code], as the first argument
## says.


func _initialize() -> void:
	var is_server: bool = "server" in OS.get_cmdline_user_args()
	var main := Node.new()
	main.name = "Main"
	main.set_script(load("res://demo/fleet/%s.gd" % ("arena_server" if is_server else "bots")))
	root.add_child(main)
