class_name Crowd
extends Node
## Many fireflies whose places the server tells everybody 60 times a second, 60 KiB a second in all:
## too much for a slow link. Only where a run asks for it (the server's [code]--crowd[/code]).
##
## Each state says when it was made, so that a client on the same machine knows how old what it sees
## is.

const FIREFLIES: int = 120

## Replicated by the server: microseconds of the system's clock.
var made_at: int = 0
## Replicated by the server: where they are.
var places: PackedVector2Array = []

## At a client: the ages of the states, in seconds, in the order in which they came.
var ages: PackedFloat64Array = []

var _session: GameSession

@onready var _sync: MultiplayerSynchronizer = $ServerSync


func _ready() -> void:
	set_process(false)
	_sync.synchronized.connect(func() -> void: ages.append((_now() - made_at) / 1e6))


## On the server: shows itself while [param session] plays.
func follow(session: GameSession) -> void:
	places.resize(FIREFLIES)
	_session = session
	set_process(true)


func report() -> Dictionary:
	var sorted: PackedFloat64Array = ages.duplicate()
	sorted.sort()
	return {
		"states": ages.size(),
		"age": sorted[sorted.size() * 95 / 100] if sorted else 0.0,
	}


func _process(_delta: float) -> void:
	_sync.public_visibility = _session.phase == GameSession.Phase.PLAYING
	made_at = _now()
	for index: int in places.size():
		places[index] = Vector2.from_angle(made_at / 1e6 + index) * Arena.SIZE.y / 2


func _now() -> int:
	return int(Time.get_unix_time_from_system() * 1e6)
