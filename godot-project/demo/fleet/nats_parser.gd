class_name NatsParser
extends RefCounted
## Reads what a NATS server sends, in whatever pieces it arrives. It knows no connection.
##
## The protocol is lines that end in CR LF; the line [code]MSG subject sid [reply] bytes[/code] is
## followed by so many bytes of any kind, and CR LF. One WebSocket message may hold several of
## these, or a part of one. See https://docs.nats.io/reference/reference-protocols/nats-protocol.

## The longest line, and the longest payload (the most that a server can be set to), in bytes.
const MAX_LINE: int = 1 << 20
const MAX_PAYLOAD: int = 64 << 20
const LF: int = 10
const CRLF: PackedByteArray = [13, 10]

## One sentence that says what could not be read, or nothing. Nothing is read behind that.
var error_message: String = ""

var _buffer: PackedByteArray = []
## Where the search for the end of a line goes on.
var _searched: int = 0
## The message whose payload is under way, or an empty one.
var _message: Dictionary = {}
var _missing: int = 0


## Takes the next bytes and returns what they complete, in order: dictionaries whose "op" is INFO
## (with "info", the server's JSON), MSG (with "subject", "sid", "reply", "payload"), PING, PONG,
## +OK, or -ERR (with "text").
func feed(data: PackedByteArray) -> Array[Dictionary]:
	var found: Array[Dictionary] = []
	_buffer.append_array(data)
	var read: int = 0
	while error_message.is_empty():
		var next: int = _read_payload(read, found) if _message else _read_line(read, found)
		if next < 0:
			break
		read = next
	if read > 0:
		_buffer = _buffer.slice(read)
		_searched = maxi(_searched - read, 0)
	return found


## Returns where to read on, or -1 if the line is not complete.
func _read_line(from: int, found: Array[Dictionary]) -> int:
	var end: int = _buffer.find(LF, maxi(from, _searched))
	if (_buffer.size() if end < 0 else end) - from > MAX_LINE:
		return _fail("a line of more than %d bytes" % MAX_LINE)
	if end < 0:
		_searched = _buffer.size()
		return -1
	var line: String = _buffer.slice(from, end).get_string_from_utf8().strip_edges()
	var op: String = line.replace("\t", " ").get_slice(" ", 0).to_upper()
	var rest: String = line.substr(op.length()).strip_edges()
	match op:
		"MSG":
			return end + 1 if _begin_message(rest) else -1
		"INFO":
			var json := JSON.new() # JSON.parse_string() would print an error.
			if json.parse(rest) != OK or not json.data is Dictionary:
				return _fail("INFO without JSON: '%s'" % rest.left(80))
			found.append({ "op": op, "info": json.data })
		"PING", "PONG", "+OK":
			found.append({ "op": op })
		"-ERR":
			found.append({ "op": op, "text": rest.trim_prefix("'").trim_suffix("'") })
		_:
			return _fail("a line that is no NATS: '%s'" % line.left(80))
	return end + 1


func _begin_message(rest: String) -> bool:
	var words: PackedStringArray = rest.replace("\t", " ").split(" ", false)
	var size: int = _number(words[-1]) if words.size() in [3, 4] else -1
	if size < 0 or _number(words[1]) < 0:
		_fail("MSG needs a subject, a number and a size, not '%s'" % rest.left(80))
		return false
	if size > MAX_PAYLOAD:
		_fail("a message of %d bytes; the most is %d" % [size, MAX_PAYLOAD])
		return false
	_missing = size
	_message = {
		"op": "MSG", "subject": words[0], "sid": int(words[1]),
		"reply": words[2] if words.size() == 4 else "",
	}
	return true


func _read_payload(from: int, found: Array[Dictionary]) -> int:
	var end: int = from + _missing
	if _buffer.size() < end + CRLF.size():
		return -1
	if _buffer.slice(end, end + CRLF.size()) != CRLF:
		return _fail("a message for '%s' does not end where it says" % _message.subject)
	_message.payload = _buffer.slice(from, end)
	found.append(_message)
	_message = {}
	return end + CRLF.size()


## The number that [param text] is in digits, or -1. More than 18 may not fit into an int.
func _number(text: String) -> int:
	for digit: String in text:
		if digit < "0" or digit > "9":
			return -1
	return int(text) if text.length() in range(1, 19) else -1


func _fail(what: String) -> int:
	error_message = "the server sent " + what
	return -1
