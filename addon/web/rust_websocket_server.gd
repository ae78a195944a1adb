class_name RustWebSocketServer
extends RefCounted
## Stands in for the addon's class in a web export. There are no servers in a browser: it does not
## listen. Settings keep their values and do nothing.

# gdlint: disable=unused-argument

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

var allowed_origins := PackedStringArray():
	set = set_allowed_origins,
	get = get_allowed_origins
var close_timeout: float = 5.0:
	set = set_close_timeout,
	get = get_close_timeout
var compression: Compression = COMPRESSION_DISABLED:
	set = set_compression,
	get = get_compression
var compression_context_takeover: bool = false:
	set = set_compression_context_takeover,
	get = get_compression_context_takeover
var compression_threshold: int = 1024:
	set = set_compression_threshold,
	get = get_compression_threshold
var tls_minimum_version: TLSVersion = TLS_VERSION_1_2:
	set = set_tls_minimum_version,
	get = get_tls_minimum_version
var tls_client_auth: TLSClientAuth = TLS_CLIENT_AUTH_NONE:
	set = set_tls_client_auth,
	get = get_tls_client_auth
var tls_client_ca: X509Certificate = null:
	set = set_tls_client_ca,
	get = get_tls_client_ca
var handshake_headers := PackedStringArray():
	set = set_handshake_headers,
	get = get_handshake_headers
var handshake_timeout: float = 3.0:
	set = set_handshake_timeout,
	get = get_handshake_timeout
var heartbeat_interval: float = 0.0:
	set = set_heartbeat_interval,
	get = get_heartbeat_interval
var inbound_buffer_size: int = 65535:
	set = set_inbound_buffer_size,
	get = get_inbound_buffer_size
var max_clients: int = -1:
	set = set_max_clients,
	get = get_max_clients
var max_clients_per_address: int = -1:
	set = set_max_clients_per_address,
	get = get_max_clients_per_address
var max_pending_connections: int = 4096:
	set = set_max_pending_connections,
	get = get_max_pending_connections
var max_queued_packets: int = 4096:
	set = set_max_queued_packets,
	get = get_max_queued_packets
var outbound_buffer_size: int = 65535:
	set = set_outbound_buffer_size,
	get = get_outbound_buffer_size
var proxy_protocol: bool = false:
	set = set_proxy_protocol,
	get = get_proxy_protocol
var request_callback := Callable():
	set = set_request_callback,
	get = get_request_callback
var request_timeout: float = 10.0:
	set = set_request_timeout,
	get = get_request_timeout
var supported_protocols := PackedStringArray():
	set = set_supported_protocols,
	get = get_supported_protocols
var trusted_proxies := PackedStringArray():
	set = set_trusted_proxies,
	get = get_trusted_proxies


func get_active_connections() -> Array[RustWebSocketPeer]:
	return []


func get_local_port() -> int:
	return 0


func get_statistics() -> Dictionary:
	var sums: Dictionary = RustWebSocketPeer.new().get_statistics()
	sums.merge({
		"connections": 0,
		"connections_total": 0,
		"handshakes_pending": 0,
		"handshakes_failed": 0,
		"requests_answered": 0,
		"refused_full": 0,
		"refused_address": 0,
		"refused_origin": 0,
		"refused_timeout": 0,
	})
	return sums


func is_connection_available() -> bool:
	return false


func is_listening() -> bool:
	return false


func set_trace(path: String, payload_bytes: int = 75) -> Error:
	return OK if path.is_empty() else ERR_UNAVAILABLE


func listen(port: int, bind_address: String = "*", tls_server_options: TLSOptions = null) -> Error:
	return ERR_UNAVAILABLE


func poll() -> Error:
	return ERR_UNCONFIGURED


func stop(code: int = 1001, reason: String = "") -> void:
	pass


func accept_stream(stream: StreamPeer, received: PackedByteArray = PackedByteArray()) -> Error:
	return ERR_UNCONFIGURED


func take_connection() -> RustWebSocketPeer:
	return null


func get_close_timeout() -> float:
	return close_timeout


func set_close_timeout(timeout: float) -> void:
	close_timeout = timeout


func get_compression() -> Compression:
	return compression


func set_compression(mode: Compression) -> void:
	compression = mode


func get_compression_context_takeover() -> bool:
	return compression_context_takeover


func set_compression_context_takeover(enabled: bool) -> void:
	compression_context_takeover = enabled


func set_tls_minimum_version(version: TLSVersion) -> void:
	tls_minimum_version = version


func get_tls_minimum_version() -> TLSVersion:
	return tls_minimum_version


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


func set_compression_threshold(size: int) -> void:
	compression_threshold = size


func get_handshake_headers() -> PackedStringArray:
	return handshake_headers


func set_handshake_headers(protocols: PackedStringArray) -> void:
	handshake_headers = protocols


func get_handshake_timeout() -> float:
	return handshake_timeout


func set_handshake_timeout(timeout: float) -> void:
	handshake_timeout = timeout


func get_heartbeat_interval() -> float:
	return heartbeat_interval


func set_heartbeat_interval(interval: float) -> void:
	heartbeat_interval = interval


func get_inbound_buffer_size() -> int:
	return inbound_buffer_size


func set_inbound_buffer_size(buffer_size: int) -> void:
	inbound_buffer_size = buffer_size


func get_max_pending_connections() -> int:
	return max_pending_connections


func set_max_pending_connections(max_connections: int) -> void:
	max_pending_connections = max_connections


func get_max_queued_packets() -> int:
	return max_queued_packets


func set_max_queued_packets(max_packets: int) -> void:
	max_queued_packets = max_packets


func get_outbound_buffer_size() -> int:
	return outbound_buffer_size


func set_outbound_buffer_size(buffer_size: int) -> void:
	outbound_buffer_size = buffer_size


func get_request_callback() -> Callable:
	return request_callback


func set_request_callback(callback: Callable) -> void:
	request_callback = callback


func get_request_timeout() -> float:
	return request_timeout


func set_request_timeout(timeout: float) -> void:
	request_timeout = timeout


func get_supported_protocols() -> PackedStringArray:
	return supported_protocols


func set_supported_protocols(protocols: PackedStringArray) -> void:
	supported_protocols = protocols


func set_tls_options(options: TLSOptions, server_name: String = "") -> Error:
	return ERR_UNCONFIGURED


func get_max_clients() -> int:
	return max_clients


func set_max_clients(count: int) -> void:
	max_clients = count


func get_max_clients_per_address() -> int:
	return max_clients_per_address


func set_max_clients_per_address(count: int) -> void:
	max_clients_per_address = count


func get_allowed_origins() -> PackedStringArray:
	return allowed_origins


func set_allowed_origins(origins: PackedStringArray) -> void:
	allowed_origins = origins


func get_trusted_proxies() -> PackedStringArray:
	return trusted_proxies


func set_trusted_proxies(proxies: PackedStringArray) -> void:
	trusted_proxies = proxies


func get_proxy_protocol() -> bool:
	return proxy_protocol


func set_proxy_protocol(enabled: bool) -> void:
	proxy_protocol = enabled
