extends Node
## Two rooms on one port, each with its own MultiplayerAPI, and pages for health checks and
## monitoring beside them. With `room` set to "Red" or "Blue" it is a client in that room.

@export var room := ""
@export var port := 9080

var server := RustWebSocketServer.new()


func _ready() -> void:
	if room.is_empty():
		server.request_callback = _answer
		print("server: listening on port %d: %s" % [port, error_string(server.listen(port))])
	for child: Node in get_children() if room.is_empty() else [get_node(room)]:
		var peer := RustWebSocketMultiplayerPeer.new()
		if room.is_empty():
			peer.create_server_from(server, "/" + child.name)
		else:
			peer.create_client("ws://127.0.0.1:%d/%s" % [port, room])
		get_tree().set_multiplayer(MultiplayerAPI.create_default_interface(), child.get_path())
		child.multiplayer.multiplayer_peer = peer


func _process(_delta: float) -> void:
	if server.is_listening():
		server.poll()


func _answer(request: RustWebSocketRequest) -> void:
	if request.is_websocket() and request.get_path() in ["/Red", "/Blue"]:
		request.accept()
	elif request.get_path() == "/health":
		request.respond(200, "ok")
	else:
		request.respond(404)
