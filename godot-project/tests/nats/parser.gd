extends SceneTree
## NatsParser without a server: whatever the pieces in which bytes come, the same is read, and what
## cannot be read is said in words. See ci/test-nats.sh.

const RANDOM_CUTS := 300

var _failed := 0


func _initialize() -> void:
	var all := PackedByteArray()
	for value in 256:
		all.append(value)
	var stream := _bytes('INFO {"server_id":"A","max_payload":1048576,"text":"größer"}\r\n+OK\r\n')
	stream += _bytes("PING\r\nMSG a.b 1 5\r\nhello\r\nMSG a.b 12 reply.x 0\r\n\r\n")
	stream += _bytes("msg\tü.c  3\t %d\r\n" % all.size()) + all + _bytes("\r\n")
	var inner := "\r\nMSG a 1 1\r\nPING\r\n"
	stream += _bytes("MSG inner 4 %d\r\n%s\r\n" % [inner.length(), inner])
	stream += _bytes("PONG\r\n-ERR 'Permissions Violation for Publish to \"x\"'\r\n")
	var wanted: Array[Dictionary] = [
		{"op": "INFO", "info": {"server_id": "A", "max_payload": 1048576.0, "text": "größer"}},
		{"op": "+OK"},
		{"op": "PING"},
		{"op": "MSG", "subject": "a.b", "sid": 1, "reply": "", "payload": _bytes("hello")},
		{"op": "MSG", "subject": "a.b", "sid": 12, "reply": "reply.x", "payload": PackedByteArray()},
		{"op": "MSG", "subject": "ü.c", "sid": 3, "reply": "", "payload": all},
		{"op": "MSG", "subject": "inner", "sid": 4, "reply": "", "payload": _bytes(inner)},
		{"op": "PONG"},
		{"op": "-ERR", "text": 'Permissions Violation for Publish to "x"'},
	]
	_check_cuts(stream, wanted)
	_check_refusals()
	_check_long()
	quit(1 if _failed else 0)


func _check_cuts(stream: PackedByteArray, wanted: Array[Dictionary]) -> void:
	_judge("all at once", _read([stream]) == wanted)
	var single: Array[PackedByteArray] = []
	for index in stream.size():
		single.append(stream.slice(index, index + 1))
	_judge("byte by byte", _read(single) == wanted)
	var is_same := true
	for cut in stream.size() + 1:
		is_same = is_same and _read([stream.slice(0, cut), stream.slice(cut)]) == wanted
	_judge("cut in two at each byte", is_same)
	var dice := RandomNumberGenerator.new()
	dice.seed = 7
	is_same = true
	for _round in RANDOM_CUTS:
		var pieces: Array[PackedByteArray] = []
		var from := 0
		while from < stream.size():
			var to := from + dice.randi_range(0, 40)
			pieces.append(stream.slice(from, to))
			from = to
		is_same = is_same and _read(pieces) == wanted
	_judge("cut anywhere", is_same)


func _check_refusals() -> void:
	var refused := {
		"HTTP/1.1 400 Bad Request\r\n": "a line that is no NATS: 'HTTP/1.1 400 Bad Request'",
		"\r\n": "a line that is no NATS: ''",
		"INFO\r\n": "INFO without JSON: ''",
		"INFO {\r\n": "INFO without JSON: '{'",
		"INFO [1]\r\n": "INFO without JSON: '[1]'",
		"MSG a 1\r\n": "MSG needs a subject, a number and a size, not 'a 1'",
		"MSG a b 5\r\n": "MSG needs a subject, a number and a size, not 'a b 5'",
		"MSG a 1 -5\r\n": "MSG needs a subject, a number and a size, not 'a 1 -5'",
		"MSG a 1 b c 5\r\n": "MSG needs a subject, a number and a size, not 'a 1 b c 5'",
		"MSG a 1 99999999999999999999\r\n":
			"MSG needs a subject, a number and a size, not 'a 1 99999999999999999999'",
		"MSG a 1 67108865\r\n": "a message of 67108865 bytes; the most is 67108864",
		"MSG a 1 2\r\nabcd": "a message for 'a' does not end where it says",
	}
	for text: String in refused:
		for at_once: bool in [true, false]:
			var parser := NatsParser.new()
			var pieces: Array[PackedByteArray] = [_bytes("PING\r\n" + text)]
			if not at_once:
				var bytes := pieces.pop_back() as PackedByteArray
				for index in bytes.size():
					pieces.append(bytes.slice(index, index + 1))
			var found: Array[Dictionary] = []
			for piece in pieces:
				found += parser.feed(piece)
			# What came before a fault is handed out, and nothing behind it.
			found += parser.feed(_bytes("PING\r\n"))
			var is_right: bool = parser.error_message == "the server sent " + refused[text]
			_judge("refused: %s (%s)" % [text.c_escape(), parser.error_message],
				is_right and found == [{"op": "PING"}])


func _check_long() -> void:
	var parser := NatsParser.new()
	var blanks := PackedByteArray()
	blanks.resize(NatsParser.MAX_LINE + 1)
	blanks.fill(32)
	parser.feed(blanks)
	_judge("a line without an end", parser.error_message.contains("a line of more than 1048576"))
	var payload := PackedByteArray()
	payload.resize(3_000_000)
	parser = NatsParser.new()
	var began := Time.get_ticks_msec()
	var found := parser.feed(_bytes("MSG big 1 %d\r\n" % payload.size()))
	for from in range(0, payload.size(), 1000):
		found += parser.feed(payload.slice(from, from + 1000))
	found += parser.feed(_bytes("\r\n"))
	# Time grows with the size, not with its square: with the square this takes a minute.
	_judge("a long message in many pieces", found.size() == 1 and found[0].payload == payload
		and Time.get_ticks_msec() - began < 10_000)


func _read(pieces: Array[PackedByteArray]) -> Array[Dictionary]:
	var parser := NatsParser.new()
	var found: Array[Dictionary] = []
	for piece in pieces:
		found += parser.feed(piece)
	if parser.error_message:
		print(parser.error_message)
	return found


func _bytes(text: String) -> PackedByteArray:
	return text.to_utf8_buffer()


func _judge(what: String, is_right: bool) -> void:
	print("ok " if is_right else "FAIL ", what)
	_failed += 0 if is_right else 1
