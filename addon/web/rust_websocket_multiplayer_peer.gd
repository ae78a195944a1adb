# gdlint: disable=unused-argument,max-public-methods
class_name RustWebSocketMultiplayerPeer
extends WebSocketMultiplayerPeer
## Stands in for the addon's class in a web export: the engine's class, which is the browser's own
## WebSocket there, with the further members. Settings keep their values and do nothing; what a
## browser does not tell is 0 or empty. There are no servers in a browser.

enum Compression { COMPRESSION_DISABLED, COMPRESSION_ENABLED }
enum TLSVersion { TLS_VERSION_1_2, TLS_VERSION_1_3 }
enum TLSClientAuth {
	TLS_CLIENT_AUTH_NONE,
	TLS_CLIENT_AUTH_OPTIONAL,
	TLS_CLIENT_AUTH_REQUIRED,
}

const COMPRESSION_DISABLED := Compression.COMPRESSION_DISABLED
const COMPRESSION_ENABLED := Compression.COMPRESSION_ENABLED
const TLS_VERSION_1_2 := TLSVersion.TLS_VERSION_1_2
const TLS_VERSION_1_3 := TLSVersion.TLS_VERSION_1_3
const TLS_CLIENT_AUTH_NONE := TLSClientAuth.TLS_CLIENT_AUTH_NONE
const TLS_CLIENT_AUTH_OPTIONAL := TLSClientAuth.TLS_CLIENT_AUTH_OPTIONAL
const TLS_CLIENT_AUTH_REQUIRED := TLSClientAuth.TLS_CLIENT_AUTH_REQUIRED

var heartbeat_interval: float = 0.0:
	set = set_heartbeat_interval,
	get = get_heartbeat_interval
var close_timeout: float = 5.0:
	set = set_close_timeout,
	get = get_close_timeout
# Browsers follow no redirects of a WebSocket.
var max_redirects: int = 0:
	set = set_max_redirects,
	get = get_max_redirects
var use_environment_proxy: bool = false:
	set = set_use_environment_proxy,
	get = get_use_environment_proxy
var compression: Compression = COMPRESSION_DISABLED:
	set = set_compression,
	get = get_compression
var compression_threshold: int = 1024:
	set = set_compression_threshold,
	get = get_compression_threshold
var tls_minimum_version: TLSVersion = TLS_VERSION_1_2:
	set = set_tls_minimum_version,
	get = get_tls_minimum_version
var tls_client_certificate: X509Certificate = null:
	set = set_tls_client_certificate,
	get = get_tls_client_certificate
var tls_client_key: CryptoKey = null:
	set = set_tls_client_key,
	get = get_tls_client_key
var tls_client_auth: TLSClientAuth = TLS_CLIENT_AUTH_NONE:
	set = set_tls_client_auth,
	get = get_tls_client_auth
var tls_client_ca: X509Certificate = null:
	set = set_tls_client_ca,
	get = get_tls_client_ca
var compression_context_takeover: bool = false:
	set = set_compression_context_takeover,
	get = get_compression_context_takeover
# A browser takes whatever it is given: nothing is dropped.
var unreliable_lifetime: int = 0:
	set = set_unreliable_lifetime,
	get = get_unreliable_lifetime
var request_callback := Callable():
	set = set_request_callback,
	get = get_request_callback
var request_timeout: float = 10.0:
	set = set_request_timeout,
	get = get_request_timeout
var max_pending_connections: int = 4096:
	set = set_max_pending_connections,
	get = get_max_pending_connections
var max_clients: int = -1:
	set = set_max_clients,
	get = get_max_clients
var max_clients_per_address: int = -1:
	set = set_max_clients_per_address,
	get = get_max_clients_per_address
var allowed_origins := PackedStringArray():
	set = set_allowed_origins,
	get = get_allowed_origins
var trusted_proxies := PackedStringArray():
	set = set_trusted_proxies,
	get = get_trusted_proxies
var proxy_protocol: bool = false:
	set = set_proxy_protocol,
	get = get_proxy_protocol

var _packets_peers := PackedInt32Array()
# A client's connection, for what it says when it has ended, until the next session.
var _server: RustWebSocketPeer
var _is_watching := false
var _has_tried := false


func set_trace(path: String, payload_bytes: int = 75) -> Error:
	return OK if path.is_empty() else ERR_UNAVAILABLE


func set_http_proxy(host: String, port: int, user: String = "", password: String = "") -> void:
	pass


func set_https_proxy(host: String, port: int, user: String = "", password: String = "") -> void:
	pass


func set_socks_proxy(host: String, port: int, user: String = "", password: String = "") -> void:
	pass


func get_proxy_response_code() -> int:
	return 0


func set_max_redirects(count: int) -> void:
	max_redirects = count


func get_max_redirects() -> int:
	return max_redirects


func set_use_environment_proxy(enabled: bool) -> void:
	use_environment_proxy = enabled


func get_use_environment_proxy() -> bool:
	return use_environment_proxy


func _init() -> void:
	peer_connected.connect(_dress)
	_watch()


# The engine's peer ends a connection without saying why; its connection says it.
func disconnect_peer_with_code(id: int, code: int = 1000, reason: String = "") -> void:
	var peer := get_peer(id)
	if peer:
		peer.close(_sendable(code), reason)


func close_with_code(code: int = 1001, reason: String = "") -> void:
	if _server:
		_server.close(_sendable(code), reason)
	close()


func get_close_code() -> int:
	_note_attempt()
	return _server.get_close_code() if _server else -1


func get_close_reason() -> String:
	_note_attempt()
	return _server.get_close_reason() if _server else ""


@warning_ignore("unused_parameter")
# gdlint:ignore = unused-argument
func set_tls_options(options: TLSOptions, server_name: String = "") -> Error:
	return ERR_UNCONFIGURED


func get_error_message() -> String:
	if get_connection_status() != CONNECTION_DISCONNECTED:
		return ""
	if _server:
		return _server.get_error_message()
	return "the connection failed; browsers do not say why" if _has_tried else ""


func get_handshake_response_code() -> int:
	return 0


func get_handshake_response_headers() -> PackedStringArray:
	return PackedStringArray()


func get_handshake_response_body() -> PackedByteArray:
	return PackedByteArray()


func get_local_port() -> int:
	return 0


func get_packets(max: int = -1) -> Array[PackedByteArray]:
	var packets: Array[PackedByteArray] = []
	_packets_peers.clear()
	while get_available_packet_count() > 0 and (max < 0 or packets.size() < max):
		_packets_peers.append(get_packet_peer())
		packets.append(get_packet())
	return packets


func get_packets_peers() -> PackedInt32Array:
	return _packets_peers


func get_statistics() -> Dictionary:
	return RustWebSocketPeer.new().get_statistics()


func is_compression_active() -> bool:
	return false


func set_heartbeat_interval(interval: float) -> void:
	heartbeat_interval = interval


func get_heartbeat_interval() -> float:
	return heartbeat_interval


func set_close_timeout(timeout: float) -> void:
	close_timeout = timeout


func get_close_timeout() -> float:
	return close_timeout


func set_compression(mode: Compression) -> void:
	compression = mode


func get_compression() -> Compression:
	return compression


func set_compression_threshold(size: int) -> void:
	compression_threshold = size


func set_tls_minimum_version(version: TLSVersion) -> void:
	tls_minimum_version = version


func get_tls_minimum_version() -> TLSVersion:
	return tls_minimum_version


func set_tls_client_certificate(certificate: X509Certificate) -> void:
	tls_client_certificate = certificate


func get_tls_client_certificate() -> X509Certificate:
	return tls_client_certificate


func set_tls_client_key(key: CryptoKey) -> void:
	tls_client_key = key


func get_tls_client_key() -> CryptoKey:
	return tls_client_key


func set_tls_client_auth(auth: TLSClientAuth) -> void:
	tls_client_auth = auth


func get_tls_client_auth() -> TLSClientAuth:
	return tls_client_auth


func set_tls_client_ca(certificate: X509Certificate) -> void:
	tls_client_ca = certificate


func get_tls_client_ca() -> X509Certificate:
	return tls_client_ca


func get_compression_threshold() -> int:
	return compression_threshold


func set_compression_context_takeover(enabled: bool) -> void:
	compression_context_takeover = enabled


func get_compression_context_takeover() -> bool:
	return compression_context_takeover


func set_unreliable_lifetime(lifetime: int) -> void:
	unreliable_lifetime = lifetime


func get_unreliable_lifetime() -> int:
	return unreliable_lifetime


func set_max_clients(count: int) -> void:
	max_clients = count


func get_max_clients() -> int:
	return max_clients


func set_max_clients_per_address(count: int) -> void:
	max_clients_per_address = count


func get_max_clients_per_address() -> int:
	return max_clients_per_address


func set_allowed_origins(origins: PackedStringArray) -> void:
	allowed_origins = origins


func get_allowed_origins() -> PackedStringArray:
	return allowed_origins


func set_trusted_proxies(proxies: PackedStringArray) -> void:
	trusted_proxies = proxies


func get_trusted_proxies() -> PackedStringArray:
	return trusted_proxies


func set_proxy_protocol(enabled: bool) -> void:
	proxy_protocol = enabled


func get_proxy_protocol() -> bool:
	return proxy_protocol


# Browsers let a page send no other codes.
func _sendable(code: int) -> int:
	return code if code < 0 or code >= 3000 else 1000


# A peer of the engine's class gets the further members of ours, before the handlers of scripts.
func _dress(id: int) -> void:
	var peer := get_peer(id)
	if peer and not peer.get_script():
		peer.set_script(RustWebSocketPeer)
	if id == TARGET_PEER_SERVER:
		_server = peer as RustWebSocketPeer
		_watch()


# The engine's create_client() begins the next session and tells nobody. A browser answers between
# frames, so that a look at the end of each frame finds every attempt, also one that fails at once.
func _watch() -> void:
	var tree := Engine.get_main_loop() as SceneTree
	if tree and not _is_watching:
		_is_watching = true
		# Deferred: behind whatever else the frame brings.
		tree.create_timer(0.0).timeout.connect(_look, CONNECT_DEFERRED)


func _look() -> void:
	_note_attempt()
	# The engine's close() lets go of the connection, which ends with its last reference: ours, here.
	if (
		_server
		and get_connection_status() == CONNECTION_DISCONNECTED
		and _server.get_ready_state() == WebSocketPeer.STATE_OPEN
	):
		_server.close()
	_is_watching = false
	_watch()


func _note_attempt() -> void:
	if get_connection_status() == CONNECTION_CONNECTING:
		_has_tried = true
		_server = null


# gdlint:ignore = unused-argument
func create_server_from(server: RustWebSocketServer, path: String = "") -> Error:
	return ERR_UNAVAILABLE


func get_request_callback() -> Callable:
	return request_callback


func set_request_callback(callback: Callable) -> void:
	request_callback = callback


func get_request_timeout() -> float:
	return request_timeout


func set_request_timeout(timeout: float) -> void:
	request_timeout = timeout


func get_max_pending_connections() -> int:
	return max_pending_connections


func set_max_pending_connections(max_connections: int) -> void:
	max_pending_connections = max_connections
