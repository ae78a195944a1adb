class_name PlayerSkin
extends Node2D
## How a [Player] looks: trail, light, disc, name. Does not exist where nothing is shown.

const _TRAIL_POINTS: int = 30
const _PULSE_SECONDS: float = 0.8

var _trail: PackedVector2Array = []
var _pulse_age: float = INF

@onready var _player: Player = get_parent()


func start_pulse() -> void:
	_pulse_age = 0.0


func _process(delta: float) -> void:
	_pulse_age += delta
	_trail.append(_player.position)
	if _trail.size() > _TRAIL_POINTS:
		_trail.remove_at(0)
	queue_redraw()


func _draw() -> void:
	var colour := Color.from_hsv(_player.hue, 0.62, 1.0)
	_draw_trail(colour)
	_draw_pulse(colour)
	Glow.paint(self, Vector2.ZERO, Player.RADIUS * 3.6, Color(colour, 0.5))
	draw_circle(Vector2.ZERO, Player.RADIUS, colour.darkened(0.62), true, -1.0, true)
	draw_circle(Vector2.ZERO, Player.RADIUS - 1.5, colour, false, 3.0, true)
	_draw_heading(colour)
	if _player.owner_sync.is_multiplayer_authority():
		draw_circle(Vector2.ZERO, Player.RADIUS + 6.0, Color(1, 1, 1, 0.75), false, 1.5, true)
	_draw_texts(colour)


## A ribbon that narrows and fades towards its old end.
func _draw_trail(colour: Color) -> void:
	for index: int in range(1, _trail.size() - 1):
		var old_side: Vector2 = _trail_side(index - 1)
		var new_side: Vector2 = _trail_side(index)
		var from: Vector2 = _trail[index - 1] - _player.position
		var to: Vector2 = _trail[index] - _player.position
		var old_colour := Color(colour, _trail_strength(index - 1))
		var new_colour := Color(colour, _trail_strength(index))
		draw_primitive(
				[from + old_side, to + new_side, to - new_side, from - old_side],
				[old_colour, new_colour, new_colour, old_colour], [])


func _trail_side(index: int) -> Vector2:
	var along: Vector2 = _trail[index + 1] - _trail[index]
	return along.normalized().orthogonal() * Player.RADIUS * 0.8 * index / _TRAIL_POINTS


func _trail_strength(index: int) -> float:
	return 0.5 * pow(float(index) / _TRAIL_POINTS, 2.0)


func _draw_pulse(colour: Color) -> void:
	if _pulse_age < _PULSE_SECONDS:
		var part: float = _pulse_age / _PULSE_SECONDS
		var radius: float = Player.RADIUS + 70.0 * ease(part, 0.4)
		draw_circle(Vector2.ZERO, radius, Color(colour, 1.0 - part), false, 3.0, true)


func _draw_heading(colour: Color) -> void:
	if _player.velocity.length() > 12.0:
		var ahead: Vector2 = _player.velocity.normalized()
		var tip: Vector2 = ahead * (Player.RADIUS + 9.0)
		var side: Vector2 = ahead.orthogonal() * 6.0
		var base: Vector2 = ahead * (Player.RADIUS + 1.0)
		draw_colored_polygon([tip, base + side, base - side], colour)
		draw_polyline([base + side, tip, base - side], colour, 1.0, true)


func _draw_texts(colour: Color) -> void:
	var font: Font = ThemeDB.fallback_font
	var width: float = 160.0
	draw_string(font, Vector2(-width / 2, 5.5), str(_player.score), HORIZONTAL_ALIGNMENT_CENTER, width,
		15, Color.WHITE)
	var place := Vector2(-width / 2, -Player.RADIUS - 13.0)
	draw_string_outline(font, place, _player.player_name, HORIZONTAL_ALIGNMENT_CENTER, width, 14, 5,
		Color(0, 0, 0, 0.6))
	draw_string(font, place, _player.player_name, HORIZONTAL_ALIGNMENT_CENTER, width, 14,
		colour.lightened(0.45))
