extends SceneTree
## The server that ci/test-hostile.sh attacks: several in one process, each with a port of its own.
##
##   impl=builtin|ours   whose classes (default ours)
##   fps=N               polls per second (1000)
##   compression=1       ours only, with context takeover, so that attackers can compress
##
## Prints `LISTENING PLAIN TLS STREAMS PIPES`: the ports of a multiplayer server, of one with TLS,
## of peers over accept_stream, and of streams that a RustWebSocketServer takes in. A message that
## begins with B comes back to its sender, and these are answered; everything else is taken and
## forgotten.
##
##   !objects            how many objects the engine has
##   !hang SECONDS       the main thread stands still, once this is answered
##   !broadcast BYTES    so much is sent to everybody in each frame; 0 ends it
##   !open               opens a file and says with which error code

const FIXTURES := "res://tests/fixtures/tls/"
const ADDRESS := "127.0.0.1"
const MARK := 66
const COMMAND := 33
const CLOSED := 3

var _prefix := "Rust"
var _compresses := false
var _servers: Array[MultiplayerPeer] = []
var _tcp := TCPServer.new()
var _streams: Array[PacketPeer] = []
## Only with our classes.
var _door: Object
var _door_tcp := TCPServer.new()
var _hang := 0.0
var _broadcast := 0
var _broadcasts := 0


func _initialize() -> void:
	Engine.max_fps = 1000
	# Without a window a frame takes that much longer.
	OS.low_processor_usage_mode_sleep_usec = 1
	for argument in OS.get_cmdline_user_args():
		var value := argument.get_slice("=", 1)
		match argument.get_slice("=", 0):
			"impl":
				_prefix = "" if value == "builtin" else "Rust"
			"fps":
				Engine.max_fps = value.to_int()
			"compression":
				_compresses = value == "1"
	var key := CryptoKey.new()
	key.load(FIXTURES + "leaf.key")
	var chain := X509Certificate.new()
	chain.load(FIXTURES + "chain.crt")
	var ports := PackedStringArray()
	for options: TLSOptions in [null, TLSOptions.server(key, chain)]:
		ports.append(str(_listen(options)))
	for tcp: TCPServer in [_tcp, _door_tcp]:
		tcp.listen(0, ADDRESS)
		ports.append(str(tcp.get_local_port()))
	if _prefix == "Rust":
		_door = ClassDB.instantiate("RustWebSocketServer")
		_compress(_door)
		_door.call("listen", 0, ADDRESS)
	print("LISTENING ", " ".join(ports))


func _process(_delta: float) -> bool:
	for server in _servers:
		server.poll()
		while server.get_available_packet_count() > 0:
			var sender := server.get_packet_peer()
			var reply := _reply_to(server.get_packet())
			if not reply.is_empty():
				server.set_target_peer(sender)
				server.put_packet(reply)
	_serve_streams()
	if _broadcast > 0:
		_send_to_everybody()
	if _hang > 0.0:
		# What was put is sent by then, whoever sends it.
		var seconds := _hang
		_hang = 0.0
		for server in _servers:
			server.poll()
		OS.delay_msec(int(seconds * 1000.0))
	return false


func _listen(options: TLSOptions) -> int:
	var server: MultiplayerPeer = ClassDB.instantiate(_prefix + "WebSocketMultiplayerPeer")
	_compress(server)
	for attempt in 10:
		var tcp := TCPServer.new()
		tcp.listen(0, ADDRESS)
		var port := tcp.get_local_port()
		tcp.stop()
		if server.create_server(port, ADDRESS, options) == OK:
			_servers.append(server)
			return port
	push_error("no port is free")
	quit(1)
	return 0


func _compress(object: Object) -> void:
	if _compresses and _prefix == "Rust":
		object.set("compression", 1)
		object.set("compression_context_takeover", true)


func _take_in() -> void:
	while _door_tcp.is_connection_available():
		_door.call("accept_stream", _door_tcp.take_connection())
	_door.call("poll")
	while _door.call("is_connection_available"):
		_streams.append(_door.call("take_connection"))


func _serve_streams() -> void:
	if _door != null:
		_take_in()
	while _tcp.is_connection_available():
		var peer: PacketPeer = ClassDB.instantiate(_prefix + "WebSocketPeer")
		_compress(peer)
		if peer.accept_stream(_tcp.take_connection()) == OK:
			_streams.append(peer)
	for index in range(_streams.size() - 1, -1, -1):
		var peer := _streams[index]
		peer.poll()
		while peer.get_available_packet_count() > 0:
			var reply := _reply_to(peer.get_packet())
			if not reply.is_empty():
				peer.put_packet(reply)
		if peer.get_ready_state() == CLOSED:
			_streams.remove_at(index)


## What is sent back; empty: nothing.
func _reply_to(packet: PackedByteArray) -> PackedByteArray:
	if packet.is_empty():
		return packet
	if packet[0] == MARK:
		return packet
	if packet[0] != COMMAND:
		return PackedByteArray()
	var words := packet.get_string_from_ascii().split(" ")
	var answer := "OK"
	match words[0]:
		"!objects":
			answer = str(int(Performance.get_monitor(Performance.OBJECT_COUNT)))
		"!hang":
			_hang = words[1].to_float()
		"!broadcast":
			_broadcast = words[1].to_int()
		"!open":
			FileAccess.open("res://project.godot", FileAccess.READ)
			answer = str(FileAccess.get_open_error())
	return answer.to_ascii_buffer()


func _send_to_everybody() -> void:
	var packet := PackedByteArray()
	packet.resize(_broadcast)
	packet[0] = 67
	packet.encode_u64(1, _broadcasts)
	_broadcasts += 1
	# Who does not read gets no more at some time, which is said for each packet.
	Engine.print_error_messages = false
	_servers[0].set_target_peer(0)
	_servers[0].put_packet(packet)
	Engine.print_error_messages = true
