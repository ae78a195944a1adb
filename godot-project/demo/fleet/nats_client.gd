class_name NatsClient
extends Node
## Speaks with a NATS server (https://nats.io) over a [RustWebSocketPeer]: what crosses game
## servers, such as a lobby or chat. The server needs a [code]websocket[/code] block in its
## configuration; see [code]ci/fleet/nats.conf[/code].
##
## [codeblock]
## var nats := NatsClient.new()
## add_child(nats)
## nats.subscribe("chat.*", func(message: Dictionary) -> void:
##     print(message.subject, ": ", message.payload.get_string_from_utf8()))
## nats.opened.connect(func() -> void: nats.publish("chat.red", "hello".to_utf8_buffer()))
## nats.connect_to_url("wss://nats.example:443", { "user": "game", "pass": "secret" })
## [/codeblock]
## Subscriptions are kept: they hold for the next connection too. [signal closed] is the place to
## connect again, after a while.

## Connected and let in; all subscriptions are sent.
signal opened
## The connection has ended without [method close], or none came about; [param reason] is one
## sentence.
signal closed(reason: String)
## The server complains about something, and the connection stays: a subject that is not permitted.
signal complained(text: String)

## How long it may take until the server has let us in.
const OPENING_SECONDS: float = 10.0
## Seconds between pings. A server that does not answer two of them is given up.
const PING_SECONDS: float = 20.0
const MAX_UNANSWERED: int = 2
## nats-server makes one WebSocket message of all that waits, which is at most this.
const INBOUND_SIZE: int = (64 << 20) + (1 << 16)
const OUTBOUND_SIZE: int = 8 << 20

## What the server said of itself when the connection began, "max_payload" among it.
var server_info: Dictionary = {}
## Why the last call was refused or the connection ended; one sentence.
var error_message: String = ""

var _peer: RustWebSocketPeer
var _parser: NatsParser
var _credentials: Dictionary = {}
var _is_open: bool = false
## By number: [subject, handler, queue].
var _subscriptions: Dictionary = {}
var _last_sid: int = 0
## Calls to make when a PONG comes, the first one first.
var _awaited: Array[Callable] = []
var _next_look: int = 0


## Starts connecting to a [code]ws://[/code] or [code]wss://[/code] URL. [param credentials]: "user"
## and "pass", or "auth_token", or nothing. [param options] says how to verify a [code]wss://[/code]
## server (see [method TLSOptions.client]). The signals tell how it goes.
func connect_to_url(url: String, credentials: Dictionary = {}, options: TLSOptions = null) -> Error:
	if _peer:
		return _refuse(ERR_ALREADY_IN_USE, "already connected: call close() first")
	var peer := RustWebSocketPeer.new()
	peer.inbound_buffer_size = INBOUND_SIZE
	peer.outbound_buffer_size = OUTBOUND_SIZE
	var error: Error = peer.connect_to_url(url, options)
	if error != OK:
		return _refuse(error, peer.get_error_message())
	_peer = peer
	_parser = NatsParser.new()
	_credentials = credentials.duplicate()
	_look_again_after(OPENING_SECONDS)
	return OK


## Ends the connection; what was published before arrives.
func close() -> void:
	if _peer:
		_peer.close()
		_forget()


func is_open() -> bool:
	return _is_open


## Calls [param handler] with each message of the subject: a [Dictionary] with "subject", "payload"
## (bytes) and "reply" (where to answer, or empty). In a subject [code]*[/code] stands for one token
## and [code]>[/code] for all that follow. Of those who name the same [param queue] one gets each
## message. Returns a number for [method unsubscribe], or 0 for a subject that cannot be used.
func subscribe(subject: String, handler: Callable, queue: String = "") -> int:
	if not _is_subject(subject, true) or (queue and not _is_subject(queue, false)):
		_refuse(ERR_INVALID_PARAMETER,
			"'%s' cannot be subscribed to" % (subject + " " + queue).c_escape())
		return 0
	_last_sid += 1
	_subscriptions[_last_sid] = [subject, handler, queue]
	if _is_open:
		_send_line("SUB %s %s %d" % [subject, queue, _last_sid])
	return _last_sid


func unsubscribe(sid: int) -> void:
	if _subscriptions.erase(sid) and _is_open:
		_send_line("UNSUB %d" % sid)


## Sends [param payload], bytes of any kind, to all who have subscribed to the subject. Returns
## [constant ERR_UNCONFIGURED] while not connected, [constant ERR_INVALID_PARAMETER] for what the
## server would refuse, and [constant ERR_OUT_OF_MEMORY] while it does not read fast enough.
func publish(subject: String, payload: PackedByteArray, reply: String = "") -> Error:
	if not _is_open:
		return _refuse(ERR_UNCONFIGURED, "not connected")
	if not _is_subject(subject, false) or (reply and not _is_subject(reply, false)):
		return _refuse(ERR_INVALID_PARAMETER,
			"'%s' cannot be published to" % (subject + " " + reply).c_escape())
	var most: int = server_info.get("max_payload", NatsParser.MAX_PAYLOAD)
	if payload.size() > most:
		return _refuse(ERR_INVALID_PARAMETER, "%d bytes; the server takes %d" % [payload.size(), most])
	return _send_line("PUB %s %s %d" % [subject, reply, payload.size()], payload + NatsParser.CRLF)


## Calls [param answered] once the server has handled all that was sent before.
func ping(answered: Callable = Callable()) -> Error:
	if not _is_open:
		return _refuse(ERR_UNCONFIGURED, "not connected")
	_awaited.append(answered)
	return _send_line("PING")


func _process(_delta: float) -> void:
	if not _peer:
		return
	var peer: RustWebSocketPeer = _peer
	peer.poll()
	# A handler may close, and connect anew.
	while peer == _peer and peer.get_available_packet_count() > 0:
		_take(peer.get_packet())
	if peer == _peer and peer.get_ready_state() == RustWebSocketPeer.STATE_CLOSED:
		_end(_reason(peer))
	elif peer == _peer and Time.get_ticks_msec() >= _next_look:
		_look_for_life()


func _exit_tree() -> void:
	close()


func _take(data: PackedByteArray) -> void:
	var parser: NatsParser = _parser
	for message: Dictionary in parser.feed(data):
		if parser != _parser:
			return
		_handle(message)
	if parser == _parser and parser.error_message:
		_give_up(parser.error_message)


func _handle(message: Dictionary) -> void:
	match message.op:
		"INFO":
			server_info = message.info
			if not _is_open and _awaited.is_empty():
				_introduce()
		"MSG" when _subscriptions.has(message.sid):
			(_subscriptions[message.sid][1] as Callable).call(message)
		"PING":
			_send_line("PONG")
		"PONG" when _awaited:
			var answered: Callable = _awaited.pop_front()
			if answered.is_valid():
				answered.call()
		"-ERR" when _is_open and message.text.to_lower().begins_with("permissions violation"):
			complained.emit(message.text)
		"-ERR":
			_give_up("the server says: " + message.text)


func _introduce() -> void:
	var hello: Dictionary = { "verbose": false, "pedantic": false, "lang": "gdscript",
		"version": "1", "protocol": 1, "headers": false }
	hello.merge(_credentials)
	_send_line("CONNECT " + JSON.stringify(hello))
	# The answer comes behind the server's opinion of CONNECT.
	_awaited.append(_open)
	_send_line("PING")


func _open() -> void:
	_is_open = true
	error_message = ""
	_look_again_after(PING_SECONDS)
	for sid: int in _subscriptions:
		var subscription: Array = _subscriptions[sid]
		_send_line("SUB %s %s %d" % [subscription[0], subscription[2], sid])
	opened.emit()


func _look_for_life() -> void:
	if not _is_open or _awaited.size() >= MAX_UNANSWERED:
		_give_up("the server does not answer")
		return
	_look_again_after(PING_SECONDS)
	ping()


func _look_again_after(seconds: float) -> void:
	_next_look = Time.get_ticks_msec() + int(seconds * 1000)


func _send_line(line: String, payload: PackedByteArray = []) -> Error:
	var error: Error = _peer.send((line + "\r\n").to_utf8_buffer() + payload)
	if error != OK:
		error_message = _peer.get_error_message()
	return error


func _give_up(reason: String) -> void:
	_peer.close()
	_end(reason)


func _forget() -> void:
	_peer = null
	_parser = null
	_is_open = false
	_awaited.clear()


func _end(reason: String) -> void:
	_forget()
	error_message = reason
	closed.emit(reason)


func _reason(peer: RustWebSocketPeer) -> String:
	var message: String = peer.get_error_message()
	return message if message else "the server has closed the connection"


func _refuse(error: Error, reason: String) -> Error:
	error_message = reason
	return error


## Tokens with dots between them, without blanks and control characters, which would end a line.
static func _is_subject(subject: String, allows_wildcards: bool) -> bool:
	var tokens: PackedStringArray = subject.split(".")
	for index: int in tokens.size():
		var token: String = tokens[index]
		for character: String in token:
			if character.unicode_at(0) <= 32 or character.unicode_at(0) == 127:
				return false
		if token.is_empty() or (token == ">" and index < tokens.size() - 1):
			return false
		if token in ["*", ">"] and not allows_wildcards:
			return false
	return true
