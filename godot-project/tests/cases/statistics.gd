extends "res://tests/harness/case.gd"
## `get_statistics()`: what was carried, refused and held up. The built-in class has none.


func test_messages_and_bytes() -> void:
	if is_builtin():
		return
	equal(_carried(new_ws()), _numbers(0, 0, 0, 0), "fresh")
	var pair := connect_pair()
	pair.client.send_text("hello")
	pair.client.put_packet(bytes(100))
	pair.client.send(PackedByteArray())
	equal(_carried(pair.client), _numbers(0, 3, 0, 105), "the client, at once")
	until_packets(pair.server, 3)
	equal(_carried(pair.server), _numbers(3, 0, 105, 0), "the server")
	pair.server.put_packet(bytes(7))
	until_packets(pair.client, 1)
	equal(_carried(pair.client), _numbers(1, 3, 7, 105), "the client")
	pair.client.close()
	until_closed(pair.client)
	equal(_carried(pair.client), _numbers(1, 3, 7, 105), "after the end")
	expect_error("not open")
	pair.client.send_text("x")
	equal(_carried(pair.client), _numbers(1, 3, 7, 105),
		"sending after the end is a mistake, not overflow")
	pair.client.connect_to_url("ws://127.0.0.1:%d/" % free_port())
	equal(_carried(pair.client), _numbers(0, 0, 0, 0), "of the next connection")


## On the wire, and what waits at either end.
func test_wire_and_queues() -> void:
	if is_builtin():
		return
	var nothing: Dictionary = new_ws().get_statistics()
	for key: String in ["wire_bytes_in", "wire_bytes_out", "pings_out", "unread_messages",
			"unread_bytes", "unsent_bytes", "opened_at", "unreliable_dropped", "compressed_out",
			"compressions"]:
		equal(nothing.get(key), 0, key)
	var before := int(Time.get_unix_time_from_system())
	var pair := connect_pair()
	var opened: int = pair.client.get_statistics().opened_at
	check(opened >= before and opened <= before + 20, "opened_at is now")
	var wire: int = pair.server.get_statistics().wire_bytes_in
	check(wire > 100, "the handshake counts")
	pair.client.put_packet(bytes(100))
	pair.client.put_packet(bytes(10))
	until_packets(pair.server, 2)
	var counted: Dictionary = pair.server.get_statistics()
	equal(counted.wire_bytes_in, wire + 110 + 2 * 6, "two masked frames")
	equal([counted.unread_messages, counted.unread_bytes], [2, 110], "unread")
	pair.server.get_packet()
	equal(pair.server.get_statistics().unread_bytes, 10, "one is read")
	check(until(func() -> bool: return pair.client.get_statistics().unsent_bytes == 0), "all is sent")


func test_the_process() -> void:
	if is_builtin():
		return
	var sums := func() -> Dictionary: return new_ws().call("get_process_statistics")
	# Connections of earlier cases may still be ending: their handshakes are the I/O thread's.
	check(until(func() -> bool: return sums.call().connections == 0), "nobody is connected")
	var before: Dictionary = sums.call()
	var pair := connect_pair()
	pair.client.put_packet(bytes(100))
	until_packets(pair.server, 1)
	var during: Dictionary = sums.call()
	equal(during.connections, before.connections + 2, "both ends are open")
	equal(during.bytes_in, before.bytes_in + 100, "bytes in")
	pair.client.close()
	until_closed(pair.client)
	check(sums.call().bytes_out >= before.bytes_out + 100, "what has ended counts")
	check(during.io_thread_busy_usec > 0, "the I/O thread has worked")


## Live: what arrives counts before it is polled.
func test_arrivals_count_before_the_poll() -> void:
	if is_builtin():
		return
	var pair := client_with_raw_server()
	unwatch(pair.peer)
	pair.raw.send_message("hello")
	check(until(func() -> bool: return pair.peer.get_statistics().messages_in == 1), "it counts")
	equal(pair.peer.get_available_packet_count(), 0, "and is not shown yet")


func test_refused_sends() -> void:
	if is_builtin():
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
		equal(_carried(pair.peer), _numbers(0, accepted, 0, accepted * 1024, 2), "full")
		unwatch(pair.peer)
		pair.raw.close()


func test_pauses_of_reading() -> void:
	if is_builtin():
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
	if is_builtin():
		return
	var session := mp_session(2)
	mp_send(session.clients[0], 1, "hello")
	mp_send(session.clients[1], 1, "you")
	mp_send(session.server, 0, "both")
	for peer: MultiplayerPeer in [session.server, session.clients[0], session.clients[1]]:
		var wanted := 2 if peer == session.server else 1
		check(until(func() -> bool: return peer.get_available_packet_count() == wanted),
			"everybody gets the packets")
	equal(_carried(session.server), _numbers(2, 4, 8, 16), "server")
	equal(_carried(session.clients[0]), _numbers(2, 1, 8, 5), "client")
	equal(_carried(session.server.get_peer(session.ids[0])), _numbers(1, 2, 5, 8), "a member")
	equal(_carried(session.clients[1].get_peer(1)), _numbers(2, 1, 8, 3),
		"a client's connection")
	mp_take(session.server)
	session.clients[0].close()
	until(func() -> bool: return "disconnected A" in session.server_events)
	equal(_carried(session.server), _numbers(2, 4, 8, 16), "after one has gone")
	session.server.close()
	equal(_carried(session.server), _numbers(2, 4, 8, 16), "after the session")
	equal(_carried(session.clients[0]), _numbers(2, 1, 8, 5), "a client after its session")
	session.server.create_server(free_port(), ANY_ADDRESS)
	equal(_carried(session.server), _numbers(0, 0, 0, 0), "of the next session")


func _numbers(messages_in: int, messages_out: int, bytes_in: int, bytes_out: int,
		refused := 0) -> Dictionary:
	return {"messages_in": messages_in, "messages_out": messages_out, "bytes_in": bytes_in,
		"bytes_out": bytes_out,
		"sends_refused": refused, "reads_paused": 0}


## The six numbers of what was carried and refused, without what else is counted.
func _carried(peer: Object) -> Dictionary:
	var all: Dictionary = peer.get_statistics()
	var carried := {}
	for key: String in _numbers(0, 0, 0, 0):
		carried[key] = all.get(key)
	return carried
