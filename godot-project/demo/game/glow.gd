class_name Glow
extends RefCounted
## A soft round light, made from a gradient.

static var _texture: GradientTexture2D


## Draws the light on [param canvas], which has to be drawing.
static func paint(canvas: CanvasItem, centre: Vector2, radius: float, colour: Color) -> void:
	if not _texture:
		_texture = _make_texture()
	canvas.draw_texture_rect(_texture, Rect2(centre - Vector2.ONE * radius, Vector2.ONE * radius * 2),
		false, colour)


static func _make_texture() -> GradientTexture2D:
	var gradient := Gradient.new()
	gradient.offsets = [0.0, 0.35, 1.0]
	gradient.colors = [Color.WHITE, Color(1, 1, 1, 0.35), Color(1, 1, 1, 0)]
	var texture := GradientTexture2D.new()
	texture.gradient = gradient
	texture.fill = GradientTexture2D.FILL_RADIAL
	texture.fill_from = Vector2(0.5, 0.5)
	texture.fill_to = Vector2(1.0, 0.5)
	texture.width = 128
	texture.height = 128
	return texture
