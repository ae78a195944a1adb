extends "res://tests/client/case.gd"
## Clients that go through proxies or follow redirects: where the peer can, and what is said where
## it cannot.


## A server that answers CONNECT as a proxy, and what comes through it as the game's server.
func _proxy(refuses_first := false) -> Responder:
	return serve(
		func(raw: RawPeer, number: int) -> void:
			if not raw.head().begins_with("CONNECT"):
				raw.accept_upgrade()
			elif refuses_first and number == 1:
				raw.send_ascii("HTTP/1.1 407 Log In\r\n\r\n")
			else:
				raw.send_ascii("HTTP/1.1 200 OK\r\n\r\n")
	)


func _port(server: Responder) -> int:
	return server.url().get_slice(":", 2).to_int()


## The engine's class says that it cannot, and connects all the same.
func _has_said_so(client: RustWebSocketClient) -> bool:
	return client._printed.keys().any(
		func(line: String) -> bool: return "goes through no proxy" in line
	)


func test_every_attempt_goes_through_the_proxy() -> void:
	var proxy := _proxy(true)
	var server := serve()
	var client := make_client()
	client.set_http_proxy("127.0.0.1", _port(proxy), "ada", "secret")
	client.connect_to_url(server.url())
	if not tells_answers():
		await until_event("connection_opened")
		check(_has_said_so(client), "it says that it goes through none")
		equal([client.get_proxy_response_code(), proxy.requests], [0, 0], "nor does it")
		return
	await until_event("reconnecting")
	check("407 Log In" in client.get_error_message(), client.get_error_message())
	equal(client.get_proxy_response_code(), 407, "what the proxy said")
	await until(func() -> bool: return proxy.requests == 2)
	equal(proxy.requests, 2, "the second attempt asks it too")
	check("Proxy-Authorization: Basic" in proxy.latest().head(), "with the login")
	equal(server.requests, 0, "the server is not reached past it")


func test_a_proxy_is_taken_away() -> void:
	var proxy := _proxy()
	var server := serve()
	var client := make_client()
	client.set_http_proxy("127.0.0.1", 1)
	client.set_http_proxy("", -1)
	client.connect_to_url(server.url())
	await until_event("connection_opened")
	check(not _has_said_so(client), "there is none to speak of")
	equal(proxy.requests, 0, "none is asked")


func test_what_cannot_be_used_is_said_at_once() -> void:
	var client := make_client()
	if not tells_answers():
		check(true, "the engine's class does not look at it")
		check(client.get_error_message().is_empty(), "nothing is said")
		return
	expect_error("the proxy's host is a URL")
	client.set_socks_proxy("http://proxy.example", 1080)
	check("the proxy's host is a URL" in client.get_error_message(), client.get_error_message())
	var server := serve()
	client.connect_to_url(server.url())
	await until_event("connection_opened")
	check(client.get_error_message().is_empty(), "none is used")


func test_redirects() -> void:
	var server := serve()
	var redirecting := serve(
		func(raw: RawPeer, _number: int) -> void:
			raw.send_ascii(
				"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n" % server.url()
			)
	)
	var client := make_client({"max_redirects": 2})
	client.connect_to_url(redirecting.url())
	if not tells_answers():
		await until_event("reconnecting")
		equal(server.requests, 0, "the engine's class follows none")
		return
	await until_event("connection_opened")
	equal(client.url, redirecting.url(), "the URL stays")
	expect_error("max_redirects has to be at least 0")
	client.max_redirects = -1
	equal(client.max_redirects, 2, "a refused value changes nothing")
