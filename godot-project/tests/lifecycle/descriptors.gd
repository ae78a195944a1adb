extends SceneTree
## A server at the limit of open files: it leaves some to the game, serves those who are in, and
## goes on when there is room. Its clients are in a process of their own, whose sockets do not
## count.
##
##   godot --headless --path godot-project -s res://tests/lifecycle/descriptors.gd -- server
##   godot --headless --path godot-project -s res://tests/lifecycle/descriptors.gd -- clients PORT

const ADDRESS := "127.0.0.1"
const CLIENTS := 200
## Open at the same time, at the limit.
const FILES := 12
## A second of silence: nobody more gets in.
const SETTLED_MSEC := 1000

var _peer: MultiplayerPeer = ClassDB.instantiate("RustWebSocketMultiplayerPeer")
var _connections: Array[StreamPeerTCP] = []
var _ids := {}
var _in := 0
var _changed_at := 0
## Clients: who has sent its request.
var _asked := {}
var _leaves_all := false
## Server: who was in before some left.
var _before := 0
var _steps: Array[Callable] = []
var _deadline := Time.get_ticks_msec() + 60000


func _initialize() -> void:
	var arguments := OS.get_cmdline_user_args()
	if arguments[0] == "server":
		_serve()
	else:
		_connect(arguments[1].to_int())


func _process(_delta: float) -> bool:
	_peer.poll()
	if Time.get_ticks_msec() > _deadline:
		print("FAIL in vain: %d are in, %d were, %d steps are left" % [_ids.size(), _in, _steps.size()])
		quit(1)
		return true
	if not _steps.is_empty() and _steps[0].call():
		_steps.pop_front()
		if _steps.is_empty():
			print("DONE")
			quit(0)
			return true
	for connection in _connections:
		connection.poll()
	return false


# ---- the server

func _serve() -> void:
	var tcp := TCPServer.new()
	tcp.listen(0, ADDRESS)
	var port := tcp.get_local_port()
	tcp.stop()
	_peer.peer_connected.connect(func(id: int) -> void:
		_ids[id] = true
		_in += 1
		_changed_at = Time.get_ticks_msec())
	_peer.peer_disconnected.connect(func(id: int) -> void: _ids.erase(id))
	if _peer.create_server(port, ADDRESS) == OK:
		print("LISTENING ", port)
	_steps = [_fills, _others_get_in, _all_get_in]


func _fills() -> bool:
	if _in < 10 or Time.get_ticks_msec() - _changed_at < SETTLED_MSEC:
		return false
	_judge(_in < CLIENTS, "not all get in at once")
	var files: Array[FileAccess] = []
	for i in FILES:
		files.append(FileAccess.open("res://project.godot", FileAccess.READ))
	_judge(not files.has(null), "the game opens files at the limit")
	while files.back() != null and files.size() < 1000:
		files.append(FileAccess.open("res://project.godot", FileAccess.READ))
	var another: MultiplayerPeer = ClassDB.instantiate("RustWebSocketMultiplayerPeer")
	var code: Error = another.create_server(0, ADDRESS)
	_judge(code == ERR_CANT_CREATE, "without one a server cannot be made, which is told: %d" % code)
	files.clear()
	_order("leave 20")
	_before = _in
	return true


func _others_get_in() -> bool:
	if _in < _before + 20:
		return false
	_judge(true, "when some leave, others get in")
	_order("leave 1000")
	return true


func _all_get_in() -> bool:
	if _in < CLIENTS + 1:
		return false
	_judge(true, "everybody gets in, one after the other")
	_order("quit")
	return _ids.is_empty()


## The bystander, which came first, is served at the limit too.
func _order(order: String) -> void:
	_peer.set_target_peer(0)
	_peer.put_packet(order.to_utf8_buffer())


func _judge(is_good: bool, what: String) -> void:
	print("ok " if is_good else "FAIL ", what)


# ---- the clients

func _connect(port: int) -> void:
	_peer.create_client("ws://%s:%d" % [ADDRESS, port])
	_steps = [_bystander_is_in.bind(port), _obeys]


func _bystander_is_in(port: int) -> bool:
	if _peer.get_connection_status() != MultiplayerPeer.CONNECTION_CONNECTED:
		return false
	for i in CLIENTS:
		var connection := StreamPeerTCP.new()
		connection.connect_to_host(ADDRESS, port)
		_connections.append(connection)
	return true


func _obeys() -> bool:
	for connection in _connections:
		if connection.get_status() == StreamPeerTCP.STATUS_CONNECTED and not _asked.has(connection):
			_asked[connection] = true
			connection.put_data(("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
				+ "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
				+ "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").to_utf8_buffer())
	while _peer.get_available_packet_count() > 0:
		var order := _peer.get_packet().get_string_from_utf8()
		if order == "quit":
			_peer.close()
			return true
		_leaves_all = order == "leave 1000"
		_leave(order.trim_prefix("leave ").to_int())
	if _leaves_all:
		_leave(1000)
	return false


## As many as that leave of those who are in, which have their answer.
func _leave(count: int) -> void:
	for connection: StreamPeerTCP in _connections.duplicate():
		if count > 0 and connection.get_available_bytes() > 0:
			connection.disconnect_from_host()
			_connections.erase(connection)
			_asked.erase(connection)
			count -= 1
