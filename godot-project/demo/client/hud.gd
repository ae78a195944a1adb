class_name Hud
extends Control
## Everything around the arena: where to connect, who is in, the chat.

signal join_requested(url: String, player_name: String)
signal ready_pressed
signal leave_pressed

const _FAINT := Color("8d97c4")
const _GOOD := Color("6ee7a8")
const _WAITING := Color("ffd166")
const _BAD := Color("ff8a80")
const _WHISPER := Color("f9a8d4")
const _PLAYING_TEXT := (
	"Arrow keys or WASD to move, space for a pulse, Enter to chat, /w NAME TEXT to whisper")
const _PHASES: Dictionary = {
	GameSession.Phase.LOBBY: "Waiting until everybody is ready",
	GameSession.Phase.PLAYING: "Playing",
	GameSession.Phase.WINDING_UP: "The round is over",
	GameSession.Phase.OVER: "The round is over",
}
const _PHASE_COLOURS: Dictionary = {
	GameSession.Phase.LOBBY: _WAITING,
	GameSession.Phase.PLAYING: _GOOD,
	GameSession.Phase.WINDING_UP: _FAINT,
	GameSession.Phase.OVER: _FAINT,
}

var _game: Game
var _session: GameSession
var _traffic: Traffic

@onready var _connect_panel: Control = %ConnectPanel
@onready var _address: LineEdit = %Address
@onready var _name: LineEdit = %PlayerName
@onready var _status: Label = %Status
@onready var _phase: Label = %Phase
@onready var _measures: Label = %Measures
@onready var _hint: Label = %Hint
@onready var _players: RichTextLabel = %Players
@onready var _chat: RichTextLabel = %Chat
@onready var _chat_entry: LineEdit = %ChatEntry
@onready var _ready_button: Button = %ReadyButton
@onready var _leave_button: Button = %LeaveButton


func set_up(game: Game, traffic: Traffic, impl: String, player_name: String) -> void:
	_game = game
	_session = game.session
	_traffic = traffic
	_name.text = player_name
	%Impl.text = DemoTransport.name_of_class(impl)
	_hint.text = _PLAYING_TEXT
	%ConnectButton.pressed.connect(_request_join)
	_address.text_submitted.connect(func(_text: String) -> void: _request_join())
	_ready_button.pressed.connect(ready_pressed.emit)
	_leave_button.pressed.connect(leave_pressed.emit)
	_chat_entry.text_submitted.connect(_send_chat)
	_session.chat_heard.connect(_on_chat_heard)
	_session.whisper_heard.connect(func(sender: int, text: String) -> void:
		_add_line(sender, text, "whispers "))
	_session.roster_changed.connect(_refresh)
	_session.phase_changed.connect(_refresh)
	%RefreshTimer.timeout.connect(_refresh)
	_refresh()


## One sentence below the address about what is going on; nothing to clear it.
func show_status(text: String) -> void:
	_show(text, _WAITING)


## One sentence below the address about what went wrong; nothing to clear it.
func show_complaint(text: String) -> void:
	_show(text, _BAD)


func _show(text: String, colour: Color) -> void:
	_status.text = text
	_status.add_theme_color_override("font_color", colour)


func _unhandled_key_input(event: InputEvent) -> void:
	if event.is_action_pressed("ui_accept") and (event as InputEventKey).keycode != KEY_SPACE:
		_chat_entry.grab_focus()
		get_viewport().set_input_as_handled()


func _request_join() -> void:
	var url: String = _address.text.strip_edges()
	join_requested.emit(url if url else _address.placeholder_text, _name.text)


func _refresh() -> void:
	if not _session:
		return
	var is_in: bool = _traffic.is_in_session()
	var is_ready: bool = is_in and _session.roster[multiplayer.get_unique_id()].ready
	_connect_panel.visible = not is_in
	_chat_entry.editable = is_in
	_leave_button.disabled = not is_in
	_ready_button.disabled = not is_in or is_ready
	_ready_button.text = "Ready!" if is_ready else "I am ready"
	_phase.text = _PHASES[_session.phase] if is_in else "Not connected"
	_phase.add_theme_color_override("font_color", _PHASE_COLOURS[_session.phase] if is_in else _FAINT)
	_measures.text = ""
	if is_in:
		_measures.text = "%d sync updates/s    %.0f ms round trip" % [
			_traffic.recent_updates, _traffic.round_trip(4) * 1000]
	_show_players()


func _show_players() -> void:
	var ids: Array = _session.roster.keys()
	ids.sort_custom(func(a: int, b: int) -> bool:
		return _score(a) > _score(b) or (_score(a) == _score(b) and a < b))
	_players.clear()
	_players.push_table(3)
	for id: int in ids:
		var entry: Dictionary = _session.roster[id]
		_add_cell("●", _colour(id))
		_add_cell(entry.name, Color.WHITE if id == multiplayer.get_unique_id()
			else _colour(id).lightened(0.4))
		if _game.player_of(id):
			_add_cell(str(_score(id)), Color.WHITE)
		else:
			_add_cell("ready" if entry.ready else "...", _GOOD if entry.ready else _FAINT)
	_players.pop()


func _add_cell(text: String, colour: Color) -> void:
	_players.push_cell()
	_players.set_cell_padding(Rect2(2, 1, 10, 1))
	_players.push_color(colour)
	_players.add_text(text)
	_players.pop()
	_players.pop()


func _score(id: int) -> int:
	var player: Player = _game.player_of(id)
	return player.score if player else -1


func _colour(id: int) -> Color:
	return Color.from_hsv(_session.roster[id].hue, 0.62, 1.0) if _session.roster.has(id) else _FAINT


func _send_chat(text: String) -> void:
	_chat_entry.clear()
	_chat_entry.release_focus()
	var words: PackedStringArray = text.split(" ", false, 2)
	if words and words[0] == "/w":
		_send_whisper(words[1] if words.size() > 1 else "", words[2] if words.size() > 2 else "")
	elif words:
		_session.say(text)


func _send_whisper(to: String, text: String) -> void:
	for id: int in _session.roster:
		if _session.name_of(id) == to and multiplayer.get_peers().has(id):
			_session.whisper(id, text)
			_add_line(multiplayer.get_unique_id(), text, "to %s: " % to)
			return
	_add_line(0, "There is nobody called '%s' to whisper to." % to, "")


func _on_chat_heard(_number: int, speaker: int, text: String) -> void:
	_add_line(speaker, text, "")


func _add_line(speaker: int, text: String, manner: String) -> void:
	if speaker:
		_chat.push_color(_colour(speaker).lightened(0.2))
		_chat.add_text(_session.name_of(speaker) + "  ")
		_chat.pop()
	if manner:
		_chat.push_color(_WHISPER)
		_chat.add_text(manner)
		_chat.pop()
	_chat.add_text(text + "\n")
