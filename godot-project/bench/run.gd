extends SceneTree
## Runs one scenario of the benchmark and prints what it measured, one `BENCH name value` per line.
##
##   starter godot --headless --path godot-project -s res://bench/run.gd -- scenario=flood impl=rust
##   seconds=3 dir=FOLDER
##
## `starter`, a program of the benchmark, starts the load generator when a scenario asks for it.
##
## The scenarios are written for the engine's own classes; for `impl=rust` the class names in their
## source are replaced, and nothing else: that is what users of the addon do. `ci/bench.sh` runs
## this.

const SCENARIOS := "res://bench/scenarios/"


func _process(_delta: float) -> bool:
	var options := {"scenario": "", "impl": "builtin", "seconds": "3", "starter": "", "dir": "",
		"clients": "0"}
	for argument in OS.get_cmdline_user_args():
		var parts := argument.split("=", true, 1)
		if parts.size() == 2 and options.has(parts[0]):
			options[parts[0]] = parts[1]
		else:
			printerr("unknown argument '%s' (known: %s)" % [argument, ", ".join(options.keys())])
	var scenario := _load(options)
	if scenario == null:
		printerr("the scenario '%s' does not load" % options.scenario)
	else:
		scenario.setup(options)
		scenario.run()
		scenario.finish()
		for metric: String in scenario.metrics:
			print("BENCH %s %s" % [metric, scenario.metrics[metric]])
		print("BENCH DONE")
	quit()
	return true


func _load(options: Dictionary) -> RefCounted:
	var path: String = SCENARIOS + options.scenario + ".gd"
	if not FileAccess.file_exists(path):
		return null
	var source := FileAccess.get_file_as_string(path)
	if options.impl == "rust":
		source = RegEx.create_from_string("\\bWebSocket(Multiplayer)?Peer\\b").sub(source,
			"RustWebSocket$1Peer", true)
	var script := GDScript.new()
	script.source_code = source
	if script.reload() != OK:
		return null
	return script.new()
