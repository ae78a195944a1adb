extends SceneTree
## Clients of a server that is killed and started again: RustWebSocketClient nodes on both peer
## classes. Prints "READY n" when all are connected to the server's n-th life and have heard an echo
## there; at the end, what was lost or left over. `ci/test-restarts.sh` runs it.
##
##   godot --headless --path godot-project -s res://tests/restarts/clients.gd -- port=N lives=N

const PEER_CLASSES: Array[StringName] = [
	&"RustWebSocketPeer", &"RustWebSocketPeer", &"WebSocketPeer", &"WebSocketPeer"
]
## From here on nothing may be added to what there is.
const SETTLED := 5

var _clients: Array[RustWebSocketClient] = []
## The life in which each has heard its echo.
var _echoed := PackedInt32Array()
var _opened := PackedInt32Array()
var _closed := PackedInt32Array()
var _url := ""
var _lives := 0
var _life := 0
var _objects := 0


func _initialize() -> void:
	for argument in OS.get_cmdline_user_args():
		if argument.begins_with("port="):
			_url = "ws://127.0.0.1:" + argument.get_slice("=", 1)
		elif argument.begins_with("lives="):
			_lives = argument.get_slice("=", 1).to_int()
	Engine.max_fps = 120
	for list: PackedInt32Array in [_echoed, _opened, _closed]:
		list.resize(PEER_CLASSES.size())
	for index in PEER_CLASSES.size():
		_add_client(index)


func _process(_delta: float) -> bool:
	for echoed in _echoed:
		if echoed != _life + 1:
			return false
	_life += 1
	print("READY ", _life)
	if _life == mini(SETTLED, _lives - 1):
		_objects = _count_objects()
	if _life == _lives:
		_finish()
		return true
	return false


func _add_client(index: int) -> void:
	var client := RustWebSocketClient.new()
	client._peer_class = PEER_CLASSES[index]
	client.url = _url
	client.autoconnect = true
	# What the policy is by default, in less time.
	client.reconnect_delay_min = 0.05
	client.reconnect_delay_max = 0.4
	client.reconnect_min_uptime = 0.1
	client.connection_opened.connect(func(_protocol: String) -> void: _opened[index] += 1)
	client.connection_closed.connect(
		func(_code: int, _reason: String, _was_clean: bool) -> void: _closed[index] += 1
	)
	client.text_received.connect(_on_text.bind(index))
	client.reconnect_failed.connect(
		func() -> void: print("FAIL client %d has given up: %s" % [index, client.get_error_message()])
	)
	_clients.append(client)
	root.add_child(client)


func _on_text(text: String, index: int) -> void:
	if text.begins_with("life "):
		_clients[index].send_text("echo " + text)
	else:
		_echoed[index] = text.get_slice(" ", 2).to_int()


func _finish() -> void:
	for index in _clients.size():
		var name := "%d (%s)" % [index, PEER_CLASSES[index]]
		_check(_opened[index] == _lives, "client %s has opened %d times" % [name, _opened[index]])
		_check(_closed[index] == _lives - 1, "client %s was closed %d times" % [name, _closed[index]])
	var more := _count_objects() - _objects
	_check(more <= 0, "%d objects more than after %d restarts" % [more, mini(SETTLED, _lives - 1)])
	_check(Performance.get_monitor(Performance.OBJECT_ORPHAN_NODE_COUNT) == 0, "no node is left over")
	for client in _clients:
		client.free()
	print("CLIENTS DONE")


func _check(holds: bool, what: String) -> void:
	print("ok " if holds else "FAIL ", what)


func _count_objects() -> int:
	return int(Performance.get_monitor(Performance.OBJECT_COUNT))
