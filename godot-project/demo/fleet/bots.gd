extends Node
## Some bots of the fleet in one process, each with a connection of its own.
##
## [codeblock]
## godot --headless --path godot-project -s res://demo/fleet/main.gd -- bots [options]
##   --url=wss://HOST:PORT   the proxy; --ca=FILE: whom to trust
##   --rooms=A,B,...         spread over these
##   --first=N --count=N     their numbers
##   --total=N               the time begins when the lobby shows so many players
##   --seconds=N             how long they play
##   --mute                  one counts a line that it does not say: the check has to notice
## [/codeblock]

## Nothing is said any more for so long before the end: what was said has time to arrive.
const QUIET_SECONDS: float = 4.0
## The time begins after so long whoever is missing; the check notices.
const PATIENCE: float = 60.0
const FRAMES_PER_SECOND: int = 60

var _bots: Array[FleetBot] = []
var _options := DemoOptions.new()
## Negative before all have come in.
var _age: float = -PATIENCE
var _shown: int = 0


func _ready() -> void:
	Engine.max_fps = FRAMES_PER_SECOND
	var trusted := X509Certificate.new()
	trusted.load(_options.text("ca", ""))
	var rooms: PackedStringArray = _options.text("rooms", "red").split(",")
	var first: int = int(_options.number("first", 1))
	for number: int in range(first, first + int(_options.number("count", 1))):
		var bot := FleetBot.new()
		bot.name = "Bot-%d" % number
		bot.is_mute = number == first and _options.has("mute")
		add_child(bot)
		var room: String = rooms[(number - 1) % rooms.size()]
		bot.start("%s/room/%s" % [_options.text("url", ""), room], bot.name,
			TLSOptions.client(trusted))
		_bots.append(bot)


func _process(delta: float) -> void:
	_age += delta
	if _age < 0.0 and _bots.any(_sees_all):
		_age = 0.0
	var seconds: float = _options.number("seconds", 30.0)
	for bot: FleetBot in _bots:
		bot.talks = _age < seconds - QUIET_SECONDS
	if int(_age + PATIENCE) > _shown:
		_shown = int(_age + PATIENCE)
		_show()
	if _age >= seconds:
		set_process(false)
		_end()


func _sees_all(bot: FleetBot) -> bool:
	return bot.most_players() >= int(_options.number("total", 1))


func _show() -> void:
	var sums: Array[int] = [0, 0, 0]
	for bot: FleetBot in _bots:
		sums[0] += int(bot.is_in())
		sums[1] += bot.lines_said()
		sums[2] += bot.lines_heard()
	print("STATUS %d %d %d" % sums)


func _end() -> void:
	for bot: FleetBot in _bots:
		print("report: ", JSON.stringify(bot.report()))
		bot.leave()
	print("bots: end")
	get_tree().quit()
