extends "res://tests/harness/request_case.gd"
## What a server's `get_statistics()` tells of those who came to it.

const KEYS: Array[String] = ["connections", "connections_total", "handshakes_pending",
	"handshakes_failed", "requests_answered", "refused_full", "refused_address", "refused_origin",
	"refused_timeout"]


func test_who_came_to_a_multiplayer_server() -> void:
	if is_builtin():
		return
	var server := mp_server()
	_everything_that_can_happen(server)
	var client: MultiplayerPeer = watch(new_mp())
	client.create_client("ws://127.0.0.1:%d" % server.get_local_port())
	check(not client.get_statistics().has("connections"), "a client has no such counts")
	check(until(func() -> bool: return connected(client)), "one is in")
	equal(_counts(server).slice(0, 2), [1, 2], "one now, two in all")
	server.close()
	check(until(func() -> bool: return _counts(server)[0] == 0), "closed")
	equal(_counts(server)[1], 2, "they stay readable")


func test_who_came_to_a_server_of_peers() -> void:
	if is_builtin():
		return
	var server := new_server()
	_everything_that_can_happen(server)
	var port: int = server.get_local_port()
	var client: PacketPeer = watch(new_ws())
	client.connect_to_url("ws://127.0.0.1:%d" % port)
	check(until(server.is_connection_available), "one waits to be taken")
	equal(_counts(server).slice(0, 2), [1, 2], "it is in")
	var taken: PacketPeer = watch(server.take_connection())
	check(until(func() -> bool: return state(client) == OPEN), "the client knows")
	client.send_text("hello")
	check(until(func() -> bool: return server.get_statistics().unread_messages == 1), "unread")
	unwatch(server)
	server.stop()
	equal(_counts(server).slice(0, 2), [1, 2], "who was taken lives on")
	equal(server.listen(0, ANY_ADDRESS), OK, "listen again")
	watch(server)
	var second: PacketPeer = watch(new_ws())
	second.connect_to_url("ws://127.0.0.1:%d" % server.get_local_port())
	check(until(server.is_connection_available), "another")
	equal(_counts(server).slice(0, 2), [2, 3], "sums")
	client.close()
	check(until_closed(taken), "one leaves")
	check(until(func() -> bool: return _counts(server)[0] == 1), "and is not counted any more")


func test_rooms_count_their_own() -> void:
	if is_builtin():
		return
	var server := new_server()
	var room: MultiplayerPeer = watch(new_mp())
	room.create_server_from(server, "/room")
	room.max_clients = 1
	var client: MultiplayerPeer = watch(new_mp())
	client.create_client("ws://127.0.0.1:%d/room" % server.get_local_port())
	check(until(func() -> bool: return connected(client)), "in the room")
	equal(status(ask_upgrade(server, "/room")), "HTTP/1.1 503 Service Unavailable", "full")
	equal(status(ask_upgrade(server, "/nowhere")), "HTTP/1.1 404 Not Found", "no room")
	check(until(func() -> bool: return _counts(server)[3] == 1), "no room is a failed handshake")
	equal(_counts(room), [1, 1, 0, 0, 0, 1, 0, 0, 0], "of the room")
	equal(_counts(server), [1, 1, 0, 1, 0, 1, 0, 0, 0], "of its server")


## Each way in which a request can end, with nobody in at the end and one who has been.
func _everything_that_can_happen(server: RefCounted) -> void:
	equal(_counts(server), [0, 0, 0, 0, 0, 0, 0, 0, 0], "nobody yet")
	var raw := connect_raw(server)
	check(until(func() -> bool: return _counts(server)[2] == 1), "one has not asked yet")
	raw.send_ascii("nonsense\r\n\r\n")
	check(until(func() -> bool: return _counts(server)[2] == 0), "refused")
	server.allowed_origins = ["https://game.example"]
	status(ask_upgrade(server, "/", ["Origin: https://bad.example"]))
	server.max_clients = 0
	status(ask_upgrade(server))
	ask_upgrade(server, "/", ["Origin: https://game.example"])
	check(until(func() -> bool: return _counts(server)[5] == 2), "a browser is refused with a code")
	server.max_clients = -1
	server.max_clients_per_address = 0
	status(ask_upgrade(server))
	server.max_clients_per_address = -1
	server.request_callback = keep_request
	server.request_timeout = 0.1
	status(ask_upgrade(server))
	server.request_callback = func(request: RefCounted) -> void:
		match request.get_path():
			"/in": request.accept()
			"/away": request.refuse(4000)
			_: request.respond(200, "ok")
	equal(status(ask(server, "/health")), "HTTP/1.1 200 OK", "answered")
	ask_upgrade(server, "/away")
	var guest := ask_upgrade(server, "/in")
	check(until(func() -> bool: return _counts(server)[0] == 1), "one is in")
	if server.has_method("take_connection"):
		check(until(server.is_connection_available), "to be taken")
		watch(server.take_connection())
	guest.close()
	check(until(func() -> bool: return _counts(server)[0] == 0), "and gone")
	check(until(func() -> bool: return _counts(server)[2] == 0), "nothing is pending")
	server.request_callback = Callable()
	server.allowed_origins = []
	equal(_counts(server), [0, 1, 0, 1, 1, 2, 1, 1, 1], "each in its place")


func _counts(server: RefCounted) -> Array:
	var statistics: Dictionary = server.get_statistics()
	return KEYS.map(func(key: String) -> int: return statistics[key])
