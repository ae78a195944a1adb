extends "res://tests/harness/case.gd"
## Scripts that do not wait for frames but poll again and again until the answer is there:
## benchmarks, tests, tools.

const QUESTIONS := 2000


func runs_mixed() -> bool:
	return true


## Polls both until `done`, without a pause.
func _spin(first: Object, second: Object, done: Callable, seconds := 4.0) -> bool:
	var end := Time.get_ticks_usec() + int(seconds * 1e6)
	while not done.call():
		if Time.get_ticks_usec() > end:
			return false
		for i in 8:
			first.poll()
			second.poll()
	return true


func _echo(peer: PacketPeer) -> void:
	while peer.get_available_packet_count() > 0:
		peer.put_packet(peer.get_packet())


func test_one_question_at_a_time() -> void:
	var pair := connect_pair()
	var wrong := 0
	for i in QUESTIONS:
		pair.client.put_packet(numbered(i, 64))
		var is_answered := _spin(pair.client, pair.server, func() -> bool:
			_echo(pair.server)
			return pair.client.get_available_packet_count() > 0)
		if not check(is_answered, "question %d is answered" % i):
			return
		if pair.client.get_packet() != numbered(i, 64) or pair.client.get_available_packet_count() > 0:
			wrong += 1
	same("wrong answers", wrong, 0)
	pair.server.close(4000, "enough")
	var are_closed := func() -> bool:
		return state(pair.client) == CLOSED and state(pair.server) == CLOSED
	check(_spin(pair.client, pair.server, are_closed), "both close")
	same("client", ending(pair.client), "CLOSED 4000 \"enough\"")
	same("server", ending(pair.server), "CLOSED 4000 \"enough\"")


func test_several_questions_at_a_time() -> void:
	var pair := connect_pair()
	var asked := 0
	var answers: Array[PackedByteArray] = []
	while answers.size() < QUESTIONS:
		while asked < QUESTIONS and asked - answers.size() < 5:
			pair.client.put_packet(numbered(asked, 64))
			asked += 1
		var is_answered := _spin(pair.client, pair.server, func() -> bool:
			_echo(pair.server)
			return pair.client.get_available_packet_count() > 0)
		if not check(is_answered, "the next answer"):
			return
		while pair.client.get_available_packet_count() > 0:
			answers.append(pair.client.get_packet())
	same("in order", in_order(answers), true)


## A loop that pauses after it: what comes meanwhile is there in the next poll.
func test_a_pause_after_a_loop() -> void:
	var pair := connect_pair()
	for round in 5:
		for i in 50:
			pair.client.put_packet(numbered(i, 64))
			_spin(pair.client, pair.server, func() -> bool:
				_echo(pair.server)
				return pair.client.get_available_packet_count() > 0)
			pair.client.get_packet()
		pair.server.send_text("round %d" % round)
		pair.server.poll()
		OS.delay_msec(50)
		pair.client.poll()
		same("packets %d" % round, pair.client.get_available_packet_count(), 1)
		same("text %d" % round, pair.client.get_packet().get_string_from_utf8(), "round %d" % round)


## The other side goes in the middle of the loop, without a word.
func test_a_loss_in_a_loop() -> void:
	var pair := connect_pair()
	for i in 200:
		pair.client.put_packet(numbered(i, 64))
		_spin(pair.client, pair.server, func() -> bool:
			_echo(pair.server)
			return pair.client.get_available_packet_count() > 0)
		pair.client.get_packet()
	pair.server.close(-1)
	check(_spin(pair.client, pair.server, func() -> bool: return state(pair.client) == CLOSED),
		"the client notices")
	same("code", pair.client.get_close_code(), -1)


func test_multiplayer() -> void:
	var session := mp_session()
	var client: MultiplayerPeer = session.clients[0]
	var server: MultiplayerPeer = session.server
	client.set_target_peer(1)
	var wrong := 0
	for i in QUESTIONS:
		client.put_packet(numbered(i, 64))
		var is_answered := _spin(client, server, func() -> bool:
			while server.get_available_packet_count() > 0:
				server.set_target_peer(server.get_packet_peer())
				server.put_packet(server.get_packet())
			return client.get_available_packet_count() > 0)
		if not check(is_answered, "question %d is answered" % i):
			return
		if client.get_packet() != numbered(i, 64):
			wrong += 1
	same("wrong answers", wrong, 0)
