extends Node
## Server and clients that greet each other by RPC: one node, with one name, on both sides.

@export var is_server := false
@export var host := "127.0.0.1"
@export var port := 9080


func _ready() -> void:
	var peer := RustWebSocketMultiplayerPeer.new()
	var error := OK
	if is_server:
		error = peer.create_server(port)
	else:
		error = peer.create_client("ws://%s:%d" % [host, port])
	if error != OK:
		print("this cannot start: ", error_string(error))
		return
	multiplayer.multiplayer_peer = peer
	multiplayer.peer_connected.connect(_on_peer_connected)
	multiplayer.peer_disconnected.connect(func(id: int) -> void: print(id, " is gone"))
	multiplayer.connection_failed.connect(
		func() -> void: print("no connection: ", peer.get_error_message()))
	if is_server:
		print("server: listening on port ", port)


func _on_peer_connected(id: int) -> void:
	hello.rpc_id(id, "hello from %d" % multiplayer.get_unique_id())


@rpc("any_peer")
func hello(text: String) -> void:
	print(multiplayer.get_remote_sender_id(), " says: ", text)
