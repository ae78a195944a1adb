extends "res://bench/scenario.gd"
## A server that sends one message to all of its 300 clients in each of 60 frames a second.

var server: WebSocketMultiplayerPeer
var packet := PackedByteArray()


func run() -> void:
	server = WebSocketMultiplayerPeer.new()
	packet.resize(64)
	var port := free_port()
	server.create_server(port, "127.0.0.1")
	var count := clients if clients > 0 else 300
	start_load("clients", {
		"port": port, "clients": count, "id": 1, "at-once": 4, "seconds": seconds + 0.5,
		"connect-seconds": PATIENCE,
	})
	if not wait_for_clients(server, count):
		return
	server.set_target_peer(0)
	var sent := 0
	var cpu := cpu_seconds()
	var frames := paced(seconds, _frame)
	sent = frames.size() * count
	metrics["frame_us"] = median(frames)
	metrics["frame_p99_us"] = quantile(frames, 0.99)
	metrics["process_ms_per_s"] = (cpu_seconds() - cpu) * 1000.0 / seconds
	var end := end_of(5.0)
	while not is_load_done() and Time.get_ticks_usec() < end:
		paced(0.1, server.poll)
	if load_result().get("others", 0.0) != sent:
		printerr("%d messages were sent, %d arrived" % [sent, load_result().get("others", 0.0)])
	server.close()


func _frame() -> void:
	server.poll()
	server.put_packet(packet)
