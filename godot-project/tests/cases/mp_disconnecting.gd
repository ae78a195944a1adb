extends "res://tests/harness/case.gd"
## `disconnect_peer`, kicks through `get_peer`, and what is shown when.


func runs_mixed() -> bool:
	return true


func test_server_disconnects_a_client() -> void:
	var session := mp_session(2)
	session.server.disconnect_peer(session.ids[0])
	same("at_once", session.server_events, PackedStringArray(["connected A", "connected B"]))
	session.server.poll()
	same("next_poll", session.server_events,
		PackedStringArray(["connected A", "connected B", "disconnected A"]))
	same("client_ends", until(func() -> bool: return disconnected(session.clients[0])), true)
	same("client_events", session.client_events[0],
		PackedStringArray(["connected 1", "disconnected 1"]))
	same("other_client", session.client_events[1], PackedStringArray(["connected 1"]))
	mp_send(session.server, 0, "left")
	same("other_client_receives", mp_receive(session.clients[1], 1), PackedStringArray(["1 left"]))


func test_close_code_of_disconnect_peer() -> void:
	var session := mp_session()
	var seen := PackedStringArray()
	var client := session.clients[0]
	client.peer_disconnected.connect(func(_id: int) -> void: seen.append(ending(client.get_peer(1))))
	session.server.disconnect_peer(session.ids[0])
	until(func() -> bool: return disconnected(client))
	same("client_sees", seen, PackedStringArray(["CLOSED 1000 \"\""]))


func test_client_disconnects_its_server() -> void:
	var session := mp_session()
	var client := session.clients[0]
	client.disconnect_peer(1)
	same("status_at_once", mp_status(client), "CONNECTED")
	expect_error("clos|open|connect")
	same("put_packet", client.put_packet(bytes(1)), FAILED)
	same("disconnected", until(func() -> bool: return disconnected(client)), true)
	same("events", session.client_events[0], PackedStringArray(["connected 1", "disconnected 1"]))
	until(func() -> bool: return session.server_events.size() == 2)
	same("server_events", session.server_events, PackedStringArray(["connected A", "disconnected A"]))


func test_server_disconnects_by_force() -> void:
	var session := mp_session(2)
	session.server.disconnect_peer(session.ids[0], true)
	expect_error("peer|id")
	same("gone", session.server.get_peer(session.ids[0]) == null, true)
	settle(0.02)
	same("server_events", session.server_events, PackedStringArray(["connected A", "connected B"]))
	same("client_ends", until(func() -> bool: return disconnected(session.clients[0])), true)
	same("client_events", session.client_events[0],
		PackedStringArray(["connected 1", "disconnected 1"]))
	allow_error("peer|target")
	same("send", mp_send(session.server, session.ids[0], "x"), ERR_INVALID_PARAMETER)


func test_close_codes_by_force() -> void:
	var session := mp_session(2)
	var seen := PackedStringArray()
	var client := session.clients[0]
	client.peer_disconnected.connect(func(_id: int) -> void: seen.append(ending(client.get_peer(1))))
	session.server.disconnect_peer(session.ids[0], true)
	until(func() -> bool: return disconnected(client))
	same("client_sees", seen, PackedStringArray(["CLOSED 1000 \"\""]))
	session.server.peer_disconnected.connect(func(id: int) -> void:
		seen.append(ending(session.server.get_peer(id))))
	session.clients[1].disconnect_peer(1, true)
	until(func() -> bool: return seen.size() == 2)
	same("server_sees", seen.slice(1), PackedStringArray(["CLOSED 1000 \"\""]))


func test_client_disconnects_by_force() -> void:
	var session := mp_session()
	session.clients[0].disconnect_peer(1, true)
	same("status", mp_status(session.clients[0]), "DISCONNECTED")
	same("id", session.clients[0].get_unique_id(), 0)
	same("client_events", session.client_events[0], PackedStringArray(["connected 1"]))
	until(func() -> bool: return session.server_events.size() == 2)
	same("server_events", session.server_events, PackedStringArray(["connected A", "disconnected A"]))
	settle(0.02)
	same("client_events_later", session.client_events[0], PackedStringArray(["connected 1"]))


func test_disconnecting_nobody() -> void:
	var session := mp_session()
	allow_error("peer|id")
	session.server.disconnect_peer(unknown_id(session))
	allow_error("peer|id")
	session.server.disconnect_peer(unknown_id(session), true)
	mp_send(session.server, 0, "still here")
	same("received", mp_receive(session.clients[0], 1), PackedStringArray(["1 still here"]))


func test_kick_with_a_code() -> void:
	var session := mp_session()
	var seen := PackedStringArray()
	var client := session.clients[0]
	client.peer_disconnected.connect(func(_id: int) -> void: seen.append(ending(client.get_peer(1))))
	session.server.get_peer(session.ids[0]).close(4321, "be nice")
	same("at_once", session.server_events, PackedStringArray(["connected A"]))
	session.server.poll()
	same("next_poll", session.server_events, PackedStringArray(["connected A", "disconnected A"]))
	until(func() -> bool: return disconnected(client))
	same("client_sees", seen, PackedStringArray(["CLOSED 4321 \"be nice\""]))


## What a client had sent before it was kicked is dropped by ours, and handed out by the built-in.
func test_packets_of_a_disconnected_peer() -> void:
	var session := mp_session()
	session.clients[0].put_packet("late".to_utf8_buffer())
	until(func() -> bool: return session.server.get_available_packet_count() == 1)
	session.server.disconnect_peer(session.ids[0])
	session.server.poll()
	ours("after_poll", is_ours(session.server), session.server.get_available_packet_count(), 0)


## A server that hangs up tells its clients 1001, a client 1000; the built-in server says nothing.
func test_close_codes_of_close() -> void:
	var session := mp_session()
	var seen := PackedStringArray()
	var client := session.clients[0]
	client.peer_disconnected.connect(func(_id: int) -> void: seen.append(ending(client.get_peer(1))))
	session.server.close()
	until(func() -> bool: return disconnected(client))
	ours("client_sees", is_ours(session.server), seen, PackedStringArray(["CLOSED 1001 \"\""]))
	var second := mp_session()
	var seen_by_server := PackedStringArray()
	second.server.peer_disconnected.connect(func(id: int) -> void:
		seen_by_server.append(ending(second.server.get_peer(id))))
	second.clients[0].close()
	until(func() -> bool: return seen_by_server.size() == 1)
	ours("server_sees", is_ours(second.clients[0]), seen_by_server,
		PackedStringArray(["CLOSED 1000 \"\""]))


## What a server accepted before `close` arrives. A built-in client loses it when it comes together
## with the end.
func test_accepted_before_close_of_the_server_arrives() -> void:
	var session := mp_session()
	for i in 20:
		mp_send(session.server, 0, "s%d" % i)
	session.server.close()
	var got := PackedStringArray()
	until(func() -> bool:
		got.append_array(mp_take(session.clients[0]))
		return (disconnected(session.clients[0])
			and session.clients[0].get_available_packet_count() == 0), 2.0)
	ours("all_received", impl_is_ours(), got.size() == 20, true)


func test_accepted_before_close_of_the_client_arrives() -> void:
	var session := mp_session()
	for i in 20:
		mp_send(session.clients[0], 1, "c%d" % i)
	session.clients[0].close()
	var got := PackedStringArray()
	until(func() -> bool:
		got.append_array(mp_take(session.server))
		return session.server_events.size() == 2, 2.0)
	ours("all_received", is_ours(session.server), got.size() == 20, true)


func test_get_peer() -> void:
	var session := mp_session(2)
	var peer: PacketPeer = session.server.get_peer(session.ids[0])
	same("state", state_name(peer), "OPEN")
	same("address", peer.get_connected_host(), "127.0.0.1")
	same("same_object", session.server.get_peer(session.ids[0]) == peer, true)
	same("other_object", session.server.get_peer(session.ids[1]) != peer, true)
	same("class", named_plain(peer.get_class()), "WebSocketPeer")
	same("requested_url", peer.get_requested_url() == "ws://127.0.0.1:%d/"
		% session.server.get_meta("port"), true)
	same("send", peer.send_text("direct"), OK)
	same("received", mp_receive(session.clients[0], 1), PackedStringArray(["1 direct"]))
	var server_of_client: PacketPeer = session.clients[0].get_peer(1)
	same("client_side", state_name(server_of_client), "OPEN")
	expect_error("peer|id")
	same("unknown", session.server.get_peer(unknown_id(session)) == null, true)


func test_get_peer_of_a_connecting_client() -> void:
	var server := mp_server()
	var client := mp_client(server)
	same("state", state_name(client.get_peer(1)), "CONNECTING")
	same("url", client.get_peer(1).get_requested_url() == "ws://127.0.0.1:%d"
		% server.get_meta("port"), true)
	same("in", until(func() -> bool: return connected(client)), true)


## A peer that was asked for stays usable after the connection is gone.
func test_get_peer_outlives_the_connection() -> void:
	var session := mp_session()
	var peer: PacketPeer = session.server.get_peer(session.ids[0])
	session.clients[0].close()
	until(func() -> bool: return session.server_events.size() == 2)
	same("state", state_name(peer), "CLOSED")
	expect_error("peer|id")
	same("no_more", session.server.get_peer(session.ids[0]) == null, true)


## In the handlers of both signals the peer can be asked; on the client nothing is reset yet.
func test_what_handlers_can_ask() -> void:
	var server := mp_server()
	var seen := PackedStringArray()
	server.peer_connected.connect(func(id: int) -> void:
		seen.append("server + %s %s" % [state_name(server.get_peer(id)), server.get_peer_address(id)]))
	server.peer_disconnected.connect(func(id: int) -> void:
		seen.append("server - %s %s"
			% [ending(server.get_peer(id)),
			server.get_peer(id).get_requested_url().begins_with("ws://127.0.0.1:")]))
	var client := new_mp()
	client.peer_connected.connect(func(id: int) -> void:
		seen.append("client + %s %s %s" % [mp_status(client), client.get_unique_id() > 1,
			state_name(client.get_peer(id))]))
	client.peer_disconnected.connect(func(id: int) -> void:
		seen.append("client - %s %s %s" % [mp_status(client), client.get_unique_id() > 1,
			ending(client.get_peer(id))]))
	client.create_client("ws://127.0.0.1:%d" % server.get_meta("port"))
	watch(client)
	until(func() -> bool: return seen.size() == 2)
	client.get_peer(1).close(4000, "x")
	until(func() -> bool: return seen.size() == 4)
	seen.sort()
	same("seen", seen,
		PackedStringArray(["client + CONNECTED true OPEN", "client - CONNECTED true CLOSED 4000 \"x\"",
		"server + OPEN 127.0.0.1", "server - CLOSED 4000 \"x\" true"]))
	same("after", "%s %d" % [mp_status(client), client.get_unique_id()], "DISCONNECTED 0")
