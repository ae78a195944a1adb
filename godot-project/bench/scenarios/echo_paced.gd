extends "res://bench/scenario.gd"
## A server with 300 clients that send 20 messages a second each; 60 polls a second, every message
## is echoed.

const RATE := 20

var server: WebSocketMultiplayerPeer
var echoed := 0


func run() -> void:
	server = WebSocketMultiplayerPeer.new()
	var port := free_port()
	server.create_server(port, "127.0.0.1")
	var count := clients if clients > 0 else 300
	start_load("clients", {
		"port": port, "clients": count, "id": 1, "at-once": 4, "rate": RATE, "seconds": seconds + 1.0,
		"connect-seconds": PATIENCE,
	})
	if not wait_for_clients(server, count):
		return
	paced(0.5, _frame)
	echoed = 0
	var cpu := cpu_seconds()
	var main := main_thread_seconds()
	var began := Time.get_ticks_usec()
	var frames := paced(seconds, _frame)
	var took := (Time.get_ticks_usec() - began) / 1e6
	metrics["frame_us"] = median(frames)
	metrics["frame_p99_us"] = quantile(frames, 0.99)
	metrics["process_ms_per_s"] = (cpu_seconds() - cpu) * 1000.0 / took
	metrics["main_thread_ms_per_s"] = (main_thread_seconds() - main) * 1000.0 / took
	metrics["messages_per_s"] = echoed / took
	server.close()


func _frame() -> void:
	server.poll()
	while server.get_available_packet_count() > 0:
		server.set_target_peer(server.get_packet_peer())
		server.put_packet(server.get_packet())
		echoed += 1
