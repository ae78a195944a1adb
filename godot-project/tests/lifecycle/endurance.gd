extends SceneTree
## Connects and closes again and again; afterwards nothing may be left: no object, no descriptor, no
## memory.
##
##   godot --headless --path godot-project -s res://tests/lifecycle/endurance.gd -- [CYCLES]
##
## In each cycle a client connects to a multiplayer server or to an accepted stream, a message goes
## each way, and the server closes first.

const ThisProcess := preload("this_process.gd")

const ADDRESS := "127.0.0.1"
const BATCH := 50
const WARM_UP := 1000
const TOLERATED_KIB := 1024

var _server: MultiplayerPeer
var _port := 0
var _tcp := TCPServer.new()
var _done := 0
var _wanted := 10000
var _before := {}
var _began := Time.get_ticks_msec()
var _failures := 0
## While a batch was open, to see that they are counted at all.
var _most_descriptors := 0


func _initialize() -> void:
	var arguments := OS.get_cmdline_user_args()
	if not arguments.is_empty():
		_wanted = arguments[0].to_int()
	_tcp.listen(0, ADDRESS)
	_server = ClassDB.instantiate("RustWebSocketMultiplayerPeer")
	for attempt in 10:
		var tcp := TCPServer.new()
		tcp.listen(0, ADDRESS)
		_port = tcp.get_local_port()
		tcp.stop()
		if _server.create_server(_port, ADDRESS) == OK:
			break


func _process(_delta: float) -> bool:
	if _done % (2 * BATCH) == 0:
		_multiplayer_cycles()
	else:
		_stream_cycles()
	_done += BATCH
	if _done == WARM_UP:
		_settle()
		_before = _measure()
	if _failures == 0 and _done < _wanted + WARM_UP:
		return false
	_finish()
	return true


func _multiplayer_cycles() -> void:
	var clients: Array[MultiplayerPeer] = []
	for i in BATCH:
		var client: MultiplayerPeer = ClassDB.instantiate("RustWebSocketMultiplayerPeer")
		client.create_client("ws://%s:%d" % [ADDRESS, _port])
		clients.append(client)
	var is_in := func(client: MultiplayerPeer) -> bool: return client.get_connection_status() == 2
	_until(clients + [_server], func() -> bool: return clients.all(is_in), "all are in")
	_server.set_target_peer(0)
	_server.put_packet("hello".to_utf8_buffer())
	for client in clients:
		client.put_packet("hello".to_utf8_buffer())
	var has_packet := func(client: MultiplayerPeer) -> bool:
		return client.get_available_packet_count() == 1
	_until(clients + [_server], func() -> bool:
		return (clients.all(has_packet)
			and _server.get_available_packet_count() == BATCH), "all have heard")
	while _server.get_available_packet_count() > 0:
		_server.get_packet()
	for client in clients:
		client.get_packet()
		_server.get_peer(client.get_unique_id())
		_server.disconnect_peer(client.get_unique_id())
	var is_out := func(client: MultiplayerPeer) -> bool: return client.get_connection_status() == 0
	_until(clients + [_server], func() -> bool: return clients.all(is_out), "all are out")


func _stream_cycles() -> void:
	var clients: Array[PacketPeer] = []
	var servers: Array[PacketPeer] = []
	for i in BATCH:
		var client: PacketPeer = ClassDB.instantiate("RustWebSocketPeer")
		client.connect_to_url("ws://%s:%d" % [ADDRESS, _tcp.get_local_port()])
		clients.append(client)
		# The engine's listening socket has a queue of a few only.
		_until([client], _tcp.is_connection_available, "a connection arrives")
		var server: PacketPeer = ClassDB.instantiate("RustWebSocketPeer")
		server.accept_stream(_tcp.take_connection())
		servers.append(server)
	var is_open := func(peer: PacketPeer) -> bool: return peer.get_ready_state() == 1
	_until(clients + servers, func() -> bool: return clients.all(is_open) and servers.all(is_open),
		"all are open")
	for peer in clients + servers:
		peer.put_packet("hello".to_utf8_buffer())
	var has_packet := func(peer: PacketPeer) -> bool: return peer.get_available_packet_count() == 1
	_until(clients + servers,
		func() -> bool: return clients.all(has_packet) and servers.all(has_packet), "all have heard")
	if _most_descriptors == 0:
		_most_descriptors = _measure().descriptors
	for server in servers:
		server.close()
	var is_closed := func(peer: PacketPeer) -> bool: return peer.get_ready_state() == 3
	_until(clients + servers, func() -> bool: return clients.all(is_closed) and servers.all(is_closed),
		"all are closed")


func _until(peers: Array, condition: Callable, what: String) -> void:
	var end := Time.get_ticks_msec() + 10000
	while not condition.call():
		if Time.get_ticks_msec() > end:
			_failures += 1
			print("FAIL after %d cycles: not in time: %s" % [_done, what])
			return
		for peer: Object in peers:
			peer.poll()
		OS.delay_usec(100)


## Lets the I/O thread take its leave of the last connections.
func _settle() -> void:
	var before := -1
	for i in 50:
		_server.poll()
		OS.delay_msec(20)
		var now: int = _measure().descriptors
		if now == before and i > 10:
			return
		before = now


func _measure() -> Dictionary:
	return {
		"objects": int(Performance.get_monitor(Performance.OBJECT_COUNT)),
		"descriptors": DirAccess.get_files_at("/proc/self/fd").size(),
		"resident_kib": ThisProcess.resident_kib(),
	}


func _finish() -> void:
	_settle()
	var after := _measure()
	print("%d cycles in %.1f s: %s, then %s"
		% [_done - WARM_UP, (Time.get_ticks_msec() - _began) / 1000.0, _before, after])
	if _failures > 0:
		quit(1)
		return
	for kind: String in ["objects", "descriptors"]:
		_check(after[kind] == _before[kind], "as many %s as before" % kind)
	_check(_most_descriptors >= _before.descriptors + 2 * BATCH, "descriptors are counted: %d"
		% _most_descriptors)
	var ballast := PackedByteArray()
	ballast.resize(16 << 20)
	ballast.fill(1)
	var grown := ThisProcess.resident_kib() - int(after.resident_kib)
	_check(grown > 8 << 10, "memory is measured: %d KiB more for %d KiB"
		% [grown, ballast.size() >> 10])
	_check(after.resident_kib - _before.resident_kib <= TOLERATED_KIB, "resident memory within 1 MiB")
	quit(0 if _failures == 0 else 1)


func _check(condition: bool, what: String) -> void:
	_failures += 0 if condition else 1
	print("%s %s" % ["ok" if condition else "FAIL", what])
