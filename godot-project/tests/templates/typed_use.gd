extends RefCounted
## Static, typed use of both classes, as in a user's script. The suite puts in the names of the
## classes under test.

var socket := WebSocketPeer.new()
var peer: WebSocketMultiplayerPeer = WebSocketMultiplayerPeer.new()


func look() -> PackedStringArray:
	var state: WebSocketPeer.State = socket.get_ready_state()
	var mode: WebSocketPeer.WriteMode = WebSocketPeer.WRITE_MODE_TEXT
	var also: int = WebSocketPeer.State.STATE_OPEN + socket.STATE_CLOSING
	var refused: Error = socket.connect_to_url("")
	var status: MultiplayerPeer.ConnectionStatus = peer.get_connection_status()
	var is_disconnected: bool = status == MultiplayerPeer.CONNECTION_DISCONNECTED
	var inner: WebSocketPeer = null if is_disconnected else peer.get_peer(1)
	return PackedStringArray([
		str(state == WebSocketPeer.STATE_CLOSED),
		str(mode),
		str(also),
		str(refused),
		str(status),
		str(inner),
		str(socket is PacketPeer and socket is WebSocketPeer),
		str(peer is MultiplayerPeer),
		"%s %s" % [socket.get_class(), peer.get_class()],
	])
