extends "res://bench/scenario.gd"
## 500 clients connect at once to a server that is polled 60 times a second.

const LIMIT := 12.0


func run() -> void:
	var server := WebSocketMultiplayerPeer.new()
	var port := free_port()
	server.create_server(port, "127.0.0.1")
	var wanted := clients if clients > 0 else 500
	start_load("clients",
		{"port": port, "clients": wanted, "id": 1, "seconds": 0, "connect-seconds": LIMIT})
	var end := end_of(LIMIT + 2.0)
	while not is_load_done() and Time.get_ticks_usec() < end:
		paced(0.1, server.poll)
	var result := load_result()
	metrics["clients_in"] = result.get("entered", 0.0)
	metrics["seconds"] = result.get("connect_seconds", LIMIT)
	server.close()
