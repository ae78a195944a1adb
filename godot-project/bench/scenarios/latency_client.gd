extends "res://bench/scenario.gd"
## A client in a tight loop that sends a message, waits for its echo, and sends the next.


func run() -> void:
	var peer := WebSocketPeer.new()
	peer.connect_to_url("ws://127.0.0.1:%d" % start_echo_server({"seconds": seconds + 5.0}))
	if not wait_until_open(peer):
		return
	var packet := PackedByteArray()
	packet.resize(64)
	var took := PackedInt64Array()
	var end := end_of(seconds)
	while Time.get_ticks_usec() < end:
		var began := Time.get_ticks_usec()
		peer.put_packet(packet)
		peer.poll()
		while peer.get_available_packet_count() == 0:
			peer.poll()
		peer.get_packet()
		took.append(Time.get_ticks_usec() - began)
	metrics["p50_us"] = median(took)
	metrics["p99_us"] = quantile(took, 0.99)
	peer.close()
