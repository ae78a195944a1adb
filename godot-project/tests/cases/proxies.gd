extends "res://tests/harness/request_case.gd"
## Clients that go through proxies.


## A proxy in a few lines: HTTP CONNECT, or SOCKS5 without or with a login.
class Proxy:
	extends RefCounted
	var port := 0
	## What has been asked for: the head of a CONNECT, or "HOST:PORT" by SOCKS5.
	var asked := PackedStringArray()
	## An answer in place of a tunnel.
	var refusal := ""
	## "user:password" that a SOCKS client has to say.
	var login := ""
	var is_silent := false
	## Header lines beside its 200, and what it sends behind that in the same write.
	var more := ""
	var first_bytes := ""
	## One byte of an answer for each poll.
	var drips := false
	var _server := TCPServer.new()
	var _pairs: Array[Dictionary] = []

	func _init() -> void:
		_server.listen(0, "127.0.0.1")
		port = _server.get_local_port()

	func poll() -> void:
		while _server.is_connection_available():
			_pairs.append({"near": _server.take_connection(), "seen": PackedByteArray(), "step": 0,
				"due": PackedByteArray()})
		for pair in _pairs:
			_drip(pair)
			if not is_silent:
				_run(pair)

	func _run(pair: Dictionary) -> void:
		var near: StreamPeerTCP = pair.near
		near.poll()
		var count := near.get_available_bytes() if near.get_status() == near.STATUS_CONNECTED else 0
		if count > 0:
			pair.seen.append_array(near.get_partial_data(count)[1])
		if pair.has("far"):
			_relay(pair)
		elif not pair.seen.is_empty():
			if pair.seen[0] == 5 or pair.step > 0:
				_socks(pair)
			else:
				_http(pair)

	func _answer(pair: Dictionary, answer: PackedByteArray) -> void:
		pair.due.append_array(answer)
		if not drips:
			pair.near.put_data(pair.due)
			pair.due = PackedByteArray()

	func _drip(pair: Dictionary) -> void:
		if not pair.due.is_empty():
			pair.near.put_data(pair.due.slice(0, 1))
			pair.due = pair.due.slice(1)

	func _relay(pair: Dictionary) -> void:
		if not pair.due.is_empty():
			return
		var far: StreamPeerTCP = pair.far
		far.poll()
		if far.get_status() == far.STATUS_CONNECTED and not pair.seen.is_empty():
			far.put_data(pair.seen)
			pair.seen = PackedByteArray()
		if far.get_status() == far.STATUS_CONNECTED and far.get_available_bytes() > 0:
			pair.near.put_data(far.get_partial_data(far.get_available_bytes())[1])

	func _connect(pair: Dictionary, port_there: int) -> void:
		pair.far = StreamPeerTCP.new()
		pair.far.connect_to_host("127.0.0.1", port_there)

	func _http(pair: Dictionary) -> void:
		var head: String = pair.seen.get_string_from_utf8()
		if not head.ends_with("\r\n\r\n"):
			return
		asked.append(head)
		pair.seen = PackedByteArray()
		if not refusal.is_empty():
			_answer(pair, ("HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % refusal).to_utf8_buffer())
			return
		_answer(pair, ("HTTP/1.1 200 Connection established\r\n%s\r\n%s" % [more, first_bytes])
			.to_utf8_buffer())
		_connect(pair, head.get_slice(" ", 1).get_slice(":", 1).to_int())

	func _socks(pair: Dictionary) -> void:
		var seen: PackedByteArray = pair.seen
		match pair.step:
			0:
				_answer(pair, PackedByteArray([5, 0 if login.is_empty() else 2]))
				pair.step = 2 if login.is_empty() else 1
			1:
				var user := seen.slice(2, 2 + seen[1]).get_string_from_utf8()
				var password := seen.slice(3 + seen[1]).get_string_from_utf8()
				var is_right := "%s:%s" % [user, password] == login
				_answer(pair, PackedByteArray([1, 0 if is_right else 1]))
				pair.step = 2
			2:
				var host := seen.slice(5, 5 + seen[4]).get_string_from_ascii()
				if seen[3] == 1:
					host = "%d.%d.%d.%d" % [seen[4], seen[5], seen[6], seen[7]]
				var port_there := seen[-2] * 256 + seen[-1]
				asked.append("%s:%d" % [host, port_there])
				if refusal.is_empty():
					_connect(pair, port_there)
				var code := 0 if refusal.is_empty() else 4
				_answer(pair, PackedByteArray([5, code, 0, 1, 0, 0, 0, 0, 0, 0]))
		pair.seen = PackedByteArray()


func _proxy() -> Proxy:
	return watch(Proxy.new())


func test_through_an_http_proxy() -> void:
	if is_builtin():
		return
	var proxy := _proxy()
	var server := mp_server()
	var client: PacketPeer = watch(new_ws())
	client.set_http_proxy("127.0.0.1", proxy.port, "ada", "secret")
	equal(client.connect_to_url("ws://localhost:%d/lobby" % server.get_local_port()), OK, "connect")
	check(until(func() -> bool: return state(client) == OPEN), "open: " + client.get_error_message())
	var lines := proxy.asked[0].split("\r\n")
	equal(lines[0], "CONNECT localhost:%d HTTP/1.1" % server.get_local_port(), "what was asked")
	check("Proxy-Authorization: Basic " + Marshalls.utf8_to_base64("ada:secret") in lines, "who asks")
	equal(client.get_proxy_response_code(), 0, "nothing was refused")
	var multiplayer_client: MultiplayerPeer = watch(new_mp())
	multiplayer_client.set_http_proxy("127.0.0.1", proxy.port)
	multiplayer_client.create_client("ws://127.0.0.1:%d" % server.get_local_port())
	check(until(func() -> bool: return connected(multiplayer_client)), "a multiplayer client")
	equal(proxy.asked.size(), 2, "through the proxy too")
	check(not "Proxy-Authorization" in proxy.asked[1], "without a login")


func test_a_trace_shows_the_way_through_a_proxy() -> void:
	if is_builtin():
		return
	var path := "user://trace_of_proxies.log"
	var proxy := _proxy()
	var server := mp_server()
	var client: PacketPeer = watch(new_ws())
	client.set_http_proxy("127.0.0.1", proxy.port, "ada", "secret")
	client.set_trace(path)
	client.connect_to_url("ws://ada:secret@localhost:%d/" % server.get_local_port())
	check(until(func() -> bool: return state(client) == OPEN), "open: " + client.get_error_message())
	client.set_trace("")
	var text := FileAccess.get_file_as_string(path)
	DirAccess.remove_absolute(ProjectSettings.globalize_path(path))
	var there := "localhost:%d" % server.get_local_port()
	for line: String in ["to ws://%s/ through the proxy 127.0.0.1:%d" % [there, proxy.port],
			"> CONNECT %s HTTP/1.1 | Host: %s | Proxy-Authorization: (22 bytes)" % [there, there],
			"< HTTP/1.1 200 Connection established", "> GET / HTTP/1.1 | ", "= OPEN"]:
		check(line in text, "the trace has " + line)
	check(not "secret" in text and not Marshalls.utf8_to_base64("ada:secret") in text, "no secrets")


func test_through_a_socks_proxy() -> void:
	if is_builtin():
		return
	var server := mp_server()
	for login: String in ["", "ada:secret"]:
		var proxy := _proxy()
		proxy.login = login
		var client: PacketPeer = watch(new_ws())
		client.set_socks_proxy("127.0.0.1", proxy.port, login.get_slice(":", 0),
			login.get_slice(":", 1) if ":" in login else "")
		client.connect_to_url("ws://localhost:%d/" % server.get_local_port())
		check(until(func() -> bool: return state(client) == OPEN), "open: " + client.get_error_message())
		equal(proxy.asked, PackedStringArray(["localhost:%d" % server.get_local_port()]),
			"the proxy looks up the name")


func test_proxies_that_refuse() -> void:
	if is_builtin():
		return
	var proxy := _proxy()
	proxy.refusal = "407 Proxy Authentication Required"
	var client: PacketPeer = watch(new_ws())
	client.set_http_proxy("127.0.0.1", proxy.port)
	client.connect_to_url("ws://game.example/")
	check(until_closed(client), "closed")
	equal(client.get_proxy_response_code(), 407, "its answer")
	check("the proxy 127.0.0.1:%d refused the tunnel: 407 Proxy Authentication Required" % proxy.port
		in client.get_error_message(), client.get_error_message())
	equal(client.get_handshake_response_code(), 0, "no server has answered")
	var multiplayer_client: MultiplayerPeer = watch(new_mp())
	multiplayer_client.set_http_proxy("127.0.0.1", proxy.port)
	multiplayer_client.create_client("ws://game.example/")
	check(until(func() -> bool: return disconnected(multiplayer_client)), "disconnected")
	equal(multiplayer_client.get_proxy_response_code(), 407, "its answer")
	client.set_http_proxy("", -1)
	client.set_socks_proxy("127.0.0.1", proxy.port)
	client.connect_to_url("ws://game.example/")
	equal(client.get_proxy_response_code(), 0, "of the next attempt")
	check(until_closed(client), "closed")
	check("SOCKS proxy 127.0.0.1:%d" % proxy.port in client.get_error_message(),
		client.get_error_message())


func test_a_proxy_that_says_nothing() -> void:
	if is_builtin():
		return
	var proxy := _proxy()
	proxy.is_silent = true
	for method: String in ["set_http_proxy", "set_socks_proxy"]:
		var client: PacketPeer = watch(new_ws())
		client.connect_timeout = 0.2
		client.call(method, "127.0.0.1", proxy.port)
		client.connect_to_url("ws://game.example/")
		check(until_closed(client), "closed")
		check("the way through the proxy did not finish in time" in client.get_error_message(),
			client.get_error_message())
		var multiplayer_client: MultiplayerPeer = watch(new_mp())
		multiplayer_client.handshake_timeout = 0.2
		multiplayer_client.call(method, "127.0.0.1", proxy.port)
		multiplayer_client.create_client("ws://game.example/")
		check(until(func() -> bool: return disconnected(multiplayer_client)), "disconnected")
		check("the way through the proxy did not finish in time: the handshake timeout"
			in multiplayer_client.get_error_message(), multiplayer_client.get_error_message())


func test_proxies_that_cannot_be_used() -> void:
	if is_builtin():
		return
	var client: PacketPeer = watch(new_ws())
	for row: Array in [["http://proxy.example", 80, "", "", "the proxy's host is a URL"],
			["proxy.example", 0, "", "", "0 is not a valid port"],
			["proxy.example", 80, "", "secret", "a password for the proxy and no user name"]]:
		expect_error(row[4])
		client.set_http_proxy(row[0], row[1], row[2], row[3])
	var server := mp_server()
	client.connect_to_url("ws://127.0.0.1:%d/" % server.get_local_port())
	check(until(func() -> bool: return state(client) == OPEN), "none is set")


func test_proxies_of_the_environment() -> void:
	if is_builtin():
		return
	var proxy := _proxy()
	proxy.refusal = "403 Forbidden"
	OS.set_environment("ws_proxy", "http://127.0.0.1:%d" % proxy.port)
	var client: PacketPeer = watch(new_ws())
	equal(client.use_environment_proxy, false, "off by default")
	client.use_environment_proxy = true
	client.connect_to_url("ws://game.example/")
	check(until_closed(client), "closed")
	equal([client.get_proxy_response_code(), proxy.asked.size()], [403, 1], "the proxy was asked")
	var server := mp_server()
	client.connect_to_url("ws://127.0.0.1:%d/" % server.get_local_port())
	check(until(func() -> bool: return state(client) == OPEN), "not for this machine")
	client.close()
	check(until_closed(client), "closed")
	OS.unset_environment("ws_proxy")


## As much as any head of HTTP may have here, and one byte more; whatever else it says.
func test_the_head_of_a_proxy_s_answer_has_a_limit() -> void:
	if is_builtin():
		return
	var server := mp_server()
	var size := 16384 - "HTTP/1.1 200 Connection established\r\nX-Long: \r\n\r\n".length()
	for row: Array in [[size, true], [size + 1, false], [65536, false]]:
		var proxy := _proxy()
		proxy.more = "X-Long: %s\r\n" % "x".repeat(row[0])
		var client: PacketPeer = watch(new_ws())
		client.set_http_proxy("127.0.0.1", proxy.port)
		client.connect_to_url("ws://127.0.0.1:%d/" % server.get_local_port())
		check(until(func() -> bool: return state(client) != CONNECTING), "decided")
		if row[1]:
			equal(state_name(client), "OPEN", client.get_error_message())
		else:
			check("what the proxy 127.0.0.1:%d answers is a head larger than 16 KiB" % proxy.port
				in client.get_error_message(), client.get_error_message())
			equal(client.get_proxy_response_code(), 0, "nothing was understood")
		unwatch(client)


## A server that refuses before it was asked: its words come with the proxy's in one piece.
func test_the_servers_first_bytes_come_with_the_proxys_answer() -> void:
	if is_builtin():
		return
	for drips: bool in [false, true]:
		var proxy := _proxy()
		proxy.drips = drips
		proxy.first_bytes = "HTTP/1.1 503 Full\r\nContent-Length: 4\r\n\r\nfull"
		var client: PacketPeer = watch(new_ws())
		client.set_http_proxy("127.0.0.1", proxy.port)
		client.connect_to_url("ws://127.0.0.1:%d/" % free_port())
		check(until_closed(client), "closed")
		equal([client.get_proxy_response_code(), client.get_handshake_response_code()], [0, 503],
			"the server's answer: " + client.get_error_message())
		equal(client.get_handshake_response_body().get_string_from_ascii(), "full", "all of it")


func test_answers_in_single_bytes() -> void:
	if is_builtin():
		return
	var server := mp_server()
	for login: String in ["", "ada:secret", "http"]:
		var proxy := _proxy()
		proxy.drips = true
		var client: PacketPeer = watch(new_ws())
		if login == "http":
			client.set_http_proxy("127.0.0.1", proxy.port)
		else:
			proxy.login = login
			client.set_socks_proxy("127.0.0.1", proxy.port, login.get_slice(":", 0),
				login.get_slice(":", 1) if ":" in login else "")
		client.connect_to_url("ws://localhost:%d/" % server.get_local_port())
		check(until(func() -> bool: return state(client) == OPEN), "open: " + client.get_error_message())


## A name that nobody here knows: the proxy looks it up, and TLS asks for it.
func test_names_that_only_the_proxy_knows() -> void:
	if is_builtin():
		return
	var server := mp_server()
	for method: String in ["set_http_proxy", "set_socks_proxy"]:
		var proxy := _proxy()
		var client: PacketPeer = watch(new_ws())
		client.call(method, "127.0.0.1", proxy.port)
		client.connect_to_url("ws://game.invalid:%d/" % server.get_local_port())
		check(until(func() -> bool: return state(client) == OPEN), "open: " + client.get_error_message())
		check("game.invalid:%d" % server.get_local_port() in proxy.asked[0], proxy.asked[0])
	var direct: PacketPeer = watch(new_ws())
	direct.connect_to_url("ws://game.invalid:%d/" % server.get_local_port())
	check(until_closed(direct, 10.0), "nobody else knows it")
	check("name resolution" in direct.get_error_message(), direct.get_error_message())


## Inside of the tunnel, and by the server's name: the proxy is 127.0.0.1.
func test_certificates_are_the_servers() -> void:
	if is_builtin():
		return
	var key := CryptoKey.new()
	key.load("res://tests/fixtures/tls/leaf.key")
	var root := X509Certificate.new()
	root.load("res://tests/fixtures/tls/root.crt")
	var server := new_mp()
	var options := TLSOptions.server(key, load("res://tests/fixtures/tls/chain.crt"))
	equal(server.create_server(0, ANY_ADDRESS, options), OK, "create_server")
	watch(server)
	for method: String in ["set_https_proxy", "set_socks_proxy"]:
		for host: String in ["localhost", "game.invalid"]:
			var proxy := _proxy()
			var client: PacketPeer = watch(new_ws())
			client.call(method, "127.0.0.1", proxy.port)
			client.connect_to_url("wss://%s:%d/" % [host, server.get_local_port()],
				TLSOptions.client(root))
			check(until(func() -> bool: return state(client) != CONNECTING), "decided")
			equal(state_name(client), "OPEN" if host == "localhost" else "CLOSED",
				"%s, %s: %s" % [method, host, client.get_error_message()])
			if host != "localhost":
				check("game.invalid" in client.get_error_message(), client.get_error_message())


## Each step of a redirected client takes the proxy that is set for its URL.
func test_redirects_through_proxies() -> void:
	if is_builtin():
		return
	var server := new_server()
	var places := {
		"/": "http://game.invalid:%d/second" % server.get_local_port(),
		"/second": "wss://game.invalid:1/",
	}
	server.request_callback = func(request: RefCounted) -> void:
		request.respond(302, "", ["Location: " + places[request.get_path()]])
	var proxy := _proxy()
	var secure := _proxy()
	secure.refusal = "407 Proxy Authentication Required"
	var client: PacketPeer = watch(new_ws())
	client.max_redirects = 5
	client.set_http_proxy("127.0.0.1", proxy.port)
	client.set_https_proxy("127.0.0.1", secure.port)
	client.connect_to_url("ws://localhost:%d/" % server.get_local_port())
	check(until_closed(client), "closed")
	equal([proxy.asked.size(), secure.asked.size()], [2, 1], "who was asked")
	check("CONNECT game.invalid:%d " % server.get_local_port() in proxy.asked[1], proxy.asked[1])
	equal([client.get_proxy_response_code(), client.get_handshake_response_code()], [407, 0],
		"of the last step: " + client.get_error_message())
