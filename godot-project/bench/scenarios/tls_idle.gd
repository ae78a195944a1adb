extends "res://bench/scenario.gd"
## A server with 300 idle TLS clients: the memory that a connection takes.


func run() -> void:
	var server := WebSocketMultiplayerPeer.new()
	var port := free_port()
	server.create_server(port, "127.0.0.1", tls_options())
	var count := clients if clients > 0 else 300
	var memory := memory_kib()
	start_load("clients", {
		"port": port, "clients": count, "id": 1, "tls": 1, "at-once": 4, "seconds": seconds + 1.0,
		"connect-seconds": PATIENCE,
	})
	if not wait_for_clients(server, count):
		return
	paced(0.3, server.poll)
	metrics["kib_per_connection"] = (memory_kib() - memory) / count
	server.close()
