extends SceneTree
## Our servers for the clients of other implementations (ci/peers): an echo that understands what
## theirs understand, on accept_stream, and beside it two multiplayer servers, one with TLS, that
## send packets back.
##
##   godot --headless --path godot-project -s res://tests/peers/server.gd -- compression=1
##   takeover=0
##
## Prints `LISTENING port` once it listens, and what a client wants printed; runs until it is ended
## from outside.
##
## What it understands, each as a text message:
##
##   extensions?         the extension in use
##   pongs?              how many pings it knows to be answered: 1, once there is a round-trip time
##   last close?         code and reason of the connection that ended last
##   protocol?           the subprotocol in use
##   url?                the URL that was asked for
##   ports?              of the two multiplayer servers, one where clients have to name a
##                       subprotocol, a full server, and one that takes pages of one origin only
##   members?            how many are in the two multiplayer servers
##   count:N             sends the numbers from 0 up to N
##   close:CODE:REASON   closes the connection
##   print:TEXT          prints it

const Options := preload("res://tests/autobahn/options.gd")
const FIXTURES := "res://tests/fixtures/tls/"
const PROTOCOLS: PackedStringArray = ["chat.v2", "chat.v1"]
## Seconds: long enough for a busy client to answer, since it ends the connection otherwise.
const HEARTBEAT := 1.0
const OPEN := 1
const CLOSED := 3
const TEXT := 0
const BINARY := 1

var _options := Options.new()
var _tcp := TCPServer.new()
var _tcp_with_protocols := TCPServer.new()
var _peers: Array[PacketPeer] = []
var _last_close := ""
var _multiplayer: Array[MultiplayerPeer] = []
var _ports: PackedStringArray = []
var _member_count := 0


func _initialize() -> void:
	if _tcp.listen(_options.port, "127.0.0.1") != OK or _tcp_with_protocols.listen(0,
			"127.0.0.1") != OK:
		printerr("cannot listen on port %d" % _options.port)
		quit(1)
		return
	_serve_members(null)
	_serve_members(_tls_options())
	_ports.append(str(_tcp_with_protocols.get_local_port()))
	_serve_members(null, {"max_clients": 0})
	_serve_members(null, {"allowed_origins": PackedStringArray(["https://game.example"])})
	print("LISTENING %d" % _tcp.get_local_port())


## Stays here for long: between two frames the engine sleeps for milliseconds when it has no window.
func _process(_delta: float) -> bool:
	var end := Time.get_ticks_msec() + 1000
	while Time.get_ticks_msec() < end:
		if not _serve():
			OS.delay_usec(50)
	return false


func _serve() -> bool:
	var is_busy := _accept(_tcp, [])
	is_busy = _accept(_tcp_with_protocols, PROTOCOLS) or is_busy
	for peer in _peers:
		peer.poll()
		while peer.get_ready_state() == OPEN and peer.get_available_packet_count() > 0:
			_answer(peer, peer.get_packet())
			is_busy = true
		if peer.get_ready_state() == CLOSED:
			_last_close = "%d %s" % [peer.get_close_code(), peer.get_close_reason()]
	_peers = _peers.filter(func(peer: PacketPeer) -> bool: return peer.get_ready_state() != CLOSED)
	for server in _multiplayer:
		is_busy = _echo_packets(server) or is_busy
	return is_busy


func _accept(tcp: TCPServer, protocols: PackedStringArray) -> bool:
	var is_busy := false
	while tcp.is_connection_available():
		var peer := _options.new_peer()
		peer.supported_protocols = protocols
		peer.heartbeat_interval = HEARTBEAT
		peer.accept_stream(tcp.take_connection())
		_peers.append(peer)
		is_busy = true
	return is_busy


func _answer(peer: PacketPeer, packet: PackedByteArray) -> void:
	if not peer.was_string_packet():
		peer.send(packet, BINARY)
		return
	var text := packet.get_string_from_utf8()
	match text.get_slice(":", 0) if packet.size() < 10000 else "":
		"extensions?": peer.send_text("permessage-deflate" if peer.is_compression_active() else "")
		"pongs?": peer.send_text(str(_count_pongs(peer)))
		"last close?": peer.send_text(_last_close)
		"protocol?": peer.send_text(peer.get_selected_protocol())
		"url?": peer.send_text(peer.get_requested_url())
		"ports?": peer.send_text(" ".join(_ports))
		"members?": peer.send_text(str(_member_count))
		"count":
			for number in int(text.get_slice(":", 1)):
				peer.send_text(str(number))
		"close": peer.close(int(text.get_slice(":", 1)), text.get_slice(":", 2))
		"print": print(text.trim_prefix("print:"))
		_: peer.send(packet, TEXT)


## Waits a while for the first pong: the client may have been too quick for the heartbeat.
func _count_pongs(peer: PacketPeer) -> int:
	var end := Time.get_ticks_msec() + 4000
	while peer.get_round_trip_time() < 0 and Time.get_ticks_msec() < end:
		peer.poll()
		OS.delay_usec(100)
	return 1 if peer.get_round_trip_time() >= 0 else 0


func _tls_options() -> TLSOptions:
	var key := CryptoKey.new()
	key.load(FIXTURES + "leaf.key")
	var chain := X509Certificate.new()
	chain.load(FIXTURES + "chain.crt")
	return TLSOptions.server(key, chain)


## A multiplayer server on a port that was free a moment ago: the class does not tell which one the
## system has chosen.
func _serve_members(tls: TLSOptions, settings := {}) -> void:
	var server: MultiplayerPeer = _options.new_peer_of(_options.peer_class.replace("Peer",
		"MultiplayerPeer"))
	for setting: String in settings:
		server.set(setting, settings[setting])
	server.peer_connected.connect(func(_id: int) -> void: _member_count += 1)
	server.peer_disconnected.connect(func(_id: int) -> void: _member_count -= 1)
	for attempt in 20:
		var probe := TCPServer.new()
		probe.listen(0, "127.0.0.1")
		var port := probe.get_local_port()
		probe.stop()
		if server.create_server(port, "127.0.0.1", tls) == OK:
			_multiplayer.append(server)
			_ports.append(str(port))
			return
	printerr("no multiplayer server")
	quit(1)


## Sends every packet back, but for `leave`, whose sender is disconnected.
func _echo_packets(server: MultiplayerPeer) -> bool:
	var is_busy := false
	server.poll()
	while server.get_available_packet_count() > 0:
		var id := server.get_packet_peer()
		var packet := server.get_packet()
		is_busy = true
		if packet == "leave".to_ascii_buffer():
			server.disconnect_peer(id)
		else:
			server.set_target_peer(id)
			server.put_packet(packet)
	return is_busy
