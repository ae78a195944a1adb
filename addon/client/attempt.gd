extends RefCounted
## One attempt of a RustWebSocketClient and the connection that comes of it, whichever class
## carries it: what differs between our peer, the engine's and a browser's is evened out here.

## WebSocketPeer.State; no peer class is named, so that this loads in every engine.
enum State { CONNECTING, OPEN, CLOSING, CLOSED }

## The first that exists is used.
const PEER_CLASSES: Array[StringName] = [&"RustWebSocketPeer", &"WebSocketPeer"]
## The longest wait that a Retry-After header can ask for, in seconds.
const RETRY_AFTER_MAX := 300.0
## HTTP refusals of the 4xx kind that may be different next time: Request Timeout, Too Early, Too
## Many Requests.
const PASSING_STATUSES: Array[int] = [408, 425, 429]
## Our peer has the same timeout as the node and says which step took so long: it goes first.
const TIMEOUT_GRACE := 0.25

static var _warned_about_headers := false

var peer: PacketPeer
var started_at := 0.0
## INF before the connection has been open.
var opened_at := INF
## When the other side's answer to a close frame is not waited for any longer.
var close_deadline := INF
## Why connect_to_url() was refused.
var refused_with := OK

# Messages that were taken from the peer and not handed out yet: String or PackedByteArray.
var _inbox: Array = []


## Makes the peer for [param node]'s settings; [member peer] stays null where there is no class.
func _init(node: Node, peer_class: StringName) -> void:
	peer = new_peer(peer_class)
	if peer:
		_set_up(node)


## A peer of [param peer_class], or of the first class that exists; null where there is none.
static func new_peer(peer_class: StringName) -> PacketPeer:
	for candidate: StringName in PEER_CLASSES if peer_class.is_empty() else [peer_class]:
		if ClassDB.class_exists(candidate):
			return ClassDB.instantiate(candidate)
	return null


func begin(url: String, options: TLSOptions, now: float) -> Error:
	started_at = now
	refused_with = peer.connect_to_url(url, options)
	return refused_with


func poll() -> void:
	peer.poll()


func state() -> State:
	return peer.get_ready_state() as State


## Whether the handshake is through. A server may close right behind it: then the state is never
## seen as open.
func has_opened() -> bool:
	if state() != State.CLOSED:
		return state() != State.CONNECTING
	return close_code() != -1 or peer.get_available_packet_count() > 0 or _status() == 101


func has_timed_out(now: float, timeout: float) -> bool:
	var grace := TIMEOUT_GRACE if &"connect_timeout" in peer else 0.0
	return now - started_at >= timeout + grace


## Closes an open connection and keeps what has arrived, which the engine's class would drop.
func close(code: int, reason: String) -> void:
	while peer.get_available_packet_count() > 0:
		_inbox.append(_take_packet())
	peer.close(_sendable(code), reason)


## Ends it without a close frame.
func cut() -> void:
	peer.close(-1)


## The next message that has arrived, or null.
func next_message() -> Variant:
	if not _inbox.is_empty():
		return _inbox.pop_front()
	return _take_packet() if peer.get_available_packet_count() > 0 else null


func selected_protocol() -> String:
	return peer.get_selected_protocol()


func close_code() -> int:
	var code: int = peer.get_close_code()
	# A browser's code for "no close frame", and what the engine's class makes of an empty one.
	return {1006: -1, 0: 1005}.get(code, code)


## Whether the code may stand for another one: the engine's class takes 1012 to 1014 for a fault.
func is_code_in_doubt() -> bool:
	var is_engines := not peer.has_method(&"get_error_message")
	return is_engines and close_code() == 1002 and close_reason() == "Protocol error"


func close_reason() -> String:
	return peer.get_close_reason()


func error_message() -> String:
	var message: String = ""
	if peer.has_method(&"get_error_message"):
		message = peer.get_error_message()
		if not message.is_empty() or refused_with == OK:
			return message
	if refused_with != OK:
		return "the connection cannot be begun: %s" % error_string(refused_with)
	if opened_at != INF:
		return "the connection was lost" if close_code() == -1 else ""
	return "the connection failed" + ("; browsers do not say why" if _is_web() else "")


## Whether an answer in place of the upgrade will not be another one next time. Only our class
## tells what the answer was.
func is_refused_for_good() -> bool:
	var status := _status()
	return status >= 400 and status < 500 and status not in PASSING_STATUSES


## The seconds that the server's refusal asks to wait; 0 if it does not.
func retry_after() -> float:
	if not peer.has_method(&"get_handshake_response_headers"):
		return 0.0
	for line: String in peer.get_handshake_response_headers():
		var value := line.get_slice(":", 1).strip_edges()
		if line.get_slice(":", 0).to_lower() == "retry-after" and value.is_valid_int():
			return clampf(value.to_float(), 0.0, RETRY_AFTER_MAX)
	return 0.0


## What an HTTP proxy answered in place of a tunnel; 0 where there is none.
func proxy_response_code() -> int:
	if peer.has_method(&"get_proxy_response_code"):
		return peer.get_proxy_response_code()
	return 0


func send(payload: Variant, write_mode: int) -> Error:
	if payload is String:
		return peer.send_text(payload)
	return peer.send(payload, write_mode)


func unsent_bytes() -> int:
	return peer.get_current_outbound_buffered_amount()


## The engine's class prints an error each time that it refuses, so it is not tried in vain.
func has_room_for(payload: Variant) -> bool:
	var limit: int = peer.outbound_buffer_size
	var waiting := unsent_bytes()
	return waiting == 0 or limit == 0 or waiting + size_of(payload) < limit


static func size_of(payload: Variant) -> int:
	return payload.to_utf8_buffer().size() if payload is String else payload.size()


func _set_up(node: Node) -> void:
	peer.supported_protocols = node.supported_protocols
	peer.inbound_buffer_size = node.inbound_buffer_size
	peer.outbound_buffer_size = node.outbound_buffer_size
	if not _is_web():
		peer.handshake_headers = node.handshake_headers
	elif not node.handshake_headers.is_empty() and not _warned_about_headers:
		_warned_about_headers = true
		push_warning("RustWebSocketClient: browsers do not send handshake_headers")
	# What only some peers have: older engines, the engine's class, ours.
	for property: StringName in [&"heartbeat_interval", &"connect_timeout", &"max_redirects"]:
		if property in peer:
			peer.set(property, node.get(property))
	if &"compression" in peer:
		peer.compression = int(node.compression)


func _take_packet() -> Variant:
	var data := peer.get_packet()
	if peer.was_string_packet():
		return data.get_string_from_utf8()
	return data


# The HTTP status of the answer, 0 if there was none or the peer does not tell.
func _status() -> int:
	if peer.has_method(&"get_handshake_response_code"):
		return peer.get_handshake_response_code()
	return 0


func _sendable(code: int) -> int:
	var is_private := code >= 3000 and code < 5000
	var is_known := code in [0, 1001, 1002, 1003] or (code >= 1007 and code <= 1014)
	if code == 1000 or code < 0 or is_private or (is_known and not _is_web()):
		return code
	push_error("RustWebSocketClient: close code %d must not be sent, 1000 is sent instead" % code)
	return 1000


static func _is_web() -> bool:
	return OS.has_feature("web")
