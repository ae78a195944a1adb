extends Node
## A game whose traffic goes up and down, for the picture of the monitors.

const CLIENTS := 12

var _server := RustWebSocketServer.new()
var _accepted: Array[RustWebSocketPeer] = []
var _clients: Array[RustWebSocketPeer] = []
var _age := 0.0
var _due := 0.0


func _ready() -> void:
	Engine.max_fps = 60
	_server.listen(0, "127.0.0.1")


func _process(delta: float) -> void:
	_age += delta
	if _clients.size() < mini(CLIENTS, int(_age / 1.5) + 1):
		var client := RustWebSocketPeer.new()
		client.heartbeat_interval = 0.5
		client.connect_to_url("ws://127.0.0.1:%d" % _server.get_local_port())
		_clients.append(client)
	_server.poll()
	while _server.is_connection_available():
		_accepted.append(_server.take_connection())
	_due += delta * (30.0 + 25.0 * sin(_age * 0.7) + randf_range(-4.0, 4.0))
	for client in _clients:
		client.poll()
		_take_all(client)
		if client.get_ready_state() == RustWebSocketPeer.STATE_OPEN:
			for i in int(_due):
				client.send_text("position of somebody, such as 12.5 17.25")
	_due -= int(_due)
	for peer in _accepted:
		peer.poll()
		for i in _take_all(peer):
			peer.send_text("positions of everybody ".repeat(6))


func _take_all(peer: RustWebSocketPeer) -> int:
	return peer.get_packets().size()
