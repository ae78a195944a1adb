extends "res://tests/harness/case.gd"
## The opening handshake: what a client accepts, what a server answers, how subprotocols are chosen.


# ---- client

func test_connection_refused() -> void:
	var peer: PacketPeer = watch(new_ws())
	same("answer", peer.connect_to_url("ws://127.0.0.1:%d/" % free_port()), OK)
	same("closed", until_closed(peer), true)
	same("ending", ending(peer), "CLOSED -1 \"\"")
	same("host", "%s %d" % [peer.get_connected_host(), peer.get_connected_port()], " 0")


func test_connection_dropped_during_the_handshake() -> void:
	var pair := client_asking_raw()
	pair.raw.close()
	same("closed", until_closed(pair.peer), true)
	same("ending", ending(pair.peer), "CLOSED -1 \"\"")


func test_unusable_answers_fail_the_handshake() -> void:
	var good := ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Accept: ACCEPT"]
	var answers := {
		"not_found": ["HTTP/1.1 404 Not Found", "Content-Length: 0"],
		"ok": ["HTTP/1.1 200 OK"] + good.slice(1),
		"redirect": ["HTTP/1.1 302 Found", "Location: ws://127.0.0.1/"],
		"wrong_accept": good.slice(0, 3) + ["Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA="],
		"no_accept": good.slice(0, 3),
		"no_upgrade": [good[0], good[2], good[3]],
		"no_connection": [good[0], good[1], good[3]],
		"other_upgrade": [good[0], "Upgrade: h2c", good[2], good[3]],
		"http_1_0": ["HTTP/1.0 101 Switching Protocols"] + good.slice(1),
		"no_http": ["hello", "there"],
	}
	for key: String in answers:
		var pair := client_asking_raw()
		var lines: Array = answers[key]
		pair.raw.send_ascii("\r\n".join(PackedStringArray(lines)).replace("ACCEPT",
			pair.raw.accept_value()) + "\r\n\r\n")
		same(key + "_closed", until_closed(pair.peer), true)
		same(key, ending(pair.peer), "CLOSED -1 \"\"")
		unwatch(pair.peer)
		unwatch(pair.raw)


func test_answers_that_are_fine() -> void:
	var answers := {
		"lower_case_names": "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n"
			+ "connection: upgrade\r\nsec-websocket-accept: ACCEPT\r\n\r\n",
		"upper_case_values": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n"
			+ "Connection: UPGRADE\r\nSec-WebSocket-Accept: ACCEPT\r\n\r\n",
		"other_status_text": "HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n"
			+ "Connection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n\r\n",
		"further_headers": "HTTP/1.1 101 Switching Protocols\r\nServer: x\r\nUpgrade: websocket\r\n"
			+ "Connection: Upgrade\r\nSet-Cookie: a=b\r\nSec-WebSocket-Accept: ACCEPT\r\n\r\n",
		"no_space": "HTTP/1.1 101 Switching Protocols\r\nUpgrade:websocket\r\n"
			+ "Connection:Upgrade\r\nSec-WebSocket-Accept:ACCEPT\r\n\r\n",
	}
	for key: String in answers:
		var pair := client_asking_raw()
		pair.raw.send_ascii(answers[key].replace("ACCEPT", pair.raw.accept_value()))
		same(key, until(func() -> bool: return state(pair.peer) == OPEN), true)
		unwatch(pair.peer)
		unwatch(pair.raw)


## The answer comes one byte at a time, a message in the same segment as its end.
func test_answer_in_pieces_with_a_message_behind() -> void:
	var pair := client_asking_raw()
	var answer: PackedByteArray = pair.raw.upgrade_answer().to_ascii_buffer()
	for i in answer.size() - 1:
		pair.raw.send_bytes(answer.slice(i, i + 1))
		pair.peer.poll()
	same("not_yet", state_name(pair.peer), "CONNECTING")
	pair.raw.send_bytes(answer.slice(answer.size() - 1)
		+ pair.raw.frame(RawPeer.TEXT, "early".to_utf8_buffer()))
	same("packet", receive_text(pair.peer, 1), PackedStringArray(["early"]))
	same("state", state_name(pair.peer), "OPEN")


func test_subprotocols_of_a_client() -> void:
	_client_asks("asked_and_answered", ["chat", "superchat"], ["Sec-WebSocket-Protocol: superchat"],
		"OPEN superchat")
	_client_asks("asked_none_answered", ["chat"], [], "CLOSED ")
	_client_asks("none_asked_none_answered", [], [], "OPEN ")
	# The built-in keeps the protocol that it refused.
	_client_asks("asked_another_answered", ["chat"], ["Sec-WebSocket-Protocol: other"], "CLOSED other")
	_client_asks("none_asked_one_answered", [], ["Sec-WebSocket-Protocol: chat"], "CLOSED chat")


func _client_asks(key: String, asked: Array, answer: Array, wanted: String) -> void:
	var pair := client_asking_raw(func(peer: Object) -> void:
		peer.supported_protocols = PackedStringArray(asked))
	pair.raw.accept_upgrade(PackedStringArray(answer))
	check(until(func() -> bool: return state(pair.peer) != CONNECTING), key + " is decided")
	saw(key + "_protocol", pair.peer.get_selected_protocol())
	same(key, state_name(pair.peer), wanted.get_slice(" ", 0))
	if wanted.begins_with("OPEN"):
		equal(pair.peer.get_selected_protocol(), wanted.get_slice(" ", 1), key + "_protocol")
	unwatch(pair.peer)
	unwatch(pair.raw)


# ---- server

func test_answer_of_a_server() -> void:
	var pair := server_with_raw_client(func(server: Object) -> void:
		server.supported_protocols = PackedStringArray(["chat"])
		server.handshake_headers = PackedStringArray(["Set-Cookie: a=b", "X-Mixed: Case"]),
		PackedStringArray(["Sec-WebSocket-Protocol: other, chat", "Origin: http://example.com"]))
	same("answer", pair.raw.head_lines(),
		PackedStringArray(["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket",
		"Connection: Upgrade", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
		"Sec-WebSocket-Protocol: chat",
		"Set-Cookie: a=b", "X-Mixed: Case"]))


func test_requested_url_of_a_server() -> void:
	var hosts := {"plain": "game.example:8080", "upper_case": "GAME.example", "ipv6": "[::1]:80"}
	for key: String in hosts:
		var pair := server_with_raw_stream()
		pair.raw.ask_upgrade("/path/here?token=a%20b", PackedStringArray(), hosts[key])
		check(until(func() -> bool: return state(pair.peer) == OPEN), "open")
		same(key, pair.peer.get_requested_url(), "ws://%s/path/here?token=a%%20b" % hosts[key])


func test_subprotocols_of_a_server() -> void:
	_server_is_asked("first_of_the_client", ["a", "b"], "b, a", "OPEN b")
	_server_is_asked("no_spaces", ["a", "b"], "x,b,a", "OPEN b")
	_server_is_asked("none_asked", ["a"], "", "CLOSED ")
	_server_is_asked("no_match", ["a"], "x, y", "CLOSED ")
	_server_is_asked("case_matters", ["a"], "A", "CLOSED ")


func _server_is_asked(key: String, supported: Array, asked: String, wanted: String) -> void:
	var pair := server_with_raw_stream(func(peer: Object) -> void:
		peer.supported_protocols = PackedStringArray(supported))
	pair.raw.ask_upgrade("/", PackedStringArray() if asked.is_empty()
		else PackedStringArray(["Sec-WebSocket-Protocol: " + asked]))
	check(until(func() -> bool: return state(pair.peer) != CONNECTING), key + " is decided")
	same(key, "%s %s" % [state_name(pair.peer), pair.peer.get_selected_protocol()], wanted)
	saw(key + "_url", pair.peer.get_requested_url())
	unwatch(pair.peer)
	unwatch(pair.raw)


func test_unusable_requests_are_dropped() -> void:
	var good := RawPeer.upgrade_request()
	var requests := {
		"post": good.replace("GET ", "POST "),
		"http_1_0": good.replace("HTTP/1.1", "HTTP/1.0"),
		"no_key": good.replace("Sec-WebSocket-Key: " + RawPeer.SAMPLE_KEY + "\r\n", ""),
		"no_upgrade": good.replace("Upgrade: websocket\r\n", ""),
		"other_upgrade": good.replace("Upgrade: websocket", "Upgrade: h2c"),
		"no_connection": good.replace("Connection: Upgrade\r\n", ""),
		"version_8": good.replace("Version: 13", "Version: 8"),
		"no_version": good.replace("Sec-WebSocket-Version: 13\r\n", ""),
		"garbage": "\u0001\u0002\u0003 nothing\r\n\r\n",
	}
	for key: String in requests:
		var pair := server_with_raw_stream()
		pair.raw.send_ascii(requests[key])
		same(key + "_closed", until_closed(pair.peer), true)
		same(key, ending(pair.peer), "CLOSED -1 \"\"")
		until(func() -> bool: return pair.raw.ended, 0.3)
		saw(key + "_url", pair.peer.get_requested_url())
		unwatch(pair.peer)
		unwatch(pair.raw)


## HTTP/1.1 asks for a `Host`; the built-in goes on without.
func test_request_without_a_host() -> void:
	var pair := server_with_raw_stream()
	pair.raw.send_ascii(RawPeer.upgrade_request().replace("Host: localhost\r\n", ""))
	check(until(func() -> bool: return state(pair.peer) != CONNECTING), "the handshake is decided")
	saw("ending", ending(pair.peer))
	saw("url", pair.peer.get_requested_url())


func test_requests_that_are_fine() -> void:
	var good := RawPeer.upgrade_request()
	var requests := {
		"browser": good.replace("Connection: Upgrade", "Connection: keep-alive, Upgrade"),
		"lower_case_names": good.to_lower().replace("get / http/1.1",
		"GET / HTTP/1.1").replace(RawPeer.SAMPLE_KEY.to_lower(), RawPeer.SAMPLE_KEY),
		"upper_case_value": good.replace("Upgrade: websocket", "Upgrade: WebSocket"),
		"extension_offered": good.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: x-unknown\r\n\r\n"),
	}
	for key: String in requests:
		var pair := server_with_raw_stream()
		pair.raw.send_ascii(requests[key])
		same(key, until(func() -> bool: return state(pair.peer) == OPEN), true)
		unwatch(pair.peer)
		unwatch(pair.raw)


## The request comes one byte at a time, a message behind it in the same segment.
func test_request_in_pieces_with_a_message_behind() -> void:
	var pair := server_with_raw_stream()
	var request := RawPeer.upgrade_request("/pieces").to_ascii_buffer()
	for i in request.size() - 1:
		pair.raw.send_bytes(request.slice(i, i + 1))
		pair.peer.poll()
	same("not_yet", state_name(pair.peer), "CONNECTING")
	pair.raw.masks = true
	pair.raw.send_bytes(request.slice(request.size() - 1)
		+ pair.raw.frame(RawPeer.TEXT, "early".to_utf8_buffer()))
	same("packet", receive_text(pair.peer, 1), PackedStringArray(["early"]))
	same("url", pair.peer.get_requested_url(), "ws://localhost/pieces")


func test_client_gone_during_the_handshake() -> void:
	var pair := server_with_raw_stream()
	pair.raw.send_ascii("GET / HTTP/1.1\r\n")
	settle(0.02)
	pair.raw.close()
	same("closed", until_closed(pair.peer), true)
	same("ending", ending(pair.peer), "CLOSED -1 \"\"")
