extends SceneTree
## Reads what the server and the bots of one run have printed, shows it as a table, and checks that
## everything has arrived that had to. Exits with 1 if something has not.
##
## What a client must have seen follows from the server's [Ledger]: each step has a number, and a
## client has to have seen every step between its own "connected" and "let_go", may have seen those
## up to "disconnected", and no other. No clock is involved, but for one check: motion updates have
## to have come from everybody who was there for [constant LONG_ENOUGH].
##
## [codeblock]
## godot --headless --path godot-project -s res://demo/check/report.gd -- --logs=DIR --bots=8 \
##     --leavers=2 --joiners=1 [--restarted]
## [/codeblock]
##
## With [code]--restarted[/code] the server was killed during the round and another one went on:
## every client has two reports. The second server's ledger judges what came after; what came before
## has no witness, it only has to be there.

const Table := preload("res://demo/check/table.gd")
const LONG_ENOUGH: float = 3.0
const NEVER: int = 1 << 30
const STEPS: PackedStringArray = [
	"connected", "introduced", "ready", "spawned", "despawned", "let_go", "disconnected",
]
const COLUMNS: PackedStringArray = [
	"client", "seconds", "chat out", "in", "whispers out", "answered", "in", "spawns", "gone",
	"RPCs out", "in", "motion in", "other", "round trip", "longest",
]

var _failures: PackedStringArray = []
var _peers: Dictionary = {}
var _chat: Array = []
## The clients' reports, by peer id.
var _clients: Dictionary = {}
## Their reports of what was before the server was restarted, by name.
var _before: Dictionary = {}


func _initialize() -> void:
	var options := DemoOptions.new()
	var bots: int = int(options.number("bots", 8))
	var leavers: int = int(options.number("leavers", 2))
	var joiners: int = int(options.number("joiners", 1))
	_read_all(options.text("logs", "."), bots + joiners)
	if options.has("restarted"):
		_check_restart(bots)
	if _failures.is_empty():
		_check_course(bots + joiners, leavers)
		for id: String in _clients:
			_check_client(id)
		_check_whispers()
	_print_table()
	if _before:
		_print_returns()
	for failure: String in _failures:
		print("FAILED: ", failure)
	quit(1 if _failures else 0)


#region Reading

func _read_all(folder: String, clients: int) -> void:
	var server: Dictionary = _read(folder.path_join("server.log"), "server: end")
	_peers = server.get("peers", {})
	_chat = server.get("chat", [])
	for number: int in range(1, clients + 1):
		var client: Dictionary = _read(folder.path_join("bot-%d.log" % number), "client: end")
		if client:
			_clients[client.id] = client


## The report in a log; complains if there is none, or if the log does not end in [param end_line].
func _read(file: String, end_line: String) -> Dictionary:
	var lines: PackedStringArray = FileAccess.get_file_as_string(file).strip_edges().split("\n")
	if lines[-1] != end_line:
		_failures.append("%s does not end with '%s' but with '%s'"
			% [file.get_file(), end_line, lines[-1]])
	var reports: Array = Array(lines).filter(func(line: String) -> bool:
		return line.begins_with("report: "))
	reports = reports.map(func(line: String) -> Dictionary:
		return JSON.parse_string(line.trim_prefix("report: ")))
	if reports.is_empty():
		_failures.append("%s holds no report" % file.get_file())
		return {}
	if reports.size() > 1:
		_before[reports[0].name] = reports[0]
	return reports[-1]

#endregion
#region Checking

func _expect(condition: bool, failure: String) -> void:
	if not condition:
		_failures.append(failure)


## What happened on the server is what was planned.
func _check_course(clients: int, leavers: int) -> void:
	_expect(_peers.size() == clients, "%d clients connected instead of %d" % [_peers.size(), clients])
	_expect(_clients.size() == clients, "%d clients reported instead of %d"
		% [_clients.size(), clients])
	for id: String in _peers:
		for step: String in STEPS:
			_expect(_peers[id].has(step), "%s was never %s" % [_name(id), step])
	var has_left_early := func(peer: Dictionary) -> bool: return peer.has("left_early")
	var left_early: int = _peers.values().filter(has_left_early).size()
	_expect(left_early == leavers, "%d clients left while the round was on, instead of %d"
		% [left_early, leavers])


## Everybody played before, came back, and knows why the connection was lost.
func _check_restart(bots: int) -> void:
	_expect(_before.size() == bots, "%d clients lost their connection instead of %d"
		% [_before.size(), bots])
	for client: Dictionary in _before.values():
		_expect(client.updates.size() == bots, "%s saw %d players move before the restart"
			% [client.name, client.updates.size()])
		_expect(client.chat_heard.size() > 0, "%s heard nobody before the restart" % client.name)
	for client: Dictionary in _clients.values():
		var reasons: Array = client.returned.get("reasons", [])
		_expect(not reasons.is_empty(), "%s did not come back" % client.name)
		for reason: String in reasons:
			_expect(reason.length() > 10, "%s was not told why: '%s'" % [client.name, reason])


func _check_client(id: String) -> void:
	if not _peers.has(id):
		_failures.append("the server does not know the client %s" % id)
		return
	var client: Dictionary = _clients[id]
	var title: String = _name(id)
	_expect_seen(client.spawned, _spawns(id, "let_go"), _spawns(id, "disconnected"),
		title + " saw spawn")
	_expect_seen(client.despawned, _despawns(id, "let_go"), _despawns(id, "disconnected"),
		title + " saw despawn")
	_expect_seen(client.ready_seen, _readies(id, "let_go"), _readies(id, "disconnected"),
		title + " saw ready")
	_check_chat(id)
	for other: String in _peers:
		if other != id and _seconds_together(id, other) >= LONG_ENOUGH:
			_expect(client.updates.get(other, 0) > 0, "%s got no motion update of %s"
				% [title, _name(other)])
	_expect(client.deltas > 0, "%s got no update of scores or sparks" % title)
	_expect(client.round_trip > 0.0, "%s got no answer to a ping" % title)


func _spawns(id: String, until: String) -> Array:
	return _others(id, "spawned", "connected", until)


func _readies(id: String, until: String) -> Array:
	return _others(id, "ready", "introduced", until)


func _despawns(id: String, until: String) -> Array:
	return _spawns(id, until).filter(func(other: String) -> bool:
		return _moment(other, "despawned") < _moment(id, until))


## Everybody whose time, from [param step] on, overlaps that of [param id] between [param start] and
## [param until].
func _others(id: String, step: String, start: String, until: String) -> Array:
	return _peers.keys().filter(func(other: String) -> bool:
		return _moment(other, step) < _moment(id, until) and _moment(other, "despawned") > _moment(id,
			start))


func _check_chat(id: String) -> void:
	var said: int = _chat.filter(func(line: Dictionary) -> bool: return line.speaker == id).size()
	var sent: int = _clients[id].chat_sent
	_expect(sent > 0, "%s said nothing" % _name(id))
	_expect(said == sent, "%s said %d lines, the server heard %d" % [_name(id), sent, said])
	var due: Array = _chat.filter(func(line: Dictionary) -> bool: return id in line.listeners)
	var numbers: Array = due.map(func(line: Dictionary) -> int: return int(line.number))
	var heard: Array = _clients[id].chat_heard.map(func(number: float) -> int: return int(number))
	# Behind the last of these a few more may have come before the connection was closed.
	var last: int = numbers[-1] if numbers else 0
	var expected: Array = numbers + range(last + 1, last + 1 + heard.size() - numbers.size())
	_expect(expected == heard, "%s heard the chat lines %s instead of %s"
		% [_name(id), heard, numbers])


## Whispers have no witness on the server: sender and receivers have to agree.
func _check_whispers() -> void:
	var answered: int = 0
	var excused: int = 0
	var heard: int = 0
	for id: String in _clients:
		var client: Dictionary = _clients[id]
		var open: int = client.whispers_sent - client.whispers_answered - client.whispers_excused
		_expect(client.whispers_sent > 0, "%s did not whisper" % _name(id))
		_expect(open == 0, "%d whispers of %s were not answered" % [open, _name(id)])
		answered += int(client.whispers_answered)
		excused += int(client.whispers_excused)
		heard += int(client.whispers_heard)
	_expect(answered <= heard and heard <= answered + excused,
		"%d whispers were answered, but %d heard" % [answered, heard])


func _expect_seen(seen: Array, due: Array, allowed: Array, what: String) -> void:
	var missing: Array = due.filter(func(id: String) -> bool: return id not in seen)
	var extra: Array = seen.filter(func(id: String) -> bool:
		return id not in allowed or seen.count(id) > 1)
	_expect(missing.is_empty(), "%s: not %s" % [what, ", ".join(missing.map(_name))])
	_expect(extra.is_empty(), "%s: too often or at the wrong time %s"
		% [what, ", ".join(extra.map(_name))])


func _moment(id: String, step: String) -> int:
	return _peers[id].get(step, NEVER)


func _seconds_together(a: String, b: String) -> float:
	var start: float = maxf(_peers[a].get("spawned_at", INF), _peers[b].get("spawned_at", INF))
	var end: float = minf(_peers[a].get("let_go_at", 0.0), _peers[b].get("despawned_at", 0.0))
	return end - start


func _name(id: String) -> String:
	return _peers[id].get("name", id) if _peers.has(id) else id

#endregion
#region Showing

func _print_table() -> void:
	var rows: Array[PackedStringArray] = [COLUMNS]
	for id: String in _clients:
		rows.append(_row(_clients[id]))
	Table.show(rows)


## How long it took to come back, and what the clients were told meanwhile.
func _print_returns() -> void:
	var seconds: Array = []
	var counts: Dictionary = {}
	for client: Dictionary in _clients.values():
		if client.returned:
			seconds.append(client.returned.seconds)
			for reason: String in client.returned.reasons:
				counts[reason] = counts.get(reason, 0) + 1
	if seconds:
		print("\n%d came back, after %.1f to %.1f s. They were told:"
			% [seconds.size(), seconds.min(), seconds.max()])
	for reason: String in counts:
		print("  %3d x %s" % [counts[reason], reason])


func _row(client: Dictionary) -> PackedStringArray:
	var motion: int = 0
	for count: float in client.updates.values():
		motion += int(count)
	return [
		client.name, "%.1f" % client.seconds,
		"%d" % client.chat_sent, "%d" % client.chat_heard.size(),
		"%d" % client.whispers_sent, "%d" % client.whispers_answered, "%d" % client.whispers_heard,
		"%d" % client.spawned.size(), "%d" % client.despawned.size(),
		"%d" % client.rpcs_sent, "%d" % client.rpcs_received, "%d" % motion, "%d" % client.deltas,
		"%.1f ms" % (client.round_trip * 1000), "%.1f ms" % (client.longest_round_trip * 1000),
	]

#endregion
