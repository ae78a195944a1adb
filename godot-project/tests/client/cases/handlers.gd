extends "res://tests/client/case.gd"
## What a handler may do, in each signal: free the node, take it out of the tree, close, connect.


func test_freeing() -> void:
	for event in SIGNALS:
		var client: Variant = await _do_in(event, func(client: Node) -> void: client.queue_free())
		check(await _is_freed(client), "freed in %s" % event)
		_ends_with(event)


func test_freeing_the_parent() -> void:
	for event in SIGNALS:
		var parent := Node.new()
		tree.root.add_child(parent)
		var client := await _do_in(
			event, func(client: Node) -> void: client.get_parent().queue_free(), parent
		)
		check(await _is_freed(client), "freed in %s" % event)


func test_leaving_the_tree() -> void:
	for event in SIGNALS:
		var client := await _do_in(
			event, func(client: Node) -> void: client.get_parent().remove_child(client)
		)
		await settle(0.1)
		_ends_with(event)
		equal(client.get_ready_state(), 3, "the state after leaving in %s" % event)
		check(not client.is_reconnecting(), "not reconnecting after leaving in %s" % event)


func test_closing() -> void:
	for event in SIGNALS:
		var client := await _do_in(event, func(client: Node) -> void: client.close())
		await settle(0.1)
		check(
			not client.is_reconnecting() and client.get_ready_state() >= 2, "closed in %s" % event
		)
		if event not in [&"connection_opened", &"text_received", &"data_received", &"drained"]:
			_ends_with(event)
		else:
			client.close(-1)
			await until_event("connection_closed")
			await settle(0.05)
			check(
				events[-1].begins_with("connection_closed"),
				"the last signal after closing in %s: %s" % [event, events[-1]]
			)


func test_connecting_anew() -> void:
	for event in SIGNALS:
		var other := serve()
		var client := await _do_in(
			event,
			func(client: Node) -> void:
				if client.get_ready_state() == 1:
					client.close()
				equal(client.connect_to_url(other.url()), OK, "connect_to_url in %s" % event)
		)
		check(await until(client.is_open), "open again after %s" % event)
		equal(
			[client.url, client.get_reconnect_attempt(), client.is_reconnecting()],
			[other.url(), 0, false],
			"after %s" % event
		)
		await settle(0.1)
		check(client.is_open(), "it stays so after %s: %s" % [event, events])
		equal(other.requests, 1, "requests after %s" % event)


func test_sending() -> void:
	for event in SIGNALS:
		var client := await _do_in(
			event,
			func(client: Node) -> void:
				var wanted := OK if client.is_open() else FAILED
				equal(client.send_text("x"), wanted, "send_text in %s" % event)
		)
		await settle(0.05)
		client.close(-1)


func test_what_a_handler_finds() -> void:
	var found: Dictionary = {}
	var look := func(event: StringName, client: Node) -> void:
		found[event] = [
			client.get_ready_state(),
			client.is_open(),
			client.is_reconnecting(),
			client.get_reconnect_attempt()
		]
	for event in SIGNALS:
		var client := await _do_in(event, func(client: Node) -> void: look.call(event, client))
		client.free()
	equal(found.get(&"connection_opened"), [1, true, false, 0], "in connection_opened")
	equal(found.get(&"text_received"), [1, true, false, 0], "in text_received")
	equal(found.get(&"data_received"), [1, true, false, 0], "in data_received")
	equal(found.get(&"connection_closed"), [3, false, true, 0], "in connection_closed")
	equal(found.get(&"connection_failed"), [3, false, true, 0], "in connection_failed")
	equal(found.get(&"reconnecting"), [3, false, true, 1], "in reconnecting")
	equal(found.get(&"reconnect_failed"), [3, false, false, 0], "in reconnect_failed")
	equal(found.get(&"drained"), [1, true, false, 0], "in drained")


## Brings about `event` once, and `deed` in its handler.
func _do_in(event: StringName, deed: Callable, parent: Node = tree.root) -> RustWebSocketClient:
	var server := serve()
	var settings := {"outbound_buffer_size": 100000}
	var url := server.url()
	if event == &"connection_failed":
		url = deaf_url()
	elif event == &"reconnect_failed":
		url = deaf_url()
		settings["reconnect_max_attempts"] = 0
	var client := make_client(settings)
	if parent != tree.root:
		client.reparent(parent)
	_on_first(client, event, deed)
	client.connect_to_url(url)
	await until(func() -> bool: return events.size() > 0)
	match event:
		&"text_received":
			server.latest().send_message("text")
		&"data_received":
			server.latest().send_frame(RawPeer.BINARY, PackedByteArray([1]))
		&"connection_closed", &"reconnecting":
			server.latest().close()
		&"drained":
			await _fill(server, client)
	var wanted := String(event) + "("
	check(
		await until(
			func() -> bool:
				if event == &"drained" and server.reads:
					server.latest().received.clear()
				return events.any(
					func(seen: String) -> bool: return seen.begins_with(wanted)
				),
			20.0
		),
		"%s comes: %s" % [event, events]
	)
	return client


func _is_freed(client: Variant) -> bool:
	for frame in 10:
		if not is_instance_valid(client):
			return true
		await tree.process_frame
	return false


func _fill(server: Responder, client: Node) -> void:
	expect_full()
	server.reads = false
	for i in 10000:
		if client.send_text("x".repeat(40000)) != OK:
			break
		if i % 10 == 0:
			await tree.process_frame
	server.reads = true


func _on_first(client: Node, event: StringName, deed: Callable) -> void:
	for info in client.get_signal_list():
		if info.name == event:
			var handler := deed.bind(client)
			client.connect(
				event,
				handler.unbind(info.args.size()) if info.args.size() > 0 else handler,
				CONNECT_ONE_SHOT
			)


func _ends_with(event: StringName) -> void:
	check(
		events[-1].begins_with(String(event) + "("), "%s is the last signal: %s" % [event, events]
	)
