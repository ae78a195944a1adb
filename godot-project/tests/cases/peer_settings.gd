extends "res://tests/harness/case.gd"
## When a changed setting takes effect.


func test_outbound_buffer_size_works_at_once() -> void:
	var pair := connect_pair()
	expect_error("outbound|buffer")
	pair.client.outbound_buffer_size = 100
	same("refused", pair.client.put_packet(bytes(200)), ERR_OUT_OF_MEMORY)
	pair.client.outbound_buffer_size = 10000
	same("taken", pair.client.put_packet(bytes(200)), OK)
	same("received", receive(pair.server, 1).size(), 1)


## No limit; the message is larger than the default would take.
func test_outbound_buffer_size_of_zero_is_no_limit() -> void:
	var pair := connect_pair(func(client: Object, server: Object) -> void:
		client.outbound_buffer_size = 0
		server.inbound_buffer_size = 1 << 20)
	same("answer", pair.client.put_packet(bytes(300000)), OK)
	var got := receive(pair.server, 1)
	same("received", got.size() == 1 and got[0].size() == 300000, true)


## Without a limit and with nobody reading, the built-in takes everything; ours ends at 8 MiB beyond
## the machine's buffers.
func test_no_outbound_limit_has_a_cap() -> void:
	var pair := connect_pair(func(client: Object, _server: Object) -> void:
		client.outbound_buffer_size = 0)
	unwatch(pair.server)
	expect_error("outbound|buffer")
	var refused := OK
	for i in 500:
		refused = pair.client.put_packet(bytes(60000))
		if refused != OK:
			break
	ours("answer", impl_is_ours(), refused, ERR_OUT_OF_MEMORY)
	same("state", state_name(pair.client), "OPEN")
	pair.client.close(-1)


func test_inbound_buffer_size_works_from_the_next_handshake() -> void:
	var pair := connect_pair(func(_client: Object, server: Object) -> void:
		server.inbound_buffer_size = 1000)
	pair.server.inbound_buffer_size = 4000
	pair.client.put_packet(bytes(2000))
	check(until_closed(pair.server), "the old limit still holds")
	same("ending", ending(pair.server), "CLOSED 1009 \"Message too big\"")
	var tcp := listen()
	unwatch(pair.client)
	var client: PacketPeer = watch(new_ws())
	client.connect_to_url("ws://127.0.0.1:%d/" % tcp.get_local_port())
	pair.server.accept_stream(take(tcp))
	check(until(func() -> bool: return state(client) == OPEN), "open again")
	client.put_packet(bytes(2000))
	same("received", receive(pair.server, 1).size(), 1)


func test_incoming_max_queued_packets_works_from_the_next_handshake() -> void:
	var pair := connect_pair(func(_client: Object, server: Object) -> void:
		server.max_queued_packets = 5)
	pair.server.max_queued_packets = 100
	for i in 50:
		pair.client.put_packet(numbered(i, 8))
	settle(0.03)
	same("at_most_5", pair.server.get_available_packet_count() <= 5, true)
	same("all_in_the_end", receive(pair.server, 50).size(), 50)


func test_handshake_settings_do_not_touch_an_open_connection() -> void:
	var pair := connect_pair()
	pair.client.supported_protocols = PackedStringArray(["later"])
	pair.client.handshake_headers = PackedStringArray(["X-Later: 1"])
	pair.client.send_text("still here")
	same("received", receive_text(pair.server, 1), PackedStringArray(["still here"]))
	same("protocol", pair.client.get_selected_protocol(), "")
