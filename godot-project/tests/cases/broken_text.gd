extends "res://tests/harness/case.gd"
## Strings and bytes that are no text: half of an emoji, as UTF-16 text has it that was cut, and
## bytes sent as text. Nothing of it may reach the other side, which would have to end the
## connection.


func _halves() -> Dictionary:
	return {
		"first_half": PackedByteArray([0x61, 0, 0x01, 0xD8]).get_string_from_utf16(),
		"second_half": PackedByteArray([0x01, 0xDC, 0x62, 0]).get_string_from_utf16(),
	}


func test_half_of_an_emoji_in_a_url() -> void:
	for half: String in _halves():
		var text: String = _halves()[half]
		var urls := {
			"host": "ws://%s:1/" % text,
			"path": "ws://127.0.0.1:1/" + text,
			"query": "ws://127.0.0.1:1/?name=" + text,
		}
		for key: String in urls:
			if check(true, "") and impl_is_ours():
				expect_error("utf-16")
				var peer := new_ws()
				equal(peer.connect_to_url(urls[key]), ERR_INVALID_PARAMETER, half + " in the " + key)
				equal(state_name(peer), "CLOSED", "state")
				expect_error("utf-16")
				equal(new_mp().create_client(urls[key]), ERR_INVALID_PARAMETER,
					half + " in the %s of a multiplayer client" % key)


func test_half_of_an_emoji_elsewhere() -> void:
	for half: String in _halves():
		if not check(true, "") or not impl_is_ours():
			continue
		var text: String = _halves()[half]
		for property: String in ["handshake_headers", "supported_protocols"]:
			var lines := PackedStringArray(["chat", text])
			if property == "handshake_headers":
				lines = PackedStringArray(["X-A: 1", "X-Name: " + text])
			var peers: Array[Object] = [new_ws(), new_ws(), new_mp(), new_mp()]
			for peer in peers:
				peer.set(property, lines)
				equal(peer.get(property).size(), 2, "entries")
				expect_error(property)
			var stream := StreamPeerTCP.new()
			stream.connect_to_host(ANY_ADDRESS, listen().get_local_port())
			equal([peers[0].connect_to_url("ws://127.0.0.1:1/"), peers[1].accept_stream(stream),
				peers[2].create_client("ws://127.0.0.1:1/"),
				peers[3].create_server(free_port(), ANY_ADDRESS)], [31, 31, 31, 31], half + " in " + property)
			peers[0].set(property, PackedStringArray())
			equal(peers[0].connect_to_url("ws://127.0.0.1:1/"), OK, "without it")
		expect_error("address")
		equal(new_mp().create_server(free_port(), text), ERR_INVALID_PARAMETER, half + " in the address")
		expect_error("common name")
		var options := TLSOptions.client(null, text)
		equal(new_ws().connect_to_url("wss://127.0.0.1:1/", options), ERR_INVALID_PARAMETER,
			half + " in a TLS name")


func test_half_of_an_emoji_in_a_message() -> void:
	for half: String in _halves():
		for from: String in ["client", "server"]:
			var pair := connect_pair()
			var sender: PacketPeer = pair.get(from)
			var receiver: PacketPeer = pair.server if from == "client" else pair.client
			if impl_is_ours():
				expect_error("utf-16")
			allow_error("utf")
			allow_error("utf")
			var key := "%s_from_the_%s" % [half, from]
			ours(key, impl_is_ours(), sender.send_text(_halves()[half]), ERR_INVALID_PARAMETER)
			sender.send_text("whole 🎮")
			var got := receive_text(receiver, 1, 4.0 if impl_is_ours() else 0.5)
			ours(key + "_got", impl_is_ours(), got, PackedStringArray(["whole 🎮"]))
			_drop(pair)


## Whoever closes is rid of the connection: the code is sent, without the reason.
func test_half_of_an_emoji_in_a_close_reason() -> void:
	for half: String in _halves():
		for reason: String in [_halves()[half], _halves()[half].repeat(80)]:
			for from: String in ["client", "server"]:
				var pair := connect_pair()
				var closer: PacketPeer = pair.get(from)
				if impl_is_ours():
					expect_error("utf-16")
				allow_error("utf")
				allow_error("utf")
				closer.close(4001, reason)
				var both := func() -> bool: return state(pair.client) == CLOSED and state(pair.server) == CLOSED
				var is_closed := until(both, 4.0 if impl_is_ours() else 0.5)
				if check(true, "") and impl_is_ours():
					check(is_closed, "both are closed")
					equal(ending(pair.client), "CLOSED 4001 \"\"", "the client's ending")
					equal(ending(pair.server), "CLOSED 4001 \"\"", "the server's ending")
				_drop(pair)


## Bytes of a picture, say, by mistake.
func test_bytes_sent_as_text() -> void:
	for hex: String in ["61ff", "c3", "eda081"]:
		var bytes_sent := hex.hex_decode()
		for from: String in ["client", "server"]:
			var pair := connect_pair()
			var sender: PacketPeer = pair.get(from)
			var receiver: PacketPeer = pair.server if from == "client" else pair.client
			if impl_is_ours():
				expect_error("utf-8")
			allow_error("utf-8")
			var key := "%s_from_the_%s" % [hex, from]
			ours(key, impl_is_ours(), sender.send(bytes_sent, TEXT), ERR_INVALID_PARAMETER)
			if impl_is_ours():
				sender.set_write_mode(TEXT)
				equal(sender.put_packet(bytes_sent), ERR_INVALID_PARAMETER, "put_packet")
				equal(sender.put_packet("ü".to_utf8_buffer()), OK, "text through put_packet")
				equal(receive_text(receiver, 1), PackedStringArray(["ü"]), "what arrives")
				equal(receiver.was_string_packet(), true, "as text")
				equal(sender.send(bytes_sent), OK, "as bytes")
				equal(receive(receiver, 1), [bytes_sent] as Array[PackedByteArray], "the same as bytes")
			_drop(pair)


## The same through a multiplayer peer whose connection sends text.
func test_bytes_sent_as_text_by_a_multiplayer_peer() -> void:
	if not check(true, "") or not impl_is_ours() or other != "rust":
		return
	var session := mp_session(1)
	for side: Object in [session.server, session.clients[0]]:
		var id: int = session.ids[0] if side == session.server else 1
		side.get_peer(id).set_write_mode(TEXT)
		expect_error("utf-8")
		side.set_target_peer(id)
		equal(side.put_packet(PackedByteArray([0xff])), ERR_INVALID_PARAMETER, "put_packet")
		equal(side.put_packet("ü".to_utf8_buffer()), OK, "text")
	equal(mp_receive(session.clients[0], 1), PackedStringArray(["1 ü"]), "at the client")
	equal(mp_receive(session.server, 1), PackedStringArray(["A ü"]), "at the server")


func _drop(pair: Pair) -> void:
	for peer: PacketPeer in [pair.client, pair.server]:
		peer.close(-1)
		unwatch(peer)
