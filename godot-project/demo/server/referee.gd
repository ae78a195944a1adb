class_name Referee
extends Node
## The rules, on the server: who is in, when the round starts, who scores, when it is over.

signal finished

const NAME_LENGTH: int = 16
const CHAT_LENGTH: int = 200
## Neighbouring hues are this far apart, so that any number of players look different.
const GOLDEN_RATIO: float = 0.618034
## How long a newcomer that the round has waited for gets to play.
const LATECOMER_SECONDS: float = 3.0
const EXTRA_SECONDS: float = 30.0
const WINDING_UP_SECONDS: float = 15.0
const OVER_SECONDS: float = 30.0
## How long one who has been let go may take to confirm it.
const DEPARTURE_SECONDS: float = 2.0
const SAVE_SECONDS: float = 0.5

@export var game: Game

var ledger := Ledger.new()

var _players_to_start: int = 1
var _seconds: float = 0.0
var _saved := SavedRound.new()
var _last_save: float = 0.0
var _joins: int = 0
var _phase_age: float = 0.0
var _half_time_called: bool = false
var _joined: int = 0
var _last_join: float = 0.0
var _chat_lines: int = 0
var _wound_up: Dictionary = {}
## Those who have asked to leave and wait for their turn.
var _leaving: Array[int] = []
## Who has been let go and is still connected, or 0.
var _departing: int = 0
var _departure_age: float = 0.0
var _departure_confirmed: bool = false

@onready var _session: GameSession = game.session


func start(players_to_start: int, seconds: float, joins: int, saved: SavedRound) -> void:
	_players_to_start = players_to_start
	_seconds = seconds
	_joins = joins
	_saved = saved
	game.sparks.scatter()
	multiplayer.peer_connected.connect(_on_peer_connected)
	multiplayer.peer_disconnected.connect(_on_peer_disconnected)
	_session.introduced.connect(_on_introduced)
	_session.readied.connect(_on_readied)
	_session.said.connect(_on_said)
	_session.wound_up.connect(_on_wound_up)
	_session.leave_asked.connect(_on_leave_asked)
	_session.departure_confirmed.connect(_on_departure_confirmed)
	if _saved.is_under_way():
		_go_on()


func _process(delta: float) -> void:
	_phase_age += delta
	_departure_age += delta
	match _session.phase:
		GameSession.Phase.PLAYING:
			_play()
		GameSession.Phase.WINDING_UP:
			if _phase_age > WINDING_UP_SECONDS or _wound_up.has_all(_session.roster.keys()):
				_enter(GameSession.Phase.OVER)
		GameSession.Phase.OVER:
			if _phase_age > OVER_SECONDS or multiplayer.get_peers().is_empty():
				set_process(false)
				finished.emit()
	_let_next_leave()
	_see_off()


## The server was restarted. Those who come back play at once.
func _go_on() -> void:
	print("server: the round goes on at %.1f s, with the scores of %d players"
		% [_saved.seconds, _saved.size()])
	_session.publish_phase(GameSession.Phase.PLAYING)
	_phase_age = _saved.seconds
	_last_save = _phase_age
	_half_time_called = _phase_age >= _seconds / 2


func _play() -> void:
	for player: Player in game.players():
		game.sparks.collect(player)
	if _phase_age - _last_save >= SAVE_SECONDS:
		_save()
	if _seconds <= 0.0:
		return
	if not _half_time_called and _phase_age >= _seconds / 2:
		_half_time_called = true
		_save()
		print("server: half-time")
	var awaited: bool = _joined < _joins or _phase_age < _last_join + LATECOMER_SECONDS
	if _phase_age >= _seconds + (EXTRA_SECONDS if awaited else 0.0):
		_enter(GameSession.Phase.WINDING_UP)


func _save() -> void:
	_last_save = _phase_age
	_saved.save(_phase_age, game.players())


func _enter(phase: GameSession.Phase) -> void:
	_phase_age = 0.0
	_session.publish_phase(phase)
	print("server: %s" % ["lobby", "the round starts", "the round ends", "everybody may leave"][phase])


func _on_peer_connected(id: int) -> void:
	ledger.note(id, "connected")
	_session.brief(id)


func _on_introduced(id: int, player_name: String) -> void:
	if _session.roster.has(id):
		return
	var title: String = player_name.strip_edges().left(NAME_LENGTH)
	var hue: float = fposmod(0.55 + ledger.count("introduced") * GOLDEN_RATIO, 1.0)
	hue = _saved.hue_of(title, hue)
	_session.roster[id] = { "name": title if title else "Player %d" % id, "hue": hue, "ready": false }
	ledger.name_peer(id, _session.name_of(id))
	ledger.note(id, "introduced")
	print("server: %s joined" % _session.name_of(id))
	_session.publish_roster()


func _on_readied(id: int) -> void:
	if not _session.roster.has(id) or _session.roster[id].ready:
		return
	_session.roster[id].ready = true
	ledger.note(id, "ready")
	_session.publish_roster()
	if _session.phase == GameSession.Phase.PLAYING:
		_let_play(id)
	elif _session.phase == GameSession.Phase.LOBBY and _everybody_is_ready():
		_enter(GameSession.Phase.PLAYING)
		for waiting: int in _session.roster:
			_let_play(waiting)


func _everybody_is_ready() -> bool:
	var entries: Array = _session.roster.values()
	return entries.size() >= _players_to_start and entries.all(func(entry: Dictionary) -> bool:
		return entry.ready)


func _let_play(id: int) -> void:
	var entry: Dictionary = _session.roster[id]
	ledger.note(id, "spawned")
	game.add_player(id, entry.name, entry.hue, _saved.score_of(entry.name))
	_joined += 1
	_last_join = _phase_age


func _on_said(id: int, text: String) -> void:
	if not _session.roster.has(id) or text.strip_edges().is_empty():
		return
	_chat_lines += 1
	ledger.note_chat(_chat_lines, id, multiplayer.get_peers())
	_session.publish_chat(_chat_lines, id, text.left(CHAT_LENGTH))


func _on_wound_up(id: int) -> void:
	_wound_up[id] = true


func _on_leave_asked(id: int) -> void:
	if _session.roster.has(id) and not _leaving.has(id):
		_leaving.append(id)


## Lets one go at a time. The engine tells all others about each departure, and the built-in class
## prints an error for each of them whose connection is just closing.
func _let_next_leave() -> void:
	if _departing or _leaving.is_empty():
		return
	_departing = _leaving.pop_front()
	_departure_age = 0.0
	_departure_confirmed = false
	print("server: %s leaves" % _session.name_of(_departing))
	_take_out(_departing)
	_session.let_leave(_departing)
	ledger.note(_departing, "let_go")
	if _session.phase == GameSession.Phase.PLAYING:
		ledger.note(_departing, "left_early")


func _on_departure_confirmed(id: int) -> void:
	if id == _departing:
		_departure_confirmed = true


## Closes the connection of one who has got everything that was sent to it. It is the frame's last
## act, so that nothing more is sent there before the next poll takes the peer out.
func _see_off() -> void:
	if _departing and (_departure_confirmed or _departure_age > DEPARTURE_SECONDS):
		multiplayer.multiplayer_peer.disconnect_peer(_departing)
		_departing = 0


func _on_peer_disconnected(id: int) -> void:
	if _session.roster.has(id):
		print("server: %s is gone" % _session.name_of(id))
		_take_out(id)
	_leaving.erase(id)
	if id == _departing: # It did not wait to be seen off.
		_departing = 0
	ledger.note(id, "disconnected")


func _take_out(id: int) -> void:
	if game.player_of(id):
		game.remove_player(id)
		ledger.note(id, "despawned")
	_session.roster.erase(id)
	_session.publish_roster()
