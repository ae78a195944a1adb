extends "res://tests/harness/case.gd"
## Messages and the end of the connection have come together, and the script reads a few messages
## per frame while the state is open. The built-in shows the end at once and loses the rest.

const COUNT := 101


func test_client_that_reads_ten_messages_per_frame() -> void:
	if is_builtin():
		return
	for ending: Callable in [_close_frame, _end, _reset]:
		var pair := client_with_raw_server()
		unwatch(pair.peer)
		_burst(pair.raw, ending)
		equal(_read_while_open(pair.peer, 10), COUNT, "read while OPEN")
		equal([state_name(pair.peer), pair.peer.get_available_packet_count()], ["CLOSED", 0], "then")


func test_server_end_that_reads_ten_messages_per_frame() -> void:
	if is_builtin():
		return
	for ending: Callable in [_close_frame, _end]:
		var pair := server_with_raw_client()
		unwatch(pair.peer)
		_burst(pair.raw, ending)
		equal(_read_while_open(pair.peer, 10), COUNT, "read while OPEN")


func test_reading_one_message_per_frame() -> void:
	if is_builtin():
		return
	var pair := client_with_raw_server()
	unwatch(pair.peer)
	_burst(pair.raw, _close_frame)
	equal(_read_while_open(pair.peer, 1), COUNT, "read while OPEN")
	equal(pair.peer.get_close_code(), 4000, "close code")


func test_who_reads_nothing_is_shown_the_end() -> void:
	if is_builtin():
		return
	var pair := client_with_raw_server()
	unwatch(pair.peer)
	_burst(pair.raw, _close_frame)
	pair.peer.poll()
	pair.peer.get_packet()
	pair.peer.poll()
	equal(state_name(pair.peer), "OPEN", "a message was taken")
	pair.peer.poll()
	equal([state_name(pair.peer), pair.peer.get_available_packet_count()], ["CLOSED", COUNT - 1],
		"none was taken")
	pair.peer.poll()
	equal(receive(pair.peer, COUNT - 1).size(), COUNT - 1, "the rest stays readable")


func test_sending_meanwhile_says_what_is_the_matter() -> void:
	if is_builtin():
		return
	var pair := client_with_raw_server()
	unwatch(pair.peer)
	_burst(pair.raw, _close_frame)
	pair.peer.poll()
	expect_error("other side has closed .*4000.* still to be read")
	for i in 3:
		equal([state_name(pair.peer), pair.peer.send_text("x")], ["OPEN", FAILED], "the answer")
	check("still to be read" in pair.peer.get_error_message(), pair.peer.get_error_message())


func test_multiplayer_server_that_reads_ten_packets_per_frame() -> void:
	if is_builtin():
		return
	var server := mp_server()
	var events := PackedStringArray()
	record(server, func(event: String) -> void: events.append(event))
	var raw := mp_raw_client(server)
	check(until(func() -> bool: return events.size() == 1), "it is in")
	unwatch(server)
	_burst(raw, _close_frame)
	equal(_read_until_event(server, events, 2), COUNT, "before the signal")


func test_multiplayer_client_that_reads_ten_packets_per_frame() -> void:
	if is_builtin():
		return
	var session := mp_session(1)
	unwatch(session.clients[0])
	for i in COUNT:
		mp_send(session.server, 0, "x")
	session.server.close()
	OS.delay_msec(100)
	equal(_read_until_event(session.clients[0], session.client_events[0], 2), COUNT,
		"before the signal")


func _burst(raw: RawPeer, ending: Callable) -> void:
	var data := PackedByteArray()
	for i in COUNT:
		data += raw.frame(RawPeer.TEXT, "x".to_utf8_buffer())
	ending.call(raw, data)
	OS.delay_msec(100)


func _close_frame(raw: RawPeer, data: PackedByteArray) -> void:
	raw.send_bytes(data + raw.frame(RawPeer.CLOSE, RawPeer.close_payload(4000)))


func _end(raw: RawPeer, data: PackedByteArray) -> void:
	raw.send_bytes(data)
	raw.close()


func _reset(raw: RawPeer, data: PackedByteArray) -> void:
	raw.send_bytes(data)
	OS.delay_msec(50)
	raw.close()


## Polls once per frame and takes up to `most` messages while the state is OPEN; how many there
## were.
func _read_while_open(peer: PacketPeer, most: int) -> int:
	var read := 0
	for frame in COUNT * 3:
		peer.poll()
		if state(peer) != OPEN:
			break
		for i in most:
			if peer.get_available_packet_count() == 0:
				break
			peer.get_packet()
			read += 1
		OS.delay_msec(1)
	return read


func _read_until_event(peer: MultiplayerPeer, events: PackedStringArray, event_count: int) -> int:
	var read := 0
	for frame in COUNT * 3:
		peer.poll()
		if events.size() >= event_count:
			break
		for i in 10:
			if peer.get_available_packet_count() == 0:
				break
			peer.get_packet()
			read += 1
		OS.delay_msec(1)
	return read
