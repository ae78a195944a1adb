extends SceneTree
## One side of a talk with another program; see ci/test-interop.sh.
##
##   role=server port=N [tls=yes] [address=A] [auth=1|2] [ca=NAME] [minimum=1]
##     sends every message back, for three minutes, and says which certificates clients have shown
##   role=client url=URL expect=echo|request [key=NAME] [certificate=NAME] [minimum=1]
##     connects; "echo" wants one back, "request" only that TLS stands; says why it has failed

const FIXTURES := "res://tests/fixtures/tls/"
const TEXT := "over and back"

var _arguments := {}
var _server: MultiplayerPeer
var _client: MultiplayerPeer
var _has_sent := false
var _said := ""
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
	_server.tls_minimum_version = _arguments.get("minimum", "0").to_int()
	if _arguments.has("auth"):
		_server.tls_client_auth = _arguments.auth.to_int()
		_server.tls_client_ca = load(FIXTURES + _arguments.ca + ".crt")
		_server.request_callback = _show_certificate
	var address: String = _arguments.get("address", "127.0.0.1")
	if _server.create_server(_arguments.port.to_int(), address, options) == OK:
		print("INTEROP listening")
	else:
		quit(1)


func _show_certificate(request: RefCounted) -> void:
	var shown: X509Certificate = request.get_tls_client_certificate()
	# The engine puts a NUL behind the end.
	var text := "none"
	if shown != null:
		text = shown.save_to_string().get_slice("-----END", 0).sha256_text()
	print("INTEROP shown ", text)
	request.accept()


func _connect() -> void:
	_client = ClassDB.instantiate("RustWebSocketMultiplayerPeer")
	_client.tls_minimum_version = _arguments.get("minimum", "0").to_int()
	if _arguments.has("key"):
		_client.tls_client_key = load(FIXTURES + _arguments.key + ".key")
		_client.tls_client_certificate = load(FIXTURES + _arguments.certificate + ".crt")
	if _client.create_client(_arguments.url, TLSOptions.client(load(FIXTURES + "root.crt"))) == OK:
		print("INTEROP connecting")
	else:
		quit(1)


func _process(_delta: float) -> bool:
	if _server != null:
		_server.poll()
		if _server.get_error_message() != _said:
			_said = _server.get_error_message()
			print("INTEROP said ", _said)
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
			print("INTEROP ended: ", _client.get_error_message())
			quit(1)
