extends "res://tests/harness/case.gd"
## Faults of the built-in multiplayer peer that ours does not have: seen on both, checked on ours.


## One client does not read: its refusal comes back, is printed once, and the others get everything.
func test_refusal_of_one_client_is_answered() -> void:
	var session := mp_session(1)
	var raw := mp_raw_client(session.server)
	until(func() -> bool: return session.server_events.size() == 2)
	unwatch(raw)
	session.server.set_target_peer(0)
	expect_error("outbound|buffer|full")
	var refused := 0
	var sent := 0
	var got: Array[PackedByteArray] = []
	for i in 8000:
		if session.server.put_packet(numbered(i, 1024)) != OK:
			refused += 1
		sent += 1
		# The reader keeps up, so that only the other one is refused, however slow the machine.
		if i % 50 == 0 or refused > 0:
			got.append_array(receive(session.clients[0], sent - got.size()))
		if refused > 20:
			break
	ours("refused", impl_is_ours(), refused > 0, true)
	got.append_array(receive(session.clients[0], sent - got.size()))
	ours("reader_got_all", impl_is_ours(), got.size() == sent and in_order(got), true)


## The multiplayer peer of ours has a heartbeat, too.
func test_heartbeat_of_a_multiplayer_peer() -> void:
	var server := mp_server(func(peer: Object) -> void:
		if "heartbeat_interval" in peer:
			peer.set("heartbeat_interval", 0.05))
	var raw := mp_raw_client(server)
	until(func() -> bool: return raw.received.size() >= 6)
	raw.take_frame()
	until(func() -> bool: return raw.received.size() >= 2, 2.0 if impl_is_ours() else 0.15)
	ours("frames", impl_is_ours(), raw.take_frames(), PackedStringArray(["ping:"]))


## As many clients as a game's start brings at once.
func test_many_clients_at_once() -> void:
	var server := mp_server()
	unwatch(server)
	var clients: Array[MultiplayerPeer] = []
	for i in 60:
		clients.append(mp_client(server))
	var frames := 0
	var inside := func() -> int: return clients.filter(connected).size()
	while frames < 20 and inside.call() < 60:
		server.poll()
		poll()
		OS.delay_msec(5)
		frames += 1
	ours("in_after_20_polls", impl_is_ours(), inside.call() == 60, true)


func test_ports_that_do_not_exist() -> void:
	for port: int in [-1, 70000]:
		var peer := new_mp()
		expect_error("port")
		ours("port_%d" % port, impl_is_ours(), peer.create_server(port, ANY_ADDRESS),
			ERR_INVALID_PARAMETER)
		peer.close()


func test_settings_that_make_no_sense_are_refused() -> void:
	var peer := new_mp()
	for entry: Array in [["inbound_buffer_size", 0], ["max_queued_packets", 0],
			["outbound_buffer_size", -1]]:
		var before: int = peer.get(entry[0])
		expect_error(entry[0])
		peer.set(entry[0], entry[1])
		ours("%s_%d" % entry, impl_is_ours(), peer.get(entry[0]), before)


func test_headers_with_line_breaks_are_refused() -> void:
	var peer := new_mp()
	peer.handshake_headers = PackedStringArray(["X-A: 1\r\nX-Injected: 2"])
	expect_error("header")
	allow_error("header")
	ours("client", impl_is_ours(), peer.create_client("ws://127.0.0.1:%d" % free_port()),
		ERR_INVALID_PARAMETER)
	peer.close()


## A subprotocol that the server does not know of does not keep a client out when the server lists
## none.
func test_client_with_a_subprotocol_at_a_server_without() -> void:
	var server := mp_server()
	var raw: RawPeer = watch(RawPeer.connect_to(server.get_meta("port")))
	until(raw.is_connected_now)
	raw.ask_upgrade("/", PackedStringArray(["Sec-WebSocket-Protocol: game"]))
	until(func() -> bool: return not raw.head().is_empty() or raw.ended, 1.0)
	ours("answer", impl_is_ours(), raw.head_lines()[0].left(12), "HTTP/1.1 101")


## Packets and a close frame in one piece: the packets come first, then the signal.
func test_packets_together_with_the_end() -> void:
	var server := mp_server()
	var events := PackedStringArray()
	record(server, func(event: String) -> void: events.append(event))
	var raw := mp_raw_client(server)
	until(func() -> bool: return raw.received.size() >= 6)
	unwatch(server)
	raw.send_bytes(raw.frame(RawPeer.TEXT, "last".to_utf8_buffer())
		+ raw.frame(RawPeer.TEXT, "words".to_utf8_buffer())
		+ raw.frame(RawPeer.CLOSE, RawPeer.close_payload(1000)))
	OS.delay_msec(20)
	var got := PackedStringArray()
	until(func() -> bool:
		server.poll()
		got.append_array(mp_take(server))
		return events.size() == 2)
	ours("got", impl_is_ours(), got, PackedStringArray(["A last", "A words"]))
	same("events", events, PackedStringArray(["connected A", "disconnected A"]))
