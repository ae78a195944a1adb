extends SceneTree
## A server that decides on requests, for the clients of other implementations (ci/peers): it serves
## a page, answers, refuses with a status and with a close code, at once and later.
##
##   godot --headless --path godot-project -s res://tests/peers/requests.gd -- page=FILE
##
## Prints `LISTENING port`, and the messages of whoever has connected to /report; runs until it is
## ended from outside.

const LATER := 1.0

var _server := RustWebSocketServer.new()
var _page := PackedByteArray()
var _peers: Array[RustWebSocketPeer] = []


func _initialize() -> void:
	for argument in OS.get_cmdline_user_args():
		if argument.begins_with("page="):
			_page = FileAccess.get_file_as_bytes(argument.trim_prefix("page="))
	_server.supported_protocols = ["chat.v1"]
	_server.request_callback = _answer
	_server.listen(0, "127.0.0.1")
	print("LISTENING %d" % _server.get_local_port())


func _process(_delta: float) -> bool:
	_server.poll()
	while _server.is_connection_available():
		_peers.append(_server.take_connection())
	for peer in _server.get_active_connections():
		peer.poll()
		while peer.get_available_packet_count() > 0:
			var text := peer.get_packet().get_string_from_utf8()
			if peer.get_request().get_path() == "/report":
				print(text)
			else:
				peer.send_text("%s said %s" % [peer.get_request().get_meta("name", "nobody"), text])
	_peers = _peers.filter(func(peer: RustWebSocketPeer) -> bool:
		return peer.get_ready_state() != RustWebSocketPeer.STATE_CLOSED)
	return false


func _answer(request: RustWebSocketRequest) -> void:
	var path := request.get_path()
	if path == "/":
		request.respond_raw(200, _page, ["Content-Type: text/html; charset=utf-8"])
	elif path == "/health":
		request.respond(200, "ok")
	elif path == "/status":
		request.respond(401, "who are you?", ["WWW-Authenticate: Bearer"])
	elif path == "/code":
		request.refuse(4001, "no ticket")
	elif path == "/full":
		request.refuse()
	elif path == "/later":
		await create_timer(LATER).timeout
		request.set_meta("name", request.get_query_parameters().get("name", ""))
		request.accept("chat.v2", ["X-Later: yes"])
	elif path == "/report":
		request.accept(request.get_protocols()[0] if request.get_protocols() else "")
	else:
		request.respond(404)
