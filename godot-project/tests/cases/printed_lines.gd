extends "res://tests/harness/case.gd"
## What others make the library print: little, however many they are, and never a backtrace.


## The send buffers of many fill at once: one line, and a second later how many it was left out of.
func test_many_who_do_not_read_are_one_line_and_a_count() -> void:
	if impl != "rust" or other != "rust":
		check(true, "the built-in prints a line each time")
		return
	var server := mp_server(func(peer: MultiplayerPeer) -> void:
		peer.outbound_buffer_size = 65536)
	var clients: Array[MultiplayerPeer] = []
	for i in 20:
		clients.append(mp_client(server))
	var ids := {}
	server.peer_connected.connect(func(id: int) -> void: ids[id] = true)
	check(until(func() -> bool: return ids.size() == 20 and clients.all(connected)), "all are in")
	for client in clients:
		unwatch(client)
	settle(1.1) # lines of cases before
	expect_error("outbound buffer is full")
	expect_error("outbound buffer is full.*18 more of this kind in the last second")
	var packet := bytes(60000)
	var end := Time.get_ticks_msec() + 800
	for id: int in ids:
		server.set_target_peer(id)
		while server.put_packet(packet) == OK and Time.get_ticks_msec() < end:
			pass
	check(Time.get_ticks_msec() < end, "all buffers fill within a second")
	settle(1.5)


## Characters that the engine complains about when a string is made of them.
func test_no_text_of_the_other_side_makes_the_engine_complain() -> void:
	var pair := server_with_raw_client()
	var reason := "a\ufffeb\ufeff".to_utf8_buffer()
	reason.append_array([0, 0x63])
	var body := PackedByteArray([0x0f, 0xa0]) + reason
	if impl == "builtin":
		body = body.slice(0, 2 + reason.size() - 2) # it complains
	pair.raw.send_frame(RawPeer.CLOSE, body)
	check(until_closed(pair.peer), "closed")
	same("reason", pair.peer.get_close_reason().to_utf8_buffer(), "a\ufffeb\ufeff".to_utf8_buffer())


func test_nor_does_a_query() -> void:
	if impl != "rust" or other != "rust":
		check(true, "the built-in has no requests")
		return
	var parameters := []
	var server := mp_server(func(peer: MultiplayerPeer) -> void:
		peer.request_callback = func(request: RefCounted) -> void:
			parameters.append(request.get_query_parameters())
			request.accept())
	var raw: RawPeer = watch(RawPeer.connect_to(server.get_meta("port")))
	check(until(raw.is_connected_now), "connected")
	raw.ask_upgrade("/?admin%00x=a%00b&c=%ff", PackedStringArray())
	check(until(func() -> bool: return not parameters.is_empty()), "asked")
	equal(parameters, [{"admin\ufffdx": "a\ufffdb", "c": "\ufffd"}], "nothing ends at a NUL")
