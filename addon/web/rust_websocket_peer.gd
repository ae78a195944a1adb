class_name RustWebSocketPeer
extends WebSocketPeer
## Stands in for the addon's class in a web export: the engine's class, which is the browser's own
## WebSocket there, with the further members. Settings keep their values and do nothing; what a
## browser does not tell is 0 or empty.

# gdlint: disable=unused-argument

enum Compression { COMPRESSION_DISABLED, COMPRESSION_ENABLED }
enum TLSVersion { TLS_VERSION_1_2, TLS_VERSION_1_3 }

const COMPRESSION_DISABLED := Compression.COMPRESSION_DISABLED
const COMPRESSION_ENABLED := Compression.COMPRESSION_ENABLED
const TLS_VERSION_1_2 := TLSVersion.TLS_VERSION_1_2
const TLS_VERSION_1_3 := TLSVersion.TLS_VERSION_1_3

var connect_timeout: float = 30.0:
	set = set_connect_timeout,
	get = get_connect_timeout
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
var compression_context_takeover: bool = false:
	set = set_compression_context_takeover,
	get = get_compression_context_takeover

var _write_mode: WriteMode = WRITE_MODE_BINARY


func accept_stream_with_data(stream: StreamPeer, received: PackedByteArray) -> Error:
	return ERR_UNAVAILABLE


func get_error_message() -> String:
	if get_ready_state() != STATE_CLOSED:
		return ""
	match get_close_code():
		-1:
			return "" if get_requested_url().is_empty() else _unknown()
		1006:
			return _unknown()
		1000:
			return ""
	return "closed: %d %s" % [get_close_code(), get_close_reason()]


func get_handshake_response_code() -> int:
	return 0


func get_handshake_response_headers() -> PackedStringArray:
	return PackedStringArray()


func get_handshake_response_body() -> PackedByteArray:
	return PackedByteArray()


func get_packets(max: int = -1) -> Array[PackedByteArray]:
	var packets: Array[PackedByteArray] = []
	while get_available_packet_count() > 0 and (max < 0 or packets.size() < max):
		packets.append(get_packet())
	return packets


static func get_process_statistics() -> Dictionary:
	return {}


# A browser's queue cannot be changed: each message is sent.
@warning_ignore("unused_parameter")
# gdlint:ignore = unused-argument
func send_latest(message: PackedByteArray, key: int = 0,
		write_mode: WriteMode = WRITE_MODE_BINARY) -> Error:
	return send(message, write_mode)


func get_request() -> RustWebSocketRequest:
	return null


func get_round_trip_time() -> float:
	return -1.0


func get_statistics() -> Dictionary:
	return {
		"messages_in": 0,
		"bytes_in": 0,
		"messages_out": 0,
		"bytes_out": 0,
		"sends_refused": 0,
		"reads_paused": 0,
		"wire_bytes_in": 0,
		"wire_bytes_out": 0,
		"pings_out": 0,
		"unreliable_dropped": 0,
		"compressed_out": 0,
		"compressions": 0,
		"unread_messages": 0,
		"unread_bytes": 0,
		"unsent_bytes": 0,
		"opened_at": 0,
	}


func is_compression_active() -> bool:
	return false


func is_connected_to_host() -> bool:
	return get_ready_state() == STATE_OPEN


## Only remembered: [method PacketPeer.put_packet] of the engine's class sends binary messages.
func set_write_mode(mode: WriteMode) -> void:
	_write_mode = mode


func get_write_mode() -> WriteMode:
	return _write_mode


func set_connect_timeout(timeout: float) -> void:
	connect_timeout = timeout


func get_connect_timeout() -> float:
	return connect_timeout


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


func get_compression_threshold() -> int:
	return compression_threshold


func set_compression_context_takeover(enabled: bool) -> void:
	compression_context_takeover = enabled


func get_compression_context_takeover() -> bool:
	return compression_context_takeover


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


func set_trace(path: String, payload_bytes: int = 75) -> Error:
	return OK if path.is_empty() else ERR_UNAVAILABLE


func _unknown() -> String:
	return "the connection failed; browsers do not say why"
