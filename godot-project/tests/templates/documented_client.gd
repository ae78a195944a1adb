extends Node
## A minimal client as the engine's documentation shows it: connect, poll each frame, read while
## open, see the end. The suite puts in the name of the class under test and calls the steps itself.

var website := ""
var lines := PackedStringArray()
var is_done := false

var _socket := WebSocketPeer.new()


func start() -> void:
	if _socket.connect_to_url(website) != OK:
		lines.append("Unable to connect")
		is_done = true


func step() -> void:
	_socket.poll()
	var state := _socket.get_ready_state()
	if state == WebSocketPeer.STATE_OPEN:
		while _socket.get_available_packet_count():
			lines.append("Packet: " + _socket.get_packet().get_string_from_utf8())
	elif state == WebSocketPeer.STATE_CLOSING:
		pass # Keep polling for a proper end.
	elif state == WebSocketPeer.STATE_CLOSED and not is_done:
		var code := _socket.get_close_code()
		lines.append("WebSocket closed with code: %d, reason %s. Clean: %s"
			% [code, _socket.get_close_reason(), code != -1])
		is_done = true
