extends "res://tests/harness/case.gd"
## `heartbeat_interval`: a ping while nothing happens, an end when nobody answers.

## More than the system's buffers on both sides take.
const SIZE := 16 << 20
const INTERVAL := 0.3


func test_pings_while_the_connection_is_idle() -> void:
	for role: String in ["client", "server"]:
		var pair := _pair(role, func(peer: Object) -> void: peer.heartbeat_interval = 0.05)
		var pings := [0]
		until(func() -> bool:
			for frame: String in pair.raw.take_frames():
				if frame.begins_with("ping"):
					pings[0] += 1
					equal(frame, "ping:", role + "_ping")
					pair.raw.send_frame(RawPeer.PONG, frame.trim_prefix("ping:").to_utf8_buffer())
			return pings[0] >= 3)
		same(role + "_three_pings", pings[0] >= 3, true)
		same(role + "_state", state_name(pair.peer), "OPEN")


func test_no_answer_ends_the_connection() -> void:
	for role: String in ["client", "server"]:
		var pair := _pair(role, func(peer: Object) -> void: peer.heartbeat_interval = 0.05)
		same(role + "_closed", until_closed(pair.peer), true)
		same(role, ending(pair.peer), "CLOSED -1 \"\"")
		same(role + "_other_side", until(func() -> bool: return pair.raw.ended), true)


func test_no_pings_without_an_interval() -> void:
	var pair := client_with_raw_server()
	settle(0.15)
	same("frames", pair.raw.take_frames(), PackedStringArray())


func test_two_peers_with_a_heartbeat_stay_connected() -> void:
	var pair := connect_pair(func(client: Object, server: Object) -> void:
		client.heartbeat_interval = 0.03
		server.heartbeat_interval = 0.03)
	settle(0.3)
	same("states", "%s %s" % [state_name(pair.client), state_name(pair.server)], "OPEN OPEN")


## An interval set on an open connection works at once.
func test_interval_can_be_set_while_open() -> void:
	var pair := client_with_raw_server()
	pair.peer.heartbeat_interval = 0.05
	same("ping", until(func() -> bool: return not pair.raw.take_frames().is_empty()), true)


## A script that takes nothing holds messages back, not the connection: pings and closes behind them
## are answered, and what it sees keeps its limits.
func test_pings_and_closes_behind_unread_packets() -> void:
	if not impl_is_ours() or other != "rust":
		checks += 1
		return
	for role: String in ["client", "server"]:
		var pair := _pair(role, func(peer: Object) -> void: peer.max_queued_packets = 4)
		for i in 50:
			pair.raw.send_message(str(i))
		pair.raw.send_frame(RawPeer.PING, "there?".to_utf8_buffer())
		check(until(func() -> bool: return "pong:there?" in pair.raw.take_frames()), role + ": pong")
		equal(pair.peer.get_available_packet_count(), 4, role + ": the script's limit")
		pair.raw.send_frame(RawPeer.CLOSE, PackedByteArray([3, 232]))
		var answered := func() -> bool: return " ".join(pair.raw.take_frames()).contains("close")
		check(until(answered), role + ": close")
		equal(state_name(pair.peer), "OPEN", role + ": the end is behind the packets")
		var read := 0
		while read < 50 and until(func() -> bool: return pair.peer.get_available_packet_count() > 0):
			equal(pair.peer.get_packet().get_string_from_utf8(), str(read), role)
			read += 1
		equal(read, 50, role + ": nothing is lost")
		check(until_closed(pair.peer), role + ": closed")
		equal(ending(pair.peer), 'CLOSED 1000 ""', role)


## A ping waits behind a message that has begun: as long as bytes of it move, the link lives.
func test_a_large_message_on_its_way_out_outlives_the_heartbeat() -> void:
	if not impl_is_ours() or other != "rust":
		checks += 1
		return
	start(60.0)
	for role: String in ["client", "server"]:
		var pair := _pair(role, func(peer: Object) -> void:
			peer.outbound_buffer_size = SIZE * 2
			peer.heartbeat_interval = INTERVAL)
		pair.raw.bytes_per_second = SIZE / 2
		equal(pair.peer.put_packet(bytes(SIZE)), OK, role + ": put_packet")
		var arrived := until(func() -> bool: return pair.raw.received.size() >= SIZE, 20.0)
		check(arrived, role + ": all of it arrives")
		equal(state_name(pair.peer), "OPEN", role + ": " + pair.peer.get_error_message())


## So does one of which bytes come in, though nobody answers pings meanwhile.
func test_a_large_message_on_its_way_in_outlives_the_heartbeat() -> void:
	if not impl_is_ours() or other != "rust":
		checks += 1
		return
	start(60.0)
	for role: String in ["client", "server"]:
		var pair := _pair(role, func(peer: Object) -> void:
			peer.inbound_buffer_size = SIZE * 2
			peer.heartbeat_interval = INTERVAL)
		var frame: PackedByteArray = pair.raw.frame(RawPeer.BINARY, bytes(SIZE / 8))
		var began := Time.get_ticks_msec()
		var sent := 0
		while sent < frame.size() and state_name(pair.peer) == "OPEN":
			var due := mini(frame.size(), (Time.get_ticks_msec() - began) * frame.size() / 2000)
			pair.raw.send_unread(frame.slice(sent, due))
			sent = due
			settle(0.02)
		check(until_packets(pair.peer, 1), role + ": it has arrived")
		equal(state_name(pair.peer), "OPEN", role + ": " + pair.peer.get_error_message())


func _pair(role: String, prepare: Callable) -> RawPair:
	return client_with_raw_server(prepare) if role == "client" else server_with_raw_client(prepare)
