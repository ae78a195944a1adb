extends "res://tests/harness/case.gd"
## Why a multiplayer client failed: readable after its status went to DISCONNECTED, until the next
## session. The built-in class has nothing of this.


func test_answer_that_is_no_upgrade_stays_readable() -> void:
	if is_builtin():
		return
	var client := _asking(func(raw: RawPeer) -> void:
		raw.send_ascii("HTTP/1.1 403 Forbidden\r\nX-Reason: full\r\nContent-Length: 4\r\n\r\nFull"))
	_says(client, "HTTP status 403")
	equal(client.get_handshake_response_code(), 403, "code")
	check("X-Reason: full" in client.get_handshake_response_headers(), "the header is there")
	equal(client.get_handshake_response_body().get_string_from_utf8(), "Full", "body")
	client.close()
	equal(client.get_handshake_response_code(), 403, "code after close()")
	equal(client.create_client("ws://127.0.0.1:%d" % free_port()), OK, "create_client")
	equal([client.get_handshake_response_code(), client.get_error_message()], [0, ""],
		"forgotten by the next session")
	equal([client.get_handshake_response_headers().size(),
		client.get_handshake_response_body().size()], [0, 0], "all of it")


func test_port_where_nobody_listens() -> void:
	if is_builtin():
		return
	var client: MultiplayerPeer = watch(new_mp())
	equal(client.create_client("ws://127.0.0.1:%d" % free_port()), OK, "create_client")
	check(until(func() -> bool: return disconnected(client)), "the attempt ends")
	_says(client, "TCP connection failed")


func test_handshake_timeout_says_what_did_not_finish() -> void:
	if is_builtin():
		return
	var client := _asking(func(_raw: RawPeer) -> void: pass, 0.1)
	_says(client, "WebSocket handshake did not finish in time: the handshake timeout of 100ms")
	client = _asking(func(raw: RawPeer) -> void: raw.accept_upgrade(), 0.1)
	_says(client, "peer id in time: the handshake timeout of 100ms")


func test_server_that_is_no_multiplayer_server() -> void:
	if is_builtin():
		return
	_says(_asking(func(raw: RawPeer) -> void:
		raw.accept_upgrade()
		raw.send_message("Welcome to the chat!")), "20 bytes instead of a peer id")
	_says(_asking(func(raw: RawPeer) -> void:
		raw.accept_upgrade()
		raw.send_frame(RawPeer.BINARY, PackedByteArray([1, 0, 0, 0]))), "peer id 1")


## A server that stops says so (1001); one that sends a client away ends the connection cleanly.
func test_end_of_a_session() -> void:
	if is_builtin():
		return
	var session := mp_session(2)
	session.server.disconnect_peer(session.ids[0])
	check(until(func() -> bool: return disconnected(session.clients[0])), "the first is out")
	equal(session.clients[0].get_error_message(), "", "sent away")
	session.server.close()
	check(until(func() -> bool: return disconnected(session.clients[1])), "the second is out")
	_says(session.clients[1], "1001")
	equal(session.server.get_error_message(), "", "server")


func test_own_close_is_no_error() -> void:
	if is_builtin():
		return
	var session := mp_session(1)
	session.clients[0].close()
	equal(session.clients[0].get_error_message(), "", "client")


## The server's handler learns why a member was lost.
func test_reason_of_a_lost_member() -> void:
	if is_builtin():
		return
	var server := mp_server()
	var reasons := PackedStringArray()
	server.peer_disconnected.connect(func(id: int) -> void:
		reasons.append(server.get_peer(id).get_error_message()))
	var raw := mp_raw_client(server)
	until(func() -> bool: return raw.received.size() >= 6)
	raw.send_frame(RawPeer.TEXT, bytes(1), 0xC0)
	check(until(func() -> bool: return reasons.size() == 1), "the member is lost")
	check(reasons[0].contains("reserved bit"), "the reason: " + reasons[0])


func test_close_timeout_of_members() -> void:
	if is_builtin():
		return
	var server := mp_server(func(peer: Object) -> void: peer.close_timeout = 0.5)
	var ids: Array[int] = []
	server.peer_connected.connect(func(id: int) -> void: ids.append(id))
	var raw := mp_raw_client(server)
	check(until(func() -> bool: return ids.size() == 1), "the member is in")
	server.disconnect_peer(ids[0])
	check(until(func() -> bool: return raw.ended, 3.0),
		"a member that never answers the close frame is let go")
	expect_error("close_timeout")
	server.close_timeout = 0.0
	equal(server.close_timeout, 0.5, "a refused value changes nothing")


func test_round_trip_time_of_a_member() -> void:
	if is_builtin():
		return
	var session := mp_session(1, func(peer: Object) -> void: peer.heartbeat_interval = 0.02)
	var member: PacketPeer = session.server.get_peer(session.ids[0])
	check(until(func() -> bool: return member.get_round_trip_time() >= 0.0), "it becomes known")
	check(member.get_round_trip_time() < 5.0, "it is sensible: %f" % member.get_round_trip_time())
	check(until(func() -> bool: return session.clients[0].get_peer(1).get_round_trip_time() >= 0.0),
		"on the client too")


## A client whose request has reached a raw server, which then does `answer.call(raw)`; waits until
## it has failed.
func _asking(answer: Callable, timeout := 3.0) -> MultiplayerPeer:
	var tcp := listen()
	var client: MultiplayerPeer = watch(new_mp())
	client.handshake_timeout = timeout
	equal(client.create_client("ws://127.0.0.1:%d" % tcp.get_local_port()), OK, "create_client")
	var raw: RawPeer = watch(RawPeer.new(take(tcp)))
	check(until(func() -> bool: return not raw.head().is_empty()), "the request arrives")
	answer.call(raw)
	check(until(func() -> bool: return disconnected(client)), "the attempt ends")
	unwatch(raw)
	raw.close()
	return client


func _says(client: MultiplayerPeer, part: String) -> void:
	var message: String = client.get_error_message()
	note(message)
	check(message.contains(part), "'%s' speaks of '%s'" % [message, part])
