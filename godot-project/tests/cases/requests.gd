extends "res://tests/harness/request_case.gd"
## `request_callback`: what a server's script sees of a request, and what its answers come to.

signal ticket_checked


func test_an_upgrade_is_accepted_later() -> void:
	if is_builtin():
		return
	var server := asking(keep_request)
	var client := mp_client(server)
	until_kept(1)
	settle()
	equal(mp_status(client), "CONNECTING", "it waits for the answer")
	check(kept[0].is_pending() and kept[0].is_websocket(), "a pending upgrade")
	kept[0].set_meta("account", "ada")
	equal(kept[0].accept(), OK, "accept")
	check(not kept[0].is_pending(), "answered")
	check(until(func() -> bool: return connected(client)), "the client gets in")
	kept.clear()
	poll()
	var member: PacketPeer = server.get_peer(client.get_unique_id())
	equal(member.get_request().get_meta("account"), "ada", "what the callback noted is still there")
	var request: RefCounted = member.get_request()
	check(request == member.get_request(), "the same object each time")
	check(new_ws().get_request() == null, "a peer without a request")


func test_a_coroutine_decides_after_a_while() -> void:
	if is_builtin():
		return
	var server := asking(func(request: RefCounted) -> void:
		await ticket_checked
		request.set_meta("awaited", true)
		request.accept())
	var client := mp_client(server)
	settle(1.0)
	equal(mp_status(client), "CONNECTING", "it waits")
	ticket_checked.emit()
	check(until(func() -> bool: return connected(client)), "the client gets in")
	var request: RefCounted = server.get_peer(client.get_unique_id()).get_request()
	check(request.get_meta("awaited", false), "the request lived through the coroutine")


func test_what_a_request_tells() -> void:
	if is_builtin():
		return
	var server := asking(keep_request)
	ask_upgrade(server, "/room/7?a=1&b=x%20y&a=2&c=p+q", ["X-Two: one", "x-two: two",
		"Cookie: id=7; name=\"ada\"", "Origin: https://game.example",
		"Sec-WebSocket-Protocol: v2, v1"])
	until_kept(1)
	var request := kept[0]
	equal([request.get_method(), request.get_path(), request.get_query()],
		["GET", "/room/7", "a=1&b=x%20y&a=2&c=p+q"], "the request line")
	equal(request.get_query_parameters(), {"a": "1", "b": "x y", "c": "p q"}, "parameters")
	equal([request.get_header("X-TWO"), request.has_header("x-Two"), request.has_header("x-three"),
		request.get_header("x-three")], ["one, two", true, false, ""], "headers by name")
	check("x-two: two" in request.get_headers(), "header lines as sent")
	equal(request.get_cookies(), {"id": "7", "name": "ada"}, "cookies")
	equal([request.get_origin(), request.get_host()], ["https://game.example", "localhost"],
		"origin and host")
	equal(request.get_protocols(), PackedStringArray(["v2", "v1"]), "protocols")
	equal([request.get_remote_address(), request.get_proxy_address(), request.is_secure()],
		["127.0.0.1", "", false], "who asks")
	check(request.get_remote_port() > 0, "a port")
	check(request.get_tls_server_name() == "" and request.get_tls_client_certificate() == null,
		"no TLS")


func test_plain_requests_are_answered_on_the_same_port() -> void:
	if is_builtin():
		return
	var server := asking(func(request: RefCounted) -> void:
		var path: String = request.get_path()
		if path == "/health":
			request.respond(200, "ok")
		elif path == "/page":
			request.respond_raw(200, "<p>".to_utf8_buffer(), ["Content-Type: text/html"])
		else:
			request.respond(204 if path == "/none" else 404))
	var health := ask(server, "/health")
	equal(status(health), "HTTP/1.1 200 OK", "a health check")
	equal([body(health), health.header("Content-Length"), health.header("Connection"),
		health.header("Content-Type"), health.header("Cache-Control")],
		["ok", "2", "close", "text/plain; charset=utf-8", "no-store"], "its answer")
	var page := ask(server, "/page")
	status(page)
	equal([body(page), page.header("Content-Type")], ["<p>", "text/html"], "a page")
	var missing := ask(server, "/missing")
	equal([status(missing), body(missing)], ["HTTP/1.1 404 Not Found", "Not Found"], "no page")
	equal(status(ask(server, "/none")), "HTTP/1.1 204 No Content", "no content")
	var head := connect_raw(server)
	head.send_ascii("HEAD /health HTTP/1.1\r\nHost: a\r\n\r\n")
	equal([status(head), body(head), head.header("Content-Length")],
		["HTTP/1.1 200 OK", "", "2"], "HEAD")


func test_refusals_seen_by_a_client() -> void:
	if is_builtin():
		return
	var server := new_server(func(server: RefCounted) -> void:
		server.request_callback = func(request: RefCounted) -> void:
			if request.get_path() == "/closed":
				request.refuse(4001, "no ticket")
			elif request.get_path() == "/full":
				request.refuse()
			else:
				request.respond(401, "who are you?", ["WWW-Authenticate: Bearer"]))
	var closed: PacketPeer = watch(new_ws())
	closed.connect_to_url("ws://127.0.0.1:%d/closed" % server.get_local_port())
	check(until_closed(closed), "refused with a close frame")
	equal(ending(closed), "CLOSED 4001 \"no ticket\"", "which says why")
	var full: PacketPeer = watch(new_ws())
	full.connect_to_url("ws://127.0.0.1:%d/full" % server.get_local_port())
	check(until_closed(full), "refused with the default code")
	equal(full.get_close_code(), 1013, "1013")
	var answered: PacketPeer = watch(new_ws())
	answered.connect_to_url("ws://127.0.0.1:%d/" % server.get_local_port())
	check(until_closed(answered), "refused with a status")
	equal([answered.get_handshake_response_code(),
		answered.get_handshake_response_body().get_string_from_utf8()], [401, "who are you?"], "401")
	check(not server.is_connection_available(), "nobody came in")


func test_protocols_and_headers_of_an_accepted_one() -> void:
	if is_builtin():
		return
	var server := new_server(func(server: RefCounted) -> void:
		server.handshake_headers = ["X-Server: one"]
		server.request_callback = keep_request)
	var raw := ask_upgrade(server, "/", ["Sec-WebSocket-Protocol: v2, v1"])
	until_kept(1)
	expect_error("does not offer the subprotocol")
	equal(kept[0].accept("v3"), ERR_INVALID_PARAMETER, "a protocol that is not offered")
	for line: String in ["Content-Length: 3", "sec-websocket-accept: x", "Upgrade: h2c", "no colon",
		"X: a\r\nY: b"]:
		allow_error("still pending")
		equal(kept[0].accept("v1", [line]), ERR_INVALID_PARAMETER, line)
	check(kept[0].is_pending(), "mistakes answer nothing")
	equal(kept[0].accept("v1", ["X-More: two"]), OK, "accept")
	check(until(server.is_connection_available), "it comes in")
	equal([raw.header("Sec-WebSocket-Protocol"), raw.header("X-Server"), raw.header("X-More")],
		["v1", "one", "two"], "the answer")
	equal(server.take_connection().get_selected_protocol(), "v1", "the server's peer")


func test_mistakes_leave_it_pending() -> void:
	if is_builtin():
		return
	var server := asking(keep_request)
	var raw := ask(server, "/")
	until_kept(1)
	var request := kept[0]
	for part: String in ["plain request", "no status", "no status", "16777216", "Content-Length",
		"Name: value|header"]:
		allow_error(part)
	equal(request.accept(), ERR_UNAVAILABLE, "a plain request is not accepted")
	equal(request.refuse(), ERR_UNAVAILABLE, "nor refused with a close frame")
	equal(request.respond(199), ERR_INVALID_PARAMETER, "199")
	equal(request.respond(600), ERR_INVALID_PARAMETER, "600")
	var large := PackedByteArray()
	large.resize(16 * 1024 * 1024 + 1)
	equal(request.respond_raw(200, large), ERR_OUT_OF_MEMORY, "over 16 MiB")
	equal(request.respond(200, "", ["Content-Length: 5"]), ERR_INVALID_PARAMETER, "a reserved header")
	equal(request.respond(200, "", ["X: a\r\nSet-Cookie: b"]), ERR_INVALID_PARAMETER,
		"an injected header")
	check(request.is_pending(), "still pending")
	equal(request.respond(200, "fine"), OK, "the answer")
	equal(status(raw), "HTTP/1.1 200 OK", "which arrives")
	expect_error("answered already")
	equal(request.respond(200, "twice"), ERR_ALREADY_IN_USE, "each gets one answer")
	equal(body(raw), "fine", "one answer")
	var made: RefCounted = ClassDB.instantiate("RustWebSocketRequest")
	expect_error("answered already")
	equal([made.is_pending(), made.accept(), made.get_path(), made.get_headers()],
		[false, ERR_ALREADY_IN_USE, "", PackedStringArray()], "one that a script makes")
	var upgrade := ask_upgrade(server)
	until_kept(2)
	expect_error("close code")
	equal(kept[1].refuse(1005), ERR_INVALID_PARAMETER, "a code that must not be sent")
	kept[1].refuse(1008, "bye")
	check(until(func() -> bool: return not upgrade.head().is_empty() and upgrade.received.size() > 0),
		"refused")
	equal(upgrade.take_frames(), PackedStringArray(["close:1008:bye"]), "with a close frame")


func test_who_leaves_or_waits_too_long() -> void:
	if is_builtin():
		return
	var server := asking(keep_request)
	server.request_timeout = 0.1
	var late := ask_upgrade(server)
	until_kept(1)
	equal(status(late), "HTTP/1.1 503 Service Unavailable", "too late")
	check(until(func() -> bool: return not kept[0].is_pending()), "which the server learns")
	expect_error("too late")
	equal(kept[0].accept(), ERR_CONNECTION_ERROR, "an answer after that")
	server.request_timeout = 10.0
	var leaver := ask_upgrade(server)
	until_kept(2)
	leaver.close()
	check(until(func() -> bool: return not kept[1].is_pending()), "the client left")
	expect_error("too late")
	equal(kept[1].respond(200), ERR_CONNECTION_ERROR, "an answer to nobody")


func test_callbacks_that_do_not_answer() -> void:
	if is_builtin():
		return
	var dropping := asking(func(_request: RefCounted) -> void: pass)
	expect_error("nobody holds the request")
	for i in 3:
		equal(status(ask(dropping)), "HTTP/1.1 500 Internal Server Error", "dropped")
	var failing := asking(func(request: RefCounted) -> void:
		var nothing: Variant = null
		nothing.call_it()
		request.accept())
	expect_error("SCRIPT ERROR: Invalid call. Nonexistent function 'call_it'")
	expect_error("nobody holds the request")
	equal(status(ask(failing)), "HTTP/1.1 500 Internal Server Error", "failed")
	var later := asking(keep_request)
	var waiting := ask_upgrade(later)
	until_kept(1)
	expect_error("nobody holds the request")
	kept.clear()
	equal(status(waiting), "HTTP/1.1 500 Internal Server Error", "dropped later")
	var gone := Node.new()
	var orphan := asking(gone.set_name)
	gone.free()
	expect_error("the object that it calls is gone")
	equal(status(ask(orphan)), "HTTP/1.1 500 Internal Server Error", "nobody to call")
	orphan.request_callback = Callable()
	equal(status(ask(orphan)), "HTTP/1.1 426 Upgrade Required", "as without a callback")


func test_callbacks_that_end_their_server() -> void:
	if is_builtin():
		return
	var closing: Array[MultiplayerPeer] = []
	closing.append(asking(func(request: RefCounted) -> void:
		closing[0].close()
		keep_request(request)))
	var raw := ask(closing[0])
	equal(status(raw), "HTTP/1.1 503 Service Unavailable", "the server has closed")
	check(not kept[0].is_pending(), "too late")
	kept.clear()
	var held := {"server": ClassDB.instantiate("RustWebSocketServer")}
	held.server.request_callback = func(request: RefCounted) -> void:
		unwatch(held.server)
		held.clear()
		request.respond(200, "last words")
	held.server.listen(0, ANY_ADDRESS)
	watch(held.server)
	var last := ask(held.server)
	equal(status(last), "HTTP/1.1 200 OK", "the answer still goes out")
	equal(body(last), "last words", "all of it")


func test_a_callback_that_polls_its_server() -> void:
	if is_builtin():
		return
	var server := new_server()
	var depth := {"now": 0, "most": 0}
	server.request_callback = func(request: RefCounted) -> void:
		depth.now += 1
		depth.most = maxi(depth.most, depth.now)
		server.poll()
		request.respond(200, "ok")
		depth.now -= 1
	unwatch(server)
	var clients: Array[RawPeer] = []
	for i in 300:
		clients.append(ask(server))
	watch(server)
	for client in clients:
		equal(status(client), "HTTP/1.1 200 OK", "an answer")
	equal(depth.most, 1, "callbacks within one another")


func test_smuggled_and_pipelined_requests() -> void:
	if is_builtin():
		return
	var server := asking(func(request: RefCounted) -> void:
		keep_request(request)
		request.respond(200, "one"))
	var with_body := ask(server, "/", ["Content-Length: 5"])
	equal(status(with_body), "HTTP/1.1 400 Bad Request", "a body")
	var chunked := ask(server, "/", ["Transfer-Encoding: chunked"])
	equal(status(chunked), "HTTP/1.1 400 Bad Request", "a chunked body")
	var piped := connect_raw(server)
	piped.send_ascii(GET % ["/first", ""] + GET % ["/second", ""])
	equal(status(piped), "HTTP/1.1 200 OK", "two at once")
	equal(body(piped), "one", "get one answer")
	equal(kept.size(), 1, "and one callback")
	equal(kept[0].get_path(), "/first", "for the first")
	var posted := connect_raw(server)
	posted.send_ascii("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
	equal([status(posted), posted.header("Allow")],
		["HTTP/1.1 405 Method Not Allowed", "GET, HEAD"], "POST")
	equal(status(ask(server, "/%0d%0aX:%20y")), "HTTP/1.1 200 OK", "an encoded line end in a path")
	check(not "\n" in kept[1].get_path(), "stays encoded")
	var alive := mp_client(server)
	check(until(func() -> bool: return disconnected(alive)), "the others are answered too")


func test_without_a_callback_nothing_changes() -> void:
	if is_builtin():
		return
	var server := mp_server()
	equal(status(ask(server)), "HTTP/1.1 426 Upgrade Required", "a plain request")
	var client := mp_client(server)
	check(until(func() -> bool: return connected(client)), "an upgrade")
	check(server.get_peer(client.get_unique_id()).get_request() == null, "no request is kept")
	equal([server.request_callback, server.request_timeout, server.max_pending_connections],
		[Callable(), 10.0, 4096], "defaults")
	expect_error("request_timeout must be")
	server.request_timeout = 0.0
	expect_error("max_pending_connections must be")
	server.max_pending_connections = 0
	equal([server.request_timeout, server.max_pending_connections], [10.0, 4096], "refused")


func test_five_hundred_clients_within_ten_polls() -> void:
	if is_builtin():
		return
	var server := asking(func(request: RefCounted) -> void: request.accept())
	unwatch(server)
	var clients: Array[StreamPeerTCP] = []
	var upgrade := RawPeer.upgrade_request("/").to_ascii_buffer()
	for i in 500:
		var client := StreamPeerTCP.new()
		client.connect_to_host(ANY_ADDRESS, server.get_local_port())
		clients.append(client)
	for client in clients:
		while client.get_status() == StreamPeerTCP.STATUS_CONNECTING:
			client.poll()
		client.put_data(upgrade)
	var members := {"count": 0}
	server.peer_connected.connect(func(_id: int) -> void: members.count += 1)
	for i in 10:
		OS.delay_msec(16)
		server.poll()
	equal(members.count, 500, "clients after ten polls")


func test_a_thousand_requests_in_one_poll() -> void:
	if is_builtin():
		return
	var calls := {"now": 0}
	var server := asking(func(request: RefCounted) -> void:
		calls.now += 1
		request.respond(200, "ok"))
	unwatch(server)
	var clients: Array[StreamPeerTCP] = []
	for i in 1000:
		var client := StreamPeerTCP.new()
		client.connect_to_host(ANY_ADDRESS, server.get_local_port())
		clients.append(client)
	for client in clients:
		while client.get_status() == StreamPeerTCP.STATUS_CONNECTING:
			client.poll()
		client.put_data((GET % ["/", ""]).to_ascii_buffer())
	OS.delay_msec(300)
	var most := 0
	for i in 40:
		calls.now = 0
		server.poll()
		most = maxi(most, calls.now)
		OS.delay_msec(10)
	equal(most, 256, "callbacks of one poll")
	var answered := 0
	for client in clients:
		client.poll()
		answered += int(client.get_available_bytes() > 0)
	equal(answered, 1000, "answers")


func test_slow_readers_and_a_slow_head_stop_nobody() -> void:
	if is_builtin():
		return
	var page := PackedByteArray()
	page.resize(16 * 1024 * 1024)
	var server := asking(func(request: RefCounted) -> void: request.respond_raw(200, page))
	var slow := StreamPeerTCP.new()
	slow.connect_to_host(ANY_ADDRESS, server.get_local_port())
	until(func() -> bool:
		slow.poll()
		return slow.get_status() == StreamPeerTCP.STATUS_CONNECTED)
	slow.put_data((GET % ["/", ""]).to_ascii_buffer())
	var dripping := connect_raw(server)
	dripping.send_ascii("GET / HT")
	settle(0.1)
	server.request_callback = func(request: RefCounted) -> void: request.respond(200, "quick")
	var quick := ask(server)
	equal(status(quick), "HTTP/1.1 200 OK", "somebody else")
	dripping.send_ascii("TP/1.1\r\nHost: a\r\n\r\n")
	equal(status(dripping), "HTTP/1.1 200 OK", "a head in two parts")
	var got := 0
	var end := Time.get_ticks_msec() + int(15000 * patience)
	while Time.get_ticks_msec() < end and slow.get_status() == StreamPeerTCP.STATUS_CONNECTED:
		server.poll()
		slow.poll()
		var is_open := slow.get_status() == StreamPeerTCP.STATUS_CONNECTED
		var count := slow.get_available_bytes() if is_open else 0
		if count > 0:
			got += slow.get_data(count)[1].size()
	check(got > page.size(), "all of a large page arrives: %d" % got)
