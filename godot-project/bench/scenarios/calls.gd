extends "res://bench/scenario.gd"
## What one call from GDScript costs, on an open client.

const ROUNDS := 2000

var peer: WebSocketPeer
var packet := PackedByteArray()


func run() -> void:
	peer = WebSocketPeer.new()
	peer.outbound_buffer_size = 1 << 22
	peer.inbound_buffer_size = 1 << 22
	peer.connect_to_url("ws://127.0.0.1:%d" % start_echo_server({"seconds": seconds * 6.0 + 5.0}))
	if not wait_until_open(peer):
		return
	packet.resize(64)
	var empty := _time(_loop)
	metrics["poll_us"] = _time(_poll) - empty
	metrics["available_us"] = _time(_available) - empty
	metrics["state_us"] = _time(_state) - empty
	_time_packets(empty)
	peer.close()


## Microseconds of a call, by the quickest half of the rounds.
func _time(loop: Callable) -> float:
	var took := PackedInt64Array()
	var end := end_of(seconds / 4.0)
	while Time.get_ticks_usec() < end:
		var began := Time.get_ticks_usec()
		loop.call()
		took.append(Time.get_ticks_usec() - began)
	return quantile(took, 0.25) / ROUNDS


func _time_packets(empty: float) -> void:
	var put := PackedInt64Array()
	var got := PackedInt64Array()
	var end := end_of(seconds)
	while Time.get_ticks_usec() < end:
		var began := Time.get_ticks_usec()
		_put()
		put.append(Time.get_ticks_usec() - began)
		var patience := end_of(5.0)
		while peer.get_available_packet_count() < ROUNDS and Time.get_ticks_usec() < patience:
			OS.delay_usec(200)
			peer.poll()
		began = Time.get_ticks_usec()
		_get_all()
		got.append(Time.get_ticks_usec() - began)
	metrics["put_packet_us"] = quantile(put, 0.25) / ROUNDS - empty
	metrics["get_packet_us"] = quantile(got, 0.25) / ROUNDS - empty


func _loop() -> void:
	for i in ROUNDS:
		pass


func _poll() -> void:
	for i in ROUNDS:
		peer.poll()


func _available() -> void:
	for i in ROUNDS:
		peer.get_available_packet_count()


func _state() -> void:
	for i in ROUNDS:
		peer.get_ready_state()


func _put() -> void:
	for i in ROUNDS:
		peer.put_packet(packet)


func _get_all() -> void:
	for i in ROUNDS:
		peer.get_packet()
