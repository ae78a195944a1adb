extends Node
## Runs in the exported sample project: finds the class and lets two peers talk. `ci/test-export.sh`
## starts it.
##
##   sample -- class=RustWebSocketPeer

var _tcp := TCPServer.new()
var _client: PacketPeer
var _server: PacketPeer


func _ready() -> void:
	var class_of := "RustWebSocketPeer"
	for argument in OS.get_cmdline_user_args():
		if argument.begins_with("class="):
			class_of = argument.trim_prefix("class=")
	if not ClassDB.class_exists(class_of):
		_end("the exported program does not know the class " + class_of)
		return
	_client = ClassDB.instantiate(class_of)
	_server = ClassDB.instantiate(class_of)
	_tcp.listen(0, "127.0.0.1")
	_client.connect_to_url("ws://127.0.0.1:%d/" % _tcp.get_local_port())
	# Makes TLS ready: with SSLKEYLOGFILE set a debug build of the engine would begin that file.
	ClassDB.instantiate(class_of).connect_to_url("wss://127.0.0.1:1/")
	get_tree().create_timer(5.0).timeout.connect(_end.bind("the peers did not meet"))


func _process(_delta: float) -> void:
	if _client == null:
		return
	if _tcp.is_connection_available():
		_server.accept_stream(_tcp.take_connection())
		_server.poll()
	_client.poll()
	_server.poll()
	if _server.get_ready_state() == 1 and _client.get_available_packet_count() == 0:
		_server.send_text("from an exported %s" % _server.get_class())
	if _client.get_available_packet_count() > 0:
		_end(_client.get_packet().get_string_from_utf8())


func _end(text: String) -> void:
	print("EXPORT CHECK: ", text)
	set_process(false)
	get_tree().quit()
