class_name Sparks
extends Node2D
## What there is to collect. The server moves a spark that somebody has touched; its synchronizer
## tells the clients, only when something has changed.

const COUNT: int = 6
const RADIUS: float = 11.0

const _COLOUR := Color("ffd166")

## Replicated by the server.
var places: PackedVector2Array = []

@onready var server_sync: MultiplayerSynchronizer = $ServerSync


func _process(_delta: float) -> void:
	queue_redraw()


## On the server: puts all sparks into the arena.
func scatter() -> void:
	var fresh: PackedVector2Array = []
	for _index: int in COUNT:
		fresh.append(Arena.random_position())
	places = fresh


## On the server: moves the sparks that [param player] touches and counts them.
func collect(player: Player) -> void:
	for index: int in places.size():
		if player.position.distance_to(places[index]) < RADIUS + Player.RADIUS:
			player.score += 1
			# A new array: a change inside the old one is not noticed.
			var moved: PackedVector2Array = places.duplicate()
			moved[index] = Arena.random_position()
			places = moved


func _draw() -> void:
	var time: float = Time.get_ticks_msec() / 1000.0
	for index: int in places.size():
		var beat: float = 1.0 + 0.12 * sin(time * 4.0 + index * 1.7)
		Glow.paint(self, places[index], RADIUS * 4.2 * beat, Color(_COLOUR, 0.55))
		var star: PackedVector2Array = _star(places[index], RADIUS * beat, time * 0.8 + index)
		draw_colored_polygon(star, _COLOUR)
		draw_polyline(star + star.slice(0, 1), _COLOUR, 1.0, true)
		draw_circle(places[index], RADIUS * 0.3, Color.WHITE, true, -1.0, true)


func _star(centre: Vector2, radius: float, angle: float) -> PackedVector2Array:
	var points: PackedVector2Array = []
	for corner: int in 8:
		var reach: float = radius if corner % 2 == 0 else radius * 0.45
		points.append(centre + Vector2.from_angle(angle + corner * TAU / 8) * reach)
	return points
