extends "res://bench/scenario.gd"
## A client in a tight loop with 256 messages under way.

const WINDOW := 256


func run() -> void:
	var peer := WebSocketPeer.new()
	peer.connect_to_url("ws://127.0.0.1:%d" % start_echo_server({"seconds": seconds + 5.0}))
	if not wait_until_open(peer):
		return
	var packet := PackedByteArray()
	packet.resize(64)
	for i in WINDOW:
		peer.put_packet(packet)
	var received := 0
	var cpu := cpu_seconds()
	var end := end_of(seconds)
	while Time.get_ticks_usec() < end:
		for i in 50:
			peer.poll()
			while peer.get_available_packet_count() > 0:
				peer.get_packet()
				peer.put_packet(packet)
				received += 1
	metrics["messages_per_s"] = received / seconds
	metrics["process_us_per_message"] = (cpu_seconds() - cpu) * 1e6 / maxi(received, 1)
	peer.close()
