extends "res://tests/harness/request_case.gd"
## Socket files in place of ports.

const SocketFiles := preload("res://tests/harness/socket_files.gd")


## Where the system has socket files, and the classes that know them.
func _is_elsewhere() -> bool:
	if is_builtin():
		return true
	if OS.get_name() == "Windows":
		expect_error("do not exist on this system")
		equal(new_ws().connect_to_url("ws+unix:/x"), ERR_UNAVAILABLE, "a client")
		expect_error("do not exist on this system")
		equal(new_mp().create_server(0, "unix:/x"), ERR_UNAVAILABLE, "a server")
		return true
	return false


func test_a_session_over_a_socket_file() -> void:
	if _is_elsewhere():
		return
	var path := SocketFiles.path()
	var server: MultiplayerPeer = watch(new_mp())
	equal(server.create_server(0, "unix:" + path), OK, "create_server")
	equal([server.get_local_port(), _is_there(path)], [0, true], "the file")
	var client: MultiplayerPeer = watch(new_mp())
	equal(client.create_client("ws+unix:%s:/room?x=1" % path), OK, "create_client")
	check(until(func() -> bool: return connected(client)), "connected")
	var id := client.get_unique_id()
	equal([server.get_peer_address(id), server.get_peer_port(id)], ["unix", 0], "its address")
	equal([client.get_peer_address(1), client.get_peer_port(1)], ["unix", 0], "the server's")
	equal(server.get_peer(id).get_requested_url(), "ws://localhost/room?x=1", "what was asked for")
	client.set_target_peer(1)
	client.put_packet(bytes(60_000))
	check(until(func() -> bool: return server.get_available_packet_count() == 1), "a large packet")
	equal(server.get_packet().size(), 60_000, "in one piece")
	server.set_target_peer(0)
	server.put_packet("to all".to_utf8_buffer())
	check(until(func() -> bool: return client.get_available_packet_count() == 1), "and back")
	server.close()
	check(not _is_there(path), "the file is gone with the server")
	check(until(func() -> bool: return disconnected(client)), "the client learns of it")


func test_a_server_of_peers_over_a_socket_file() -> void:
	if _is_elsewhere():
		return
	var path := SocketFiles.path()
	var server: RefCounted = ClassDB.instantiate("RustWebSocketServer")
	equal(server.listen(0, "unix:" + path), OK, "listen")
	watch(server)
	var client: PacketPeer = watch(new_ws())
	equal(client.connect_to_url("ws+unix:" + path), OK, "connect_to_url")
	check(until(server.is_connection_available), "in")
	var taken: PacketPeer = watch(server.take_connection())
	check(until(func() -> bool: return state(client) == OPEN), "open")
	equal([client.get_connected_host(), client.get_connected_port(), taken.get_connected_host()],
		["unix", 0, "unix"], "addresses")
	client.send_text("hello")
	equal(receive_text(taken, 1), PackedStringArray(["hello"]), "a message")
	server.max_clients_per_address = 1
	var second: PacketPeer = watch(new_ws())
	second.connect_to_url("ws+unix:" + path)
	check(until_closed(second), "all that comes by socket files is one address")
	equal(second.get_handshake_response_code(), 429, "too many")
	unwatch(server)
	server.stop()
	check(not _is_there(path), "the file is gone")
	taken.close(4000)
	check(until_closed(client), "who was taken lives on")
	equal(client.get_close_code(), 4000, "until it is closed")


func test_files_that_are_there_already() -> void:
	if _is_elsewhere():
		return
	var path := SocketFiles.path()
	var first := new_mp()
	equal(first.create_server(0, "unix:" + path), OK, "a server")
	var second := new_mp()
	expect_error("somebody listens on that socket file already")
	equal(second.create_server(0, "unix:" + path), ERR_ALREADY_IN_USE, "in use")
	# A process that was killed leaves its file behind.
	DirAccess.rename_absolute(path, path + "_left")
	first.close()
	equal(second.create_server(0, "unix:" + path + "_left"), OK, "nobody listens there any more")
	second.close()
	FileAccess.open(path, FileAccess.WRITE).store_string("precious")
	expect_error("the file there is no socket, and stays")
	equal(second.create_server(0, "unix:" + path), ERR_INVALID_PARAMETER, "another file")
	equal(FileAccess.get_file_as_string(path), "precious", "it stays")
	DirAccess.remove_absolute(path)
	for bad: String in ["unix:", "unix:relative.sock"]:
		expect_error("absolute path of a socket file")
		equal(second.create_server(0, bad), ERR_INVALID_PARAMETER, bad)
	expect_error("the socket file cannot be made")
	equal(second.create_server(0, "unix:/nonexistent/folder/x"), ERR_INVALID_PARAMETER, "no folder")
	expect_error("the socket file cannot be made")
	equal(second.create_server(0, "unix:/" + "x".repeat(200)), ERR_INVALID_PARAMETER, "too long")


func test_clients_whom_nobody_answers() -> void:
	if _is_elsewhere():
		return
	var client: PacketPeer = watch(new_ws())
	equal(client.connect_to_url("ws+unix:" + SocketFiles.path()), OK, "no file")
	check(until_closed(client), "closed")
	check("the connection to the socket file failed" in client.get_error_message(),
		client.get_error_message())
	for bad: String in ["ws+unix:", "ws+unix:relative"]:
		expect_error("names a socket file by its absolute path")
		equal(client.connect_to_url(bad), ERR_INVALID_PARAMETER, bad)


func test_a_proxy_that_comes_by_a_socket_file() -> void:
	if _is_elsewhere() or not ClassDB.class_exists("StreamPeerUDS"):
		return
	var path := SocketFiles.path()
	var server: MultiplayerPeer = watch(new_mp())
	server.trusted_proxies = ["unix"]
	server.create_server(0, "unix:" + path)
	var ids: Array[int] = []
	server.peer_connected.connect(func(id: int) -> void: ids.append(id))
	var proxy: StreamPeer = ClassDB.instantiate("StreamPeerUDS")
	equal(proxy.connect_to_host(path), OK, "connect")
	proxy.poll()
	proxy.put_data(RawPeer.upgrade_request("/", ["X-Forwarded-For: 203.0.113.7",
		"X-Forwarded-Proto: https"]).to_ascii_buffer())
	check(until(func() -> bool: return ids.size() == 1), "in")
	equal([server.get_peer_address(ids[0]), server.get_peer_port(ids[0])], ["203.0.113.7", 0],
		"the client's address")
	check(server.get_peer(ids[0]).get_requested_url().begins_with("wss://"), "by TLS")
	proxy.disconnect_from_host()


## FileAccess opens no sockets, so that it does not see them.
func _is_there(path: String) -> bool:
	var folder := DirAccess.open(path.get_base_dir())
	folder.include_hidden = true
	return path.get_file() in folder.get_files() or FileAccess.file_exists(path)
