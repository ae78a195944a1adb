extends Node
## The client of the engine's documentation, in a project that has nothing but the addon: connect,
## poll each frame, print what comes, end when the connection ends. `ci/test-dropin.sh` changes the
## name of the class, and nothing else.

@export var websocket_url := ""

var socket := WebSocketPeer.new()


func _ready() -> void:
	if socket.connect_to_url(websocket_url) != OK:
		print("Unable to connect.")
		get_tree().quit(1)


func _process(_delta: float) -> void:
	socket.poll()
	match socket.get_ready_state():
		WebSocketPeer.STATE_OPEN:
			while socket.get_available_packet_count() > 0:
				print("Packet: ", socket.get_packet().get_string_from_utf8())
				socket.send_text("Thank you.")
		WebSocketPeer.STATE_CLOSING:
			pass
		WebSocketPeer.STATE_CLOSED:
			var code := socket.get_close_code()
			print("WebSocket closed with code: %d, reason: %s. Clean: %s"
				% [code, socket.get_close_reason(), code != -1])
			get_tree().quit()
