extends "res://tests/harness/case.gd"
## `unreliable_lifetime` and `send_latest`: at a reader that takes nothing for a while, states that
## are stale by their turn are dropped, everything else arrives, in order.

const STATE := 4096
## More than what the systems hold on both sides of a connection whose reader stands still.
const MANY := 6000

var _crypto := Crypto.new()


func test_the_lifetime_is_a_number_of_milliseconds() -> void:
	if is_builtin():
		return
	var peer := new_mp()
	equal(peer.unreliable_lifetime, 0, "default")
	peer.unreliable_lifetime = 100
	expect_error("unreliable_lifetime must be at least 0, not -1")
	peer.unreliable_lifetime = -1
	equal(peer.unreliable_lifetime, 100, "a refused value changes nothing")


func test_what_is_reliable_arrives_in_order() -> void:
	if is_builtin():
		return
	for compressed: bool in [false, true]:
		_run_slow_reader(func(peer: Object) -> void:
			peer.unreliable_lifetime = 50
			if compressed:
				peer.compression = 1
				peer.compression_threshold = 0
				peer.compression_context_takeover = true, true)


func test_without_a_lifetime_everything_arrives() -> void:
	if is_builtin():
		return
	_run_slow_reader(Callable(), false)


func _run_slow_reader(prepare: Callable, drops: bool) -> void:
	var session := mp_session(1, func(peer: Object) -> void:
		# Wide enough for all that the reader leaves; what it holds is not dropped.
		peer.outbound_buffer_size = 64 * 1024 * 1024
		if prepare.is_valid():
			prepare.call(peer))
	var server := session.server
	var client := session.clients[0]
	unwatch(client)
	var id: int = session.ids[0]
	server.set_target_peer(id)
	for number in MANY:
		var is_reliable := number % 10 == 0
		server.set_transfer_mode(MultiplayerPeer.TRANSFER_MODE_RELIABLE if is_reliable
			else MultiplayerPeer.TRANSFER_MODE_UNRELIABLE)
		equal(server.put_packet(_message(number)), OK, "put")
		if number % 200 == 0:
			# The system has to be offered what is put: 8 MiB that it was not are refused.
			until(func() -> bool: return false, 0.005)
	if drops:
		var stale := func() -> bool:
			return server.get_peer(id).get_statistics().unreliable_dropped > 100
		check(until(stale), "what is stale is dropped while the reader takes nothing")
	var numbers := PackedInt32Array()
	var last := MANY - MANY % 10 - (10 if MANY % 10 == 0 else 0)
	var all_read := func() -> bool:
		for i in client.get_available_packet_count():
			numbers.append(client.get_packet().decode_u32(0))
		return not numbers.is_empty() and numbers[-1] >= last
	watch(client)
	check(until(all_read, 15.0), "the last reliable one arrives")
	var reliable := 0
	var before := -1
	for number in numbers:
		if number <= before:
			check(false, "%d arrives behind %d" % [number, before])
		before = number
		reliable += int(number % 10 == 0)
	equal(reliable, MANY / 10, "all reliable ones")
	if drops:
		check(numbers.size() < MANY, "stale ones were dropped")
		equal(server.get_peer(id).get_statistics().sends_refused, 0, "that is no refusal")
		check(until(func() -> bool: return server.get_peer(id).get_statistics().unsent_bytes == 0),
			"nothing is left")


## Noise, which no compression makes small.
func _message(number: int) -> PackedByteArray:
	var message := _crypto.generate_random_bytes(STATE)
	message.encode_u32(0, number)
	return message


func test_only_the_latest_of_a_key_waits() -> void:
	if is_builtin():
		return
	var pair := connect_pair()
	unwatch(pair.client)
	pair.server.outbound_buffer_size = 64 * 1024 * 1024
	for number in MANY:
		var message := _message(number)
		if number < MANY / 2:
			equal(pair.server.send(message), OK, "send")
		else:
			equal(pair.server.send_latest(message, number % 2), OK, "send_latest")
	watch(pair.client)
	var numbers := PackedInt32Array()
	var all_read := func() -> bool:
		for i in pair.client.get_available_packet_count():
			numbers.append(pair.client.get_packet().decode_u32(0))
		return not numbers.is_empty() and numbers[-1] == MANY - 1
	check(until(all_read, 15.0), "the latest arrives")
	check(MANY - 2 in numbers, "and that of the other key")
	equal(numbers.slice(0, MANY / 2), PackedInt32Array(range(MANY / 2)), "what was sent before them")
	expect_error("not open")
	equal(new_ws().send_latest(bytes(1)), FAILED, "without a connection")
