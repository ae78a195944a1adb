@icon("res://addons/rust_websocket/icons/RustWebSocketServerLifecycle.svg")
class_name RustWebSocketServerLifecycle
extends Node
## Ends a server in good order when the system asks for it.
##
## Without this node SIGTERM (what systemd, Docker and Kubernetes send) and SIGINT (Ctrl+C) kill the
## engine, and clients see a broken connection. With it in the tree the first of them starts a
## drain: nobody new is let in (HTTP 503 with Retry-After, a browser close code 1013), those who are
## in have [member grace_period] seconds to finish, the rest is sent away with close code 1012
## ([member close_reason]), which [RustWebSocketClient] takes for "come back", and the process quits
## with exit code 0. A second signal ends it at once, as without the node, and so does a first one
## that came just before the node left the tree, unless another such node is there at the end of the
## frame (of the next scene), which drains. On Windows the events of
## the console take the place of signals; the system itself ends the process five seconds after its
## window was closed.
## [codeblock]
## func _ready() -> void:
##     var lifecycle := RustWebSocketServerLifecycle.new()
##     lifecycle.drain_started.connect(func() -> void: announce("the server restarts in 10 s"))
##     lifecycle.drained.connect(save)
##     add_child(lifecycle)
## [/codeblock]
## The server of this node's [member Node.multiplayer] is found by itself; others are named with
## [method add_server]. What it sends while it drains arrives: connections are closed by handshake,
## behind everything that was sent before.
## [br][br]
## A proxy or an orchestrator learns of the drain by a health check: it sends nobody new then, and
## those who are connected stay.
## [codeblock]
## func answer(request: RustWebSocketRequest) -> void: # the server's request_callback
##     if request.is_websocket():
##         request.accept()
##     elif request.get_path() == "/health":
##         request.respond(503 if lifecycle.is_draining() else 200)
##     else:
##         request.respond(404)
## [/codeblock]
## The order is always the same: [signal drain_started]; then those who are connected play on, for
## [member grace_period] seconds or until the last of them has left; then the rest is sent away, and
## each client has five seconds to read what is under way and to answer; then [signal drained]; then
## the process quits, if [member quits] is set. What a client has put on its way before it learns of
## the close may not be read any more: whoever needs to know asks the server after coming back.
## [br][br]
## Where the library is not loaded (in a browser) no signal is seen; [method start_drain] works.

## The first request to end has come, or [method start_drain] was called. Everybody is still
## connected: the place to tell them, and to end what takes time.
signal drain_started
## Nobody is connected any more, but for clients that have not answered in five seconds.
## [method SceneTree.quit] follows, if [member quits] is set, when all handlers have returned; a
## handler that awaits something is not waited for.
signal drained

# Underscores keep these out of completion and documentation.
# gdlint: disable=enum-name
enum _Phase { SERVING, DRAINING, CLOSING, DRAINED }

const _CODE := 1012
## Longer than any process runs; in milliseconds it still is an integer.
const _FOR_EVER := 1e9
## Seconds that a client has to answer a close frame, behind what it has not read yet.
const _CLOSE_SECONDS := 5.0
## So many peers are kept without a look at which of them are gone.
const _FEW_PEERS := 64

## How many seconds those who are connected may stay when a drain has begun. It ends earlier when
## all have left. Keep it below what the system waits before it kills: 90 s for systemd
## ([code]TimeoutStopSec[/code]), 10 s for Docker, 30 s for Kubernetes
## ([code]terminationGracePeriodSeconds[/code]), and leave 5 s for the connections to close. With
## [constant @GDScript.INF] nobody is sent away: it ends when all have left.
@export_range(0.0, 600.0, 0.1, "or_greater", "suffix:s") var grace_period: float = 4.0:
	set(value):
		if value >= 0.0:
			grace_period = value
		else:
			push_error(
				"RustWebSocketServerLifecycle: grace_period has to be at least 0, not %s" % value)
## What those who are sent away are told, with close code 1012. At most 123 bytes of UTF-8.
@export var close_reason: String = "the server restarts"
## Whether to quit when everybody is gone.
@export var quits: bool = true

var _phase := _Phase.SERVING
var _signals := Callable()
var _deadline := 0
# By instance id, so that they live no longer than without this node.
var _servers: Dictionary = {}
var _peers: Dictionary = {}
# When there are so many, those that are gone are forgotten.
var _most_peers := _FEW_PEERS
# Peers of a RustWebSocketServer that were sent away, until they have answered.
var _leaving: Array[Object] = []


func _init() -> void:
	process_mode = Node.PROCESS_MODE_ALWAYS


# Not _ready() and _process(): scripts that extend this one need not call super().
func _notification(what: int) -> void:
	match what:
		NOTIFICATION_ENTER_TREE:
			_watch()
		NOTIFICATION_READY:
			set_process_internal(true)
		NOTIFICATION_EXIT_TREE:
			_unwatch()
		NOTIFICATION_INTERNAL_PROCESS:
			_advance()


## Names a server to drain: a [RustWebSocketMultiplayerPeer] (a room, say), a
## [RustWebSocketServer], or a [RustWebSocketPeer] that the latter has handed out. This node does
## not keep it alive.
## [codeblock]
## var server := RustWebSocketServer.new()
## server.listen(9080)
## lifecycle.add_server(server)
## var room := RustWebSocketMultiplayerPeer.new() # one of several, each with its MultiplayerAPI
## room.create_server_from(server, "/room/red")
## lifecycle.add_server(room)
## [/codeblock]
func add_server(server: Object) -> void:
	if server != null and server.has_method(&"get_ready_state"):
		_peers[server.get_instance_id()] = true
		# One for each connection, as long as the server lives.
		if _peers.size() >= _most_peers:
			_most_peers = maxi(2 * _living(_peers).size(), _FEW_PEERS)
	elif server != null and &"max_clients" in server:
		_add(server)
	else:
		push_error("RustWebSocketServerLifecycle: add_server() takes a RustWebSocketMultiplayerPeer, "
			+ "a RustWebSocketServer or a RustWebSocketPeer, not %s" % server)


## Starts the drain as a signal does. Does nothing if it has begun.
func start_drain() -> void:
	if _phase != _Phase.SERVING:
		return
	_find_own_server()
	_phase = _Phase.DRAINING
	_deadline = Time.get_ticks_msec() + int(minf(grace_period, _FOR_EVER) * 1000.0)
	for server: Object in _living(_servers):
		server.max_clients = 0
	drain_started.emit()


## Whether a drain has begun: a health check should answer 503 then, so that a proxy sends nobody.
func is_draining() -> bool:
	return _phase != _Phase.SERVING


func _watch() -> void:
	_signals = Engine.get_meta(&"rust_websocket_end_signals", Callable())
	if not _signals.is_valid() or _signals.call("watch") < 0:
		push_warning("RustWebSocketServerLifecycle: signals are not seen: "
			+ ("this system has none" if _signals.is_valid() else "the library is not loaded"))


# What was asked for and nobody has taken up is for such a node of the next scene, which the engine
# puts into the tree late in a frame, but before timers. One timer for each node: a signal refuses
# the same callable twice.
func _unwatch() -> void:
	if not _signals.is_valid():
		return
	if _phase != _Phase.SERVING:
		_signals.call("unwatch")
	elif _signals.call("count") > 0:
		var behind_the_change := get_tree().create_timer(0.0, true, false, true)
		behind_the_change.timeout.connect(_signals.bind("unwatch_or_end"))
	else:
		# It may have come since.
		_signals.call("unwatch_or_end")
	_signals = Callable()


func _advance() -> void:
	match _phase:
		_Phase.SERVING:
			_find_own_server()
			if _signals.is_valid() and _signals.call("count") > 0:
				start_drain()
		_Phase.DRAINING:
			if _is_empty() or Time.get_ticks_msec() >= _deadline:
				_send_away()
		_Phase.CLOSING:
			_leaving = _leaving.filter(_is_still_there)
			var is_over := _leaving.is_empty() and _unfinished() == 0
			if is_over or Time.get_ticks_msec() >= _deadline:
				_end()


func _find_own_server() -> void:
	var own := multiplayer.multiplayer_peer if multiplayer else null
	if own == null or _servers.has(own.get_instance_id()) or not own.has_method(&"close_with_code"):
		return
	if own.get_connection_status() == MultiplayerPeer.CONNECTION_CONNECTED and multiplayer.is_server():
		_add(own)


func _add(server: Object) -> void:
	_servers[server.get_instance_id()] = true
	if is_draining():
		server.max_clients = 0


# Forgets those that are gone.
func _living(ids: Dictionary) -> Array[Object]:
	var found: Array[Object] = []
	for id: int in ids.keys():
		if is_instance_id_valid(id):
			found.append(instance_from_id(id))
		else:
			ids.erase(id)
	return found


func _is_empty() -> bool:
	for server: Object in _living(_servers):
		if not _members(server).is_empty():
			return false
	return not _living(_peers).any(_is_still_there)


func _is_still_there(peer: Object) -> bool:
	if _phase == _Phase.CLOSING:
		peer.poll()
	return peer.get_ready_state() != 3 # STATE_CLOSED


# Asked, not counted by signals: some leave without one. A RustWebSocketServer has none, its rooms
# and peers are named too.
func _members(server: Object) -> PackedInt32Array:
	if _signals.is_valid() and server is MultiplayerPeer:
		return _signals.call("members", server)
	return PackedInt32Array()


# How many connections of the process have lost their owner and are not over: a member that is sent
# away is gone for the script, while what it was sent is under way.
func _unfinished() -> int:
	return _signals.call("leaving") if _signals.is_valid() else 0


# Each by a handshake, which is waited for: quitting would cut off what a slow client has not read.
func _send_away() -> void:
	_phase = _Phase.CLOSING
	_deadline = Time.get_ticks_msec() + int(_CLOSE_SECONDS * 1000.0)
	for server: Object in _living(_servers):
		var members := _members(server)
		for id: int in members:
			server.disconnect_peer_with_code(id, _CODE, close_reason)
		if not members.is_empty():
			server.poll() # Nobody who processes after this node still takes them for members.
	for peer: Object in _living(_peers):
		_leaving.append(peer)
		peer.close(_CODE, close_reason)


func _end() -> void:
	_phase = _Phase.DRAINED
	for server: Object in _living(_servers):
		if server.has_method(&"close_with_code"):
			server.close_with_code(_CODE, close_reason)
		else:
			server.stop(_CODE, close_reason)
	drained.emit()
	if quits and is_inside_tree():
		get_tree().quit()
