extends "res://tests/harness/case.gd"
## Peers that are created, polled and used on a script's own thread.


func runs_mixed() -> bool:
	return true


func test_socket_on_a_thread() -> void:
	var tcp := listen()
	var url := "ws://127.0.0.1:%d/" % tcp.get_local_port()
	var thread := Thread.new()
	thread.start(_echo_client.bind(ws_class(impl), url, 50))
	var server: PacketPeer = watch(new_ws(other))
	equal(server.accept_stream(take(tcp)), OK, "accept_stream")
	until(func() -> bool:
		while server.get_available_packet_count() > 0:
			server.put_packet(server.get_packet())
		return state(server) == CLOSED)
	var result: PackedStringArray = thread.wait_to_finish()
	same("client", result, PackedStringArray(["50 echoes", "CLOSED 1000"]))
	same("server", ending(server), "CLOSED 1000 \"\"")


func test_multiplayer_on_a_thread() -> void:
	var server := mp_server()
	var thread := Thread.new()
	thread.start(_multiplayer_client.bind(mp_class(impl), "ws://127.0.0.1:%d"
		% server.get_meta("port")))
	until(func() -> bool:
		server.set_target_peer(0)
		while server.get_available_packet_count() > 0:
			server.put_packet(server.get_packet())
		return not thread.is_alive())
	same("client", thread.wait_to_finish(), "20 echoes")


## A peer of the main thread that a worker polls while the main thread leaves it alone.
func test_peer_handed_to_a_thread() -> void:
	var pair := connect_pair()
	unwatch(pair.client)
	pair.server.send_text("for the thread")
	var thread := Thread.new()
	thread.start(_receive_one.bind(pair.client))
	until(func() -> bool: return not thread.is_alive())
	same("received", thread.wait_to_finish(), "for the thread")
	pair.client.send_text("and back")
	watch(pair.client)
	same("back", receive_text(pair.server, 1), PackedStringArray(["and back"]))


func test_several_threads_at_once() -> void:
	var threads: Array[Thread] = []
	for i in 3:
		threads.append(Thread.new())
		threads[i].start(_pair_of_its_own.bind(ws_class(impl), ws_class(other)))
	var results: Array[String] = []
	for thread in threads:
		results.append(thread.wait_to_finish())
	same("results", results, ["100 messages", "100 messages", "100 messages"])


## The other way round: made and connected on a thread, used and freed here.
func test_peer_made_on_a_thread() -> void:
	var tcp := listen()
	var thread := Thread.new()
	thread.start(_connecting.bind(ws_class(impl), "ws://127.0.0.1:%d/" % tcp.get_local_port()))
	var server: PacketPeer = watch(new_ws(other))
	equal(server.accept_stream(take(tcp)), OK, "accept_stream")
	until(func() -> bool: return not thread.is_alive())
	var client: PacketPeer = watch(thread.wait_to_finish())
	same("open", until(func() -> bool: return state(client) == OPEN and state(server) == OPEN), true)
	client.send_text("made elsewhere")
	same("received", receive_text(server, 1), PackedStringArray(["made elsewhere"]))


## A second thread calls everything while this one polls. The built-in is not made for that.
func test_calls_from_a_second_thread() -> void:
	if impl != "rust" or other != "rust":
		check(true, "ours only")
		return
	var pair := connect_pair(func(client: Object, _server: Object) -> void:
		client.outbound_buffer_size = 0)
	var threads: Array[Thread] = []
	for i in 2:
		threads.append(Thread.new())
		threads[i].start(_call_everything.bind(pair.client, i))
	var got := [0]
	until(func() -> bool:
		while pair.server.get_available_packet_count() > 0:
			pair.server.put_packet(pair.server.get_packet())
			got[0] += 1
		return got[0] == 400, 10.0)
	for thread in threads:
		thread.wait_to_finish()
	equal(got[0], 400, "messages of both threads")
	pair.client.close()
	check(until_closed(pair.client), "it closes")


## Two threads are the first to call the functions of a peer that one thread has set up.
func test_first_calls_of_two_threads() -> void:
	if impl != "rust" or other != "rust":
		check(true, "ours only")
		return
	for kind: String in [ws_class(impl), mp_class(impl)]:
		var peers: Array[PacketPeer] = []
		for i in 2000:
			peers.append(ClassDB.instantiate(kind))
			peers[i].inbound_buffer_size = 65536
		var started := [0]
		var threads: Array[Thread] = []
		for i in 2:
			threads.append(Thread.new())
			threads[i].start(_ask_each.bind(peers, started))
		for thread in threads:
			equal(thread.wait_to_finish(), 0, kind)


## Two threads read the packets of one peer: each gets whole packets, whatever the other does
## meanwhile.
func test_packets_taken_by_two_threads() -> void:
	if impl != "rust" or other != "rust":
		check(true, "ours only")
		return
	var pair := connect_pair(func(client: Object, server: Object) -> void:
		for peer: Object in [client, server]:
			peer.outbound_buffer_size = 0
			peer.inbound_buffer_size = 64 << 20)
	# What each thread has got; less than none ends it.
	var whole := [0, 0]
	var threads: Array[Thread] = []
	for i in 2:
		threads.append(Thread.new())
		threads[i].start(_take_packets.bind(pair.server, i, whole))
	for i in 300:
		var packet := PackedByteArray()
		# Of a size that the allocator gives back to the system.
		packet.resize(300_000)
		packet.fill(i % 256)
		pair.client.put_packet(packet)
		until(func() -> bool: return pair.client.get_current_outbound_buffered_amount() < 2 << 20)
	until(func() -> bool: return whole[0] + whole[1] == 300, 10.0)
	equal(whole[0] + whole[1], 300, "whole packets")
	whole.fill(-1000)
	for thread in threads:
		thread.wait_to_finish()


## A handler runs inside of a poll; it may wait for a thread that uses the same peer.
func test_handler_that_waits_for_a_thread() -> void:
	var server := mp_server()
	var answers: Array[Array] = []
	server.peer_connected.connect(func(id: int) -> void:
		var thread := Thread.new()
		thread.start(_ask_about.bind(server, id))
		answers.append(thread.wait_to_finish()))
	var client := mp_client(server)
	same("in", until(func() -> bool: return connected(client) and answers.size() == 1), true)
	same("answers", answers, [[2, 1, "127.0.0.1", OK]])
	same("packet", mp_receive(client, 1), PackedStringArray(["1 from a thread"]))


func test_multiplayer_calls_from_a_second_thread() -> void:
	if impl != "rust" or other != "rust":
		check(true, "ours only")
		return
	var session := mp_session(2)
	var thread := Thread.new()
	thread.start(_use_server.bind(session.server, session.ids))
	var got := [0]
	until(func() -> bool:
		for client in session.clients:
			got[0] += mp_take(client).size()
		return got[0] == 400, 10.0)
	thread.wait_to_finish()
	equal(got[0], 400, "packets of the thread")


## What a peer freed on a thread had accepted still arrives.
func test_peer_freed_on_a_thread() -> void:
	var tcp := listen()
	var thread := Thread.new()
	thread.start(_say_and_forget.bind(ws_class(impl), "ws://127.0.0.1:%d/" % tcp.get_local_port()))
	var raw: RawPeer = watch(RawPeer.new(take(tcp)))
	until(func() -> bool: return not raw.head().is_empty())
	raw.accept_upgrade()
	until(func() -> bool: return raw.ended)
	thread.wait_to_finish()
	same("frames", raw.take_frames().slice(0, 1), PackedStringArray(["text:last words"]))


# ---- run on threads: no member of the case is touched there

static func _echo_client(class_of: String, url: String, count: int) -> PackedStringArray:
	var peer: PacketPeer = ClassDB.instantiate(class_of)
	peer.connect_to_url(url)
	_poll_until([peer], func() -> bool: return peer.get_ready_state() != CONNECTING)
	var echoes := [0]
	peer.send_text("0")
	_poll_until([peer], func() -> bool:
		while peer.get_available_packet_count() > 0:
			if peer.get_packet().get_string_from_utf8() == str(echoes[0]):
				echoes[0] += 1
				if echoes[0] < count:
					peer.send_text(str(echoes[0]))
		return echoes[0] == count)
	peer.close()
	_poll_until([peer], func() -> bool: return peer.get_ready_state() == CLOSED)
	return PackedStringArray(["%d echoes" % echoes[0],
		"%s %d" % ["CLOSED" if peer.get_ready_state() == CLOSED else "?", peer.get_close_code()]])


static func _multiplayer_client(class_of: String, url: String) -> String:
	var peer: MultiplayerPeer = ClassDB.instantiate(class_of)
	peer.create_client(url)
	_poll_until([peer], func() -> bool:
		return peer.get_connection_status() != MultiplayerPeer.CONNECTION_CONNECTING)
	for i in 20:
		peer.put_packet(PackedByteArray([i]))
	var echoes := [0]
	_poll_until([peer], func() -> bool:
		while peer.get_available_packet_count() > 0:
			echoes[0] += 1 if peer.get_packet() == PackedByteArray([echoes[0]]) else 0
		return echoes[0] == 20)
	peer.close()
	return "%d echoes" % echoes[0]


static func _receive_one(peer: PacketPeer) -> String:
	_poll_until([peer], func() -> bool: return peer.get_available_packet_count() > 0)
	return peer.get_packet().get_string_from_utf8()


static func _pair_of_its_own(client_class: String, server_class: String) -> String:
	var client: PacketPeer = ClassDB.instantiate(client_class)
	var server: PacketPeer = ClassDB.instantiate(server_class)
	var tcp := TCPServer.new()
	tcp.listen(0, "127.0.0.1")
	client.connect_to_url("ws://127.0.0.1:%d/" % tcp.get_local_port())
	_poll_until([client], tcp.is_connection_available)
	server.accept_stream(tcp.take_connection())
	_poll_until([client, server], func() -> bool:
		return client.get_ready_state() == OPEN and server.get_ready_state() == OPEN)
	for i in 100:
		client.put_packet(PackedByteArray([i]))
	var got := [0]
	_poll_until([client, server], func() -> bool:
		while server.get_available_packet_count() > 0:
			got[0] += 1 if server.get_packet() == PackedByteArray([got[0]]) else 0
		return got[0] == 100)
	client.close()
	_poll_until([client, server], func() -> bool: return client.get_ready_state() == CLOSED)
	return "%d messages" % got[0]


static func _say_and_forget(class_of: String, url: String) -> void:
	var peer: PacketPeer = ClassDB.instantiate(class_of)
	peer.connect_to_url(url)
	_poll_until([peer], func() -> bool: return peer.get_ready_state() != CONNECTING)
	peer.send_text("last words")


static func _connecting(class_of: String, url: String) -> PacketPeer:
	var peer: PacketPeer = ClassDB.instantiate(class_of)
	peer.connect_to_url(url)
	peer.poll()
	return peer


static func _call_everything(peer: PacketPeer, number: int) -> void:
	for i in 200:
		peer.put_packet(PackedByteArray([number]))
		peer.poll()
		peer.get_ready_state()
		peer.get_close_code()
		peer.get_close_reason()
		peer.get_connected_host()
		peer.get_requested_url()
		peer.get_statistics()
		peer.get_error_message()
		peer.get_current_outbound_buffered_amount()
		peer.get_available_packet_count()
		peer.handshake_headers = PackedStringArray(["X-A: %d" % i])
		peer.supported_protocols = PackedStringArray(["p%d" % i])
		peer.heartbeat_interval = 0.5 + number


static func _ask_each(peers: Array[PacketPeer], started: Array) -> int:
	started[0] += 1
	var end := Time.get_ticks_msec() + 1000
	while started[0] < 2 and Time.get_ticks_msec() < end:
		pass
	var packets := 0
	for peer in peers:
		packets += peer.get_available_packet_count()
	return packets


static func _take_packets(peer: PacketPeer, number: int, whole: Array) -> void:
	while whole[number] >= 0:
		var packet := peer.get_packet()
		if packet.size() == 300_000 and packet.count(packet[0]) == packet.size():
			whole[number] += 1


static func _use_server(server: MultiplayerPeer, ids: Array[int]) -> void:
	for i in 200:
		server.set_target_peer(0)
		server.put_packet(PackedByteArray([i]))
		server.poll()
		server.get_peer(ids[i % 2]).get_ready_state()
		server.get_peer_address(ids[i % 2])
		server.get_statistics()
		server.get_available_packet_count()
		server.get_connection_status()
		server.refuse_new_connections = i % 2 == 0


static func _ask_about(server: MultiplayerPeer, id: int) -> Array:
	server.set_target_peer(id)
	return [server.get_connection_status(), server.get_unique_id(), server.get_peer_address(id),
		server.put_packet("from a thread".to_utf8_buffer())]


static func _poll_until(peers: Array, condition: Callable) -> void:
	var end := Time.get_ticks_msec() + 5000
	while Time.get_ticks_msec() < end:
		for peer: Object in peers:
			peer.poll()
		if condition.call():
			return
		OS.delay_usec(300)
