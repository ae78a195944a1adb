@tool
extends EditorPlugin
## For `ci/test-web.sh`: an export stands still in its middle, and the editor can be killed there.


class Sleeper:
	extends EditorExportPlugin

	func _get_name() -> String:
		return "Sleeper"

	func _export_file(_path: String, _type: String, _features: PackedStringArray) -> void:
		print("SLEEPING")
		OS.delay_msec(60000)


var _sleeper := Sleeper.new()


func _enter_tree() -> void:
	add_export_plugin(_sleeper)


func _exit_tree() -> void:
	remove_export_plugin(_sleeper)
