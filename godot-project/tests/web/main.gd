extends Node
## Where a pack of `ci/test-web.sh` begins. The environment names the subject, a script of
## `subjects/`; a page has none and gets "WEB_NAME=value" as user arguments. Without a subject it is
## the demo, whose user arguments are its own.


func _ready() -> void:
	for argument in OS.get_cmdline_user_args():
		if argument.begins_with("WEB_"):
			OS.set_environment(argument.get_slice("=", 0), argument.split("=", true, 1)[1])
	var subject := OS.get_environment("WEB_SUBJECT")
	if subject in ["", "demo"]:
		get_tree().change_scene_to_file.call_deferred("res://demo/client/client.tscn")
		return
	add_child(load("res://tests/web/subjects/%s.gd" % subject).new())
