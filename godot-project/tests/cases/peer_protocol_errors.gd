extends "res://tests/harness/case.gd"
## Frames that RFC 6455 forbids end the connection, with the right code and never a crash.

const PROTOCOL := "CLOSED 1002 \"Protocol error\""
const PAYLOAD := "CLOSED 1007 \"Invalid frame payload data\""
const TOO_BIG := "CLOSED 1009 \"Message too big\""


func test_reserved_bits() -> void:
	for bits: int in [0xc0, 0xa0, 0x90]:
		_breaks("bits_%x" % bits, 1002, func(raw: RawPeer) -> void:
			raw.send_frame(RawPeer.TEXT, _text("x"), bits))


func test_reserved_opcodes() -> void:
	for opcode: int in [3, 7, 11, 15]:
		_breaks("opcode_%d" % opcode, 1002, func(raw: RawPeer) -> void:
			raw.send_frame(opcode, _text("x")))


func test_wrong_masking() -> void:
	_breaks("masking", 1002, func(raw: RawPeer) -> void:
		raw.masks = not raw.masks
		raw.send_frame(RawPeer.TEXT, _text("x")))


func test_continuation_of_nothing() -> void:
	_breaks("continuation", 1002, func(raw: RawPeer) -> void:
		raw.send_frame(RawPeer.CONTINUATION, _text("x")))


func test_new_message_inside_a_fragmented_one() -> void:
	_breaks("text_in_text", 1002, func(raw: RawPeer) -> void:
		raw.send_frame(RawPeer.TEXT, _text("x"), 0)
		raw.send_frame(RawPeer.TEXT, _text("y")))


func test_invalid_text() -> void:
	_breaks("text", 1007, func(raw: RawPeer) -> void:
		raw.send_frame(RawPeer.TEXT, PackedByteArray([0x61, 0xff, 0x62])))
	_breaks("cut_character", 1007, func(raw: RawPeer) -> void:
		raw.send_frame(RawPeer.TEXT, PackedByteArray([0xc3])))
	_breaks("surrogate", 1007, func(raw: RawPeer) -> void:
		raw.send_frame(RawPeer.TEXT, PackedByteArray([0xed, 0xa0, 0x80])))


func test_invalid_text_across_fragments() -> void:
	_breaks("fragments", 1007, func(raw: RawPeer) -> void:
		raw.send_frame(RawPeer.TEXT, PackedByteArray([0xc3]), 0)
		raw.send_frame(RawPeer.CONTINUATION, PackedByteArray([0x61])))


func test_close_codes_that_must_not_be_sent() -> void:
	for code: int in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000]:
		_breaks("code_%d" % code, 1002, func(raw: RawPeer) -> void:
			raw.send_frame(RawPeer.CLOSE, RawPeer.close_payload(code)))


func test_close_frame_of_one_byte() -> void:
	_breaks_ours("one_byte", 1002, func(raw: RawPeer) -> void:
		raw.send_frame(RawPeer.CLOSE, PackedByteArray([3])))


func test_close_reason_that_is_no_text() -> void:
	_breaks("reason", 1007, func(raw: RawPeer) -> void:
		raw.send_frame(RawPeer.CLOSE, RawPeer.close_payload(1000) + PackedByteArray([0xff])))


func test_message_too_big() -> void:
	_breaks("message", 1009, func(raw: RawPeer) -> void: raw.send_frame(RawPeer.BINARY, bytes(2001)))


## Ours refuses a declared length before the payload has come; the built-in waits for it.
func test_declared_length_too_big() -> void:
	for length: int in [2001, 70000, 1 << 40]:
		_breaks_ours("length_%d" % length, 1009, func(raw: RawPeer) -> void:
			raw.send_bytes(raw.frame_with_length(RawPeer.BINARY, PackedByteArray(), length)))


## Lengths written in more bytes than needed, and one with the highest bit set: the built-in drops
## the connection.
func test_length_forms_that_are_forbidden() -> void:
	for key: String in ["126_for_5", "127_for_5", "highest_bit"]:
		_breaks_ours(key, 1002, func(raw: RawPeer) -> void:
			var mask := 0x80 if raw.masks else 0
			var head := {"126_for_5": [0x82, mask | 126, 0, 5],
				"127_for_5": [0x82, mask | 127, 0, 0, 0, 0, 0, 0, 0, 5],
				"highest_bit": [0x82, mask | 127, 0x80, 0, 0, 0, 0, 0, 0, 5]}
			raw.send_bytes(PackedByteArray(head[key]) + (bytes(4, 0) if raw.masks else PackedByteArray())
				+ bytes(5)))


func test_messages_before_an_error_are_handed_out_or_gone() -> void:
	var pair := client_with_raw_server()
	pair.raw.send_message("good")
	check(until_packets(pair.peer, 1), "the good message arrives")
	pair.raw.send_frame(3)
	check(until_closed(pair.peer) or pair.peer.get_available_packet_count() > 0,
		"closed, or the message is waiting")
	pair.peer.get_packet()
	check(until_closed(pair.peer), "closed in the end")
	same("ending", ending(pair.peer), PROTOCOL)


## The server's `send` of bytes that are no text goes out; the other side objects.
func test_invalid_text_sent_by_us() -> void:
	var pair := connect_pair()
	if impl_is_ours():
		expect_error("valid UTF-8")
	var answer: int = pair.client.send(PackedByteArray([0xff, 0xfe]), TEXT)
	ours("answer", impl_is_ours(), answer, ERR_INVALID_PARAMETER)
	if answer == OK:
		until(func() -> bool: return state(pair.client) == CLOSED and state(pair.server) == CLOSED)
	else:
		pair.client.send_text("still here")
		equal(receive_text(pair.server, 1), PackedStringArray(["still here"]), "the next message")
	ours("receiver", impl_is_ours(), ending(pair.server), "OPEN -1 \"\"")
	ours("sender", impl_is_ours(), ending(pair.client), "OPEN -1 \"\"")


func test_fragmented_messages() -> void:
	for key: String in ["client", "server"]:
		var pair := client_with_raw_server() if key == "client" else server_with_raw_client()
		pair.raw.send_frame(RawPeer.TEXT, _text("Gr"), 0)
		pair.raw.send_frame(RawPeer.CONTINUATION, PackedByteArray([0xc3]), 0)
		pair.raw.send_frame(RawPeer.CONTINUATION, PackedByteArray(), 0)
		pair.raw.send_frame(RawPeer.CONTINUATION, PackedByteArray([0xbc]), 0)
		pair.raw.send_frame(RawPeer.CONTINUATION, _text("n"))
		same(key, receive_text(pair.peer, 1), PackedStringArray(["Grün"]))
		same(key + "_string", pair.peer.was_string_packet(), true)


func test_ping_is_answered_with_its_payload() -> void:
	for key: String in ["client", "server"]:
		var pair := client_with_raw_server() if key == "client" else server_with_raw_client()
		pair.raw.send_frame(RawPeer.PING, _text("are you there"))
		pair.raw.send_frame(RawPeer.PING)
		pair.raw.send_frame(RawPeer.PONG, _text("unasked"))
		pair.raw.send_message("m")
		same(key, receive_text(pair.peer, 1), PackedStringArray(["m"]))
		until(func() -> bool: return pair.raw.received.size() >= 17)
		settle(0.01)
		same(key + "_pongs", pair.raw.take_frames(), PackedStringArray(["pong:are you there", "pong:"]))


func test_frames_one_byte_at_a_time() -> void:
	var pair := server_with_raw_client()
	var data: PackedByteArray = pair.raw.frame(RawPeer.TEXT,
		_text("slow")) + pair.raw.frame(RawPeer.BINARY, bytes(130))
	for i in data.size():
		pair.raw.send_bytes(data.slice(i, i + 1))
		pair.peer.poll()
	var got := receive(pair.peer, 2)
	same("count", got.size(), 2)
	same("sizes", got.map(func(packet: PackedByteArray) -> int: return packet.size()), [4, 130])


## Frames of a client are masked with keys that change, those of a server are not masked.
func test_masking_of_what_we_send() -> void:
	var client := client_with_raw_server()
	client.peer.put_packet(bytes(10))
	until(func() -> bool: return client.raw.received.size() >= 16)
	var first := client.raw.received.slice(2, 6)
	same("client", client.raw.take_frame(),
		{"first": 0x82, "opcode": 2, "fin": true, "masked": true, "payload": bytes(10)})
	client.peer.put_packet(bytes(10))
	until(func() -> bool: return client.raw.received.size() >= 16)
	same("keys_differ", client.raw.received.slice(2, 6) != first, true)
	var server := server_with_raw_client()
	server.peer.send_text("x")
	until(func() -> bool: return server.raw.received.size() >= 3)
	same("server", server.raw.take_frame(),
		{"first": 0x81, "opcode": 1, "fin": true, "masked": false, "payload": _text("x")})


## Runs `send` against both roles: the peer ends with `code`, and says so in a close frame without a
## reason.
func _breaks(key: String, code: int, send: Callable) -> void:
	for role: String in ["client", "server"]:
		var seen := _break(role, send, 4.0)
		same("%s_%s" % [key, role], seen[0], {1002: PROTOCOL, 1007: PAYLOAD, 1009: TOO_BIG}[code])
		same("%s_%s_frame" % [key, role], seen[1], PackedStringArray(["close:%d:" % code]))


## The same where the built-in does something else.
func _breaks_ours(key: String, code: int, send: Callable) -> void:
	for role: String in ["client", "server"]:
		var seen := _break(role, send, 4.0 if impl_is_ours() else 0.1)
		ours("%s_%s" % [key, role], impl_is_ours(), seen[0],
			{1002: PROTOCOL, 1007: PAYLOAD, 1009: TOO_BIG}[code])
		ours("%s_%s_frame" % [key, role], impl_is_ours(), seen[1],
			PackedStringArray(["close:%d:" % code]))


## What `send` does to an open peer: its ending and the frames that it sent.
func _break(role: String, send: Callable, patience: float) -> Array:
	var prepare := func(peer: Object) -> void: peer.inbound_buffer_size = 2000
	var pair: RawPair = (client_with_raw_server(prepare) if role == "client"
		else server_with_raw_client(prepare))
	pair.raw.send_message("before")
	check(until_packets(pair.peer, 1), "a good message arrives first")
	pair.peer.get_packet()
	send.call(pair.raw)
	until_closed(pair.peer, patience)
	until(func() -> bool: return pair.raw.ended, minf(patience, 1.0))
	unwatch(pair.peer)
	unwatch(pair.raw)
	return [ending(pair.peer), pair.raw.take_frames()]


func _text(text: String) -> PackedByteArray:
	return text.to_utf8_buffer()


## What arrives together with a fault is not lost, and what is sent in answer goes out before the
## connection is failed.
func test_what_came_before_a_fault_can_be_answered() -> void:
	checks += 1
	if not impl_is_ours():
		return
	for pair: RawPair in [server_with_raw_client(), client_with_raw_server()]:
		pair.raw.send_bytes(pair.raw.frame(pair.raw.TEXT, "asked".to_utf8_buffer())
			+ pair.raw.frame(pair.raw.TEXT, "reserved".to_utf8_buffer(), 0x80 | 0x20))
		equal(receive_text(pair.peer, 1), PackedStringArray(["asked"]), "message")
		equal(pair.peer.send_text("answered"), OK, "answer")
		check(until_closed(pair.peer), "closed")
		equal(ending(pair.peer), "CLOSED 1002 \"Protocol error\"", "ending")
		var frames := PackedStringArray()
		until(func() -> bool:
			frames.append_array(pair.raw.take_frames())
			return frames.size() == 2)
		equal(frames, PackedStringArray(["text:answered", "close:1002:"]), "frames")
