class_name GameSession
extends Node
## Everything that server and clients tell each other by RPC.
##
## This node only speaks: the methods without an underscore send, the signals say what has arrived,
## and what to do about it is decided by the server's [Referee] and by the client. All of it is
## reliable. The node has to be at the same path on both sides.

# On the server.
signal introduced(id: int, player_name: String)
signal readied(id: int)
signal said(id: int, text: String)
signal traffic_reported(id: int, rpcs: float, updates: float, round_trip: float)
signal wound_up(id: int)
signal leave_asked(id: int)
signal departure_confirmed(id: int)

# On a client.
signal roster_changed
signal phase_changed
signal chat_heard(number: int, speaker: int, text: String)
signal whisper_heard(sender: int, text: String)
signal round_trip_measured(seconds: float)
signal let_go

## A player's way through a round: everybody gets ready, plays, winds up, leaves.
enum Phase { LOBBY, PLAYING, WINDING_UP, OVER }

## Who is in, by peer id: dictionaries with "name", "hue" and "ready".
var roster: Dictionary = {}
var phase: Phase = Phase.LOBBY

var rpcs_sent: int = 0
var rpcs_received: int = 0
var whispers_answered: int = 0
## Whispers to somebody who left before answering.
var whispers_excused: int = 0

var _last_whisper: int = 0
## Who has yet to answer which whisper, by the whisper's number.
var _open_whispers: Dictionary = {}


func _ready() -> void:
	multiplayer.peer_disconnected.connect(_excuse_whispers)


## Forgets everything, for another connection.
func reset() -> void:
	roster = {}
	phase = Phase.LOBBY
	rpcs_sent = 0
	rpcs_received = 0
	whispers_answered = 0
	whispers_excused = 0
	_last_whisper = 0
	_open_whispers.clear()
	roster_changed.emit()
	phase_changed.emit()


func name_of(id: int) -> String:
	return roster[id].name if roster.has(id) else "Player %d" % id


func whispers_sent() -> int:
	return _last_whisper


func open_whispers() -> int:
	return _open_whispers.size()


#region Client to server

func introduce(player_name: String) -> void:
	rpcs_sent += 1
	_introduce.rpc_id(1, player_name)


func get_ready() -> void:
	rpcs_sent += 1
	_get_ready.rpc_id(1)


func say(text: String) -> void:
	rpcs_sent += 1
	_say.rpc_id(1, text)


## Measures a round trip; [signal round_trip_measured] answers. It includes waiting for the next
## frame on both sides, as every RPC of a game does.
func ping() -> void:
	rpcs_sent += 1
	_ping.rpc_id(1, Time.get_ticks_usec())


func report_traffic(rpcs: float, updates: float, round_trip: float) -> void:
	rpcs_sent += 1
	_report_traffic.rpc_id(1, rpcs, updates, round_trip)


## Tells the server that this player has nothing more to send in this round.
func wind_up() -> void:
	rpcs_sent += 1
	_wind_up.rpc_id(1)


## Asks to leave. The server answers with [signal let_go] behind everything that it has sent before.
func leave() -> void:
	rpcs_sent += 1
	_leave.rpc_id(1)


## Tells the server that everything up to [signal let_go] has arrived: it may close the connection.
func confirm_departure() -> void:
	rpcs_sent += 1
	_confirm_departure.rpc_id(1)


@rpc("any_peer", "reliable")
func _introduce(player_name: String) -> void:
	rpcs_received += 1
	introduced.emit(multiplayer.get_remote_sender_id(), player_name)


@rpc("any_peer", "reliable")
func _get_ready() -> void:
	rpcs_received += 1
	readied.emit(multiplayer.get_remote_sender_id())


@rpc("any_peer", "reliable")
func _say(text: String) -> void:
	rpcs_received += 1
	said.emit(multiplayer.get_remote_sender_id(), text)


@rpc("any_peer", "reliable")
func _ping(sent_at: int) -> void:
	rpcs_received += 1
	rpcs_sent += 1
	_pong.rpc_id(multiplayer.get_remote_sender_id(), sent_at)


@rpc("any_peer", "reliable")
func _report_traffic(rpcs: float, updates: float, round_trip: float) -> void:
	rpcs_received += 1
	traffic_reported.emit(multiplayer.get_remote_sender_id(), rpcs, updates, round_trip)


@rpc("any_peer", "reliable")
func _wind_up() -> void:
	rpcs_received += 1
	wound_up.emit(multiplayer.get_remote_sender_id())


@rpc("any_peer", "reliable")
func _leave() -> void:
	rpcs_received += 1
	leave_asked.emit(multiplayer.get_remote_sender_id())


@rpc("any_peer", "reliable")
func _confirm_departure() -> void:
	rpcs_received += 1
	departure_confirmed.emit(multiplayer.get_remote_sender_id())

#endregion
#region Server to clients

func publish_roster() -> void:
	rpcs_sent += 1
	_take_roster.rpc(roster)


func publish_phase(new_phase: Phase) -> void:
	phase = new_phase
	rpcs_sent += 1
	_take_phase.rpc(new_phase)


## Tells one newcomer how things stand.
func brief(id: int) -> void:
	rpcs_sent += 1
	_take_phase.rpc_id(id, phase)


func publish_chat(number: int, speaker: int, text: String) -> void:
	rpcs_sent += 1
	_hear.rpc(number, speaker, text)


func let_leave(id: int) -> void:
	rpcs_sent += 1
	_let_go.rpc_id(id)


@rpc("authority", "reliable")
func _take_roster(new_roster: Dictionary) -> void:
	rpcs_received += 1
	roster = new_roster
	roster_changed.emit()


@rpc("authority", "reliable")
func _take_phase(new_phase: Phase) -> void:
	rpcs_received += 1
	phase = new_phase
	phase_changed.emit()


@rpc("authority", "reliable")
func _hear(number: int, speaker: int, text: String) -> void:
	rpcs_received += 1
	chat_heard.emit(number, speaker, text)


@rpc("authority", "reliable")
func _pong(sent_at: int) -> void:
	rpcs_received += 1
	round_trip_measured.emit((Time.get_ticks_usec() - sent_at) / 1_000_000.0)


@rpc("authority", "reliable")
func _let_go() -> void:
	rpcs_received += 1
	let_go.emit()

#endregion
#region Client to client, through the server's relay

## Says something to one player only; the other's game answers each whisper.
func whisper(to: int, text: String) -> void:
	_last_whisper += 1
	_open_whispers[_last_whisper] = to
	rpcs_sent += 1
	_whisper.rpc_id(to, _last_whisper, text)


@rpc("any_peer", "reliable")
func _whisper(number: int, text: String) -> void:
	var sender: int = multiplayer.get_remote_sender_id()
	rpcs_received += 1
	rpcs_sent += 1
	_answer_whisper.rpc_id(sender, number)
	whisper_heard.emit(sender, text)


@rpc("any_peer", "reliable")
func _answer_whisper(number: int) -> void:
	rpcs_received += 1
	if _open_whispers.get(number, 0) == multiplayer.get_remote_sender_id():
		_open_whispers.erase(number)
		whispers_answered += 1


func _excuse_whispers(id: int) -> void:
	for number: int in _open_whispers.keys():
		if _open_whispers[number] == id:
			_open_whispers.erase(number)
			whispers_excused += 1

#endregion
