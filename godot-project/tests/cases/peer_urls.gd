extends "res://tests/harness/case.gd"
## What `connect_to_url` takes, what it refuses, and what of it goes out.

const REFUSED := {
	"empty": "",
	"http": "http://127.0.0.1:1/",
	"ftp": "ftp://127.0.0.1:1/",
	"scheme_only": "ws://",
	"no_host": "ws:///path",
	"port_too_big": "ws://127.0.0.1:99999/",
	"port_is_a_word": "ws://127.0.0.1:abc/",
	"path_only": "/only/path",
}
## These name port 1 of this machine, where nobody listens: taken at first, refused by the machine.
const TAKEN := {
	"ws": "ws://127.0.0.1:1/",
	"upper_case_scheme": "WS://127.0.0.1:1/",
	"mixed_case_wss": "wSs://127.0.0.1:1/",
	"no_scheme": "127.0.0.1:1",
	"no_path": "ws://127.0.0.1:1",
	"ipv6": "ws://[::1]:1/",
	"user": "ws://user:secret@127.0.0.1:1/",
	"spaces": "ws://127.0.0.1:1/a path with spaces",
	"fragment": "ws://127.0.0.1:1/path#fragment",
	"query": "ws://127.0.0.1:1/path?a=1&b=2",
}


func test_refused_urls() -> void:
	for key: String in REFUSED:
		var peer := new_ws()
		expect_error("url|address|scheme|host|port")
		same(key, peer.connect_to_url(REFUSED[key]), ERR_INVALID_PARAMETER)
		same(key + "_ending", ending(peer), "CLOSED -1 \"\"")
		saw(key + "_url", peer.get_requested_url())


func test_accepted_urls() -> void:
	for key: String in TAKEN:
		var peer: PacketPeer = watch(new_ws())
		same(key, peer.connect_to_url(TAKEN[key]), OK)
		same(key + "_url", peer.get_requested_url(), TAKEN[key])
		same(key + "_state", state_name(peer), "CONNECTING")
		check(until_closed(peer), key + " is closed in the end")
		same(key + "_ending", ending(peer), "CLOSED -1 \"\"")
		same(key + "_url_after", peer.get_requested_url(), TAKEN[key])
		unwatch(peer)


## A peer that refused a URL can still be used.
func test_good_url_after_a_bad_one() -> void:
	var peer: PacketPeer = watch(new_ws())
	expect_error("url|address|scheme|host|port")
	peer.connect_to_url("ftp://127.0.0.1")
	same("answer", peer.connect_to_url("ws://127.0.0.1:1/"), OK)


func test_tls_options_of_a_server_are_refused() -> void:
	var peer := new_ws()
	expect_error("tls|server|client")
	var options := TLSOptions.server(CryptoKey.new(), X509Certificate.new())
	same("answer", peer.connect_to_url("wss://127.0.0.1:1/", options), ERR_INVALID_PARAMETER)
	same("ending", ending(peer), "CLOSED -1 \"\"")


func test_request_as_sent() -> void:
	var pair := client_asking_raw(func(client: Object) -> void:
		client.supported_protocols = PackedStringArray(["chat", "superchat"])
		client.handshake_headers = PackedStringArray(["X-First: one", "x-second:two",
			"Cookie: a=b; c=d"]), "/path/to?q=1&r=%20")
	var key := pair.raw.header("Sec-WebSocket-Key")
	same("key_is_16_bytes", Marshalls.base64_to_raw(key).size(), 16)
	var port: int = pair.peer.get_requested_url().get_slice(":", 2).get_slice("/", 0).to_int()
	var text: String = pair.raw.head().replace(key, "KEY").replace(":%d" % port, ":PORT")
	same("request", text.split("\r\n"),
		PackedStringArray(["GET /path/to?q=1&r=%20 HTTP/1.1", "Host: 127.0.0.1:PORT",
		"Upgrade: websocket",
		"Connection: Upgrade", "Sec-WebSocket-Key: KEY", "Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Protocol: chat,superchat",
		"X-First: one", "x-second:two", "Cookie: a=b; c=d"]))


func test_request_without_extras() -> void:
	var pair := client_asking_raw()
	var key := pair.raw.header("Sec-WebSocket-Key")
	same("lines", pair.raw.head_lines().size(), 6)
	var second := client_asking_raw()
	same("keys_differ", second.raw.header("Sec-WebSocket-Key") != key, true)


func test_host_header_in_lower_case() -> void:
	var pair := client_asking_raw(Callable(), "/", "LOCALHOST")
	same("host", pair.raw.header("Host").get_slice(":", 0), "localhost")
	same("url_as_passed", pair.peer.get_requested_url().begins_with("ws://LOCALHOST:"), true)


func test_request_target_text() -> void:
	var targets := {
		"none": "",
		"root": "/",
		"dot_segments": "/a/../b/./c",
		"space": "/a b",
		"umlaut": "/ä",
		"percent": "/%41%zz",
		"fragment": "/path#part",
		"query_fragment": "/path?x=1#part",
		"quotes": "/\"<>`{}|\\^",
		"brackets": "/[a]",
		"plus": "/a+b?c+d=e+f",
		"double_slash": "//a//b",
		"upper_case": "/Path/TO",
		"question": "/?",
	}
	for key: String in targets:
		var pair := client_asking_raw(Callable(), targets[key])
		if pair.raw != null:
			saw(key, pair.raw.head_lines()[0].trim_prefix("GET ").trim_suffix(" HTTP/1.1"))
		_drop(pair)


## A query right after the host: ours sends it behind a slash.
func test_query_without_a_path() -> void:
	var tcp := listen()
	var peer: PacketPeer = watch(new_ws())
	ours("answer", impl_is_ours(), peer.connect_to_url("ws://127.0.0.1:%d?x=1" % tcp.get_local_port()),
		OK)
	if not impl_is_ours():
		return
	var raw: RawPeer = watch(RawPeer.new(take(tcp)))
	until(func() -> bool: return not raw.head().is_empty())
	equal(raw.head_lines()[0], "GET /?x=1 HTTP/1.1", "request line")


## User name and password are no part of host and target; ours sends them where HTTP has a place for
## them.
func test_user_and_password_in_a_url() -> void:
	var rows := {
		"both": ["user:secret@", PackedStringArray(), "Basic dXNlcjpzZWNyZXQ="],
		"encoded": ["us%40er:p%2Fa%3Ass%C3%BC@", PackedStringArray(), "Basic dXNAZXI6cC9hOnNzw7w="],
		"user_alone": ["user@", PackedStringArray(), "Basic dXNlcjo="],
		"nothing": [":@", PackedStringArray(), ""],
		"own_header": ["user:secret@", PackedStringArray(["authorization: Bearer token"]),
		"Bearer token"],
	}
	for key: String in rows:
		var tcp := listen()
		var peer: PacketPeer = watch(new_ws())
		peer.handshake_headers = rows[key][1]
		var url := "ws://%s127.0.0.1:%d/p" % [rows[key][0], tcp.get_local_port()]
		same(key + "_answer", peer.connect_to_url(url), OK)
		same(key + "_url_as_passed", peer.get_requested_url() == url, true)
		var raw: RawPeer = watch(RawPeer.new(take(tcp)))
		until(func() -> bool: return not raw.head().is_empty())
		same(key + "_line", raw.head_lines()[0], "GET /p HTTP/1.1")
		same(key + "_host", raw.header("Host").get_slice(":", 0), "127.0.0.1")
		same(key + "_in_plain_text", raw.head().contains("secret"), false)
		ours(key, impl_is_ours(), raw.header("Authorization"), rows[key][2])
		raw.close()
		until_closed(peer)
		if impl_is_ours():
			check(not peer.get_error_message().contains("secret"), "the message keeps the secret")
		unwatch(peer)
		unwatch(raw)


## A refused URL is named without what may be secret.
func test_messages_keep_passwords_and_tokens() -> void:
	for url: String in ["ws://user:secret@127.0.0.1:99999/", "http://user:secret@host",
			"ws://user:se/cret@host", "ws://host:x/?token=secret"]:
		var peer := new_ws()
		expect_error("url|address|scheme|host|port")
		peer.connect_to_url(url)
		if impl_is_ours():
			check(not "cret" in peer.get_error_message(), "the message keeps the secret")
	check(true, "")


## As it comes from text fields and files.
func test_white_space_around_a_url() -> void:
	var spaces := {"before": [" ", ""], "after": ["", " "], "line_end": ["", "\r\n"],
		"tabs": ["\t", "\t"], "no_break_space": ["\u00a0", "\u00a0"]}
	for key: String in spaces:
		var tcp := listen()
		var peer: PacketPeer = watch(new_ws())
		for path: String in ["", "/p"]:
			var url: String = spaces[key][0] + "ws://127.0.0.1:%d%s" % [tcp.get_local_port(),
				path] + spaces[key][1]
			var name := key + path.replace("/", "_")
			allow_error("url|address|scheme|host|port")
			var answer: int = peer.connect_to_url(url)
			var line := ""
			if until(tcp.is_connection_available, 4.0 if impl_is_ours() else 0.1):
				var raw: RawPeer = watch(RawPeer.new(tcp.take_connection()))
				until(func() -> bool: return not raw.head().is_empty())
				line = raw.head_lines()[0]
				unwatch(raw)
			ours(name, impl_is_ours(), ("%d %s" % [answer, line]).strip_edges(), "0 GET %s HTTP/1.1"
				% (path if path else "/"))
			peer.close()
		unwatch(peer)


## Servers that take `Host` headers strictly do not know such names. The built-in takes them, and
## looks them up.
func test_hosts_that_no_server_takes() -> void:
	for host: String in ["`", "a{b}", "\"a\"", "a|b", "a^b", "[fe80::1%]", "[127.0.0.1%25lo]"]:
		if check(true, "") and impl_is_ours():
			expect_error("host")
			equal(new_ws().connect_to_url("ws://%s:1/" % host), ERR_INVALID_PARAMETER, host)


## The address of a computer on the same network without a router needs the interface with it. The
## built-in knows none.
func test_ipv6_address_with_a_zone() -> void:
	for host: String in ["[fe80::1%25lo]", "[fe80::1%lo]", "[fe80::1%251]"]:
		if not check(true, "") or not impl_is_ours():
			continue
		var peer: PacketPeer = watch(new_ws())
		equal(peer.connect_to_url("ws://%s:1/" % host), OK, host)
		check(until_closed(peer), "nobody is there")
		check(peer.get_error_message().contains("[fe80::1%"), "the message names the address: "
			+ peer.get_error_message())
		unwatch(peer)


## The same, with somebody there, where this machine has such an address.
func test_connecting_within_a_zone() -> void:
	for interface: Dictionary in IP.get_local_interfaces():
		for address: String in interface.addresses:
			if not impl_is_ours() or not address.to_lower().begins_with("fe80:"):
				continue
			for zone: String in ["%25" + interface.name, "%" + interface.name]:
				_connect_in_zone("[%s%s]" % [address, zone], address + zone)
	check(true, "")


func _connect_in_zone(host: String, bind_address: String) -> void:
	var server := new_mp()
	var port := free_port()
	if not equal(server.create_server(port, bind_address), OK, "create_server on " + bind_address):
		return
	watch(server)
	var client := new_mp()
	equal(client.create_client("ws://%s:%d" % [host, port]), OK, "create_client " + host)
	watch(client)
	check(until(func() -> bool: return connected(client)), "the client gets in through " + host)
	unwatch(client)
	unwatch(server)


func test_url_without_a_scheme_connects() -> void:
	var tcp := listen()
	var peer: PacketPeer = watch(new_ws())
	same("answer", peer.connect_to_url("127.0.0.1:%d/here" % tcp.get_local_port()), OK)
	var raw: RawPeer = watch(RawPeer.new(take(tcp)))
	until(func() -> bool: return not raw.head().is_empty())
	same("line", raw.head_lines()[0], "GET /here HTTP/1.1")
	raw.accept_upgrade()
	same("opens", until(func() -> bool: return state(peer) == OPEN), true)


func test_ipv6_address_in_brackets() -> void:
	var tcp := TCPServer.new()
	if tcp.listen(0, "::1") != OK:
		note("this machine has no IPv6")
		check(true, "")
		return
	var peer: PacketPeer = watch(new_ws())
	same("answer", peer.connect_to_url("ws://[::1]:%d/" % tcp.get_local_port()), OK)
	var raw: RawPeer = watch(RawPeer.new(take(tcp)))
	until(func() -> bool: return not raw.head().is_empty())
	ours("host", impl_is_ours(), raw.header("Host").trim_suffix(":%d" % tcp.get_local_port()), "[::1]")
	raw.accept_upgrade()
	same("opens", until(func() -> bool: return state(peer) == OPEN), true)
	same("connected_host", peer.get_connected_host(), "0:0:0:0:0:0:0:1")


func _drop(pair: RawPair) -> void:
	pair.peer.close()
	unwatch(pair.peer)
	if pair.raw != null:
		pair.raw.close()
		unwatch(pair.raw)
