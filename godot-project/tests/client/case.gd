extends RefCounted
## What the cases of the client's suite share. Each method `test_*` of a file in `cases/` is one
## case and gets an object of its own; it may await frames.

const Responder := preload("res://tests/client/responder.gd")
const RawPeer := preload("res://tests/harness/raw_peer.gd")
const PEER_CLASSES := {"builtin": &"WebSocketPeer", "rust": &"RustWebSocketPeer"}
const SIGNALS: Array[StringName] = [
	&"connection_opened",
	&"text_received",
	&"data_received",
	&"connection_closed",
	&"connection_failed",
	&"reconnecting",
	&"reconnect_failed",
	&"drained"
]

var tree: SceneTree
var impl := "rust"
var failures := PackedStringArray()
var checks := 0
## The signals of the client made last, each as "name(arguments)".
var events: Array[String] = []
## What the clients take for the time, where a case says so.
var now := 0.0

var _clients: Array[Node] = []
var _servers: Array[Responder] = []


func finish() -> void:
	for client in _clients:
		if is_instance_valid(client):
			client.free()
	for server in _servers:
		server.stop()
	_clients.clear()
	_servers.clear()


func check(condition: bool, what: String) -> bool:
	checks += 1
	if not condition:
		failures.append(what)
	return condition


func equal(got: Variant, wanted: Variant, what: String) -> bool:
	var is_same: bool = typeof(got) == typeof(wanted) and got == wanted
	return check(
		is_same,
		"%s: got %s, wanted %s" % [what, var_to_str(got).left(600), var_to_str(wanted).left(600)]
	)


## The next error line with `part` in it belongs to the case; it has to come.
func expect_error(part: String) -> void:
	print("EXPECT ERROR ", part)


## Whether the peers tell what a server answered.
func tells_answers() -> bool:
	return impl == "rust"


## A send is about to be refused: our peer says so once (the engine's class each time).
func expect_full() -> void:
	if impl == "rust":
		expect_error("outbound buffer is full")


## What is shown of a close frame: the engine's class takes 1012 to 1014, which are younger than
## RFC 6455, for a fault.
func shown_end(code: int, reason := "") -> String:
	if impl == "builtin" and code in [1012, 1013, 1014]:
		return 'connection_closed(1002, "Protocol error", true)'
	return 'connection_closed(%d, "%s", true)' % [code, reason]


## Lets frames pass until `condition` holds; false when the time is over.
func until(condition: Callable, seconds := 8.0) -> bool:
	var end := Time.get_ticks_msec() + int(seconds * 1000.0)
	while true:
		for server in _servers:
			server.poll()
		if condition.call():
			return true
		if Time.get_ticks_msec() >= end:
			return false
		await tree.process_frame
	return false


## Lets some frames pass, to see that something does not happen.
func settle(seconds := 0.1) -> void:
	await until(func() -> bool: return false, seconds)


func until_event(event: String, seconds := 8.0) -> bool:
	var has_come := func() -> bool:
		return events.any(func(seen: String) -> bool: return seen.begins_with(event))
	return check(await until(has_come, seconds), "'%s' comes; there was %s" % [event, events])


func until_count(count: int, seconds := 8.0) -> bool:
	var have_come := func() -> bool: return events.size() >= count
	return check(await until(have_come, seconds), "%d signals come; there was %s" % [count, events])


func serve(on_request := Responder.accept) -> Responder:
	var server := Responder.new(on_request)
	_servers.append(server)
	return server


## The frames of the client that connected last, once there are `count` or the time is over.
func arrived(server: Responder, count: int, seconds := 8.0) -> PackedStringArray:
	var frames := PackedStringArray()
	var have_come := func() -> bool:
		for frame in server.latest().take_frames():
			frames.append(frame)
		return frames.size() >= count
	await until(have_come, seconds)
	return frames


## A port on which nobody listens.
func deaf_url() -> String:
	var server := TCPServer.new()
	server.listen(0, "127.0.0.1")
	return "ws://127.0.0.1:%d/" % server.get_local_port()


## A client in the tree that does not wait long and writes its signals into `events`.
func make_client(settings := {}, client := RustWebSocketClient.new()) -> RustWebSocketClient:
	client._peer_class = PEER_CLASSES[impl]
	client.reconnect_delay_min = 0.02
	client.reconnect_jitter = 0.0
	# The engine's class pings at once when it opens, which the cases would have to skip.
	client.heartbeat_interval = 0.0
	for property: String in settings:
		client.set(property, settings[property])
	record(client)
	_clients.append(client)
	tree.root.add_child(client)
	return client


## The same, with a clock that stands still until the case moves `now`.
func make_timed_client(settings := {}) -> RustWebSocketClient:
	var client := make_client({"reconnect_delay_min": 0.5, "_clock": func() -> float: return now})
	for property: String in settings:
		client.set(property, settings[property])
	return client


## The client with an open connection to a server.
func open_client(server: Responder, settings := {}) -> RustWebSocketClient:
	var client := make_client(settings)
	equal(client.connect_to_url(server.url()), OK, "connect_to_url")
	await until_event("connection_opened")
	events.clear()
	return client


## From now on `events` is a new list, and the signals of this client alone go into it.
func record(client: Node) -> void:
	var list: Array[String] = []
	events = list
	for event in SIGNALS:
		client.connect(event, _noter(event, client, list))


func _noter(event: StringName, client: Node, list: Array[String]) -> Callable:
	var count := 0
	for info in client.get_signal_list():
		if info.name == event:
			count = info.args.size()
	match count:
		0:
			return func() -> void: list.append(event + "()")
		1:
			return func(a: Variant) -> void: list.append("%s(%s)" % [event, var_to_str(a)])
		2:
			return func(a: Variant, b: Variant) -> void:
				list.append("%s(%s, %s)" % [event, var_to_str(a), var_to_str(b)])
	return func(a: Variant, b: Variant, c: Variant) -> void:
		list.append("%s(%s, %s, %s)" % [event, var_to_str(a), var_to_str(b), var_to_str(c)])
