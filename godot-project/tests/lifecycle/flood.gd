extends SceneTree
## A reader stops in the middle of a flood: memory stays within the limits, others are served
## meanwhile, and everything that was accepted arrives once it reads again.
##
##   godot --headless --path godot-project -s res://tests/lifecycle/flood.gd
##
## First the server stops taking packets while its clients send as much as they can, then the
## clients stop while the server sends to all of them.

const ThisProcess := preload("this_process.gd")

const ADDRESS := "127.0.0.1"
const CLIENTS := 4
const SIZE := 16 << 10
const LIMIT := 1 << 20
## Sent again and again to somebody who does not read; far more than memory may grow.
const OFFERED := 20000
const UNOFFERED := 8 << 20

## What the I/O thread reads beyond the script's limits, so that pings behind data are answered.
const READ_AHEAD := {"clients": 8 << 20, "server": 256 << 10}

var _server: MultiplayerPeer
var _clients: Array[MultiplayerPeer] = []
var _bystander: MultiplayerPeer
var _bystanding_server: MultiplayerPeer
var _failures := 0


func _process(_delta: float) -> bool:
	_server = _listen()
	_bystanding_server = _listen()
	for i in CLIENTS:
		_clients.append(_connect(_server))
	_bystander = _connect(_bystanding_server)
	if _failures == 0:
		_flow()
		_server_stops_reading()
		_clients_stop_reading()
	for peer: MultiplayerPeer in _clients + [_bystander, _server, _bystanding_server]:
		peer.close()
	quit(0 if _failures == 0 else 1)
	return true


## Everybody reads: what the allocator wants for a flood at all is there afterwards.
func _flow() -> void:
	var outstanding := [0]
	var take_all := func() -> bool:
		outstanding[0] -= _take(_server).size()
		for client in _clients:
			outstanding[0] -= _take(client).size()
		return outstanding[0] == 0
	Engine.print_error_messages = false # that the buffer is full
	for i in 2000:
		for client in _clients:
			outstanding[0] += 1 if client.put_packet(_numbered(i)) == OK else 0
			_server.set_target_peer(client.get_unique_id())
			outstanding[0] += 1 if _server.put_packet(_numbered(i)) == OK else 0
		take_all.call()
	Engine.print_error_messages = true
	_until(take_all, "everything arrives while everybody reads")


func _server_stops_reading() -> void:
	var before := ThisProcess.resident_kib()
	var accepted: Array[int] = []
	accepted.resize(CLIENTS)
	Engine.print_error_messages = false # that the buffer is full
	var longest_answer := 0
	for i in OFFERED / CLIENTS:
		for index in CLIENTS:
			if _clients[index].put_packet(_numbered(accepted[index])) == OK:
				accepted[index] += 1
			_clients[index].poll()
		_server.poll()
		if i % 500 == 0:
			longest_answer = maxi(longest_answer, _ask_bystander())
	Engine.print_error_messages = true
	_judge("server", before, longest_answer)
	var sum: int = accepted.reduce(func(total: int, count: int) -> int: return total + count)
	_check(sum < OFFERED / 2, "most of %d messages were refused: %d accepted" % [OFFERED, sum])
	var next := {}
	var wrong := PackedInt64Array()
	var arrived := [0]
	_until(func() -> bool:
		for packet: Array in _take(_server):
			if packet[1] != next.get(packet[0], 0):
				wrong.append(packet[1])
			next[packet[0]] = packet[1] + 1
			arrived[0] += 1
		return arrived[0] >= sum, "everything accepted arrives")
	_check(wrong.is_empty() and arrived[0] == sum, "each client's messages in order, %d of %d"
		% [arrived[0], sum])


func _clients_stop_reading() -> void:
	var before := ThisProcess.resident_kib()
	var accepted := 0
	Engine.print_error_messages = false
	var longest_answer := 0
	for i in OFFERED / CLIENTS:
		for client in _clients:
			_server.set_target_peer(client.get_unique_id())
			if _server.put_packet(_numbered(i)) == OK:
				accepted += 1
			client.poll()
		_server.poll()
		if i % 500 == 0:
			longest_answer = maxi(longest_answer, _ask_bystander())
	Engine.print_error_messages = true
	_judge("clients", before, longest_answer)
	_check(accepted < OFFERED / 2, "most of %d messages were refused: %d accepted"
		% [OFFERED, accepted])
	var arrived := [0]
	_until(func() -> bool:
		for client in _clients:
			arrived[0] += _take(client).size()
		_server.poll()
		return arrived[0] >= accepted, "everything accepted arrives")
	_check(arrived[0] == accepted, "%d of %d arrive" % [arrived[0], accepted])


func _judge(who: String, before: int, longest_answer: int) -> void:
	var grown := ThisProcess.resident_kib() - before
	# What may wait for a reader: on the other side's way out, on this one's way in, each with a
	# message more than its limit, and read ahead; the same once more for what the allocator keeps. And
	# what a sender has accepted and the I/O thread has not yet offered to the system.
	var waiting: int = 2 * (2 * (LIMIT + SIZE) + READ_AHEAD[who]) + UNOFFERED
	var tolerated: int = CLIENTS * waiting / 1024
	_check(grown <= tolerated, "%s not reading: %d KiB more, %d allowed, %d offered" %
		[who, grown, tolerated, OFFERED * SIZE / 1024])
	# A second is long; a machine that does other things may hold up anybody.
	_check(longest_answer < 1_000_000, "others are served meanwhile: %d us at most" % longest_answer)


## Microseconds until another server has answered another client.
func _ask_bystander() -> int:
	var began := Time.get_ticks_usec()
	_bystander.put_packet(_numbered(0))
	_until(func() -> bool:
		_bystanding_server.poll()
		while _bystanding_server.get_available_packet_count() > 0:
			_bystanding_server.set_target_peer(_bystanding_server.get_packet_peer())
			_bystanding_server.put_packet(_bystanding_server.get_packet())
		return _take(_bystander).size() == 1, "somebody else's answer")
	return Time.get_ticks_usec() - began


# ---- peers

func _listen() -> MultiplayerPeer:
	var server := _new_peer()
	for attempt in 10:
		var tcp := TCPServer.new()
		tcp.listen(0, ADDRESS)
		var port := tcp.get_local_port()
		tcp.stop()
		if server.create_server(port, ADDRESS) == OK:
			server.set_meta("port", port)
			break
	return server


func _connect(server: MultiplayerPeer) -> MultiplayerPeer:
	var client := _new_peer()
	client.create_client("ws://%s:%d" % [ADDRESS, server.get_meta("port", 0)])
	_until(func() -> bool:
		server.poll()
		client.poll()
		return client.get_connection_status() == MultiplayerPeer.CONNECTION_CONNECTED, "a client gets in")
	client.set_target_peer(1)
	return client


func _new_peer() -> MultiplayerPeer:
	var peer: MultiplayerPeer = ClassDB.instantiate("RustWebSocketMultiplayerPeer")
	peer.inbound_buffer_size = LIMIT
	peer.outbound_buffer_size = LIMIT
	return peer


func _numbered(number: int) -> PackedByteArray:
	var packet := PackedByteArray()
	packet.resize(SIZE)
	packet.encode_u32(0, number)
	return packet


## Polls and takes everything: who sent it, and its number.
func _take(peer: MultiplayerPeer) -> Array:
	peer.poll()
	var taken := []
	while peer.get_available_packet_count() > 0:
		var sender := peer.get_packet_peer()
		taken.append([sender, peer.get_packet().decode_u32(0)])
	return taken


func _until(condition: Callable, what: String) -> void:
	var end := Time.get_ticks_msec() + 10000
	while not condition.call():
		if Time.get_ticks_msec() > end:
			_check(false, "not in time: " + what)
			return


func _check(condition: bool, what: String) -> void:
	_failures += 0 if condition else 1
	print("%s %s" % ["ok" if condition else "FAIL", what])
