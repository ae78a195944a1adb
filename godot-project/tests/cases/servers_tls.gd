extends "res://tests/harness/tls_case.gd"
## `RustWebSocketServer` with TLS, and what its requests tell of it.


func runs_mixed() -> bool:
	return false


func test_a_server_with_tls() -> void:
	if impl != "rust":
		check(true, "")
		return
	var pair := made()
	var server: RefCounted = ClassDB.instantiate("RustWebSocketServer")
	var kept: Array[RefCounted] = []
	server.request_callback = func(request: RefCounted) -> void: kept.append(request)
	expect_error("does not listen")
	equal(server.set_tls_options(server_of(pair)), ERR_UNCONFIGURED, "before listen()")
	equal(server.listen(0, ANY_ADDRESS, server_of(pair)), OK, "listen")
	watch(server)
	var client: PacketPeer = watch(new_ws())
	client.connect_to_url("wss://localhost:%d/room" % server.get_local_port(),
		TLSOptions.client(pair[1]))
	check(until(func() -> bool: return kept.size() == 1), "a request")
	var request: RefCounted = kept[0]
	equal([request.is_secure(), request.get_tls_server_name()], [true, "localhost"], "of a TLS client")
	check(request.get_tls_client_certificate() == null, "which shows no certificate")
	var renewed := made("renewed")
	equal(server.set_tls_options(server_of(renewed)), OK, "exchanged while it waits")
	request.accept()
	check(until(server.is_connection_available), "it comes in")
	var peer: PacketPeer = watch(server.take_connection())
	check(peer.get_requested_url().begins_with("wss://"), "its URL")
	check(until(func() -> bool: return state(client) == OPEN), "the client knows")
	client.send_text("over TLS")
	equal(receive_text(peer, 1), PackedStringArray(["over TLS"]), "a message")
	var room: MultiplayerPeer = watch(new_mp())
	equal(room.create_server_from(server, "/mp"), OK, "a room")
	server.request_callback = Callable()
	var member: MultiplayerPeer = watch(new_mp())
	member.create_client("wss://localhost:%d/mp" % server.get_local_port(),
		TLSOptions.client(renewed[1]))
	check(until(func() -> bool: return connected(member)), "a member, with the new certificate")
	check(passes_data(member, room), "packets pass")
	unwatch(server)
	server.stop()
	var plain: RefCounted = ClassDB.instantiate("RustWebSocketServer")
	plain.listen(0, ANY_ADDRESS)
	expect_error("listens without TLS")
	equal(plain.set_tls_options(server_of(pair)), ERR_UNAVAILABLE, "a server without TLS")
