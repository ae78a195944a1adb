extends SceneTree
## NatsClient against a real nats-server; see ci/test-nats.sh.
##
##   url=URL          its WebSocket listener
##   user=, pass=     credentials, or token=
##   ca=FILE          whom to trust, for wss://
##   restarts=yes     prints RESTART and waits until the server has been killed and started again

const PATIENCE := 20_000

var _arguments := {}
var _failed := 0
var _got: Array[Dictionary] = []
var _reason := ""


func _initialize() -> void:
	Engine.max_fps = 200
	for argument in OS.get_cmdline_user_args():
		_arguments[argument.get_slice("=", 0)] = argument.substr(argument.find("=") + 1)
	await process_frame
	var client := await _opened(_credentials())
	if client.is_open():
		await _check_payloads(client)
		await _check_order(client)
		await _check_sharing(client)
		_check_refusals(client)
		await _check_permissions(client)
	await _check_closing(client)
	await _check_wrong_credentials()
	await _check_wrong_servers()
	if _arguments.has("restarts"):
		await _check_restart()
	print("NATS DONE")
	quit(1 if _failed else 0)


func _check_payloads(client: NatsClient) -> void:
	var all := PackedByteArray()
	for value in 256:
		all.append(value)
	var largest := PackedByteArray()
	largest.resize(int(client.server_info.max_payload))
	largest.fill(13)
	var payloads: Array[PackedByteArray] = [
		PackedByteArray(), "größer".to_utf8_buffer(), all, "\r\nPUB x 0\r\n\r\n".to_utf8_buffer(),
		largest,
	]
	var sid := client.subscribe("arena.payloads.*", _take)
	for index in payloads.size():
		client.publish("arena.payloads.%d" % index, payloads[index])
	await _until(func() -> bool: return _got.size() == payloads.size())
	for index in mini(payloads.size(), _got.size()):
		_judge("payload %d arrives as it was" % index, _got[index].payload == payloads[index]
			and _got[index].subject == "arena.payloads.%d" % index)
	_judge("all payloads arrive", _got.size() == payloads.size())
	largest.append(0)
	_judge("one byte too many is refused", client.publish("arena.x", largest) == ERR_INVALID_PARAMETER
		and client.error_message == "1048577 bytes; the server takes 1048576")
	client.unsubscribe(sid)
	_got.clear()
	client.publish("arena.payloads.0", all)
	await _answered(client)
	_judge("nothing comes after unsubscribe", _got.is_empty())


## Thousands of messages, joined and cut by both sides as they like.
func _check_order(client: NatsClient) -> void:
	var sid := client.subscribe("arena.order", _take)
	var noise := PackedByteArray()
	for number in 3000:
		noise.resize(number % 97 * 7)
		client.publish("arena.order", str(number).to_utf8_buffer() + noise)
	await _answered(client)
	var is_in_order := _got.size() == 3000
	for number in _got.size():
		is_in_order = is_in_order and int(_got[number].payload.get_string_from_ascii()) == number
	_judge("3000 messages in order (%d)" % _got.size(), is_in_order)
	client.unsubscribe(sid)


func _check_sharing(client: NatsClient) -> void:
	_got.clear()
	var other := await _opened(_credentials())
	var count := [0, 0]
	client.subscribe("arena.work", func(_message: Dictionary) -> void: count[0] += 1, "crew")
	other.subscribe("arena.work", func(_message: Dictionary) -> void: count[1] += 1, "crew")
	other.subscribe("arena.ask", func(message: Dictionary) -> void:
		other.publish(message.reply, "answer".to_utf8_buffer()))
	client.subscribe("arena.reply.>", _take)
	await _answered(other)
	for _index in 100:
		client.publish("arena.work", PackedByteArray())
	client.publish("arena.ask", PackedByteArray(), "arena.reply.1.2")
	await _until(func() -> bool: return count[0] + count[1] == 100 and _got.size() == 1)
	_judge("a queue shares its messages: %s" % [count],
		count[0] + count[1] == 100 and count.min() > 0)
	_judge("a question is answered", _got.size() == 1 and _got[0].subject == "arena.reply.1.2"
		and _got[0].payload.get_string_from_ascii() == "answer")
	other.publish("arena.reply.last", PackedByteArray())
	other.free()
	await _until(func() -> bool: return _got.size() == 2)
	_judge("what was published before leaving arrives", _got.size() == 2)
	_got.clear()


func _check_refusals(client: NatsClient) -> void:
	for subject: String in ["", "a b", "a\r\nPUB b 0\r\n", "a..b", ".a", "a.", "a\tb", "a.>", "*"]:
		_judge("'%s' is not published" % subject.c_escape(),
			client.publish(subject, PackedByteArray()) == ERR_INVALID_PARAMETER
			and client.error_message.begins_with("'%s" % subject.c_escape()))
	for subject: String in ["", "a b", "a\r\n", "a.>.b", "a."]:
		_judge("'%s' is not subscribed to" % subject.c_escape(),
			client.subscribe(subject, _take) == 0)
	_judge("a queue with a blank", client.subscribe("arena.x", _take, "a b") == 0)
	_judge("a reply with a blank",
		client.publish("arena.x", PackedByteArray(), "a b") == ERR_INVALID_PARAMETER)
	_judge("no second connection",
		client.connect_to_url("ws://127.0.0.1:1") == ERR_ALREADY_IN_USE)


func _check_permissions(client: NatsClient) -> void:
	if not _arguments.has("user"):
		return
	var complaints := PackedStringArray()
	client.complained.connect(func(text: String) -> void: complaints.append(text))
	client.publish("elsewhere", PackedByteArray())
	await _until(func() -> bool: return not complaints.is_empty())
	_judge("a subject that is not permitted: %s" % complaints,
		complaints.size() == 1 and complaints[0].contains("elsewhere"))
	await _answered(client)
	_judge("and the connection stays", client.is_open())


func _check_closing(client: NatsClient) -> void:
	_reason = ""
	client.close()
	await process_frame
	_judge("close() is no end to report", not client.is_open() and _reason.is_empty())
	var error := client.publish("arena.x", PackedByteArray())
	_judge("nothing is published then",
		error == ERR_UNCONFIGURED and client.error_message == "not connected")
	client.free()


func _check_wrong_credentials() -> void:
	for wrong: Dictionary in [{}, {"user": "game", "pass": "wrong"}, {"auth_token": "wrong"}]:
		var client := await _opened(wrong)
		_judge("refused: %s (%s)" % [wrong, _reason], not client.is_open()
			and _reason.containsn("the server says: authorization violation"))
		client.free()


func _check_wrong_servers() -> void:
	var client := await _opened({}, "ws://127.0.0.1:1")
	_judge("nobody there: %s" % _reason, _reason.contains("refused"))
	client.free()
	if _arguments.has("ca"):
		var options := TLSOptions.client()
		client = await _opened(_credentials(), _arguments.url, options)
		_judge("a certificate of nobody we trust: %s" % _reason, _reason.contains("certificate"))
		client.free()
	var server := RustWebSocketServer.new()
	server.listen(0, "127.0.0.1")
	var greet := func() -> void:
		server.poll()
		while server.is_connection_available():
			var peer: RustWebSocketPeer = server.take_connection()
			peer.send_text("hello, stranger\r\n")
			peer.poll()
	process_frame.connect(greet)
	client = await _opened({}, "ws://127.0.0.1:%d" % server.get_local_port())
	_judge("another kind of server: %s" % _reason,
		_reason == "the server sent a line that is no NATS: 'hello, stranger'")
	client.free()
	process_frame.disconnect(greet)
	server.stop()


func _check_restart() -> void:
	_got.clear()
	var client := await _opened(_credentials())
	client.subscribe("arena.again", _take)
	await _answered(client)
	_reason = ""
	print("RESTART")
	await _until(func() -> bool: return not _reason.is_empty())
	_judge("a killed server is noticed: %s" % _reason, not client.is_open() and not _reason.is_empty())
	while not client.is_open() and Time.get_ticks_msec() < 3 * PATIENCE:
		if not client._peer:
			client.connect_to_url(_arguments.url, _credentials(), _options())
		await create_timer(0.1).timeout
	client.publish("arena.again", "here".to_utf8_buffer())
	await _until(func() -> bool: return _got.size() == 1)
	_judge("subscriptions hold for the next connection", _got.size() == 1)
	client.free()


## A client that is open, or whose end is in _reason.
func _opened(credentials: Dictionary, url: String = _arguments.url,
		options: TLSOptions = _options()) -> NatsClient:
	var client := NatsClient.new()
	root.add_child(client)
	_reason = ""
	client.closed.connect(func(reason: String) -> void: _reason = reason)
	if client.connect_to_url(url, credentials, options) != OK:
		_reason = client.error_message
	await _until(func() -> bool: return client.is_open() or not _reason.is_empty())
	if credentials == _credentials() and url == _arguments.url and options != null:
		_judge("connected (%s)" % _reason, client.is_open() or _reason.contains("certificate"))
	return client


func _credentials() -> Dictionary:
	if _arguments.has("token"):
		return {"auth_token": _arguments.token}
	return {"user": _arguments.user, "pass": _arguments.pass}


func _options() -> TLSOptions:
	if not _arguments.has("ca"):
		return null
	var trusted := X509Certificate.new()
	trusted.load(_arguments.ca)
	return TLSOptions.client(trusted)


func _answered(client: NatsClient) -> void:
	var answers := [0]
	client.ping(func() -> void: answers[0] += 1)
	await _until(func() -> bool: return answers[0] == 1)


func _until(condition: Callable) -> void:
	var deadline := Time.get_ticks_msec() + PATIENCE
	while not condition.call() and Time.get_ticks_msec() < deadline:
		await process_frame


func _take(message: Dictionary) -> void:
	_got.append(message)


func _judge(what: String, is_right: bool) -> void:
	print("ok " if is_right else "FAIL ", what)
	_failed += 0 if is_right else 1
