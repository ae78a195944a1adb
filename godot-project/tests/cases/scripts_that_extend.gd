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
