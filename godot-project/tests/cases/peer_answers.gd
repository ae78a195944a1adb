extends "res://tests/harness/case.gd"
## What users meet in handshakes: servers that answer oddly, headers of their own, TLS where none is
## spoken.

const OWN_HEADERS := {
	"Sec-WebSocket-Protocol: chat": "supported_protocols",
	"Sec-WebSocket-Extensions: permessage-deflate": "compression",
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==": "Sec-WebSocket-Key",
	"Sec-WebSocket-Version: 8": "Sec-WebSocket-Version",
	"sec-websocket-accept: abc": "sec-websocket-accept",
	"Connection: keep-alive": "Connection",
	"Upgrade: h2c": "Upgrade",
	"Content-Length: 0": "Content-Length",
	"Transfer-Encoding: chunked": "Transfer-Encoding",
	"Host: two words": "Host",
}


## Browsers skip such lines, and so do players' other clients.
func test_answers_with_lines_that_nobody_needs() -> void:
	var lines := {
		"control_byte_in_a_cookie": "Set-Cookie: ___utmva=dmo\u0001OZ; path=/",
		"space_before_the_colon": "X-Bad : 1",
		"space_in_a_name": "X Bad: 1",
		"no_colon": "nothing to see here",
		"folded": "X-Long: a\r\n  b",
		"150_lines": "\r\n".join(range(150).map(func(i: int) -> String: return "X-H%d: v" % i)),
	}
	for key: String in lines:
		_is_answered(key, lines[key].to_utf8_buffer())
	_is_answered("nul_in_a_value", "X-Nul: a".to_ascii_buffer() + PackedByteArray([0])
		+ "b".to_ascii_buffer())


func _is_answered(key: String, line: PackedByteArray) -> void:
	var pair := client_asking_raw()
	var answer: PackedByteArray = pair.raw.upgrade_answer().trim_suffix("\r\n").to_ascii_buffer()
	pair.raw.send_bytes(answer + line + "\r\n\r\n".to_ascii_buffer()
		+ pair.raw.frame(RawPeer.TEXT, "hi".to_ascii_buffer()))
	ours(key, impl_is_ours(), receive_text(pair.peer, 1, 4.0 if impl_is_ours() else 0.5),
		PackedStringArray(["hi"]))
	_drop(pair)


## What the handshake depends on must not be a matter of opinion.
func test_answers_that_can_be_read_in_two_ways() -> void:
	var answers := {
		"upgrade_with_a_space": ["Upgrade: websocket", "Upgrade : websocket"],
		"a_second_upgrade_with_a_space": ["Upgrade: websocket", "Upgrade: websocket\r\nUpgrade : h2c"],
		"folded_connection": ["Connection: Upgrade", "Connection: Upgrade,\r\n close"],
		"control_byte_in_accept": ["\r\nSec-WebSocket-Accept: ", "\r\nSec-WebSocket-Accept: \u0001"],
		"protocol_with_a_space": ["Connection: Upgrade",
		"Connection: Upgrade\r\nSec-WebSocket-Protocol : chat"],
	}
	for key: String in answers:
		var pair := client_asking_raw()
		pair.raw.send_ascii(pair.raw.upgrade_answer().replace(answers[key][0], answers[key][1]))
		until(func() -> bool: return state(pair.peer) != CONNECTING)
		ours(key, impl_is_ours(), state_name(pair.peer), "CLOSED")
		_drop(pair)


## Cookies and session headers come with the answer that opens the connection.
func test_headers_of_a_success_can_be_read() -> void:
	var pair := client_with_raw_server(Callable(),
		PackedStringArray(["Set-Cookie: sid=abc; Path=/", "Set-Cookie: two=2", "X-Room: 7"]))
	var told := _told(pair.peer)
	ours("told", impl_is_ours(), told,
		["101", "Set-Cookie: sid=abc; Path=/", "Set-Cookie: two=2", "X-Room: 7", "0 bytes"])
	pair.peer.close()
	pair.raw.send_frame(RawPeer.CLOSE, RawPeer.close_payload(1000))
	until_closed(pair.peer)
	ours("after_the_end", impl_is_ours(), _told(pair.peer), told)
	pair.peer.connect_to_url("ws://127.0.0.1:%d/" % free_port())
	ours("after_reuse", impl_is_ours(), _told(pair.peer), ["0", "0 bytes"])


## The same of a multiplayer client.
func test_headers_of_a_multiplayer_success_can_be_read() -> void:
	var session := mp_session(1, func(peer: Object) -> void:
		peer.handshake_headers = PackedStringArray(["X-Room: 7"]))
	ours("client", impl_is_ours(), _told(session.clients[0]), ["101", "X-Room: 7", "0 bytes"])
	ours("server", impl_is_ours(), _told(session.server), ["0", "0 bytes"])
	session.clients[0].close()
	ours("after_close", impl_is_ours(), _told(session.clients[0]), ["101", "X-Room: 7", "0 bytes"])


func _told(peer: Object) -> Array:
	if not is_ours(peer):
		return []
	var told := [str(peer.get_handshake_response_code())]
	for line: String in peer.get_handshake_response_headers():
		if line.begins_with("X-") or line.begins_with("Set-"):
			told.append(line)
	return told + ["%d bytes" % peer.get_handshake_response_body().size()]


## The connection stays open, and nothing says how long the body is.
func test_refusal_without_a_length_shows_soon() -> void:
	var pair := client_asking_raw()
	pair.raw.send_ascii("HTTP/1.1 403 Forbidden\r\nX-Reason: full\r\n\r\nServer is full")
	var sent := Time.get_ticks_msec()
	check(until_closed(pair.peer), "the client gives up")
	note("closed after %d ms" % (Time.get_ticks_msec() - sent))
	same("soon", Time.get_ticks_msec() - sent < 500, true)
	if impl_is_ours():
		equal(pair.peer.get_handshake_response_code(), 403, "code")
		equal(pair.peer.get_handshake_response_body().get_string_from_utf8(), "Server is full", "body")


func test_tls_server_at_a_ws_url() -> void:
	for first: int in [0x15, 0x16]:
		var pair := client_asking_raw()
		pair.raw.send_bytes(PackedByteArray([first, 3, 3, 0, 2, 2, 40]))
		ours("%d_closed" % first, impl_is_ours(), until_closed(pair.peer, 4.0 if impl_is_ours() else 0.3),
			true)
		if impl_is_ours():
			_says(pair.peer, ["speaks TLS", "ws:// and wss://"])
		_drop(pair)


func test_tls_client_at_a_plain_server() -> void:
	var pair := server_with_raw_stream()
	# The beginning of a ClientHello.
	pair.raw.send_bytes(PackedByteArray([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]))
	ours("closed", impl_is_ours(), until_closed(pair.peer, 4.0 if impl_is_ours() else 0.3), true)
	if impl_is_ours():
		_says(pair.peer, ["speaks TLS", "ws:// and wss://"])


## For virtual hosts; two lines would be refused.
func test_host_header_of_a_script_replaces_ours() -> void:
	var pair := client_asking_raw(func(peer: Object) -> void:
		peer.handshake_headers = PackedStringArray(["X-A: 1", "Host: game.example"]))
	var hosts := Array(pair.raw.head_lines()).filter(func(line: String) -> bool:
		return line.to_lower().begins_with("host:"))
	var port: String = pair.peer.get_requested_url().trim_prefix("ws://127.0.0.1").trim_suffix("/")
	ours("hosts", impl_is_ours(),
		hosts.map(func(line: String) -> String: return line.trim_suffix(port)), ["Host: game.example"])
	pair.raw.accept_upgrade()
	same("opens", until(func() -> bool: return state(pair.peer) == OPEN), true)
	var server := mp_server()
	var client := mp_client(server, func(peer: Object) -> void:
		peer.handshake_headers = PackedStringArray(["Host: game.example"]))
	same("own_server_takes_it", until(func() -> bool: return connected(client)), true)


## What the class writes itself is said once.
func test_headers_the_handshake_writes_itself_are_refused() -> void:
	for line: String in OWN_HEADERS:
		var tcp := listen()
		var url := "ws://127.0.0.1:%d/" % tcp.get_local_port()
		var stream := StreamPeerTCP.new()
		stream.connect_to_host(ANY_ADDRESS, tcp.get_local_port())
		var peers: Array[Object] = [new_ws(), new_ws(), new_mp(), new_mp()]
		for peer in peers:
			peer.handshake_headers = PackedStringArray(["X-A: 1", line])
			expect_error(OWN_HEADERS[line])
		var answers := [peers[0].connect_to_url(url), peers[1].accept_stream(stream),
			peers[2].create_client(url),
			peers[3].create_server(free_port(), ANY_ADDRESS)]
		ours(line.get_slice(":", 0).to_lower(), impl_is_ours(), [state_name(peers[0])] + answers,
			["CLOSED", 31, 31, 31, 31])
		if impl_is_ours():
			equal(tcp.is_connection_available() and tcp.take_connection().get_available_bytes() > 0, false,
				"nothing is sent")


## The peer's message holds each of the parts.
func _says(peer: PacketPeer, parts: Array) -> void:
	var message: String = peer.get_error_message()
	note(message)
	for part: String in parts:
		check(message.contains(part), "'%s' speaks of '%s'" % [message, part])


func _drop(pair: RawPair) -> void:
	pair.peer.close()
	unwatch(pair.peer)
	pair.raw.close()
	unwatch(pair.raw)
