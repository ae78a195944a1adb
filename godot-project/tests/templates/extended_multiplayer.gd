extends WebSocketMultiplayerPeer
## A multiplayer peer that notes who joined. The suite puts in the name of the class under test.

var joined: Array[int] = []


func _init() -> void:
	peer_connected.connect(_note)


func broadcast(text: String) -> Error:
	set_target_peer(TARGET_PEER_BROADCAST)
	return put_packet(text.to_utf8_buffer())


func _note(id: int) -> void:
	joined.append(id)
