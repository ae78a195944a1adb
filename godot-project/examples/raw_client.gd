extends Node
## A WebSocket client: says hello, prints what comes back, closes, and says how it ended.

@export var url := "ws://127.0.0.1:9080"

var _socket := RustWebSocketPeer.new()
var _has_said_hello := false


func _ready() -> void:
	if _socket.connect_to_url(url) != OK:
		print("client: this is no address to connect to: ", url)
		set_process(false)


func _process(_delta: float) -> void:
	_socket.poll()
	var state := _socket.get_ready_state()
	if state == RustWebSocketPeer.STATE_OPEN and not _has_said_hello:
		_has_said_hello = true
		_socket.send_text("Hello")
	while _socket.get_available_packet_count() > 0:
		print("client: got ", _socket.get_packet().get_string_from_utf8())
		_socket.close(1000, "Good bye")
	if state == RustWebSocketPeer.STATE_CLOSED:
		# The code is -1 and the message says why if the connection failed or broke.
		print("client: closed, code %d %s" % [_socket.get_close_code(), _socket.get_error_message()])
		set_process(false)
