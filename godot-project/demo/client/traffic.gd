class_name Traffic
extends Node
## Counts what this client sends and receives, and tells the server once a second.

const PING_SECONDS: float = 0.5

@export var game: Game

## Motion updates received, by the peer id of the player.
var updates: Dictionary = {}
## Updates of scores and sparks received.
var deltas: int = 0
var spawned: PackedInt32Array = []
var despawned: PackedInt32Array = []
var round_trips: PackedFloat64Array = []
## Updates of any kind received in the last second.
var recent_updates: int = 0

var _joined_at: int = 0
var _updates_total: int = 0
var _reported_at: int = 0
var _reported_rpcs: int = 0
var _reported_updates: int = 0


func _ready() -> void:
	game.spawner.spawned.connect(_on_spawned)
	game.spawner.despawned.connect(func(player: Player) -> void: despawned.append(player.id))
	game.sparks.server_sync.delta_synchronized.connect(_count_delta)
	game.session.round_trip_measured.connect(func(seconds: float) -> void: round_trips.append(seconds))
	_add_timer(PING_SECONDS, _ping)
	_add_timer(1.0, _report)
	multiplayer.connected_to_server.connect(_start)


## Begins anew, for another connection.
func reset() -> void:
	updates.clear()
	deltas = 0
	spawned.clear()
	despawned.clear()
	round_trips.clear()
	recent_updates = 0


## The server has let this client in.
func is_in_session() -> bool:
	return game.session.roster.has(multiplayer.get_unique_id())


func seconds() -> float:
	return (Time.get_ticks_usec() - _joined_at) / 1_000_000.0


## The mean round trip in seconds since the start, or over the last [param count] pings.
func round_trip(count: int = 0) -> float:
	var chosen: PackedFloat64Array = round_trips.slice(-count) if count else round_trips
	var sum: float = 0.0
	for value: float in chosen:
		sum += value
	return sum / chosen.size() if chosen else 0.0


func longest_round_trip() -> float:
	return Array(round_trips).max() if round_trips else 0.0


func report() -> Dictionary:
	return {
		"seconds": seconds(),
		"rpcs_sent": game.session.rpcs_sent,
		"rpcs_received": game.session.rpcs_received,
		"updates": _by_text(updates),
		"deltas": deltas,
		"spawned": Array(spawned).map(str),
		"despawned": Array(despawned).map(str),
		"round_trip": round_trip(),
		"longest_round_trip": longest_round_trip(),
	}


func _start() -> void:
	_joined_at = Time.get_ticks_usec()
	_reported_at = _joined_at
	_reported_rpcs = game.session.rpcs_sent + game.session.rpcs_received
	_reported_updates = _updates_total


func _on_spawned(player: Player) -> void:
	spawned.append(player.id)
	updates[player.id] = 0
	player.owner_sync.synchronized.connect(_count_update.bind(player.id))
	player.server_sync.delta_synchronized.connect(_count_delta)


func _count_update(id: int) -> void:
	updates[id] += 1
	_updates_total += 1


func _count_delta() -> void:
	deltas += 1
	_updates_total += 1


func _add_timer(interval: float, action: Callable) -> void:
	var timer := Timer.new()
	timer.timeout.connect(func() -> void:
		if is_in_session():
			action.call())
	timer.autostart = true
	timer.wait_time = interval
	add_child(timer)


## JSON has text keys only.
func _by_text(counts: Dictionary) -> Dictionary:
	var result: Dictionary = {}
	for id: int in counts:
		result[str(id)] = counts[id]
	return result


func _ping() -> void:
	game.session.ping()


func _report() -> void:
	var now: int = Time.get_ticks_usec()
	var elapsed: float = (now - _reported_at) / 1_000_000.0
	var rpcs: int = game.session.rpcs_sent + game.session.rpcs_received
	recent_updates = roundi((_updates_total - _reported_updates) / elapsed)
	game.session.report_traffic((rpcs - _reported_rpcs) / elapsed, recent_updates, round_trip(4))
	_reported_at = now
	_reported_rpcs = rpcs
	_reported_updates = _updates_total
