extends "res://tests/harness/tls_case.gd"
## A client that trusts several certificates at once, loaded while the game runs: the engine tells
## nobody which they are, so ours leaves TLS to the engine for these.


## The PEM text of a fixture, or of a certificate that was made.
static func text_of(certificate_or_name: Variant) -> String:
	if certificate_or_name is String:
		return FileAccess.get_file_as_string(FIXTURES + certificate_or_name + ".crt")
	return certificate_or_name.save_to_string().replace("\u0000", "").strip_edges() + "\n"


## Several certificates in one object, the way a game has them that fetched them.
static func bundle_of(certificates: Array) -> X509Certificate:
	var bundle := X509Certificate.new()
	bundle.load_from_string("".join(PackedStringArray(certificates.map(text_of))))
	return bundle


static func bundle_from_file(certificates: Array) -> X509Certificate:
	var path := "user://bundle.crt"
	FileAccess.open(path,
		FileAccess.WRITE).store_string("".join(PackedStringArray(certificates.map(text_of))))
	var bundle := X509Certificate.new()
	bundle.load(path)
	DirAccess.remove_absolute(path)
	return bundle


func test_whose_certificate() -> void:
	var pair := made()
	for how: String in ["string", "file"]:
		var members := ["root", pair[1]]
		var bundle := bundle_of(members) if how == "string" else bundle_from_file(members)
		var options := TLSOptions.client(bundle)
		same(how + "_first", attempt(options, fixture_server("leaf", "chain")), "in")
		same(how + "_first_ec", attempt(options, fixture_server("ec_leaf", "ec_chain")), "in")
		same(how + "_second", attempt(options, server_of(pair)), "in")
		same(how + "_foreign", attempt(options, server_of(made("second"))), "refused")
		same(how + "_forged", attempt(options, fixture_server("forged", "forged")), "refused")


func test_names() -> void:
	var pair := made()
	var members := ["root", pair[1]]
	same("host", attempt(TLSOptions.client(bundle_of(members)), server_of(pair), "127.0.0.1"),
		"refused")
	same("override", attempt(TLSOptions.client(bundle_of(members), "localhost"), server_of(pair),
		"127.0.0.1"), "in")
	same("wrong_override", attempt(TLSOptions.client(bundle_of(members), "game.example"),
		server_of(pair)), "refused")
	same("address", attempt(TLSOptions.client(bundle_of(members)), fixture_server("names", "names"),
		"127.0.0.1"), "in")


func test_without_the_name() -> void:
	var pair := made()
	var options := TLSOptions.client_unsafe(bundle_of(["root", pair[1]]))
	same("right", attempt(options, server_of(pair), "127.0.0.1"), "in")
	same("other_right", attempt(options, fixture_server("other_san", "other_san")), "in")
	same("wrong", attempt(options, server_of(made("second"))), "refused")


func test_dates_and_purposes() -> void:
	var options := TLSOptions.client(bundle_of(["root", "expired"]))
	same("expired", attempt(options, fixture_server("expired", "expired")), "refused")
	same("client_only", attempt(options, fixture_server("client_only", "client_only")), "refused")


## The same certificate twice is read as several, too.
func test_one_certificate_twice() -> void:
	var pair := made()
	same("in", attempt(TLSOptions.client(bundle_of([pair[1], pair[1]])), server_of(pair)), "in")
	same("refused",
		attempt(TLSOptions.client(bundle_of([pair[1], pair[1]])), server_of(made("second"))), "refused")


## A client of our kind with its server behind the engine's TLS.
class BundlePair:
	var client: PacketPeer
	var server: PacketPeer
	var stream: StreamPeerTLS
	var port := 0


## The client connects; the server's end of the TLS connection is taken as soon as there is one.
func bundle_pair(prepare := Callable(), path := "/", is_open := true) -> BundlePair:
	var identity := made()
	var pair := BundlePair.new()
	var tcp := listen()
	pair.port = tcp.get_local_port()
	pair.client = watch(new_ws(impl))
	pair.server = new_ws(other)
	if prepare.is_valid():
		prepare.call(pair.client, pair.server)
	var options := TLSOptions.client(bundle_of(["root", identity[1]]))
	equal(pair.client.connect_to_url("wss://localhost:%d%s" % [pair.port, path], options), OK,
		"connect_to_url")
	pair.stream = StreamPeerTLS.new()
	equal(pair.stream.accept_stream(take(tcp), server_of(identity)), OK, "the engine's TLS")
	until(func() -> bool:
		pair.stream.poll()
		return pair.stream.get_status() != StreamPeerTLS.STATUS_HANDSHAKING)
	watch(pair.server)
	equal(pair.server.accept_stream(pair.stream), OK, "accept_stream")
	if is_open:
		until(func() -> bool: return state(pair.client) == OPEN and state(pair.server) == OPEN)
		equal([state_name(pair.client), state_name(pair.server)], ["OPEN", "OPEN"], "client and server")
	return pair


func test_what_a_client_shows() -> void:
	var pair := bundle_pair(func(client: PacketPeer, server: PacketPeer) -> void:
		client.supported_protocols = PackedStringArray(["a", "b"])
		client.handshake_headers = PackedStringArray(["X-Ticket: 7"])
		server.supported_protocols = PackedStringArray(["b"]), "/lobby?a=1")
	same("client_url", pair.client.get_requested_url() == "wss://localhost:%d/lobby?a=1" % pair.port,
		true)
	same("server_url", pair.server.get_requested_url() == "wss://localhost:%d/lobby?a=1" % pair.port,
		true)
	same("host", pair.client.get_connected_host(), "127.0.0.1")
	same("port", pair.client.get_connected_port() == pair.port, true)
	same("protocol", pair.client.get_selected_protocol(), "b")
	same("buffered", pair.client.get_current_outbound_buffered_amount(), 0)
	pair.client.set_no_delay(false)
	if impl == "rust":
		pair.client.send_text("four")
		receive_text(pair.server, 1)
		var statistics: Dictionary = pair.client.get_statistics()
		equal([statistics.messages_out, statistics.bytes_out], [1, 4], "statistics")
	pair.client.close()
	same("closed", until_closed(pair.client), true)
	same("host_after", pair.client.get_connected_host(), "")
	same("port_after", pair.client.get_connected_port(), 0)


func test_messages() -> void:
	var pair := bundle_pair(func(client: PacketPeer, server: PacketPeer) -> void:
		for peer: PacketPeer in [client, server]:
			peer.inbound_buffer_size = 4 << 20
			peer.outbound_buffer_size = 4 << 20)
	pair.client.send_text("to the server")
	pair.server.send_text("to the client")
	same("server_text", receive_text(pair.server, 1), PackedStringArray(["to the server"]))
	same("server_string", pair.server.was_string_packet(), true)
	same("client_text", receive_text(pair.client, 1), PackedStringArray(["to the client"]))
	same("client_string", pair.client.was_string_packet(), true)
	var data := numbered(1, 1 << 20)
	same("to_server", pair.client.send(data), OK)
	same("server_data", receive(pair.server, 1) == [data], true)
	same("server_binary", pair.server.was_string_packet(), false)
	same("to_client", pair.server.send(data), OK)
	same("client_data", receive(pair.client, 1) == [data], true)
	for i in 500:
		pair.client.put_packet(numbered(i, 100 + i % 400))
	same("in_order", in_order(receive(pair.server, 500)), true)


func test_reader_that_pauses() -> void:
	var pair := bundle_pair()
	unwatch(pair.server)
	same("to_server", fill_and_read(pair.client, pair.server), "all in order")


func test_closing() -> void:
	var pair := bundle_pair()
	pair.client.close(4001, "enough")
	same("closing", state_name(pair.client), "CLOSING")
	until(func() -> bool: return state(pair.client) == CLOSED and state(pair.server) == CLOSED)
	ours("client", impl_is_ours(), ending(pair.client), "CLOSED 4001 \"enough\"")
	same("server", ending(pair.server), "CLOSED 4001 \"enough\"")
	pair = bundle_pair()
	pair.server.close(4002, "full")
	until(func() -> bool: return state(pair.client) == CLOSED and state(pair.server) == CLOSED)
	same("kicked", ending(pair.client), "CLOSED 4002 \"full\"")
	pair = bundle_pair()
	pair.client.close(-1)
	same("left", ending(pair.client), "CLOSED -1 \"\"")
	same("left_server", until_closed(pair.server), true)
	same("left_ending", ending(pair.server), "CLOSED -1 \"\"")


func test_used_again() -> void:
	var pair := bundle_pair()
	var options := TLSOptions.client(bundle_of(["root", made()[1]]))
	if impl == "rust":
		expect_error("connect_to_url: .*already")
	same("in_use", pair.client.connect_to_url("wss://localhost:1", options), ERR_ALREADY_IN_USE)
	pair.client.close()
	until_closed(pair.client)
	var tcp := listen()
	same("again", pair.client.connect_to_url("wss://localhost:%d" % tcp.get_local_port(), options), OK)
	same("connecting", state_name(pair.client), "CONNECTING")
	pair.client.close()
	same("given_up", ending(pair.client), "CLOSED -1 \"\"")


func test_unreachable() -> void:
	var options := TLSOptions.client(bundle_of(["root", made()[1]]))
	for url: String in ["wss://127.0.0.1:%d" % free_port(), "wss://no.such.name.invalid"]:
		var client: PacketPeer = watch(new_ws())
		var key := "port" if url.contains("127") else "name"
		# The built-in looks the name up in the call itself.
		saw(key, client.connect_to_url(url, options))
		same(key + "_ends", until_closed(client, 8.0), true)
		same(key + "_ending", ending(client), "CLOSED -1 \"\"")
		unwatch(client)


func test_multiplayer() -> void:
	var pair := made()
	var server := tls_server(server_of(pair))
	var happened: Array[String] = []
	server.peer_connected.connect(func(_id: int) -> void: happened.append("server: in"))
	server.peer_disconnected.connect(func(_id: int) -> void: happened.append("server: gone"))
	var client: MultiplayerPeer = new_mp()
	client.peer_connected.connect(func(id: int) -> void: happened.append("client: in with %d" % id))
	client.peer_disconnected.connect(func(id: int) -> void: happened.append("client: lost %d" % id))
	same("answer", client.create_client("wss://localhost:%d" % server.get_meta("port"),
		TLSOptions.client(bundle_of(["root", pair[1]]))), OK)
	watch(client)
	same("in", until(func() -> bool: return connected(client) and happened.size() >= 2), true)
	same("address", client.get_peer_address(1), "127.0.0.1")
	same("port", client.get_peer_port(1) == server.get_meta("port"), true)
	for i in 1000:
		client.put_packet(numbered(i, 100 + i % 500))
	var got: Array[PackedByteArray] = []
	until(func() -> bool:
		while server.get_available_packet_count() > 0:
			got.append(server.get_packet())
		return got.size() >= 1000, 8.0)
	same("in_order", in_order(got) and got.size() == 1000, true)
	server.set_target_peer(0)
	server.put_packet(numbered(3, 5000))
	same("from_server", until(func() -> bool: return client.get_available_packet_count() > 0), true)
	same("from_server_data", client.get_packet() == numbered(3, 5000), true)
	server.get_peer(client.get_unique_id()).close(4003, "kicked")
	same("kicked", until(func() -> bool: return happened.size() >= 4), true)
	happened.sort()
	same("happened", happened,
		["client: in with 1", "client: lost 1", "server: gone", "server: in"] as Array[String])
	same("status", mp_status(client), "DISCONNECTED")


## What a client has sent before it leaves arrives.
func test_multiplayer_leaves() -> void:
	var pair := made()
	var server := tls_server(server_of(pair))
	var client: MultiplayerPeer = new_mp()
	var options := TLSOptions.client(bundle_of(["root", pair[1]]))
	client.create_client("wss://localhost:%d" % server.get_meta("port"), options)
	watch(client)
	same("in", until(func() -> bool: return connected(client)), true)
	var gone: Array[int] = []
	server.peer_disconnected.connect(func(id: int) -> void: gone.append(id))
	for i in 100:
		client.put_packet(numbered(i, 1000))
	client.close()
	same("status", mp_status(client), "DISCONNECTED")
	var got: Array[PackedByteArray] = []
	same("gone", until(func() -> bool:
		while server.get_available_packet_count() > 0:
			got.append(server.get_packet())
		return gone.size() == 1), true)
	# The built-in loses what comes together with the end.
	ours("arrived", other == "rust", got.size() == 100, true)
	same("again", client.create_client("wss://localhost:%d" % server.get_meta("port"), options), OK)
	same("in_again", until(func() -> bool: return connected(client)), true)


## What a game developer reads. Only ours has words.
func test_sentences() -> void:
	if impl != "rust":
		check(true, "")
		return
	var pair := made()
	var options := TLSOptions.client(bundle_of(["root", pair[1]]))
	_says("untrusted", options, server_of(made("second")),
		["the TLS handshake failed: ", "none of those that this client trusts"])
	_says("name", TLSOptions.client(bundle_of(["root", pair[1]]), "game.example"), server_of(pair),
		["the TLS handshake failed: ", "certificate for 'game.example' was refused"])
	_says("plain_server", options, null, ["the TLS handshake failed: ", "does not speak TLS here"])
	_says("any_name", TLSOptions.client_unsafe(bundle_of(["root", pair[1]])),
		server_of(made("second")), ["the TLS handshake failed: the server's certificate was refused"])


func _says(key: String, client_options: TLSOptions, server_options: TLSOptions,
		parts: Array[String]) -> void:
	var server := tls_server(server_options)
	var client: PacketPeer = watch(new_ws())
	equal(client.connect_to_url("wss://localhost:%d" % server.get_meta("port"), client_options), OK,
		"connect_to_url")
	check(until_closed(client, 6.0), key + " ends")
	equal(ending(client), "CLOSED -1 \"\"", key)
	_message(key, client.get_error_message(), parts)
	unwatch(client)
	unwatch(server)
	server.close()


func _message(key: String, message: String, parts: Array[String]) -> void:
	note("%s: %s" % [key, message])
	for part in parts:
		check(message.contains(part), "%s says '%s', not '%s'" % [key, message, part])


## The other sentences of a connection that does not come about.
func test_sentences_of_connecting() -> void:
	if impl != "rust":
		check(true, "")
		return
	var options := TLSOptions.client(bundle_of(["root", made()[1]]))
	var port := free_port()
	var refused: PacketPeer = watch(new_ws())
	refused.connect_to_url("wss://127.0.0.1:%d" % port, options)
	check(until_closed(refused), "nobody listens")
	_message("refused", refused.get_error_message(),
		["the TCP connection failed: connecting to 127.0.0.1:%d failed" % port])
	var unknown: PacketPeer = watch(new_ws())
	unknown.connect_to_url("wss://no.such.name.invalid", options)
	check(until_closed(unknown, 8.0), "there is no such name")
	_message("name", unknown.get_error_message(),
		["the name resolution failed: the host name 'no.such.name.invalid'"])
	var tcp := listen()
	var silent: PacketPeer = watch(new_ws())
	silent.connect_timeout = 0.3
	silent.connect_to_url("wss://127.0.0.1:%d" % tcp.get_local_port(), options)
	check(until_closed(silent), "nobody answers")
	_message("silent", silent.get_error_message(),
		["the TLS handshake did not finish in time: the connect timeout of 300ms has passed"])
	var multiplayer: MultiplayerPeer = watch(new_mp())
	multiplayer.handshake_timeout = 0.3
	multiplayer.create_client("wss://127.0.0.1:%d" % tcp.get_local_port(), options)
	check(until(func() -> bool: return disconnected(multiplayer)), "a multiplayer client gives up")
	_message("multiplayer", multiplayer.get_error_message(),
		["the TLS handshake did not finish in time: the handshake timeout of 300ms has passed"])


## The answer of a server that refuses the upgrade.
func test_refused_upgrade() -> void:
	if impl != "rust" or other != "rust":
		check(true, "")
		return
	var pair := bundle_pair(func(client: PacketPeer, server: PacketPeer) -> void:
		client.supported_protocols = PackedStringArray(["a"])
		server.supported_protocols = PackedStringArray(["b"]), "/", false)
	check(until_closed(pair.client), "refused")
	equal(pair.client.get_handshake_response_code(), 400, "status")
	_message("refused", pair.client.get_error_message(), ["HTTP status 400"])


## Options without several certificates go on as before, in the same process and on the same peer.
func test_next_to_ordinary_options() -> void:
	var pair := made()
	var server := tls_server(server_of(pair))
	var client: MultiplayerPeer = new_mp()
	for options: TLSOptions in [TLSOptions.client(bundle_of(["root", pair[1]])),
			TLSOptions.client(pair[1]), TLSOptions.client(bundle_of(["root", pair[1]]))]:
		equal(client.create_client("wss://localhost:%d" % server.get_meta("port"), options), OK,
			"create_client")
		watch(client)
		check(until(func() -> bool: return connected(client)), "in")
		check(passes_data(client, server), "data")
		client.close()


## Objects that are let go of at any moment leave nothing behind (the run fails on leaked
## instances).
func test_freed_at_any_moment() -> void:
	var pair := made()
	var server := tls_server(server_of(pair))
	var options := TLSOptions.client(bundle_of(["root", pair[1]]))
	var url := "wss://localhost:%d" % server.get_meta("port")
	for polls in [0, 1, 2, 5, 20, 60]:
		var client: Object = ClassDB.instantiate(mp_class())
		client.create_client(url, options)
		var peer: Object = ClassDB.instantiate(ws_class())
		peer.connect_to_url(url, options)
		for i in polls:
			client.poll()
			peer.poll()
			poll()
			OS.delay_msec(1)
	check(true, "")
