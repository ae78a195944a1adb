class_name Bot
extends Node
## Plays by itself: gets ready, runs after sparks, chats, whispers, and leaves in good order.

const CHAT_SECONDS: float = 2.0
const WHISPER_SECONDS: float = 0.5
## Before it leaves, a bot wants so many updates of everybody else's motion.
const UPDATES_WANTED: int = 5
const PATIENCE: float = 10.0

const LINES: Array[String] = [
	"Catch me if you can!",
	"That spark was mine",
	"Over here",
	"gg",
	"So close...",
	"Three in a row!",
	"Who is winning?",
	"Nice one",
	"I see you",
	"Round and round we go",
]
const WHISPERS: Array[String] = ["psst", "watch your back", "the left one is mine", "truce?",
	"nice colour"]

## Leaves after so many seconds of play; 0 stays until the round is over.
var leave_after: float = 0.0
## Counts chat lines that it does not send, to see that the check of a run notices.
var is_mute: bool = false

var chat_sent: int = 0
var chat_heard: PackedInt32Array = []
var whispers_heard: int = 0
var ready_seen: Dictionary = {}

var _game: Game
var _session: GameSession
var _traffic: Traffic
var _leave: Callable
var _played: float = 0.0
var _last_score: int = 0
## The spark that it runs after, until somebody has it.
var _goal := Vector2.ZERO
var _next_chat: float = 0.0
var _next_whisper: float = 0.0
var _own_lines_heard: int = 0
var _has_wound_up: bool = false
var _has_left: bool = false
var _waited: float = 0.0


func _init(game: Game, traffic: Traffic, leave: Callable) -> void:
	_game = game
	_session = game.session
	_traffic = traffic
	_leave = leave


func _ready() -> void:
	_session.roster_changed.connect(_on_roster_changed)
	_session.chat_heard.connect(_on_chat_heard)
	_session.whisper_heard.connect(func(_sender: int, _text: String) -> void: whispers_heard += 1)
	multiplayer.connected_to_server.connect(_get_ready_soon)


func report() -> Dictionary:
	return {
		"chat_sent": chat_sent,
		"chat_heard": chat_heard,
		"whispers_sent": _session.whispers_sent(),
		"whispers_answered": _session.whispers_answered,
		"whispers_excused": _session.whispers_excused,
		"whispers_heard": whispers_heard,
		"ready_seen": ready_seen.keys(),
	}


func _physics_process(delta: float) -> void:
	var player: Player = _game.my_player()
	if _has_left:
		return
	if not player:
		if _session.phase > GameSession.Phase.PLAYING:
			_go()
		return
	_played += delta
	match _session.phase:
		GameSession.Phase.PLAYING when leave_after > 0.0 and _played >= leave_after:
			player.steering = Vector2.ZERO
			if _is_content(delta):
				_go()
		GameSession.Phase.PLAYING:
			_steer(player)
			_talk()
		GameSession.Phase.WINDING_UP:
			player.steering = Vector2.ZERO
			if not _has_wound_up and _is_content(delta):
				_has_wound_up = true
				_session.wind_up()
		GameSession.Phase.OVER:
			_go()


func _go() -> void:
	_has_left = true
	_leave.call()


## Nothing of ours is unanswered, and everybody who plays has been seen moving.
func _is_content(delta: float) -> bool:
	_waited += delta
	if _waited > PATIENCE:
		return true
	for player: Player in _game.players():
		if player != _game.my_player() and _traffic.updates[player.id] < UPDATES_WANTED:
			return false
	return _session.open_whispers() == 0 and _own_lines_heard == chat_sent


func _get_ready_soon() -> void:
	get_tree().create_timer(randf_range(0.2, 1.0)).timeout.connect(_get_ready)


## Nobody is called when the connection, and the bot with it, is gone by then.
func _get_ready() -> void:
	_session.get_ready()


func _steer(player: Player) -> void:
	if not _game.sparks.places.has(_goal) and _game.sparks.places:
		_goal = Array(_game.sparks.places).pick_random()
	var wander := Vector2.from_angle(_played * 1.7 + player.hue * TAU) * 0.5
	player.steering = player.position.direction_to(_goal) + wander
	if player.score != _last_score:
		_last_score = player.score
		player.pulse()


func _talk() -> void:
	if _played >= _next_chat:
		_next_chat = _played + CHAT_SECONDS
		chat_sent += 1
		if not is_mute:
			_session.say(LINES.pick_random())
	if _played >= _next_whisper:
		_next_whisper = _played + WHISPER_SECONDS
		var others: Array = _session.roster.keys()
		others.erase(multiplayer.get_unique_id())
		others = others.filter(func(id: int) -> bool: return multiplayer.get_peers().has(id))
		if others:
			_session.whisper(others.pick_random(), WHISPERS.pick_random())


func _on_roster_changed() -> void:
	for id: int in _session.roster:
		if _session.roster[id].ready:
			ready_seen[str(id)] = true


func _on_chat_heard(number: int, speaker: int, _text: String) -> void:
	chat_heard.append(number)
	if speaker == multiplayer.get_unique_id():
		_own_lines_heard += 1

