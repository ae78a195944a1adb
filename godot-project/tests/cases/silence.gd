extends "res://tests/harness/case.gd"
## Every mistake answers each time and prints once for each object and sentence; the runner counts
## the lines. The built-in prints each time.

const TIMES := 5


func test_mistakes_before_a_connection_print_once() -> void:
	if is_builtin():
		return
	var peer := new_ws()
	_each_time("The URL", func() -> int: return peer.connect_to_url("http://127.0.0.1/"),
		ERR_INVALID_PARAMETER)
	_each_time("TLS options", func() -> int:
		var options := TLSOptions.server(CryptoKey.new(), X509Certificate.new())
		return peer.connect_to_url("ws://127.0.0.1:1/", options), ERR_INVALID_PARAMETER)
	_each_time("accept_stream takes", func() -> int: return peer.accept_stream(null),
		ERR_INVALID_PARAMETER)
	_each_time("connection is not open", func() -> int: return peer.put_packet(bytes(1)), FAILED)
	_each_time("no packet", func() -> int:
		peer.get_packet()
		return peer.get_packet_error(), FAILED)
	_each_time("no connection", func() -> int:
		peer.set_no_delay(true)
		return OK, OK)
	for property: String in ["inbound_buffer_size", "max_queued_packets", "outbound_buffer_size",
		"heartbeat_interval",
			"connect_timeout", "close_timeout", "max_redirects", "tls_minimum_version"]:
		var before: Variant = peer.get(property)
		_each_time(property, func() -> int:
			peer.set(property, -1)
			return OK if peer.get(property) == before else FAILED, OK)
	peer.handshake_headers = PackedStringArray(["no colon"])
	_each_time("Handshake refused", func() -> int: return peer.connect_to_url("ws://127.0.0.1:1/"),
		ERR_INVALID_PARAMETER)


func test_mistakes_on_a_connection_print_once() -> void:
	if is_builtin():
		return
	var pair := client_with_raw_server()
	_each_time("has a connection already",
		func() -> int: return pair.peer.connect_to_url("ws://127.0.0.1:1/"), ERR_ALREADY_IN_USE)
	_each_time("larger than outbound_buffer_size",
		func() -> int: return pair.peer.put_packet(bytes(70000)), ERR_OUT_OF_MEMORY)
	unwatch(pair.raw)
	expect_error("outbound buffer is full")
	for i in 12000:
		pair.peer.put_packet(bytes(1024))
	check(pair.peer.get_statistics().sends_refused > TIMES + 100, "many were refused")
	expect_error("no close code")
	for i in TIMES:
		pair.peer.close(999)
	equal(state_name(pair.peer), "CLOSING", "after close(999)")


func test_mistakes_of_a_multiplayer_peer_print_once() -> void:
	if is_builtin():
		return
	var session := mp_session(1)
	var nobody := unknown_id(session)
	var port: int = session.server.get_meta("port")
	_each_time("in use already", func() -> int: return session.server.create_server(port),
		ERR_ALREADY_IN_USE)
	_each_time("no peer", func() -> int: return mp_send(session.server, nobody, "x"),
		ERR_INVALID_PARAMETER)
	# The same mistake by other calls: each names its call.
	_each_time("get_peer: there is no peer",
		func() -> int: return OK if session.server.get_peer(nobody) == null else FAILED, OK)
	_each_time("disconnect_peer: there is no peer", func() -> int:
		session.server.disconnect_peer(nobody)
		return OK, OK)
	_each_time("disconnect_peer_with_code: there is no peer", func() -> int:
		session.server.disconnect_peer_with_code(nobody, 4000)
		return OK, OK)
	_each_time("set_tls_options: this server listens without TLS", func() -> int:
		return session.server.set_tls_options(null), ERR_UNAVAILABLE)
	_each_time("get_peer_address: there is no peer", func() -> int:
		return OK if session.server.get_peer_address(nobody) == "" else FAILED, OK)
	var idle := new_mp()
	_each_time("put_packet: this multiplayer peer is not connected",
		func() -> int: return idle.put_packet(bytes(1)), ERR_UNCONFIGURED)
	_each_time("get_packet: this multiplayer peer is not connected", func() -> int:
		idle.get_packet()
		return idle.get_packet_error(), ERR_UNCONFIGURED)
	_each_time("create_server", func() -> int: return idle.create_server(70000), ERR_INVALID_PARAMETER)
	for property: String in ["inbound_buffer_size", "handshake_timeout", "close_timeout"]:
		_each_time(property, func() -> int:
			idle.set(property, 0)
			return OK, OK)
	for property: String in ["max_clients", "max_clients_per_address", "max_redirects",
			"tls_client_auth"]:
		_each_time(property + " must", func() -> int:
			idle.set(property, -2)
			return OK, OK)
	for property: String in ["allowed_origins", "trusted_proxies"]:
		_each_time(property + " keeps", func() -> int:
			idle.set(property, PackedStringArray(["nowhere"]))
			return OK, OK)


## Connecting, talking and leaving in every usual way, and failing to connect, are no mistakes.
func test_usual_life_prints_nothing() -> void:
	if is_builtin():
		return
	var pair := connect_pair()
	for i in 50:
		pair.client.put_packet(bytes(100))
		pair.server.send_text("text")
	check(until_packets(pair.server, 50) and until_packets(pair.client, 50), "all arrives")
	while pair.client.get_available_packet_count() > 0:
		pair.client.get_packet()
	pair.client.get_packet()
	equal(pair.client.get_packet_error(), ERR_UNAVAILABLE, "nothing more")
	pair.client.close()
	check(until_closed(pair.client) and until_closed(pair.server), "closed")
	pair.client.poll()
	pair.client.close()
	for leave: int in [1000, -1, 0, 4000]:
		var other_pair := connect_pair()
		other_pair.server.close(leave)
		check(until_closed(other_pair.client) and until_closed(other_pair.server),
			"closed with %d" % leave)
	var lost: PacketPeer = watch(new_ws())
	lost.connect_to_url("ws://127.0.0.1:%d/" % free_port())
	check(until_closed(lost), "nobody listens")
	var session := mp_session(3)
	mp_send(session.server, 0, "all")
	mp_send(session.clients[0], 1, "server")
	settle(0.02)
	session.clients[0].close()
	session.server.disconnect_peer(session.ids[1])
	check(until(func() -> bool: return disconnected(session.clients[1])), "sent away")
	session.server.close()
	check(until(func() -> bool: return disconnected(session.clients[2])), "the server is gone")
	session.server.close()
	session.server.poll()


## A connection is lost between two polls: a script that goes on sending could not know.
func test_sending_into_an_unseen_loss_prints_nothing() -> void:
	if is_builtin():
		return
	var pair := client_with_raw_server()
	unwatch(pair.peer)
	pair.raw.close()
	OS.delay_msec(50)
	equal(state_name(pair.peer), "OPEN", "until the next poll")
	for i in TIMES:
		pair.peer.put_packet(bytes(1))
	check(pair.peer.put_packet(bytes(1)) in [OK, FAILED], "the answer")
	var session := mp_session(1)
	unwatch(session.clients[0])
	session.server.close()
	OS.delay_msec(50)
	for i in TIMES:
		equal(mp_send(session.clients[0], 1, "x"), OK, "to a server that is gone")


## Calls again and again: one line, the same answer each time.
func _each_time(line: String, mistake: Callable, answer: int) -> void:
	expect_error(line)
	for i in TIMES:
		equal(mistake.call(), answer, "%s, call %d" % [line, i])
