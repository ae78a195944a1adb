extends "res://tests/harness/case.gd"
## `get_statistics()`: what was carried, refused and held up. The built-in class has none.


func test_messages_and_bytes() -> void:
	if _is_builtin():
		return
	equal(new_ws().get_statistics(), _numbers(0, 0, 0, 0), "fresh")
	var pair := connect_pair()
	pair.client.send_text("hello")
	pair.client.put_packet(bytes(100))
	pair.client.send(PackedByteArray())
	equal(pair.client.get_statistics(), _numbers(0, 3, 0, 105), "the client, at once")
	until_packets(pair.server, 3)
	equal(pair.server.get_statistics(), _numbers(3, 0, 105, 0), "the server")
	pair.server.put_packet(bytes(7))
	until_packets(pair.client, 1)
	equal(pair.client.get_statistics(), _numbers(1, 3, 7, 105), "the client")
	pair.client.close()
	until_closed(pair.client)
	equal(pair.client.get_statistics(), _numbers(1, 3, 7, 105), "after the end")
	expect_error("not open")
	pair.client.send_text("x")
	equal(pair.client.get_statistics(), _numbers(1, 3, 7, 105),
		"sending after the end is a mistake, not overflow")
	pair.client.connect_to_url("ws://127.0.0.1:%d/" % free_port())
	equal(pair.client.get_statistics(), _numbers(0, 0, 0, 0), "of the next connection")


## Live: what arrives counts before it is polled.
func test_arrivals_count_before_the_poll() -> void:
	if _is_builtin():
		return
	var pair := client_with_raw_server()
	unwatch(pair.peer)
	pair.raw.send_message("hello")
	check(until(func() -> bool: return pair.peer.get_statistics().messages_in == 1), "it counts")
	equal(pair.peer.get_available_packet_count(), 0, "and is not shown yet")


func test_refused_sends() -> void:
	if _is_builtin():
		return
	for pair: RawPair in [client_with_raw_server(), server_with_raw_client()]:
		unwatch(pair.raw)
		expect_error("larger than outbound_buffer_size")
		equal(pair.peer.put_packet(bytes(70000)), ERR_OUT_OF_MEMORY, "too big")
		equal(pair.peer.get_statistics().sends_refused, 1, "too big")
		expect_error("outbound buffer is full")
		var accepted := 0
		for i in 20000:
			if pair.peer.put_packet(bytes(1024)) != OK:
				break
			accepted += 1
			if i % 50 == 0:
				pair.peer.poll()
		equal(pair.peer.get_statistics(), _numbers(0, accepted, 0, accepted * 1024, 2), "full")
		unwatch(pair.peer)
		pair.raw.close()


func test_pauses_of_reading() -> void:
	if _is_builtin():
		return
	var few := func(peer: Object) -> void: peer.max_queued_packets = 4
	for pair: RawPair in [client_with_raw_server(few), server_with_raw_client(few)]:
		for i in 20:
			pair.raw.send_message(str(i))
		check(until(func() -> bool: return pair.peer.get_statistics().reads_paused > 0), "reading pauses")
		equal(receive_text(pair.peer, 20).size(), 20, "and goes on")
		equal(pair.peer.get_statistics().messages_in, 20, "all count")


## The totals of a server hold what members that are gone have carried. The id that it assigns is a
## message of 4 bytes.
func test_totals_of_a_server() -> void:
	if _is_builtin():
		return
	var session := mp_session(2)
	mp_send(session.clients[0], 1, "hello")
	mp_send(session.clients[1], 1, "you")
	mp_send(session.server, 0, "both")
	for peer: MultiplayerPeer in [session.server, session.clients[0], session.clients[1]]:
		var wanted := 2 if peer == session.server else 1
		check(until(func() -> bool: return peer.get_available_packet_count() == wanted),
			"everybody gets the packets")
	equal(session.server.get_statistics(), _numbers(2, 4, 8, 16), "server")
	equal(session.clients[0].get_statistics(), _numbers(2, 1, 8, 5), "client")
	equal(session.server.get_peer(session.ids[0]).get_statistics(), _numbers(1, 2, 5, 8), "a member")
	equal(session.clients[1].get_peer(1).get_statistics(), _numbers(2, 1, 8, 3),
		"a client's connection")
	mp_take(session.server)
	session.clients[0].close()
	until(func() -> bool: return "disconnected A" in session.server_events)
	equal(session.server.get_statistics(), _numbers(2, 4, 8, 16), "after one has gone")
	session.server.close()
	equal(session.server.get_statistics(), _numbers(2, 4, 8, 16), "after the session")
	equal(session.clients[0].get_statistics(), _numbers(2, 1, 8, 5), "a client after its session")
	session.server.create_server(free_port(), ANY_ADDRESS)
	equal(session.server.get_statistics(), _numbers(0, 0, 0, 0), "of the next session")


func _numbers(messages_in: int, messages_out: int, bytes_in: int, bytes_out: int,
		refused := 0) -> Dictionary:
	return {"messages_in": messages_in, "messages_out": messages_out, "bytes_in": bytes_in,
		"bytes_out": bytes_out,
		"sends_refused": refused, "reads_paused": 0}


func _is_builtin() -> bool:
	checks += 1
	return not impl_is_ours() or other != "rust"
