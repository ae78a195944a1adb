extends Node
## The dedicated server: listens, lets the [Referee] run the game, and ends when the round is over.
##
## [codeblock]
## godot --headless --path godot-project res://demo/server/server.tscn -- [options]
##   --impl=rust|builtin  the classes to play on (rust)
##   --bind=ADDRESS       who may connect: 127.0.0.1 for this machine, * for everybody (127.0.0.1)
##   --port=N             where to listen; 0 takes a free port (0)
##   --players=N          the round starts once so many are in and all of them are ready (1)
##   --seconds=N          the round's length; 0 plays on until the server is stopped (0)
##   --joins=N            the round lasts until so many have played, at most 30 s longer (0)
##   --lifetime=MS        the peer's unreliable_lifetime (250); the built-in class has none
##   --crowd              sends more than a slow link carries
##   --state=FILE         keeps the round there, and goes on with the one that it finds there
## [/codeblock]

const OPTIONS: PackedStringArray = ["impl", "bind", "port", "players", "seconds", "joins",
	"lifetime", "crowd", "state"]
const FRAMES_PER_SECOND: int = 60
const PORT_ATTEMPTS: int = 5

var _lifetime: int = DemoTransport.LIFETIME

@onready var _referee: Referee = $Referee
@onready var _status: StatusLine = $StatusLine


func _ready() -> void:
	var options := DemoOptions.new()
	var impl: String = options.text("impl", "rust")
	var complaint: String = options.complaint(OPTIONS)
	if complaint.is_empty():
		complaint = DemoTransport.complaint(impl)
	if complaint.is_empty():
		_lifetime = int(options.number("lifetime", _lifetime))
		complaint = _listen(impl, options.text("bind", "127.0.0.1"), int(options.number("port", 0)))
	if not complaint.is_empty():
		_quit(complaint)
		return
	Engine.max_fps = FRAMES_PER_SECOND
	if options.has("crowd"):
		_referee.game.crowd.follow(_referee.game.session)
	_referee.finished.connect(_end)
	_referee.start(int(options.number("players", 1)), options.number("seconds", 0),
		int(options.number("joins", 0)), SavedRound.new(options.text("state", "")))
	_status.start()


## Starts listening; returns one sentence if that fails.
func _listen(impl: String, address: String, port: int) -> String:
	# Between finding a free port and taking it somebody else may: try again with another one.
	for _attempt: int in PORT_ATTEMPTS:
		var chosen: int = port if port else DemoTransport.free_port(address)
		var peer: MultiplayerPeer = DemoTransport.create(impl, _lifetime)
		var error: Error = peer.call(&"create_server", chosen, address)
		if error == OK:
			multiplayer.multiplayer_peer = peer
			print("server: listening on ws://%s:%d (%s)" % [address.replace("*", "127.0.0.1"), chosen, impl])
			return ""
		if port:
			return DemoTransport.reason(
				peer, "Cannot listen on port %d at %s: %s." % [port, address, error_string(error)])
	return "Found no free port at %s." % address


func _end() -> void:
	_referee.ledger.print_report()
	multiplayer.multiplayer_peer.close()
	print("server: end")
	get_tree().quit(0)


func _quit(complaint: String) -> void:
	printerr(complaint)
	get_tree().quit(1)
