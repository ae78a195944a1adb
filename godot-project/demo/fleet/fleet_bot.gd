class_name FleetBot
extends FleetRoom
## A player of the fleet: connects to its room, plays, says a line a second, comes back when the
## connection is lost, and keeps a record of all that for [code]fleet_report.gd[/code].

const LINE_SECONDS: float = 1.0

## Whether it says anything: not any more shortly before the end.
var talks: bool = true
## Counts a line that it does not say: the check has to notice.
var is_mute: bool = false

var _url: String = ""
var _options: TLSOptions
var _reconnect := Reconnect.new()
var _player_name: String = ""
var _next_line: float = 0.0
var _played: float = 0.0
var _lost_at: float = 0.0
## From when to when it was in: pairs of Unix times, the last one open.
var _stays: Array[Array] = []
## Unix times by text.
var _said: Dictionary = {}
var _heard: Dictionary = {}
var _ends: PackedStringArray = []
var _longest_outage: float = 0.0
var _most_players: int = 0
var _rooms_seen: Dictionary = {}
## Who has passed on what this bot has said since it came in; empty if nothing.
var _server: String = ""


func start(url: String, player_name: String, options: TLSOptions) -> void:
	_url = url
	_player_name = player_name
	_options = options
	add_child(_reconnect)
	_reconnect.timeout.connect(func() -> void: change_peer(_new_peer()))
	line_heard.connect(_on_line_heard)
	lobby_seen.connect(_on_lobby_seen)
	open(_new_peer())
	multiplayer.connected_to_server.connect(_on_connected)
	multiplayer.connection_failed.connect(_on_lost.bind("no connection"))
	multiplayer.server_disconnected.connect(_on_lost.bind(""))
	game.session.roster_changed.connect(_on_roster_changed)


## Whether the server has let this player in.
func is_in() -> bool:
	return not _stays.is_empty() and _stays[-1].size() == 1


func lines_said() -> int:
	return _said.size()


func lines_heard() -> int:
	return _heard.size()


## The most players that the lobby has shown at once.
func most_players() -> int:
	return _most_players


func report() -> Dictionary:
	return { "name": _player_name, "room": str(_url.get_slice("/room/", 1)), "stays": _stays,
		"said": _said, "heard": _heard, "ends": _ends, "outage": _longest_outage, "is_in": is_in(),
		"server": _server, "most_players": _most_players, "rooms_seen": _rooms_seen.size() }


func leave() -> void:
	multiplayer.multiplayer_peer.close()


func _physics_process(delta: float) -> void:
	if not is_in():
		return
	var player: Player = game.my_player()
	if not player:
		return
	_played += delta
	player.steering = Vector2.from_angle(_played * 1.3 + player.hue * TAU)
	if talks and _played >= _next_line:
		_next_line = _played + LINE_SECONDS
		var text: String = "%s #%d" % [_player_name, _said.size() + 1]
		_said[text] = Time.get_unix_time_from_system()
		if not is_mute or _said.size() != 3:
			game.session.say(text)


func _new_peer() -> MultiplayerPeer:
	var peer: MultiplayerPeer = DemoTransport.create("rust")
	var error: Error = peer.call(&"create_client", _url, _options)
	if error != OK:
		printerr("%s: %s" % [_player_name, error_string(error)])
	return peer


func _on_connected() -> void:
	game.session.introduce(_player_name)
	game.session.get_ready()


func _on_roster_changed() -> void:
	var now: float = Time.get_unix_time_from_system()
	if is_in() or not game.session.roster.has(multiplayer.get_unique_id()):
		return
	_reconnect.note_opened()
	_stays.append([now])
	if _lost_at > 0.0:
		_longest_outage = maxf(_longest_outage, now - _lost_at)
		print("%s is back after %.1f s" % [_player_name, now - _lost_at])
	_lost_at = 0.0


func _on_lost(otherwise: String) -> void:
	var peer: RustWebSocketMultiplayerPeer = multiplayer.multiplayer_peer
	var now: float = Time.get_unix_time_from_system()
	if is_in():
		_stays[-1].append(now)
		_server = ""
	if _lost_at == 0.0:
		_lost_at = now
	_ends.append(str(peer.get_close_code()) if otherwise.is_empty() else otherwise)
	var delay: float = _reconnect.wait(peer.get_error_message())
	if delay == 0.0 or (otherwise.is_empty() and DemoTransport.has_ended_for_good(peer)):
		printerr("%s gives up: %s" % [_player_name, peer.get_error_message()])
		_reconnect.stop()
	game.session.reset()
	change_peer(null)


func _on_line_heard(line: Dictionary) -> void:
	var text: String = line.text
	if _heard.has(text):
		printerr("%s has heard '%s' twice" % [_player_name, text])
	_heard[text] = Time.get_unix_time_from_system()
	if line.by == _player_name:
		_server = line.server


func _on_lobby_seen(players: Dictionary) -> void:
	var sum: int = 0
	for title: String in players:
		sum += int(players[title])
		_rooms_seen[title] = true
	_most_players = maxi(_most_players, sum)
