extends "res://tests/harness/case.gd"
## What was accepted before a peer leaves still arrives, however it leaves.

const COUNT := 2000


func runs_mixed() -> bool:
	return true


func test_accepted_before_close_arrives() -> void:
	_leaves("close", func(peer: PacketPeer) -> void: peer.close())


func test_accepted_before_close_at_once_arrives() -> void:
	_leaves("close_now", func(peer: PacketPeer) -> void: peer.close(-1))


func test_accepted_before_close_of_the_server_arrives() -> void:
	var pair := connect_pair(func(client: Object, _server: Object) -> void: client.inbound_buffer_size = 1 << 22)
	for i in COUNT:
		equal(pair.server.put_packet(numbered(i, 1000)), OK, "put_packet %d" % i)
	pair.server.close(4000, "done")
	same("read", _read_to_the_end(pair.client, COUNT), "in order")


## Dropping the last reference is leaving as well.
func test_accepted_before_the_object_is_freed_arrives() -> void:
	var pair := connect_pair(func(_client: Object, server: Object) -> void: server.inbound_buffer_size = 1 << 22)
	for i in COUNT:
		equal(pair.client.put_packet(numbered(i, 1000)), OK, "put_packet %d" % i)
	var weak: WeakRef = weakref(pair.client)
	unwatch(pair.client)
	pair.client = null
	same("freed", weak.get_ref() == null, true)
	same("read", _read_to_the_end(pair.server, COUNT), "in order")


func _leaves(key: String, leave: Callable) -> void:
	var pair := connect_pair(func(_client: Object, server: Object) -> void: server.inbound_buffer_size = 1 << 22)
	for i in COUNT:
		equal(pair.client.put_packet(numbered(i, 1000)), OK, "put_packet %d" % i)
	leave.call(pair.client)
	same(key, _read_to_the_end(pair.server, COUNT), "in order")


## Reads as the documentation's loop does, until the peer is closed. The poll that meets the end loses what the built-in
## has not handed out (a fault of the built-in): reading one poll at a time with a queue that holds all shows what came.
func _read_to_the_end(peer: PacketPeer, count: int) -> String:
	var got: Array[PackedByteArray] = []
	until(func() -> bool:
		while peer.get_available_packet_count() > 0:
			got.append(peer.get_packet())
		return state(peer) == CLOSED or got.size() == count, 8.0)
	if not in_order(got):
		return "out of order"
	return "in order" if got.size() == count else "%d of %d" % [got.size(), count]
