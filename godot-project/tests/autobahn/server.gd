extends SceneTree
## An echo server for the Autobahn test suite: each connection of a TCPServer goes to a peer by
## `accept_stream`.
##
##   godot --headless --path godot-project -s res://tests/autobahn/server.gd --
##   class=RustWebSocketPeer compression=1
##
## Prints `LISTENING port` once it listens; runs until it is ended from outside.

const Options := preload("res://tests/autobahn/options.gd")

var _options := Options.new()
var _tcp := TCPServer.new()
var _peers: Array[PacketPeer] = []


func _initialize() -> void:
	if _tcp.listen(_options.port, "127.0.0.1") != OK:
		printerr("cannot listen on port %d" % _options.port)
		quit(1)
		return
	print("LISTENING %d" % _tcp.get_local_port())


## Stays here for long: between two frames the engine sleeps for milliseconds when it has no window.
func _process(_delta: float) -> bool:
	var end := Time.get_ticks_msec() + 1000
	while Time.get_ticks_msec() < end:
		if not _serve():
			OS.delay_usec(50)
	return false


func _serve() -> bool:
	var is_busy := false
	while _tcp.is_connection_available():
		var peer := _options.new_peer()
		peer.accept_stream(_tcp.take_connection())
		_peers.append(peer)
		is_busy = true
	for peer in _peers:
		is_busy = _options.echo(peer) or is_busy
	_peers = _peers.filter(func(peer: PacketPeer) -> bool: return peer.get_ready_state() != 3)
	return is_busy
