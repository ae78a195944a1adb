extends "res://tests/harness/request_case.gd"
## `set_trace`: what happens on connections, line by line in a file.

const TRACE := "user://trace_of_tests.log"
const OTHER_TRACE := "user://other_trace_of_tests.log"


func finish() -> void:
	super.finish()
	for path: String in [TRACE, OTHER_TRACE]:
		if FileAccess.file_exists(path):
			DirAccess.remove_absolute(ProjectSettings.globalize_path(path))


## The lines without their times.
func _lines(path := TRACE) -> PackedStringArray:
	var lines := PackedStringArray()
	for line in FileAccess.get_file_as_string(path).split("\n", false):
		check(line.get_slice(" ", 0).is_valid_float(), "begins with a time: " + line)
		lines.append(line.substr(line.find(" ") + 1))
	return lines


func _has_line(part: String, path := TRACE) -> bool:
	for line in _lines(path):
		if part in line:
			return true
	return false


func _until_line(part: String, path := TRACE) -> void:
	if not check(until(func() -> bool: return _has_line(part, path)), "a line with " + part):
		note("\n".join(_lines(path)))


func test_a_peer_from_the_call_on() -> void:
	if is_builtin():
		return
	var pair := connect_pair(func(client: PacketPeer, server: PacketPeer) -> void:
		equal(client.set_trace(TRACE), OK, "set_trace")
		# The other end runs over a stream of the engine.
		equal(server.set_trace(OTHER_TRACE, 4), OK, "set_trace of the server's end"))
	pair.client.send_text('{"type":"move","x":12,"y":4}')
	pair.client.send(PackedByteArray([0, 127, 255]))
	pair.server.send_text("a\n\u001b[31mb")
	until_packets(pair.server, 2)
	until_packets(pair.client, 1)
	pair.client.close(4000, "bye")
	check(until_closed(pair.client) and until_closed(pair.server), "closed")
	equal([pair.client.set_trace(""), pair.server.set_trace("")], [OK, OK], "off")
	for line: String in [
		"#1 = CONNECTING to ws://127.0.0.1:", "#1 > GET / HTTP/1.1 | Host: 127.0.0.1:",
		"#1 < HTTP/1.1 101 Switching Protocols | ", "#1 = OPEN",
		'#1 > TEXT fin 28 {"type":"move","x":12,"y":4}', "#1 > BINARY fin 3 007fff",
		"#1 < TEXT fin 8 a\\n\\u{1b}[31mb", "#1 = CLOSING", "#1 > CLOSE fin 5 4000 bye",
		"#1 < CLOSE fin 5 4000 bye", "#1 = CLOSED 4000 'bye': ",
	]:
		check(_has_line(line), "a line with " + line)
	for line: String in [
		"#1 = CONNECTING from 127.0.0.1 port ", "#1 < GET / HTTP/1.1 | ", "#1 > HTTP/1.1 101 ",
		'< TEXT fin 28 {"ty...',
		"< BINARY fin 3 007fff", "#1 > TEXT fin 8 a\\n\\u{1b}[...", "#1 < CLOSE fin 5 4000 by...",
		"#1 = CLOSED 4000 'bye': ",
	]:
		check(_has_line(line, OTHER_TRACE), "the other end has a line with " + line)
	check(not "\u001b" in FileAccess.get_file_as_string(TRACE), "nothing reaches a terminal")


func test_it_begins_and_ends_while_connected() -> void:
	if is_builtin():
		return
	var pair := connect_pair()
	pair.client.send_text("before")
	until_packets(pair.server, 1)
	for peer: PacketPeer in [pair.client, pair.server]:
		equal(peer.set_trace(TRACE), OK, "on")
	pair.client.send_text("traced")
	until_packets(pair.server, 2)
	equal([pair.client.set_trace(""), pair.server.set_trace("")], [OK, OK], "off")
	var text := FileAccess.get_file_as_string(TRACE)
	check("OPEN, traced from here on" in text, "it says where it begins")
	check("> TEXT fin 6 traced" in text and "< TEXT fin 6 traced" in text, "both wrote into one file")
	check(not "before" in text, "nothing from before")
	pair.client.send_text("after")
	until_packets(pair.server, 3)
	pair.client.close()
	until_closed(pair.client)
	settle()
	equal(FileAccess.get_file_as_string(TRACE), text, "nothing from after")
	equal(pair.client.set_trace(TRACE), OK, "again")
	equal(pair.client.set_trace(""), OK, "and off")
	equal(FileAccess.get_file_as_string(TRACE), "", "a trace begins with an empty file")


## It has one only later.
func test_the_id_of_a_client_that_is_traced_while_it_connects() -> void:
	if is_builtin():
		return
	var server := new_mp()
	equal(server.create_server(0, ANY_ADDRESS), OK, "create_server")
	watch(server)
	var client := new_mp()
	equal(client.create_client("ws://127.0.0.1:%d" % server.get_local_port()), OK, "create_client")
	equal(client.get_peer(1).set_trace(TRACE), OK, "set_trace")
	watch(client)
	check(until(func() -> bool:
		return client.get_connection_status() == MultiplayerPeer.CONNECTION_CONNECTED), "connected")
	client.set_target_peer(1)
	client.put_packet(PackedByteArray([1, 2]))
	_until_line("id %d > BINARY fin 2 0102" % client.get_unique_id())


func test_a_multiplayer_session() -> void:
	if is_builtin():
		return
	var session := mp_session(1, func(peer: MultiplayerPeer) -> void:
		equal(peer.set_trace(TRACE if peer.has_meta("port") or not FileAccess.file_exists(TRACE)
			else OTHER_TRACE), OK, "set_trace"))
	mp_send(session.clients[0], 1, "hello")
	mp_receive(session.server, 1)
	var id: int = session.ids[0]
	_until_line("#1 id %d < BINARY fin 5 68656c6c6f" % id)
	check(_has_line("#1 = OPEN"), "before it has an id")
	_until_line("#1 id %d > BINARY fin 5 68656c6c6f" % id, OTHER_TRACE)
	session.server.disconnect_peer_with_code(id, 4001, "cheating")
	check(until(func() -> bool: return disconnected(session.clients[0])), "sent away")
	_until_line("#1 id %d > CLOSE fin 10 4001 cheating" % id)
	_until_line("#1 id %d = CLOSED 4001 'cheating'" % id, OTHER_TRACE)
	var second := mp_client(session.server)
	check(until(func() -> bool: return connected(second)), "a second client")
	_until_line("#2 id %d > BINARY fin 4 " % second.get_unique_id())
	equal(session.server.set_trace(""), OK, "off")
	var text := FileAccess.get_file_as_string(TRACE)
	mp_send(second, 1, "more")
	mp_receive(session.server, 1)
	equal(FileAccess.get_file_as_string(TRACE), text, "also for connections that live")


func test_a_server_traces_connections_made_after_the_call() -> void:
	if is_builtin():
		return
	var server := new_server()
	var first: PacketPeer = watch(new_ws())
	first.connect_to_url("ws://127.0.0.1:%d/first" % server.get_local_port())
	check(until(server.is_connection_available), "the first is in")
	var taken: PacketPeer = watch(server.take_connection())
	equal(server.set_trace(TRACE), OK, "set_trace")
	var second: PacketPeer = watch(new_ws())
	second.connect_to_url("ws://127.0.0.1:%d/second" % server.get_local_port())
	check(until(server.is_connection_available), "the second is in")
	var other_taken: PacketPeer = watch(server.take_connection())
	check(until(func() -> bool: return state(first) == OPEN and state(second) == OPEN), "open")
	first.send_text("of the first")
	second.send_text("of the second")
	check(until_packets(taken, 1) and until_packets(other_taken, 1), "messages")
	_until_line("#1 < TEXT fin 13 of the second")
	check(_has_line("#1 = CONNECTING from 127.0.0.1 port ") and _has_line("#1 < GET /second HTTP/1.1"),
		"from its beginning")
	check(not _has_line("first"), "nothing of the first")
	equal(other_taken.set_trace(""), OK, "off for one connection")
	second.send_text("untold")
	check(until_packets(other_taken, 2), "one more")
	var third: PacketPeer = watch(new_ws())
	third.connect_to_url("ws://127.0.0.1:%d/third" % server.get_local_port())
	_until_line("#2 < GET /third HTTP/1.1")
	check(not _has_line("untold"), "and for no other")
	server.set_trace("")


func test_refused_handshakes() -> void:
	if is_builtin():
		return
	var server := mp_server()
	server.max_clients = 0
	server.set_trace(TRACE)
	var client: PacketPeer = watch(new_ws())
	client.set_trace(OTHER_TRACE)
	client.connect_to_url("ws://127.0.0.1:%d/a?b=c" % server.get_meta("port"))
	check(until_closed(client), "refused")
	for path: String in [TRACE, OTHER_TRACE]:
		_until_line("HTTP/1.1 503 ", path)
		_until_line("= CLOSED: ", path)
		check(_has_line("GET /a?b=c HTTP/1.1", path), "the request")
	check(_has_line("= CLOSED: the WebSocket handshake failed: the server answered with HTTP "
		+ "status 503", OTHER_TRACE), "in words")


func test_compressed_messages() -> void:
	if is_builtin():
		return
	var session := mp_session(1, func(peer: MultiplayerPeer) -> void:
		peer.compression = 1
		peer.compression_threshold = 0
		if not FileAccess.file_exists(TRACE):
			peer.set_trace(TRACE))
	mp_send(session.clients[0], 1, "abc".repeat(200))
	mp_receive(session.server, 1)
	_until_line(" of 600 " + "616263".repeat(25) + "...")
	check(_has_line("< BINARY fin compressed "), "it says so")


func test_secrets_stay_secret() -> void:
	if is_builtin():
		return
	var pair := open_pair(func(client: PacketPeer, server: PacketPeer) -> void:
		client.handshake_headers = PackedStringArray(["Authorization: Bearer hidden", "Cookie: id=hidden",
			"X-Shown: shown", "Referer: http://ada:hidden@game.example/"])
		server.handshake_headers = PackedStringArray(["Set-Cookie: id=hidden; Secure"])
		client.set_trace(TRACE)
		server.set_trace(TRACE))
	check(until(func() -> bool: return state(pair.client) == OPEN), "open")
	_until_line("< HTTP/1.1 101")
	var client: PacketPeer = watch(new_ws())
	client.set_trace(TRACE)
	client.connect_to_url("ws://ada:hidden@127.0.0.1:%d/" % free_port())
	check(until_closed(client), "nobody there")
	_until_line("#3 = CLOSED: ")
	check(_has_line("#3 = CONNECTING to ws://127.0.0.1:"), "an URL without its user")
	for line: String in ["Authorization: (13 bytes)", "Cookie: (9 bytes)", "X-Shown: shown",
			"Referer: http://(10 bytes)@game.example/", "Set-Cookie: (17 bytes)", "Sec-WebSocket-Key: "]:
		check(_has_line(line), line)
	check(not "hidden" in FileAccess.get_file_as_string(TRACE), "nothing is told")


func test_errors_are_those_of_file_access() -> void:
	if is_builtin():
		return
	var subjects: Array[Object] = [new_ws(), new_mp(), ClassDB.instantiate("RustWebSocketServer")]
	for path: String in ["user://no_such_folder/trace.log", "res://", "/", "nonsense://a/b",
			"user://"]:
		check(FileAccess.open(path, FileAccess.WRITE) == null, "the engine refuses " + path)
		var wanted := FileAccess.get_open_error()
		for subject in subjects:
			expect_error("cannot be written")
			equal(subject.set_trace(path), wanted, "%s on a %s" % [path, subject.get_class()])
	for subject in subjects:
		for bad: int in [-1, 1 << 40]:
			expect_error("payload_bytes")
			equal(subject.set_trace(TRACE, bad), ERR_INVALID_PARAMETER, "a number of bytes")
		check(not FileAccess.file_exists(TRACE), "nothing is opened then")
		equal(subject.set_trace(""), OK, "off, and was not on")
		equal(subject.set_trace(TRACE, 0), OK, "no bytes at all")
		equal(subject.set_trace(""), OK, "off")
		DirAccess.remove_absolute(ProjectSettings.globalize_path(TRACE))


func test_a_refused_path_leaves_the_trace_as_it_is() -> void:
	if is_builtin():
		return
	var pair := connect_pair()
	equal(pair.client.set_trace(TRACE), OK, "on")
	expect_error("cannot be written")
	check(pair.client.set_trace("user://no_such_folder/trace.log") != OK, "refused")
	pair.client.send_text("goes on")
	until_packets(pair.server, 1)
	_until_line("> TEXT fin 7 goes on")
	equal(pair.client.set_trace(OTHER_TRACE), OK, "another file")
	pair.client.send_text("elsewhere")
	until_packets(pair.server, 2)
	_until_line("> TEXT fin 9 elsewhere", OTHER_TRACE)
	check(not _has_line("elsewhere"), "only there")


func test_each_hop_of_a_redirect_is_a_connection() -> void:
	if is_builtin():
		return
	var server := mp_server()
	var pair := client_asking_raw(func(client: PacketPeer) -> void: client.max_redirects = 3)
	equal(pair.peer.set_trace(TRACE), OK, "from the first hop on")
	pair.raw.send_ascii("HTTP/1.1 302 Found\r\nLocation: ws://ada:hidden@127.0.0.1:%d/there\r\n"
		% server.get_meta("port") + "Content-Length: 0\r\n\r\n")
	check(until(func() -> bool: return state(pair.peer) == OPEN), "open")
	_until_line("#2 = OPEN")
	check(_has_line("#1 < HTTP/1.1 302 Found | Location: ws://(10 bytes)@127.0.0.1:"), "the redirect")
	check(_has_line("#2 > GET /there HTTP/1.1"), "what follows")
	check(not "hidden" in FileAccess.get_file_as_string(TRACE), "no secrets")


func test_a_room_traces_its_own() -> void:
	if is_builtin():
		return
	var server := new_server()
	var room: MultiplayerPeer = watch(new_mp())
	equal(room.create_server_from(server, "/red"), OK, "a room")
	equal(room.set_trace(TRACE), OK, "set_trace")
	var client: MultiplayerPeer = watch(new_mp())
	client.create_client("ws://127.0.0.1:%d/red" % server.get_local_port())
	check(until(func() -> bool: return connected(client)), "in")
	_until_line("#1 id %d > BINARY fin 4 " % client.get_unique_id())
	check(_has_line("= OPEN, traced from here on"), "from when it is the room's")
