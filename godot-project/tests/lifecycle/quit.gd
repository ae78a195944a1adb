extends SceneTree
## Quits the engine with exit code 7 in the state that is named, after saying so.
## `ci/test-lifecycle.sh` runs this once for each state and looks at the exit code, the time from
## the last line to the end, and what was printed.
##
##   godot --headless --path godot-project -s res://tests/lifecycle/quit.gd -- STATE [builtin]

const ADDRESS := "127.0.0.1"
const STATES: Array[String] = ["idle", "connecting", "looking_up", "handshake", "open", "closing",
	"data_in_flight",
	"accepted_streams", "in_a_handler", "in_a_packet_of_scene_multiplayer", "in_a_thread",
	"held_by_statics", "free_in_a_handler",
	"tls_of_the_engine", "streams_of_scripts", "streams_of_scripts_held_by_statics"]

const REQUEST := ("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	+ "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")

static var _kept: Array = []

var _prefix := "Rust"
var _held: Array = []
var _is_quitting := false
var _tcp := TCPServer.new()


## What it holds can be freed only while there are scripts.
class Wire:
	extends StreamPeerExtension
	var inbox := REQUEST.to_ascii_buffer()
	var outbox := PackedByteArray()
	var count_calls := Callable()

	@warning_ignore("native_method_override")
	func get_partial_data(bytes: int) -> Array:
		count_calls.call()
		var data := inbox.slice(0, bytes)
		inbox = inbox.slice(data.size())
		return [OK, data]

	@warning_ignore("native_method_override")
	func put_partial_data(data: PackedByteArray) -> Array:
		outbox.append_array(data)
		return [OK, data.size()]


## Everything happens in one frame: nothing of the script is left waiting when the engine ends.
func _process(_delta: float) -> bool:
	var arguments := OS.get_cmdline_user_args()
	if "builtin" in arguments:
		_prefix = ""
	if arguments[0] == "list":
		print("STATES ", " ".join(STATES))
		return true
	_tcp.listen(0, ADDRESS)
	call(arguments[0])
	_quit()
	return true


func _quit() -> void:
	if _is_quitting:
		return
	_is_quitting = true
	print("QUITTING")
	quit(7)


func idle() -> void:
	_held.append(_socket())
	_held.append(_multiplayer())


## The name server does not answer (slow_lookup.c).
func looking_up() -> void:
	for i in 20:
		_connecting("ws://name-%d.invalid/" % i)
	var client := _multiplayer()
	client.create_client("ws://name.invalid/")
	_held.append(client)
	_frames(5)
	_check(_held[0].get_ready_state() == 0, "the lookup is under way")


## Nobody answers the SYN: the queue of the listening socket is full.
func connecting() -> void:
	for i in 40:
		var filler := StreamPeerTCP.new()
		filler.connect_to_host(ADDRESS, _tcp.get_local_port())
		_held.append(filler)
	var peer := _connecting(_url())
	_frames(5)
	_check(peer.get_ready_state() == 0, "the connection is under way")


func handshake() -> void:
	var client := _connecting(_url())
	var server := _socket()
	server.accept_stream(_take())
	_held.append(server)
	_check(client.get_ready_state() == 0 and server.get_ready_state() == 0, "both are connecting")


func open() -> void:
	_session(20)
	_pair()


func closing() -> void:
	var pair := _pair()
	pair[0].close(4000, "bye")
	_check(pair[0].get_ready_state() == 2, "it is closing")
	var members := _session(3)
	members[0].close()
	members[1].disconnect_peer(1)


## Nobody reads: all buffers are full.
func data_in_flight() -> void:
	var pair := _pair()
	var members := _session(2)
	for peer: PacketPeer in [pair[0], pair[1], members[0], members[1]]:
		peer.outbound_buffer_size = 0
		for i in 9:
			peer.put_packet(_bytes(60000))
	for i in 120:
		pair[0].put_packet(_bytes(60000))


func accepted_streams() -> void:
	for i in 5:
		var pair := _pair()
		pair[1].put_packet(_bytes(60000))


func in_a_handler() -> void:
	var server := _multiplayer()
	server.peer_connected.connect(func(_id: int) -> void: _quit())
	_run(server, 3)


func in_a_packet_of_scene_multiplayer() -> void:
	var server := _multiplayer()
	var port := _listen(server)
	get_multiplayer().multiplayer_peer = server
	get_multiplayer().peer_packet.connect(func(_id: int, _packet: PackedByteArray) -> void: _quit())
	var branch := Node.new()
	branch.name = "Client"
	root.add_child(branch)
	var api := SceneMultiplayer.new()
	set_multiplayer(api, branch.get_path())
	var client := _multiplayer()
	client.create_client("ws://%s:%d" % [ADDRESS, port])
	api.multiplayer_peer = client
	api.connected_to_server.connect(func() -> void: api.send_bytes(_bytes(10), 1))
	var end := Time.get_ticks_msec() + 5000
	while not _is_quitting and Time.get_ticks_msec() < end:
		get_multiplayer().poll()
		api.poll()
		OS.delay_usec(300)


## A handler lets go of the last reference and quits.
func free_in_a_handler() -> void:
	var holder := {"server": _multiplayer()}
	var done := [false]
	holder.server.peer_connected.connect(func(_id: int) -> void:
		holder.clear()
		done[0] = true)
	var client := _multiplayer()
	client.create_client("ws://%s:%d" % [ADDRESS, _listen(holder.server)])
	_held.append(client)
	var end := Time.get_ticks_msec() + 5000
	while not done[0] and Time.get_ticks_msec() < end:
		client.poll()
		if holder.has("server"):
			holder.server.poll()
		OS.delay_usec(300)


## A thread has used peers that live on.
func in_a_thread() -> void:
	var thread := Thread.new()
	thread.start(func() -> Array:
		var peer := _socket()
		peer.connect_to_url(_url())
		for i in 20:
			peer.poll()
			OS.delay_msec(1)
		return [peer])
	_held.append(thread.wait_to_finish())


## Freed when the scripts go, which is late.
func held_by_statics() -> void:
	_kept.append_array(_pair())
	_kept.append_array(_session(5))


## Clients that trust several certificates loaded at run time: open, in the handshake, and looking
## for their host.
func tls_of_the_engine() -> void:
	var fixtures := "res://tests/fixtures/tls/"
	var key := CryptoKey.new()
	key.load(fixtures + "p521.key")
	var server := _multiplayer()
	var port := 0
	while port == 0 or server.create_server(port, ADDRESS,
			TLSOptions.server(key, load(fixtures + "p521.crt"))) != OK:
		var tcp := TCPServer.new()
		tcp.listen(0, ADDRESS)
		port = tcp.get_local_port()
		tcp.stop()
	var bundle := X509Certificate.new()
	bundle.load_from_string(FileAccess.get_file_as_string(fixtures + "root.crt")
		+ FileAccess.get_file_as_string(fixtures + "p521.crt"))
	var options := TLSOptions.client(bundle, "localhost")
	var client := _multiplayer()
	var socket := _socket()
	client.create_client("wss://%s:%d" % [ADDRESS, port], options)
	socket.connect_to_url("wss://%s:%d" % [ADDRESS, port], options)
	_held.append_array([client, socket, server])
	_kept.append_array([client, socket])
	for url: String in ["wss://%s:%d" % [ADDRESS, _tcp.get_local_port()], "wss://name.invalid"]:
		var peer := _socket()
		peer.connect_to_url(url, options)
		_held.append(peer)
	var end := Time.get_ticks_msec() + 5000
	while ((client.get_connection_status() != 2 or socket.get_ready_state() != 1)
			and Time.get_ticks_msec() < end):
		_frames(1)
	_check(client.get_connection_status() == 2 and socket.get_ready_state() == 1, "both are in")


func streams_of_scripts() -> void:
	for i in 5:
		_held.append(_over_a_script())


func streams_of_scripts_held_by_statics() -> void:
	for i in 5:
		_kept.append(_over_a_script())


# ---- peers

func _over_a_script() -> PacketPeer:
	var peer := _socket()
	if _prefix.is_empty():
		return peer
	var wire := Wire.new()
	var calls := [0]
	wire.count_calls = func() -> void: calls[0] += 1
	peer.accept_stream(wire)
	var end := Time.get_ticks_msec() + 5000
	while peer.get_ready_state() != 1 and Time.get_ticks_msec() < end:
		peer.poll()
	_check(peer.get_ready_state() == 1, "it is open")
	return peer


func _socket() -> PacketPeer:
	return ClassDB.instantiate(_prefix + "WebSocketPeer")


func _multiplayer() -> MultiplayerPeer:
	return ClassDB.instantiate(_prefix + "WebSocketMultiplayerPeer")


func _url() -> String:
	return "ws://%s:%d/" % [ADDRESS, _tcp.get_local_port()]


func _connecting(url: String) -> PacketPeer:
	var peer := _socket()
	_check(peer.connect_to_url(url) == OK, "connect_to_url")
	_held.append(peer)
	return peer


func _take() -> StreamPeerTCP:
	var end := Time.get_ticks_msec() + 5000
	while not _tcp.is_connection_available() and Time.get_ticks_msec() < end:
		for peer: Object in _held:
			if peer is PacketPeer:
				peer.poll()
		OS.delay_usec(300)
	return _tcp.take_connection()


## A client and a server, open.
func _pair() -> Array:
	var client := _connecting(_url())
	var server := _socket()
	server.accept_stream(_take())
	_held.append(server)
	var end := Time.get_ticks_msec() + 5000
	while ((client.get_ready_state() != 1 or server.get_ready_state() != 1)
			and Time.get_ticks_msec() < end):
		client.poll()
		server.poll()
		OS.delay_usec(300)
	_check(client.get_ready_state() == 1 and server.get_ready_state() == 1, "both are open")
	return [client, server]


## A server and its clients, all connected; the server is the last.
func _session(count: int) -> Array:
	var server := _multiplayer()
	var members := _run(server, count)
	return members + [server]


func _run(server: MultiplayerPeer, count: int) -> Array:
	var port := _listen(server)
	var members := []
	for i in count:
		var client := _multiplayer()
		client.create_client("ws://%s:%d" % [ADDRESS, port])
		members.append(client)
	_held.append(server)
	_held.append_array(members)
	var end := Time.get_ticks_msec() + 5000
	var is_in := func(client: MultiplayerPeer) -> bool: return client.get_connection_status() == 2
	while not members.all(is_in) and Time.get_ticks_msec() < end:
		for peer: MultiplayerPeer in members + [server]:
			peer.poll()
		OS.delay_usec(300)
	_check(members.all(is_in), "all are in")
	return members


func _listen(server: MultiplayerPeer) -> int:
	for attempt in 10:
		var tcp := TCPServer.new()
		tcp.listen(0, ADDRESS)
		var port := tcp.get_local_port()
		tcp.stop()
		if server.create_server(port, ADDRESS) == OK:
			return port
	return 0


func _frames(count: int) -> void:
	for i in count:
		for peer: Object in _held:
			if peer is PacketPeer:
				peer.poll()
		OS.delay_usec(300)


func _bytes(size: int) -> PackedByteArray:
	var data := PackedByteArray()
	data.resize(size)
	return data


func _check(condition: bool, what: String) -> void:
	if not condition:
		print("FAIL ", what)
