extends "res://bench/scenario.gd"
## A server in a tight loop that echoes what 100 clients send, each with 8 messages under way.

var window := 8


func run() -> void:
	var server := WebSocketMultiplayerPeer.new()
	var port := free_port()
	server.create_server(port, "127.0.0.1")
	var count := clients if clients > 0 else 100
	start_load("clients", {
		"port": port, "clients": count, "id": 1, "at-once": 4, "window": window, "seconds": seconds,
		"connect-seconds": PATIENCE,
	})
	if not wait_for_clients(server, count):
		return
	var cpu := cpu_seconds()
	echo(server)
	var result := load_result()
	metrics["messages_per_s"] = result.get("echoes", 0.0) / maxf(result.get("seconds", 1.0), 0.001)
	metrics["p50_us"] = result.get("p50_us", 0.0)
	metrics["p99_us"] = result.get("p99_us", 0.0)
	metrics["process_us_per_message"] = (cpu_seconds() - cpu) * 1e6 / maxf(result.get("echoes", 1.0),
		1.0)
	metrics["load_busy"] = result.get("load_cpu_seconds", 0.0) / maxf(result.get("seconds", 1.0),
		0.001)
	server.close()
