extends Node
## The client: connects, gets ready, plays, comes back when the server was restarted, leaves. A
## person plays it in a window, a bot without one.
##
## [codeblock]
## godot --path godot-project -- [options]
##   --impl=rust|builtin   the classes to play on (rust)
##   --url=ws://HOST:PORT  connects at once instead of asking
##   --name=NAME           the player's name
##   --bot                 a bot plays; always so without a display
##   --leave-after=SECONDS the bot leaves after so long in the game (0: when the round is over)
##   --mute                the bot counts chat lines that it does not send: the check has to notice
##   --screenshot=FILE     writes a PNG after some seconds of play and leaves
## [/codeblock]

const OPTIONS: PackedStringArray = ["impl", "url", "name", "bot", "leave-after", "mute",
	"screenshot"]
const FRAMES_PER_SECOND: int = 60
## How long the server may take to answer that somebody leaves.
const LEAVE_SECONDS: float = 10.0
const SCREENSHOT_SECONDS: float = 9.0

var _impl: String = "rust"
var _url: String = ""
var _player_name: String = "Player"
## Kept, since a closed connection has none.
var _id: int = 0
var _bot: Bot
var _was_let_go: bool = false
var _quits_when_gone: bool = false
var _options := DemoOptions.new()
var _reconnect := Reconnect.new()

@onready var _game: Game = $Game
@onready var _session: GameSession = $Game/Session
@onready var _traffic: Traffic = $Traffic
@onready var _hud: Hud = $Hud
@onready var _leave_timer: Timer = $LeaveTimer


func _ready() -> void:
	_impl = _options.text("impl", _impl)
	_player_name = _options.text("name", _player_name)
	var complaint: String = _options.complaint(OPTIONS)
	if complaint.is_empty():
		complaint = DemoTransport.complaint(_impl)
	if not complaint.is_empty():
		printerr(complaint)
		get_tree().quit(1)
		return
	_connect_signals()
	if DisplayServer.get_name() == "headless" or _options.has("bot"):
		Engine.max_fps = FRAMES_PER_SECOND
		_quits_when_gone = true
		_add_bot()
	else:
		_hud.set_up(_game, _traffic, _impl, _player_name)
		add_child(Keyboard.new(_game))
	if DisplayServer.get_name() == "headless":
		_hud.free()
	elif _bot:
		_hud.set_up(_game, _traffic, _impl, _player_name)
	if _options.has("screenshot"):
		_add_screenshot(_options.text("screenshot", ""))
	if _options.has("url"):
		_join(_options.text("url", ""), _player_name)


func _notification(what: int) -> void:
	if what == NOTIFICATION_WM_CLOSE_REQUEST:
		_quits_when_gone = true
		_leave()


func _connect_signals() -> void:
	get_tree().auto_accept_quit = false
	multiplayer.connected_to_server.connect(_on_connected)
	multiplayer.connection_failed.connect(_on_connection_failed)
	multiplayer.server_disconnected.connect(_on_server_disconnected)
	_session.let_go.connect(_on_let_go)
	_leave_timer.timeout.connect(_disconnect.bind("The server did not answer."))
	_session.phase_changed.connect(_on_phase_changed)
	_hud.join_requested.connect(_join)
	_hud.ready_pressed.connect(_session.get_ready)
	_hud.leave_pressed.connect(_leave)
	_reconnect.timeout.connect(_connect)
	add_child(_reconnect)


func _add_bot() -> void:
	_bot = Bot.new(_game, _traffic, _leave)
	_bot.leave_after = _options.number("leave-after", 0)
	_bot.is_mute = _options.has("mute")
	add_child(_bot)


func _join(url: String, player_name: String) -> void:
	_url = url
	_player_name = player_name
	_reconnect.forget()
	_connect()


func _connect() -> void:
	var peer: MultiplayerPeer = DemoTransport.create(_impl)
	var error: Error = peer.call(&"create_client", _url)
	if error != OK:
		_complain(DemoTransport.reason(peer, "'%s' is no address to connect to: %s."
			% [_url, error_string(error)]))
		if _bot:
			get_tree().quit(1)
		return
	multiplayer.multiplayer_peer = peer
	_say("Connecting to %s ..." % _url)


## A client that just closed its connection could lose what is still under way, and others would
## still send to it. So it stops sending, asks, confirms when the server lets it go, and the server
## closes.
func _leave() -> void:
	if not _traffic.is_in_session():
		_disconnect("")
		return
	if _game.my_player():
		_game.my_player().stop_sharing()
	_session.leave()
	_leave_timer.start(LEAVE_SECONDS)


## The first attempt is the player's to repeat; those after a lost connection are ours.
func _on_connection_failed() -> void:
	var reason: String = DemoTransport.reason(multiplayer.multiplayer_peer, "Nobody answers there.")
	if _reconnect.attempt:
		_come_back(reason)
	else:
		_disconnect(reason)


func _on_connected() -> void:
	_id = multiplayer.get_unique_id()
	_reconnect.note_opened()
	_session.introduce(_player_name)


func _on_let_go() -> void:
	_was_let_go = true
	_session.confirm_departure()


func _on_server_disconnected() -> void:
	var peer: MultiplayerPeer = multiplayer.multiplayer_peer
	var reason: String = DemoTransport.reason(peer, "The server is gone.")
	if _was_let_go:
		_disconnect("")
	elif DemoTransport.has_ended_for_good(peer):
		_disconnect(reason)
	else:
		if _bot:
			_print_report()
		_come_back(reason)


## Waits, and connects again: the server may be restarting, and everybody else comes back too.
func _come_back(reason: String) -> void:
	var delay: float = _reconnect.wait(reason)
	if not delay:
		_disconnect("%s Gave up after %d attempts." % [reason, _reconnect.attempt])
		return
	_let_go_of_the_connection()
	if _bot:
		_bot.free()
		_add_bot()
	_complain("%s Again in %.1f s (%d)." % [reason, delay, _reconnect.attempt])


func _disconnect(complaint: String) -> void:
	if multiplayer.multiplayer_peer is OfflineMultiplayerPeer and not _quits_when_gone:
		return
	if _bot:
		_print_report()
	_let_go_of_the_connection()
	_reconnect.forget()
	_complain(complaint)
	if _quits_when_gone:
		print("client: end")
		get_tree().quit(0 if complaint.is_empty() else 1)


func _let_go_of_the_connection() -> void:
	_leave_timer.stop()
	multiplayer.multiplayer_peer.close()
	multiplayer.multiplayer_peer = OfflineMultiplayerPeer.new()
	_session.reset()
	_traffic.reset()
	_was_let_go = false


## A person has nothing to wait for when the round ends.
func _on_phase_changed() -> void:
	if _bot:
		return
	if _session.phase == GameSession.Phase.WINDING_UP:
		_session.wind_up()
	elif _session.phase == GameSession.Phase.OVER:
		_leave()


func _say(text: String) -> void:
	if is_instance_valid(_hud):
		_hud.show_status(text)
	elif text:
		print("client: ", text)


## The same for what went wrong.
func _complain(text: String) -> void:
	if is_instance_valid(_hud):
		_hud.show_complaint(text)
	else:
		_say(text)


func _add_screenshot(file: String) -> void:
	await get_tree().create_timer(SCREENSHOT_SECONDS).timeout
	await RenderingServer.frame_post_draw
	var error: Error = get_viewport().get_texture().get_image().save_png(file)
	print("client: screenshot %s: %s" % [file, error_string(error)])
	_quits_when_gone = true
	_leave()


func _print_report() -> void:
	var report: Dictionary = _bot.report()
	report.merge(_traffic.report())
	report["name"] = _player_name
	report["id"] = str(_id)
	report["crowd"] = _game.crowd.report()
	report["returned"] = _reconnect.report()
	print("report: ", JSON.stringify(report))
