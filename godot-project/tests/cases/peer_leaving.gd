extends "res://tests/harness/case.gd"
## What was accepted before a peer leaves still arrives, however it leaves: two megabytes, read by a
## bare socket.

const COUNT := 2000
const SIZE := 1000


func test_accepted_before_close_arrives() -> void:
	_leaves(func(peer: PacketPeer) -> void: peer.close())


func test_accepted_before_close_at_once_arrives() -> void:
	_leaves(func(peer: PacketPeer) -> void: peer.close(-1))


## Unread input at the moment of leaving must not destroy what is still on its way out.
func test_accepted_before_close_at_once_arrives_in_spite_of_unread_input() -> void:
	var pair := server_with_raw_client()
	_send_all(pair.peer)
	for i in 100:
		pair.raw.send_frame(RawPeer.BINARY, bytes(100))
	pair.peer.close(-1)
	ours("arrived", impl_is_ours(), _arrived(pair.raw, 4), "all in order")


## Dropping the last reference is leaving as well.
func test_accepted_before_the_object_is_freed_arrives() -> void:
	var pair := client_with_raw_server()
	_send_all(pair.peer)
	var weak: WeakRef = weakref(pair.peer)
	unwatch(pair.peer)
	pair.peer = null
	same("freed", weak.get_ref() == null, true)
	same("arrived", _arrived(pair.raw, 8), "all in order")


func test_accepted_before_reuse_arrives() -> void:
	var pair := client_with_raw_server()
	_send_all(pair.peer)
	pair.peer.close()
	equal(pair.peer.connect_to_url("ws://127.0.0.1:%d/" % free_port()), OK,
		"connect_to_url while closing")
	same("arrived", _arrived(pair.raw, 8), "all in order")


## A program that sends and ends in the same frame. Needs $GODOT, which the runner sets.
func test_accepted_before_the_engine_quits_arrives() -> void:
	var engine := OS.get_environment("GODOT")
	var tcp := listen()
	var arguments := ["--headless", "--path", ProjectSettings.globalize_path("res://"), "-s",
		"res://tests/harness/quitter.gd", "--",
		ws_class(), "ws://127.0.0.1:%d/" % tcp.get_local_port(), "100"]
	if not check(not engine.is_empty() and OS.create_process(engine, arguments) > 0, "$GODOT starts"):
		return
	var stream := take(tcp, 15.0)
	if stream == null:
		return
	var raw: RawPeer = watch(RawPeer.new(stream))
	until(func() -> bool: return not raw.head().is_empty())
	raw.accept_upgrade()
	same("ends", until(func() -> bool: return raw.ended, 10.0), true)
	var frames := raw.take_frames()
	same("messages", frames.size() >= 100 and frames[0] == "text:message 0"
		and frames[99] == "text:message 99", true)


func _leaves(leave: Callable) -> void:
	for role: String in ["client", "server"]:
		var pair := client_with_raw_server() if role == "client" else server_with_raw_client()
		_send_all(pair.peer)
		leave.call(pair.peer)
		same(role, _arrived(pair.raw, 8 if role == "client" else 4), "all in order")
		unwatch(pair.peer)


## Nobody reads yet: what the machine does not take stays with the peer.
func _send_all(peer: PacketPeer) -> void:
	for i in COUNT:
		if peer.put_packet(numbered(i, SIZE)) != OK:
			check(false, "put_packet %d" % i)
			return


## Reads until all is there or nothing more comes; frames have a header of `head` bytes, the mask
## included.
func _arrived(raw: RawPeer, head: int) -> String:
	until(func() -> bool: return raw.received.size() >= COUNT * (SIZE + head) or raw.ended)
	for i in COUNT:
		var at := i * (SIZE + head)
		if raw.received.size() < at + SIZE + head:
			return "%d of %d" % [i, COUNT]
		var number := raw.received.decode_u32(at + head)
		if head == 8:
			number ^= raw.received.decode_u32(at + 4)
		if number != i:
			return "out of order at %d" % i
	return "all in order"
