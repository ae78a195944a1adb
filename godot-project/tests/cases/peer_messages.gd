extends "res://tests/harness/case.gd"
## Messages between two peers: kinds, sizes, limits, order, bursts.


func runs_mixed() -> bool:
	return true


func test_write_modes() -> void:
	var pair := connect_pair()
	for sender: PacketPeer in [pair.client, pair.server]:
		var receiver := pair.server if sender == pair.client else pair.client
		var side := "client" if sender == pair.client else "server"
		var message := "hello".to_utf8_buffer()
		sender.put_packet(message)
		sender.send(message)
		sender.send(message, BINARY)
		sender.send(message, TEXT)
		sender.send_text("hello")
		var kinds := PackedStringArray()
		if not check(until_packets(receiver, 5), "five packets arrive"):
			return
		for i in 5:
			var packet := receiver.get_packet()
			kinds.append("%s %s" % ["text" if receiver.was_string_packet() else "binary",
				packet.get_string_from_utf8()])
		same(side, kinds,
			PackedStringArray(["binary hello", "binary hello", "binary hello", "text hello", "text hello"]))


## A mode that does not exist counts as binary.
func test_unknown_write_mode() -> void:
	var pair := connect_pair()
	same("answer", pair.client.callv("send", [PackedByteArray([65]), 7]), OK)
	same("packet", receive_text(pair.server, 1), PackedStringArray(["A"]))
	same("string", pair.server.was_string_packet(), false)


## `was_string_packet` speaks of the packet that was handed out last, not of the one that arrived
## last.
func test_was_string_packet_follows_get_packet() -> void:
	var pair := connect_pair()
	pair.client.send_text("one")
	pair.client.put_packet("two".to_utf8_buffer())
	check(until_packets(pair.server, 2), "both arrive")
	same("before", pair.server.was_string_packet(), false)
	pair.server.get_packet()
	same("first", pair.server.was_string_packet(), true)
	pair.server.get_packet()
	same("second", pair.server.was_string_packet(), false)


func test_text_with_every_kind_of_character() -> void:
	var pair := connect_pair()
	var text := "ASCII, Ümläut, 漢字, 🚀, \u0001"
	pair.client.send_text(text)
	same("text", receive_text(pair.server, 1), PackedStringArray([text]))


## The engine itself answers `put_packet` of nothing, and sends nothing; `send` does send.
func test_empty_messages() -> void:
	var pair := connect_pair()
	same("put_packet", pair.client.put_packet(PackedByteArray()), OK)
	same("send", pair.client.send(PackedByteArray()), OK)
	same("send_text", pair.client.send_text(""), OK)
	pair.client.send_text("end")
	same("received", receive_text(pair.server, 3), PackedStringArray(["", "", "end"]))
	settle(0.02)
	same("left", pair.server.get_available_packet_count(), 0)


func test_variants() -> void:
	var pair := connect_pair()
	var value := {"name": "x", "list": [1, 2.5, Vector2(3, 4)]}
	same("answer", pair.client.put_var(value), OK)
	check(until_packets(pair.server, 1), "the packet arrives")
	same("value", pair.server.get_var(), value)


## Sizes around those where the frame header changes its form.
func test_every_length_form() -> void:
	var pair := connect_pair(func(client: Object, server: Object) -> void:
		for peer: Object in [client, server]:
			peer.inbound_buffer_size = 1 << 20
			peer.outbound_buffer_size = 1 << 20)
	for size: int in [1, 2, 3, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537, 200000]:
		var message := bytes(size, 33)
		message[size - 1] = 34
		equal(pair.client.put_packet(message), OK, "put_packet of %d" % size)
		var got := receive(pair.server, 1)
		if not check(got.size() == 1 and got[0] == message, "%d bytes arrive whole" % size):
			return
		pair.server.put_packet(got[0])
		got = receive(pair.client, 1)
		if not check(got.size() == 1 and got[0] == message, "%d bytes come back" % size):
			return
	saw("done", true)


func test_message_of_exactly_the_inbound_buffer_size() -> void:
	var pair := connect_pair(func(client: Object, server: Object) -> void:
		server.inbound_buffer_size = 1000
		client.outbound_buffer_size = 100000)
	pair.client.put_packet(bytes(1000))
	var got := receive(pair.server, 1)
	same("delivered", got.size() == 1 and got[0].size() == 1000, true)
	same("state", state_name(pair.server), "OPEN")


func test_message_over_the_inbound_buffer_size() -> void:
	var pair := connect_pair(func(client: Object, server: Object) -> void:
		server.inbound_buffer_size = 1000
		client.outbound_buffer_size = 100000)
	pair.client.put_packet(bytes(1001))
	check(until_closed(pair.server) and until_closed(pair.client), "both sides are closed")
	same("receiver", ending(pair.server), "CLOSED 1009 \"Message too big\"")
	same("sender", ending(pair.client), "CLOSED 1009 \"\"")


func test_message_over_the_outbound_buffer_size() -> void:
	var pair := connect_pair(func(client: Object, _server: Object) -> void:
		client.outbound_buffer_size = 1000)
	expect_error("outbound|buffer")
	same("answer", pair.client.put_packet(bytes(3000)), ERR_OUT_OF_MEMORY)
	same("state", state_name(pair.client), "OPEN")
	same("smaller", pair.client.put_packet(bytes(500)), OK)
	same("received", receive(pair.server, 1).size(), 1)


## The count limit pauses reading; what waits arrives later, in order.
func test_more_than_max_queued_packets_arrive() -> void:
	var pair := connect_pair(func(_client: Object, server: Object) -> void:
		server.max_queued_packets = 10)
	for i in 100:
		equal(pair.client.put_packet(numbered(i, 8)), OK, "put_packet %d" % i)
	settle(0.05)
	same("at_most_10", pair.server.get_available_packet_count() <= 10, true)
	var got := receive(pair.server, 100)
	same("count", got.size(), 100)
	same("in_order", in_order(got), true)


func test_more_than_the_inbound_buffer_holds_arrives() -> void:
	var pair := connect_pair(func(_client: Object, server: Object) -> void:
		server.inbound_buffer_size = 2000)
	for i in 100:
		equal(pair.client.put_packet(numbered(i, 900)), OK, "put_packet %d" % i)
	settle(0.05)
	same("at_most_3", pair.server.get_available_packet_count() <= 3, true)
	var got := receive(pair.server, 100)
	same("count", got.size(), 100)
	same("in_order", in_order(got), true)


## 3 800 KiB in one go, with no poll between: all taken, all delivered.
func test_burst_of_large_messages() -> void:
	var pair := connect_pair()
	var accepted := 0
	for i in 3800:
		if pair.client.put_packet(numbered(i, 1024)) == OK:
			accepted += 1
	same("accepted", accepted, 3800)
	var got := receive(pair.server, 3800)
	same("received", got.size(), 3800)
	same("in_order", in_order(got), true)


func test_burst_from_the_server() -> void:
	var pair := connect_pair()
	var accepted := 0
	for i in 3800:
		if pair.server.put_packet(numbered(i, 1024)) == OK:
			accepted += 1
	same("accepted", accepted, 3800)
	var got := receive(pair.client, 3800)
	same("received", got.size(), 3800)
	same("in_order", in_order(got), true)


func test_burst_of_small_messages() -> void:
	for limit: int in [4096, 10]:
		var pair := connect_pair(func(client: Object, server: Object) -> void:
			client.max_queued_packets = limit
			server.max_queued_packets = limit)
		var accepted := 0
		for i in 20000:
			if pair.client.put_packet(numbered(i, 64)) == OK:
				accepted += 1
		same("accepted_%d" % limit, accepted, 20000)
		var got := receive(pair.server, 20000)
		same("received_%d" % limit, got.size(), 20000)
		same("in_order_%d" % limit, in_order(got), true)
		pair.client.close(-1)
		unwatch(pair.client)
		unwatch(pair.server)


## Nobody reads on the other side: sending is refused once the machine's buffers are full, and
## nothing that was taken is lost.
func test_reader_that_does_not_read() -> void:
	var pair := connect_pair()
	unwatch(pair.server)
	var accepted := 0
	var refused := OK
	expect_error("outbound|buffer")
	for i in 40000:
		refused = pair.client.put_packet(numbered(i, 1024))
		if refused != OK:
			break
		accepted += 1
		if i % 64 == 0:
			pair.client.poll()
	same("refused_with", refused, ERR_OUT_OF_MEMORY)
	same("some_megabytes_taken", accepted > 1500 and accepted < 16000, true)
	same("state", state_name(pair.client), "OPEN")
	same("buffered", pair.client.get_current_outbound_buffered_amount() > 0, true)
	watch(pair.server)
	var got := receive(pair.server, accepted)
	same("nothing_lost", got.size() == accepted, true)
	same("in_order", in_order(got), true)
	until(func() -> bool: return pair.client.get_current_outbound_buffered_amount() == 0)
	same("buffered_at_the_end", pair.client.get_current_outbound_buffered_amount(), 0)
	same("sends_again", pair.client.put_packet(bytes(10)), OK)


## What is sent before the first poll after the handshake is not lost.
func test_both_sides_send_at_once() -> void:
	var pair := connect_pair()
	for i in 500:
		pair.client.put_packet(numbered(i, 100))
		pair.server.put_packet(numbered(i, 100))
	var at_server: Array[PackedByteArray] = []
	var at_client: Array[PackedByteArray] = []
	until(func() -> bool:
		while pair.server.get_available_packet_count() > 0:
			at_server.append(pair.server.get_packet())
		while pair.client.get_available_packet_count() > 0:
			at_client.append(pair.client.get_packet())
		return at_server.size() == 500 and at_client.size() == 500)
	same("counts", "%d %d" % [at_server.size(), at_client.size()], "500 500")
	same("in_order", in_order(at_server) and in_order(at_client), true)


## Nothing that a script can see changes without `poll`.
func test_packets_appear_in_poll_only() -> void:
	var pair := connect_pair()
	unwatch(pair.server)
	pair.client.put_packet(bytes(10))
	settle(0.03)
	same("before_poll", pair.server.get_available_packet_count(), 0)
	watch(pair.server)
	same("after_poll", until_packets(pair.server, 1), true)
	unwatch(pair.server)
	pair.client.close()
	settle(0.03)
	same("state_before_poll", state_name(pair.server), "OPEN")


func test_nothing_without_a_poll_of_the_sender() -> void:
	var pair := connect_pair()
	unwatch(pair.client)
	pair.client.put_packet("no poll".to_utf8_buffer())
	same("sent_at_once", receive_text(pair.server, 1), PackedStringArray(["no poll"]))


func test_messages_from_within_the_receiving_loop() -> void:
	var pair := connect_pair()
	pair.client.send_text("0")
	var rounds := [0]
	until(func() -> bool:
		for peer: PacketPeer in [pair.client, pair.server]:
			while peer.get_available_packet_count() > 0:
				rounds[0] = peer.get_packet().get_string_from_utf8().to_int() + 1
				peer.send_text(str(rounds[0]))
		return rounds[0] >= 50)
	same("rounds", rounds[0] >= 50, true)
