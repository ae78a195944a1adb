extends SceneTree
## An echo client for the Autobahn test suite: runs all cases that the suite's server has, with
## `connect_to_url`.
##
##   godot --headless --path godot-project -s res://tests/autobahn/client.gd -- \
##     class=RustWebSocketPeer compression=1 url=ws://127.0.0.1:9001 agent=client
##
## The last line is `CLIENT DONE count`.

const Options := preload("res://tests/autobahn/options.gd")
const CLOSED := 3

var _options := Options.new()


func _initialize() -> void:
	var count := 0
	var counter := _connect("/getCaseCount")
	while counter.get_ready_state() != CLOSED:
		counter.poll()
		if counter.get_available_packet_count() > 0:
			count = int(counter.get_packet().get_string_from_utf8())
		OS.delay_usec(100)
	for number in range(1, count + 1):
		_run("/runCase?case=%d&agent=%s" % [number, _options.agent])
	_run("/updateReports?agent=%s" % _options.agent)
	print("CLIENT DONE %d" % count)
	quit(0 if count > 0 else 1)


func _connect(path: String) -> PacketPeer:
	var peer := _options.new_peer()
	if peer.connect_to_url(_options.url + path) != OK:
		printerr("cannot connect to " + _options.url + path)
	return peer


func _run(path: String) -> void:
	var peer := _connect(path)
	while peer.get_ready_state() != CLOSED:
		if not _options.echo(peer):
			OS.delay_usec(50)
