extends RefCounted
## Where a test or a benchmark puts socket files. Their paths may have some hundred bytes, which not
## every folder of a project leaves.

static var _count := 0


## A path on which there is nothing.
static func path() -> String:
	_count += 1
	var folder := OS.get_environment("TMPDIR") if OS.has_environment("TMPDIR") else "/tmp"
	return folder.path_join("rust_websocket_%d_%d" % [OS.get_process_id(), _count])
