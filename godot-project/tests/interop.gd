extends SceneTree
## One side of a talk with another program; see ci/test-interop.sh.
##
##   role=server port=N [tls=yes]             sends every message back, for three minutes
##   role=client url=URL expect=echo|request  connects; "echo" wants a message back, "request" only
##   that TLS stands

const FIXTURES := "res://tests/fixtures/tls/"
const TEXT := "over and back"

var _arguments := {}
var _server: MultiplayerPeer
var _client: MultiplayerPeer
var _has_sent := false
var _end := 0


func _initialize() -> void:
	for argument in OS.get_cmdline_user_args():
		_arguments[argument.get_slice("=", 0)] = argument.substr(argument.find("=") + 1)
	Engine.max_fps = 200
	if _arguments.role == "server":
		_end = Time.get_ticks_msec() + 180000
		_serve()
	else:
		_end = Time.get_ticks_msec() + 5000
		_connect()


func _serve() -> void:
	_server = ClassDB.instantiate("RustWebSocketMultiplayerPeer")
	var options: TLSOptions
	if _arguments.has("tls"):
		var key := CryptoKey.new()
		key.load(FIXTURES + "leaf.key")
		var chain := X509Certificate.new()
		chain.load(FIXTURES + "chain.crt")
		options = TLSOptions.server(key, chain)
	if _server.create_server(_arguments.port.to_int(), "127.0.0.1", options) == OK:
		print("INTEROP listening")
	else:
		quit(1)


func _connect() -> void:
	_client = ClassDB.instantiate("RustWebSocketMultiplayerPeer")
	if _client.create_client(_arguments.url, TLSOptions.client(load(FIXTURES + "root.crt"))) == OK:
		print("INTEROP connecting")
	else:
		quit(1)


func _process(_delta: float) -> bool:
	if _server != null:
		_server.poll()
		while _server.get_available_packet_count() > 0:
			_server.set_target_peer(_server.get_packet_peer())
			_server.put_packet(_server.get_packet())
	else:
		_poll_client()
	if Time.get_ticks_msec() > _end:
		quit(0 if _server != null else 1)
	return false


func _poll_client() -> void:
	_client.poll()
	match _client.get_connection_status():
		MultiplayerPeer.CONNECTION_CONNECTED:
			if not _has_sent:
				_has_sent = true
				_client.put_packet(TEXT.to_utf8_buffer())
			elif (_client.get_available_packet_count() > 0
					and _client.get_packet().get_string_from_utf8() == TEXT):
				print("INTEROP echoed")
				quit()
		MultiplayerPeer.CONNECTION_DISCONNECTED:
			quit(1)
