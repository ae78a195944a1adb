extends "res://tests/harness/request_case.gd"
## Clients that follow redirects.

const SocketFiles := preload("res://tests/harness/socket_files.gd")

const COOKIES: Array[String] = ["Cookie: a=b", "Authorization: Basic YTpi", "X-Mine: c"]


## A web server in a few lines: sends clients elsewhere, or tells what they have asked.
class Sender:
	extends RefCounted
	var port := 0
	## What follows the status line of each answer, by path; the server ends what it has not there.
	var answers: Dictionary[String, String] = {}
	## The heads of the requests.
	var asked := PackedStringArray()
	var _server := TCPServer.new()
	var _streams: Array[RawPeer] = []

	func _init() -> void:
		_server.listen(0, "127.0.0.1")
		port = _server.get_local_port()

	func poll() -> void:
		while _server.is_connection_available():
			_streams.append(RawPeer.new(_server.take_connection()))
		for raw in _streams.duplicate():
			raw.poll()
			if not raw.head().is_empty():
				_streams.erase(raw)
				asked.append(raw.head())
				raw.send_ascii("HTTP/1.1 %s\r\n\r\n" % answers[raw.head().get_slice(" ", 1)])

	func redirect(path: String, location: String, status := 302) -> void:
		answers[path] = "%d There\r\nContent-Length: 0\r\nLocation: %s" % [status, location]


func _sender() -> Sender:
	return watch(Sender.new())


func _client(url: String, limit := 5) -> PacketPeer:
	var client: PacketPeer = watch(new_ws())
	client.max_redirects = limit
	client.handshake_headers = PackedStringArray(COOKIES)
	equal(client.connect_to_url(url), OK, "connect_to_url")
	return client


## The fields of a request that belong to its first server.
func _credentials(head: String) -> Array[String]:
	return COOKIES.filter(func(line: String) -> bool: return line in head.split("\r\n"))


func test_off_by_default() -> void:
	if is_builtin():
		return
	var sender := _sender()
	sender.redirect("/", "/x")
	var client: PacketPeer = watch(new_ws())
	equal(client.max_redirects, 0, "the default")
	client.connect_to_url("ws://127.0.0.1:%d/" % sender.port)
	check(until_closed(client), "closed")
	equal([client.get_handshake_response_code(), client.get_error_message()],
		[302, "the WebSocket handshake failed: the server answered with HTTP status 302 There"],
		"a refusal like others")
	equal(sender.asked.size(), 1, "nobody asks again")


func test_a_client_goes_where_it_is_sent() -> void:
	if is_builtin():
		return
	var server := mp_server()
	for status_code: int in [301, 302, 303, 307, 308]:
		var sender := _sender()
		sender.redirect("/", "next/", status_code)
		sender.redirect("/next/", "/last?a=b", status_code)
		sender.redirect("/last?a=b", "http://127.0.0.1:%d/room" % server.get_local_port(), status_code)
		var url := "ws://127.0.0.1:%d/" % sender.port
		var client := _client(url, 3)
		check(until(func() -> bool: return state(client) == OPEN), client.get_error_message())
		equal([client.get_requested_url(), client.get_handshake_response_code()], [url, 101], "shown")
		equal(client.get_connected_port(), server.get_local_port(), "where it is")
		equal(sender.asked.size(), 3, "three redirects")
		for head in sender.asked:
			equal(_credentials(head), COOKIES, "the same server")
		check(until_packets(client, 1), "its id")
		client.close()
		check(until_closed(client), "closed")


func test_credentials_do_not_go_to_another_server() -> void:
	if is_builtin():
		return
	var first := _sender()
	var second := _sender()
	first.redirect("/", "ws://127.0.0.1:%d/" % second.port)
	second.redirect("/", "ws://127.0.0.1:%d/back" % first.port)
	first.answers["/back"] = "404 Not Found\r\nContent-Length: 0"
	var client := _client("ws://ada:secret@127.0.0.1:%d/" % first.port)
	check(until_closed(client), "closed")
	equal(client.get_handshake_response_code(), 404, "the last answer")
	equal(_credentials(first.asked[0]), COOKIES, "to the first")
	for head: String in [second.asked[0], first.asked[1]]:
		check(not "Authorization" in head and not "Cookie" in head, head)
		check("X-Mine: c" in head, "other lines stay")
	check("Host: 127.0.0.1:%d" % second.port in second.asked[0], "its own name")


func test_redirects_that_are_not_followed() -> void:
	if is_builtin():
		return
	var sender := _sender()
	var rows := {
		"": "the answer has no Location",
		"ftp://127.0.0.1/": "not a WebSocket one",
		"ws://127.0.0.1:99999/": "is not a valid port",
		"ws+unix:/run/x.sock": "neither to a socket file nor away",
		"/": "in a circle",
		"/once": "max_redirects allows 1",
	}
	sender.redirect("/once", "/twice")
	for location: String in rows:
		sender.redirect("/", location)
		var client := _client("ws://127.0.0.1:%d/" % sender.port, 1)
		check(until_closed(client), "closed")
		check(rows[location] in client.get_error_message(), client.get_error_message())
		equal(client.get_handshake_response_code(), 302, "the redirect")
		check("Location: " + location in client.get_handshake_response_headers()
			or location == "/once", "its header")
		unwatch(client)
	sender.answers["/"] = "302 Found\r\nContent-Length: 0"
	var last := _client("ws://127.0.0.1:%d/" % sender.port)
	check(until_closed(last), "closed")
	check("the answer has no Location" in last.get_error_message(), last.get_error_message())
	expect_error("max_redirects must be at least 0")
	last.max_redirects = -1


func test_the_connect_timeout_covers_all_of_it() -> void:
	if is_builtin():
		return
	var silent := listen()
	var sender := _sender()
	sender.redirect("/", "ws://127.0.0.1:%d/" % silent.get_local_port())
	var client: PacketPeer = watch(new_ws())
	client.max_redirects = 5
	client.connect_timeout = 0.3
	client.connect_to_url("ws://127.0.0.1:%d/" % sender.port)
	check(until_closed(client, 2.0), "closed")
	check("the connect timeout of 300ms has passed" in client.get_error_message(),
		client.get_error_message())


func test_a_multiplayer_client_is_sent_elsewhere() -> void:
	if is_builtin():
		return
	var server := mp_server()
	var sender := _sender()
	sender.redirect("/", "ws://127.0.0.1:%d/" % server.get_local_port())
	var client: MultiplayerPeer = watch(new_mp())
	equal(client.max_redirects, 0, "the default")
	client.max_redirects = 1
	client.create_client("ws://127.0.0.1:%d/" % sender.port)
	check(until(func() -> bool: return connected(client)), "connected")
	client.set_target_peer(1)
	client.put_packet("hello".to_utf8_buffer())
	check(until(func() -> bool: return server.get_available_packet_count() == 1), "a packet")
	equal(client.get_statistics().messages_out, 1, "is counted")
	client.close()
	sender.redirect("/", "/")
	client.create_client("ws://127.0.0.1:%d/" % sender.port)
	check(until(func() -> bool: return disconnected(client)), "disconnected")
	check("in a circle" in client.get_error_message(), client.get_error_message())
	equal(client.get_handshake_response_code(), 302, "the redirect")


## Tracing that begins while the client is on its way goes on where that leads.
func test_traces_that_begin_on_the_way() -> void:
	if is_builtin():
		return
	var path := "user://trace_on_the_way_%d.log" % OS.get_process_id()
	var server := mp_server()
	var sender := _sender()
	sender.redirect("/", "ws://127.0.0.1:%d/" % server.get_local_port())
	var client: PacketPeer = watch(new_ws())
	client.max_redirects = 1
	client.connect_to_url("ws://127.0.0.1:%d/" % sender.port)
	equal(client.set_trace(path), OK, "set_trace")
	check(until(func() -> bool: return state(client) == OPEN), client.get_error_message())
	equal(client.set_trace(""), OK, "off")
	var text := FileAccess.get_file_as_string(path)
	check("#2 = OPEN" in text, "where it ends: " + text)
	DirAccess.remove_absolute(ProjectSettings.globalize_path(path))


## To a server with TLS, by the options that were given beside a URL without; and not back.
func test_redirects_and_tls() -> void:
	if is_builtin():
		return
	var key := CryptoKey.new()
	key.load("res://tests/fixtures/tls/leaf.key")
	var root := X509Certificate.new()
	root.load("res://tests/fixtures/tls/root.crt")
	var chain: X509Certificate = load("res://tests/fixtures/tls/chain.crt")
	var server: RefCounted = ClassDB.instantiate("RustWebSocketServer")
	server.request_callback = func(request: RefCounted) -> void:
		if request.get_path() == "/down":
			request.respond(302, "", ["Location: ws://localhost:1/"])
		else:
			request.accept()
	equal(server.listen(0, ANY_ADDRESS, TLSOptions.server(key, chain)), OK, "listen")
	watch(server)
	var sender := _sender()
	for path: String in ["/up", "/down"]:
		sender.redirect(path, "https://localhost:%d%s" % [server.get_local_port(), path])
	var client: PacketPeer = watch(new_ws())
	client.max_redirects = 2
	client.connect_to_url("ws://127.0.0.1:%d/up" % sender.port, TLSOptions.client(root))
	check(until(func() -> bool: return state(client) == OPEN), client.get_error_message())
	client.close()
	check(until_closed(client), "closed")
	client.connect_to_url("ws://127.0.0.1:%d/down" % sender.port, TLSOptions.client(root))
	check(until_closed(client), "closed")
	check("its Location leads from wss:// to ws://" in client.get_error_message(),
		client.get_error_message())
	client.connect_to_url("ws://127.0.0.1:%d/up" % sender.port)
	check(until_closed(client), "closed")
	check("certificate" in client.get_error_message(), "not trusted: " + client.get_error_message())
	server.request_callback = Callable()


func test_redirects_and_socket_files() -> void:
	if is_builtin() or OS.get_name() == "Windows":
		return
	var path := SocketFiles.path()
	var server: RefCounted = ClassDB.instantiate("RustWebSocketServer")
	server.request_callback = func(request: RefCounted) -> void:
		var places := {"/away": "ws://localhost/", "/here": "there"}
		if request.get_path() in places:
			request.respond(302, "", ["Location: " + places[request.get_path()]])
		else:
			request.accept()
	equal(server.listen(0, "unix:" + path), OK, "listen")
	watch(server)
	var client := _client("ws+unix:%s:/away" % path)
	check(until_closed(client), "closed")
	check("neither to a socket file nor away from one" in client.get_error_message(),
		client.get_error_message())
	client.connect_to_url("ws+unix:%s:/here" % path)
	check(until(func() -> bool: return state(client) == OPEN), "another path of the same server")
	server.request_callback = Callable()
	server.stop()
