extends "res://tests/harness/request_case.gd"
## `RustWebSocketServer`, and rooms: several multiplayer peers on its port.


func test_the_shape_of_a_udp_server() -> void:
	if is_builtin():
		return
	var server: RefCounted = ClassDB.instantiate("RustWebSocketServer")
	expect_error("does not listen")
	equal([server.poll(), server.is_listening(), server.get_local_port(),
		server.is_connection_available(), server.take_connection() == null],
		[ERR_UNCONFIGURED, false, 0, false, true], "before listen()")
	expect_error("no port")
	equal(server.listen(70000), ERR_INVALID_PARAMETER, "a port")
	expect_error("cannot listen there")
	equal(server.listen(0, "localhost"), ERR_INVALID_PARAMETER, "a name")
	expect_error("TLS options for a client")
	equal(server.listen(0, "*", TLSOptions.client()), ERR_INVALID_PARAMETER, "TLS options")
	equal(server.listen(0, ANY_ADDRESS), OK, "listen")
	check(server.is_listening() and server.get_local_port() > 0, "listening")
	expect_error("listens already")
	equal(server.listen(0), ERR_ALREADY_IN_USE, "twice")
	var second: RefCounted = ClassDB.instantiate("RustWebSocketServer")
	expect_error("is in use")
	equal(second.listen(server.get_local_port(), ANY_ADDRESS), ERR_ALREADY_IN_USE, "a taken port")
	equal([server.poll(), server.is_connection_available()], [OK, false], "nobody yet")
	server.stop()
	equal(second.listen(server.get_local_port(), ANY_ADDRESS), OK, "free again")


func test_connections_are_taken_oldest_first() -> void:
	if is_builtin():
		return
	var server := new_server()
	var clients: Array[PacketPeer] = []
	for i in 3:
		var client: PacketPeer = watch(new_ws())
		client.connect_to_url("ws://127.0.0.1:%d/%d" % [server.get_local_port(), i])
		check(until(func() -> bool: return state(client) == OPEN), "client %d is in" % i)
		clients.append(client)
	var taken: Array[PacketPeer] = []
	while until(server.is_connection_available, 0.2):
		taken.append(server.take_connection())
	equal(taken.map(func(peer: PacketPeer) -> String:
		return peer.get_requested_url().get_slice("/", 3)), ["0", "1", "2"], "in order")
	equal(taken.map(state), [OPEN, OPEN, OPEN], "open")
	equal(server.get_active_connections(), [] as Array[PacketPeer], "nothing has happened")
	clients[1].send_text("hello")
	check(until(func() -> bool: return server.get_active_connections().size() == 1), "one is active")
	equal(server.get_active_connections()[0], taken[1], "the one that got a message")
	taken[1].poll()
	equal(taken[1].get_packet().get_string_from_utf8(), "hello", "its message")
	equal(server.get_active_connections().size(), 0, "read")
	taken[0].send_text("answer")
	check(until_packets(clients[0], 1), "the other way")
	clients[2].close(4000, "bye")
	check(until(func() -> bool: return taken[2] in server.get_active_connections()), "an end is news")
	taken[2].poll()
	equal(ending(taken[2]), "CLOSED 4000 \"bye\"", "the end")
	clients[0].send_text("last")
	clients[0].close(4001, "gone")
	check(until(func() -> bool:
		for peer: PacketPeer in server.get_active_connections():
			peer.poll()
			peer.get_packets()
		return state(taken[0]) == CLOSED), "an end that came with a message is news too")
	equal([server.get_statistics().messages_in, server.get_statistics().messages_out], [2, 1], "sums")


func test_stopping_closes_who_was_not_taken() -> void:
	if is_builtin():
		return
	var server := new_server()
	var first: PacketPeer = watch(new_ws())
	first.connect_to_url("ws://127.0.0.1:%d/" % server.get_local_port())
	check(until(server.is_connection_available), "the first is in")
	var taken: PacketPeer = watch(server.take_connection())
	var second: PacketPeer = watch(new_ws())
	second.connect_to_url("ws://127.0.0.1:%d/" % server.get_local_port())
	check(until(server.is_connection_available), "the second is in")
	unwatch(server)
	server.stop(1012, "restarting")
	check(until_closed(second), "who was not taken is closed")
	equal(ending(second), "CLOSED 1012 \"restarting\"", "with the code")
	taken.send_text("still here")
	check(until_packets(first, 1), "who was taken lives on")
	expect_error("no close code")
	server.stop(999)


func test_rooms_on_one_port() -> void:
	if is_builtin():
		return
	var server := new_server()
	var rooms := {}
	for path: String in ["/red", "/blue"]:
		rooms[path] = watch(new_mp())
		equal(rooms[path].create_server_from(server, path), OK, "a room")
	equal(rooms["/red"].get_unique_id(), 1, "each is a server")
	var ids := {"/red": {}, "/blue": {}}
	var clients: Array[MultiplayerPeer] = []
	for i in 6:
		var client: MultiplayerPeer = watch(new_mp())
		var path: String = ["/red", "/blue"][i % 2]
		client.create_client("ws://127.0.0.1:%d%s" % [server.get_local_port(), path])
		check(until(func() -> bool: return connected(client)), "client %d" % i)
		ids[path][client.get_unique_id()] = true
		clients.append(client)
	for i in 6:
		clients[i].set_target_peer(1)
		clients[i].put_packet(PackedByteArray([i]))
	for path: String in rooms:
		var room: MultiplayerPeer = rooms[path]
		check(until(func() -> bool: return room.get_available_packet_count() == 3), "three packets")
		for i in 3:
			check(ids[path].has(room.get_packet_peer()), "only of its own")
			equal(room.get_packet()[0] % 2, int(path == "/blue"), "only to its own")
	rooms["/red"].set_target_peer(0)
	rooms["/red"].put_packet("red".to_utf8_buffer())
	check(until(func() -> bool: return clients[0].get_available_packet_count() == 1), "a broadcast")
	settle()
	equal(clients[1].get_available_packet_count(), 0, "stays in its room")
	check(not server.is_connection_available(), "the server hands out none of them")
	var lost: MultiplayerPeer = watch(new_mp())
	lost.create_client("ws://127.0.0.1:%d/green" % server.get_local_port())
	check(until(func() -> bool: return disconnected(lost)), "an unknown path")
	equal(lost.get_handshake_response_code(), 404, "404")


func test_a_room_that_closes_and_a_server_that_stops() -> void:
	if is_builtin():
		return
	var server := new_server()
	var room: MultiplayerPeer = watch(new_mp())
	room.create_server_from(server, "/room")
	var other := new_mp()
	for part in ["has the path", "is no path", "not null", "in use already"]:
		expect_error(part)
	equal(other.create_server_from(server, "/room"), ERR_ALREADY_IN_USE, "a taken path")
	equal(other.create_server_from(server, "room"), ERR_INVALID_PARAMETER, "no slash")
	equal(other.create_server_from(null), ERR_INVALID_PARAMETER, "null")
	equal(room.create_server_from(server, "/two"), ERR_ALREADY_IN_USE, "in use")
	var client: PacketPeer = watch(new_ws())
	client.connect_to_url("ws://127.0.0.1:%d/room" % server.get_local_port())
	check(until(func() -> bool: return state(client) == OPEN), "in the room")
	poll()
	room.close()
	check(until_closed(client), "closing the room closes its connections")
	equal(client.get_close_code(), 1001, "with 1001")
	equal(other.create_server_from(server, "/room"), OK, "the path is free")
	watch(other)
	var second := mp_client_at(server, "/room")
	check(until(func() -> bool: return connected(second)), "in the new room")
	unwatch(server)
	server.stop()
	other.set_target_peer(0)
	other.put_packet("on".to_utf8_buffer())
	check(until(func() -> bool: return second.get_available_packet_count() == 1), "rooms live on")
	expect_error("does not listen")
	equal(new_mp().create_server_from(server, "/late"), ERR_UNCONFIGURED, "no more rooms")


func test_rooms_with_a_callback_and_one_for_the_rest() -> void:
	if is_builtin():
		return
	var server := new_server(func(server: RefCounted) -> void:
		server.request_callback = func(request: RefCounted) -> void:
			if not request.is_websocket():
				request.respond(200, "%d" % server.get_local_port())
				return
			request.set_meta("path", request.get_path())
			request.accept())
	var lobby: MultiplayerPeer = watch(new_mp())
	var rest: MultiplayerPeer = new_mp()
	lobby.create_server_from(server, "/lobby")
	var in_lobby := mp_client_at(server, "/lobby?ticket=1")
	check(until(func() -> bool: return connected(in_lobby)), "in the lobby")
	var member: PacketPeer = lobby.get_peer(in_lobby.get_unique_id())
	equal(member.get_request().get_meta("path"), "/lobby", "the request came along")
	var raw: PacketPeer = watch(new_ws())
	raw.connect_to_url("ws://127.0.0.1:%d/raw" % server.get_local_port())
	check(until(server.is_connection_available), "no room has that path")
	equal(server.take_connection().get_request().get_meta("path"), "/raw", "the script has it")
	rest.create_server_from(server)
	watch(rest)
	var anywhere := mp_client_at(server, "/any/where")
	check(until(func() -> bool: return connected(anywhere)), "a room for the rest")
	var health := ask(server, "/health")
	equal(status(health), "HTTP/1.1 200 OK", "a health check beside them")
	equal(int(body(health)), server.get_local_port(), "its answer")
	lobby.refuse_new_connections = true
	server.request_callback = Callable()
	equal(status(ask_upgrade(server, "/lobby")), "HTTP/1.1 503 Service Unavailable", "a full room")


func mp_client_at(server: RefCounted, path: String) -> MultiplayerPeer:
	var client: MultiplayerPeer = watch(new_mp())
	client.create_client("ws://127.0.0.1:%d%s" % [server.get_local_port(), path])
	return client
