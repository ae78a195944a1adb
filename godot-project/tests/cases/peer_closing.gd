extends "res://tests/harness/case.gd"
## Closing: codes, reasons and states on both sides.


func runs_mixed() -> bool:
	return true


func test_close_by_either_side() -> void:
	for side: String in ["client", "server"]:
		var pair := connect_pair()
		var closer := pair.client if side == "client" else pair.server
		var closed := pair.server if side == "client" else pair.client
		closer.close(4001, "bye, ü")
		same(side + "_at_once", ending(closer), "CLOSING -1 \"\"")
		expect_error("open|clos")
		same(side + "_put_packet", closer.put_packet(bytes(1)), FAILED)
		_both_closed(pair)
		same(side + "_closer", ending(closer), "CLOSED 4001 \"bye, ü\"")
		same(side + "_closed", ending(closed), "CLOSED 4001 \"bye, ü\"")
		unwatch(pair.client)
		unwatch(pair.server)


func test_close_without_arguments() -> void:
	var pair := connect_pair()
	pair.client.close()
	_both_closed(pair)
	same("closer", ending(pair.client), "CLOSED 1000 \"\"")
	same("closed", ending(pair.server), "CLOSED 1000 \"\"")


func test_sending_in_closing_is_refused() -> void:
	var pair := connect_pair()
	pair.client.close()
	expect_error("open|clos")
	same("put_packet", pair.client.put_packet(bytes(1)), FAILED)
	same("send", pair.client.send(bytes(1)), FAILED)
	same("send_text", pair.client.send_text("x"), FAILED)


func test_second_close_changes_nothing() -> void:
	var pair := connect_pair()
	pair.client.close(4001, "first")
	pair.client.close(4002, "second")
	_both_closed(pair)
	same("closer", ending(pair.client), "CLOSED 4001 \"first\"")
	same("closed", ending(pair.server), "CLOSED 4001 \"first\"")
	pair.client.close(4003, "third")
	same("after", ending(pair.client), "CLOSED 4001 \"first\"")


func test_both_sides_close_at_once() -> void:
	var pair := connect_pair()
	pair.client.close(4001, "client")
	pair.server.close(4002, "server")
	_both_closed(pair)
	# The built-in shows the other side's code; whichever close frame is met first will do.
	for peer: PacketPeer in [pair.client, pair.server]:
		check(ending(peer) in ["CLOSED 4001 \"client\"", "CLOSED 4002 \"server\""],
			"an ending of the two: " + ending(peer))


## A negative code ends the connection at once, with no word to the other side.
func test_close_at_once() -> void:
	var pair := connect_pair()
	pair.client.close(-1)
	same("closer", ending(pair.client), "CLOSED -1 \"\"")
	check(until_closed(pair.server), "the other side is closed")
	same("closed", ending(pair.server), "CLOSED -1 \"\"")


## A close that is under way can be cut short.
func test_close_at_once_while_closing() -> void:
	var pair := connect_pair()
	unwatch(pair.server)
	pair.client.close(4001, "slow")
	pair.client.close(-1)
	same("ending", ending(pair.client), "CLOSED -1 \"\"")


func test_close_while_connecting() -> void:
	var pair := client_asking_raw()
	pair.peer.close()
	same("ending", ending(pair.peer), "CLOSED -1 \"\"")
	same("other_side_sees_the_end", until(func() -> bool: return pair.raw.ended), true)
	var server := server_with_raw_stream()
	server.peer.close(4000, "no")
	same("server_ending", ending(server.peer), "CLOSED -1 \"\"")
	same("client_sees_the_end", until(func() -> bool: return server.raw.ended), true)


func test_code_zero_sends_no_code() -> void:
	var pair := client_with_raw_server()
	pair.peer.close(0)
	until(func() -> bool: return pair.raw.received.size() >= 6)
	var frame: Dictionary = pair.raw.take_frame()
	same("frame", "%s %d bytes" % [RawPeer.describe(frame), frame.payload.size()], "close: 0 bytes")


func test_every_allowed_code_arrives() -> void:
	for code: int in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]:
		var pair := connect_pair()
		pair.client.close(code, "why")
		_both_closed(pair)
		same("closer_%d" % code, ending(pair.client), "CLOSED %d \"why\"" % code)
		same("closed_%d" % code, ending(pair.server), "CLOSED %d \"why\"" % code)
		unwatch(pair.client)
		unwatch(pair.server)


func test_longest_reason() -> void:
	var pair := connect_pair()
	var reason := "r".repeat(123)
	pair.client.close(4000, reason)
	_both_closed(pair)
	same("closer", pair.client.get_close_reason().length(), 123)
	same("closed", pair.server.get_close_reason(), reason)


func test_what_stays_after_the_end() -> void:
	var pair := connect_pair(func(client: Object, server: Object) -> void:
		client.supported_protocols = PackedStringArray(["chat"])
		server.supported_protocols = PackedStringArray(["chat"]), "/room")
	pair.server.close(4001, "over")
	_both_closed(pair)
	for side: String in ["client", "server"]:
		var peer := pair.client if side == "client" else pair.server
		same(side + "_ending", ending(peer), "CLOSED 4001 \"over\"")
		same(side + "_protocol", peer.get_selected_protocol(), "chat")
		same(side + "_url", peer.get_requested_url().get_slice(":", 2).get_slice("/", 1), "room")
		same(side + "_host", peer.get_connected_host(), "")
		same(side + "_port", peer.get_connected_port(), 0)
		same(side + "_packets", peer.get_available_packet_count(), 0)


func test_dropped_connection() -> void:
	var pair := client_with_raw_server()
	pair.raw.close()
	same("closed", until_closed(pair.peer), true)
	same("ending", ending(pair.peer), "CLOSED -1 \"\"")


## Writing into a connection that is gone is an error of the socket, and no signal that ends the
## program.
func test_sending_into_a_dropped_connection() -> void:
	for role: String in ["client", "server"]:
		var pair := client_with_raw_server() if role == "client" else server_with_raw_client()
		unwatch(pair.peer)
		pair.peer.put_packet(bytes(1000))
		OS.delay_msec(2)
		pair.raw.close()
		allow_error("open|clos|connect")
		for i in 50:
			pair.peer.put_packet(bytes(1000))
			OS.delay_usec(300)
		watch(pair.peer)
		same(role + "_closed", until_closed(pair.peer), true)
		same(role, ending(pair.peer), "CLOSED -1 \"\"")
		unwatch(pair.peer)


## A close frame with a reset right behind it: the answer goes into a connection that is gone, and
## must not end the program.
func test_close_frame_with_a_reset_behind() -> void:
	var closed := 0
	for i in 500:
		var pair := client_with_raw_server()
		unwatch(pair.peer)
		unwatch(pair.raw)
		pair.peer.put_packet(bytes(1000))
		pair.raw.send_frame(RawPeer.CLOSE, RawPeer.close_payload(4001))
		if i % 2 == 1:
			OS.delay_usec(i % 100)
		pair.raw.close() # Over unread input: a reset.
		watch(pair.peer)
		if until_closed(pair.peer):
			closed += 1
		unwatch(pair.peer)
	same("closed", closed, 500)


func test_code_and_reason_of_the_other_side() -> void:
	var pair := client_with_raw_server()
	pair.raw.send_frame(RawPeer.CLOSE, RawPeer.close_payload(1011, "kaputt"))
	check(until_closed(pair.peer), "closed")
	same("ending", ending(pair.peer), "CLOSED 1011 \"kaputt\"")
	until(func() -> bool: return pair.raw.ended)
	same("answer", pair.raw.take_frames(), PackedStringArray(["close:1011:kaputt"]))


## RFC 6455 calls it 1005; the built-in says 0.
func test_close_frame_without_a_code() -> void:
	for side: String in ["client", "server"]:
		var pair := client_with_raw_server() if side == "client" else server_with_raw_client()
		pair.raw.send_frame(RawPeer.CLOSE)
		check(until_closed(pair.peer), "closed")
		ours(side, impl_is_ours(), ending(pair.peer), "CLOSED 1005 \"\"")


## The answer to our close decides what is shown.
func test_answer_with_another_code() -> void:
	var pair := client_with_raw_server()
	pair.peer.close(4001, "ours")
	until(func() -> bool: return pair.raw.received.size() >= 10)
	same("sent", pair.raw.take_frames(), PackedStringArray(["close:4001:ours"]))
	pair.raw.send_frame(RawPeer.CLOSE, RawPeer.close_payload(4002, "theirs"))
	check(until_closed(pair.peer), "closed")
	same("ending", ending(pair.peer), "CLOSED 4002 \"theirs\"")


## Messages that arrive while we are closing are not handed out.
func test_messages_while_closing() -> void:
	var pair := client_with_raw_server()
	pair.peer.close(4001, "")
	pair.raw.send_message("late")
	settle(0.03)
	same("state", state_name(pair.peer), "CLOSING")
	same("packets", pair.peer.get_available_packet_count(), 0)
	pair.raw.send_frame(RawPeer.CLOSE, RawPeer.close_payload(4001))
	check(until_closed(pair.peer), "closed")
	same("ending", ending(pair.peer), "CLOSED 4001 \"\"")


func _both_closed(pair: Pair) -> void:
	until(func() -> bool: return state(pair.client) == CLOSED and state(pair.server) == CLOSED)
	equal([state_name(pair.client), state_name(pair.server)], ["CLOSED", "CLOSED"],
		"client and server after the close")
