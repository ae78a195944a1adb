extends "res://tests/client/case.gd"
## How connections end, and after which ends the client comes back.


func test_codes_after_which_it_stays_closed() -> void:
	for code: int in [1000, 1002, 1003, 1007, 1008, 1009, 1010]:
		var server := serve(Responder.close_with(code, "why"))
		var client := make_client()
		client.connect_to_url(server.url())
		await until_event("connection_closed")
		await settle(0.06)
		equal(
			events,

				['connection_opened("")', 'connection_closed(%d, "why", true)' % code]
			,
			"signals"
		)
		check(not client.is_reconnecting(), "not reconnecting after %d" % code)
		equal(client.get_ready_state(), 3, "the state")


func test_codes_after_which_it_comes_back() -> void:
	for code: int in [1001, 1011, 1012, 1013, 3000, 4000, 4999]:
		var server := serve(
			func(peer: RawPeer, number: int) -> void:
				if number == 1:
					Responder.close_with(code, "why").call(peer, number)
				else:
					peer.accept_upgrade()
		)
		var client := make_client()
		client.connect_to_url(server.url())
		await until_count(4)
		equal(
			events,

				[
					'connection_opened("")',
					shown_end(code, "why"),
					"reconnecting(1, 0.02)",
					'connection_opened("")'
				]
			,
			"signals"
		)


func test_a_code_that_the_game_takes_as_final() -> void:
	var server := serve(Responder.close_with(4003, "kicked"))
	var client := make_client({"no_reconnect_codes": PackedInt32Array([4003])})
	client.connect_to_url(server.url())
	await until_event('connection_closed(4003, "kicked", true)')
	await settle()
	equal(events.size(), 2, "signals")


func test_a_close_frame_without_a_code() -> void:
	var server := serve(
		func(peer: RawPeer, _number: int) -> void:
			peer.accept_upgrade()
			peer.send_frame(RawPeer.CLOSE)
	)
	var client := make_client()
	client.connect_to_url(server.url())
	await until_event("reconnecting(1")
	equal(events[1], 'connection_closed(1005, "", true)', "the end")


func test_a_server_that_dies() -> void:
	var server := serve()
	var client := await open_client(server)
	server.stop()
	await until_event("reconnecting(2")
	equal(
		events.slice(0, 2),
		['connection_closed(-1, "", false)', "reconnecting(1, 0.02)"],
		"signals"
	)
	check(client.is_reconnecting(), "reconnecting")
	check(not client.get_error_message().is_empty(), "there is a message")
	server.start()
	await until_event("connection_opened")
	check(client.is_open() and not client.is_reconnecting(), "open again")


func test_closing_by_the_script() -> void:
	var server := serve()
	var client := await open_client(server)
	client.close(4001, "bye")
	equal(client.get_ready_state(), 2, "the state")
	check(not client.is_open(), "not open any more")
	var answer := func() -> bool:
		var frames := server.latest().take_frames()
		if frames.has("close:4001:bye"):
			server.latest().send_frame(RawPeer.CLOSE, RawPeer.close_payload(4001, "bye"))
		return not frames.is_empty()
	check(await until(answer), "the close frame arrives")
	await until_event('connection_closed(4001, "bye", true)')
	await settle()
	equal(events.size(), 1, "signals")
	equal(client.get_error_message(), "", "the message")


func test_closing_while_the_other_side_says_nothing() -> void:
	var server := serve()
	var client := make_timed_client()
	client.connect_to_url(server.url())
	await until_event("connection_opened")
	server.reads = false
	client.close()
	await settle()
	equal(events.size(), 1, "signals while nobody answers")
	now = 5.1
	await until_event('connection_closed(-1, "", false)')
	await settle()
	equal(events.size(), 2, "signals")


func test_cutting() -> void:
	var client := await open_client(serve())
	client.close(-1)
	await until_event('connection_closed(-1, "", false)')
	await settle()
	equal(events.size(), 1, "signals")


func test_codes_that_must_not_be_sent() -> void:
	for code: int in [999, 1004, 1005, 1006, 1015, 1016, 2999, 5000]:
		var server := serve()
		var client := await open_client(server)
		expect_error("close code %d must not be sent" % code)
		client.close(code)
		equal(await arrived(server, 1), PackedStringArray(["close:1000:"]), "instead of %d" % code)
		server.latest().close()


func test_closing_while_connecting_or_waiting_says_nothing() -> void:
	var client := make_client()
	client.connect_to_url(serve(func(_peer: RawPeer, _number: int) -> void: pass).url())
	client.close()
	equal(client.get_ready_state(), 3, "the state")
	await settle()
	equal(events.size(), 0, "signals")
	client.connect_to_url(deaf_url())
	await until_event("reconnecting(2")
	client.close()
	check(not client.is_reconnecting(), "no longer reconnecting")
	equal(client.get_reconnect_attempt(), 0, "attempts")
	events.clear()
	await settle(0.2)
	equal(events.size(), 0, "signals after closing")


func test_messages_come_before_the_end() -> void:
	for code: int in [1000, 1012]:
		var server := serve()
		var client := await open_client(server)
		for i in 50:
			server.latest().send_message("message %d" % i)
		if impl == "builtin":
			# The engine's class loses what arrives together with a close frame.
			await until_event('text_received("message 49")')
		server.latest().send_frame(RawPeer.CLOSE, RawPeer.close_payload(code))
		await until_event("connection_closed")
		for i in 50:
			equal(events[i], 'text_received("message %d")' % i, "signal %d" % i)
		equal(events[50], shown_end(code), "the end")
		client.close()


func test_messages_and_the_end_right_behind_the_handshake() -> void:
	if impl == "builtin":
		check(true, "the engine's class loses what arrives together with a close frame")
		check(true, "")
		return
	var server := serve(
		func(peer: RawPeer, _number: int) -> void:
			var data := peer.upgrade_answer().to_utf8_buffer()
			data.append_array(peer.frame(RawPeer.TEXT, "first".to_utf8_buffer()))
			data.append_array(peer.frame(RawPeer.BINARY, PackedByteArray([2])))
			data.append_array(peer.frame(RawPeer.CLOSE, RawPeer.close_payload(1000, "done")))
			peer.send_bytes(data)
	)
	var client := make_client()
	client.connect_to_url(server.url())
	await until_event("connection_closed")
	equal(
		events,

			[
				'connection_opened("")',
				'text_received("first")',
				"data_received(PackedByteArray(2))",
				'connection_closed(1000, "done", true)'
			]
		,
		"signals"
	)


func test_unread_messages_survive_a_close_by_the_script() -> void:
	var server := serve()
	var client := await open_client(server)
	client.text_received.connect(func(_text: String) -> void: client.close(), CONNECT_ONE_SHOT)
	var data := PackedByteArray()
	for i in 5:
		data.append_array(server.latest().frame(RawPeer.TEXT, str(i).to_utf8_buffer()))
	server.latest().send_bytes(data)
	await until_event('text_received("4")')
	server.latest().send_frame(RawPeer.CLOSE, RawPeer.close_payload(1000))
	await until_event('connection_closed(1000, "", true)')
	equal(events.size(), 6, "signals")


func test_connecting_again_while_closing() -> void:
	var first := serve()
	var second := serve()
	var client := await open_client(first)
	first.reads = false
	client.close()
	equal(client.connect_to_url(second.url()), OK, "connect_to_url while closing")
	await until_event("connection_opened")
	equal(
		events,
		['connection_closed(-1, "", false)', 'connection_opened("")'],
		"signals"
	)
	check(client.is_open(), "open")
