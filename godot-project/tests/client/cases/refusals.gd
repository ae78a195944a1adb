extends "res://tests/client/case.gd"
## What a server, or the client's own settings, refuse for good, and what is tried again.


func test_answers_that_will_not_change() -> void:
	for status: int in [400, 401, 403, 404, 410, 426, 499]:
		var server := serve(Responder.refuse(status))
		var client := make_client()
		client.connect_to_url(server.url())
		if tells_answers():
			await until_event("reconnect_failed")
			await settle(0.05)
			equal(events.size(), 2, "signals after %d: %s" % [status, events])
			check(
				events[0].begins_with("connection_failed(") and str(status) in events[0],
				"%d is told: %s" % [status, events]
			)
			equal(server.requests, 1, "requests")
		else:
			await until_event("reconnecting(2")
		client.close()


func test_answers_that_may_change() -> void:
	for status: int in [408, 425, 429, 500, 502, 503, 504]:
		var server := serve(Responder.refuse(status))
		var client := make_client()
		client.connect_to_url(server.url())
		await until_event("reconnecting(2")
		equal(
			events.slice(0, 2).map(
				func(event: String) -> String: return event.get_slice("(", 0)
			),
			["connection_failed", "reconnecting"],
			"signals after %d" % status
		)
		client.close()


func test_a_server_that_refuses_and_then_accepts() -> void:
	var server := serve(
		func(peer: RawPeer, number: int) -> void:
			if number < 3:
				Responder.refuse(503).call(peer, number)
			else:
				peer.accept_upgrade()
	)
	var client := make_client()
	client.connect_to_url(server.url())
	await until_event("connection_opened")
	equal(client.get_error_message(), "", "the message of an open connection")
	equal(client.get_reconnect_attempt(), 2, "reconnects")
	check(not client.is_reconnecting(), "no longer reconnecting")


func test_a_new_url_for_the_next_attempt() -> void:
	var server := serve()
	var client := make_client()
	client.reconnecting.connect(
		func(_attempt: int, _delay: float) -> void:
			client.url = server.url()
			client.handshake_headers = PackedStringArray(["X-Try: 2"])
	)
	client.connect_to_url(deaf_url())
	await until_event("connection_opened")
	equal(server.latest().header("X-Try"), "2", "the header of the second attempt")


func test_a_url_that_cannot_be_used_is_final() -> void:
	var client := make_client()
	client.reconnecting.connect(
		func(_attempt: int, _delay: float) -> void:
			# The peer prints why.
			expect_error("")
			client.url = "http://x y/"
	)
	client.connect_to_url(deaf_url())
	await until_event("reconnect_failed")
	equal(events.size(), 4, "signals")
	check(not client.get_error_message().is_empty(), "there is a message")


func test_an_empty_url_for_the_next_attempt_is_final() -> void:
	var client := make_client()
	client.reconnecting.connect(func(_attempt: int, _delay: float) -> void: client.url = "")
	client.connect_to_url(deaf_url())
	await until_event("reconnect_failed")
	equal(events[2], 'connection_failed("there is no URL: set url")', "the second failure")


func test_calls_that_are_refused_change_nothing() -> void:
	var client := make_client()
	expect_error("there is no URL")
	equal(client.connect_to_url(), ERR_INVALID_PARAMETER, "without a URL")
	equal(client.connect_to_url(), ERR_INVALID_PARAMETER, "without a URL, again")
	check(
		"there is no URL" in client.get_error_message(),
		"the message: " + client.get_error_message()
	)
	expect_error("")
	equal(client.connect_to_url("http://x y/"), ERR_INVALID_PARAMETER, "with a URL that is none")
	equal(client.url, "", "the url")
	var server := serve()
	equal(client.connect_to_url(server.url()), OK, "with a URL")
	equal(client.url, server.url(), "the url")
	expect_error("already connecting or open")
	equal(client.connect_to_url(server.url()), ERR_ALREADY_IN_USE, "while connecting")
	await until_event("connection_opened")
	equal(client.connect_to_url("ws://127.0.0.1:1"), ERR_ALREADY_IN_USE, "while open")
	equal(client.url, server.url(), "the url")
	equal(events.size(), 1, "signals")


func test_outside_of_the_tree() -> void:
	var client := RustWebSocketClient.new()
	expect_error("not in the scene tree")
	equal(client.connect_to_url("ws://127.0.0.1:1"), ERR_UNCONFIGURED, "outside of the tree")
	equal(client.send_text("x"), FAILED, "send_text")
	client.close()
	equal(client.get_ready_state(), 3, "the state")
	equal(client.get_peer(), null, "the peer")
	client.free()


func test_connecting_anew_while_waiting() -> void:
	var server := serve()
	var client := make_timed_client()
	client.connect_to_url(deaf_url())
	await until_event("reconnecting")
	equal(client.connect_to_url(server.url()), OK, "connect_to_url while waiting")
	equal(client.get_reconnect_attempt(), 0, "attempts")
	await until_event("connection_opened")


func test_protocols_headers_and_sizes_are_the_peers() -> void:
	var server := serve(
		func(peer: RawPeer, _number: int) -> void:
			peer.accept_upgrade(PackedStringArray(["Sec-WebSocket-Protocol: b"]))
	)
	var client := make_client(
		{
			"supported_protocols": PackedStringArray(["a", "b"]),
			"handshake_headers": PackedStringArray(["X-Token: 7"]),
			"inbound_buffer_size": 5000,
			"outbound_buffer_size": 6000,
			"heartbeat_interval": 3.0,
			"connect_timeout": 4.0,
			"compression": true
		}
	)
	client.connect_to_url(server.url())
	await until_event('connection_opened("b")')
	equal(server.latest().header("X-Token"), "7", "the header")
	var peer := client.get_peer()
	equal(peer.get_class(), String(PEER_CLASSES[impl]), "the peer's class")
	equal([peer.inbound_buffer_size, peer.outbound_buffer_size], [5000, 6000], "the sizes")
	equal(peer.heartbeat_interval, 3.0, "the heartbeat")
	if impl == "rust":
		equal([peer.connect_timeout, peer.compression], [4.0, 1], "the timeout, compression")
