extends "res://bench/scenario.gd"
## Taking 2 000 packets one by one, and with one call (ours only).

const PACKETS := 2000

var peer: WebSocketPeer


func run() -> void:
	peer = WebSocketPeer.new()
	peer.outbound_buffer_size = 1 << 22
	peer.inbound_buffer_size = 1 << 22
	peer.connect_to_url("ws://127.0.0.1:%d" % start_echo_server({"seconds": seconds * 2.0 + 5.0}))
	if not wait_until_open(peer):
		return
	metrics["one_by_one_us"] = _measure(_one_by_one)
	if peer.has_method("get_packets"):
		metrics["together_us"] = _measure(_together)
	peer.close()


## Microseconds per packet, by the quickest quarter.
func _measure(take: Callable) -> float:
	var packet := PackedByteArray()
	packet.resize(64)
	var took := PackedInt64Array()
	var end := end_of(seconds)
	while Time.get_ticks_usec() < end:
		for i in PACKETS:
			peer.put_packet(packet)
		var patience := end_of(5.0)
		while peer.get_available_packet_count() < PACKETS and Time.get_ticks_usec() < patience:
			OS.delay_usec(200)
			peer.poll()
		var began := Time.get_ticks_usec()
		take.call()
		took.append(Time.get_ticks_usec() - began)
	return quantile(took, 0.25) / PACKETS


func _one_by_one() -> void:
	var bytes := 0
	while peer.get_available_packet_count() > 0:
		bytes += peer.get_packet().size()


func _together() -> void:
	var bytes := 0
	for packet: PackedByteArray in peer.call("get_packets"):
		bytes += packet.size()
