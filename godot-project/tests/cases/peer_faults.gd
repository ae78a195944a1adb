extends "res://tests/harness/case.gd"
## Faults of the built-in class that ours does not have: seen on both, checked on ours.
##
## For the built-in class these cases only show what it does; the list of differences names each.

## How long a case waits for something that the built-in never does.
const PATIENCE := 0.15


func test_ping_between_fragments_stays_out_of_the_message() -> void:
	var pair := client_with_raw_server()
	pair.raw.send_frame(RawPeer.TEXT, _text("AA"), 0)
	pair.raw.send_frame(RawPeer.PING, _text("PP"))
	pair.raw.send_frame(RawPeer.CONTINUATION, _text("BB"))
	ours("message", impl_is_ours(), receive_text(pair.peer, 1), PackedStringArray(["AABB"]))
	until(func() -> bool: return pair.raw.received.size() >= 8, 0.5)
	same("pong", pair.raw.take_frames(), PackedStringArray(["pong:PP"]))


## The documented loop polls, then reads while the state is OPEN: it gets everything.
func test_messages_together_with_a_close_frame_are_read() -> void:
	var pair := client_with_raw_server()
	unwatch(pair.peer)
	var data := PackedByteArray()
	for i in 5:
		data += pair.raw.frame(RawPeer.TEXT, _text(str(i)))
	pair.raw.send_bytes(data + pair.raw.frame(RawPeer.CLOSE, RawPeer.close_payload(4001, "end")))
	_settle_socket()
	ours("loop", impl_is_ours(), _documented_loop(pair.peer), "[01234] CLOSED 4001 \"end\"")


func test_messages_together_with_the_end_of_the_connection_are_read() -> void:
	var pair := client_with_raw_server()
	unwatch(pair.peer)
	var data := PackedByteArray()
	for i in 5:
		data += pair.raw.frame(RawPeer.TEXT, _text(str(i)))
	pair.raw.send_bytes(data)
	pair.raw.close()
	_settle_socket()
	ours("loop", impl_is_ours(), _documented_loop(pair.peer), "[01234] CLOSED -1 \"\"")


## A socket that is closed over unread input resets the connection.
func test_messages_together_with_a_reset_are_read() -> void:
	for role: String in ["client", "server"]:
		var pair := client_with_raw_server() if role == "client" else server_with_raw_client()
		unwatch(pair.peer)
		unwatch(pair.raw)
		pair.peer.put_packet(bytes(100))
		pair.peer.poll()
		_settle_socket()
		var data := PackedByteArray()
		for i in 5:
			data += pair.raw.frame(RawPeer.TEXT, _text(str(i)))
		pair.raw.send_unread(data)
		pair.raw.close()
		_settle_socket()
		ours(role, impl_is_ours(), _documented_loop(pair.peer), "[01234] CLOSED -1 \"\"")


## While the peer still shows OPEN for the sake of unread packets, sending is refused; unread
## packets stay after the end.
func test_packets_stay_readable_after_the_end() -> void:
	var pair := client_with_raw_server()
	unwatch(pair.peer)
	pair.raw.send_bytes(pair.raw.frame(RawPeer.TEXT, _text("a"))
		+ pair.raw.frame(RawPeer.TEXT, _text("b"))
		+ pair.raw.frame(RawPeer.CLOSE, RawPeer.close_payload(4001)))
	_settle_socket()
	var seen := PackedStringArray()
	var end := Time.get_ticks_msec() + 2000
	while (pair.peer.get_available_packet_count() == 0 and state(pair.peer) == OPEN
			and Time.get_ticks_msec() < end):
		pair.peer.poll()
		OS.delay_usec(200)
	seen.append(state_name(pair.peer))
	expect_error("open|clos")
	seen.append("send %d" % pair.peer.send_text("x"))
	for i in 20:
		pair.peer.poll()
		OS.delay_usec(500)
	seen.append(state_name(pair.peer))
	for i in pair.peer.get_available_packet_count():
		seen.append(pair.peer.get_packet().get_string_from_utf8())
	ours("seen", impl_is_ours(), ", ".join(seen), "OPEN, send 1, CLOSED, a, b")


func test_fragmented_message_over_the_limit() -> void:
	var pair := client_with_raw_server(func(peer: Object) -> void: peer.inbound_buffer_size = 1000)
	pair.raw.send_frame(RawPeer.BINARY, bytes(600), 0)
	pair.raw.send_frame(RawPeer.CONTINUATION, bytes(600))
	until_closed(pair.peer, _patience())
	ours("ending", impl_is_ours(), ending(pair.peer), "CLOSED 1009 \"Message too big\"")


## Cut at a character boundary: 61 of these two-byte characters fit into 123 bytes.
func test_long_close_reason_is_cut() -> void:
	var pair := client_with_raw_server()
	pair.peer.close(4000, "ü".repeat(100))
	until(func() -> bool: return pair.raw.received.size() >= 2, _patience())
	settle(0.02)
	ours("frame", impl_is_ours(), pair.raw.take_frames(),
		PackedStringArray(["close:4000:" + "ü".repeat(61)]))


func test_close_that_is_never_answered_ends() -> void:
	var pair := client_with_raw_server(func(peer: Object) -> void:
		if "close_timeout" in peer:
			peer.set("close_timeout", 0.1))
	pair.peer.close(4000)
	until_closed(pair.peer, _patience())
	ours("ending", impl_is_ours(), ending(pair.peer), "CLOSED -1 \"\"")


func test_handshake_that_is_never_answered_ends() -> void:
	var pair := client_asking_raw(func(peer: Object) -> void:
		if "connect_timeout" in peer:
			peer.set("connect_timeout", 0.1))
	until_closed(pair.peer, _patience())
	ours("ending", impl_is_ours(), ending(pair.peer), "CLOSED -1 \"\"")


## The game stalls for longer than the interval; the other side has answered all along.
func test_stall_does_not_end_a_healthy_connection() -> void:
	var pair := client_with_raw_server(func(peer: Object) -> void: peer.heartbeat_interval = 0.1)
	var answer_pings := func() -> bool:
		var frames := pair.raw.take_frames()
		for i in frames.size():
			pair.raw.send_frame(RawPeer.PONG)
		return not frames.is_empty()
	until(answer_pings, 1.0)
	pair.raw.send_message("alive")
	unwatch(pair.peer)
	until(func() -> bool: return answer_pings.call() and false, 0.25)
	watch(pair.peer)
	pair.raw.send_message("still alive")
	ours("messages", impl_is_ours(), receive_text(pair.peer, 2, _patience()),
		PackedStringArray(["alive", "still alive"]))
	ours("state", impl_is_ours(), state_name(pair.peer), "OPEN")


## The other side sends all the time, but no pongs: any traffic counts as life.
func test_traffic_counts_as_life() -> void:
	var pair := client_with_raw_server(func(peer: Object) -> void: peer.heartbeat_interval = 0.05)
	for i in 30:
		pair.raw.send_message("x")
		settle(0.01)
	ours("state", impl_is_ours(), state_name(pair.peer), "OPEN")


func test_connection_header_is_a_list_of_tokens() -> void:
	var pair := client_asking_raw()
	pair.raw.send_ascii(pair.raw.upgrade_answer().replace("Connection: Upgrade",
		"Connection: keep-alive, Upgrade"))
	until(func() -> bool: return state(pair.peer) != CONNECTING)
	ours("client", impl_is_ours(), state_name(pair.peer), "OPEN")
	var server := server_with_raw_stream()
	server.raw.send_ascii(RawPeer.upgrade_request().replace("Connection: Upgrade", "Connection: foo"))
	until(func() -> bool: return state(server.peer) != CONNECTING)
	ours("server", impl_is_ours(), state_name(server.peer), "CLOSED")


func test_bad_requests_get_an_answer() -> void:
	var good := RawPeer.upgrade_request()
	_answers("no_key", good.replace("Sec-WebSocket-Key: " + RawPeer.SAMPLE_KEY + "\r\n", ""), [],
		"HTTP/1.1 400")
	_answers("post", good.replace("GET ", "POST "), [], "HTTP/1.1 405")
	_answers("no_upgrade", good.replace("Upgrade: websocket\r\n", ""), [], "HTTP/1.1 426")
	_answers("version_8", good.replace("Version: 13", "Version: 8"), [], "HTTP/1.1 426")
	_answers("http_1_0", good.replace("HTTP/1.1", "HTTP/1.0"), [], "HTTP/1.1 505")
	_answers("no_common_protocol", good.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: x\r\n\r\n"),
		["a"], "HTTP/1.1 400")
	_answers("protocol_of_no_interest",
		good.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: x\r\n\r\n"), [], "HTTP/1.1 101")
	_answers("head_too_long",
		good.replace("\r\n\r\n", "\r\nX-Long: " + "x".repeat(17000) + "\r\n\r\n"), [], "HTTP/1.1 431")
	_answers("head_of_8_kib", good.replace("\r\n\r\n", "\r\nX-Long: " + "x".repeat(8000) + "\r\n\r\n"),
		[], "HTTP/1.1 101")


func _answers(key: String, request: String, protocols: Array, wanted: String) -> void:
	var pair := server_with_raw_stream(func(peer: Object) -> void:
		peer.supported_protocols = PackedStringArray(protocols))
	pair.raw.send_ascii(request)
	until(func() -> bool: return not pair.raw.head().is_empty(), 2.0 if impl_is_ours() else 0.02)
	ours(key, impl_is_ours(), pair.raw.head_lines()[0].left(12), wanted)
	if wanted.ends_with("426"):
		ours(key + "_version", impl_is_ours(), pair.raw.header("Sec-WebSocket-Version"), "13")
	unwatch(pair.peer)
	unwatch(pair.raw)


func test_answer_with_a_long_head() -> void:
	var pair := client_asking_raw()
	pair.raw.accept_upgrade(PackedStringArray(["X-Long: " + "x".repeat(8000)]))
	until(func() -> bool: return state(pair.peer) == OPEN, 2.0 if impl_is_ours() else 0.02)
	ours("state", impl_is_ours(), state_name(pair.peer), "OPEN")


## The built-in forgets what a server answered instead of an upgrade.
func test_refused_upgrade_is_explained() -> void:
	var pair := client_asking_raw()
	pair.raw.send_ascii("HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nFull")
	check(until_closed(pair.peer), "the client gives up")
	var told := PackedStringArray()
	for method: String in ["get_handshake_response_code", "get_handshake_response_body",
			"get_error_message"]:
		if pair.peer.has_method(method):
			var value: Variant = pair.peer.call(method)
			told.append(value.get_string_from_utf8() if value is PackedByteArray else str(value))
	ours("told", impl_is_ours(), told, PackedStringArray(["403", "Full",
		"the WebSocket handshake failed: the server answered with HTTP status 403 Forbidden"]))


func test_headers_with_line_breaks_are_refused() -> void:
	var tcp := listen()
	var peer: PacketPeer = watch(new_ws())
	peer.handshake_headers = PackedStringArray(["X-A: 1\r\nX-Injected: 2"])
	expect_error("header")
	allow_error("header")
	ours("answer", impl_is_ours(), peer.connect_to_url("ws://127.0.0.1:%d/" % tcp.get_local_port()),
		ERR_INVALID_PARAMETER)
	ours("state", impl_is_ours(), state_name(peer), "CLOSED")


func test_extension_that_nobody_asked_for() -> void:
	var pair := client_asking_raw()
	pair.raw.accept_upgrade(PackedStringArray(["Sec-WebSocket-Extensions: x-unknown"]))
	until(func() -> bool: return state(pair.peer) != CONNECTING)
	ours("state", impl_is_ours(), state_name(pair.peer), "CLOSED")


func test_control_frames_that_are_too_long_or_fragmented() -> void:
	for key: String in ["long_ping", "fragmented_ping", "long_close"]:
		var pair := client_with_raw_server()
		match key:
			"long_ping": pair.raw.send_frame(RawPeer.PING, bytes(126))
			"fragmented_ping": pair.raw.send_frame(RawPeer.PING, _text("x"), 0)
			"long_close": pair.raw.send_frame(RawPeer.CLOSE, RawPeer.close_payload(1000) + bytes(124))
		until_closed(pair.peer)
		ours(key, impl_is_ours(), ending(pair.peer), "CLOSED 1002 \"Protocol error\"")
		until(func() -> bool: return pair.raw.ended, 1.0)
		ours(key + "_frame", impl_is_ours(), pair.raw.take_frames(), PackedStringArray(["close:1002:"]))


func test_settings_that_make_no_sense_are_refused() -> void:
	for entry: Array in [["inbound_buffer_size", 0], ["inbound_buffer_size", -1],
			["max_queued_packets", 0], ["outbound_buffer_size", -1]]:
		var peer := new_ws()
		var before: int = peer.get(entry[0])
		expect_error(entry[0])
		peer.set(entry[0], entry[1])
		ours("%s_%d" % entry, impl_is_ours(), peer.get(entry[0]), before)


func test_illegal_close_codes_stay_off_the_wire() -> void:
	for code: int in [1, 999, 1004, 1005, 1006, 1015, 2000, 2999, 5000, 65536 + 1000, 1 << 40]:
		var pair := client_with_raw_server()
		expect_error("code")
		pair.peer.close(code, "why")
		until(func() -> bool: return pair.raw.received.size() >= 2, _patience())
		settle(0.005)
		ours("code_%d" % code, impl_is_ours(), pair.raw.take_frames(),
			PackedStringArray(["close:1000:why"]))
		unwatch(pair.peer)
		unwatch(pair.raw)


func _patience() -> float:
	return 3.0 if impl_is_ours() else PATIENCE


## Lets the system deliver what was written, without polling the peer.
func _settle_socket() -> void:
	OS.delay_msec(20)


## The loop of the class reference, until the peer is closed: the packets it got, and the ending.
func _documented_loop(peer: PacketPeer) -> String:
	var got := ""
	var end := Time.get_ticks_msec() + 2000
	while Time.get_ticks_msec() < end:
		peer.poll()
		if state(peer) == OPEN:
			while peer.get_available_packet_count() > 0:
				got += peer.get_packet().get_string_from_utf8()
		elif state(peer) == CLOSED:
			break
		OS.delay_usec(500)
	return "[%s] %s" % [got, ending(peer)]


func _text(text: String) -> PackedByteArray:
	return text.to_utf8_buffer()
