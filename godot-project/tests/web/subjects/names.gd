extends Node
## Everything that a script can say about the addon's classes, as a project that was written for
## them says it; and a client of both kinds that plays.

signal noticed(peer: RustWebSocketPeer)


class Mine:
	extends RustWebSocketPeer
	var x := 7


const OPEN := RustWebSocketPeer.STATE_OPEN

@export var mode: RustWebSocketPeer.WriteMode = RustWebSocketPeer.WRITE_MODE_TEXT

var socket := RustWebSocketPeer.new()
var typed: RustWebSocketPeer
var many: Array[RustWebSocketPeer] = []
var state: RustWebSocketPeer.State = RustWebSocketPeer.STATE_CLOSED
var player: RustWebSocketMultiplayerPeer


func _ready() -> void:
	_name_things()
	_use_all_members()
	await _play_single(socket, OS.get_environment("WEB_URL"))
	await _play_single(WebTestPeer.new(), OS.get_environment("WEB_URL"))
	await _play_multiplayer(OS.get_environment("WEB_MULTIPLAYER_URL"))
	await _fail()
	print("WEB DONE")
	get_tree().quit()


func _name_things() -> void:
	typed = socket
	many.append(typed)
	_check("is", typed is RustWebSocketPeer and Mine.new() is RustWebSocketPeer)
	_check("as", (typed as RustWebSocketPeer) == socket and (typed as PacketPeer) == socket)
	_check("the base", typed is WebSocketPeer or typed is PacketPeer)
	_check("a global class", WebTestPeer.new().extra == 1)
	_check("an inner class", Mine.new().x == 7)
	_check(
		"constants",
		(
			[RustWebSocketPeer.STATE_CONNECTING, OPEN, RustWebSocketPeer.State.STATE_CLOSING]
			== [0, 1, 2]
		)
	)
	_check(
		"constants of ours",
		(
			RustWebSocketPeer.COMPRESSION_ENABLED == 1
			and RustWebSocketPeer.Compression.COMPRESSION_DISABLED == 0
			and RustWebSocketMultiplayerPeer.Compression.COMPRESSION_ENABLED == 1
		)
	)
	_check(
		"constants through an object", socket.STATE_CLOSED == 3 and socket.WRITE_MODE_BINARY == 1
	)
	_check("the state", state == RustWebSocketPeer.STATE_CLOSED and mode == 0)
	noticed.emit(typed)


func _use_all_members() -> void:
	socket.connect_timeout = 4.0
	socket.compression = RustWebSocketPeer.COMPRESSION_ENABLED
	socket.set_compression_threshold(7)
	_check(
		"settings keep their values",
		(
			[socket.get_connect_timeout(), socket.compression, socket.compression_threshold]
			== [4.0, 1, 7]
		)
	)
	socket.compression = RustWebSocketPeer.COMPRESSION_DISABLED
	_check("messages", socket.get_error_message().is_empty())
	_check("statistics", socket.get_statistics().messages_in == 0)
	_check("packets", socket.get_packets().is_empty() and socket.get_packets(3).is_empty())
	_check(
		"answers", socket.get_handshake_response_code() == 0 and not socket.is_compression_active()
	)
	_check("round trip", socket.get_round_trip_time() == -1.0)


func _play_single(peer: RustWebSocketPeer, url: String) -> void:
	_check("connect_to_url", peer.connect_to_url(url) == OK)
	await _until(
		func() -> bool:
			peer.poll()
			return (
				peer.get_ready_state() == RustWebSocketPeer.STATE_OPEN
				and peer.get_available_packet_count() > 0
			)
	)
	_check("open", peer.is_connected_to_host())
	_check("greeted", peer.get_packet().get_string_from_utf8() == "Hello from a RustWebSocketPeer.")
	peer.send_text("one")
	peer.send_text("two")
	var texts := PackedStringArray()
	await _until(
		func() -> bool:
			peer.poll()
			for packet in peer.get_packets():
				texts.append(packet.get_string_from_utf8())
			return texts.size() >= 2
	)
	_check("echoes", texts == PackedStringArray(["one", "two"]))
	peer.send_text("restart")
	await _until(
		func() -> bool:
			peer.poll()
			return peer.get_ready_state() == RustWebSocketPeer.STATE_CLOSED
	)
	_check("closed", peer.get_close_code() == 4012 and peer.get_close_reason() == "restarting")


func _play_multiplayer(url: String) -> void:
	player = RustWebSocketMultiplayerPeer.new()
	_check("no message before it has tried", player.get_error_message().is_empty())
	_check("is, multiplayer", player is RustWebSocketMultiplayerPeer)
	_check("create_client", player.create_client(url) == OK)
	_check("settings", player.heartbeat_interval == 0.0 and player.get_local_port() == 0)
	await _until(
		func() -> bool:
			player.poll()
			return player.get_connection_status() == MultiplayerPeer.CONNECTION_CONNECTED
	)
	var server: RustWebSocketPeer = player.get_peer(1)
	_check("the server's peer", server is RustWebSocketPeer and server == player.get_peer(1))
	_check(
		"its members", server.get_statistics().has("bytes_out") and server.get_error_message() == ""
	)
	player.set_target_peer(1)
	player.put_packet("hello".to_utf8_buffer())
	var packets: Array[PackedByteArray] = []
	await _until(
		func() -> bool:
			player.poll()
			packets.append_array(player.get_packets())
			return not packets.is_empty()
	)
	_check("the echo", packets[0].get_string_from_utf8() == "hello")
	_check("its sender", player.get_packets_peers() == PackedInt32Array([1]))
	await _close_another(url)
	player.put_packet("leave".to_utf8_buffer())
	await _until(_has_ended)
	_check("its end", player.get_close_code() == 1000 and player.get_error_message().is_empty())
	# The next session on the same object, which finds nobody. Nothing is asked until it has failed.
	player.create_client(OS.get_environment("WEB_DEAF_URL"))
	# A browser answers between frames; the engine's own sockets may at once.
	await get_tree().process_frame
	await _until(_has_ended)
	_check("it is not told the last one's", player.get_close_code() == -1)
	_check("it has a message", not player.get_error_message().is_empty())


## close() ends the connection although the object lives on.
func _close_another(url: String) -> void:
	var other := RustWebSocketMultiplayerPeer.new()
	other.create_client(url)
	await _until(
		func() -> bool:
			other.poll()
			return other.get_connection_status() == MultiplayerPeer.CONNECTION_CONNECTED
	)
	var news := "%d is gone" % other.get_unique_id()
	other.close()
	await _until(
		func() -> bool:
			player.poll()
			return player.get_packets().any(
				func(packet: PackedByteArray) -> bool:
					return packet.get_string_from_utf8() == news
			)
	)
	_check(
		"the server sees close()",
		other.get_connection_status() == MultiplayerPeer.CONNECTION_DISCONNECTED
	)


func _has_ended() -> bool:
	player.poll()
	return player.get_connection_status() == MultiplayerPeer.CONNECTION_DISCONNECTED


## Nobody listens there.
func _fail() -> void:
	var peer := RustWebSocketPeer.new()
	peer.connect_to_url("ws://127.0.0.1:1/")
	await _until(
		func() -> bool:
			peer.poll()
			return peer.get_ready_state() == RustWebSocketPeer.STATE_CLOSED
	)
	_check("a failure has a message", not peer.get_error_message().is_empty())


func _until(condition: Callable) -> void:
	var end := Time.get_ticks_msec() + 8000
	while not condition.call():
		if Time.get_ticks_msec() > end:
			print("WEB FAIL: it takes too long")
			get_tree().quit(1)
			return
		await get_tree().process_frame


func _check(what: String, condition: bool) -> void:
	print("WEB %s: %s" % ["ok" if condition else "FAIL", what])
