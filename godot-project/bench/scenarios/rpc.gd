extends "res://bench/scenario.gd"
## A server whose SceneMultiplayer sends a packet to all of its 300 clients in each of 60 frames a
## second, as an RPC to everybody does: one packet for each peer. 64 bytes, then 2 KiB, and where
## the class can compress, the same compressed.

const LARGE := 2048


func run() -> void:
	var small := PackedByteArray()
	small.resize(64)
	_measure("rpc", small, false)
	_measure("rpc_2kib", _text(), false)
	if "compression" in WebSocketMultiplayerPeer.new():
		_measure("rpc_2kib_compressed", _text(), true)


func _measure(name: String, packet: PackedByteArray, compresses: bool) -> void:
	var server := WebSocketMultiplayerPeer.new()
	# The engine's own class has no such property.
	if compresses:
		server.set("compression", 1)
	var port := free_port()
	server.create_server(port, "127.0.0.1")
	var api := SceneMultiplayer.new()
	# Otherwise each client is told of each other.
	api.server_relay = false
	api.multiplayer_peer = server
	var count := clients if clients > 0 else 300
	start_load("clients", {
		"port": port, "clients": count, "id": 1, "at-once": 4, "seconds": seconds + 0.5,
		"connect-seconds": PATIENCE, "deflate": int(compresses),
	})
	if not wait_for_clients(server, count):
		return
	var frames := paced(seconds, func() -> void:
		server.poll()
		api.send_bytes(packet, 0, MultiplayerPeer.TRANSFER_MODE_RELIABLE))
	metrics[name + "_us"] = median(frames)
	metrics[name + "_p99_us"] = quantile(frames, 0.99)
	if compresses:
		var counted: Dictionary = server.call("get_statistics")
		metrics["compressions_per_rpc"] = float(counted.compressions) / frames.size()
	api.multiplayer_peer = null
	server.close()
	wait_for_load()


## Like what games send: it repeats itself, but not only.
func _text() -> PackedByteArray:
	var text := ""
	var random := RandomNumberGenerator.new()
	random.seed = 1
	while text.length() < LARGE:
		text += "{\"id\":%d,\"x\":%.3f,\"y\":%.3f}," % [random.randi() % 1000, random.randf(),
			random.randf()]
	return text.left(LARGE).to_ascii_buffer()
