extends SceneTree
## The native server that the packs of `ci/test-web.sh` play against: single peers that greet and
## echo, and a multiplayer server that echoes, too, but sends away who says "leave", and tells the
## others of who is gone.
##
##   godot --headless --path godot-project -s res://tests/web/server.gd

var _tcp := TCPServer.new()
var _peers: Array[RustWebSocketPeer] = []
var _greeted: Array[RustWebSocketPeer] = []
var _multiplayer := RustWebSocketMultiplayerPeer.new()


func _initialize() -> void:
	Engine.max_fps = 120
	_tcp.listen(0, "127.0.0.1")
	_multiplayer.create_server(0, "127.0.0.1")
	_multiplayer.peer_disconnected.connect(_tell_of_the_end)
	print("server: listening on %d and %d" % [_tcp.get_local_port(), _multiplayer.get_local_port()])


func _process(_delta: float) -> bool:
	while _tcp.is_connection_available():
		var peer := RustWebSocketPeer.new()
		peer.accept_stream(_tcp.take_connection())
		_peers.append(peer)
	for peer in _peers:
		_serve(peer)
	_multiplayer.poll()
	while _multiplayer.get_available_packet_count() > 0:
		var sender := _multiplayer.get_packet_peer()
		var packet := _multiplayer.get_packet()
		if packet.get_string_from_utf8() == "leave":
			_multiplayer.disconnect_peer(sender)
			continue
		_multiplayer.set_target_peer(sender)
		_multiplayer.put_packet(packet)
	return false


func _tell_of_the_end(id: int) -> void:
	_multiplayer.set_target_peer(MultiplayerPeer.TARGET_PEER_BROADCAST)
	_multiplayer.put_packet(("%d is gone" % id).to_utf8_buffer())


func _serve(peer: RustWebSocketPeer) -> void:
	peer.poll()
	if peer.get_ready_state() != RustWebSocketPeer.STATE_OPEN:
		return
	if peer not in _greeted:
		_greeted.append(peer)
		peer.send_text("Hello from a RustWebSocketPeer.")
	while peer.get_available_packet_count() > 0:
		var text := peer.get_packet().get_string_from_utf8()
		var words := text.split(" ")
		match words[0]:
			"Thank":
				peer.close(1000, "Good bye.")
			"restart":
				peer.close(4012, "restarting")
			"close":
				peer.close(words[1].to_int(), words[2])
			"die":
				peer.close(-1)
			"burst":
				for number in 3:
					peer.send_text("burst %d" % number)
			_:
				peer.send_text(text)
