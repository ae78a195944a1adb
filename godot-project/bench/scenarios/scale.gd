extends "res://bench/scenario.gd"
## A server with very many clients, 60 polls a second: idle, with one message a second from each
## (echoed), and sending to all of them twice a second.

var server: WebSocketMultiplayerPeer
var packet := PackedByteArray()
var echoed := 0


func run() -> void:
	packet.resize(64)
	server = WebSocketMultiplayerPeer.new()
	var port := free_port()
	server.create_server(port, "127.0.0.1")
	var count := clients if clients > 0 else 1000
	var memory := memory_kib()
	# Silent first: it sends when the other parts are done.
	start_load("clients", {
		"port": port, "clients": count, "id": 1, "rate": 1, "seconds": seconds + 1.0,
		"connect-seconds": PATIENCE,
	})
	var began := Time.get_ticks_usec()
	if not wait_for_clients(server, count):
		return
	metrics["connect_seconds"] = (Time.get_ticks_usec() - began) / 1e6
	metrics["kib_per_connection"] = (memory_kib() - memory) / count
	paced(0.5, _frame)
	echoed = 0
	began = Time.get_ticks_usec()
	var frames := paced(seconds - 0.5, _frame)
	var took := (Time.get_ticks_usec() - began) / 1e6
	metrics["echo_frame_us"] = _sum(frames) / frames.size()
	metrics["echo_us_per_message"] = _sum(frames) / maxi(echoed, 1)
	metrics["echo_share"] = echoed / took / count
	var end := end_of(10.0)
	while not is_load_done() and Time.get_ticks_usec() < end:
		paced(0.05, _frame)
	metrics["echo_p99_us"] = load_result().get("p99_us", 0.0)
	server.close()
	server = WebSocketMultiplayerPeer.new()
	DirAccess.remove_absolute(_result_file)
	server.create_server(port, "127.0.0.1")
	start_load("clients", {
		"port": port, "clients": count, "id": 1, "seconds": seconds + 2.0, "connect-seconds": PATIENCE,
	})
	if not wait_for_clients(server, count):
		return
	paced(0.3, server.poll)
	metrics["idle_frame_us"] = median(paced(1.0, server.poll))
	server.set_target_peer(0)
	var broadcasts := PackedInt64Array()
	for i in int(seconds * 2.0):
		began = Time.get_ticks_usec()
		server.put_packet(packet)
		broadcasts.append(Time.get_ticks_usec() - began)
		paced(0.5, server.poll)
	metrics["broadcast_us"] = median(broadcasts)
	server.close()


func _frame() -> void:
	server.poll()
	while server.get_available_packet_count() > 0:
		server.set_target_peer(server.get_packet_peer())
		server.put_packet(server.get_packet())
		echoed += 1


func _sum(values: PackedInt64Array) -> float:
	var sum := 0.0
	for value in values:
		sum += value
	return sum
