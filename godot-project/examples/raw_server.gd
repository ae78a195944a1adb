extends Node
## A WebSocket server without the multiplayer API: sends every message back.

@export var port := 9080

var _listener := TCPServer.new()
var _peers: Array[RustWebSocketPeer] = []


func _ready() -> void:
	var error := _listener.listen(port)
	print("server: listening on port %d: %s" % [port, error_string(error)])
	set_process(error == OK)


func _process(_delta: float) -> void:
	while _listener.is_connection_available():
		var peer := RustWebSocketPeer.new()
		if peer.accept_stream(_listener.take_connection()) == OK:
			_peers.append(peer)
	# Backwards, since those who are gone are taken out.
	for index in range(_peers.size() - 1, -1, -1):
		_serve(_peers[index])
		if _peers[index].get_ready_state() == RustWebSocketPeer.STATE_CLOSED:
			print("server: one left, code ", _peers[index].get_close_code())
			_peers.remove_at(index)


func _serve(peer: RustWebSocketPeer) -> void:
	peer.poll()
	while peer.get_available_packet_count() > 0:
		var packet := peer.get_packet()
		if peer.was_string_packet():
			peer.send_text(packet.get_string_from_utf8())
		else:
			peer.send(packet)
