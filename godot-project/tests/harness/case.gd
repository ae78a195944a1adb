extends RefCounted
## What every test case builds on: checks, observations, waiting, peers of the classes under test.
##
## A file in `tests/cases/` extends this; each of its methods `test_*` is one case and gets an
## object of its own. Nothing here waits for frames: a case polls its peers itself and stops at a
## deadline, so that it cannot hang.

const RawPeer := preload("res://tests/harness/raw_peer.gd")
const ANY_ADDRESS := "127.0.0.1"

## The states of `WebSocketPeer`, written out because the class under test has no name that can be
## parsed here.
const CONNECTING := 0
const OPEN := 1
const CLOSING := 2
const CLOSED := 3
const TEXT := 0
const BINARY := 1

const CLASSES := {
	"builtin": ["WebSocketPeer", "WebSocketMultiplayerPeer"],
	"rust": ["RustWebSocketPeer", "RustWebSocketMultiplayerPeer"],
}

## In an engine without its websocket module, where our classes have the engine's names.
static var has_engine_names := false
## What a stock engine says of its classes (`classdb.gd`), where there is none to ask.
static var recorded := {}

## What every wait for something that should happen is multiplied with; more than 1 where the engine
## is emulated.
static var patience := 1.0

## "builtin" or "rust": `impl` makes the clients and every peer that faces a raw socket, `other` the
## servers.
var impl := "builtin"
var other := "builtin"
## `file.method`, in front of everything the case prints.
var title := ""
var failures := PackedStringArray()
var checks := 0

var _watched: Array[Object] = []
var _peers: Array[WeakRef] = []
var _labels: Dictionary[int, String] = {}
var _seen_keys: Dictionary[String, bool] = {}
var _deadline := 0


## True for a file whose cases make sense with one class as the client and the other as the server.
func runs_mixed() -> bool:
	return false


## What a single case may take; the waits of a case end there at the latest.
func start(seconds := 20.0) -> void:
	_deadline = Time.get_ticks_msec() + int(seconds * patience * 1000.0)


## Lets go of everything, so that what is still alive at the end of the run is a leak of the class
## under test.
func finish() -> void:
	for weak in _peers:
		var peer: Object = weak.get_ref()
		if peer == null:
			continue
		for event: Dictionary in peer.get_signal_list():
			for link: Dictionary in peer.get_signal_connection_list(event.name):
				link["signal"].disconnect(link.callable)
		peer.close()
	_watched.clear()
	_peers.clear()


# ---- checks and observations

func check(condition: bool, what: String) -> bool:
	checks += 1
	if not condition:
		failures.append(what)
	return condition


func equal(got: Variant, wanted: Variant, what: String) -> bool:
	var is_same: bool = typeof(got) == typeof(wanted) and got == wanted
	return check(is_same, "%s: got %s, wanted %s"
		% [what, var_to_str(got).left(300), var_to_str(wanted).left(300)])


## A value that both classes must show alike, unless `differences.txt` lists it.
func saw(key: String, value: Variant) -> void:
	if _seen_keys.has(key):
		check(false, "the key '%s' is used once in a case" % key)
	_seen_keys[key] = true
	print("SAW %s.%s = %s" % [title, key, str(value).c_escape()])


## `saw` and `equal` in one: a value that the contract fixes for both classes.
func same(key: String, got: Variant, wanted: Variant) -> bool:
	saw(key, got)
	return equal(got, wanted, key)


## `saw` for both, checked only where `is_checked`, which is where the class is ours: a listed
## difference.
func ours(key: String, is_checked: bool, got: Variant, wanted: Variant) -> void:
	saw(key, got)
	checks += 1
	if is_checked:
		equal(got, wanted, key)


## The next error line that contains `part` (any case; `a|b` for alternatives) belongs to the case.
## Ours prints one such line for an object and a cause; the built-in prints one each time, which the
## runner does not count.
func expect_error(part: String) -> void:
	print("EXPECT ERROR ", part)


## Such a line may come, and need not.
func allow_error(part: String) -> void:
	print("ALLOW ERROR ", part)


## The case warns of one failed attempt to connect whose line contains `part`, in these words; of
## ours.
func expect_warning(part: String) -> void:
	print("EXPECT WARNING ", part)


## The case warns of none.
func expect_no_warning() -> void:
	print("EXPECT NO WARNING")


## A note for the reader of the log, never compared.
func note(text: String) -> void:
	print("NOTE %s: %s" % [title, text])


func is_ours(subject: Object) -> bool:
	return has_engine_names or subject.get_class() in CLASSES["rust"]


func impl_is_ours() -> bool:
	return impl == "rust"


## What a test of ours alone begins with: the built-in has nothing of it, on either side.
func is_builtin() -> bool:
	checks += 1
	return not impl_is_ours() or other != "rust"


# ---- time

## Polls everything that is watched until `condition` holds; false when the time is over.
func until(condition: Callable, seconds := 4.0) -> bool:
	return _keep_polling(condition, seconds * patience)


func _keep_polling(condition: Callable, seconds: float) -> bool:
	var end := mini(Time.get_ticks_msec() + int(seconds * 1000.0), _deadline)
	while true:
		poll()
		if condition.call():
			return true
		if Time.get_ticks_msec() >= end:
			return false
		OS.delay_usec(200)
	return false


## Polls for a while, to see that something does not happen.
func settle(seconds := 0.05) -> void:
	_keep_polling(func() -> bool: return false, seconds)


func poll() -> void:
	for peer in _watched.duplicate():
		peer.poll()


func watch(subject: Object) -> Object:
	_watched.append(subject)
	return subject


func unwatch(subject: Object) -> void:
	_watched.erase(subject)


# ---- peers

func ws_class(which := impl) -> String:
	return CLASSES["builtin" if has_engine_names else which][0]


func mp_class(which := impl) -> String:
	return CLASSES["builtin" if has_engine_names else which][1]


## A `WebSocketPeer` of the class under test, not yet watched.
func new_ws(which := impl) -> PacketPeer:
	return _keep(ClassDB.instantiate(ws_class(which)))


func new_mp(which := impl) -> MultiplayerPeer:
	return _keep(ClassDB.instantiate(mp_class(which)))


func _keep(peer: Object) -> Object:
	_peers.append(weakref(peer))
	return peer


## A TCP server on a port of its own.
func listen(address := ANY_ADDRESS) -> TCPServer:
	var server := TCPServer.new()
	check(server.listen(0, address) == OK, "the test can listen on " + address)
	return server


## A port on which nobody listens.
func free_port(address := ANY_ADDRESS) -> int:
	var server := listen(address)
	var port := server.get_local_port()
	server.stop()
	return port


func take(server: TCPServer, seconds := 4.0) -> StreamPeerTCP:
	if not until(server.is_connection_available, seconds):
		check(false, "a TCP connection arrives")
		return null
	return server.take_connection()


class Pair:
	var client: PacketPeer
	var server: PacketPeer


## Two peers of the classes under test, connected and watched. `prepare.call(client, server)` runs
## before.
func connect_pair(prepare := Callable(), path := "/") -> Pair:
	var pair: Pair = open_pair(prepare, path)
	until(func() -> bool: return state(pair.client) == OPEN and state(pair.server) == OPEN)
	equal([state_name(pair.client), state_name(pair.server)], ["OPEN", "OPEN"], "client and server")
	return pair


## The same, but before the handshake has run.
func open_pair(prepare := Callable(), path := "/") -> Pair:
	var pair := Pair.new()
	pair.client = watch(new_ws(impl))
	pair.server = watch(new_ws(other))
	if prepare.is_valid():
		prepare.call(pair.client, pair.server)
	var tcp := listen()
	var url := "ws://127.0.0.1:%d%s" % [tcp.get_local_port(), path]
	equal(pair.client.connect_to_url(url), OK, "connect_to_url")
	var stream := take(tcp)
	equal(pair.server.accept_stream(stream), OK, "accept_stream")
	return pair


class RawPair:
	## The peer under test.
	var peer: PacketPeer
	var raw: RawPeer


## A client under test, a raw socket as its server; connected. `answer` are further header lines of
## the 101.
func client_with_raw_server(prepare := Callable(), answer := PackedStringArray()) -> RawPair:
	var pair: RawPair = client_asking_raw(prepare)
	if pair.raw == null:
		return pair
	pair.raw.accept_upgrade(answer)
	check(until(func() -> bool: return state(pair.peer) == OPEN), "the client is open")
	return pair


## The same up to the request: it has been read, nothing is answered yet.
func client_asking_raw(prepare := Callable(), path := "/", host := ANY_ADDRESS) -> RawPair:
	var pair := RawPair.new()
	pair.peer = watch(new_ws(impl))
	if prepare.is_valid():
		prepare.call(pair.peer)
	var tcp := listen()
	equal(pair.peer.connect_to_url("ws://%s:%d%s" % [host, tcp.get_local_port(), path]), OK,
		"connect_to_url")
	var stream := take(tcp)
	if stream == null:
		return pair
	pair.raw = watch(RawPeer.new(stream))
	check(until(func() -> bool: return not pair.raw.head().is_empty()), "the client's request arrives")
	return pair


## A server under test (accept_stream), a raw socket as its client; connected.
func server_with_raw_client(prepare := Callable(), headers := PackedStringArray(),
		target := "/") -> RawPair:
	var pair: RawPair = server_with_raw_stream(prepare)
	pair.raw.ask_upgrade(target, headers)
	check(until(func() -> bool: return state(pair.peer) == OPEN and not pair.raw.head().is_empty()),
		"the server is open")
	return pair


## The same before anything has been sent.
func server_with_raw_stream(prepare := Callable()) -> RawPair:
	var pair := RawPair.new()
	pair.peer = watch(new_ws(impl))
	if prepare.is_valid():
		prepare.call(pair.peer)
	var tcp := listen()
	pair.raw = watch(RawPeer.connect_to(tcp.get_local_port()))
	equal(pair.peer.accept_stream(take(tcp)), OK, "accept_stream")
	check(until(func() -> bool: return pair.raw.is_connected_now()), "the raw client is connected")
	return pair


# ---- what a peer shows

func state(peer: PacketPeer) -> int:
	return peer.get_ready_state()


func state_name(peer: PacketPeer) -> String:
	return ["CONNECTING", "OPEN", "CLOSING", "CLOSED"][peer.get_ready_state()]


## State, close code and close reason in one text.
func ending(peer: PacketPeer) -> String:
	return "%s %d \"%s\"" % [state_name(peer), peer.get_close_code(), peer.get_close_reason()]


func until_closed(peer: PacketPeer, seconds := 4.0) -> bool:
	return until(func() -> bool: return state(peer) == CLOSED, seconds)


func until_packets(peer: PacketPeer, count: int, seconds := 4.0) -> bool:
	return until(func() -> bool: return peer.get_available_packet_count() >= count, seconds)


## All packets that can be had within the time, as long as fewer than `count` have come.
func receive(peer: PacketPeer, count: int, seconds := 8.0) -> Array[PackedByteArray]:
	var got: Array[PackedByteArray] = []
	until(func() -> bool:
		while peer.get_available_packet_count() > 0:
			got.append(peer.get_packet())
		return got.size() >= count, seconds)
	return got


func receive_text(peer: PacketPeer, count: int, seconds := 4.0) -> PackedStringArray:
	var texts := PackedStringArray()
	for packet in receive(peer, count, seconds):
		texts.append(packet.get_string_from_utf8())
	return texts


func bytes(size: int, value := 120) -> PackedByteArray:
	var data := PackedByteArray()
	data.resize(size)
	data.fill(value)
	return data


## A message that carries its own number, to see that order is kept.
func numbered(number: int, size: int) -> PackedByteArray:
	var data := bytes(size)
	data.encode_u32(0, number)
	return data


## True when the packets carry the numbers 0, 1, 2, ... and nothing is missing.
func in_order(packets: Array[PackedByteArray], from := 0) -> bool:
	for i in packets.size():
		if packets[i].decode_u32(0) != from + i:
			return false
	return true


# ---- multiplayer

## A server of the class `other` on a free port, watched. `prepare.call(server)` runs before.
func mp_server(prepare := Callable(), which := other) -> MultiplayerPeer:
	var server := new_mp(which)
	if prepare.is_valid():
		prepare.call(server)
	for attempt in 10:
		var port := free_port()
		if server.create_server(port, ANY_ADDRESS) == OK:
			server.set_meta("port", port)
			return watch(server)
	check(false, "create_server finds a free port")
	return server


## A client of the class `impl` on its way to `server`, watched.
func mp_client(server: MultiplayerPeer, prepare := Callable()) -> MultiplayerPeer:
	var client := new_mp(impl)
	if prepare.is_valid():
		prepare.call(client)
	equal(client.create_client("ws://127.0.0.1:%d" % server.get_meta("port")), OK, "create_client")
	return watch(client)


func mp_status(peer: MultiplayerPeer) -> String:
	return ["DISCONNECTED", "CONNECTING", "CONNECTED"][peer.get_connection_status()]


func connected(peer: MultiplayerPeer) -> bool:
	return peer.get_connection_status() == MultiplayerPeer.CONNECTION_CONNECTED


func disconnected(peer: MultiplayerPeer) -> bool:
	return peer.get_connection_status() == MultiplayerPeer.CONNECTION_DISCONNECTED


class Session:
	var server: MultiplayerPeer
	var clients: Array[MultiplayerPeer] = []
	## The clients' ids, in the same order.
	var ids: Array[int] = []
	var server_events := PackedStringArray()
	## Signals of each client, in the same order.
	var client_events: Array[PackedStringArray] = []


## A server and `count` clients that came in one after the other, all connected.
func mp_session(count := 1, prepare := Callable()) -> Session:
	var session := Session.new()
	session.server = mp_server(prepare)
	record(session.server, func(event: String) -> void: session.server_events.append(event))
	for i in count:
		var client := mp_client(session.server, prepare)
		session.clients.append(client)
		session.client_events.append(PackedStringArray())
		record(client, func(event: String) -> void: session.client_events[i].append(event))
		if not check(until(func() -> bool: return connected(client) and session.server_events.size() > i),
				"client %d gets in" % i):
			break
		session.ids.append(client.get_unique_id())
	return session


## Calls `sink` with "connected ID" and "disconnected ID" for the signals of a peer; ids of clients
## by label.
func record(peer: Object, sink: Callable) -> void:
	peer.peer_connected.connect(func(id: int) -> void: sink.call("connected " + label(id)))
	peer.peer_disconnected.connect(func(id: int) -> void: sink.call("disconnected " + label(id)))


## Ids are random: the first that a case meets is A, the second B. The server is always 1.
func label(id: int) -> String:
	if id <= 1:
		return str(id)
	if not _labels.has(id):
		_labels[id] = char(65 + _labels.size())
	return _labels[id]


## Sends to `target` and gives back what `put_packet` answered.
func mp_send(from: MultiplayerPeer, target: int, text: String) -> int:
	from.set_target_peer(target)
	return from.put_packet(text.to_utf8_buffer())


## The packets waiting at a peer as "SENDER text", without polling.
func mp_take(peer: MultiplayerPeer) -> PackedStringArray:
	var texts := PackedStringArray()
	while peer.get_available_packet_count() > 0:
		var sender := peer.get_packet_peer()
		texts.append("%s %s" % [label(sender), peer.get_packet().get_string_from_utf8()])
	return texts


## Waits for packets and gives them back as "SENDER text".
func mp_receive(peer: MultiplayerPeer, count: int, seconds := 4.0) -> PackedStringArray:
	until(func() -> bool: return peer.get_available_packet_count() >= count, seconds)
	return mp_take(peer)


## A raw socket as a client of a multiplayer server, through the upgrade; its id waits in the first
## frame.
func mp_raw_client(server: MultiplayerPeer) -> RawPeer:
	var raw: RawPeer = watch(RawPeer.connect_to(server.get_meta("port")))
	check(until(raw.is_connected_now), "the raw client is connected")
	raw.ask_upgrade()
	check(until(func() -> bool: return not raw.head().is_empty()), "the server answers the upgrade")
	return raw


class RawSession:
	## The client under test.
	var client: MultiplayerPeer
	var raw: RawPeer
	var events := PackedStringArray()


## A multiplayer client, a raw socket as its server, through the upgrade; no id has been sent.
func mp_client_with_raw_server(prepare := Callable()) -> RawSession:
	var session := RawSession.new()
	session.client = watch(new_mp())
	record(session.client, func(event: String) -> void: session.events.append(event))
	if prepare.is_valid():
		prepare.call(session.client)
	var tcp := listen()
	equal(session.client.create_client("ws://127.0.0.1:%d" % tcp.get_local_port()), OK,
		"create_client")
	session.raw = watch(RawPeer.new(take(tcp)))
	check(until(func() -> bool: return not session.raw.head().is_empty()),
		"the client's request arrives")
	session.raw.accept_upgrade()
	return session


## An id that no client of the server has.
func unknown_id(session: Session) -> int:
	var id := 2
	while id in session.ids:
		id += 1
	return id


# ---- scripts that name the classes

## A script of `tests/templates/`, written for the built-in classes, with the names of the classes
## under test put in.
func template(file: String, which := impl) -> GDScript:
	var script := GDScript.new()
	script.source_code = _named_for(FileAccess.get_file_as_string("res://tests/templates/" + file),
		which)
	if not check(script.reload() == OK, "%s compiles with %s" % [file, ws_class(which)]):
		return null
	return script


## A text about the built-in classes with the names of the classes under test put in.
func _named_for(text: String, which := impl) -> String:
	if which == "builtin" or has_engine_names:
		return text
	return text.replace("WebSocketPeer", ws_class(which)).replace("WebSocketMultiplayerPeer",
		mp_class(which))


## The other way round, so that both classes print the same.
func named_plain(text: String) -> String:
	return text.replace("RustWebSocket", "WebSocket")
