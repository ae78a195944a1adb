extends Node
## A room of `two_rooms`: who comes in greets the others in it.


func _enter_tree() -> void:
	# The room's own MultiplayerAPI comes when the scene is ready.
	_greet_newcomers.call_deferred()


func _greet_newcomers() -> void:
	multiplayer.peer_connected.connect(func(id: int) -> void:
		hello.rpc_id(id, "hello from %d" % multiplayer.get_unique_id()))


@rpc("any_peer")
func hello(text: String) -> void:
	print("%s: %d says: %s" % [name, multiplayer.get_remote_sender_id(), text])
