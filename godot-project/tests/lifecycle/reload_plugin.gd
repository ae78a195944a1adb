@tool
extends EditorPlugin
## Reloads the extension in a running editor, three times, each time with live connections: the
## peers come back closed, with their properties, and can connect again. `ci/test-lifecycle.sh` puts
## it into a project of its own.
##
##   godot --headless --editor --path PROJECT -- [lookup]
##
## With `lookup`, the extension is unloaded at the end, while a name lookup is under way.

const MANIFEST := "res://addons/rust_websocket/rust_websocket.gdextension"
const ADDRESS := "127.0.0.1"
const ROUNDS := 3

var _client: PacketPeer
var _accepted: PacketPeer
var _server: MultiplayerPeer
var _members: Array[MultiplayerPeer] = []
var _held: PacketPeer


func _enter_tree() -> void:
	_run.call_deferred()


func _run() -> void:
	# The editor is still starting.
	for i in 20:
		await get_tree().process_frame
	_make_peers()
	for i in ROUNDS:
		await _connect_all()
		_check(_client.get_ready_state() == 1 and _accepted.get_ready_state() == 1,
			"round %d: the sockets are open" % i)
		_check(_members.all(_is_connected), "round %d: the members are in" % i)
		for peer: PacketPeer in [_client, _accepted]:
			peer.put_packet("in flight".to_utf8_buffer())
		_server.put_packet("in flight".to_utf8_buffer())
		# One that only the multiplayer peer knows, and one that a script holds.
		_server.get_peer(_members[0].get_unique_id())
		_held = _server.get_peer(_members[1].get_unique_id())
		var answer := GDExtensionManager.reload_extension(MANIFEST)
		_check(answer == GDExtensionManager.LOAD_STATUS_OK, "round %d: the reload answers %d"
			% [i, answer])
		_check_what_came_back(i)
		for frame in 5:
			await get_tree().process_frame
	await _connect_all()
	_check(_client.get_ready_state() == 1 and _members.all(_is_connected),
		"they connect again after the last reload")
	if "lookup" in OS.get_cmdline_user_args():
		await _unload_during_a_lookup()
	print("RELOAD DONE")
	get_tree().quit(7)


func _make_peers() -> void:
	_client = ClassDB.instantiate("RustWebSocketPeer")
	_client.handshake_headers = PackedStringArray(["X-Kept: yes"])
	_client.inbound_buffer_size = 123456
	_client.connect_timeout = 12.5
	_accepted = ClassDB.instantiate("RustWebSocketPeer")
	_server = ClassDB.instantiate("RustWebSocketMultiplayerPeer")
	_server.handshake_timeout = 4.5
	_server.close_timeout = 2.5
	for i in 3:
		_members.append(ClassDB.instantiate("RustWebSocketMultiplayerPeer"))


func _connect_all() -> void:
	var tcp := TCPServer.new()
	tcp.listen(0, ADDRESS)
	_client.connect_to_url("ws://%s:%d/" % [ADDRESS, tcp.get_local_port()])
	var end := Time.get_ticks_msec() + 5000
	while not tcp.is_connection_available() and Time.get_ticks_msec() < end:
		await get_tree().process_frame
	_accepted.accept_stream(tcp.take_connection())
	var port := _listen()
	for member in _members:
		member.create_client("ws://%s:%d" % [ADDRESS, port])
	while Time.get_ticks_msec() < end:
		for peer: Object in [_client, _accepted, _server] + _members:
			peer.poll()
		if (_client.get_ready_state() == 1 and _accepted.get_ready_state() == 1
				and _members.all(_is_connected)):
			return
		await get_tree().process_frame


## Puts the server on a free port.
func _listen() -> int:
	for attempt in 10:
		var tcp := TCPServer.new()
		tcp.listen(0, ADDRESS)
		var port := tcp.get_local_port()
		tcp.stop()
		if _server.create_server(port, ADDRESS) == OK:
			return port
	return 0


func _check_what_came_back(i: int) -> void:
	_check(_client.get_ready_state() == 3 and _accepted.get_ready_state() == 3,
		"round %d: the sockets are closed" % i)
	_check(_server.get_connection_status() == MultiplayerPeer.CONNECTION_DISCONNECTED,
		"round %d: the server is idle" % i)
	_check(not _members.any(_is_connected), "round %d: the members are out" % i)
	_check(_held.get_ready_state() == 3, "round %d: the member's connection is closed" % i)
	_check(_client.handshake_headers == PackedStringArray(["X-Kept: yes"]),
		"round %d: handshake_headers" % i)
	_check(_client.inbound_buffer_size == 123456, "round %d: inbound_buffer_size" % i)
	_check(_client.connect_timeout == 12.5, "round %d: connect_timeout" % i)
	_check(_server.handshake_timeout == 4.5, "round %d: handshake_timeout" % i)
	_check(_server.close_timeout == 2.5, "round %d: close_timeout" % i)


## The thread of the lookup must still have its code when the answer comes.
func _unload_during_a_lookup() -> void:
	for member in _members:
		member.close()
	_members.clear()
	_client.close(-1)
	_client.connect_to_url("ws://no-such-host.invalid/")
	for frame in 5:
		_client.poll()
		await get_tree().process_frame
	_client = null
	_accepted = null
	_server = null
	_held = null
	var answer := GDExtensionManager.unload_extension(MANIFEST)
	_check(answer == GDExtensionManager.LOAD_STATUS_OK, "the extension is unloaded: %d" % answer)
	await get_tree().create_timer(3.0).timeout
	_check(not ClassDB.class_exists("RustWebSocketPeer"),
		"the lookup has come to its end without the extension")


func _is_connected(member: MultiplayerPeer) -> bool:
	return member.get_connection_status() == MultiplayerPeer.CONNECTION_CONNECTED


func _check(condition: bool, what: String) -> void:
	print("%s %s" % ["ok" if condition else "FAIL", what])
