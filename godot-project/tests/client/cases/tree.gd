extends "res://tests/client/case.gd"
## The node in the tree: by itself, leaving, coming back, paused, extended.


class Extended:
	extends RustWebSocketClient
	var readied := 0
	var processed := 0

	func _init() -> void:
		reconnect_delay_min = 0.02

	func _ready() -> void:
		readied += 1

	func _process(_delta: float) -> void:
		processed += 1


func test_defaults() -> void:
	var client := RustWebSocketClient.new()
	var wanted := {
		"url": "",
		"autoconnect": false,
		"supported_protocols": PackedStringArray(),
		"handshake_headers": PackedStringArray(),
		"connect_timeout": 10.0,
		"heartbeat_interval": 20.0,
		"inbound_buffer_size": 1048576,
		"outbound_buffer_size": 1048576,
		"compression": false,
		"max_redirects": 0,
		"use_environment_proxy": false,
		"reconnect": true,
		"reconnect_delay_min": 0.5,
		"reconnect_delay_max": 30.0,
		"reconnect_jitter": 0.5,
		"reconnect_max_attempts": -1,
		"reconnect_min_uptime": 5.0,
		"no_reconnect_codes": PackedInt32Array([1000, 1002, 1003, 1007, 1008, 1009, 1010]),
		"queue_limit": 0
	}
	for property: String in wanted:
		equal(client.get(property), wanted[property], property)
	equal(client.process_mode, Node.PROCESS_MODE_ALWAYS, "process_mode")
	var exported := client.get_property_list().filter(
		func(info: Dictionary) -> bool:
			return (
				info.usage & PROPERTY_USAGE_SCRIPT_VARIABLE and info.usage & PROPERTY_USAGE_EDITOR
			)
	)
	var names := exported.map(func(info: Dictionary) -> String: return info.name)
	names.sort()
	var wanted_names := wanted.keys()
	wanted_names.sort()
	equal(names, wanted_names, "the exported properties")
	client.free()


func test_signals_and_methods() -> void:
	var client := RustWebSocketClient.new()
	var seen: Dictionary = {}
	for info: Dictionary in client.get_script().get_script_signal_list():
		seen[String(info.name)] = info.args.map(
			func(argument: Dictionary) -> String:
				return "%s: %s" % [argument.name, type_string(argument.type)]
		)
	equal(
		seen,
		{
			"connection_opened": ["protocol: String"],
			"text_received": ["text: String"],
			"data_received": ["data: PackedByteArray"],
			"connection_closed": ["code: int", "reason: String", "was_clean: bool"],
			"connection_failed": ["message: String"],
			"reconnecting": ["attempt: int", "delay: float"],
			"reconnect_failed": [],
			"drained": []
		},
		"signals"
	)
	client.free()
	check(true, "")


func test_autoconnect() -> void:
	var server := serve()
	var client := make_client({"url": server.url(), "autoconnect": true})
	equal(client.get_ready_state(), 0, "the state once it is ready")
	await until_event("connection_opened")


func test_autoconnect_without_a_url() -> void:
	expect_error("there is no URL")
	var client := make_client({"autoconnect": true})
	equal(events.size(), 0, "signals before the first frame")
	await until_event("reconnect_failed")
	equal(events.size(), 2, "signals")
	var server := serve()
	equal(client.connect_to_url(server.url()), OK, "connect_to_url")
	await until_event("connection_opened")


func test_a_url_from_the_parent_instead() -> void:
	expect_error("there is no URL")
	var client := make_client({"autoconnect": true})
	equal(client.connect_to_url(serve().url()), OK, "connect_to_url in the same frame")
	await until_event("connection_opened")
	equal(events.size(), 1, "signals")


func test_leaving_closes_and_entering_connects() -> void:
	var server := serve()
	var client := make_client({"url": server.url(), "autoconnect": true})
	await until_event("connection_opened")
	events.clear()
	tree.root.remove_child(client)
	equal(client.get_ready_state(), 3, "the state outside")
	equal(await arrived(server, 1), PackedStringArray(["close:1000:"]), "what the server sees")
	await settle()
	equal(events.size(), 0, "signals of leaving")
	tree.root.add_child(client)
	await until_event("connection_opened")
	equal(server.requests, 2, "requests")
	client.autoconnect = false
	tree.root.remove_child(client)
	tree.root.add_child(client)
	await settle()
	equal(client.get_ready_state(), 3, "the state without autoconnect")
	equal(events.size(), 1, "signals")


func test_freeing_closes() -> void:
	for deed: String in ["free", "queue_free"]:
		var server := serve()
		var client := await open_client(server)
		client.send_text("last words")
		client.call(deed)
		equal(await arrived(server, 2), PackedStringArray(["text:last words", "close:1000:"]), deed)


func test_leaving_while_connecting_and_while_waiting() -> void:
	var client := make_client({"url": deaf_url(), "autoconnect": true})
	tree.root.remove_child(client)
	await settle(0.1)
	equal(events.size(), 0, "signals")
	tree.root.add_child(client)
	await until_event("reconnecting(1")
	tree.root.remove_child(client)
	events.clear()
	await settle(0.1)
	equal(events.size(), 0, "signals after leaving while it waited")
	equal(client.get_reconnect_attempt(), 0, "attempts")


func test_a_paused_tree() -> void:
	var server := serve()
	var client := await open_client(server)
	tree.paused = true
	server.latest().send_message("in the pause")
	await until_event("text_received")
	client.process_mode = Node.PROCESS_MODE_PAUSABLE
	server.latest().send_message("later")
	await settle()
	equal(events.size(), 1, "signals of a pausable node")
	tree.paused = false
	await until_event('text_received("later")')


func test_time_scale_and_frames_do_not_matter() -> void:
	Engine.time_scale = 0.001
	var client := make_client()
	client.connect_to_url(deaf_url())
	await until_event("reconnecting(3", 4.0)
	Engine.time_scale = 1.0
	check(client.is_reconnecting(), "reconnecting")
	client.close()


func test_a_script_that_extends_it() -> void:
	var server := serve()
	var client: Extended = make_client({"url": server.url(), "autoconnect": true}, Extended.new())
	client.set_process(false)
	await until_event("connection_opened")
	equal(client.readied, 1, "_ready of the extending script")
	equal(client.processed, 0, "_process of the extending script, switched off")


func test_in_a_scene() -> void:
	var scene := PackedScene.new()
	var client := RustWebSocketClient.new()
	client.url = "ws://example.invalid"
	client.reconnect_max_attempts = 7
	equal(scene.pack(client), OK, "packing")
	client.free()
	var copy: RustWebSocketClient = scene.instantiate()
	equal(
		[copy.url, copy.reconnect_max_attempts, copy.process_mode],
		["ws://example.invalid", 7, Node.PROCESS_MODE_ALWAYS],
		"the copy"
	)
	copy.free()


func test_tls_options_are_kept() -> void:
	var client := make_client({"reconnect": true})
	var options := TLSOptions.client_unsafe()
	var server := serve()
	client.connect_to_url(server.url(), options)
	await until_event("connection_opened")
	server.latest().close()
	await until_event("reconnecting")
	equal(client._tls_options, options, "the options of a reconnect")
