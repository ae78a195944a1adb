class_name Arena
extends Node2D
## The playing field, drawn in code.

const SIZE := Vector2(960, 640)
const RECT := Rect2(Vector2.ZERO, SIZE)

const _CELL: float = 40.0
const _FLOOR := Color("10142a")
const _LINE := Color(0.45, 0.55, 1.0, 0.075)
const _RIM := Color("5b7cfa")


## A place on a circle around the centre; different hues start at different places.
static func start_position(hue: float) -> Vector2:
	return SIZE / 2 + Vector2.from_angle(hue * TAU) * SIZE.y * 0.34


static func random_position() -> Vector2:
	return Vector2(randf_range(40, SIZE.x - 40), randf_range(40, SIZE.y - 40))


## Keeps a disc of [param radius] inside the walls.
static func confine(point: Vector2, radius: float) -> Vector2:
	return point.clamp(Vector2.ONE * radius, SIZE - Vector2.ONE * radius)


func _draw() -> void:
	draw_rect(RECT, _FLOOR)
	Glow.paint(self, SIZE / 2, SIZE.y * 0.5, Color(_RIM, 0.16))
	_draw_grid()
	_draw_marks()
	_draw_rim()


func _draw_grid() -> void:
	for x: float in range(_CELL, SIZE.x, _CELL):
		draw_line(Vector2(x, 0), Vector2(x, SIZE.y), _LINE, 1.0)
	for y: float in range(_CELL, SIZE.y, _CELL):
		draw_line(Vector2(0, y), Vector2(SIZE.x, y), _LINE, 1.0)


func _draw_marks() -> void:
	var faint := Color(_RIM, 0.16)
	draw_circle(SIZE / 2, SIZE.y * 0.34, faint, false, 2.0, true)
	draw_circle(SIZE / 2, SIZE.y * 0.10, faint, false, 2.0, true)
	draw_circle(SIZE / 2, 5.0, faint)


func _draw_rim() -> void:
	for step: int in range(10, 0, -1):
		var style := StyleBoxFlat.new()
		style.draw_center = false
		style.set_corner_radius_all(6 + step)
		style.set_border_width_all(2)
		style.border_color = Color(_RIM, 0.22 / step)
		draw_style_box(style, RECT.grow(step * 2.0))
	draw_rect(RECT, _RIM, false, 2.0)
