extends "res://bench/scenario.gd"
## A server whose SceneMultiplayer sends 64 bytes to all of its 300 clients in each of 60 frames a
## second, as an RPC to everybody does: one packet for each peer.

var server: WebSocketMultiplayerPeer
var api := SceneMultiplayer.new()
var packet := PackedByteArray()


func run() -> void:
	server = WebSocketMultiplayerPeer.new()
	packet.resize(64)
	var port := free_port()
	server.create_server(port, "127.0.0.1")
	# Otherwise each client is told of each other.
	api.server_relay = false
	api.multiplayer_peer = server
	var count := clients if clients > 0 else 300
	start_load("clients", {
		"port": port, "clients": count, "id": 1, "at-once": 4, "seconds": seconds + 0.5,
		"connect-seconds": PATIENCE,
	})
	if not wait_for_clients(server, count):
		return
	var frames := paced(seconds, _frame)
	metrics["rpc_us"] = median(frames)
	metrics["rpc_p99_us"] = quantile(frames, 0.99)
	api.multiplayer_peer = null
	server.close()


func _frame() -> void:
	server.poll()
	api.send_bytes(packet, 0, MultiplayerPeer.TRANSFER_MODE_RELIABLE)
