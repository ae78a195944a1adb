extends SceneTree
## Reads what the bots of a fleet have printed, shows it as a table, and checks that everything
## has arrived that had to, and that everybody came back. Exits with 1 if something has not.
##
## A line that its speaker has heard itself has been through NATS. Everybody has to have heard it
## who was in from the moment when it was said until [constant MARGIN] seconds after its speaker
## heard it. A line that its speaker has not heard is missing, unless its connection was lost then.
##
## [codeblock]
## godot --headless --path godot-project -s res://demo/check/fleet_report.gd -- --logs=DIR \
##     --bots=24 --rooms=6 --returned=N
## [/codeblock]

const Table := preload("res://demo/check/table.gd")
## How long a line may be under way on a machine that does other things too.
const MARGIN: float = 2.0
const COLUMNS: PackedStringArray = [
	"bot", "room", "server", "joins", "said", "heard", "from other rooms", "ended by",
	"longest outage",
]

var _failures: PackedStringArray = []
var _bots: Array[Dictionary] = []
## Due and heard, from other rooms: in all.
var _due: int = 0
var _across: int = 0


func _initialize() -> void:
	var options := DemoOptions.new()
	var wanted: int = int(options.number("bots", 24))
	_read_all(options.text("logs", "."))
	if _bots.size() != wanted:
		_failures.append("%d bots have reported, not %d" % [_bots.size(), wanted])
	for bot: Dictionary in _bots:
		_check(bot, int(options.number("rooms", 1)))
	var returned: int = _bots.filter(func(bot: Dictionary) -> bool:
		return bot.stays.size() > 1).size()
	var due: int = int(options.number("returned", 0))
	if returned < due:
		_failures.append("%d bots have come back; at least %d had to" % [returned, due])
	_check_rooms()
	_print_table()
	for failure: String in _failures:
		print("FAIL ", failure)
	print("%d passed, %d failed" % [_bots.size(), _failures.size()]) # one for each bot
	quit(1 if _failures else 0)


func _read_all(folder: String) -> void:
	for file: String in DirAccess.get_files_at(folder):
		if not file.begins_with("bots-") or not file.ends_with(".log"):
			continue
		for line: String in FileAccess.get_file_as_string(folder.path_join(file)).split("\n"):
			if line.begins_with("report: "):
				_bots.append(JSON.parse_string(line.trim_prefix("report: ")))


func _check(bot: Dictionary, rooms: int) -> void:
	if not bot.is_in:
		_failures.append("%s stays out" % bot.name)
	if bot.said.is_empty():
		_failures.append("%s said nothing" % bot.name)
	if bot.rooms_seen != rooms:
		_failures.append("%s saw %d rooms in the lobby, not %d" % [bot.name, bot.rooms_seen, rooms])
	for text: String in bot.said:
		if bot.heard.has(text):
			_check_line(bot, text)
		elif _was_in(bot, bot.said[text], bot.said[text] + MARGIN):
			_failures.append("%s has not heard its own '%s'" % [bot.name, text])


func _check_line(speaker: Dictionary, text: String) -> void:
	for bot: Dictionary in _bots:
		var has_heard: bool = bot.heard.has(text)
		var is_due: bool = _was_in(bot, speaker.said[text], speaker.heard[text] + MARGIN)
		_due += int(is_due)
		if bot.room != speaker.room:
			_across += int(has_heard)
			bot["across"] = bot.get("across", 0) + int(has_heard)
		if is_due and not has_heard:
			_failures.append("%s has not heard '%s'" % [bot.name, text])


## A room is on one server, whatever became of the others.
func _check_rooms() -> void:
	var servers: Dictionary = {}
	for bot: Dictionary in _bots:
		if bot.server and servers.get_or_add(bot.room, bot.server) != bot.server:
			_failures.append("the room %s is on two servers: %s and %s" % [bot.room, bot.server,
				servers[bot.room]])
		if bot.most_players < _bots.size():
			_failures.append("%s saw no more than %d players in the lobby" % [bot.name, bot.most_players])


## Whether the bot was in all the time between two moments; its last stay lasted to the end.
func _was_in(bot: Dictionary, from: float, to: float) -> bool:
	return bot.stays.any(func(stay: Array) -> bool:
		return stay[0] <= from and (stay.size() == 1 or stay[1] >= to))


func _print_table() -> void:
	var rows: Array[PackedStringArray] = [COLUMNS]
	var said: int = 0
	var joins: int = 0
	for bot: Dictionary in _bots:
		said += bot.said.size()
		joins += bot.stays.size()
		rows.append(PackedStringArray([bot.name, bot.room, bot.server, str(bot.stays.size()),
			str(bot.said.size()), str(bot.heard.size()), str(bot.get("across", 0)), ", ".join(bot.ends),
			"%.1f s" % bot.outage if bot.outage > 0.0 else "-"]))
	Table.show(rows)
	print("%d joins, %d lines said, %d heard in other rooms; %d had to arrive, everywhere"
		% [joins, said, _across, _due])
