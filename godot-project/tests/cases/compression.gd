extends "res://tests/harness/case.gd"
## Compression (permessage-deflate), which only ours has; and that nobody sees anything of it who
## does not ask for it.

const EXTENSION := "Sec-WebSocket-Extensions"
const OFFER := ("permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
	+ "client_max_window_bits")
## "Hello", compressed without a context (RFC 7692 section 7.2.3.1).
const HELLO := [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]
const RSV1 := 0x40


## True where the classes under test compress; the others have nothing to show here.
func _compresses() -> bool:
	checks += 1
	return impl_is_ours() and other == impl


func _enable(client: Object, server: Object) -> void:
	client.compression = 1
	server.compression = 1


func _enable_one(peer: Object) -> void:
	peer.compression = 1


## Repeats itself, but not only.
func _json(count: int) -> PackedByteArray:
	var rows := []
	for i in count:
		rows.append({"id": i, "name": "player %d" % i, "position": [i * 0.5, i * 0.25, 0], "alive": true})
	return JSON.stringify(rows).to_utf8_buffer()


func test_default_is_off_on_the_wire() -> void:
	var asking := client_asking_raw()
	same("offer", asking.raw.header(EXTENSION), "")
	var pair := server_with_raw_client(Callable(),
		[EXTENSION + ": permessage-deflate; client_max_window_bits"])
	same("answer", pair.raw.header(EXTENSION), "")
	pair.peer.send(bytes(3000))
	var frame := {}
	check(until(func() -> bool:
		frame.merge(pair.raw.take_frame())
		return not frame.is_empty()), "a frame arrives")
	same("first_byte", frame.get("first"), 0x82)
	same("size", frame.get("payload", PackedByteArray()).size(), 3000)


func test_members_and_their_defaults() -> void:
	if not _compresses():
		return
	for peer: Object in [new_ws(), new_mp()]:
		equal([peer.compression, peer.compression_threshold, peer.compression_context_takeover],
			[0, 1024, false], "defaults")
		equal(peer.is_compression_active(), false, "active")
		equal([peer.COMPRESSION_DISABLED, peer.COMPRESSION_ENABLED], [0, 1], "constants")
		peer.compression = peer.COMPRESSION_ENABLED
		peer.compression_threshold = 0
		peer.compression_context_takeover = true
		equal([peer.compression, peer.compression_threshold, peer.compression_context_takeover],
			[1, 0, true], "changed")


func test_bad_values_are_refused() -> void:
	if not _compresses():
		return
	for peer: Object in [new_ws(), new_mp()]:
		for value: int in [2, -1]:
			expect_error("COMPRESSION_ENABLED, not %d" % value)
			peer.compression = value
		expect_error("compression_threshold must be")
		peer.compression_threshold = -1
		equal([peer.compression, peer.compression_threshold], [0, 1024], "kept")


func test_what_a_client_offers() -> void:
	if not _compresses():
		return
	var asking := client_asking_raw(_enable_one)
	equal(asking.raw.header(EXTENSION), OFFER, "offer")
	asking = client_asking_raw(func(peer: Object) -> void:
		peer.compression = 1
		peer.compression_context_takeover = true)
	equal(asking.raw.header(EXTENSION), "permessage-deflate; client_max_window_bits",
		"offer with context takeover")


func test_messages_both_ways() -> void:
	if not _compresses():
		return
	for takeover: bool in [false, true]:
		var pair := connect_pair(func(client: Object, server: Object) -> void:
			_enable(client, server)
			for peer: Object in [client, server]:
				peer.compression_context_takeover = takeover
				peer.inbound_buffer_size = 1 << 20
				peer.outbound_buffer_size = 1 << 20)
		equal([pair.client.is_compression_active(), pair.server.is_compression_active()], [true, true],
			"active")
		for count: int in [0, 3, 100, 4000]:
			var message := _json(count)
			for way: Array in [[pair.client, pair.server], [pair.server, pair.client]]:
				equal(way[0].send(message, TEXT), OK, "send")
				var got := receive(way[1], 1)
				check(got.size() == 1 and got[0] == message, "%d bytes arrive" % message.size())
				equal(way[1].was_string_packet(), true, "as text")
		pair.client.close()
		check(until_closed(pair.client) and until_closed(pair.server), "closed")
		equal([pair.client.is_compression_active(), pair.server.is_compression_active()], [false, false],
			"active when closed")
		unwatch(pair.client)
		unwatch(pair.server)


func test_one_side_without_compression() -> void:
	if not _compresses():
		return
	for which in 2:
		var pair := connect_pair(func(client: Object, server: Object) -> void:
			_enable_one([client, server][which]))
		equal([pair.client.is_compression_active(), pair.server.is_compression_active()], [false, false],
			"active")
		pair.client.put_packet(bytes(3000))
		pair.server.put_packet(bytes(3000))
		equal([receive(pair.server, 1).size(), receive(pair.client, 1).size()], [1, 1], "received")


func test_threshold() -> void:
	if not _compresses():
		return
	var pair := server_with_raw_client(_enable_one, [EXTENSION + ": permessage-deflate"])
	equal(pair.raw.header(EXTENSION),
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover", "answer")
	pair.peer.send(bytes(1023))
	pair.peer.send(bytes(1024))
	var firsts := []
	until(func() -> bool:
		var frame: Dictionary = pair.raw.take_frame()
		if not frame.is_empty():
			firsts.append([frame.first, frame.payload.size() < 100])
		return firsts.size() == 2)
	equal(firsts, [[0x82, false], [0x82 | RSV1, true]], "frames")


func test_an_unasked_answer_is_refused() -> void:
	if not _compresses():
		return
	for answer: String in ["permessage-deflate", "permessage-deflate; server_no_context_takeover; x",
			"other"]:
		var asking := client_asking_raw(_enable_one)
		asking.raw.accept_upgrade([EXTENSION + ": " + answer])
		check(until_closed(asking.peer), "closed")
		equal(ending(asking.peer), "CLOSED -1 \"\"", answer)
		check(not asking.peer.get_error_message().is_empty(), "there is an error message")


func test_compressed_frames_as_rfc_7692_has_them() -> void:
	if not _compresses():
		return
	var pair := server_with_raw_client(_enable_one, [EXTENSION + ": permessage-deflate"])
	pair.raw.send_frame(pair.raw.TEXT, PackedByteArray(HELLO), 0x80 | RSV1)
	pair.raw.send_frame(pair.raw.TEXT, PackedByteArray(HELLO.slice(0, 3)), RSV1)
	pair.raw.send_frame(pair.raw.PING, "between".to_utf8_buffer())
	pair.raw.send_frame(pair.raw.CONTINUATION, PackedByteArray(HELLO.slice(3)), 0x80)
	pair.raw.send_message("plain")
	equal(receive_text(pair.peer, 3), PackedStringArray(["Hello", "Hello", "plain"]), "messages")


func test_a_bomb_is_refused_at_the_limit() -> void:
	if not _compresses():
		return
	# 64 MiB of zeros in 64 KiB.
	var bomb := bytes(64 << 20, 0).compress(FileAccess.COMPRESSION_DEFLATE)
	bomb = bomb.slice(2, bomb.size() - 4) + PackedByteArray([0])
	var server := server_with_raw_client(_enable_one, [EXTENSION + ": permessage-deflate"])
	var before := OS.get_static_memory_usage()
	server.raw.send_frame(server.raw.BINARY, bomb, 0x80 | RSV1)
	check(until_closed(server.peer), "the server closes")
	equal(ending(server.peer), "CLOSED 1009 \"Message too big\"", "server")
	check(OS.get_static_memory_usage() - before < 8 << 20, "without much memory")
	var client := client_with_raw_server(_enable_one,
		[EXTENSION + ": permessage-deflate; server_no_context_takeover"])
	client.raw.send_frame(client.raw.BINARY, bomb, 0x80 | RSV1)
	check(until_closed(client.peer), "the client closes")
	equal(ending(client.peer), "CLOSED 1009 \"Message too big\"", "client")


func test_what_cannot_be_inflated() -> void:
	if not _compresses():
		return
	var pair := server_with_raw_client(_enable_one, [EXTENSION + ": permessage-deflate"])
	pair.raw.send_frame(pair.raw.BINARY, PackedByteArray([0xff, 0xff, 0xff]), 0x80 | RSV1)
	check(until_closed(pair.peer), "closed")
	equal(ending(pair.peer), "CLOSED 1007 \"Invalid frame payload data\"", "ending")


func test_multiplayer() -> void:
	if not _compresses():
		return
	for takeover: bool in [false, true]:
		var session := mp_session(3, func(peer: Object) -> void:
			peer.compression = 1
			peer.compression_context_takeover = takeover)
		equal(session.server.is_compression_active(), true, "server")
		equal(session.clients[0].is_compression_active(), true, "client")
		equal(session.server.get_peer(session.ids[0]).is_compression_active(), true,
			"one of the server's peers")
		var message := _json(200)
		for i in 5:
			session.server.set_target_peer(0)
			equal(session.server.put_packet(message), OK, "broadcast")
		session.clients[1].put_packet(message)
		for client in session.clients:
			check(until(func() -> bool: return client.get_available_packet_count() == 5), "five packets")
			for i in 5:
				check(client.get_packet() == message, "the packet is whole")
		check(until(func() -> bool: return session.server.get_available_packet_count() == 1),
			"a packet at the server")
		check(session.server.get_packet() == message, "the packet is whole")


func test_multiplayer_with_a_client_that_does_not_compress() -> void:
	if not _compresses():
		return
	var server := mp_server(_enable_one)
	var plain := mp_client(server)
	check(until(func() -> bool: return connected(plain)), "connected")
	equal([server.is_compression_active(), plain.is_compression_active()], [false, false], "active")
	var compressing := mp_client(server, _enable_one)
	check(until(func() -> bool: return connected(compressing)), "connected")
	equal([server.is_compression_active(), compressing.is_compression_active()], [true, true],
		"active")
	var message := _json(100)
	server.set_target_peer(0)
	server.put_packet(message)
	for client: MultiplayerPeer in [plain, compressing]:
		check(until(func() -> bool: return client.get_available_packet_count() == 1), "arrives")
		check(client.get_packet() == message, "whole")


## What SceneMultiplayer does with an RPC to everybody: the same packet, put for one peer after the
## other.
func test_the_same_for_many_is_compressed_once() -> void:
	if not _compresses():
		return
	for takes_over: bool in [false, true]:
		var session := mp_session(6, func(peer: Object) -> void:
			peer.compression = 1
			peer.compression_context_takeover = takes_over)
		var message := _json(100)
		for id in session.ids:
			session.server.set_target_peer(id)
			equal(session.server.put_packet(message), OK, "put_packet")
		for client in session.clients:
			check(until(func() -> bool: return client.get_available_packet_count() == 1), "arrives")
			check(client.get_packet() == message, "whole")
		var counted: Dictionary = session.server.get_statistics()
		equal([counted.compressed_out, counted.compressions], [6, 6 if takes_over else 1],
			"messages compressed, and how often that was work, takeover %s" % takes_over)
