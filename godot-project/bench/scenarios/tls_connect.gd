extends "res://bench/scenario.gd"
## 60 TLS clients connect at once to a server with an RSA-2048 key, which is polled 60 times a
## second: how long the longest poll holds up the frame, and when all are in.

const LIMIT := 12.0


func run() -> void:
	var server := WebSocketMultiplayerPeer.new()
	var port := free_port()
	server.create_server(port, "127.0.0.1", tls_options())
	# The first poll of all is another one's business.
	paced(0.1, server.poll)
	var wanted := clients if clients > 0 else 60
	var entered := [0]
	server.peer_connected.connect(func(_id: int) -> void: entered[0] += 1)
	start_load("clients", {"port": port, "clients": wanted, "id": 1, "tls": 1, "seconds": 0.5,
		"connect-seconds": LIMIT})
	var longest := 0
	var end := end_of(LIMIT + 2.0)
	while entered[0] < wanted and Time.get_ticks_usec() < end:
		for took in paced(0.05, server.poll):
			longest = maxi(longest, took)
	metrics["longest_poll_us"] = longest
	# Without a poll: the engine's TLS has a word for each client that goes.
	while not is_load_done() and Time.get_ticks_usec() < end:
		OS.delay_usec(1000)
	var result := load_result()
	metrics["clients_in"] = result.get("entered", 0.0)
	metrics["seconds"] = result.get("connect_seconds", LIMIT)
	server.close()
