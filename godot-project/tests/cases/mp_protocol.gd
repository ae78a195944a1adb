extends "res://tests/harness/case.gd"
## The id protocol, seen by a bare socket; timeouts; who is let in.


func test_server_sends_a_four_byte_id() -> void:
	var server := mp_server()
	var ids: Array[int] = []
	server.peer_connected.connect(func(id: int) -> void: ids.append(id))
	var raw := mp_raw_client(server)
	check(until(func() -> bool: return raw.received.size() >= 6), "a frame arrives")
	var frame: Dictionary = raw.take_frame()
	same("frame", "fin %s, opcode %d, %d bytes" % [frame.fin, frame.opcode, frame.payload.size()],
		"fin true, opcode 2, 4 bytes")
	same("id_is_the_signal's", ids.size() == 1 and frame.payload.decode_u32(0) == ids[0], true)
	same("id_is_31_bits", ids.size() == 1 and ids[0] >= 2 and ids[0] < 1 << 31, true)
	same("nothing_else", raw.received.size(), 0)
	server.set_target_peer(0)
	server.put_packet("plain".to_utf8_buffer())
	until(func() -> bool: return raw.received.size() >= 7)
	same("packet_as_sent", raw.take_frames(), PackedStringArray(["binary:plain"]))
	raw.send_message("text of a client")
	raw.send_frame(RawPeer.BINARY, PackedByteArray([1, 2, 3, 4]))
	same("packets", until(func() -> bool: return server.get_available_packet_count() == 2), true)
	same("first", server.get_packet().get_string_from_utf8(), "text of a client")
	same("second", server.get_packet(), PackedByteArray([1, 2, 3, 4]))


func test_client_takes_its_id() -> void:
	for key: String in ["id_2", "id_max"]:
		var id: int = {"id_2": 2, "id_max": 0x7fffffff}[key]
		var session := mp_client_with_raw_server()
		settle(0.02)
		same(key + "_before", mp_status(session.client), "CONNECTING")
		session.raw.send_frame(RawPeer.BINARY, _id_bytes(id))
		same(key + "_connected", until(func() -> bool: return connected(session.client)), true)
		same(key, session.client.get_unique_id(), id)
		same(key + "_events", session.events, PackedStringArray(["connected 1"]))
		session.raw.send_message("hello")
		same(key + "_packet", mp_receive(session.client, 1), PackedStringArray(["1 hello"]))


## The id and the first packets come in one piece.
func test_packets_right_behind_the_id() -> void:
	var session := mp_client_with_raw_server()
	session.raw.send_bytes(session.raw.frame(RawPeer.BINARY, _id_bytes(7))
		+ session.raw.frame(RawPeer.TEXT, "a".to_utf8_buffer())
		+ session.raw.frame(RawPeer.BINARY, "b".to_utf8_buffer()))
	same("packets", mp_receive(session.client, 2), PackedStringArray(["1 a", "1 b"]))
	same("events", session.events, PackedStringArray(["connected 1"]))


func test_first_message_that_is_no_id() -> void:
	var messages := {"three_bytes": PackedByteArray([5, 0, 0]),
		"five_bytes": PackedByteArray([5, 0, 0, 0, 0]), "id_0": _id_bytes(0),
		"id_1": _id_bytes(1), "id_negative": _id_bytes(-5)}
	for key: String in messages:
		var session := mp_client_with_raw_server()
		allow_error("id|server|peer")
		session.raw.send_frame(RawPeer.BINARY, messages[key])
		var frames := PackedStringArray()
		until(func() -> bool:
			for frame: String in session.raw.take_frames():
				frames.append(frame)
				session.raw.send_frame(RawPeer.CLOSE, RawPeer.close_payload(1000))
			return disconnected(session.client) and not frames.is_empty())
		same(key, mp_status(session.client), "DISCONNECTED")
		same(key + "_frames", frames, PackedStringArray(["close:1000:"]))
		same(key + "_events", session.events, PackedStringArray())
		same(key + "_id", session.client.get_unique_id(), 0)


## A client that disconnects stays CONNECTED until its server has answered the close.
func test_client_waits_for_the_answer_to_its_close() -> void:
	var session := mp_client_with_raw_server()
	session.raw.send_frame(RawPeer.BINARY, _id_bytes(7))
	check(until(func() -> bool: return connected(session.client)), "the client is in")
	session.client.disconnect_peer(1)
	settle(0.03)
	same("frames", session.raw.take_frames(), PackedStringArray(["close:1000:"]))
	same("status_unanswered", mp_status(session.client), "CONNECTED")
	same("events_unanswered", session.events, PackedStringArray(["connected 1"]))
	session.raw.send_frame(RawPeer.CLOSE, RawPeer.close_payload(1000))
	same("disconnected", until(func() -> bool: return disconnected(session.client)), true)
	same("events", session.events, PackedStringArray(["connected 1", "disconnected 1"]))


func test_id_as_a_text_message() -> void:
	var session := mp_client_with_raw_server()
	session.raw.send_frame(RawPeer.TEXT, _id_bytes(9))
	until(func() -> bool: return mp_status(session.client) != "CONNECTING")
	same("status", mp_status(session.client), "CONNECTED")


func test_refused_upgrade_ends_the_client() -> void:
	var client: MultiplayerPeer = watch(new_mp())
	var tcp := listen()
	client.create_client("ws://127.0.0.1:%d" % tcp.get_local_port())
	var raw: RawPeer = watch(RawPeer.new(take(tcp)))
	until(func() -> bool: return not raw.head().is_empty())
	raw.send_ascii("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	same("disconnected", until(func() -> bool: return disconnected(client)), true)


func test_server_times_out_a_silent_newcomer() -> void:
	var server := mp_server(func(peer: Object) -> void: peer.handshake_timeout = 0.15)
	var raw: RawPeer = watch(RawPeer.connect_to(server.get_meta("port")))
	until(raw.is_connected_now)
	settle(0.05)
	same("at_first", raw.ended, false)
	same("dropped", until(func() -> bool: return raw.ended, 1.5), true)


## Half a request does not keep the place.
func test_server_times_out_a_slow_newcomer() -> void:
	var server := mp_server(func(peer: Object) -> void: peer.handshake_timeout = 0.15)
	var raw: RawPeer = watch(RawPeer.connect_to(server.get_meta("port")))
	until(raw.is_connected_now)
	raw.send_ascii("GET / HTTP/1.1\r\nHost: x\r\n")
	same("dropped", until(func() -> bool: return raw.ended, 1.5), true)


## A server that stalls for longer than the timeout lets in who came meanwhile.
func test_stall_of_the_server_counts_against_nobody() -> void:
	var server := mp_server(func(peer: Object) -> void: peer.handshake_timeout = 0.1)
	unwatch(server)
	var raw: RawPeer = watch(RawPeer.connect_to(server.get_meta("port")))
	check(until(raw.is_connected_now), "the raw client is connected")
	raw.ask_upgrade()
	settle(0.25)
	watch(server)
	same("id_comes",
		until(func() -> bool: return not raw.head().is_empty() and raw.received.size() >= 6), true)


func test_handshake_timeout_does_not_touch_the_connected() -> void:
	var session := mp_session(1, func(peer: Object) -> void: peer.handshake_timeout = 0.15)
	settle(0.3)
	same("status", mp_status(session.clients[0]), "CONNECTED")
	same("events", session.server_events, PackedStringArray(["connected A"]))


func test_client_times_out() -> void:
	var client: MultiplayerPeer = watch(new_mp())
	client.handshake_timeout = 0.15
	var tcp := listen()
	client.create_client("ws://127.0.0.1:%d" % tcp.get_local_port())
	var raw: RawPeer = watch(RawPeer.new(take(tcp)))
	same("no_answer", until(func() -> bool: return disconnected(client), 1.5), true)
	same("other_side", until(func() -> bool: return raw.ended), true)


## Upgraded, but no id comes: the built-in waits for ever.
func test_client_times_out_without_an_id() -> void:
	var session := mp_client_with_raw_server(func(peer: Object) -> void: peer.handshake_timeout = 0.15)
	until(func() -> bool: return disconnected(session.client), 1.5 if impl_is_ours() else 0.4)
	ours("status", impl_is_ours(), mp_status(session.client), "DISCONNECTED")
	same("events", session.events, PackedStringArray())


func test_handshake_timeout_of_zero_is_refused() -> void:
	var peer := new_mp()
	for value: float in [0.0, -1.0]:
		if value == 0.0:
			expect_error("timeout")
		else:
			allow_error("timeout")
		peer.handshake_timeout = value
		same("kept_%d" % value, peer.handshake_timeout, 3.0)


## Newcomers wait, and get in when the door is opened again.
func test_refuse_new_connections() -> void:
	var server := mp_server()
	server.refuse_new_connections = true
	var events := PackedStringArray()
	record(server, func(event: String) -> void: events.append(event))
	var client: MultiplayerPeer = watch(new_mp())
	client.create_client("ws://127.0.0.1:%d" % server.get_meta("port"))
	settle(0.1)
	same("status_while_refusing", mp_status(client), "CONNECTING")
	same("events_while_refusing", events, PackedStringArray())
	server.refuse_new_connections = false
	same("in", until(func() -> bool: return connected(client) and events.size() == 1), true)


## A handshake that was under way when refusing began is dropped without an id.
func test_refusing_drops_a_handshake_under_way() -> void:
	var server := mp_server()
	var events := PackedStringArray()
	record(server, func(event: String) -> void: events.append(event))
	var raw: RawPeer = watch(RawPeer.connect_to(server.get_meta("port")))
	until(raw.is_connected_now)
	settle(0.05)
	server.refuse_new_connections = true
	raw.ask_upgrade()
	same("dropped", until(func() -> bool: return raw.ended), true)
	raw.head()
	same("no_id", raw.take_frames().has("binary:"), false)
	same("events", events, PackedStringArray())


func test_refusing_leaves_the_connected_alone() -> void:
	var session := mp_session()
	session.server.refuse_new_connections = true
	mp_send(session.server, 0, "still here")
	same("received", mp_receive(session.clients[0], 1), PackedStringArray(["1 still here"]))
	same("kept_over_close", _refusing_after_close(session.server), true)


## Set in the handler of the first newcomer, it already holds for the second one of the same poll.
func test_refusing_in_the_handler_holds_at_once() -> void:
	var server := mp_server()
	var events := PackedStringArray()
	record(server, func(event: String) -> void: events.append(event))
	server.peer_connected.connect(func(_id: int) -> void: server.refuse_new_connections = true)
	var raws: Array[RawPeer] = []
	for i in 3:
		var raw: RawPeer = watch(RawPeer.connect_to(server.get_meta("port")))
		until(raw.is_connected_now)
		raws.append(raw)
	settle(0.05)
	unwatch(server)
	for raw in raws:
		raw.ask_upgrade()
	settle(0.05)
	watch(server)
	settle(0.1)
	same("events", events, PackedStringArray(["connected A"]))


func _refusing_after_close(server: MultiplayerPeer) -> bool:
	server.close()
	return server.refuse_new_connections


func _id_bytes(id: int) -> PackedByteArray:
	var data := bytes(4, 0)
	data.encode_s32(0, id)
	return data
