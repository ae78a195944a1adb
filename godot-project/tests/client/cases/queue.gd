extends "res://tests/client/case.gd"
## Messages that are sent while the connection is not open, or faster than they leave.


func test_nothing_is_kept_by_default() -> void:
	var server := serve()
	var client := make_client()
	equal(client.send_text("x"), FAILED, "before connecting")
	client.connect_to_url(server.url())
	equal(client.send(PackedByteArray([1])), FAILED, "while connecting")
	await until_event("connection_opened")
	equal(client.send_text("y"), OK, "while open")
	equal(await arrived(server, 1), PackedStringArray(["text:y"]), "messages")


func test_kept_messages_go_in_order_behind_the_handlers() -> void:
	var server := serve()
	var client := make_client({"queue_limit": 3})
	client.connection_opened.connect(func(_protocol: String) -> void: client.send_text("login"))
	equal(client.send_text("a"), OK, "before connecting")
	client.connect_to_url(server.url())
	equal(client.send("b".to_utf8_buffer()), OK, "while connecting")
	equal(client.send("c".to_utf8_buffer(), 0), OK, "while connecting, as text")
	equal(client.send_text("d"), ERR_OUT_OF_MEMORY, "one too many")
	await until_event("connection_opened")
	equal(client.send_text("e"), OK, "while open")
	equal(
		await arrived(server, 5),
		PackedStringArray(["text:login", "text:a", "binary:b", "text:c", "text:e"]),
		"messages"
	)
	await until_event("drained")


func test_drained_after_an_attempt_that_failed() -> void:
	var server := serve()
	server.stop()
	var client := make_client({"queue_limit": 1})
	equal(client.send_text("kept"), OK, "the first")
	equal(client.send_text("refused"), ERR_OUT_OF_MEMORY, "one too many")
	client.connect_to_url(server.url())
	await until_event("connection_failed")
	server.start()
	await until_event("connection_opened")
	equal(await arrived(server, 1), PackedStringArray(["text:kept"]), "messages")
	await until_event("drained")


func test_a_refusal_is_forgotten_with_what_was_kept() -> void:
	for deed: String in ["close", "give up"]:
		var server := serve()
		var client := make_client({"queue_limit": 1, "reconnect_max_attempts": 0})
		client.send_text("kept")
		equal(client.send_text("refused"), ERR_OUT_OF_MEMORY, "one too many")
		if deed == "close":
			client.close()
		else:
			client.connect_to_url(deaf_url())
			await until_event("reconnect_failed")
		events.clear()
		client.connect_to_url(server.url())
		await until_event("connection_opened")
		equal(client.send_text("new"), OK, "while open")
		await arrived(server, 1)
		await settle()
		equal(events.size(), 1, "signals after %s: %s" % [deed, events])


func test_kept_messages_survive_a_reconnect() -> void:
	var server := serve()
	var client := await open_client(server, {"queue_limit": 100})
	server.stop()
	await until_event("reconnecting(1")
	for i in 60:
		equal(client.send_text(str(i)), OK, "while waiting")
	server.start()
	await until_event("connection_opened")
	var wanted := PackedStringArray(range(60).map(func(i: int) -> String: return "text:%d" % i))
	equal(await arrived(server, 60), wanted, "messages")


func test_closing_and_giving_up_drop_them() -> void:
	var server := serve()
	var client := make_client({"queue_limit": 5, "reconnect_max_attempts": 0})
	client.send_text("old")
	client.close()
	client.connect_to_url(deaf_url())
	client.send_text("older")
	await until_event("reconnect_failed")
	client.send_text("new")
	client.connect_to_url(server.url())
	await until_event("connection_opened")
	equal(await arrived(server, 1), PackedStringArray(["text:new"]), "messages")


func test_what_can_never_be_sent_is_not_kept() -> void:
	var client := make_client({"queue_limit": 5, "outbound_buffer_size": 100})
	equal(client.send_text("x".repeat(101)), ERR_OUT_OF_MEMORY, "too long")
	equal(client.send_text("x".repeat(100)), OK, "just right")


func test_many_kept_messages_leave_little_by_little() -> void:
	var server := serve()
	var client := make_client({"queue_limit": 1000, "outbound_buffer_size": 70000})
	for i in 400:
		equal(client.send_text("%d %s" % [i, "x".repeat(20000)]), OK, "kept")
	client.connect_to_url(server.url())
	await until_event("connection_opened")
	client.send_text("last")
	var messages := await arrived(server, 401, 20.0)
	equal(messages.size(), 401, "messages")
	check(not messages.is_empty() and messages[-1] == "text:last", "the last")


func test_drained_after_a_refusal() -> void:
	var server := serve()
	var client := await open_client(server, {"outbound_buffer_size": 100000})
	server.reads = false
	expect_full()
	var sent := 0
	while sent < 10000 and client.send_text("x".repeat(40000)) == OK:
		sent += 1
		if sent % 10 == 0:
			await tree.process_frame
	check(sent < 10000, "a send is refused after %d" % sent)
	await settle()
	equal(events.size(), 0, "signals while nobody reads")
	server.reads = true
	check(
		await until(
			func() -> bool:
				server.latest().received.clear()
				return events.size() > 0,
			20.0
		),
		"a signal comes"
	)
	await settle()
	equal(events, ["drained()"], "signals")
