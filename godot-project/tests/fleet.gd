extends SceneTree
## A multiplayer server behind proxies; see ci/test-fleet.sh.
##
##   port=N              (default 0, which the system chooses)
##   unix=PATH           a socket file in place of the port
##   trusted=A,B         trusted_proxies
##   proxy=yes           proxy_protocol
##   max=N, address=N    max_clients, max_clients_per_address
##   certificates=FOLDER TLS with fullchain.pem and privkey.pem there, read again when the file
##                       `renewed` is touched, as docs/servers.md shows it
##
##   asks=yes            a request_callback, which answers plain requests with what it sees
##   names=NAME:FILE,... a certificate of tests/fixtures/tls for each name (set_tls_options)
##
## Prints LISTENING with its port, and a line for each client: FLEET in ADDRESS PORT URL.

var _peer: MultiplayerPeer
var _certificates := ""
var _renewed := 0
var _next_look := 0


func _initialize() -> void:
	Engine.max_fps = 200
	var arguments := {"port": "0"}
	for argument in OS.get_cmdline_user_args():
		arguments[argument.get_slice("=", 0)] = argument.substr(argument.find("=") + 1)
	_peer = ClassDB.instantiate("RustWebSocketMultiplayerPeer")
	_peer.peer_connected.connect(_show)
	if arguments.has("trusted"):
		_peer.trusted_proxies = arguments.trusted.split(",")
	_peer.proxy_protocol = arguments.has("proxy")
	_peer.max_clients = arguments.get("max", "-1").to_int()
	_peer.max_clients_per_address = arguments.get("address", "-1").to_int()
	if arguments.has("asks"):
		_peer.request_callback = _answer
	_certificates = arguments.get("certificates", "")
	var options: TLSOptions = null
	if not _certificates.is_empty():
		options = _load_certificate()
		_renewed = _renewal()
	var address := "127.0.0.1"
	if arguments.has("unix"):
		address = "unix:" + arguments.unix
	if _peer.create_server(arguments.port.to_int(), address, options) == OK:
		_name(arguments.get("names", ""))
		print("LISTENING ", _peer.get_local_port())
	else:
		quit(1)


func _process(_delta: float) -> bool:
	_peer.poll()
	while _peer.get_available_packet_count() > 0:
		_peer.set_target_peer(_peer.get_packet_peer())
		_peer.put_packet(_peer.get_packet())
	_look_for_renewal()
	return false


func _name(names: String) -> void:
	for entry in names.split(",", false):
		var path := "res://tests/fixtures/tls/" + entry.get_slice(":", 1)
		var key := CryptoKey.new()
		key.load(path + ".key")
		var certificate := X509Certificate.new()
		certificate.load(path + ".crt")
		_peer.set_tls_options(TLSOptions.server(key, certificate), entry.get_slice(":", 0))


func _answer(request: Object) -> void:
	if request.is_websocket():
		request.accept()
		return
	request.respond(200, "%s %d, proxy %s, secure %s\n" % [request.get_remote_address(),
		request.get_remote_port(), request.get_proxy_address(), request.is_secure()])


func _show(id: int) -> void:
	print("FLEET in %s %d %s" % [_peer.get_peer_address(id), _peer.get_peer_port(id),
		_peer.get_peer(id).get_requested_url()])


func _look_for_renewal() -> void:
	if _certificates.is_empty() or Time.get_ticks_msec() < _next_look:
		return
	_next_look = Time.get_ticks_msec() + 200
	if _renewal() == _renewed:
		return
	_renewed = _renewal()
	if _peer.set_tls_options(_load_certificate()) == OK:
		print("FLEET renewed")
	else:
		push_error("kept the old certificate: " + _peer.get_error_message())


func _renewal() -> int:
	return FileAccess.get_modified_time(_certificates.path_join("renewed"))


func _load_certificate() -> TLSOptions:
	var key := CryptoKey.new()
	key.load(_certificates.path_join("privkey.pem"))
	var chain := X509Certificate.new()
	chain.load(_certificates.path_join("fullchain.pem"))
	return TLSOptions.server(key, chain)
