extends Node
## A server as a game would write it: a TCP server whose connections become WebSocket peers. Starts
## the client beside it.

var tcp_server := TCPServer.new()
var socket := WebSocketPeer.new()
var has_greeted := false


func _ready() -> void:
	if tcp_server.listen(0, "127.0.0.1") != OK:
		print("Unable to start server.")
		get_tree().quit(1)
		return
	var client: Node = preload("client.gd").new()
	client.websocket_url = "ws://127.0.0.1:%d" % tcp_server.get_local_port()
	add_child(client)


func _process(_delta: float) -> void:
	while tcp_server.is_connection_available():
		socket.accept_stream(tcp_server.take_connection())
		print("A client comes.")
	socket.poll()
	if socket.get_ready_state() == WebSocketPeer.STATE_OPEN:
		if not has_greeted:
			has_greeted = true
			socket.send_text("Hello from a %s." % socket.get_class())
		while socket.get_available_packet_count() > 0:
			print("Server got: ", socket.get_packet().get_string_from_utf8())
			socket.close(1000, "Good bye.")
