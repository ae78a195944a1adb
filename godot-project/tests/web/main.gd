extends Node
## Where a pack of `ci/test-web.sh` begins. The environment names the subject: the demo, or a script
## of `subjects/`; user arguments go to the demo as they are.


func _ready() -> void:
	var subject := OS.get_environment("WEB_SUBJECT")
	if subject == "demo":
		get_tree().change_scene_to_file.call_deferred("res://demo/client/client.tscn")
		return
	add_child(load("res://tests/web/subjects/%s.gd" % subject).new())
