extends "res://bench/scenario.gd"
## A server in a tight loop, one client, one message at a time.

func run() -> void:
	var server := WebSocketMultiplayerPeer.new()
	var port := free_port()
	server.create_server(port, "127.0.0.1")
	var count := 1
	start_load("clients", {
		"port": port, "clients": count, "id": 1, "at-once": 4, "window": 1, "seconds": seconds,
		"connect-seconds": PATIENCE,
	})
	if not wait_for_clients(server, count):
		return
	echo(server)
	var result := load_result()
	metrics["p50_us"] = result.get("p50_us", 0.0)
	metrics["p99_us"] = result.get("p99_us", 0.0)
	server.close()
