extends "res://bench/scenario.gd"
## Peers over the engine's own TCP streams (`accept_stream`), in a tight loop: 100 clients with 8
## messages under way each, then one with 256.


func run() -> void:
	metrics["messages_per_s"] = _measure(100, 8)
	metrics["messages_per_s_one"] = _measure(1, 256)


func _measure(count: int, window: int) -> float:
	var listener := TCPServer.new()
	listener.listen(0, "127.0.0.1")
	start_load("clients", {
		"port": listener.get_local_port(), "clients": count, "at-once": 4, "window": window,
		"seconds": seconds,
		"connect-seconds": PATIENCE,
	})
	var peers: Array[WebSocketPeer] = []
	var end := end_of(seconds + 10.0)
	while not is_load_done() and Time.get_ticks_usec() < end:
		while listener.is_connection_available():
			var peer := WebSocketPeer.new()
			peer.accept_stream(listener.take_connection())
			peers.append(peer)
		for i in 20:
			for peer in peers:
				peer.poll()
				while peer.get_available_packet_count() > 0:
					peer.put_packet(peer.get_packet())
	var result := load_result()
	return result.get("echoes", 0.0) / maxf(result.get("seconds", 1.0), 0.001)
