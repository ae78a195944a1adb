class_name StatusLine
extends Node
## Prints one line a second with what the clients have measured in their last second.

@export var game: Game

var _seconds: int = 0
## The last report of each client: [rpcs, updates, round trip].
var _reports: Dictionary = {}


func start() -> void:
	game.session.traffic_reported.connect(_on_traffic_reported)
	multiplayer.peer_disconnected.connect(func(id: int) -> void: _reports.erase(id))
	var timer := Timer.new()
	timer.timeout.connect(_print_line)
	add_child(timer)
	timer.start(1.0)


func _on_traffic_reported(id: int, rpcs: float, updates: float, round_trip: float) -> void:
	_reports[id] = [rpcs, updates, round_trip]


func _print_line() -> void:
	_seconds += 1
	if multiplayer.get_peers().is_empty():
		return
	var rpcs: float = 0.0
	var updates: float = 0.0
	var round_trips: float = 0.0
	for report: Array in _reports.values():
		rpcs += report[0]
		updates += report[1]
		round_trips += report[2]
	var round_trip: float = round_trips / maxi(_reports.size(), 1)
	print("server: %3d s | %2d in, %2d playing | %5d RPCs/s | %5d sync updates/s | round trip %5.1f ms"
		% [
		_seconds, game.session.roster.size(), game.players().size(), roundi(rpcs), roundi(updates),
		round_trip * 1000,
	])
