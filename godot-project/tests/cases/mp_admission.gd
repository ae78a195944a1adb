extends "res://tests/harness/case.gd"
## Whom a multiplayer server lets in, decided before any script runs, and who they are behind a
## proxy. The built-in class has none of it.

const GAME := "https://game.example"


## A raw client of a server: its request has these header lines, and these bytes go before it.
func _ask(server: Object, headers := PackedStringArray(), before := PackedByteArray(),
		path := "/") -> RawPeer:
	var raw: RawPeer = watch(RawPeer.connect_to(server.get_meta("port")))
	check(until(raw.is_connected_now), "the raw client is connected")
	raw.masks = true
	raw.send_bytes(before + RawPeer.upgrade_request(path, headers).to_utf8_buffer())
	return raw


## The status line of what it got, or "cut" if it got nothing.
func _answer(raw: RawPeer) -> String:
	until(func() -> bool: return not raw.head().is_empty() or raw.ended)
	return "cut" if raw.head().is_empty() else raw.head_lines()[0]


func _refused(server: MultiplayerPeer, headers := PackedStringArray()) -> String:
	var raw := _ask(server, headers)
	var answer := _answer(raw)
	unwatch(raw)
	return answer


## Address and port of the client that comes next.
func _newcomer(server: MultiplayerPeer, come: Callable) -> String:
	var seen := PackedStringArray()
	var note_it := func(id: int) -> void:
		seen.append("%s %d" % [server.get_peer_address(id), server.get_peer_port(id)])
	server.peer_connected.connect(note_it)
	var raw: RawPeer = come.call()
	until(func() -> bool: return seen.size() == 1)
	server.peer_connected.disconnect(note_it)
	unwatch(raw)
	return seen[0] if seen.size() == 1 else "nobody: " + _answer(raw)


func test_defaults() -> void:
	if is_builtin():
		return
	var server := new_mp()
	equal([server.max_clients, server.max_clients_per_address, server.allowed_origins,
		server.trusted_proxies, server.proxy_protocol],
		[-1, -1, PackedStringArray(), PackedStringArray(), false], "as they are")
	server.max_clients = 0
	server.max_clients_per_address = 7
	server.allowed_origins = [GAME]
	server.trusted_proxies = ["loopback"]
	server.proxy_protocol = true
	equal([server.max_clients, server.max_clients_per_address, server.allowed_origins,
		server.trusted_proxies, server.proxy_protocol],
		[0, 7, PackedStringArray([GAME]), PackedStringArray(["loopback"]), true], "as they were set")


func test_invalid_entries_refuse_the_array() -> void:
	if is_builtin():
		return
	var server := new_mp()
	for value: int in [-2, -100]:
		expect_error("max_clients must be at least -1, not %d" % value)
		server.max_clients = value
	expect_error("max_clients_per_address must be at least -1")
	server.max_clients_per_address = -2
	server.allowed_origins = [GAME]
	for entry: String in ["game.example", "*", "", "https://game.example/lobby", "https://*",
			"https://game.example:0", "https://a b"]:
		expect_error("allowed_origins keeps what it had: ")
		server.allowed_origins = ["null", entry]
		equal(server.allowed_origins, PackedStringArray([GAME]), entry)
	server.trusted_proxies = ["private"]
	for entry: String in ["nginx", "10.0.0.0/33", "10.0.0.1:80", "*", "", "::1/129"]:
		expect_error("trusted_proxies keeps what it had: ")
		server.trusted_proxies = ["::1", entry]
		equal(server.trusted_proxies, PackedStringArray(["private"]), entry)
	check(server.get_error_message().contains("::1/129"), server.get_error_message())


func test_a_full_server() -> void:
	if is_builtin():
		return
	var session := mp_session(2, func(peer: MultiplayerPeer) -> void: peer.max_clients = 2)
	var late := mp_client(session.server)
	check(until(func() -> bool: return disconnected(late)), "it is refused")
	equal(late.get_handshake_response_code(), 503, "status")
	check("Retry-After: 5" in late.get_handshake_response_headers(), "when to come again")
	equal(late.get_handshake_response_body().get_string_from_utf8(), "the server is full\n", "words")
	var browser := _ask(session.server, ["Origin: " + GAME])
	equal(_answer(browser), "HTTP/1.1 101 Switching Protocols", "a browser sees no status")
	until(func() -> bool: return browser.received.size() >= 22)
	equal(browser.take_frames(), PackedStringArray(["close:1013:the server is full"]), "but a code")
	equal(session.server_events, PackedStringArray(["connected A", "connected B"]), "no script runs")
	session.server.disconnect_peer(session.ids[0])
	session.server.poll()
	var next := mp_client(session.server)
	check(until(func() -> bool: return connected(next)), "whoever is sent away makes room")
	session.clients[1].close()
	check(until(func() -> bool: return session.server_events.size() == 5), "another leaves")
	var last := mp_client(session.server)
	check(until(func() -> bool: return connected(last)), "and makes room")


## 1000 connects never let 11 in: not in the server's count, not in the clients'.
func test_1000_connects_for_10_places() -> void:
	if is_builtin():
		return
	start(90.0)
	var ids: Dictionary[int, bool] = {}
	var most := [0]
	var server := mp_server(func(peer: MultiplayerPeer) -> void:
		peer.max_clients = 10
		peer.handshake_timeout = 60.0
		peer.peer_connected.connect(func(id: int) -> void:
			ids[id] = true
			most[0] = maxi(most[0], ids.size()))
		peer.peer_disconnected.connect(func(id: int) -> void: ids.erase(id)))
	var url := "ws://127.0.0.1:%d" % server.get_meta("port")
	var clients: Array[PacketPeer] = []
	for i in 1000:
		var client: PacketPeer = watch(new_ws())
		client.connect_timeout = 60.0
		client.connect_to_url(url)
		clients.append(client)
		if i % 50 == 0:
			poll()
		# Some of those who are in leave, so that places change hands.
		if i % 97 == 0 and not ids.is_empty():
			server.disconnect_peer(ids.keys()[0])
	var is_decided := func(client: PacketPeer) -> bool: return state(client) != CONNECTING
	check(until(func() -> bool: return clients.all(is_decided), 80.0), "each knows")
	var is_in := func(client: PacketPeer) -> bool: return state(client) == OPEN
	until(func() -> bool: return ids.size() == clients.filter(is_in).size())
	check(most[0] <= 10, "at most %d at once" % most[0])
	check(ids.size() == clients.filter(is_in).size() and ids.size() <= 10,
		"%d are in" % ids.size())
	var is_refused := func(client: PacketPeer) -> bool:
		return state(client) == CLOSED and client.get_handshake_response_code() == 503
	check(clients.filter(is_refused).size() >= 900, "%d were told that it is full"
		% clients.filter(is_refused).size())


func test_a_drain_under_100_players() -> void:
	if is_builtin():
		return
	start(60.0)
	var session := mp_session(100)
	session.server.max_clients = 0
	var late := mp_client(session.server)
	check(until(func() -> bool: return disconnected(late)), "a newcomer is told at once")
	mp_send(session.server, 0, "play on")
	check(until(func() -> bool: return session.clients.all(func(client: MultiplayerPeer) -> bool:
		return client.get_available_packet_count() == 1)), "those who play, play on")
	equal(session.clients.filter(disconnected).size(), 0, "nobody is lost")
	session.server.close_with_code(1012, "restarting for an update")
	check(until(func() -> bool: return session.clients.all(disconnected)), "the end")
	check(session.clients.all(func(client: MultiplayerPeer) -> bool:
		return client.get_close_code() == 1012), "with its code")
	session.server.max_clients = -1
	for client in session.clients:
		unwatch(client)


func test_limits_per_address() -> void:
	if is_builtin():
		return
	var server := mp_server(func(peer: MultiplayerPeer) -> void:
		peer.max_clients_per_address = 1
		peer.trusted_proxies = ["loopback"])
	for row: Array in [["203.0.113.7", "101"], ["203.0.113.7", "429"], ["203.0.113.8", "101"],
			["2001:db8::1", "101"], ["2001:db8::ffff:2", "429"], ["2001:db8:0:1::1", "101"],
			["::ffff:203.0.113.8", "429"]]:
		var raw := _ask(server, ["X-Forwarded-For: " + row[0]])
		check(_answer(raw).contains(row[1]), "%s: %s" % [row[0], _answer(raw)])
	var browser := _ask(server, ["X-Forwarded-For: 203.0.113.7", "Origin: " + GAME])
	until(func() -> bool: return not browser.head().is_empty() and browser.received.size() >= 24)
	equal(browser.take_frames(), PackedStringArray(["close:1013:too many connections"]), "a browser")


func test_origins() -> void:
	if is_builtin():
		return
	var server := mp_server(func(peer: MultiplayerPeer) -> void:
		peer.allowed_origins = [GAME, "https://*.example.org", "http://localhost:*", "null",
			"https://bücher.example", "https://other.example:8443"])
	for origin: String in [GAME, "HTTPS://Game.Example", GAME + ":443", GAME + ".",
			"https://a.example.org", "https://a.b.example.org", "http://localhost:8060",
			"http://localhost", "null", "https://xn--bcher-kva.example", "https://other.example:8443"]:
		equal(_refused(server, ["Origin: " + origin]), "HTTP/1.1 101 Switching Protocols", origin)
	for origin: String in ["http://game.example", GAME + ":8443", "https://game.example.evil.org",
			"https://evilgame.example", "https://example.org", "https://localhost:8060", "",
			"https://other.example", "file://", GAME + "/", "https://user@game.example"]:
		equal(_refused(server, ["Origin: " + origin]), "HTTP/1.1 403 Forbidden", origin)
	equal(_refused(server), "HTTP/1.1 101 Switching Protocols", "who is no browser")
	server.allowed_origins = []
	equal(_refused(server, ["Origin: https://evil.example"]), "HTTP/1.1 101 Switching Protocols",
		"without a list")


## A room has limits of its own beside those of its server.
func test_limits_of_rooms() -> void:
	if is_builtin():
		return
	var server: Object = ClassDB.instantiate("RustWebSocketServer")
	equal(server.listen(0, ANY_ADDRESS), OK, "listen")
	server.set_meta("port", server.get_local_port())
	server.max_clients = 3
	watch(server)
	var room := new_mp()
	room.max_clients = 1
	room.allowed_origins = [GAME]
	equal(room.create_server_from(server, "/room"), OK, "a room")
	watch(room)
	var rest := new_mp()
	equal(rest.create_server_from(server), OK, "another for all other paths")
	watch(rest)
	var answers := PackedStringArray()
	for row: Array in [["/room", "Origin: https://evil.example"], ["/room", "Origin: " + GAME],
			["/room", "X-No: origin"], ["/a", "Origin: https://evil.example"], ["/b", "X-No: origin"],
			["/c", "X-No: origin"]]:
		answers.append(_answer(_ask(server, [row[1]], PackedByteArray(), row[0])).get_slice(" ", 1))
	equal(answers, PackedStringArray(["403", "101", "503", "101", "101", "503"]), "answers")
	expect_error("exchange the certificate of that one")
	equal(room.set_tls_options(null, "game.example"), ERR_UNCONFIGURED, "a room does not listen")
	server.stop()


func test_forwarded_addresses() -> void:
	if is_builtin():
		return
	var server := mp_server()
	var forged := PackedStringArray(["X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https"])
	check(_newcomer(server, _ask.bind(server, forged)).begins_with("127.0.0.1 "), "nobody is trusted")
	server.trusted_proxies = ["10.0.0.0/8", "private", "unix"]
	check(_newcomer(server, _ask.bind(server, forged)).begins_with("127.0.0.1 "), "this one is not")
	server.trusted_proxies = ["loopback", "10.0.0.0/8"]
	for row: Array in [[["203.0.113.7"], "203.0.113.7 0"], [["6.6.6.6, 203.0.113.7"], "203.0.113.7 0"],
			[["6.6.6.6", "203.0.113.7, 10.1.1.1"], "203.0.113.7 0"],
			[["203.0.113.7:4444"], "203.0.113.7 0"],
			[["[2001:db8::7]:4444"], "2001:db8:0:0:0:0:0:7 0"],
			[["6.6.6.6, nonsense, 10.1.1.1"], "10.1.1.1 0"],
			[["203.0.113.7, unix:"], "unix 0"]]:
		var lines := PackedStringArray()
		for line: String in row[0]:
			lines.append("X-Forwarded-For: " + line)
		equal(_newcomer(server, _ask.bind(server, lines)), row[1], str(row[0]))
	check(_newcomer(server, _ask.bind(server)).begins_with("127.0.0.1 "), "a check of the proxy's own")
	var urls := PackedStringArray()
	server.peer_connected.connect(func(id: int) -> void:
		urls.append(server.get_peer(id).get_requested_url())
		urls.append(server.get_peer(id).get_connected_host()))
	var raw := _ask(server, forged)
	until(func() -> bool: return urls.size() == 2)
	equal(urls, PackedStringArray(["wss://localhost/", "203.0.113.7"]), "as its peer shows it")
	unwatch(raw)


func test_proxy_headers() -> void:
	if is_builtin():
		return
	var server := mp_server(func(peer: MultiplayerPeer) -> void: peer.proxy_protocol = true)
	var line := "PROXY TCP4 203.0.113.7 10.0.0.1 5000 443\r\n".to_utf8_buffer()
	var none := PackedStringArray()
	equal(_newcomer(server, _ask.bind(server, none, line)), "203.0.113.7 5000", "version 1")
	var signature := PackedByteArray([13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10])
	var addresses := PackedByteArray([203, 0, 113, 9, 10, 0, 0, 1, 0x13, 0x88, 1, 0xbb])
	equal(_newcomer(server, _ask.bind(server, none,
		signature + PackedByteArray([0x21, 0x11, 0, 12]) + addresses)), "203.0.113.9 5000", "version 2")
	check(_newcomer(server, _ask.bind(server, none,
		signature + PackedByteArray([0x20, 0, 0, 0]))).begins_with("127.0.0.1 "), "LOCAL")
	for before: PackedByteArray in [PackedByteArray(), "PROXY TCP4 x\r\n".to_utf8_buffer(),
			signature + PackedByteArray([0x21, 0x11, 3, 0])]:
		equal(_answer(_ask(server, none, before)), "cut", str(before.size()))
	# Not from this address: none is read, and one is no request.
	server.trusted_proxies = ["10.0.0.0/8"]
	check(_newcomer(server, _ask.bind(server)).begins_with("127.0.0.1 "), "no proxy")
	check(_answer(_ask(server, none, line)).contains(" 505 "), "a forged one")
