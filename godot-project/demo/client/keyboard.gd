class_name Keyboard
extends Node
## Steers this client's player: arrow keys or WASD, space for a pulse.

var _game: Game


func _init(game: Game) -> void:
	_game = game


func _physics_process(_delta: float) -> void:
	var player: Player = _game.my_player()
	if player:
		player.steering = Vector2.ZERO if _is_typing() else _direction()


func _unhandled_key_input(event: InputEvent) -> void:
	var key := event as InputEventKey
	if key.pressed and not key.echo and key.keycode == KEY_SPACE and _game.my_player():
		_game.my_player().pulse()


func _is_typing() -> bool:
	return get_viewport().gui_get_focus_owner() is LineEdit


func _direction() -> Vector2:
	return Vector2(
			_axis([KEY_A, KEY_LEFT], [KEY_D, KEY_RIGHT]),
			_axis([KEY_W, KEY_UP], [KEY_S, KEY_DOWN])).limit_length()


func _axis(negative: Array[Key], positive: Array[Key]) -> float:
	return (float(positive.any(Input.is_physical_key_pressed))
		- float(negative.any(Input.is_physical_key_pressed)))
