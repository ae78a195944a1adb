extends "res://tests/harness/case.gd"
## What a script and the reader of the log learn of a call that was refused and of a connection that
## never came about.


func test_first_poll_never_shows_the_end() -> void:
	if is_builtin():
		return
	for i in 10:
		var peer := new_ws()
		equal(peer.connect_to_url("ws://127.0.0.1:%d/" % free_port()), OK, "connect_to_url")
		OS.delay_msec(20)
		peer.poll()
		equal(state_name(peer), "CONNECTING", "after the first poll")
		watch(peer)
		check(until_closed(peer), "later")
		unwatch(peer)
		var client := new_mp()
		equal(client.create_client("ws://127.0.0.1:%d/" % free_port()), OK, "create_client")
		OS.delay_msec(20)
		client.poll()
		equal(mp_status(client), "CONNECTING", "after the first poll")
		watch(client)
		check(until(func() -> bool: return disconnected(client)), "later")
		unwatch(client)


func test_failed_attempt_is_warned_of_once() -> void:
	if is_builtin():
		return
	var port := free_port()
	var url := "ws://somebody:secret@127.0.0.1:%d/game?token=hidden" % port
	var failed := "connecting to 'ws://127.0.0.1:%d/game' failed: the TCP connection failed" % port
	expect_warning(ws_class() + ": " + failed)
	expect_warning(mp_class() + ": " + failed)
	for attempt in 3:
		var peer: PacketPeer = watch(new_ws())
		equal(peer.connect_to_url(url), OK, "connect_to_url")
		check(until_closed(peer), "it fails")
		unwatch(peer)
		var client: MultiplayerPeer = watch(new_mp())
		equal(client.create_client(url), OK, "create_client")
		check(until(func() -> bool: return disconnected(client)), "it fails")
		unwatch(client)


## Closing by the script, and losing a connection that stood, are no failed attempts.
func test_what_is_no_failed_attempt_is_not_warned_of() -> void:
	if is_builtin():
		return
	var asking := client_asking_raw()
	expect_no_warning()
	asking.peer.close()
	settle(0.02)
	var pair := client_with_raw_server()
	pair.raw.close()
	check(until_closed(pair.peer), "lost")
	var session := mp_session(1)
	session.server.close()
	check(until(func() -> bool: return disconnected(session.clients[0])), "lost")
	var client := new_mp()
	client.create_client("ws://127.0.0.1:%d" % free_port())
	client.close()
	client.poll()


func test_sentence_of_a_refused_call_stays_until_the_next_attempt() -> void:
	if is_builtin():
		return
	var peer := new_ws()
	expect_error("http://127.0.0.1")
	peer.connect_to_url("http://127.0.0.1/")
	check("http://127.0.0.1" in peer.get_error_message(), peer.get_error_message())
	expect_error("https://127.0.0.2")
	peer.connect_to_url("https://127.0.0.2/")
	check("127.0.0.2" in peer.get_error_message(), peer.get_error_message())
	expect_error("close_timeout must be")
	peer.close_timeout = -1
	check("close_timeout" in peer.get_error_message(), peer.get_error_message())
	equal(peer.connect_to_url("ws://127.0.0.1:%d/" % free_port()), OK, "the next attempt")
	equal(peer.get_error_message(), "", "forgotten")
	watch(peer)
	check(until_closed(peer), "it fails")
	check("TCP connection failed" in peer.get_error_message(), peer.get_error_message())
	var client := new_mp()
	expect_error("'nowhere' is not an IP address")
	client.create_server(0, "nowhere")
	check("nowhere" in client.get_error_message(), client.get_error_message())
	equal(client.create_server(0, ANY_ADDRESS), OK, "the next attempt")
	equal(client.get_error_message(), "", "forgotten")


func test_port_that_the_system_has_chosen() -> void:
	if is_builtin():
		return
	var server := new_mp()
	equal(server.get_local_port(), 0, "before")
	equal(server.create_server(0, ANY_ADDRESS), OK, "create_server")
	var port: int = server.get_local_port()
	check(port > 0 and port < 65536, "a port: %d" % port)
	server.set_meta("port", port)
	watch(server)
	var client := mp_client(server)
	check(until(func() -> bool: return connected(client)), "a client gets in there")
	equal(client.get_local_port(), 0, "of a client")
	server.close()
	equal(server.get_local_port(), 0, "after")


func test_freed_peer_says_that_it_is_going_away() -> void:
	if is_builtin():
		return
	for frees_client: bool in [true, false]:
		var pair := connect_pair()
		unwatch(pair.client)
		unwatch(pair.server)
		var left: PacketPeer = pair.server if frees_client else pair.client
		left.poll()
		if frees_client:
			pair.client = null
		else:
			pair.server = null
		watch(left)
		check(until_closed(left), "the other side sees it")
		equal(left.get_close_code(), 1001, "close code, frees_client=%s" % frees_client)
