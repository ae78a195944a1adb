extends "res://tests/harness/request_case.gd"
## Streams of any kind, and streams of which somebody has read the beginning.

## Of a client's frame with less than 126 bytes.
const FRAME_HEAD := 6
const TEXT_FRAME := [0x81, 0x82, 0, 0, 0, 0, 104, 105]


## A stream of a script. The engine's own functions take pointers, which scripts have not: these
## take their place.
class Wire:
	extends StreamPeerExtension

	## What the other side has sent, and what it is sent.
	var inbox := PackedByteArray()
	var outbox := PackedByteArray()
	## How much goes through one call; -1: all.
	var per_call := -1
	var has_ended := false
	var is_broken := false
	var calls := Callable()

	@warning_ignore("native_method_override")
	func get_partial_data(bytes: int) -> Array:
		if calls.is_valid():
			calls.call()
		if is_broken:
			return [ERR_CONNECTION_ERROR, PackedByteArray()]
		if inbox.is_empty() and has_ended:
			return [ERR_FILE_EOF, PackedByteArray()]
		var count := mini(bytes, inbox.size())
		if per_call >= 0:
			count = mini(count, per_call)
		var data := inbox.slice(0, count)
		inbox = inbox.slice(count)
		return [OK, data]

	@warning_ignore("native_method_override")
	func put_partial_data(data: PackedByteArray) -> Array:
		if is_broken:
			return [ERR_CONNECTION_ERROR, 0]
		var count := data.size() if per_call < 0 else mini(per_call, data.size())
		outbox.append_array(data.slice(0, count))
		return [OK, count]


## Gives one byte for each time that it is polled.
class Dripping:
	extends Wire
	var _is_due := false

	func poll() -> Error:
		_is_due = true
		return OK

	@warning_ignore("native_method_override")
	func get_partial_data(bytes: int) -> Array:
		per_call = 1 if _is_due else 0
		_is_due = false
		var result := super(bytes)
		per_call = -1
		return result


## A stream that can say that it has ended, as the engine's do.
class Ending:
	extends Wire
	var status := 2

	func get_status() -> int:
		return status


## The other side of a wire: speaks as a raw client does.
class Far:
	extends RefCounted
	const RawPeer := preload("res://tests/harness/raw_peer.gd")
	var wire: Wire = Wire.new()
	var raw := RawPeer.new(StreamPeerTCP.new())

	func _init() -> void:
		raw.masks = true

	func listen() -> void:
		raw.received.append_array(wire.outbox)
		wire.outbox.clear()

	func head() -> String:
		listen()
		return raw.head()

	func frames() -> PackedStringArray:
		listen()
		return raw.take_frames()

	func say(opcode: int, payload: PackedByteArray) -> void:
		wire.inbox.append_array(raw.frame(opcode, payload))


func request_bytes(path := "/", more := PackedStringArray()) -> PackedByteArray:
	return RawPeer.upgrade_request(path, more).to_ascii_buffer()


func test_a_stream_of_a_script() -> void:
	if is_builtin():
		return
	var far := Far.new()
	var peer: PacketPeer = watch(new_ws())
	equal(peer.accept_stream(far.wire), OK, "accept_stream")
	equal([state(peer), peer.get_connected_host(), peer.get_connected_port()], [CONNECTING, "", 0],
		"nothing is known of the other side")
	far.wire.inbox = request_bytes("/chat")
	check(until(func() -> bool: return state(peer) == OPEN), "open")
	equal(peer.get_requested_url(), "ws://localhost/chat", "the URL")
	check(until(func() -> bool: return far.head().begins_with("HTTP/1.1 101")), "the answer")
	far.say(RawPeer.TEXT, "hello".to_utf8_buffer())
	equal(receive_text(peer, 1), PackedStringArray(["hello"]), "a message")
	peer.send_text("answer")
	var frames := PackedStringArray()
	check(until(func() -> bool:
		frames.append_array(far.frames())
		return frames.size() == 1), "a message back")
	check("answer" in frames[0], "its text: %s" % frames[0])
	peer.close(4000, "enough")
	far.say(RawPeer.CLOSE, RawPeer.close_payload(4000))
	check(until_closed(peer), "closed")
	equal(ending(peer), "CLOSED 4000 \"\"", "by both")


func test_a_trace_of_a_stream_of_a_script() -> void:
	if is_builtin():
		return
	var path := "user://trace_of_streams.log"
	var far := Far.new()
	far.wire.inbox = request_bytes("/chat")
	far.say(RawPeer.TEXT, "hello".to_utf8_buffer())
	var peer: PacketPeer = watch(new_ws())
	equal(peer.set_trace(path), OK, "set_trace")
	equal(peer.accept_stream(far.wire), OK, "accept_stream")
	equal(receive_text(peer, 1), PackedStringArray(["hello"]), "a message")
	peer.set_trace("")
	var text := FileAccess.get_file_as_string(path)
	DirAccess.remove_absolute(ProjectSettings.globalize_path(path))
	for line: String in ["#1 = CONNECTING over a stream", "#1 < GET /chat HTTP/1.1 | ", "#1 = OPEN",
			"#1 < TEXT fin 5 hello"]:
		check(line in text, "the trace has " + line)


func test_one_byte_a_call() -> void:
	if is_builtin():
		return
	var far := Far.new()
	far.wire.per_call = 1
	var peer: PacketPeer = watch(new_ws())
	far.wire.inbox = request_bytes("/" + "x".repeat(20))
	far.say(RawPeer.TEXT, "slow".to_utf8_buffer())
	equal(peer.accept_stream(far.wire), OK, "accept_stream")
	equal(receive_text(peer, 1, 10.0), PackedStringArray(["slow"]), "a message")
	check(until(func() -> bool: return far.head().begins_with("HTTP/1.1 101"), 10.0), "the answer")


func test_one_byte_a_poll() -> void:
	if is_builtin():
		return
	var wire := Dripping.new()
	wire.inbox = request_bytes()
	wire.inbox.append_array(PackedByteArray(TEXT_FRAME))
	var size := wire.inbox.size()
	var peer: PacketPeer = new_ws()
	equal(peer.accept_stream(wire), OK, "accept_stream")
	var polls := [0]
	check(until(func() -> bool:
		peer.poll()
		polls[0] += 1
		return peer.get_available_packet_count() == 1), "a message")
	check(polls[0] >= size, "a byte for each of %d polls" % polls[0])
	equal(peer.get_packet().get_string_from_utf8(), "hi", "its text")


func test_how_streams_end() -> void:
	if is_builtin():
		return
	for way: String in ["end", "break", "end_early"]:
		var far := Far.new()
		var peer: PacketPeer = watch(new_ws())
		if way != "end_early":
			far.wire.inbox = request_bytes()
			far.say(RawPeer.TEXT, "last words".to_utf8_buffer())
		peer.accept_stream(far.wire)
		if way != "end_early":
			check(until(func() -> bool: return state(peer) == OPEN), "open")
		if way == "break":
			far.wire.is_broken = true
		else:
			far.wire.has_ended = true
		if way != "end_early":
			equal(receive_text(peer, 1), PackedStringArray(["last words"]), "what came before is read")
		check(until_closed(peer), way)
		equal(peer.get_close_code(), -1, "without a code")
		if way == "break":
			check("stream failed (error 27)" in peer.get_error_message(), peer.get_error_message())


## One poll brings the last frames, which are as much as it asks for at once, and the end, before
## the connection has looked at either. Nobody takes anything that would have it look again.
func test_the_end_comes_at_once_behind_the_last_frames() -> void:
	if is_builtin():
		return
	for attempt in 100:
		var far := Far.new()
		far.wire.inbox = request_bytes()
		var peer: PacketPeer = watch(new_ws())
		peer.accept_stream(far.wire)
		check(until(func() -> bool: return state(peer) == OPEN), "open")
		for i in 128:
			far.say(RawPeer.PING, bytes(128 - FRAME_HEAD))
		far.wire.has_ended = true
		if not check(until_closed(peer), "the end is met (attempt %d)" % attempt):
			return


## The script looks, and takes nothing; a connection whose other side has gone is not kept for that.
func test_who_is_gone_is_let_go_although_nothing_is_taken() -> void:
	if is_builtin():
		return
	var tcp := listen()
	var raw := StreamPeerTCP.new()
	raw.connect_to_host("127.0.0.1", tcp.get_local_port())
	var peer: PacketPeer = new_ws()
	peer.close_timeout = 0.2
	equal(peer.accept_stream(take(tcp)), OK, "accept_stream")
	raw.poll()
	raw.put_data(request_bytes())
	var is_open := func() -> bool:
		peer.poll()
		return state(peer) == OPEN
	check(until(is_open), "open")
	var frames := RawPeer.new(raw)
	frames.masks = true
	var message := frames.frame(RawPeer.BINARY, bytes(60_000))
	var is_full := func() -> bool:
		peer.poll()
		return raw.put_partial_data(message)[1] == 0
	check(until(is_full), "more than anybody takes")
	# Closing over what it has not read resets the connection.
	peer.send_text("unread")
	settle(0.02)
	raw.disconnect_from_host()
	var is_gone := func() -> bool:
		peer.poll()
		return state(peer) == CLOSED
	check(until(is_gone), "and let go")


## The far side is gone, or takes nothing any more: nobody keeps the stream for what it was still
## to be sent.
func test_streams_that_take_nothing_are_let_go() -> void:
	if is_builtin():
		return
	for way: String in ["ended", "stuck"]:
		var server := new_server(func(server: RefCounted) -> void: server.close_timeout = 0.2)
		var wire := Ending.new()
		wire.inbox = request_bytes()
		server.accept_stream(wire)
		check(until(server.is_connection_available), "in")
		var peer: PacketPeer = watch(server.take_connection())
		wire.per_call = 0
		peer.send_text("for nobody")
		peer.close()
		if way == "ended":
			wire.status = 0
		check(until_closed(peer), "closed")
		var weak: WeakRef = weakref(wire)
		wire = null
		check(until(func() -> bool: return weak.get_ref() == null, 10.0), way + ", and let go")


func test_freed_peers_say_goodbye() -> void:
	if is_builtin():
		return
	var far := Far.new()
	# In an array: a lambda that has the peer would keep it.
	var peers: Array[PacketPeer] = [ClassDB.instantiate(ws_class())]
	far.wire.inbox = request_bytes()
	peers[0].accept_stream(far.wire)
	check(until(func() -> bool:
		peers[0].poll()
		return state(peers[0]) == OPEN and not far.head().is_empty()), "open")
	peers[0].send_text("last words")
	peers[0].close(4001, "bye")
	peers.clear()
	var frames := far.frames()
	equal(frames.size(), 2, "what was sent and a close frame: %s" % frames)


## A stream's own code may use the peer.
func test_streams_that_call_back() -> void:
	if is_builtin():
		return
	var far := Far.new()
	var peer: PacketPeer = watch(new_ws())
	var seen := {}
	var weak: WeakRef = weakref(peer)
	far.wire.calls = func() -> void:
		weak.get_ref().poll()
		seen[weak.get_ref().get_ready_state()] = true
	far.wire.inbox = request_bytes()
	peer.accept_stream(far.wire)
	check(until(func() -> bool: return seen.has(OPEN)), "open, seen from inside")
	far.wire.calls = Callable()


func test_what_is_no_stream() -> void:
	if is_builtin():
		return
	var peer := new_ws()
	expect_error("is no longer than 16384")
	equal(peer.accept_stream_with_data(StreamPeerBuffer.new(), bytes(16385)), ERR_INVALID_PARAMETER,
		"too much")
	expect_error("not null")
	equal(peer.accept_stream_with_data(null, PackedByteArray()), ERR_INVALID_PARAMETER, "null")
	var far := Far.new()
	equal(peer.accept_stream_with_data(far.wire, bytes(16384)), OK, "as much as a head may have")
	expect_error("has a connection already")
	equal(peer.accept_stream_with_data(far.wire, PackedByteArray()), ERR_ALREADY_IN_USE, "twice")
	watch(peer)
	check(until(func() -> bool: return not far.head().is_empty()), "an answer")
	check(far.raw.head_lines()[0].begins_with("HTTP/1.1 431"), "rubbish is refused")
	check(until_closed(peer), "and closed")


## Every cut of the head, over TCP and over a script's stream.
func test_the_beginning_was_read_before() -> void:
	if is_builtin():
		return
	var request := request_bytes()
	request.append_array(PackedByteArray(TEXT_FRAME))
	for cut in range(0, request.size() + 1, 1):
		var far := Far.new()
		far.wire.inbox = request.slice(cut)
		var peer: PacketPeer = new_ws()
		equal(peer.accept_stream_with_data(far.wire, request.slice(0, cut)), OK, "cut %d" % cut)
		watch(peer)
		if not check(until_packets(peer, 1), "a message behind the head, cut %d" % cut):
			return
		equal(peer.get_packet().get_string_from_utf8(), "hi", "cut %d" % cut)
		unwatch(peer)
	var tcp := listen()
	for cut in range(0, request.size() + 1, 1):
		var raw: RawPeer = watch(RawPeer.connect_to(tcp.get_local_port()))
		var stream := take(tcp)
		var peer: PacketPeer = watch(new_ws())
		equal(peer.accept_stream_with_data(stream, request.slice(0, cut)), OK, "TCP, cut %d" % cut)
		check(until(raw.is_connected_now), "connected")
		raw.send_bytes(request.slice(cut))
		if not equal(receive_text(peer, 1), PackedStringArray(["hi"]), "TCP, cut %d" % cut):
			return
		unwatch(peer)
		unwatch(raw)
		raw.close()


## The engine's Unix sockets, since 4.6, and its TLS over them.
func test_unix_sockets_of_the_engine() -> void:
	if is_builtin() or not ClassDB.class_exists("UDSServer"):
		return
	var path := OS.get_cache_dir().path_join("rust_websocket_test_%d" % OS.get_process_id())
	var listening: RefCounted = ClassDB.instantiate("UDSServer")
	if listening.listen(path) != OK:
		return
	var client: StreamPeer = ClassDB.instantiate("StreamPeerUDS")
	equal(client.connect_to_host(path), OK, "connect")
	check(until(listening.is_connection_available), "a connection")
	var peer: PacketPeer = watch(new_ws())
	equal(peer.accept_stream(listening.take_connection()), OK, "accept_stream")
	equal([peer.get_connected_host(), peer.get_connected_port()], ["unix", 0], "its address")
	client.poll()
	client.put_data(request_bytes())
	check(until(func() -> bool: return state(peer) == OPEN), "open")
	client.put_data(PackedByteArray(TEXT_FRAME))
	equal(receive_text(peer, 1), PackedStringArray(["hi"]), "a message")
	peer.send_text("over a Unix socket")
	var received := [""]
	check(until(func() -> bool:
		client.poll()
		received[0] += client.get_partial_data(4096)[1].get_string_from_ascii()
		return received[0].ends_with("over a Unix socket")), "the other way")
	client.disconnect_from_host()
	check(until_closed(peer), "closed")
	listening.stop()
	DirAccess.remove_absolute(path)


func test_a_server_takes_streams() -> void:
	if is_builtin():
		return
	var server := new_server()
	expect_error("not null")
	equal(server.accept_stream(null), ERR_INVALID_PARAMETER, "null")
	var tcp := listen()
	var client: PacketPeer = watch(new_ws())
	client.connect_to_url("ws://127.0.0.1:%d/lobby" % tcp.get_local_port())
	equal(server.accept_stream(take(tcp)), OK, "accept_stream")
	check(until(server.is_connection_available), "it comes as one of its own listener")
	var peer: PacketPeer = watch(server.take_connection())
	equal([state(peer), peer.get_connected_host(), peer.get_requested_url().get_slice("/", 3)],
		[OPEN, "127.0.0.1", "lobby"], "with address and path")
	check(until(func() -> bool: return state(client) == OPEN), "open on the client's side")
	client.send_text("hello")
	equal(receive_text(peer, 1), PackedStringArray(["hello"]), "a message")
	peer.send_text("answer")
	equal(receive_text(client, 1), PackedStringArray(["answer"]), "and back")
	peer.close(4000, "bye")
	check(until_closed(client), "closed")
	equal(ending(client), "CLOSED 4000 \"bye\"", "with the code")
	check(until_closed(peer), "on both sides")
	unwatch(server)
	server.stop()
	expect_error("does not listen")
	equal(server.accept_stream(StreamPeerBuffer.new()), ERR_UNCONFIGURED, "not listening")


func test_streams_of_a_server_meet_its_rules() -> void:
	if is_builtin():
		return
	var server := new_server(func(server: RefCounted) -> void:
		server.max_clients = 1
		server.allowed_origins = ["https://game.example"])
	var foreign := Far.new()
	equal(server.accept_stream(foreign.wire, request_bytes("/", ["Origin: https://bad.example"])), OK,
		"received at once")
	check(until(func() -> bool: return foreign.head().begins_with("HTTP/1.1 403")), "the origin")
	var first := Far.new()
	first.wire.inbox = request_bytes("/", ["Origin: https://game.example"])
	server.accept_stream(first.wire)
	check(until(server.is_connection_available), "in")
	var second := Far.new()
	server.accept_stream(second.wire, request_bytes())
	check(until(func() -> bool: return second.head().begins_with("HTTP/1.1 503")), "full")
	var over_tcp: PacketPeer = watch(new_ws())
	over_tcp.connect_to_url("ws://127.0.0.1:%d/" % server.get_local_port())
	check(until_closed(over_tcp), "full for others too")
	equal(over_tcp.get_handshake_response_code(), 503, "its status")
	server.max_clients = -1
	server.request_callback = func(request: RefCounted) -> void:
		if request.is_websocket():
			request.set_meta("seen", request.get_remote_address())
			request.accept()
		else:
			request.respond(200, "ok")
	var health := Far.new()
	server.accept_stream(health.wire, (GET % ["/health", ""]).to_ascii_buffer())
	check(until(func() -> bool: return health.head().begins_with("HTTP/1.1 200")), "the callback")
	watch(server.take_connection())
	var asked := Far.new()
	server.accept_stream(asked.wire, request_bytes())
	check(until(server.is_connection_available), "accepted")
	equal(server.take_connection().get_request().get_meta("seen"), "", "by the callback")


func test_streams_go_to_rooms() -> void:
	if is_builtin():
		return
	var server := new_server()
	var room: MultiplayerPeer = watch(new_mp())
	room.create_server_from(server, "/room")
	var far := Far.new()
	server.accept_stream(far.wire, request_bytes("/room"))
	check(until(func() -> bool: return not far.head().is_empty()), "in the room")
	var frames := PackedStringArray()
	check(until(func() -> bool:
		frames.append_array(far.frames())
		return frames.size() == 1), "its id")
	far.say(RawPeer.BINARY, "hello".to_utf8_buffer())
	check(until(func() -> bool: return room.get_available_packet_count() == 1), "a packet")
	equal(room.get_packet().get_string_from_utf8(), "hello", "its bytes")
	var lost := Far.new()
	server.accept_stream(lost.wire, request_bytes("/nowhere"))
	check(until(func() -> bool: return lost.head().begins_with("HTTP/1.1 404")), "no room there")
	room.close()
	check(until(func() -> bool: return far.frames().size() == 1), "the room says goodbye")


## A frame of a game is 16 ms: streams that take a millisecond whenever they are asked may not have
## it all, and none of them has to wait for ever.
func test_many_slow_streams_share_what_a_poll_may_take() -> void:
	if is_builtin():
		return
	var server := new_server()
	var fars: Array[Far] = []
	var asked := {}
	for number in 20:
		var far := Far.new()
		far.wire.calls = func() -> void:
			asked[number] = asked.get(number, 0) + 1
			OS.delay_usec(1000)
		fars.append(far)
		equal(server.accept_stream(far.wire), OK, "accept_stream")
	var most := 0
	for poll in 2000: # streams of cases before have their turns too
		if asked.size() == 20 and asked.values().min() >= 6:
			break
		var before := asked.duplicate()
		server.poll()
		most = maxi(most, asked.keys().filter(func(number: int) -> bool:
			return asked[number] > before.get(number, 0)).size())
	check(most <= 3, "so many in one poll: %d" % most)
	var turns: Array = asked.values()
	check(turns.size() == 20, "all are asked: %s" % [turns])
	check(turns.min() >= 6 and turns.max() <= 12, "in turns: %s" % [turns])
	for far in fars:
		far.wire.calls = Callable()
		far.wire.inbox = request_bytes()
	check(until(func() -> bool: return fars.all(func(far: Far) -> bool:
		return far.head().begins_with("HTTP/1.1 101"))), "all get in")
