class_name FleetRoom
extends Node
## One arena among several in a process, with its own [MultiplayerAPI]: on a server, and at each
## client. Both sides give [method open] a peer; node paths count from here, so the names above do
## not have to be the same.

## Something that was said anywhere in the fleet.
signal line_heard(line: Dictionary)
## Who is where in the whole fleet: players by room.
signal lobby_seen(players: Dictionary)

const GAME: PackedScene = preload("res://demo/game/game.tscn")

var game: Game


## To be called when the node is in the tree.
func open(peer: MultiplayerPeer) -> void:
	get_tree().set_multiplayer(MultiplayerAPI.create_default_interface(), get_path())
	multiplayer.multiplayer_peer = peer
	game = GAME.instantiate()
	game.name = "Game"
	add_child(game)


## Connects again, or to nobody with [code]null[/code].
func change_peer(peer: MultiplayerPeer) -> void:
	multiplayer.multiplayer_peer = peer if peer else OfflineMultiplayerPeer.new()


## On the server: to everybody in this room.
func tell_line(line: Dictionary) -> void:
	_hear_line.rpc(line)


func tell_lobby(players: Dictionary) -> void:
	_see_lobby.rpc(players)


@rpc("authority", "reliable")
func _hear_line(line: Dictionary) -> void:
	line_heard.emit(line)


@rpc("authority", "reliable")
func _see_lobby(players: Dictionary) -> void:
	lobby_seen.emit(players)
