extends "res://bench/scenario.gd"
## A server with 1 000 idle clients: the time of a poll, and the memory that a connection takes.


func run() -> void:
	var server := WebSocketMultiplayerPeer.new()
	var port := free_port()
	server.create_server(port, "127.0.0.1")
	var count := clients if clients > 0 else 1000
	var memory := memory_kib()
	start_load("clients", {
		"port": port, "clients": count, "id": 1, "at-once": 4, "seconds": seconds + 1.0,
		"connect-seconds": PATIENCE,
	})
	if not wait_for_clients(server, count):
		return
	paced(0.3, server.poll)
	metrics["kib_per_connection"] = (memory_kib() - memory) / count
	var polls := 200
	var took := PackedInt64Array()
	var end := end_of(seconds)
	while Time.get_ticks_usec() < end:
		var began := Time.get_ticks_usec()
		for i in polls:
			server.poll()
		took.append(Time.get_ticks_usec() - began)
	metrics["poll_us"] = median(took) / polls
	server.close()
