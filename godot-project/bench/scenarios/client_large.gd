extends "res://bench/scenario.gd"
## A client in a tight loop with large messages under way: 60 KB, 8 at a time; 16 MiB, 2 at a time.


func run() -> void:
	metrics["megabytes_per_s"] = _measure(60_000, 8)
	metrics["megabytes_per_s_16mib"] = _measure(16 << 20, 2)


func _measure(size: int, window: int) -> float:
	var peer := WebSocketPeer.new()
	peer.inbound_buffer_size = maxi(size * (window + 1), 1 << 20)
	peer.outbound_buffer_size = maxi(size * (window + 1), 1 << 20)
	DirAccess.remove_absolute(_result_file)
	peer.connect_to_url("ws://127.0.0.1:%d" % start_echo_server({"seconds": seconds + 20.0}))
	if not wait_until_open(peer):
		return 0.0
	var packet := PackedByteArray()
	packet.resize(size)
	# The 8 MiB that may wait for the I/O thread do not hold two of these: the second goes when there
	# is room.
	var under_way := 0
	var received := 0
	var began := Time.get_ticks_usec()
	var end := end_of(seconds)
	while Time.get_ticks_usec() < end:
		while under_way < window and peer.put_packet(packet) == OK:
			under_way += 1
		peer.poll()
		while peer.get_available_packet_count() > 0:
			received += peer.get_packet().size()
			under_way -= 1
	var took := (Time.get_ticks_usec() - began) / 1e6
	peer.close(-1)
	return received / 1e6 / took
