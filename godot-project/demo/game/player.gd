class_name Player
extends Node2D
## One player's disc.
##
## The node belongs to the server, which spawns it and keeps its score. Its motion belongs to the
## peer that plays it: that peer moves the disc and [code]OwnerSync[/code] carries the result to
## everybody else.

const RADIUS: float = 17.0
const SPEED: float = 270.0

## Where to go, from the keyboard or from a bot; read at the owner only.
var steering := Vector2.ZERO
## Replicated by the owner.
var shared_position := Vector2.ZERO
## Replicated by the owner.
var velocity := Vector2.ZERO
## Replicated by the server.
var score: int = 0

var id: int = 0
var player_name: String = ""
var hue: float = 0.0

@onready var owner_sync: MultiplayerSynchronizer = $OwnerSync
@onready var server_sync: MultiplayerSynchronizer = $ServerSync


## Has to come before the node enters the tree: replication starts there, and it asks for the
## authorities.
func set_up(peer: int, title: String, colour_hue: float, start: Vector2) -> void:
	id = peer
	name = str(peer)
	player_name = title
	hue = colour_hue
	position = start
	shared_position = start
	$OwnerSync.set_multiplayer_authority(peer)


func _ready() -> void:
	# The server's spawn state may have moved us: somebody who comes late sees everyone where they are
	# now.
	shared_position = position
	if DisplayServer.get_name() == "headless":
		$Skin.free()


func _physics_process(delta: float) -> void:
	if owner_sync.is_multiplayer_authority():
		velocity = velocity.lerp(steering.limit_length() * SPEED, 1.0 - exp(-7.0 * delta))
		position = Arena.confine(position + velocity * delta, RADIUS)
		shared_position = position
	elif multiplayer.is_server():
		position = Arena.confine(shared_position, RADIUS)
	else:
		# Updates come 20 times a second; glide towards where the owner should be by now.
		shared_position = Arena.confine(shared_position + velocity * delta, RADIUS)
		position = position.lerp(shared_position, 1.0 - exp(-18.0 * delta))


## Stops replicating the motion: the owner's last act, so that no update is under way when the
## server removes the player.
func stop_sharing() -> void:
	owner_sync.public_visibility = false


## At the owner: shows a ring around this player at everyone, through the server's relay.
func pulse() -> void:
	_show_pulse.rpc()


@rpc("any_peer", "call_local", "unreliable")
func _show_pulse() -> void:
	if multiplayer.get_remote_sender_id() == id and has_node("Skin"):
		($Skin as PlayerSkin).start_pulse()
