extends SceneTree
## The monitors of the whole process, in one that makes its first connection here.
##
##   godot --headless --path godot-project -s res://tests/lifecycle/monitors.gd
##
## `ci/test-lifecycle.sh` runs it.

const ADDRESS := "127.0.0.1"
const NAMES: Array[StringName] = [
	&"WebSocket/Connections",
	&"WebSocket/Handshakes pending",
	&"WebSocket/Messages in per second",
	&"WebSocket/Messages out per second",
	&"WebSocket/KiB in per second",
	&"WebSocket/KiB out per second",
	&"WebSocket/KiB unsent",
	&"WebSocket/Messages unread",
	&"WebSocket/Sends refused per second",
	&"WebSocket/Round trip ms",
	&"WebSocket/IO thread percent",
]

var _server: MultiplayerPeer = ClassDB.instantiate("RustWebSocketMultiplayerPeer")
var _client: MultiplayerPeer = ClassDB.instantiate("RustWebSocketMultiplayerPeer")
var _failures := 0


func _initialize() -> void:
	_run.call_deferred()


func _run() -> void:
	_check(_ours().is_empty(), "without a connection there are none")
	_refused_calls_make_none()
	_in_a_thread()
	await process_frame
	_check(_ours() == NAMES, "with the first listener all are there, in order: %s" % [_ours()])
	_check(_read(0) is int and _read(0) == 0, "no connection yet")
	_handshake_pending()
	_refused_browser()
	_connections()
	_unread_and_rates()
	_over_the_stream_of_a_script()
	_unsent_and_refused()
	_round_trip()
	_ends()
	quit(0 if _failures == 0 else 1)


func _refused_calls_make_none() -> void:
	_check(_client.create_client("no url") != OK, "a client of no URL is refused")
	_check(_ours().is_empty(), "what is refused makes no monitors")


## The engine's list of monitors belongs to the main thread.
func _in_a_thread() -> void:
	var thread := Thread.new()
	thread.start(func() -> Error: return _server.create_server(0, ADDRESS))
	_check(thread.wait_to_finish() == OK, "a thread makes a server")


func _handshake_pending() -> void:
	var silent := TCPServer.new()
	silent.listen(0, ADDRESS)
	var peer: PacketPeer = ClassDB.instantiate("RustWebSocketPeer")
	peer.connect_to_url("ws://%s:%d" % [ADDRESS, silent.get_local_port()])
	_check(_read(1) is int and _read(1) == 1 and _read(0) == 0, "a handshake is pending")
	peer.close(-1)
	peer = null
	_until(func() -> bool: return _read(1) == 0, "it is pending no more")


## A browser is let in to be told by a close frame why it may not stay; it does not answer.
func _refused_browser() -> void:
	_server.max_clients = 0
	var browser := StreamPeerTCP.new()
	browser.connect_to_host(ADDRESS, _server.get_local_port())
	var connected := func() -> bool:
		browser.poll()
		return browser.get_status() == StreamPeerTCP.STATUS_CONNECTED
	_until(connected, "a browser comes")
	browser.put_data(("GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://a\r\nUpgrade: websocket\r\n"
		+ "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
		+ "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").to_ascii_buffer())
	var told := func() -> bool:
		browser.poll()
		return browser.get_available_bytes() > 0
	_until(told, "it is told")
	var begun := Time.get_ticks_msec()
	_until(func() -> bool: return _read(1) == 0, "whoever is refused is pending no more")
	_check(Time.get_ticks_msec() - begun < 3500, "long before it is given up")
	_server.max_clients = -1
	browser.disconnect_from_host()


func _connections() -> void:
	_client.heartbeat_interval = 0.05
	_client.create_client("ws://%s:%d" % [ADDRESS, _server.get_local_port()])
	_until(func() -> bool: return _client.get_connection_status() == 2, "a client is in")
	_check(_read(0) == 2, "both ends are counted")


func _unread_and_rates() -> void:
	OS.delay_msec(5)
	for index in NAMES.size():
		_read(index)
	OS.delay_msec(50)
	_client.set_target_peer(1)
	_check(_read(2) == 0.0, "before the first message the rate is 0")
	for i in 10:
		_client.put_packet(PackedByteArray([1, 2, 3]))
	_until(func() -> bool: return _read(7) == 10, "ten messages are unread")
	OS.delay_msec(50)
	_check(_read(7) is int, "they are counted in whole numbers")
	for index: int in [2, 3, 4, 5]:
		var value: Variant = _read(index)
		_check(value is float and value > 0.0, "%s: %.3f" % [NAMES[index], value])
		_check(_read(index) == value, "it says the same twice in a moment")
	OS.delay_msec(50)
	_check(_read(2) == 0.0 and _read(3) == 0.0, "when nothing comes the rates are 0")
	_server.poll()
	while _server.get_available_packet_count() > 0:
		_server.get_packet()
	_check(_read(7) == 0, "all messages are read")
	_check(_read(10) > 0.0 and _read(10) <= 101.0, "the I/O thread works: %.2f %%" % _read(10))


## accept_stream is moved by polls alone; it is counted all the same.
func _over_the_stream_of_a_script() -> void:
	var tcp := TCPServer.new()
	tcp.listen(0, ADDRESS)
	var client: PacketPeer = ClassDB.instantiate("RustWebSocketPeer")
	client.connect_to_url("ws://%s:%d" % [ADDRESS, tcp.get_local_port()])
	_until(tcp.is_connection_available, "a connection arrives")
	var server: PacketPeer = ClassDB.instantiate("RustWebSocketPeer")
	server.accept_stream(tcp.take_connection())
	_check(_read(1) == 2, "both ends of a handshake are pending")
	var open := func() -> bool:
		client.poll()
		server.poll()
		return client.get_ready_state() == 1 and server.get_ready_state() == 1
	_until(open, "an accepted stream is open")
	_check(_read(0) == 4 and _read(1) == 0, "it is counted")
	client.put_packet(PackedByteArray([1]))
	var unread := func() -> bool:
		server.poll()
		return _read(7) == 1
	_until(unread, "its messages are counted while unread")
	server.get_packet()
	_check(_read(7) == 0, "and when they are read")
	client.close(-1)
	server.close(-1)
	_until(func() -> bool: return _read(0) == 2 and _read(7) == 0, "it is gone")


## A client that reads nothing.
func _unsent_and_refused() -> void:
	_read(8)
	OS.delay_msec(5)
	_server.max_queued_packets = 16
	_server.set_target_peer(_client.get_unique_id())
	var big := PackedByteArray()
	big.resize(60000)
	var end := Time.get_ticks_msec() + 10000
	while _server.put_packet(big) == OK and Time.get_ticks_msec() < end:
		OS.delay_usec(200)
		_server.poll()
	_check(_read(6) > 0.0, "KiB are unsent: %.0f" % _read(6))
	OS.delay_msec(5)
	_check(_read(8) > 0.0, "sends are refused: %.1f per second" % _read(8))
	var drained := func() -> bool:
		_client.poll()
		while _client.get_available_packet_count() > 0:
			_client.get_packet()
		return _read(6) == 0.0
	_until(drained, "all has left")


func _round_trip() -> void:
	_until(func() -> bool: return _read(9) > 0.0, "a round trip is measured")
	_check(_read(9) < 5000.0, "in milliseconds: %.3f" % _read(9))


func _ends() -> void:
	_client.close()
	_server.close()
	_until(func() -> bool: return _read(0) == 0 and _read(9) == 0.0, "all connections are gone")
	_check(_read(6) == 0.0 and _read(7) == 0, "nothing waits")
	_check(_ours() == NAMES, "the monitors stay")


func _ours() -> Array[StringName]:
	return Performance.get_custom_monitor_names().filter(
		func(name: StringName) -> bool: return name.begins_with("WebSocket/")
	)


func _read(index: int) -> Variant:
	return Performance.get_custom_monitor(NAMES[index])


func _until(condition: Callable, what: String) -> void:
	var end := Time.get_ticks_msec() + 10000
	while not condition.call() and Time.get_ticks_msec() < end:
		for peer: MultiplayerPeer in [_server, _client]:
			if peer.get_connection_status() != 0:
				peer.poll()
		OS.delay_msec(2)
	_check(condition.call(), what)


func _check(condition: bool, what: String) -> void:
	_failures += 0 if condition else 1
	print("%s %s" % ["ok" if condition else "FAIL", what])
