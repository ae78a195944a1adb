extends "res://tests/harness/tls_case.gd"
## TLS connections beside the question of whom to trust.


## A server's `TLSOptions` that cannot work: ours says so at once, the built-in when a client comes.
func test_unusable_server_options() -> void:
	var pair := made()
	var second := made("second")
	var public_key := CryptoKey.new()
	public_key.load_from_string(pair[0].save_to_string(true), true)
	var options := {
		"nothing": TLSOptions.server(CryptoKey.new(), X509Certificate.new()),
		"no_key": TLSOptions.server(CryptoKey.new(), pair[1]),
		"no_certificate": TLSOptions.server(pair[0], X509Certificate.new()),
		"key_of_another": TLSOptions.server(second[0], pair[1]),
		"key_of_another_kind": TLSOptions.server(key_of("ec_leaf"), pair[1]),
		"key_of_another_chain": TLSOptions.server(pair[0], certificate("chain")),
		"public_key": TLSOptions.server(public_key, pair[1]),
	}
	for key: String in options:
		var server := new_mp(other)
		if other == "rust":
			expect_error("create_server: .*(key|certificate)")
		ours(key, other == "rust", server.create_server(free_port(), ANY_ADDRESS, options[key]),
			ERR_INVALID_PARAMETER)
		ours(key + "_status", other == "rust", mp_status(server), "DISCONNECTED")


func test_unusable_client_options() -> void:
	var peer := new_ws()
	if impl_is_ours():
		expect_error("connect_to_url: .*certificate")
	ours("empty", impl_is_ours(),
		peer.connect_to_url("wss://127.0.0.1:1", TLSOptions.client(X509Certificate.new())),
		ERR_INVALID_PARAMETER)
	ours("state", impl_is_ours(), state_name(peer), "CLOSED")
	# Of no interest without TLS.
	same("plain",
		new_ws().connect_to_url("ws://127.0.0.1:1", TLSOptions.client(X509Certificate.new())), OK)


## What a game developer reads. Only ours has words.
func test_sentences() -> void:
	if impl != "rust":
		check(true, "")
		return
	var pair := made()
	var root := TLSOptions.client(as_resource("root"))
	_says("untrusted", TLSOptions.client(made("second")[1]), server_of(pair),
		"not one that this client trusts")
	_says("default_roots", TLSOptions.client(), server_of(pair), "not one that this client trusts")
	_says("name", TLSOptions.client(pair[1], "game.example"), server_of(pair),
		"not for 'game.example' but for 'localhost'")
	_says("names", root, fixture_server("names", "names"), "not for 'localhost' but for ")
	_says("expired", TLSOptions.client(as_resource("expired")), fixture_server("expired", "expired"),
		"has expired")
	_says("future", TLSOptions.client(as_resource("future")), fixture_server("future", "future"),
		"not valid yet")
	_says("forged", root, fixture_server("forged", "forged"), "certificate")
	if other == "rust":
		_says("purpose", root, fixture_server("client_only", "client_only"), "not made for servers")
	_says("plain_server", TLSOptions.client_unsafe(), null, "TLS")


func _says(key: String, client_options: TLSOptions, server_options: TLSOptions,
		part: String) -> void:
	var server := tls_server(server_options)
	var client: PacketPeer = watch(new_ws())
	equal(client.connect_to_url("wss://localhost:%d" % server.get_meta("port"), client_options), OK,
		"connect_to_url")
	check(until_closed(client, 6.0), key + " ends")
	equal(ending(client), "CLOSED -1 \"\"", key)
	var message: String = client.get_error_message()
	note("%s: %s" % [key, message])
	check(message.contains("TLS handshake") and message.contains(part),
		"%s says '%s'" % [key, message])
	check(not message.contains("PRIVATE"), key + " shows no key")
	unwatch(client)
	unwatch(server)
	server.close()


## A port that answers nothing, and one that answers nonsense.
func test_no_tls_behind_a_port() -> void:
	for answer: String in ["", "HTTP/1.1 400 Bad Request\r\n\r\n", "\u0016\u0003\u0003"]:
		var key := "answer_%d" % answer.length()
		var tcp := listen()
		var client := new_mp()
		client.handshake_timeout = 0.5
		same(key, client.create_client("wss://127.0.0.1:%d" % tcp.get_local_port(),
			TLSOptions.client_unsafe()), OK)
		watch(client)
		var raw: RawPeer = watch(RawPeer.new(take(tcp)))
		raw.send_ascii(answer)
		same(key + "_ends", until(func() -> bool: return disconnected(client), 3.0), true)
		unwatch(client)
		unwatch(raw)


## A client that says nothing, or nonsense, is dropped by the server within its time.
func test_no_tls_in_front_of_a_server() -> void:
	var server := new_mp(other)
	server.handshake_timeout = 0.5
	var port := free_port()
	same("answer", server.create_server(port, ANY_ADDRESS, server_of(made())), OK)
	watch(server)
	for text: String in ["", "GET / HTTP/1.1\r\n\r\n"]:
		var raw: RawPeer = watch(RawPeer.connect_to(port))
		until(raw.is_connected_now)
		raw.send_ascii(text)
		same("ended_%d" % text.length(), until(func() -> bool: return raw.ended, 3.0), true)
		unwatch(raw)


class TlsPair:
	var client: PacketPeer
	var server: PacketPeer


## A client, and a server that got its stream from the engine's own TLS.
func tls_pair(client_options: TLSOptions, server_options: TLSOptions, path := "/") -> TlsPair:
	var pair := TlsPair.new()
	var tcp := listen()
	pair.client = watch(new_ws(impl))
	pair.client.inbound_buffer_size = 4 << 20
	pair.client.outbound_buffer_size = 4 << 20
	equal(pair.client.connect_to_url("wss://localhost:%d%s" % [tcp.get_local_port(), path],
		client_options), OK, "connect_to_url")
	var stream := StreamPeerTLS.new()
	equal(stream.accept_stream(take(tcp), server_options), OK, "the engine's TLS")
	until(func() -> bool:
		stream.poll()
		return stream.get_status() != StreamPeerTLS.STATUS_HANDSHAKING)
	pair.server = watch(new_ws(other))
	pair.server.inbound_buffer_size = 4 << 20
	pair.server.outbound_buffer_size = 4 << 20
	equal(pair.server.accept_stream(stream), OK, "accept_stream")
	until(func() -> bool: return state(pair.client) == OPEN and state(pair.server) == OPEN)
	equal([state_name(pair.client), state_name(pair.server)], ["OPEN", "OPEN"], "client and server")
	return pair


func test_stream_of_the_engine() -> void:
	var identity := made()
	var pair := tls_pair(TLSOptions.client(identity[1]), server_of(identity), "/lobby?a=1")
	same("server_url", pair.server.get_requested_url().begins_with("wss://localhost:"), true)
	same("server_path", pair.server.get_requested_url().ends_with("/lobby?a=1"), true)
	pair.client.send_text("to the server")
	pair.server.send_text("to the client")
	same("server_received", receive_text(pair.server, 1), PackedStringArray(["to the server"]))
	same("client_received", receive_text(pair.client, 1), PackedStringArray(["to the client"]))


func test_long_messages() -> void:
	var identity := made()
	var pair := tls_pair(TLSOptions.client(identity[1]), server_of(identity))
	var data := numbered(1, 1 << 20)
	same("to_server", pair.client.send(data), OK)
	same("server_received", receive(pair.server, 1) == [data], true)
	same("to_client", pair.server.send(data), OK)
	same("client_received", receive(pair.client, 1) == [data], true)


## More than the system takes: TLS must go on exactly where it was refused.
func test_reader_that_pauses() -> void:
	var identity := made()
	var pair := tls_pair(TLSOptions.client(identity[1]), server_of(identity))
	unwatch(pair.client)
	same("to_client", fill_and_read(pair.server, pair.client), "all in order")


func test_many_messages() -> void:
	var server := tls_server(server_of(made()))
	var client: MultiplayerPeer = new_mp()
	client.create_client("wss://localhost:%d" % server.get_meta("port"), TLSOptions.client(made()[1]))
	watch(client)
	same("in", until(func() -> bool: return connected(client)), true)
	for i in 1000:
		client.put_packet(numbered(i, 100 + i % 500))
	var got: Array[PackedByteArray] = []
	until(func() -> bool:
		while server.get_available_packet_count() > 0:
			got.append(server.get_packet())
		return got.size() >= 1000, 8.0)
	same("count", got.size(), 1000)
	same("in_order", in_order(got), true)


func test_close_with_a_code() -> void:
	var identity := made()
	var pair := tls_pair(TLSOptions.client(identity[1]), server_of(identity))
	pair.client.close(4001, "enough")
	until(func() -> bool: return state(pair.client) == CLOSED and state(pair.server) == CLOSED)
	# The built-in client misses the answer when the end of the connection comes with it.
	ours("client", impl_is_ours(), ending(pair.client), "CLOSED 4001 \"enough\"")
	same("server", ending(pair.server), "CLOSED 4001 \"enough\"")


## The built-in loses what comes together with the end.
func test_last_words() -> void:
	var identity := made()
	var pair := tls_pair(TLSOptions.client(identity[1]), server_of(identity))
	pair.client.send_text("last words")
	pair.client.close(4001, "enough")
	OS.delay_msec(50)
	ours("server_received", other == "rust", receive_text(pair.server, 1),
		PackedStringArray(["last words"]))


func test_close_without_a_code() -> void:
	var identity := made()
	var pair := tls_pair(TLSOptions.client(identity[1]), server_of(identity))
	pair.server.close(-1)
	same("closed", until_closed(pair.client), true)
	same("client", ending(pair.client), "CLOSED -1 \"\"")
	same("server", ending(pair.server), "CLOSED -1 \"\"")


func test_options_are_used_again() -> void:
	var identity := made()
	var server_options := server_of(identity)
	var client_options := TLSOptions.client(identity[1])
	for i in 3:
		same("attempt_%d" % i, attempt(client_options, server_options), "in")
	same("equal_options", attempt(TLSOptions.client(identity[1]), server_options), "in")
