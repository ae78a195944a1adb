extends "res://tests/harness/case.gd"
## A peer before, between and after connections; its settings.


func test_fresh_peer() -> void:
	var peer := new_ws()
	same("ending", ending(peer), "CLOSED -1 \"\"")
	same("protocol", peer.get_selected_protocol(), "")
	same("url", peer.get_requested_url(), "")
	same("host", peer.get_connected_host(), "")
	same("port", peer.get_connected_port(), 0)
	same("packets", peer.get_available_packet_count(), 0)
	same("outbound", peer.get_current_outbound_buffered_amount(), 0)
	same("string", peer.was_string_packet(), false)
	same("packet_error", peer.get_packet_error(), OK)


func test_default_settings() -> void:
	var peer := new_ws()
	same("inbound", peer.inbound_buffer_size, 65535)
	same("outbound", peer.outbound_buffer_size, 65535)
	same("queue", peer.max_queued_packets, 4096)
	same("heartbeat", float(peer.heartbeat_interval), 0.0)
	same("headers", peer.handshake_headers, PackedStringArray())
	same("protocols", peer.supported_protocols, PackedStringArray())


func test_calls_on_a_closed_peer() -> void:
	var peer := new_ws()
	expect_error("open|closed|connect")
	same("put_packet", peer.put_packet(PackedByteArray([1])), FAILED)
	same("send", peer.send(PackedByteArray([1])), FAILED)
	same("send_text", peer.send_text("x"), FAILED)
	allow_error("open|closed|connect")
	same("get_packet", peer.get_packet(), PackedByteArray())
	same("get_packet_error", peer.get_packet_error(), FAILED)
	peer.poll()
	peer.close()
	peer.close(-1)
	same("ending", ending(peer), "CLOSED -1 \"\"")


## The documented loop asks for packets only while there are some; asking anyway is no error worth a
## line.
func test_get_packet_on_an_open_empty_peer() -> void:
	var pair := connect_pair()
	same("packet", pair.client.get_packet(), PackedByteArray())
	same("error", pair.client.get_packet_error(), ERR_UNAVAILABLE)
	same("count", pair.client.get_available_packet_count(), 0)


func test_negative_heartbeat_interval_is_refused() -> void:
	var peer := new_ws()
	peer.heartbeat_interval = 2
	expect_error("heartbeat")
	peer.heartbeat_interval = -1
	same("kept", float(peer.heartbeat_interval), 2.0)


func test_supported_protocols_are_stripped() -> void:
	var peer := new_ws()
	peer.supported_protocols = PackedStringArray([" a ", "b\t", "c"])
	same("protocols", peer.supported_protocols, PackedStringArray(["a", "b", "c"]))


## Changing the array that a getter gave does not change the peer.
func test_array_settings_are_copies() -> void:
	var peer := new_ws()
	peer.handshake_headers = PackedStringArray(["X-A: 1"])
	var headers: PackedStringArray = peer.get_handshake_headers()
	headers.append("X-B: 2")
	same("headers", peer.handshake_headers, PackedStringArray(["X-A: 1"]))
	peer.supported_protocols = PackedStringArray(["a"])
	var protocols: PackedStringArray = peer.get_supported_protocols()
	protocols.append("b")
	same("protocols", peer.supported_protocols, PackedStringArray(["a"]))


func test_connect_or_accept_while_in_use() -> void:
	var pair := client_asking_raw()
	expect_error("already|in use|connect_to_url")
	same("connect_while_connecting", pair.peer.connect_to_url("ws://127.0.0.1:1"), ERR_ALREADY_IN_USE)
	allow_error("already|in use|accept_stream")
	same("accept_while_connecting", pair.peer.accept_stream(StreamPeerTCP.new()), ERR_ALREADY_IN_USE)
	same("state_connecting", state_name(pair.peer), "CONNECTING")
	pair.raw.accept_upgrade()
	check(until(func() -> bool: return state(pair.peer) == OPEN), "opens none the less")
	same("connect_while_open", pair.peer.connect_to_url("ws://127.0.0.1:1"), ERR_ALREADY_IN_USE)
	same("accept_while_open", pair.peer.accept_stream(StreamPeerTCP.new()), ERR_ALREADY_IN_USE)
	same("state_open", state_name(pair.peer), "OPEN")


func test_accept_stream_of_nothing_or_of_another_kind() -> void:
	var peer := new_ws()
	expect_error("stream")
	same("null", peer.accept_stream(null), ERR_INVALID_PARAMETER)
	same("ending", ending(peer), "CLOSED -1 \"\"")
	allow_error("stream")
	ours("buffer", impl_is_ours(), peer.accept_stream(StreamPeerBuffer.new()), OK)


## A stream that is not connected is taken; the next poll finds out.
func test_accept_stream_of_an_unconnected_stream() -> void:
	var peer: PacketPeer = watch(new_ws())
	same("answer", peer.accept_stream(StreamPeerTCP.new()), OK)
	same("closed", until_closed(peer), true)
	same("ending", ending(peer), "CLOSED -1 \"\"")


func test_reuse_after_closed_forgets_the_old_connection() -> void:
	var pair := connect_pair(func(client: Object, server: Object) -> void:
		client.supported_protocols = PackedStringArray(["chat"])
		server.supported_protocols = PackedStringArray(["chat"]), "/old")
	pair.server.close(4001, "go")
	check(until_closed(pair.client), "closed by the server")
	same("before", "%s %s" % [ending(pair.client), pair.client.get_selected_protocol()],
		"CLOSED 4001 \"go\" chat")
	var tcp := listen()
	equal(pair.client.connect_to_url("ws://127.0.0.1:%d/new" % tcp.get_local_port()), OK,
		"connect_to_url again")
	same("after", ending(pair.client), "CONNECTING -1 \"\"")
	same("protocol", pair.client.get_selected_protocol(), "")
	same("url_is_new", pair.client.get_requested_url().ends_with("/new"), true)
	var server: PacketPeer = watch(new_ws(other))
	server.supported_protocols = PackedStringArray(["chat"])
	server.accept_stream(take(tcp))
	same("opens", until(func() -> bool: return state(pair.client) == OPEN), true)
	server.put_packet("hello".to_utf8_buffer())
	same("receives", receive_text(pair.client, 1), PackedStringArray(["hello"]))


func test_reuse_while_closing() -> void:
	var pair := client_with_raw_server()
	pair.peer.close(4000, "bye")
	same("closing", ending(pair.peer), "CLOSING -1 \"\"")
	var tcp := listen()
	same("answer", pair.peer.connect_to_url("ws://127.0.0.1:%d/" % tcp.get_local_port()), OK)
	same("after", ending(pair.peer), "CONNECTING -1 \"\"")
	var next: RawPeer = watch(RawPeer.new(take(tcp)))
	until(func() -> bool: return not next.head().is_empty())
	next.accept_upgrade()
	same("opens", until(func() -> bool: return state(pair.peer) == OPEN), true)


## A client can become a server's side, and the other way round.
func test_reuse_in_the_other_role() -> void:
	var pair := connect_pair()
	pair.client.close()
	check(until(func() -> bool: return state(pair.client) == CLOSED and state(pair.server) == CLOSED),
		"both closed")
	var tcp := listen()
	same("server_connects", pair.server.connect_to_url("ws://127.0.0.1:%d/" % tcp.get_local_port()),
		OK)
	same("client_accepts", pair.client.accept_stream(take(tcp)), OK)
	same("both_open",
		until(func() -> bool: return state(pair.client) == OPEN and state(pair.server) == OPEN), true)
	pair.client.send_text("from the new server")
	same("receives", receive_text(pair.server, 1), PackedStringArray(["from the new server"]))


func test_host_and_port_while_open() -> void:
	var pair := connect_pair()
	same("client_host", pair.client.get_connected_host(), "127.0.0.1")
	same("server_host", pair.server.get_connected_host(), "127.0.0.1")
	same("client_port_is_the_url's",
		pair.client.get_requested_url().contains(":%d/" % pair.client.get_connected_port()), true)
	same("server_sees_another_port",
		pair.server.get_connected_port() not in [0, pair.client.get_connected_port()], true)
	pair.client.set_no_delay(true)
	pair.server.set_no_delay(false)


func test_set_no_delay_on_a_closed_peer() -> void:
	var peer := new_ws()
	allow_error("no_delay|open|connect")
	peer.set_no_delay(true)
	same("ending", ending(peer), "CLOSED -1 \"\"")
