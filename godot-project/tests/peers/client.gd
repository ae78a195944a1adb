extends SceneTree
## Our client against a server of another implementation (ci/peers): messages of all sizes, pings
## with a payload, fragments, close codes both ways.
##
##   godot --headless --path godot-project -s res://tests/peers/client.gd -- \
##     class=RustWebSocketPeer compression=1 takeover=0 url=ws://127.0.0.1:9001 agent=ws
##
## A `wss` server is trusted with the certificates of the tests. With seen=URL the server is behind
## another one, and has to see that URL as its own.
##
## Each failed check is a line; the last one is `N passed, N failed`.

const Options := preload("res://tests/autobahn/options.gd")
const SIZES: Array[int] = [0, 1, 3, 125, 126, 5001, 65535, 65536, 1 << 20]
const OPEN := 1
const CLOSED := 3
const ROOT := "res://tests/fixtures/tls/root.crt"

var _options := Options.new()
var _passed := 0
var _failed := 0


func _initialize() -> void:
	var socket := _open()
	if socket.get_ready_state() == OPEN:
		_check_exchange(socket)
		_check_their_close(socket)
		_check_our_close()
	print("%d passed, %d failed" % [_passed, _failed])
	quit(0 if _failed == 0 else 1)


func _check_exchange(socket: PacketPeer) -> void:
	_check(_ask(socket, "extensions?").begins_with("permessage-deflate")
		== (_options.compression == 1), "extensions")
	if not _options.seen.is_empty():
		var url := _ask(socket, "url?")
		_check(url == _options.seen, "the URL that the server sees, '%s'" % url)
	for size in SIZES:
		var text := "äb☃".repeat(ceili(size / 3.0))
		socket.send_text(text)
		_check(_receive(socket).get_string_from_utf8() == text and socket.was_string_packet(),
			"text of %d characters" % size)
		var binary := PackedByteArray()
		binary.resize(size)
		for i in size:
			binary[i] = i * i >> 3 & 255
		socket.send(binary)
		_check(_receive(socket) == binary and not socket.was_string_packet(), "%d bytes" % size)
	_check(int(_ask(socket, "pongs?")) > 0, "pings with a payload are answered")


func _check_their_close(socket: PacketPeer) -> void:
	socket.send_text("close:4002:later")
	_until(socket, func() -> bool: return socket.get_ready_state() == CLOSED)
	_check(socket.get_close_code() == 4002 and socket.get_close_reason() == "later",
		"the server's close")


func _check_our_close() -> void:
	var socket := _open()
	socket.close(4001, "bye")
	_until(socket, func() -> bool: return socket.get_ready_state() == CLOSED)
	_check(socket.get_close_code() == 4001 and socket.get_close_reason() == "bye", "our close, here")
	_check(_ask(_open(), "last close?") == "4001 bye", "our close, there")


func _open() -> PacketPeer:
	var socket := _options.new_peer()
	socket.connect_to_url(_options.url, TLSOptions.client(load(ROOT))
		if _options.url.begins_with("wss:") else null)
	_until(socket, func() -> bool: return socket.get_ready_state() != 0)
	_check(socket.get_ready_state() == OPEN, "the connection is open")
	return socket


func _ask(socket: PacketPeer, question: String) -> String:
	socket.send_text(question)
	return _receive(socket).get_string_from_utf8()


func _receive(socket: PacketPeer) -> PackedByteArray:
	_until(socket, func() -> bool: return socket.get_available_packet_count() > 0)
	return socket.get_packet() if socket.get_available_packet_count() > 0 else PackedByteArray()


func _until(socket: PacketPeer, condition: Callable) -> void:
	var end := Time.get_ticks_msec() + 5000
	while Time.get_ticks_msec() < end:
		socket.poll()
		if condition.call():
			return
		OS.delay_usec(100)


func _check(condition: bool, what: String) -> void:
	if condition:
		_passed += 1
		return
	_failed += 1
	print("FAIL our client, server %s, compression %d, takeover %d: %s"
		% [_options.agent, _options.compression,
		_options.context_takeover, what])
