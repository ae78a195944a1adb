extends "res://tests/harness/case.gd"
## `get_error_message()` and what a server answered instead of an upgrade: for every way in which a
## connection fails or ends. The built-in class has neither.


func test_no_error_before_and_after_a_clean_close() -> void:
	if is_builtin():
		return
	equal(new_ws().get_error_message(), "", "fresh")
	for closer: String in ["client", "server"]:
		var pair := connect_pair()
		equal([pair.client.get_error_message(), pair.server.get_error_message()], ["", ""], "open")
		pair.get(closer).close(1000, "bye")
		check(until_closed(pair.client) and until_closed(pair.server), "both are closed")
		equal([pair.client.get_error_message(), pair.server.get_error_message()], ["", ""],
			"closed by the " + closer)


func test_own_leave_is_no_error() -> void:
	if is_builtin():
		return
	var pair := client_with_raw_server()
	pair.peer.close(-1)
	equal(pair.peer.get_error_message(), "", "after close(-1)")
	var asking := client_asking_raw()
	asking.peer.close()
	equal(asking.peer.get_error_message(), "", "after close() while connecting")


func test_name_that_nobody_knows() -> void:
	if is_builtin():
		return
	var peer := _fails("ws://no-such-host.invalid/", 15.0)
	_says(peer, ["name resolution", "no-such-host.invalid"])


func test_port_where_nobody_listens() -> void:
	if is_builtin():
		return
	_says(_fails("ws://127.0.0.1:%d/" % free_port()), ["TCP connection failed", "refused"])


## The system drops what comes when the queue of a listening socket is full, so the connection stays
## under way.
func test_connect_timeout_names_the_tcp_connection() -> void:
	if is_builtin():
		return
	var tcp := listen()
	var waiting: Array[StreamPeerTCP] = []
	for i in 40:
		var stream := StreamPeerTCP.new()
		stream.connect_to_host(ANY_ADDRESS, tcp.get_local_port())
		waiting.append(stream)
	OS.delay_msec(50)
	var peer: PacketPeer = watch(new_ws())
	peer.connect_timeout = 0.2
	peer.connect_to_url("ws://127.0.0.1:%d/" % tcp.get_local_port())
	check(until_closed(peer), "the attempt ends")
	_says(peer, ["TCP connection", "connect timeout of 200ms"])


func test_connect_timeout_names_the_handshake() -> void:
	if is_builtin():
		return
	for role: String in ["client", "server"]:
		var prepare := func(peer: Object) -> void: peer.connect_timeout = 0.1
		var pair := client_asking_raw(prepare) if role == "client" else server_with_raw_stream(prepare)
		check(until_closed(pair.peer), "the attempt of the %s ends" % role)
		_says(pair.peer, ["WebSocket handshake", "connect timeout of 100ms"])


func test_answer_that_is_no_upgrade_can_be_read() -> void:
	if is_builtin():
		return
	var pair := client_asking_raw()
	equal(pair.peer.get_handshake_response_code(), 0, "code while connecting")
	pair.raw.send_ascii("HTTP/1.1 403 Forbidden\r\nX-Reason: full\r\nContent-Length: 14\r\n\r\n"
		+ "Server is full")
	check(until_closed(pair.peer), "the client gives up")
	_says(pair.peer, ["HTTP status 403", "Forbidden"])
	equal(pair.peer.get_handshake_response_code(), 403, "code")
	check("X-Reason: full" in pair.peer.get_handshake_response_headers(), "the header is there")
	equal(pair.peer.get_handshake_response_body().get_string_from_utf8(), "Server is full".left(14),
		"body")
	equal(pair.peer.get_close_code(), -1, "close code")
	equal(pair.peer.connect_to_url("ws://127.0.0.1:%d/" % free_port()), OK, "connect again")
	equal(pair.peer.get_handshake_response_code(), 0, "code is forgotten")
	equal(pair.peer.get_error_message(), "", "message is forgotten")


func test_body_of_an_answer_is_cut() -> void:
	if is_builtin():
		return
	var pair := client_asking_raw()
	pair.raw.send_ascii("HTTP/1.1 500 Oops\r\nContent-Length: 9000\r\n\r\n" + "x".repeat(9000))
	check(until_closed(pair.peer), "the client gives up")
	equal([pair.peer.get_handshake_response_code(), pair.peer.get_handshake_response_body().size()],
		[500, 4096], "code and size")


func test_answers_that_break_the_rules() -> void:
	if is_builtin():
		return
	for entry: Array in [
		["Upgrade: websocket\r\n", "", "Upgrade: websocket"],
		["Connection: Upgrade\r\n", "", "Connection: Upgrade"],
		["Sec-WebSocket-Accept: ", "Sec-WebSocket-Accept: A", "Sec-WebSocket-Accept"],
		["\r\n\r\n", "\r\nSec-WebSocket-Extensions: x-unknown\r\n\r\n", "extension"],
		["\r\n\r\n", "\r\nSec-WebSocket-Protocol: unasked\r\n\r\n", "unasked"],
	]:
		var pair := client_asking_raw()
		pair.raw.send_ascii(pair.raw.upgrade_answer().replace(entry[0], entry[1]))
		check(until_closed(pair.peer), "the client gives up")
		_says(pair.peer, ["WebSocket handshake failed", entry[2]])
		unwatch(pair.peer)


func test_end_during_the_handshake() -> void:
	if is_builtin():
		return
	var pair := client_asking_raw()
	pair.raw.close()
	check(until_closed(pair.peer), "the client gives up")
	_says(pair.peer, ["WebSocket handshake failed"])
	var server := server_with_raw_stream()
	server.raw.close()
	check(until_closed(server.peer), "the server gives up")
	_says(server.peer, ["WebSocket handshake failed"])


func test_request_that_is_refused() -> void:
	if is_builtin():
		return
	var pair := server_with_raw_stream()
	pair.raw.send_ascii(RawPeer.upgrade_request().replace("Version: 13", "Version: 8"))
	check(until_closed(pair.peer), "the server gives up")
	_says(pair.peer, ["426", "version 13"])


func test_heartbeat_timeout() -> void:
	if is_builtin():
		return
	var pair := client_with_raw_server(func(peer: Object) -> void: peer.heartbeat_interval = 0.05)
	check(until_closed(pair.peer), "the connection ends")
	_says(pair.peer, ["heartbeat timeout", "50ms"])


func test_close_timeout() -> void:
	if is_builtin():
		return
	var pair := client_with_raw_server(func(peer: Object) -> void: peer.close_timeout = 0.1)
	pair.peer.close()
	check(until_closed(pair.peer), "the connection ends")
	_says(pair.peer, ["close timeout", "100ms"])


func test_protocol_errors_name_the_rule() -> void:
	if is_builtin():
		return
	for entry: Array in [
		[func(raw: RawPeer) -> void: raw.send_frame(RawPeer.TEXT, bytes(1), 0xC0), "section 5.2"],
		[func(raw: RawPeer) -> void: raw.send_frame(3, bytes(1)), "opcode 3"],
		[func(raw: RawPeer) -> void: raw.send_frame(RawPeer.PING, bytes(126)), "section 5.5"],
		[func(raw: RawPeer) -> void: raw.send_frame(RawPeer.CONTINUATION, bytes(1)), "section 5.4"],
		[func(raw: RawPeer) -> void: raw.send_frame(RawPeer.TEXT, PackedByteArray([0xff])), "UTF-8"],
		[func(raw: RawPeer) -> void: raw.send_frame(RawPeer.CLOSE, RawPeer.close_payload(999)), "999"],
	]:
		for pair: RawPair in [client_with_raw_server(), server_with_raw_client()]:
			entry[0].call(pair.raw)
			check(until_closed(pair.peer), "the connection ends")
			_says(pair.peer, ["protocol error", entry[1]])
			unwatch(pair.peer)
			unwatch(pair.raw)


func test_close_by_the_other_side() -> void:
	if is_builtin():
		return
	for pair: RawPair in [client_with_raw_server(), server_with_raw_client()]:
		pair.raw.send_frame(RawPeer.CLOSE, RawPeer.close_payload(4001, "kicked"))
		check(until_closed(pair.peer), "the connection ends")
		_says(pair.peer, ["other side", "4001", "kicked"])
	for pair: RawPair in [client_with_raw_server(), server_with_raw_client()]:
		pair.raw.close()
		check(until_closed(pair.peer), "the connection ends")
		_says(pair.peer, ["other side|lost"])


func test_message_too_big_names_both_numbers() -> void:
	if is_builtin():
		return
	for pair: RawPair in [client_with_raw_server(_limit_to_1000),
			server_with_raw_client(_limit_to_1000)]:
		pair.raw.send_frame(RawPeer.BINARY, bytes(2345))
		check(until_closed(pair.peer), "the connection ends")
		_says(pair.peer, ["2345", "1000", "inbound_buffer_size"])


func _limit_to_1000(peer: Object) -> void:
	peer.inbound_buffer_size = 1000


func _fails(url: String, seconds := 4.0) -> PacketPeer:
	var peer: PacketPeer = watch(new_ws())
	equal(peer.connect_to_url(url), OK, "connect_to_url")
	check(until_closed(peer, seconds), "the attempt ends")
	return peer


## The peer's message holds each of the parts; `a|b` for alternatives.
func _says(peer: PacketPeer, parts: Array) -> void:
	var message: String = peer.get_error_message()
	note(message)
	for part: String in parts:
		var found := Array(part.split("|")).any(func(word: String) -> bool: return message.contains(word))
		check(found, "'%s' speaks of '%s'" % [message, part])
