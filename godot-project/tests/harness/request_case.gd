extends "res://tests/harness/case.gd"
## What cases about requests share: servers with a callback, and clients that speak raw HTTP.

const GET := "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n"

## Requests that a callback has kept.
var kept: Array[RefCounted] = []

var _askers: Array[WeakRef] = []


## A multiplayer server with a callback, watched.
func asking(callback: Callable) -> MultiplayerPeer:
	var server := mp_server(func(server: MultiplayerPeer) -> void: server.request_callback = callback)
	_askers.append(weakref(server))
	return server


## A server that hands out peers, watched and listening.
func new_server(prepare := Callable()) -> RefCounted:
	var server: RefCounted = ClassDB.instantiate("RustWebSocketServer")
	if prepare.is_valid():
		prepare.call(server)
	equal(server.listen(0, ANY_ADDRESS), OK, "listen")
	_askers.append(weakref(server))
	return watch(server)


func connect_raw(server: Object) -> RawPeer:
	var raw: RawPeer = watch(RawPeer.connect_to(server.get_local_port()))
	check(until(raw.is_connected_now), "a connection")
	return raw


## A client that has asked for a page.
func ask(server: Object, path := "/", lines := PackedStringArray()) -> RawPeer:
	var raw := connect_raw(server)
	var more := "" if lines.is_empty() else "\r\n".join(lines) + "\r\n"
	raw.send_ascii(GET % [path, more])
	return raw


## A client that has asked for a WebSocket.
func ask_upgrade(server: Object, path := "/", lines := PackedStringArray()) -> RawPeer:
	var raw := connect_raw(server)
	raw.ask_upgrade(path, lines)
	return raw


## The first line of an answer, once the connection has ended.
func status(raw: RawPeer) -> String:
	check(until(func() -> bool: return not raw.head().is_empty() and not raw.is_connected_now()),
		"an answer, and the end of the connection")
	return raw.head_lines()[0]


## The body that came with an answer.
func body(raw: RawPeer) -> String:
	raw.head()
	return raw.received.get_string_from_utf8()


func keep_request(request: RefCounted) -> void:
	kept.append(request)


func until_kept(count: int) -> bool:
	return check(until(func() -> bool: return kept.size() >= count), "%d requests arrive" % count)


func finish() -> void:
	kept.clear()
	# A callback that knows its server would keep it.
	for weak in _askers:
		if weak.get_ref() != null:
			weak.get_ref().request_callback = Callable()
	super()
