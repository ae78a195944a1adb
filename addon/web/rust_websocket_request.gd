class_name RustWebSocketRequest
extends RefCounted
## Stands in for the addon's class in a web export. There are no servers in a browser, and so no
## requests: it counts as answered and tells nothing.

# gdlint: disable=unused-argument


func accept(protocol: String = "", headers: PackedStringArray = PackedStringArray()) -> Error:
	return ERR_ALREADY_IN_USE


func get_cookies() -> Dictionary:
	return {}


func get_header(name: String) -> String:
	return ""


func get_headers() -> PackedStringArray:
	return PackedStringArray()


func get_host() -> String:
	return ""


func get_method() -> String:
	return ""


func get_origin() -> String:
	return ""


func get_path() -> String:
	return ""


func get_protocols() -> PackedStringArray:
	return PackedStringArray()


func get_proxy_address() -> String:
	return ""


func get_query() -> String:
	return ""


func get_query_parameters() -> Dictionary:
	return {}


func get_remote_address() -> String:
	return ""


func get_remote_port() -> int:
	return 0


func get_tls_client_certificate() -> X509Certificate:
	return null


func get_tls_server_name() -> String:
	return ""


func has_header(name: String) -> bool:
	return false


func is_pending() -> bool:
	return false


func is_secure() -> bool:
	return false


func is_websocket() -> bool:
	return false


func refuse(code: int = 1013, reason: String = "") -> Error:
	return ERR_ALREADY_IN_USE


func respond(
	status: int = 403, body: String = "", headers: PackedStringArray = PackedStringArray()
) -> Error:
	return ERR_ALREADY_IN_USE


func respond_raw(
	status: int, body: PackedByteArray, headers: PackedStringArray = PackedStringArray()
) -> Error:
	return ERR_ALREADY_IN_USE
