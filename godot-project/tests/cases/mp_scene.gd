extends "res://tests/harness/case.gd"
## The peers under the engine's high-level multiplayer: RPCs, relay, authentication. Two and more
## branches of one tree, each with a `SceneMultiplayer` of its own, polled by hand.

const Caller := preload("res://tests/harness/caller.gd")


func runs_mixed() -> bool:
	return true


class World:
	var apis: Array[SceneMultiplayer] = []
	var roots: Array[Node] = []
	var callers: Array[Node] = []
	## Signals of each, in order: "connected", "failed", "server gone", "+ID", "-ID", "authenticating
	## ID", "auth failed ID".
	var events: Array[PackedStringArray] = []


func test_rpc_to_the_server_and_back() -> void:
	var world := _world(1)
	check(_join(world), "the client is in")
	same("events", world.events[1], PackedStringArray(["connected", "+1"]))
	same("server_events", world.events[0], PackedStringArray(["+A"]))
	world.callers[1].say.rpc_id(1, "hello")
	same("server_heard", _hears(world, 0, 1), PackedStringArray(["A hello"]))
	world.callers[0].say.rpc("to all")
	same("client_heard", _hears(world, 1, 1), PackedStringArray(["1 to all"]))
	world.callers[0].say.rpc_id(world.apis[1].get_unique_id(), "to one")
	same("client_heard_alone", _hears(world, 1, 2), PackedStringArray(["1 to all", "1 to one"]))
	_end(world)


func test_rpc_between_clients_through_the_server() -> void:
	var world := _world(2)
	check(_join(world), "both clients are in")
	var know_each_other := func() -> bool:
		return world.apis[1].get_peers().size() == 2 and world.apis[2].get_peers().size() == 2
	check(_until(world, know_each_other), "they know each other")
	world.callers[1].say.rpc_id(world.apis[2].get_unique_id(), "between us")
	same("other_client", _hears(world, 2, 1), PackedStringArray(["A between us"]))
	same("server", world.callers[0].heard, PackedStringArray())
	world.callers[1].say.rpc("everybody")
	same("server_all", _hears(world, 0, 1), PackedStringArray(["A everybody"]))
	same("other_client_all", _hears(world, 2, 2), PackedStringArray(["A between us", "A everybody"]))
	_end(world)


func test_without_relay_clients_do_not_meet() -> void:
	var world := _world(2, func(api: SceneMultiplayer, _index: int) -> void: api.server_relay = false)
	check(_join(world), "both clients are in")
	_until(world, func() -> bool: return false, 0.05)
	same("peers_of_a_client", world.apis[1].get_peers(), PackedInt32Array([1]))
	same("peers_of_the_server", world.apis[0].get_peers().size(), 2)
	world.callers[1].say.rpc("server only")
	same("server", _hears(world, 0, 1), PackedStringArray(["A server only"]))
	_until(world, func() -> bool: return false, 0.03)
	same("other_client", world.callers[2].heard, PackedStringArray())
	_end(world)


## Reliable or not, an RPC over a WebSocket arrives, in order.
func test_many_rpcs_in_every_mode() -> void:
	var world := _world(1)
	check(_join(world), "the client is in")
	for i in 200:
		world.callers[1].say.rpc_id(1, "r%d" % i)
		world.callers[1].say_unreliably.rpc_id(1, "u%d" % i)
	var heard := _hears(world, 0, 400)
	same("count", heard.size(), 400)
	same("first", heard.slice(0, 4), PackedStringArray(["A r0", "A u0", "A r1", "A u1"]))
	same("last", heard.slice(-2), PackedStringArray(["A r199", "A u199"]))
	_end(world)


func test_client_that_leaves() -> void:
	var world := _world(2)
	check(_join(world), "both clients are in")
	check(_until(world, func() -> bool: return world.apis[2].get_peers().size() == 2),
		"they know each other")
	world.apis[1].multiplayer_peer.close()
	_until(world, func() -> bool:
		return world.events[0].size() == 3 and world.apis[2].get_peers().size() == 1)
	same("server", world.events[0], PackedStringArray(["+A", "+B", "-A"]))
	same("other_client", Array(world.events[2]).back(), "-A")
	_end(world)


func test_server_that_leaves() -> void:
	var world := _world(1)
	check(_join(world), "the client is in")
	world.apis[0].multiplayer_peer.close()
	_until(world, func() -> bool: return world.events[1].size() >= 4)
	same("client", world.events[1], PackedStringArray(["connected", "+1", "-1", "server gone"]))
	_end(world)


## What is said right before leaving is heard, and then the leave shows.
func test_rpcs_right_before_a_client_leaves() -> void:
	var world := _world(1)
	check(_join(world), "the client is in")
	for i in 20:
		world.callers[1].say.rpc_id(1, str(i))
	world.apis[1].multiplayer_peer.close()
	_let_arrive()
	_until(world, func() -> bool: return world.events[0].has("-A"))
	same("server", world.events[0], PackedStringArray(["+A", "-A"]))
	ours("heard", other == "rust", _count_said(world.callers[0].heard, "A"), "20 in order")
	_end(world)


func test_rpcs_right_before_the_server_leaves() -> void:
	var world := _world(2)
	check(_join(world), "both clients are in")
	for i in 20:
		world.callers[0].say.rpc(str(i))
	world.apis[0].multiplayer_peer.close()
	_let_arrive()
	_until(world, func() -> bool:
		return world.events[1].has("server gone") and world.events[2].has("server gone"))
	ours("first", impl_is_ours(), _count_said(world.callers[1].heard, "1"), "20 in order")
	ours("second", impl_is_ours(), _count_said(world.callers[2].heard, "1"), "20 in order")
	_end(world)


func test_rpcs_right_before_a_kick() -> void:
	var world := _world(1)
	check(_join(world), "the client is in")
	for i in 20:
		world.callers[0].say.rpc(str(i))
	world.apis[0].disconnect_peer(world.apis[1].get_unique_id())
	_let_arrive()
	_until(world, func() -> bool: return world.events[1].has("server gone"))
	ours("heard", impl_is_ours(), _count_said(world.callers[1].heard, "1"), "20 in order")
	_end(world)


## Lets all of it arrive before anybody polls: a poll in between would read some of it.
func _let_arrive() -> void:
	OS.delay_msec(50)


## How many of the 20 RPCs were heard.
func _count_said(heard: PackedStringArray, by: String) -> String:
	for i in heard.size():
		if heard[i] != "%s %d" % [by, i]:
			return "out of order: %s" % heard[i]
	return "%d in order" % heard.size()


## A client that goes on to another server from within the handler that tells of the loss of the
## first.
func test_handler_changes_the_multiplayer_peer() -> void:
	var world := _world(1)
	check(_join(world), "the client is in")
	var second := mp_server()
	world.apis[1].server_disconnected.connect(func() -> void:
		var peer := new_mp()
		peer.create_client("ws://127.0.0.1:%d" % second.get_meta("port"))
		world.apis[1].multiplayer_peer = peer, CONNECT_ONE_SHOT)
	world.apis[0].multiplayer_peer.close()
	same("in_again", _until(world, func() -> bool: return world.events[1].count("connected") == 2),
		true)
	_end(world)


## A server that goes offline while somebody comes in.
func test_handler_takes_the_multiplayer_peer_away() -> void:
	var world := _world(1)
	world.apis[0].peer_connected.connect(func(_id: int) -> void:
		world.apis[0].multiplayer_peer = OfflineMultiplayerPeer.new())
	same("client_is_out",
		_until(world, func() -> bool: return disconnected(world.apis[1].multiplayer_peer)), true)
	same("server", world.apis[0].multiplayer_peer.get_class(), "OfflineMultiplayerPeer")
	_end(world)


func test_connection_that_fails() -> void:
	var world := _world(0)
	_add_client(world, "ws://127.0.0.1:%d" % free_port(), Callable())
	_until(world, func() -> bool: return world.events[1].size() >= 1)
	same("client", world.events[1], PackedStringArray(["failed"]))
	_end(world)


func test_server_kicks_a_client() -> void:
	var world := _world(1)
	check(_join(world), "the client is in")
	world.apis[0].disconnect_peer(world.apis[1].get_unique_id())
	_until(world, func() -> bool: return world.events[1].size() >= 4)
	same("client", world.events[1], PackedStringArray(["connected", "+1", "-1", "server gone"]))
	_until(world, func() -> bool: return false, 0.02)
	# The engine forgets a client that it kicks itself: no signal.
	same("server", world.events[0], PackedStringArray(["+A"]))
	_end(world)


## Packets that wait in the same poll as a kick print nothing about an unknown peer, and end
## nothing.
func test_kick_while_packets_are_waiting() -> void:
	var world := _world(2)
	check(_join(world), "both clients are in")
	check(_until(world, func() -> bool: return world.apis[2].get_peers().size() == 2),
		"they know each other")
	world.callers[0].kick = world.apis[0]
	for i in 20:
		world.callers[1].say.rpc_id(1, "kick me" if i == 5 else "m%d" % i)
	_until(world, func() -> bool: return world.events[1].has("server gone"))
	same("client_is_out", world.events[1].has("server gone"), true)
	world.callers[2].say.rpc_id(1, "still here")
	_until(world, func() -> bool: return world.callers[0].heard.has("B still here"))
	same("other_client_still_heard", world.callers[0].heard.has("B still here"), true)
	same("heard_before_the_kick", world.callers[0].heard.slice(0, 6),
		PackedStringArray(["A m0", "A m1", "A m2", "A m3", "A m4", "A kick me"]))
	_end(world)


func test_authentication_that_succeeds() -> void:
	var world := _world(1, func(api: SceneMultiplayer, index: int) -> void:
		_authenticate(api, index, true))
	check(_join(world), "the client is in")
	same("client", world.events[1], PackedStringArray(["authenticating 1", "connected", "+1"]))
	same("server", world.events[0], PackedStringArray(["authenticating A", "+A"]))
	world.callers[1].say.rpc_id(1, "let in")
	same("server_heard", _hears(world, 0, 1), PackedStringArray(["A let in"]))
	_end(world)


## The server does not complete: `auth_timeout` ends it, by a `disconnect_peer` within the poll.
func test_authentication_that_times_out() -> void:
	var world := _world(1, func(api: SceneMultiplayer, index: int) -> void:
		_authenticate(api, index, false)
		api.auth_timeout = 0.15 if index == 0 else 5.0)
	_until(world, func() -> bool: return world.events[0].size() >= 2 and world.events[1].size() >= 3)
	same("server", world.events[0], PackedStringArray(["authenticating A", "auth failed A"]))
	same("client", world.events[1],
		PackedStringArray(["authenticating 1", "auth failed 1", "server gone"]))
	same("peers", world.apis[0].get_peers(), PackedInt32Array())
	_end(world)


func test_client_leaves_during_authentication() -> void:
	var world := _world(1, func(api: SceneMultiplayer, index: int) -> void:
		_authenticate(api, index, false))
	_until(world, func() -> bool: return world.events[0].size() >= 1 and world.events[1].size() >= 1)
	world.apis[1].multiplayer_peer.close()
	_until(world, func() -> bool: return world.events[0].size() >= 2)
	same("server", world.events[0], PackedStringArray(["authenticating A", "auth failed A"]))
	_end(world)


func test_raw_bytes() -> void:
	var world := _world(1)
	check(_join(world), "the client is in")
	var got := PackedStringArray()
	world.apis[0].peer_packet.connect(func(id: int, packet: PackedByteArray) -> void:
		got.append("%s %s" % [label(id), packet.get_string_from_utf8()]))
	world.apis[1].send_bytes("raw".to_utf8_buffer(), 1)
	_until(world, func() -> bool: return got.size() == 1)
	same("got", got, PackedStringArray(["A raw"]))
	_end(world)


## The server proves the client by a word; the client says it when asked.
func _authenticate(api: SceneMultiplayer, index: int, completes: bool) -> void:
	if index == 0:
		api.auth_callback = func(id: int, word: PackedByteArray) -> void:
			if completes and word.get_string_from_utf8() == "sesame":
				api.send_auth(id, "welcome".to_utf8_buffer())
				api.complete_auth(id)
	else:
		api.auth_callback = func(id: int, _word: PackedByteArray) -> void: api.complete_auth(id)
		api.peer_authenticating.connect(func(id: int) -> void:
			api.send_auth(id, "sesame".to_utf8_buffer()))


# ---- the tree

## A server (index 0) and clients on their way in. `prepare.call(api, index)` runs before the peer
## is set.
func _world(clients: int, prepare := Callable()) -> World:
	var world := World.new()
	var server := mp_server()
	unwatch(server)
	_add(world, server, prepare)
	for i in clients:
		_add_client(world, "ws://127.0.0.1:%d" % server.get_meta("port"), prepare)
		if i < clients - 1:
			_until(world, func() -> bool: return world.events[0].size() > i)
	return world


func _add_client(world: World, url: String, prepare: Callable) -> void:
	var client := new_mp()
	equal(client.create_client(url), OK, "create_client")
	_add(world, client, prepare)


func _add(world: World, peer: MultiplayerPeer, prepare: Callable) -> void:
	var tree: SceneTree = Engine.get_main_loop()
	var index := world.apis.size()
	var api := SceneMultiplayer.new()
	var branch := Node.new()
	branch.name = "World%d" % index
	tree.root.add_child(branch)
	tree.set_multiplayer(api, branch.get_path())
	api.root_path = branch.get_path()
	var caller := Caller.new()
	caller.name = "Caller"
	caller.name_of = label
	branch.add_child(caller)
	world.apis.append(api)
	world.roots.append(branch)
	world.callers.append(caller)
	world.events.append(PackedStringArray())
	var note_event := func(event: String) -> void: world.events[index].append(event)
	api.peer_connected.connect(func(id: int) -> void: note_event.call("+" + label(id)))
	api.peer_disconnected.connect(func(id: int) -> void: note_event.call("-" + label(id)))
	api.connected_to_server.connect(note_event.bind("connected"))
	api.connection_failed.connect(note_event.bind("failed"))
	api.server_disconnected.connect(note_event.bind("server gone"))
	api.peer_authenticating.connect(func(id: int) -> void:
		note_event.call("authenticating " + label(id)))
	api.peer_authentication_failed.connect(func(id: int) -> void:
		note_event.call("auth failed " + label(id)))
	if prepare.is_valid():
		prepare.call(api, index)
	api.multiplayer_peer = peer


func _until(world: World, condition: Callable, seconds := 4.0) -> bool:
	return until(func() -> bool:
		for api in world.apis:
			api.poll()
		return condition.call(), seconds)


func _join(world: World) -> bool:
	return _until(world, func() -> bool:
		for i in range(1, world.apis.size()):
			if not world.events[i].has("connected"):
				return false
		return world.apis[0].get_peers().size() == world.apis.size() - 1)


func _hears(world: World, index: int, count: int) -> PackedStringArray:
	_until(world, func() -> bool: return world.callers[index].heard.size() >= count)
	return world.callers[index].heard


func _end(world: World) -> void:
	var tree: SceneTree = Engine.get_main_loop()
	for i in world.apis.size():
		var api := world.apis[i]
		api.auth_callback = Callable()
		for event: Dictionary in api.get_signal_list():
			for link: Dictionary in api.get_signal_connection_list(event.name):
				if link.callable.is_custom():
					api.disconnect(event.name, link.callable)
		api.multiplayer_peer.close()
		api.multiplayer_peer = null
		tree.set_multiplayer(null, world.roots[i].get_path())
		world.callers[i].kick = null
		world.callers[i].name_of = Callable()
		world.roots[i].free()
	world.apis.clear()
