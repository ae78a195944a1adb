extends "res://bench/scenario.gd"
## A server in a tight loop with one message per client under way: 100 clients, and one; with all
## processors, and with one for the server.


func run() -> void:
	var all := "0-%d" % (OS.get_processor_count() - 1)
	var many := clients if clients > 0 else 100
	_measure(many, "", all)
	_measure(1, "_one_client", all)
	_measure(many, "_one_core", "0")
	_measure(1, "_one_client_one_core", "0")


func _measure(count: int, suffix: String, processors: String) -> void:
	var server := WebSocketMultiplayerPeer.new()
	var port := free_port()
	server.create_server(port, "127.0.0.1")
	start_load("clients", {
		"port": port, "clients": count, "id": 1, "at-once": 4, "window": 1, "seconds": seconds,
		"connect-seconds": PATIENCE,
	})
	# The load generator keeps all of them.
	if not use_processors(processors):
		return
	if not wait_for_clients(server, count):
		return
	var cpu := cpu_seconds()
	echo(server)
	var result := load_result()
	metrics["messages_per_s" + suffix] = result.get("echoes", 0.0) / maxf(result.get("seconds", 1.0),
		0.001)
	metrics["p99_us" + suffix] = result.get("p99_us", 0.0)
	metrics["process_us_per_message" + suffix] = (cpu_seconds()
		- cpu) * 1e6 / maxf(result.get("echoes", 1.0), 1.0)
	server.close()
	use_processors("0-%d" % (OS.get_processor_count() - 1))
