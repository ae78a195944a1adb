extends "res://tests/harness/case.gd"
## A multiplayer peer that says why it ends connections, and knows why its own has ended. The
## built-in class has none of it.


func test_a_kick_that_says_why() -> void:
	if is_builtin():
		return
	var session := mp_session(2)
	var client := session.clients[0]
	equal([client.get_close_code(), client.get_close_reason()], [-1, ""], "while connected")
	var seen := PackedStringArray()
	client.peer_disconnected.connect(func(_id: int) -> void:
		seen.append("%d %s" % [client.get_close_code(), client.get_close_reason()]))
	client.put_packet(bytes(3))
	until(func() -> bool: return session.server.get_available_packet_count() == 1)
	session.server.disconnect_peer_with_code(session.ids[0], 4003, "kicked by the referee")
	equal(session.server.get_available_packet_count(), 0, "nobody wants its packets")
	equal(session.server_events.size(), 2, "no signal at once")
	session.server.poll()
	equal(session.server_events, PackedStringArray(["connected A", "connected B", "disconnected A"]),
		"the next poll")
	check(until(func() -> bool: return disconnected(client)), "the client ends")
	equal(seen, PackedStringArray(["4003 kicked by the referee"]), "in the handler")
	equal([client.get_close_code(), client.get_close_reason()], [4003, "kicked by the referee"],
		"afterwards")
	equal([session.server.get_close_code(), session.server.get_close_reason()], [-1, ""],
		"on a server")
	client.create_client("ws://127.0.0.1:%d" % session.server.get_meta("port"))
	equal([client.get_close_code(), client.get_close_reason()], [-1, ""], "of the next session")
	mp_send(session.server, session.ids[1], "still here")
	equal(mp_receive(session.clients[1], 1), PackedStringArray(["1 still here"]), "the other")


func test_what_the_server_learns() -> void:
	if is_builtin():
		return
	var session := mp_session(2)
	var seen := PackedStringArray()
	session.server.peer_disconnected.connect(func(id: int) -> void:
		var peer: PacketPeer = session.server.get_peer(id)
		seen.append("%d %s" % [peer.get_close_code(), peer.get_close_reason()]))
	session.clients[0].close_with_code(4001, "rage quit")
	check(until(func() -> bool: return seen.size() == 1), "the first is gone")
	session.clients[1].disconnect_peer_with_code(1, 4002, "bored")
	check(until(func() -> bool: return disconnected(session.clients[1])), "the second is gone")
	check(until(func() -> bool: return seen.size() == 2), "and the server knows")
	equal(seen, PackedStringArray(["4001 rage quit", "4002 bored"]), "codes")
	equal(session.clients[1].get_close_code(), 4002, "a client that left by itself")


func test_a_server_that_restarts() -> void:
	if is_builtin():
		return
	var session := mp_session(3)
	session.server.close_with_code(1012, "restarting")
	equal(mp_status(session.server), "DISCONNECTED", "at once")
	equal(session.server_events.size(), 3, "no signal on this side")
	for client in session.clients:
		check(until(func() -> bool: return disconnected(client)), "a client ends")
		equal("%d %s" % [client.get_close_code(), client.get_close_reason()], "1012 restarting", "why")
	session.server.close_with_code(1012, "again")
	# Without arguments it is close().
	var second := mp_session()
	second.server.close_with_code()
	check(until(func() -> bool: return disconnected(second.clients[0])), "the client ends")
	equal(second.clients[0].get_close_code(), 1001, "the default")


func test_codes_are_checked() -> void:
	if is_builtin():
		return
	var session := mp_session(4)
	for code: int in [999, 1005, 5000, 70000]:
		expect_error("disconnect_peer_with_code: %d is no close code" % code)
		var id := session.ids[[999, 1005, 5000, 70000].find(code)]
		session.server.disconnect_peer_with_code(id, code, "x")
	for client in session.clients:
		check(until(func() -> bool: return disconnected(client)), "it is closed all the same")
		equal([client.get_close_code(), client.get_close_reason()], [1000, "x"], "with 1000")
	for id: int in [session.ids[0], 1, 0, -7, 1 << 40]:
		expect_error("disconnect_peer_with_code: there is no peer %d" % id)
		session.server.disconnect_peer_with_code(id, 4000)
	var long := mp_session(2)
	long.server.disconnect_peer_with_code(long.ids[0], 4000, "ü".repeat(200))
	long.server.disconnect_peer_with_code(long.ids[1], -1, "no close frame")
	for client in long.clients:
		check(until(func() -> bool: return disconnected(client)), "closed")
	equal(long.clients[0].get_close_reason(), "ü".repeat(61), "cut at a character")
	equal(long.clients[1].get_close_code(), -1, "no code")
	expect_error("close_with_code: 12 is no close code")
	long.server.close_with_code(12)
	equal(mp_status(long.server), "DISCONNECTED", "closed all the same")
	new_mp().close_with_code(4000, "nobody is there")


func test_half_of_an_emoji_as_the_reason() -> void:
	if is_builtin():
		return
	var session := mp_session(1)
	var half := PackedByteArray([0x3c, 0xd8]).get_string_from_utf16()
	if half.is_empty():
		return # the engine does not make one
	allow_error("disconnect_peer_with_code: the reason holds")
	session.server.disconnect_peer_with_code(session.ids[0], 4000, half)
	check(until(func() -> bool: return disconnected(session.clients[0])), "closed all the same")
	equal(session.clients[0].get_close_code(), 4000, "with its code")
