extends Node
## One of several arena servers behind a proxy: a room for each path [code]/room/NAME[/code],
## opened when its first player comes. What is said in a room goes through NATS to all rooms of all
## servers, and so does the lobby, who is where. SIGTERM drains it. See
## [code]ci/demo-fleet.sh[/code].
##
## [codeblock]
## godot --headless --path godot-project -s res://demo/fleet/main.gd -- server [options]
##   --name=NAME       what it is called in the lobby
##   --port=N          where the proxy finds it, on 127.0.0.1 and with a PROXY header
##   --nats=URL        the NATS server; --ca=FILE: whom to trust, for wss://
##   --grace=SECONDS   how long players may stay when it drains (2)
## [/codeblock]
## The password for NATS is in the environment: NATS_GAME_PASSWORD.

const MAX_ROOMS: int = 64
const FRAMES_PER_SECOND: int = 60
const NATS_AGAIN_SECONDS: float = 0.5

var _server := RustWebSocketServer.new()
var _nats := NatsClient.new()
var _lifecycle := RustWebSocketServerLifecycle.new()
var _options := DemoOptions.new()
var _name: String = ""
var _room_name := RegEx.create_from_string("^/room/([a-z]{1,16})$")
## By name.
var _rooms: Dictionary = {}
## What each server has said of its rooms last: by server, players by room.
var _lobby: Dictionary = {}


func _ready() -> void:
	Engine.max_fps = FRAMES_PER_SECOND
	_name = _options.text("name", "arena")
	_server.proxy_protocol = true
	_server.trusted_proxies = ["loopback"]
	_server.request_callback = _answer
	var port: int = int(_options.number("port", 9081))
	var error: Error = _server.listen(port, "127.0.0.1")
	if error != OK:
		printerr("%s: cannot listen on port %d: %s" % [_name, port, error_string(error)])
		get_tree().quit(1)
		return
	_lifecycle.grace_period = _options.number("grace", 2.0)
	_lifecycle.close_reason = "%s restarts" % _name
	_lifecycle.drain_started.connect(func() -> void: print("%s: draining" % _name))
	_lifecycle.drained.connect(_end)
	add_child(_lifecycle)
	_lifecycle.add_server(_server)
	_connect_to_nats()
	_add_timer(0.5, _publish_lobby)
	print("%s: listening on port %d" % [_name, port])


func _process(_delta: float) -> void:
	_server.poll()


func _answer(request: RustWebSocketRequest) -> void:
	var found: RegExMatch = _room_name.search(request.get_path())
	var title: String = found.get_string(1) if found else ""
	if request.is_websocket() and title and (_rooms.has(title) or _rooms.size() < MAX_ROOMS):
		if not _rooms.has(title):
			_open_room(title)
		request.accept()
	elif request.get_path() == "/health":
		# Without NATS nobody here would hear the others.
		request.respond(200 if _nats.is_open() and not _lifecycle.is_draining() else 503)
	else:
		request.respond(404)


func _open_room(title: String) -> void:
	var peer := RustWebSocketMultiplayerPeer.new()
	peer.unreliable_lifetime = 250
	if peer.create_server_from(_server, "/room/" + title) != OK:
		printerr("%s: %s" % [_name, peer.get_error_message()])
		return
	_lifecycle.add_server(peer)
	var room := FleetRoom.new()
	room.name = title
	add_child(room)
	room.open(peer)
	var referee := Referee.new()
	referee.game = room.game
	room.add_child(referee)
	referee.start(1, 0.0, 0, SavedRound.new())
	room.game.session.said.connect(_on_said.bind(title))
	_rooms[title] = room
	print("%s: opened room %s" % [_name, title])


func _on_said(id: int, text: String, title: String) -> void:
	var session: GameSession = _rooms[title].game.session
	var line: Dictionary = {
		"server": _name, "room": title, "by": session.name_of(id), "text": text }
	if _nats.publish("arena.chat", JSON.stringify(line).to_utf8_buffer()) != OK:
		printerr("%s: '%s' was not passed on: %s" % [_name, text, _nats.error_message])


#region What crosses servers

func _connect_to_nats() -> void:
	add_child(_nats)
	_nats.subscribe("arena.chat", _on_line)
	_nats.subscribe("arena.lobby", _on_lobby)
	_nats.opened.connect(func() -> void: print("%s: speaks with NATS" % _name))
	_nats.closed.connect(func(reason: String) -> void:
		printerr("%s: NATS: %s" % [_name, reason])
		get_tree().create_timer(NATS_AGAIN_SECONDS).timeout.connect(_open_nats))
	_open_nats()


func _open_nats() -> void:
	var trusted := X509Certificate.new()
	trusted.load(_options.text("ca", ""))
	var password: String = OS.get_environment("NATS_GAME_PASSWORD")
	_nats.connect_to_url(_options.text("nats", ""),
		{ "user": "game", "pass": password, "name": _name }, TLSOptions.client(trusted))


func _on_line(message: Dictionary) -> void:
	var line: Variant = JSON.parse_string(message.payload.get_string_from_utf8())
	if line is Dictionary:
		for room: FleetRoom in _rooms.values():
			room.tell_line(line)


func _publish_lobby() -> void:
	var players: Dictionary = {}
	for title: String in _rooms:
		players[title] = _rooms[title].game.players().size()
	if _nats.is_open():
		_nats.publish("arena.lobby",
			JSON.stringify({ "server": _name, "rooms": players }).to_utf8_buffer())


func _on_lobby(message: Dictionary) -> void:
	var news: Variant = JSON.parse_string(message.payload.get_string_from_utf8())
	if not news is Dictionary or not news.has_all(["server", "rooms"]):
		return
	_lobby[news.server] = { "rooms": news.rooms, "at": Time.get_ticks_msec() }
	if news.server != _name:
		return
	var players: Dictionary = {}
	for server: String in _lobby:
		# Who says nothing for three seconds is gone.
		if Time.get_ticks_msec() - _lobby[server].at < 3000:
			for title: String in _lobby[server].rooms:
				players[title] = players.get(title, 0) + int(_lobby[server].rooms[title])
	for room: FleetRoom in _rooms.values():
		room.tell_lobby(players)

#endregion

func _end() -> void:
	_nats.close()
	print("%s: end" % _name)


func _add_timer(seconds: float, action: Callable) -> void:
	var timer := Timer.new()
	timer.timeout.connect(action)
	timer.autostart = true
	timer.wait_time = seconds
	add_child(timer)
