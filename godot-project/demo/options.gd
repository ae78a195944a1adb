class_name DemoOptions
extends RefCounted
## The `--name=value` arguments that stand behind `--` on the command line.
##
## [codeblock]
## godot --headless --path godot-project res://demo/server/server.tscn -- --impl=builtin --port=9000
## [/codeblock]

var _values: Dictionary = {}


func _init(arguments: PackedStringArray = OS.get_cmdline_user_args()) -> void:
	for argument: String in arguments:
		var parts: PackedStringArray = argument.trim_prefix("--").split("=", true, 1)
		_values[parts[0]] = parts[1] if parts.size() == 2 else ""


func has(option: String) -> bool:
	return _values.has(option)


func text(option: String, default: String) -> String:
	return _values.get(option, default)


func number(option: String, default: float) -> float:
	return float(_values[option]) if _values.has(option) else default


## One sentence about the first option that is not in [param known], or nothing.
func complaint(known: PackedStringArray) -> String:
	for option: String in _values:
		if not known.has(option):
			return "Unknown option --%s (known: --%s)." % [option, ", --".join(known)]
	return ""
