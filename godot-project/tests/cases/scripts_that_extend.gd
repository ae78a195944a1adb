extends "res://tests/harness/case.gd"
## Scripts that extend the classes, as a game may do to add its own methods.


func runs_mixed() -> bool:
	return true


func test_script_that_extends_the_socket() -> void:
	var client_script := template("extended_socket.gd", impl)
	var server_script := template("extended_socket.gd", other)
	if client_script == null or server_script == null:
		return
	var client: PacketPeer = watch(_keep(client_script.new()))
	var server: PacketPeer = watch(_keep(server_script.new()))
	var tcp := listen()
	equal(client.connect_to_url("ws://127.0.0.1:%d/" % tcp.get_local_port()), OK, "connect_to_url")
	equal(server.accept_stream(take(tcp)), OK, "accept_stream")
	same("open", until(func() -> bool: return client.is_open() and server.is_open()), true)
	client.say("hello")
	same("received", receive_text(server, 1), PackedStringArray(["hello"]))
	same("said", client.said, 1)
	same("is_the_class", client.is_class(ws_class(impl)), true)


func test_script_that_extends_the_multiplayer_peer() -> void:
	var client_script := template("extended_multiplayer.gd", impl)
	var server_script := template("extended_multiplayer.gd", other)
	if client_script == null or server_script == null:
		return
	var server: MultiplayerPeer = watch(_keep(server_script.new()))
	var port := free_port()
	equal(server.create_server(port, ANY_ADDRESS), OK, "create_server")
	var client: MultiplayerPeer = watch(_keep(client_script.new()))
	equal(client.create_client("ws://127.0.0.1:%d" % port), OK, "create_client")
	same("in", until(func() -> bool: return client.joined == [1] and server.joined.size() == 1), true)
	server.broadcast("to all")
	same("received", mp_receive(client, 1), PackedStringArray(["1 to all"]))
	var api := SceneMultiplayer.new()
	api.multiplayer_peer = client
	same("in_scene_multiplayer", api.get_unique_id() == client.get_unique_id(), true)
	api.multiplayer_peer = null


## The loop of the class reference as a node, with the name changed.
func test_documented_client_script() -> void:
	var script := template("documented_client.gd", impl)
	if script == null:
		return
	var tcp := listen()
	var node: Node = script.new()
	node.website = "ws://127.0.0.1:%d/" % tcp.get_local_port()
	node.start()
	var server: PacketPeer = watch(new_ws(other))
	equal(server.accept_stream(take(tcp)), OK, "accept_stream")
	until(func() -> bool:
		node.step()
		return state(server) == OPEN)
	server.send_text("one")
	server.send_text("two")
	until(func() -> bool:
		node.step()
		return node.lines.size() == 2)
	server.close(4000, "enough")
	until(func() -> bool:
		node.step()
		return node.is_done)
	same("lines", node.lines,
		PackedStringArray(["Packet: one", "Packet: two",
		"WebSocket closed with code: 4000, reason enough. Clean: true"]))
	node.free()


## A helper named like a virtual of our base class takes the place of the class's own function: the
## peer is dead, where the built-in has no virtuals. It says so, once for the script.
func test_helpers_named_like_virtuals() -> void:
	var rows := [
		["multiplayer", "func _poll() -> void:\n\tpass", "_poll"],
		["multiplayer", "func _get_connection_status():\n\treturn 0", "_get_connection_status"],
		["multiplayer", "func _is_server():\n\treturn true\nfunc _close():\n\tpass",
			"_close.., _is_server"],
		["socket", "func _get_available_packet_count():\n\treturn 0", "_get_available_packet_count"],
		["socket", "func _get_max_packet_size() -> int:\n\treturn 9", "_get_max_packet_size"],
		["socket", "func _poll():\n\tpoll()\nfunc _close():\n\tclose()", ""],
		["multiplayer", "func _say():\n\tpass\nvar _poll_count := 0", ""],
	]
	for row: Array in rows:
		if not check(true, "") or not impl_is_ours():
			continue
		var script := GDScript.new()
		var base := ws_class(impl) if row[0] == "socket" else mp_class(impl)
		script.source_code = "extends %s\n%s\n" % [base, row[1]]
		check(script.reload() == OK, "it compiles: " + row[1])
		if row[2] != "":
			expect_error(row[2] + ".. in the script")
		for i in 2:
			var peer: Object = _keep(script.new())
			if row[0] == "socket":
				peer.connect_to_url("ws://127.0.0.1:1/")
			else:
				peer.create_client("ws://127.0.0.1:1/")


## What a script inherits from another script counts as well, and so does a server's call.
func test_inherited_helpers_named_like_virtuals() -> void:
	if not check(true, "") or not impl_is_ours():
		return
	var path := "user://helpers_named_like_virtuals.gd"
	var file := FileAccess.open(path, FileAccess.WRITE)
	file.store_string("extends %s\nfunc _poll():\n\tpass\n" % mp_class(impl))
	file.close()
	var script := GDScript.new()
	script.source_code = "extends \"%s\"\nfunc more():\n\tpass\n" % path
	check(script.reload() == OK, "it compiles")
	expect_error("_poll.. in the script")
	equal(_keep(script.new()).create_server(free_port(), ANY_ADDRESS), OK, "create_server")
