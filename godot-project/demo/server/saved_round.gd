class_name SavedRound
extends RefCounted
## The round in a file, so that a server that was restarted goes on with it.
##
## Players are known by their names here. A game with something to lose knows them by a secret, such
## as a token of their account.

## How far the round is, in seconds; below 0 if there is none.
var seconds: float = -1.0

var _file: String = ""
## By name: "score" and "hue".
var _players: Dictionary = {}


## With no [param file] nothing is kept.
func _init(file: String = "") -> void:
	_file = file
	if _file.is_empty() or not FileAccess.file_exists(_file):
		return
	var saved: Variant = JSON.parse_string(FileAccess.get_file_as_string(_file))
	if saved is Dictionary and saved.has_all(["seconds", "players"]):
		seconds = saved.seconds
		_players = saved.players


func is_under_way() -> bool:
	return seconds >= 0.0


func size() -> int:
	return _players.size()


func score_of(player_name: String) -> int:
	return _players.get(player_name, {}).get("score", 0)


func hue_of(player_name: String, otherwise: float) -> float:
	return _players.get(player_name, {}).get("hue", otherwise)


## Writes it anew. The file is replaced as a whole: a server that dies meanwhile leaves the old one.
func save(seconds_played: float, players: Array[Player]) -> void:
	if _file.is_empty():
		return
	for player: Player in players:
		_players[player.player_name] = { "score": player.score, "hue": player.hue }
	var file := FileAccess.open(_file + ".new", FileAccess.WRITE)
	if not file:
		printerr("%s cannot be written: %s." % [_file, error_string(FileAccess.get_open_error())])
		return
	file.store_string(JSON.stringify({ "seconds": seconds_played, "players": _players }))
	file.close()
	DirAccess.rename_absolute(_file + ".new", _file)
