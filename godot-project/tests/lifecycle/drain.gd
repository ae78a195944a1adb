extends SceneTree
## A server that the system asks to end while messages go both ways; see ci/test-lifecycle.sh.
##
##   server    a multiplayer server with RustWebSocketServerLifecycle. Prints LISTENING port,
##             DRAINING, SENT id count (what a send has accepted) for each member, DRAINED
##   listener  the same with RustWebSocketServer and the peers that it hands out
##   plain     a server without the node
##   freed     one whose node was freed
##   moved     one whose scene, with two nodes, changes in the frame in which the signal comes;
##             successor=yes: with one node, and another in the next scene
##   many      a server whose members leave without a signal, and a node that is told of many
##             peers: prints "ok" for what holds
##   clients   port=N count=N slow=yes: prints IN when all are in, and GOT id count code reason for
##             each; raw=yes: of a listener, where there is no id (0)
##
##   grace=SECONDS; last=N: a server sends each member N messages when the drain begins, and none
##   before

## Much more than sockets hold, where a client is slow.
const BYTES := 32000

var _arguments := {}
var _lifecycle: Node
var _peer: RustWebSocketMultiplayerPeer
var _server: RustWebSocketServer
var _taken: Array[RustWebSocketPeer] = []
## By id: how many messages were accepted, or have come.
var _counts := {}
var _apis: Array[SceneMultiplayer] = []
var _peers: Array[RustWebSocketMultiplayerPeer] = []
var _ids := {}
var _in := 0
var _ended := 0
var _moves := false


func _initialize() -> void:
	Engine.max_fps = 100
	for argument in OS.get_cmdline_user_args():
		_arguments[argument.get_slice("=", 0)] = argument.substr(argument.find("=") + 1)
	if _arguments.has("clients"):
		if _arguments.has("raw"):
			_connect_raw()
		else:
			_connect_all()
		return
	if not _arguments.has("plain") and not _arguments.has("moved"):
		_watch()
	_listen.call_deferred()


func _watch() -> void:
	_lifecycle = _new_lifecycle()
	_lifecycle.drain_started.connect(_begin_drain)
	_lifecycle.drained.connect(_show_sent)
	root.add_child(_lifecycle)


func _new_lifecycle() -> RustWebSocketServerLifecycle:
	var lifecycle := RustWebSocketServerLifecycle.new()
	lifecycle.grace_period = _arguments.get("grace", "1").to_float()
	lifecycle.close_reason = "an update"
	return lifecycle


func _begin_drain() -> void:
	print("DRAINING")
	for _index in _arguments.get("last", "0").to_int():
		_send_to_all()


func _send_to_all() -> void:
	for id in root.multiplayer.get_peers():
		if root.multiplayer.send_bytes(_payload(_counts[id] + 1), id) == OK:
			_counts[id] += 1


func _listen() -> void:
	if _arguments.has("freed"):
		_lifecycle.free()
	if _arguments.has("listener"):
		_server = RustWebSocketServer.new()
		_server.listen(0, "127.0.0.1")
		_lifecycle.add_server(_server)
		print("LISTENING ", _server.get_local_port())
		return
	if _arguments.has("moved"):
		change_scene_to_packed(_scene_with(1 if _arguments.has("successor") else 2))
		while current_scene == null:
			await process_frame
		_moves = true
	_listen_for_members()
	if _arguments.has("many"):
		_try_many()


func _scene_with(count: int) -> PackedScene:
	var scene := Node.new()
	for _index in count:
		var lifecycle := _new_lifecycle()
		scene.add_child(lifecycle)
		lifecycle.owner = scene
	var packed := PackedScene.new()
	packed.pack(scene)
	scene.free()
	return packed


## Before anything else in a frame, as packets and RPCs come, which lasts until the signal has come.
func _move() -> void:
	_moves = false
	var signals: Callable = Engine.get_meta(&"rust_websocket_end_signals")
	while signals.call("count") == 0:
		OS.delay_msec(1)
	node_added.connect(func(node: Node) -> void:
		if node is RustWebSocketServerLifecycle:
			node.drain_started.connect(_begin_drain))
	change_scene_to_packed(_scene_with(1 if _arguments.has("successor") else 0))


func _listen_for_members() -> void:
	_peer = RustWebSocketMultiplayerPeer.new()
	_peer.outbound_buffer_size = 1 << 24
	_peer.create_server(0, "127.0.0.1")
	root.multiplayer.multiplayer_peer = _peer
	root.multiplayer.peer_connected.connect(func(id: int) -> void: _counts[id] = 0)
	print("LISTENING ", _peer.get_local_port())


func _process(_delta: float) -> bool:
	if _moves:
		_move()
	if _peer:
		for _index in 0 if _arguments.has("last") or _arguments.has("many") else 3:
			_send_to_all()
	elif _server:
		_serve()
	else:
		_play()
	return false


func _serve() -> void:
	_server.poll()
	while _server.is_connection_available():
		var peer: RustWebSocketPeer = _server.take_connection()
		_taken.append(peer)
		_lifecycle.add_server(peer)
	for index in _taken.size():
		_taken[index].poll()
		while _taken[index].get_available_packet_count() > 0:
			_taken[index].get_packet()
		if _taken[index].get_ready_state() == RustWebSocketPeer.STATE_OPEN:
			var count: int = _counts.get(index, 0) + 1
			if _taken[index].send(_payload(count)) == OK:
				_counts[index] = count


func _try_many() -> void:
	# The engine would tell newcomers to those who left without a signal.
	(root.multiplayer as SceneMultiplayer).server_relay = false
	for _index in 1000:
		_lifecycle.add_server(RustWebSocketPeer.new())
	_tell("whoever is gone is forgotten", _lifecycle._peers.size() < 100)
	var first := await _come_in()
	_peer.disconnect_peer(first.get_unique_id(), true)
	var second := await _come_in()
	_peer.close()
	_tell("a second session", _peer.create_server(0, "127.0.0.1") == OK)
	_tell("a member of the first", second.get_unique_id() > 1)
	var third := await _come_in()
	_lifecycle.start_drain()
	await create_timer(0.2).timeout
	_tell("it waits for who is in", not _lifecycle._phase == _lifecycle._Phase.DRAINED)
	third.close()


## A client that is a member.
func _come_in() -> RustWebSocketMultiplayerPeer:
	var client := RustWebSocketMultiplayerPeer.new()
	client.create_client("ws://127.0.0.1:%d/" % _peer.get_local_port())
	while client.get_connection_status() != MultiplayerPeer.CONNECTION_CONNECTED:
		client.poll()
		await process_frame
	return client


func _tell(what: String, holds: bool) -> void:
	print("%s %s" % ["ok" if holds else "FAIL", what])


func _show_sent() -> void:
	for id: int in _counts:
		print("SENT %d %d" % [id, _counts[id]])
	print("DRAINED")


func _connect_all() -> void:
	for index in _arguments.count.to_int():
		var peer := RustWebSocketMultiplayerPeer.new()
		peer.inbound_buffer_size = 1 << 20
		peer.create_client("ws://127.0.0.1:%s/" % _arguments.port)
		var api := SceneMultiplayer.new()
		api.root_path = NodePath("/root")
		api.multiplayer_peer = peer
		api.connected_to_server.connect(func() -> void:
			_ids[index] = api.get_unique_id()
			_count_in())
		api.peer_packet.connect(_take.bind(index))
		api.server_disconnected.connect(_show_got.bind(index))
		_apis.append(api)
		_peers.append(peer)
		_counts[index] = 0


func _connect_raw() -> void:
	for index in _arguments.count.to_int():
		var peer := RustWebSocketPeer.new()
		peer.connect_to_url("ws://127.0.0.1:%s/" % _arguments.port)
		_taken.append(peer)
		_counts[index] = 0


func _count_in() -> void:
	_in += 1
	if _in == _arguments.count.to_int():
		print("IN")


func _play() -> void:
	for index in _apis.size():
		# One client does not read for two seconds, again and again.
		if index == 0 and _arguments.has("slow") and Time.get_ticks_msec() % 3000 < 2000:
			continue
		_apis[index].poll()
		if _peers[index].get_connection_status() == MultiplayerPeer.CONNECTION_CONNECTED:
			_apis[index].send_bytes(_payload(0), 1)
	for index in _taken.size():
		_play_raw(index)


func _play_raw(index: int) -> void:
	var peer := _taken[index]
	peer.poll()
	while peer.get_available_packet_count() > 0:
		_take(1, peer.get_packet(), index)
		if _counts[index] == 1:
			_count_in()
	if peer.get_ready_state() == RustWebSocketPeer.STATE_CLOSED and not _ids.has(index):
		_ids[index] = 0
		_show_end(index, peer.get_close_code(), peer.get_close_reason())


func _take(_id: int, data: PackedByteArray, index: int) -> void:
	_counts[index] += 1
	if data.decode_u32(0) != _counts[index]:
		print("LOST before %d" % data.decode_u32(0))


func _show_got(index: int) -> void:
	_show_end(index, _peers[index].get_close_code(), _peers[index].get_close_reason())


func _show_end(index: int, code: int, reason: String) -> void:
	print("GOT %d %d %d %s" % [_ids[index], _counts[index], code, reason])
	_ended += 1
	if _ended == _arguments.count.to_int():
		quit()


func _payload(number: int) -> PackedByteArray:
	var payload := PackedByteArray()
	payload.resize(BYTES)
	payload.encode_u32(0, number)
	return payload
