extends SceneTree
## The server that `ci/test-restarts.sh` kills again and again: tells everybody which one it is, and
## echoes.
##
##   godot --headless --path godot-project -s res://tests/restarts/server.gd -- port=N life=N

var _server := RustWebSocketServer.new()
var _peers: Array[RustWebSocketPeer] = []
var _life := ""


func _initialize() -> void:
	var port := 0
	for argument in OS.get_cmdline_user_args():
		if argument.begins_with("port="):
			port = argument.get_slice("=", 1).to_int()
		elif argument.begins_with("life="):
			_life = argument.get_slice("=", 1)
	Engine.max_fps = 120
	if _server.listen(port, "127.0.0.1") != OK:
		printerr(_server.get_error_message())
		quit(1)


func _process(_delta: float) -> bool:
	_server.poll()
	while _server.is_connection_available():
		var peer := _server.take_connection()
		peer.send_text("life " + _life)
		_peers.append(peer)
	for peer in _peers:
		peer.poll()
		while peer.get_available_packet_count() > 0:
			peer.send_text(peer.get_packet().get_string_from_utf8())
	return false
