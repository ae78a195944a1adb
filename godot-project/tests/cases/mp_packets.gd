extends "res://tests/harness/case.gd"
## Packets between a multiplayer server and its clients: targets, getters, order, errors.


func runs_mixed() -> bool:
	return true


func test_targets_of_a_server() -> void:
	var session := mp_session(3)
	var ids := session.ids
	same("all", mp_send(session.server, 0, "all"), OK)
	same("one", mp_send(session.server, ids[1], "one"), OK)
	same("all_but_one", mp_send(session.server, -ids[0], "all but A"), OK)
	same("broadcast_constant", mp_send(session.server, MultiplayerPeer.TARGET_PEER_BROADCAST, "end"),
		OK)
	same("A", mp_receive(session.clients[0], 2), PackedStringArray(["1 all", "1 end"]))
	same("B", mp_receive(session.clients[1], 4),
		PackedStringArray(["1 all", "1 one", "1 all but A", "1 end"]))
	same("C", mp_receive(session.clients[2], 3), PackedStringArray(["1 all", "1 all but A", "1 end"]))


func test_targets_that_are_not_there() -> void:
	var session := mp_session(1)
	var unknown := unknown_id(session)
	expect_error("peer|target")
	allow_error("peer|target")
	same("unknown", mp_send(session.server, unknown, "x"), ERR_INVALID_PARAMETER)
	same("server_itself", mp_send(session.server, 1, "x"), ERR_INVALID_PARAMETER)
	same("all_but_unknown", mp_send(session.server, -unknown, "all"), OK)
	same("all_but_server", mp_send(session.server, -1, "all"), OK)
	mp_send(session.server, 0, "end")
	same("received", mp_receive(session.clients[0], 3), PackedStringArray(["1 all", "1 all", "1 end"]))


func test_server_without_peers() -> void:
	var server := mp_server()
	same("all", mp_send(server, 0, "x"), OK)
	same("all_but_one", mp_send(server, -5, "x"), OK)
	expect_error("peer|target")
	same("one", mp_send(server, 5, "x"), ERR_INVALID_PARAMETER)


## Whatever a client aims at goes to the server.
func test_targets_of_a_client() -> void:
	var session := mp_session(2)
	for target: int in [0, 1, session.ids[1], -1, 12345]:
		equal(mp_send(session.clients[0], target, "to %d" % target if target < 2 else "to other"), OK,
			"put_packet to %d" % target)
	same("server", mp_receive(session.server, 5),
		PackedStringArray(["A to 0", "A to 1", "A to other", "A to -1", "A to other"]))
	settle(0.02)
	same("other_client", mp_take(session.clients[1]), PackedStringArray())


func test_packet_getters() -> void:
	var session := mp_session()
	same("empty_peer", session.server.get_packet_peer(), 1)
	session.clients[0].put_packet("x".to_utf8_buffer())
	check(until(func() -> bool: return session.server.get_available_packet_count() == 1), "arrives")
	same("peer", label(session.server.get_packet_peer()), "A")
	same("mode", session.server.get_packet_mode(), MultiplayerPeer.TRANSFER_MODE_RELIABLE)
	same("channel", session.server.get_packet_channel(), 0)
	same("packet", session.server.get_packet().get_string_from_utf8(), "x")
	same("count", session.server.get_available_packet_count(), 0)
	session.server.set_target_peer(session.ids[0])
	session.server.put_packet("y".to_utf8_buffer())
	check(until(func() -> bool: return session.clients[0].get_available_packet_count() == 1),
		"comes back")
	same("peer_of_a_client", session.clients[0].get_packet_peer(), 1)


func test_transfer_settings_keep_what_is_set() -> void:
	var session := mp_session()
	var server := session.server
	server.transfer_mode = MultiplayerPeer.TRANSFER_MODE_UNRELIABLE
	server.transfer_channel = 3
	same("set", "%d %d" % [server.transfer_mode, server.transfer_channel], "0 3")
	mp_send(server, 0, "still reliable")
	same("received", mp_receive(session.clients[0], 1), PackedStringArray(["1 still reliable"]))
	server.close()
	same("after_close", "%d %d" % [server.transfer_mode, server.transfer_channel], "0 3")


func test_calls_while_not_connected() -> void:
	var peer := new_mp()
	expect_error("connect|active|server|client")
	same("put_packet", peer.put_packet(bytes(1)), ERR_UNCONFIGURED)
	allow_error("connect|active|server|client")
	same("get_packet", peer.get_packet(), PackedByteArray())
	same("get_packet_error", peer.get_packet_error(), ERR_UNCONFIGURED)
	var server := mp_server()
	var client := mp_client(server)
	expect_error("connect|active|server|client")
	same("put_packet_connecting", client.put_packet(bytes(1)), ERR_UNCONFIGURED)


func test_get_packet_on_an_empty_peer() -> void:
	var server := mp_server()
	same("packet", server.get_packet(), PackedByteArray())
	same("error", server.get_packet_error(), ERR_UNAVAILABLE)


## Text or binary, a message is one packet; an empty one is none.
func test_kinds_of_messages() -> void:
	var session := mp_session()
	var socket: PacketPeer = session.clients[0].get_peer(1)
	socket.send_text("text")
	socket.send("binary".to_utf8_buffer())
	socket.send(PackedByteArray())
	socket.send_text("")
	socket.send_text("end")
	same("packets", mp_receive(session.server, 3), PackedStringArray(["A text", "A binary", "A end"]))
	settle(0.02)
	same("left", session.server.get_available_packet_count(), 0)


func test_packets_keep_their_order() -> void:
	var session := mp_session(2)
	for i in 500:
		for client in session.clients:
			client.put_packet(numbered(i, 50))
	var next: Dictionary[int, int] = {session.ids[0]: 0, session.ids[1]: 0}
	var wrong := [0]
	until(func() -> bool:
		while session.server.get_available_packet_count() > 0:
			var sender := session.server.get_packet_peer()
			if session.server.get_packet().decode_u32(0) != next[sender]:
				wrong[0] += 1
			next[sender] += 1
		return next[session.ids[0]] + next[session.ids[1]] >= 1000)
	same("counts", next.values(), [500, 500])
	same("wrong", wrong[0], 0)


func test_large_packets() -> void:
	var session := mp_session(1, func(peer: Object) -> void:
		peer.inbound_buffer_size = 1 << 20
		peer.outbound_buffer_size = 1 << 20)
	for size: int in [1, 125, 126, 65535, 65536, 500000]:
		session.clients[0].put_packet(bytes(size, 7))
		check(until(func() -> bool: return session.server.get_available_packet_count() == 1),
			"%d bytes arrive" % size)
		equal(session.server.get_packet(), bytes(size, 7), "%d bytes to the server" % size)
		session.server.set_target_peer(0)
		session.server.put_packet(bytes(size, 8))
		check(until(func() -> bool: return session.clients[0].get_available_packet_count() == 1),
			"%d bytes come back" % size)
		equal(session.clients[0].get_packet(), bytes(size, 8), "%d bytes to the client" % size)
	saw("done", true)


func test_burst_of_a_broadcast() -> void:
	var session := mp_session(3)
	session.server.set_target_peer(0)
	var accepted := 0
	for i in 1000:
		if session.server.put_packet(numbered(i, 500)) == OK:
			accepted += 1
	same("accepted", accepted, 1000)
	for client in session.clients:
		var got := receive(client, 1000)
		equal(got.size(), 1000, "packets of a client")
		equal(in_order(got), true, "their order")


func test_variants_and_empty_packets() -> void:
	var session := mp_session()
	same("put_var", session.clients[0].put_var({"a": [1, 2]}), OK)
	same("empty", session.clients[0].put_packet(PackedByteArray()), OK)
	check(until(func() -> bool: return session.server.get_available_packet_count() == 1), "arrives")
	same("value", session.server.get_var(), {"a": [1, 2]})


## A client's loss is shown after its last packets, and before anything else about it can be asked.
func test_packets_before_the_signal_of_the_end() -> void:
	var session := mp_session()
	unwatch(session.clients[0])
	for i in 5:
		session.clients[0].put_packet(str(i).to_utf8_buffer())
	until(func() -> bool: return session.server.get_available_packet_count() == 5)
	session.clients[0].close()
	settle(0.02)
	saw("waiting_after_the_end", session.server.get_available_packet_count())
	until(func() -> bool: return session.server_events.size() == 2)
	same("events", session.server_events, PackedStringArray(["connected A", "disconnected A"]))


## Neither signals nor packets nor states change without the peer's own `poll`.
func test_nothing_changes_without_a_poll() -> void:
	var server := mp_server()
	var events := PackedStringArray()
	record(server, func(event: String) -> void: events.append(event))
	var client := mp_client(server)
	unwatch(client)
	settle(0.03)
	same("status_unpolled", mp_status(client), "CONNECTING")
	watch(client)
	until(func() -> bool: return connected(client) and events.size() == 1)
	unwatch(server)
	var id := client.get_unique_id()
	client.put_packet("x".to_utf8_buffer())
	settle(0.03)
	same("packets_unpolled", server.get_available_packet_count(), 0)
	client.close()
	settle(0.03)
	same("events_unpolled", events, PackedStringArray(["connected A"]))
	same("state_unpolled", state_name(server.get_peer(id)), "OPEN")


func test_settings_of_connections_made_later() -> void:
	var session := mp_session()
	session.server.outbound_buffer_size = 100
	same("old_connection", mp_send(session.server, session.ids[0], "x".repeat(500)), OK)
	var client := mp_client(session.server)
	check(until(func() -> bool: return connected(client) and session.server_events.size() == 2),
		"a second client gets in")
	expect_error("outbound|buffer")
	ours("new_connection", is_ours(session.server),
		mp_send(session.server, client.get_unique_id(), "x".repeat(500)), ERR_OUT_OF_MEMORY)
	same("live_setting", session.server.get_peer(client.get_unique_id()).outbound_buffer_size, 100)
	session.server.get_peer(session.ids[0]).outbound_buffer_size = 50
	expect_error("outbound|buffer")
	ours("live_change", is_ours(session.server),
		mp_send(session.server, session.ids[0], "x".repeat(500)), ERR_OUT_OF_MEMORY)
	same("received", mp_receive(session.clients[0], 1).size(), 1)


## A packet to all, one of whom has a limit of its own that refuses it.
func test_broadcast_past_a_peer_with_settings_of_its_own() -> void:
	var session := mp_session(3)
	session.server.get_peer(session.ids[1]).outbound_buffer_size = 50
	expect_error("outbound|buffer")
	ours("answer", is_ours(session.server), mp_send(session.server, 0, "x".repeat(500)),
		ERR_OUT_OF_MEMORY)
	same("small", mp_send(session.server, 0, "small"), OK)
	for index in [0, 2]:
		same("received %d" % index, mp_receive(session.clients[index], 2).size(), 2)
	same("received 1", mp_receive(session.clients[1], 1), PackedStringArray(["%s small" % label(1)]))
