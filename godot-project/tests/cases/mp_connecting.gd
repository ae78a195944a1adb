extends "res://tests/harness/case.gd"
## Creating servers and clients, the id, status and signals.


func runs_mixed() -> bool:
	return true


func test_fresh_multiplayer_peer() -> void:
	var peer := new_mp()
	same("status", mp_status(peer), "DISCONNECTED")
	same("id", peer.get_unique_id(), 0)
	same("packets", peer.get_available_packet_count(), 0)
	same("relay", peer.is_server_relay_supported(), true)
	same("mode", peer.transfer_mode, MultiplayerPeer.TRANSFER_MODE_RELIABLE)
	same("channel", peer.transfer_channel, 0)
	same("refusing", peer.refuse_new_connections, false)
	peer.poll()
	peer.close()
	same("after", mp_status(peer), "DISCONNECTED")


func test_default_settings() -> void:
	var peer := new_mp()
	same("inbound", peer.inbound_buffer_size, 65535)
	same("outbound", peer.outbound_buffer_size, 65535)
	same("queue", peer.max_queued_packets, 4096)
	same("timeout", peer.handshake_timeout, 3.0)
	same("headers", peer.handshake_headers, PackedStringArray())
	same("protocols", peer.supported_protocols, PackedStringArray())


func test_server_is_connected_at_once() -> void:
	var server := mp_server()
	same("status", mp_status(server), "CONNECTED")
	same("id", server.get_unique_id(), 1)


func test_client_gets_an_id() -> void:
	var server := mp_server()
	var events := PackedStringArray()
	record(server, func(event: String) -> void: events.append("server " + event))
	var client := mp_client(server)
	record(client, func(event: String) -> void: events.append("client " + event))
	same("status_at_first", mp_status(client), "CONNECTING")
	same("id_at_first", client.get_unique_id(), 0)
	same("connected", until(func() -> bool: return connected(client)), true)
	same("id_is_real", client.get_unique_id() >= 2, true)
	until(func() -> bool: return events.size() == 2)
	events.sort()
	same("events", events, PackedStringArray(["client connected 1", "server connected A"]))
	same("id_is_the_server's", label(client.get_unique_id()), "A")


func test_three_clients() -> void:
	var session := mp_session(3)
	same("server", session.server_events,
		PackedStringArray(["connected A", "connected B", "connected C"]))
	for i in session.clients.size():
		same("client%d" % i, session.client_events[i], PackedStringArray(["connected 1"]))
	same("ids_differ", session.ids.size() == 3 and session.ids[0] != session.ids[1]
		and session.ids[1] != session.ids[2], true)


func test_nobody_there() -> void:
	var client: MultiplayerPeer = watch(new_mp())
	var events := PackedStringArray()
	record(client, func(event: String) -> void: events.append(event))
	same("answer", client.create_client("ws://127.0.0.1:%d" % free_port()), OK)
	same("disconnected", until(func() -> bool: return disconnected(client)), true)
	same("events", events, PackedStringArray())
	same("id", client.get_unique_id(), 0)


func test_client_loses_its_server() -> void:
	var session := mp_session()
	session.server.close()
	same("disconnected", until(func() -> bool: return disconnected(session.clients[0])), true)
	same("events", session.client_events[0], PackedStringArray(["connected 1", "disconnected 1"]))
	same("id", session.clients[0].get_unique_id(), 0)


func test_server_loses_a_client() -> void:
	var session := mp_session(2)
	session.clients[0].close()
	until(func() -> bool: return session.server_events.size() == 3)
	same("events", session.server_events,
		PackedStringArray(["connected A", "connected B", "disconnected A"]))
	same("other_client", session.client_events[1], PackedStringArray(["connected 1"]))
	same("server_status", mp_status(session.server), "CONNECTED")


func test_create_twice() -> void:
	var server := mp_server()
	expect_error("already|in use|create|active|connect")
	allow_error("already|in use|create|active|connect")
	same("server_server", server.create_server(free_port()), ERR_ALREADY_IN_USE)
	same("server_client", server.create_client("ws://127.0.0.1:1"), ERR_ALREADY_IN_USE)
	same("server_status", mp_status(server), "CONNECTED")
	var client := mp_client(server)
	expect_error("already|in use|create|active|connect")
	allow_error("already|in use|create|active|connect")
	same("client_client", client.create_client("ws://127.0.0.1:1"), ERR_ALREADY_IN_USE)
	same("client_server", client.create_server(free_port()), ERR_ALREADY_IN_USE)
	same("client_gets_in", until(func() -> bool: return connected(client)), true)


func test_port_in_use() -> void:
	var holder := listen("*")
	var peer := new_mp(other)
	expect_error("port|address|in use")
	same("answer", peer.create_server(holder.get_local_port()), ERR_ALREADY_IN_USE)
	same("status", mp_status(peer), "DISCONNECTED")
	var server := mp_server()
	allow_error("port|address|in use")
	same("server", peer.create_server(server.get_meta("port"), ANY_ADDRESS), ERR_ALREADY_IN_USE)


func test_bind_addresses() -> void:
	for address: String in ["localhost", "", "nonsense", "127.0.0.1:80", "*.*"]:
		var peer := new_mp(other)
		expect_error("address")
		same("refused_" + address, peer.create_server(free_port(), address), ERR_INVALID_PARAMETER)
		same("status_" + address, mp_status(peer), "DISCONNECTED")
	for address: String in ["127.0.0.1", "*", "0.0.0.0"]:
		var peer := new_mp(other)
		same("taken_" + address, peer.create_server(free_port(), address), OK)
		peer.close()


func test_tls_options_of_the_wrong_side() -> void:
	var server_options := TLSOptions.server(CryptoKey.new(), X509Certificate.new())
	var peer := new_mp()
	expect_error("tls|server|client")
	same("client", peer.create_client("wss://127.0.0.1:1", server_options), ERR_INVALID_PARAMETER)
	allow_error("tls|server|client")
	same("server", peer.create_server(free_port(), "*", TLSOptions.client()), ERR_INVALID_PARAMETER)
	same("status", mp_status(peer), "DISCONNECTED")


func test_client_urls() -> void:
	for url: String in ["", "http://127.0.0.1:1", "ws://", "ws://127.0.0.1:99999"]:
		var peer := new_mp()
		expect_error("url|address|scheme|host|port")
		same("refused_" + url.replace("://", "_"), peer.create_client(url), ERR_INVALID_PARAMETER)
		same("status_" + url.replace("://", "_"), mp_status(peer), "DISCONNECTED")
	var peer := new_mp()
	same("no_scheme", peer.create_client("127.0.0.1:1"), OK)


## An IPv4 address in the form of an IPv6 one.
func test_ipv4_mapped_bind_address() -> void:
	var server := new_mp(other)
	var port := free_port()
	same("answer", server.create_server(port, "::ffff:127.0.0.1"), OK)
	server.set_meta("port", port)
	watch(server)
	var client := mp_client(server)
	same("connects", until(func() -> bool: return connected(client)), true)


func test_bind_address_with_a_zone() -> void:
	for address: String in ["fe80::1%no-such-interface", "fe80::1%", "127.0.0.1%lo"]:
		expect_error("address")
		same(address, new_mp().create_server(free_port(), address), ERR_INVALID_PARAMETER)


func test_addresses() -> void:
	var session := mp_session()
	var id := session.ids[0]
	same("client_as_the_server_sees_it", session.server.get_peer_address(id), "127.0.0.1")
	same("port", session.server.get_peer_port(id) > 0, true)
	same("server_as_the_client_sees_it", session.clients[0].get_peer_address(1), "127.0.0.1")
	same("server_port", session.clients[0].get_peer_port(1) == session.server.get_meta("port"), true)
	allow_error("peer|id")
	same("unknown", session.server.get_peer_address(unknown_id(session)), "")
	allow_error("peer|id")
	same("unknown_port", session.server.get_peer_port(unknown_id(session)), 0)


## `*` listens on IPv4 and IPv6.
func test_server_on_all_addresses() -> void:
	var server: MultiplayerPeer = watch(new_mp(other))
	var port := free_port("*")
	equal(server.create_server(port), OK, "create_server")
	var hosts := ["127.0.0.1"]
	var local := IP.get_local_addresses()
	if "::1" in local or "0:0:0:0:0:0:0:1" in local:
		hosts.append("[::1]")
	for host: String in hosts:
		var client: MultiplayerPeer = watch(new_mp())
		client.create_client("ws://%s:%d" % [host, port])
		same("in_" + host, until(func() -> bool: return connected(client)), true)
		until(func() -> bool: return server.get_peer(client.get_unique_id()) != null)
		same("shown_" + host, server.get_peer_address(client.get_unique_id()),
			"127.0.0.1" if host == "127.0.0.1" else "0:0:0:0:0:0:0:1")


func test_subprotocols_and_headers_of_a_multiplayer_peer() -> void:
	var session := mp_session(1, func(peer: Object) -> void:
		peer.supported_protocols = PackedStringArray([" game "])
		peer.handshake_headers = PackedStringArray(["X-A: 1"]))
	same("server_side", session.server.get_peer(session.ids[0]).get_selected_protocol(), "game")
	same("client_side", session.clients[0].get_peer(1).get_selected_protocol(), "game")


func test_close_of_a_server() -> void:
	var session := mp_session(2)
	session.server.close()
	same("status", mp_status(session.server), "DISCONNECTED")
	same("id", session.server.get_unique_id(), 0)
	until(func() -> bool: return disconnected(session.clients[0]) and disconnected(session.clients[1]))
	same("server_events", session.server_events, PackedStringArray(["connected A", "connected B"]))
	same("client_events", session.client_events[0],
		PackedStringArray(["connected 1", "disconnected 1"]))


func test_close_of_a_client() -> void:
	var session := mp_session()
	session.clients[0].close()
	same("status", mp_status(session.clients[0]), "DISCONNECTED")
	same("id", session.clients[0].get_unique_id(), 0)
	until(func() -> bool: return session.server_events.size() == 2)
	same("client_events", session.client_events[0], PackedStringArray(["connected 1"]))
	same("server_events", session.server_events, PackedStringArray(["connected A", "disconnected A"]))


## The port is free again before `close` returns, and the same objects can be used again.
func test_create_again_after_close() -> void:
	var session := mp_session()
	var port: int = session.server.get_meta("port")
	session.server.close()
	same("server_again", session.server.create_server(port, ANY_ADDRESS), OK)
	until(func() -> bool: return disconnected(session.clients[0]))
	same("client_again", session.clients[0].create_client("ws://127.0.0.1:%d" % port), OK)
	same("in",
		until(func() -> bool: return connected(session.clients[0]) and session.server_events.size() == 2),
		true)
	same("client_events", session.client_events[0],
		PackedStringArray(["connected 1", "disconnected 1", "connected 1"]))
	session.clients[0].close()
	same("client_becomes_server", session.clients[0].create_server(free_port(), ANY_ADDRESS), OK)
	same("its_id", session.clients[0].get_unique_id(), 1)


## Freeing the object does what `close` does.
func test_freed_server() -> void:
	var session := mp_session()
	var weak: WeakRef = weakref(session.server)
	var port: int = session.server.get_meta("port")
	for event: String in ["peer_connected", "peer_disconnected"]:
		for link: Dictionary in session.server.get_signal_connection_list(event):
			session.server.disconnect(event, link.callable)
	unwatch(session.server)
	session.server = null
	same("freed", weak.get_ref() == null, true)
	same("client_notices", until(func() -> bool: return disconnected(session.clients[0])), true)
	same("client_events", session.client_events[0],
		PackedStringArray(["connected 1", "disconnected 1"]))
	same("port_is_free", new_mp(other).create_server(port, ANY_ADDRESS), OK)
