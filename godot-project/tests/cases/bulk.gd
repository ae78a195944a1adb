extends "res://tests/harness/case.gd"
## Taking many packets with one call, which the built-in does not have.


func test_peer() -> void:
	if not impl_is_ours():
		check(not new_ws().has_method("get_packets"), "the built-in has no such call")
		return
	var pair := client_with_raw_server()
	equal(pair.peer.get_packets(), _packets([]), "nothing yet")
	_say(pair.raw, ["a", "", "b", "c", "d"])
	check(until_packets(pair.peer, 5), "five packets arrive")
	equal(pair.peer.get_packets(0), _packets([]), "none asked for")
	equal(pair.peer.get_packets(3), _packets(["a", "", "b"]), "some")
	equal(pair.peer.get_available_packet_count(), 2, "the others wait")
	equal(pair.peer.get_packet(), "c".to_utf8_buffer(), "the next one")
	equal(pair.peer.get_packets(), _packets(["d"]), "the rest")
	equal(pair.peer.get_packets(), _packets([]), "nothing more")
	equal(new_ws().get_packets(), _packets([]), "a fresh peer, without an error")


## A full queue pauses reading; taking everything at once resumes it.
func test_peer_resumes_reading() -> void:
	if not impl_is_ours():
		check(true, "the built-in has no such call")
		return
	var pair := client_with_raw_server(func(peer: PacketPeer) -> void: peer.max_queued_packets = 4)
	var texts: Array = range(20).map(func(i: int) -> String: return str(i))
	_say(pair.raw, texts)
	var got := []
	until(func() -> bool:
		var packets: Array[PackedByteArray] = pair.peer.get_packets()
		check(packets.size() <= 4, "the limit holds")
		got.append_array(packets)
		return got.size() >= 20)
	equal(got.map(func(packet: PackedByteArray) -> String: return packet.get_string_from_utf8()),
		texts, "all, in order")


func test_multiplayer() -> void:
	if not impl_is_ours():
		check(not new_mp().has_method("get_packets"), "the built-in has no such call")
		return
	var session := mp_session(2)
	equal(session.server.get_packets(), _packets([]), "nothing yet")
	equal(session.server.get_packets_peers(), PackedInt32Array(), "and from nobody")
	session.clients[0].put_packet("a".to_utf8_buffer())
	check(until(func() -> bool: return session.server.get_available_packet_count() == 1),
		"the first arrives")
	session.clients[1].put_packet("b".to_utf8_buffer())
	session.clients[1].put_packet("c".to_utf8_buffer())
	check(until(func() -> bool: return session.server.get_available_packet_count() == 3), "all arrive")
	equal(session.server.get_packets(2), _packets(["a", "b"]), "two")
	equal(session.server.get_packets_peers(), PackedInt32Array([session.ids[0], session.ids[1]]),
		"their senders")
	equal(session.server.get_packets(), _packets(["c"]), "the rest")
	equal(session.server.get_packets_peers(), PackedInt32Array([session.ids[1]]), "its sender")
	equal(session.server.get_packets(), _packets([]), "nothing more")
	equal(session.server.get_packets_peers(), PackedInt32Array(), "and from nobody")


func _say(raw: RawPeer, texts: Array) -> void:
	for text: String in texts:
		raw.send_frame(0x82, text.to_utf8_buffer())


func _packets(texts: Array) -> Array[PackedByteArray]:
	var packets: Array[PackedByteArray] = []
	for text: String in texts:
		packets.append(text.to_utf8_buffer())
	return packets
