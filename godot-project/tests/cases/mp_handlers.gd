extends "res://tests/harness/case.gd"
## Signal handlers and calls in the middle of a poll that close, disconnect, or let go of the peer
## they come from.


func runs_mixed() -> bool:
	return true


func test_handler_closes_the_server() -> void:
	var server := mp_server()
	var seen := PackedStringArray()
	server.peer_connected.connect(func(_id: int) -> void:
		seen.append("connected")
		server.close())
	var client := mp_client(server)
	until(func() -> bool: return seen.size() == 1)
	same("seen", seen, PackedStringArray(["connected"]))
	same("server", mp_status(server), "DISCONNECTED")
	same("client_ends", until(func() -> bool: return disconnected(client)), true)


func test_handler_closes_the_client() -> void:
	var server := mp_server()
	var client := mp_client(server)
	var seen := PackedStringArray()
	client.peer_connected.connect(func(_id: int) -> void:
		seen.append("connected")
		client.close())
	until(func() -> bool: return disconnected(client))
	same("seen", seen, PackedStringArray(["connected"]))
	same("client", mp_status(client), "DISCONNECTED")


func test_handler_of_the_end_closes_again() -> void:
	var session := mp_session()
	var client := session.clients[0]
	client.peer_disconnected.connect(func(_id: int) -> void: client.close())
	session.server.peer_disconnected.connect(func(_id: int) -> void: session.server.close())
	session.server.disconnect_peer(session.ids[0])
	until(func() -> bool: return disconnected(client) and disconnected(session.server))
	same("client", mp_status(client), "DISCONNECTED")
	same("server", mp_status(session.server), "DISCONNECTED")
	same("server_events", session.server_events, PackedStringArray(["connected A", "disconnected A"]))


func test_handler_disconnects_the_newcomer() -> void:
	for force: bool in [false, true]:
		var key := "force" if force else "plain"
		var server := mp_server()
		var events := PackedStringArray()
		record(server, func(event: String) -> void: events.append(event.get_slice(" ", 0)))
		server.peer_connected.connect(func(id: int) -> void: server.disconnect_peer(id, force))
		var client := mp_client(server)
		until(func() -> bool: return disconnected(client))
		same(key + "_client", mp_status(client), "DISCONNECTED")
		settle(0.02)
		same(key + "_events", events, PackedStringArray(["connected"]) if force
			else PackedStringArray(["connected", "disconnected"]))
		same(key + "_server", mp_status(server), "CONNECTED")


## One client's arrival throws out another.
func test_handler_disconnects_somebody_else() -> void:
	var session := mp_session(1)
	session.server.peer_connected.connect(func(_id: int) -> void:
		session.server.disconnect_peer(session.ids[0], true))
	var second := mp_client(session.server)
	same("second_in", until(func() -> bool: return connected(second)), true)
	same("first_out", until(func() -> bool: return disconnected(session.clients[0])), true)
	same("events", session.server_events, PackedStringArray(["connected A", "connected B"]))


func test_handler_sends_at_once() -> void:
	var server := mp_server()
	server.peer_connected.connect(func(id: int) -> void:
		server.set_target_peer(id)
		server.put_packet("welcome".to_utf8_buffer()))
	var client := mp_client(server)
	client.peer_connected.connect(func(_id: int) -> void: client.put_packet("thanks".to_utf8_buffer()))
	same("client", mp_receive(client, 1), PackedStringArray(["1 welcome"]))
	until(func() -> bool: return server.get_available_packet_count() == 1)
	same("server", server.get_packet().get_string_from_utf8(), "thanks")


## The built-in resets the client after its handlers, with what they have set up; ours keeps it.
func test_handler_connects_again() -> void:
	var session := mp_session()
	var client := session.clients[0]
	var port: int = session.server.get_meta("port")
	var answers: Array[int] = []
	client.peer_disconnected.connect(func(_id: int) -> void:
		if answers.is_empty():
			client.close()
			answers.append(client.create_client("ws://127.0.0.1:%d" % port)))
	session.server.disconnect_peer(session.ids[0])
	until(func() -> bool: return session.server_events.size() == 3 and connected(client), 0.5)
	same("answers", answers, [OK])
	ours("status", impl_is_ours(), mp_status(client), "CONNECTED")


## A client that takes over when its server is gone.
func test_handler_becomes_the_server() -> void:
	var session := mp_session()
	var client := session.clients[0]
	var port := free_port()
	var answers: Array[int] = []
	client.peer_disconnected.connect(func(_id: int) -> void:
		client.close()
		answers.append(client.create_server(port, ANY_ADDRESS)))
	session.server.close()
	until(func() -> bool: return answers.size() == 1)
	same("answers", answers, [OK])
	settle(0.02)
	ours("status", impl_is_ours(), mp_status(client), "CONNECTED")
	ours("id", impl_is_ours(), client.get_unique_id(), 1)


## A server that starts anew while somebody comes in.
func test_handler_starts_the_server_anew() -> void:
	var server := mp_server()
	var answers: Array[int] = []
	server.peer_connected.connect(func(_id: int) -> void:
		if answers.is_empty():
			server.close()
			answers.append(server.create_server(server.get_meta("port"), ANY_ADDRESS)))
	var client := mp_client(server)
	check(until(func() -> bool: return disconnected(client)), "the client of the old server is out")
	same("answers", answers, [OK])
	client = mp_client(server)
	same("in", until(func() -> bool: return connected(client)), true)


## The last reference goes while the loss of the connection is being told.
func test_handler_of_the_end_drops_the_peer() -> void:
	var session := mp_session()
	var holder := {"server": session.server}
	var weak: WeakRef = weakref(session.server)
	session.server.peer_disconnected.connect(func(_id: int) -> void: holder.erase("server"))
	unwatch(session.server)
	session.server = null
	session.clients[0].close()
	until(func() -> bool:
		if holder.has("server"):
			holder.server.poll()
		return not holder.has("server"))
	same("freed", weak.get_ref() == null, true)


## Polling from within a signal handler: the built-in emits the signal again, for ever.
func test_handler_polls() -> void:
	var server := mp_server()
	var seen := [0]
	server.peer_connected.connect(func(_id: int) -> void:
		seen[0] += 1
		if seen[0] < 3:
			server.poll())
	var client := mp_client(server)
	same("in", until(func() -> bool: return connected(client)), true)
	ours("seen", is_ours(server), seen[0], 1)


## The same when the connection is lost: it is told once.
func test_handler_of_the_end_polls() -> void:
	var session := mp_session()
	var client: MultiplayerPeer = session.clients[0]
	var seen := [0]
	client.peer_disconnected.connect(func(_id: int) -> void:
		seen[0] += 1
		if seen[0] < 3:
			client.poll())
	session.server.close()
	same("out", until(func() -> bool: return disconnected(client)), true)
	ours("seen", is_ours(client), seen[0], 1)


## The handler drops what holds the peer; only the call that is under way keeps it alive.
func test_handler_drops_the_peer() -> void:
	var server := mp_server()
	var holder := {"client": new_mp()}
	var weak: WeakRef = weakref(holder.client)
	holder.client.peer_connected.connect(func(_id: int) -> void: holder.erase("client"))
	holder.client.create_client("ws://127.0.0.1:%d" % server.get_meta("port"))
	until(func() -> bool:
		if holder.has("client"):
			holder.client.poll()
		return not holder.has("client"))
	same("dropped", holder.has("client"), false)
	same("freed", weak.get_ref() == null, true)
	settle(0.02)
	same("server", mp_status(server), "CONNECTED")


## What has arrived before our own close stays readable with ours.
func test_closing_a_socket_between_two_packets() -> void:
	var pair := connect_pair()
	for i in 3:
		pair.client.send_text(str(i))
	check(until_packets(pair.server, 3), "all are there")
	pair.server.get_packet()
	pair.server.close()
	ours("count_while_closing", is_ours(pair.server), pair.server.get_available_packet_count(), 2)
	until_closed(pair.server)
	ours("count_after", is_ours(pair.server), pair.server.get_available_packet_count(), 2)
	same("state", state_name(pair.server), "CLOSED")


## Closing the socket behind the multiplayer peer's back, from its own handler. The id and the close
## frame arrive together: a built-in client loses the id, and so never says that it was in.
func test_handler_closes_the_socket() -> void:
	var server := mp_server()
	var events := PackedStringArray()
	record(server, func(event: String) -> void: events.append(event.get_slice(" ", 0)))
	server.peer_connected.connect(func(id: int) -> void: server.get_peer(id).close(4000, "no"))
	var client := mp_client(server)
	var seen := PackedStringArray()
	client.peer_disconnected.connect(func(_id: int) -> void: seen.append(ending(client.get_peer(1))))
	until(func() -> bool: return disconnected(client) and events.size() == 2)
	same("events", events, PackedStringArray(["connected", "disconnected"]))
	ours("client_sees", impl_is_ours(), seen, PackedStringArray(["CLOSED 4000 \"no\""]))


## The socket of a client that was sent away is the script's, which may use it for another
## connection.
func test_socket_is_connected_elsewhere() -> void:
	var session := mp_session()
	var elsewhere := mp_server()
	for i in 5:
		mp_send(session.clients[0], 1, str(i))
	check(until(func() -> bool: return session.server.get_available_packet_count() == 5),
		"all are there")
	var socket: PacketPeer = session.server.get_peer(session.ids[0])
	socket.close()
	same("answer", socket.connect_to_url("ws://127.0.0.1:%d" % elsewhere.get_meta("port")), OK)
	mp_receive(session.server, 5)
	watch(socket)
	same("gets_an_id", until_packets(socket, 1), true)
	same("state", state_name(socket), "OPEN")
