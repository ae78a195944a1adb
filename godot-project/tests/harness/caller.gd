extends Node
## A node with RPCs that notes who said what.

var heard := PackedStringArray()
## Turns a peer's id into the name that a case prints.
var name_of := Callable()
## If set, whoever says "kick me" is disconnected from within the call.
var kick: SceneMultiplayer


@rpc("any_peer", "call_remote", "reliable")
func say(text: String) -> void:
	_hear(text)


@rpc("any_peer", "call_remote", "unreliable")
func say_unreliably(text: String) -> void:
	_hear(text)


func _hear(text: String) -> void:
	var sender := multiplayer.get_remote_sender_id()
	heard.append("%s %s" % [name_of.call(sender), text])
	if kick != null and text == "kick me":
		kick.disconnect_peer(sender)
