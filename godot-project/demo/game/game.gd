class_name Game
extends Node2D
## The world that server and clients share: the arena, the sparks, the players and the
## [GameSession].
##
## Players are spawned by the server through the [MultiplayerSpawner], which repeats it at every
## client, also at those that come later.

const PLAYER: PackedScene = preload("res://demo/game/player.tscn")

@onready var session: GameSession = $Session
@onready var spawner: MultiplayerSpawner = $Spawner
@onready var sparks: Sparks = $Sparks
@onready var crowd: Crowd = $Crowd
@onready var _players: Node2D = $Players


func _ready() -> void:
	spawner.spawn_function = _make_player


func players() -> Array[Player]:
	var found: Array[Player] = []
	found.assign(_players.get_children())
	return found


## The player of peer [param id], or null if it is not playing.
func player_of(id: int) -> Player:
	return _players.get_node_or_null(str(id))


func my_player() -> Player:
	return player_of(multiplayer.get_unique_id())


## On the server: lets peer [param id] play, here and at every client.
func add_player(id: int, player_name: String, hue: float, score: int) -> void:
	var player: Player = spawner.spawn(
		{ "id": id, "name": player_name, "hue": hue, "position": Arena.start_position(hue) })
	player.score = score


## On the server: takes the player out, here and at every client, at once.
func remove_player(id: int) -> void:
	var player: Player = player_of(id)
	if player:
		player.free()


## Runs on the server and on every client, with the data that the server gave to [method
## add_player].
func _make_player(data: Dictionary) -> Node:
	var player: Player = PLAYER.instantiate()
	player.set_up(data.id, data.name, data.hue, data.position)
	return player
