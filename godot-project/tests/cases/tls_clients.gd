extends "res://tests/harness/tls_case.gd"
## Clients that show certificates, and how old TLS may be. The built-in classes have none of it.

const SocketFiles := preload("res://tests/harness/socket_files.gd")

const NONE := 0
const OPTIONAL := 1
const REQUIRED := 2
const TLS_1_3 := 1

## What a server's callback has seen: the certificate of each request, as PEM, or "".
var _seen: PackedStringArray = []


func runs_mixed() -> bool:
	return false


## A server that asks for certificates which `ca` has signed, or that are `ca`.
func _asking(ca: X509Certificate, auth := REQUIRED, address := ANY_ADDRESS) -> MultiplayerPeer:
	var server := new_mp()
	server.tls_client_auth = auth
	server.tls_client_ca = ca
	server.request_callback = _look
	equal(server.create_server(0, address, server_of(made())), OK, "create_server")
	return watch(server)


func _look(request: RefCounted) -> void:
	var shown: X509Certificate = request.get_tls_client_certificate()
	_seen.append("" if shown == null else shown.save_to_string())
	request.accept()


## A client that shows the pair, or nothing.
func _showing(server: Object, pair: Array, options: TLSOptions = null) -> PacketPeer:
	var client := new_ws()
	if not pair.is_empty():
		client.tls_client_key = pair[0]
		client.tls_client_certificate = pair[1]
	var trust := TLSOptions.client(made()[1]) if options == null else options
	equal(client.connect_to_url("wss://localhost:%d/" % server.get_local_port(), trust), OK,
		"connect_to_url")
	return watch(client)


## "in", or why not.
func _outcome(server: Object, pair: Array, options: TLSOptions = null) -> String:
	var client := _showing(server, pair, options)
	check(until(func() -> bool: return state(client) != CONNECTING, 6.0), "a decision")
	var result := "in" if state(client) == OPEN else String(client.get_error_message())
	client.close(-1)
	unwatch(client)
	return result


func _is_refused(server: Object, pair: Array, part: String) -> void:
	var result := _outcome(server, pair)
	note(result)
	check(result.contains(part), "'%s' says '%s'" % [result, part])


func _server_says(server: MultiplayerPeer, part: String) -> void:
	var is_said := func() -> bool: return server.get_error_message().contains(part)
	check(until(is_said), "'%s' says '%s'" % [server.get_error_message(), part])


static func _fixture(name: String, chain := "") -> Array:
	return [key_of(name), as_resource(name if chain.is_empty() else chain)]


func test_defaults_and_values() -> void:
	if is_builtin():
		return
	for made_object: Object in [new_ws(), new_mp(), ClassDB.instantiate("RustWebSocketServer")]:
		equal(made_object.tls_minimum_version, 0, "tls_minimum_version")
		made_object.tls_minimum_version = TLS_1_3
		expect_error("tls_minimum_version must be TLS_VERSION_1_2 or TLS_VERSION_1_3, not 2")
		made_object.tls_minimum_version = 2
		equal(made_object.tls_minimum_version, TLS_1_3, "a refused value")
		var pair := made()
		if made_object.get_class() != "RustWebSocketServer":
			check(made_object.tls_client_certificate == null and made_object.tls_client_key == null,
				"a client")
			made_object.tls_client_certificate = pair[1]
			made_object.tls_client_key = pair[0]
			equal([made_object.tls_client_certificate, made_object.tls_client_key],
				[pair[1], pair[0]], "the same objects")
			made_object.tls_client_key = null
			check(made_object.tls_client_key == null, "taken away")
		if not made_object is PacketPeer or made_object is MultiplayerPeer:
			check(made_object.tls_client_auth == NONE and made_object.tls_client_ca == null, "a server")
			made_object.tls_client_ca = pair[1]
			equal(made_object.tls_client_ca, pair[1], "the same object")
			expect_error("tls_client_auth must be ")
			made_object.tls_client_auth = 3
			equal(made_object.tls_client_auth, NONE, "a refused value")


func test_the_server_knows_who_it_is() -> void:
	if is_builtin():
		return
	var player := made("second")
	var server := _asking(player[1], OPTIONAL)
	equal(_outcome(server, player), "in", "with one")
	equal(_outcome(server, []), "in", "without")
	equal(_seen, PackedStringArray([player[1].save_to_string(), ""]), "what the callback saw")
	var client := new_mp()
	client.tls_client_certificate = player[1]
	client.tls_client_key = player[0]
	client.create_client("wss://localhost:%d/" % server.get_local_port(),
		TLSOptions.client(made()[1]))
	watch(client)
	check(until(func() -> bool: return connected(client)), "a multiplayer client")
	var id := client.get_unique_id()
	check(until(func() -> bool: return server.get_peer(id) != null), "is a peer")
	var request: RefCounted = server.get_peer(id).get_request()
	equal(request.get_tls_client_certificate().save_to_string(), player[1].save_to_string(),
		"and stays known")


func test_who_gets_in() -> void:
	if is_builtin():
		return
	var server := _asking(as_resource("root"))
	equal(_outcome(server, _fixture("leaf", "chain")), "in", "a chain of three")
	equal(_outcome(server, _fixture("ec_leaf", "ec_chain")), "in", "with EC keys")
	equal(_outcome(server, _fixture("client_only")), "in", "made for clients")
	equal(_outcome(server, [key_of("leaf"), certificate("chain")]), "in",
		"a chain that was loaded while the game runs")
	equal(server.get_error_message(), "", "all is well")
	_is_refused(server, [], "requires a certificate of its clients, and none was shown")
	_server_says(server, "the client has shown no certificate, and tls_client_auth requires one")
	_is_refused(server, _fixture("leaf"), "not one that the server trusts, nor signed by one")
	_is_refused(server, made("second"), "not one that the server trusts, nor signed by one")
	_server_says(server, "the client's certificate is not signed by tls_client_ca")
	_is_refused(server, _fixture("forged"), "refused this client's certificate")
	_is_refused(server, _fixture("no_signature"), "not made for clients")
	server.close()
	server = _asking(as_resource("expired"))
	_is_refused(server, _fixture("expired"), "has expired")
	_server_says(server, "the client's certificate, or one that it depends on, has expired")
	server.close()
	server = _asking(as_resource("root"), OPTIONAL)
	_is_refused(server, made("second"), "not one that the server trusts, nor signed by one")
	equal(server.get_statistics().handshakes_failed, 1, "the server counts it")


## Nobody's tickets, nor what an earlier connection has shown, let anybody in.
func test_what_is_shown_next_counts() -> void:
	if is_builtin():
		return
	var player := made("second")
	var server := _asking(player[1], OPTIONAL)
	var trust := TLSOptions.client(made()[1])
	for pair: Array in [player, [], player, []]:
		equal(_outcome(server, pair, trust), "in", "in")
	var pem: String = player[1].save_to_string()
	equal(_seen, PackedStringArray([pem, "", pem, ""]), "as shown each time")
	server.close()
	server = _asking(player[1])
	equal(_outcome(server, player, trust), "in", "with a certificate")
	var without := _outcome(server, [], trust)
	check(without.contains("none was shown"), without)
	server.close()
	server = _asking(made()[1])
	var foreign := _outcome(server, player, trust)
	check(foreign.contains("not one that the server trusts"), foreign)


func test_an_exchange_of_certificates_keeps_the_question() -> void:
	if is_builtin():
		return
	var player := made("second")
	var server := _asking(player[1])
	var renewed := made("renewed")
	equal(server.set_tls_options(server_of(renewed)), OK, "exchanged")
	var trust := TLSOptions.client(renewed[1])
	equal(_outcome(server, player, trust), "in", "the new certificate")
	var without := _outcome(server, [], trust)
	check(without.contains("none was shown"), without)
	server.tls_client_auth = NONE
	equal(server.set_tls_options(server_of(renewed)), OK, "exchanged again")
	without = _outcome(server, [], trust)
	check(without.contains("none was shown"), "properties count when it listens next: " + without)
	server.close()
	equal(server.create_server(0, ANY_ADDRESS, server_of(renewed)), OK, "listens again")
	watch(server)
	equal(_outcome(server, [], trust), "in", "and does not ask any more")


func test_a_server_of_peers() -> void:
	if is_builtin():
		return
	var player := made("second")
	var server: RefCounted = ClassDB.instantiate("RustWebSocketServer")
	server.tls_client_auth = REQUIRED
	server.tls_client_ca = player[1]
	server.request_callback = _look
	equal(server.listen(0, ANY_ADDRESS, server_of(made())), OK, "listen")
	watch(server)
	var client := _showing(server, player)
	check(until(server.is_connection_available), "in")
	var taken: PacketPeer = watch(server.take_connection())
	var shown: X509Certificate = taken.get_request().get_tls_client_certificate()
	equal(shown.save_to_string(), player[1].save_to_string(), "its certificate")
	check(client.get_request() == null, "a client has no request")
	_is_refused(server, [], "none was shown")
	server.request_callback = Callable()
	server.stop()


func test_settings_that_keep_a_server_from_listening() -> void:
	if is_builtin():
		return
	var options := server_of(made())
	for ca: X509Certificate in [null, X509Certificate.new(), _two_certificates()]:
		var server := new_mp()
		server.tls_client_auth = REQUIRED
		server.tls_client_ca = ca
		expect_error("create_server: .*tls_client_ca")
		equal(server.create_server(0, ANY_ADDRESS, options), ERR_INVALID_PARAMETER, "create_server")
		equal(mp_status(server), "DISCONNECTED", "nothing else")
		var other_server: RefCounted = ClassDB.instantiate("RustWebSocketServer")
		other_server.tls_client_auth = OPTIONAL
		other_server.tls_client_ca = ca
		expect_error("listen: .*tls_client_ca")
		equal(other_server.listen(0, ANY_ADDRESS, options), ERR_INVALID_PARAMETER, "listen")
		check(not other_server.is_listening(), "it does not listen")
	var plain := new_mp()
	plain.tls_client_auth = REQUIRED
	plain.tls_client_ca = made()[1]
	expect_error("create_server: tls_client_auth asks .*, which they show in TLS")
	equal(plain.create_server(0), ERR_INVALID_PARAMETER, "without TLS nobody can show one")
	plain.tls_client_auth = NONE
	equal(plain.create_server(0), OK, "nobody is asked")
	plain.close()
	var house: RefCounted = ClassDB.instantiate("RustWebSocketServer")
	house.listen(0)
	plain.tls_client_auth = REQUIRED
	expect_error("create_server_from: a room has no TLS of its own")
	equal(plain.create_server_from(house), ERR_INVALID_PARAMETER, "a room")


func _two_certificates() -> X509Certificate:
	var both := X509Certificate.new()
	both.load_from_string(FileAccess.get_file_as_string(FIXTURES + "root.crt")
		+ FileAccess.get_file_as_string(FIXTURES + "intermediate.crt"))
	return both


func test_pairs_that_are_none() -> void:
	if is_builtin():
		return
	var pair := made("second")
	var public_key := CryptoKey.new()
	public_key.load_from_string(pair[0].save_to_string(true), true)
	for broken: Array in [
		[pair[0], null, "tls_client_key is set and tls_client_certificate is not"],
		[null, pair[1], "tls_client_certificate is set and tls_client_key is not"],
		[made()[0], pair[1], "the private key is not that of the certificate"],
		[key_of("ec_leaf"), pair[1], "the private key is not that of the certificate"],
		[public_key, pair[1], "tls_client_key is a public key"],
		[CryptoKey.new(), pair[1], "tls_client_key is empty"],
		[pair[0], X509Certificate.new(), "tls_client_certificate is empty"],
	]:
		for url: String in ["wss://localhost:1/", "ws://localhost:1/"]:
			var client := new_ws()
			client.tls_client_key = broken[0]
			client.tls_client_certificate = broken[1]
			expect_error("connect_to_url: .*" + broken[2])
			equal(client.connect_to_url(url), ERR_INVALID_PARAMETER, broken[2])
			equal([state_name(client), client.get_requested_url()], ["CLOSED", ""], "nothing else")
			check(not client.get_error_message().contains("PRIVATE"), "no key is shown")
		var multiplayer_client := new_mp()
		multiplayer_client.tls_client_key = broken[0]
		multiplayer_client.tls_client_certificate = broken[1]
		expect_error("create_client: .*" + broken[2])
		equal(multiplayer_client.create_client("wss://localhost:1/"), ERR_INVALID_PARAMETER, broken[2])
		equal(mp_status(multiplayer_client), "DISCONNECTED", "nothing else")


## Several certificates that were loaded while the game runs: only the engine can read them, and its
## TLS has none of it.
func test_what_the_engines_tls_does_not_have() -> void:
	if is_builtin():
		return
	var options := TLSOptions.client(_two_certificates())
	var client := new_ws()
	client.tls_minimum_version = TLS_1_3
	expect_error("connect_to_url: .*the engine's own TLS, which has neither")
	equal(client.connect_to_url("wss://localhost:1/", options), ERR_INVALID_PARAMETER, "a version")
	client = new_ws()
	client.tls_client_key = made()[0]
	client.tls_client_certificate = made()[1]
	expect_error("connect_to_url: .*the engine's own TLS, which has neither")
	equal(client.connect_to_url("wss://localhost:1/", options), ERR_INVALID_PARAMETER, "a pair")
	client.tls_client_key = null
	client.tls_client_certificate = null
	equal(client.connect_to_url("wss://localhost:1/", options), OK, "with neither")


func test_a_minimum_of_both_sides() -> void:
	if is_builtin():
		return
	var trust := TLSOptions.client(made()[1])
	for versions: Array in [[0, TLS_1_3], [TLS_1_3, 0], [TLS_1_3, TLS_1_3]]:
		var server := new_mp()
		server.tls_minimum_version = versions[0]
		equal(server.create_server(0, ANY_ADDRESS, server_of(made())), OK, "create_server")
		watch(server)
		var client := new_ws()
		client.tls_minimum_version = versions[1]
		client.connect_to_url("wss://localhost:%d/" % server.get_local_port(), trust)
		watch(client)
		check(until(func() -> bool: return state(client) == OPEN), str(versions))
		server.close()


## The greeting of a client that speaks TLS 1.2 alone, and the alert that answers it.
func test_a_client_that_is_too_old_is_told_so() -> void:
	if is_builtin():
		return
	var server := new_mp()
	server.tls_minimum_version = TLS_1_3
	equal(server.create_server(0, ANY_ADDRESS, server_of(made())), OK, "create_server")
	watch(server)
	var raw: RawPeer = watch(RawPeer.connect_to(server.get_local_port()))
	check(until(raw.is_connected_now), "connected")
	# Version 1.2, a random number, no session, one cipher suite, no compression; then what signatures
	# it takes, what groups, and points as they are.
	var hello := PackedByteArray([3, 3])
	hello.resize(34)
	hello.append_array([0, 0, 2, 0xc0, 0x2f, 1, 0, 0, 24])
	hello.append_array([0, 13, 0, 6, 0, 4, 8, 4, 4, 1, 0, 10, 0, 4, 0, 2, 0, 29, 0, 11, 0, 2, 1, 0])
	var head := [22, 3, 1, 0, hello.size() + 4, 1, 0, 0, hello.size()]
	raw.send_bytes(PackedByteArray(head) + hello)
	const PROTOCOL_VERSION := 70
	check(until(func() -> bool: return raw.received.size() >= 7), "an answer")
	var answer := raw.received
	equal([answer[0], answer[5], answer[6]], [21, 2, PROTOCOL_VERSION], "a fatal alert")


## A certificate is for the host that the script has named, as passwords are.
func test_redirects_to_other_hosts_go_without_the_certificate() -> void:
	if is_builtin():
		return
	var player := made("second")
	var target := _asking(player[1], OPTIONAL)
	for host: String in ["localhost", "127.0.0.1"]:
		var place := "Location: wss://%s:%d/" % [host, target.get_local_port()]
		var server := new_mp()
		server.request_callback = func(request: RefCounted) -> void:
			request.respond(307, "", PackedStringArray([place]))
		server.create_server(0, ANY_ADDRESS, server_of(made()))
		watch(server)
		var client := new_ws()
		client.max_redirects = 1
		client.tls_client_key = player[0]
		client.tls_client_certificate = player[1]
		client.connect_to_url("wss://localhost:%d/" % server.get_local_port(),
			TLSOptions.client_unsafe(made()[1]))
		watch(client)
		check(until(func() -> bool: return state(client) == OPEN), "redirected to " + host)
		server.request_callback = Callable()
		unwatch(server)
		server.close()
	equal(_seen, PackedStringArray([player[1].save_to_string(), ""]), "what was shown there")


## Asked for by a client of the engine's TLS: the library's own clients speak to such files without.
func test_tls_on_a_socket_file() -> void:
	if is_builtin() or not ClassDB.class_exists("StreamPeerUDS") or OS.get_name() == "Windows":
		check(true, "")
		return
	var path := SocketFiles.path()
	var server := new_mp()
	server.request_callback = _look
	equal(server.create_server(0, "unix:" + path, server_of(made())), OK, "create_server")
	watch(server)
	var socket: StreamPeer = ClassDB.instantiate("StreamPeerUDS")
	equal(socket.connect_to_host(path), OK, "connect")
	var tls := StreamPeerTLS.new()
	check(until(func() -> bool:
		socket.poll()
		return socket.get_status() == StreamPeerTCP.STATUS_CONNECTED), "connected")
	equal(tls.connect_to_stream(socket, "localhost", TLSOptions.client(made()[1])), OK, "TLS")
	check(until(func() -> bool:
		tls.poll()
		return tls.get_status() == StreamPeerTLS.STATUS_CONNECTED), "the TLS handshake")
	tls.put_data(("GET /over HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
		+ "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
		+ "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").to_ascii_buffer())
	var answer := PackedByteArray()
	check(until(func() -> bool:
		tls.poll()
		answer.append_array(tls.get_partial_data(4096)[1])
		return answer.get_string_from_ascii().begins_with("HTTP/1.1 101")), "the upgrade")
	equal(_seen, PackedStringArray([""]), "the callback saw it, with no certificate")
	tls.disconnect_from_stream()
	server.close()
	check(not FileAccess.file_exists(path), "the file is gone")


func finish() -> void:
	_seen.clear()
	super()
