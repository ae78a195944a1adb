extends "res://tests/harness/tls_case.gd"
## `set_tls_options`: certificates that are exchanged while a server listens, and names that have
## their own. The built-in class has none of it.


func runs_mixed() -> bool:
	return false


## Common names of the certificate that a server shows for a name, as a client of the engine's own
## classes finds out: it trusts one after the other.
func _shown(server: MultiplayerPeer, name: String, candidates: Dictionary) -> String:
	for key: String in candidates:
		var client := new_mp()
		# The engine announces the name that it is to check.
		client.create_client("wss://127.0.0.1:%d" % server.get_meta("port"),
			TLSOptions.client(candidates[key], name))
		allow_error("")
		watch(client)
		until(func() -> bool: return not connecting(client), 6.0)
		var is_in := connected(client)
		client.close()
		unwatch(client)
		if is_in:
			return key
	return "none"


func test_a_renewed_certificate() -> void:
	if is_builtin():
		return
	var old := made()
	var renewed := made("renewed")
	var server := tls_server(server_of(old))
	var player := new_mp()
	player.create_client("wss://localhost:%d" % server.get_meta("port"), TLSOptions.client(old[1]))
	watch(player)
	check(until(func() -> bool: return connected(player)), "a client is in")
	equal(server.set_tls_options(server_of(renewed)), OK, "exchanged")
	check(passes_data(player, server), "who plays plays on")
	var candidates := {"old": old[1], "renewed": renewed[1]}
	equal(_shown(server, "localhost", candidates), "renewed", "for newcomers")
	equal(server.set_tls_options(server_of(old)), OK, "back")
	equal(_shown(server, "localhost", candidates), "old", "back")
	check(connected(player), "nobody has left")


func test_chains_from_files() -> void:
	if is_builtin():
		return
	var server := tls_server(server_of(made()))
	equal(server.set_tls_options(TLSOptions.server(key_of("leaf"), certificate("chain"))), OK,
		"a chain that was loaded while the game runs")
	var client := new_mp()
	client.create_client("wss://localhost:%d" % server.get_meta("port"),
		TLSOptions.client(as_resource("root")))
	watch(client)
	check(until(func() -> bool: return connected(client)), "the whole chain is shown")


func test_names_with_their_own() -> void:
	if is_builtin():
		return
	var everybody := made()
	var exact := made("exact", "CN=eu.game.example,O=Test,C=DE")
	var wildcard := made("wildcard", "CN=*.game.example,O=Test,C=DE")
	var server := tls_server(server_of(everybody))
	equal(server.set_tls_options(server_of(wildcard), "*.game.example"), OK, "a wildcard")
	equal(server.set_tls_options(server_of(exact), "EU.game.example."), OK, "a name")
	var candidates := {"everybody": everybody[1], "exact": exact[1], "wildcard": wildcard[1]}
	equal(_shown(server, "localhost", candidates), "everybody", "localhost")
	equal(_shown(server, "eu.game.example", candidates), "exact", "eu.game.example")
	equal(_shown(server, "us.game.example", candidates), "wildcard", "us.game.example")
	equal(server.set_tls_options(null, "eu.game.example"), OK, "taken away")
	# Who has come before resumes the session, without looking at a certificate; this one has not.
	equal(_shown(server, "eu.game.example", {"wildcard": wildcard[1]}), "wildcard", "it is gone")
	equal(server.set_tls_options(null, "never.there.example"), OK, "one that was not there")


func test_what_is_refused() -> void:
	if is_builtin():
		return
	var pair := made()
	var idle := new_mp()
	expect_error("set_tls_options: this multiplayer peer is no server")
	equal(idle.set_tls_options(server_of(pair)), ERR_UNCONFIGURED, "not listening")
	var plain := mp_server()
	expect_error("set_tls_options: this server listens without TLS")
	equal(plain.set_tls_options(server_of(pair)), ERR_UNAVAILABLE, "without TLS")
	var client := mp_client(plain)
	expect_error("set_tls_options: this multiplayer peer is no server")
	equal(client.set_tls_options(server_of(pair)), ERR_UNCONFIGURED, "a client")
	var server := tls_server(server_of(pair))
	expect_error("TLS options for a client")
	equal(server.set_tls_options(TLSOptions.client(pair[1])), ERR_INVALID_PARAMETER, "of a client")
	expect_error("set_tls_options: .*certificate")
	equal(server.set_tls_options(TLSOptions.server(made("second")[0], pair[1])),
		ERR_INVALID_PARAMETER, "the key of another")
	expect_error("set_tls_options: .*(key|certificate)")
	equal(server.set_tls_options(TLSOptions.server(CryptoKey.new(), X509Certificate.new())),
		ERR_INVALID_PARAMETER, "nothing in them")
	expect_error("can only be exchanged")
	equal(server.set_tls_options(null), ERR_INVALID_PARAMETER, "null for everybody")
	for name: String in ["127.0.0.1", "a b", "https://game.example", "*", "eu.*.example"]:
		expect_error("set_tls_options: ")
		equal(server.set_tls_options(server_of(pair), name), ERR_INVALID_PARAMETER, name)
	check(server.get_error_message().contains("wrong place"), server.get_error_message())
	equal(_shown(server, "localhost", {"old": pair[1]}), "old", "the certificate stays")


## A swap under 100 who play and 1000 who connect fails nobody.
func test_exchanging_under_load() -> void:
	if is_builtin():
		return
	start(120.0)
	var key := key_of("ec_leaf")
	var first := TLSOptions.server(key, as_resource("ec_chain"))
	var second := TLSOptions.server(key_of("leaf"), as_resource("chain"))
	var server := tls_server(first)
	server.handshake_timeout = 60.0
	var trust := TLSOptions.client(as_resource("root"))
	var url := "wss://localhost:%d" % server.get_meta("port")
	var players: Array[MultiplayerPeer] = []
	for i in 100:
		players.append(_joins(url, trust))
	check(until(func() -> bool: return players.all(connected), 60.0), "100 play")
	var waves: Array[MultiplayerPeer] = []
	for wave in 10:
		for i in 100:
			waves.append(_joins(url, trust))
		equal(server.set_tls_options(second if wave % 2 == 0 else first), OK, "exchanged")
		poll()
		server.set_target_peer(0)
		server.put_packet(bytes(8))
	check(until(func() -> bool: return waves.all(connected), 100.0), "1000 come in meanwhile")
	equal(players.filter(disconnected).size(), 0, "nobody who plays is lost")
	check(players.all(func(player: MultiplayerPeer) -> bool:
		return player.get_available_packet_count() >= 10), "and each gets everything")


func _joins(url: String, trust: TLSOptions) -> MultiplayerPeer:
	var client := new_mp()
	client.handshake_timeout = 60.0
	client.create_client(url, trust)
	return watch(client)
