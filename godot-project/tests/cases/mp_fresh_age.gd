extends "res://tests/harness/tls_case.gd"
## How old states are when they arrive behind a slow link: 32 KiB a second through a small receive
## buffer, and 60 states of 1 KiB a second. With `unreliable_lifetime` they are never old, as many
## arrive as without, and reliable packets arrive all, in their place.

const STATE := 1024
const STATES_PER_SECOND := 60
## Bytes a second, and what that carries of them.
const RATE := 32 * 1024
const CARRIED_PER_SECOND := RATE / (STATE + 4)
const SECONDS := 5.0
## The first seconds, in which systems' queues fill, do not count.
const SETTLED := 2.0
const MOST := 0.3

var _crypto := Crypto.new()
## Called with each server once it listens.
var _served := Callable()
## The slow links, which end with the case.
var _programs := PackedInt32Array()


func runs_mixed() -> bool:
	return false


func finish() -> void:
	super()
	for program in _programs:
		OS.kill(program)


## One who sends, behind a slow link one who receives, and what has arrived.
class Link:
	var label := ""
	var from: MultiplayerPeer
	var to: MultiplayerPeer
	var target := 1
	var put := 0
	var put_reliable := PackedInt32Array()
	var numbers := PackedInt32Array()
	var reliable := PackedInt32Array()
	## Seconds; since the beginning, and old.
	var arrived_at := PackedFloat64Array()
	var ages := PackedFloat64Array()


func test_states_put_for_one_peer() -> void:
	if is_builtin():
		return
	var links: Array[Link] = [
		_link("as ever", func(peer: Object) -> void: peer.unreliable_lifetime = 0),
		_link("ws"),
		_link("wss", Callable(), made()),
		_link("compressed", func(peer: Object) -> void:
			peer.compression = 1
			peer.compression_threshold = 0),
		_link("compressed with a context, wss", func(peer: Object) -> void:
			peer.compression = 1
			peer.compression_threshold = 0
			peer.compression_context_takeover = true, made()),
		_link("of a client", Callable(), [], "client"),
	]
	_run(links, func(number: int) -> void:
		for link in links:
			_put(link, number))
	var as_ever: Link = links.pop_front()
	check(_age(as_ever) > 1.0, "without a lifetime they are old")
	for link in links:
		_check_young(link)
		check(_in_time(link) > _in_time(as_ever) * 0.9, "%s: %d arrive, without a lifetime %d"
			% [link.label, _in_time(link), _in_time(as_ever)])
		check(link.from.get_statistics().unreliable_dropped > 0, link.label + ": drops")


func test_what_scene_multiplayer_sends() -> void:
	if is_builtin():
		return
	var api := SceneMultiplayer.new()
	api.server_relay = false
	_served = func(server: MultiplayerPeer) -> void: api.multiplayer_peer = server
	var slow := _link("behind a slow link")
	var near := _near(slow)
	var near_put := _run_with(slow, near, func(_to: Link, packet: PackedByteArray, mode: int) -> void:
		api.send_bytes(packet, 0, mode))
	_check_young(slow)
	check(_in_time(slow) > CARRIED_PER_SECOND * SECONDS * 0.9, "as many arrive as the link carries")
	equal(near.numbers, near_put, "everything reaches the one that is near")
	_served = Callable()
	api.multiplayer_peer = null


func test_broadcasts() -> void:
	if is_builtin():
		return
	var slow := _link("behind a slow link")
	slow.target = 0
	var near := _near(slow)
	var near_put := _run_with(slow, near)
	_check_young(slow)
	check(_in_time(slow) > CARRIED_PER_SECOND * SECONDS * 0.9, "as many arrive as the link carries")
	equal(near.numbers, near_put, "everything reaches the one that is near")


## A server and a client behind a slow link; `prepare` for both, with a `certificate` over TLS. The
## server is who sends, or the client.
func _link(label: String, prepare := Callable(), certificate := [], sender := "server") -> Link:
	var prepared := func(peer: Object) -> void:
		peer.unreliable_lifetime = 100
		peer.outbound_buffer_size = 8 * 1024 * 1024
		peer.max_queued_packets = 65536
		if prepare.is_valid():
			prepare.call(peer)
	var server := new_mp(other)
	prepared.call(server)
	var port := free_port()
	equal(server.create_server(port, ANY_ADDRESS, null if certificate.is_empty()
		else server_of(certificate)), OK, label + ": create_server")
	server.set_meta("port", port)
	watch(server)
	if _served.is_valid():
		_served.call(server)
	var client := new_mp(impl)
	prepared.call(client)
	var way := _slow_link(port, sender)
	var url := "%s://127.0.0.1:%d" % ["ws" if certificate.is_empty() else "wss", way]
	equal(client.create_client(url, null if certificate.is_empty()
		else TLSOptions.client_unsafe()), OK, label + ": create_client")
	watch(client)
	check(until(func() -> bool: return connected(client)), label + ": the client gets in")
	var link := Link.new()
	link.label = label
	link.from = server if sender == "server" else client
	link.to = client if sender == "server" else server
	link.target = client.get_unique_id() if sender == "server" else 1
	return link


## The port of a slow link to the server on `port`; `from` ("server" or "client") sends too fast.
func _slow_link(port: int, from: String) -> int:
	var program := OS.get_environment("SLOW_LINK")
	if not check(not program.is_empty(), "SLOW_LINK names the program that ci/test-engine.sh builds"):
		return 0
	var file := ProjectSettings.globalize_path("user://slow-link-%d-%d" % [OS.get_process_id(), port])
	_programs.append(OS.create_process(program, ["to=%d" % port, "rate=%d" % RATE, "from=" + from,
		"seconds=60", "result=" + file]))
	if not check(until(func() -> bool: return FileAccess.file_exists(file)), "the slow link listens"):
		return 0
	var way := FileAccess.get_file_as_string(file).get_slice(" ", 1).to_int()
	DirAccess.remove_absolute(file)
	return way


func _put_packet(link: Link, packet: PackedByteArray, mode: int) -> void:
	link.from.set_target_peer(link.target)
	link.from.set_transfer_mode(mode)
	equal(link.from.put_packet(packet), OK, link.label + ": put_packet")


## Another client of the same server, without a slow link.
func _near(slow: Link) -> Link:
	var near := Link.new()
	near.label = "near"
	near.from = slow.from
	near.to = mp_client(slow.from)
	check(until(func() -> bool: return connected(near.to)), "the other client gets in")
	return near


## Every tenth is reliable.
func _put(link: Link, number: int, send := _put_packet) -> void:
	var is_reliable := number % 10 == 0
	# Noise, which no compression makes small; what is left of twice as much is as large as a state.
	var packet := _crypto.generate_random_bytes(STATE)
	if link.from.compression != 0:
		packet = packet.slice(0, STATE - 32) + bytes(STATE + 32)
	packet.encode_u32(0, number)
	packet.encode_u64(4, Time.get_ticks_usec())
	packet[12] = int(is_reliable)
	link.put += 1
	if is_reliable:
		link.put_reliable.append(number)
	send.call(link, packet, MultiplayerPeer.TRANSFER_MODE_RELIABLE if is_reliable
		else MultiplayerPeer.TRANSFER_MODE_UNRELIABLE)


## Sends to both clients of one server; the numbers of what was sent.
func _run_with(slow: Link, near: Link, send := _put_packet) -> PackedInt32Array:
	_run([slow, near], func(number: int) -> void: _put(slow, number, send))
	return PackedInt32Array(range(slow.put))


## Calls `put` with a number 60 times a second and reads everything as it comes, then what is under
## way.
func _run(links: Array[Link], put: Callable) -> void:
	var began := Time.get_ticks_usec()
	var number := 0
	while _since(began) < SECONDS:
		if number <= _since(began) * STATES_PER_SECOND:
			put.call(number)
			number += 1
		_read(links, began)
		OS.delay_usec(500)
	var is_done := func() -> bool:
		_read(links, began)
		return links.all(func(link: Link) -> bool:
			var arrives_late: bool = link.from.unreliable_lifetime == 0
			return arrives_late or link.reliable.size() >= link.put_reliable.size())
	check(until(is_done, 10.0), "all that is reliable arrives")


func _read(links: Array[Link], began: int) -> void:
	poll()
	for link in links:
		for i in link.to.get_available_packet_count():
			var packet := link.to.get_packet()
			# What SceneMultiplayer puts in front of it.
			var at := packet.size() % STATE
			link.numbers.append(packet.decode_u32(at))
			link.arrived_at.append(_since(began))
			link.ages.append(_since(packet.decode_u64(at + 4)))
			if packet[at + 12] == 1:
				link.reliable.append(packet.decode_u32(at))


func _since(ticks: int) -> float:
	return (Time.get_ticks_usec() - ticks) / 1e6


func _check_young(link: Link) -> void:
	var age := _age(link)
	check(age < MOST, "%s: the 95th percentile of the ages is %.3f s" % [link.label, age])
	equal(link.reliable, link.put_reliable, link.label + ": what is reliable")
	var sorted := link.numbers.duplicate()
	sorted.sort()
	equal(link.numbers, sorted, link.label + ": the order")
	note("%s: %d of %d arrive, 95 of 100 within %.3f s" % [link.label, _in_time(link), link.put, age])


## How many have arrived while they were sent.
func _in_time(link: Link) -> int:
	return Array(link.arrived_at).filter(func(at: float) -> bool: return at < SECONDS).size()


## 95th percentile.
func _age(link: Link) -> float:
	var ages := PackedFloat64Array()
	for i in link.ages.size():
		if link.arrived_at[i] > SETTLED and link.arrived_at[i] < SECONDS:
			ages.append(link.ages[i])
	ages.sort()
	return ages[ages.size() * 95 / 100] if not ages.is_empty() else INF
