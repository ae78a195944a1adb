extends RefCounted
## A bare TCP socket that speaks just enough WebSocket to send whatever a case wants, right or
## wrong.

const ACCEPT_SALT := "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
const SAMPLE_KEY := "dGhlIHNhbXBsZSBub25jZQ=="
const CONTINUATION := 0
const TEXT := 1
const BINARY := 2
const CLOSE := 8
const PING := 9
const PONG := 10

## As in case.gd.
static var patience := 1.0

var stream: StreamPeerTCP
## What has arrived and was not taken yet.
var received := PackedByteArray()
## Frames of a client are masked; set by the side that this socket plays.
var masks := false
## How fast it reads; 0: what is there.
var bytes_per_second := 0
## True once the other side has closed or reset the connection.
var ended := false

var _head := ""
var _read_at := 0


func _init(connection: StreamPeerTCP) -> void:
	stream = connection


static func connect_to(port: int) -> RefCounted:
	var connection := StreamPeerTCP.new()
	connection.connect_to_host("127.0.0.1", port)
	return new(connection)


func poll() -> void:
	if ended:
		return
	stream.poll()
	match stream.get_status():
		StreamPeerTCP.STATUS_CONNECTING:
			pass
		StreamPeerTCP.STATUS_CONNECTED:
			var waiting := _readable_bytes()
			if waiting > 0:
				received.append_array(stream.get_partial_data(waiting)[1])
		_:
			ended = true


func _readable_bytes() -> int:
	var waiting := stream.get_available_bytes()
	if bytes_per_second > 0:
		var now := Time.get_ticks_usec()
		waiting = mini(waiting, bytes_per_second * mini(now - _read_at, 50_000) / 1_000_000)
		_read_at = now
	return waiting


func is_connected_now() -> bool:
	return stream.get_status() == StreamPeerTCP.STATUS_CONNECTED


func send_bytes(data: PackedByteArray) -> void:
	var sent := 0
	var end := Time.get_ticks_msec() + int(2000 * patience)
	while sent < data.size() and Time.get_ticks_msec() < end:
		var result := stream.put_partial_data(data.slice(sent))
		if result[0] != OK:
			return
		sent += result[1]
		poll()


## Sends without reading what has come in, unlike `send_bytes`; for what fits into the system's
## buffer.
func send_unread(data: PackedByteArray) -> void:
	stream.put_data(data)


func send_ascii(text: String) -> void:
	send_bytes(text.to_utf8_buffer())


func close() -> void:
	stream.disconnect_from_host()
	ended = true


# ---- handshake

## The HTTP head that the other side sent, once it is complete; it stays known.
func head() -> String:
	if _head.is_empty():
		var end := received.get_string_from_ascii().find("\r\n\r\n")
		if end >= 0:
			_head = received.slice(0, end).get_string_from_utf8()
			received = received.slice(end + 4)
	return _head


func head_lines() -> PackedStringArray:
	return head().split("\r\n")


## The value of a header line of the other side; "" if there is none.
func header(name: String) -> String:
	for line in head_lines():
		if line.to_lower().begins_with(name.to_lower() + ":"):
			return line.substr(name.length() + 1).strip_edges()
	return ""


func accept_value() -> String:
	return Marshalls.raw_to_base64((header("Sec-WebSocket-Key") + ACCEPT_SALT).sha1_buffer())


## The server's answer to the request that was read.
func accept_upgrade(more := PackedStringArray()) -> void:
	send_ascii(upgrade_answer(more))


func upgrade_answer(more := PackedStringArray()) -> String:
	var lines := PackedStringArray(["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket",
		"Connection: Upgrade",
		"Sec-WebSocket-Accept: " + accept_value()])
	lines.append_array(more)
	return "\r\n".join(lines) + "\r\n\r\n"


## The client's request, with a key that is known.
func ask_upgrade(target := "/", more := PackedStringArray(), host := "localhost") -> void:
	masks = true
	send_ascii(upgrade_request(target, more, host))


static func upgrade_request(target := "/", more := PackedStringArray(),
		host := "localhost") -> String:
	var lines := PackedStringArray(["GET %s HTTP/1.1" % target, "Host: " + host, "Upgrade: websocket",
		"Connection: Upgrade",
		"Sec-WebSocket-Key: " + SAMPLE_KEY, "Sec-WebSocket-Version: 13"])
	lines.append_array(more)
	return "\r\n".join(lines) + "\r\n\r\n"


# ---- frames

## A frame as bytes; `first_bits` are FIN and the reserved bits.
func frame(opcode: int, payload: PackedByteArray, first_bits := 0x80) -> PackedByteArray:
	return frame_with_length(opcode, payload, payload.size(), first_bits)


## A frame whose header declares `length` whatever the payload holds.
func frame_with_length(opcode: int, payload: PackedByteArray, length: int,
		first_bits := 0x80) -> PackedByteArray:
	var data := PackedByteArray([first_bits | opcode])
	var mask_bit := 0x80 if masks else 0
	if length < 126:
		data.append(mask_bit | length)
	elif length < 65536:
		data.append_array([mask_bit | 126, length >> 8 & 255, length & 255])
	else:
		data.append(mask_bit | 127)
		for shift in [56, 48, 40, 32, 24, 16, 8, 0]:
			data.append(length >> shift & 255)
	if not masks:
		return data + payload
	var key := PackedByteArray([0x12, 0x34, 0x56, 0x78])
	var hidden := payload.duplicate()
	for i in hidden.size():
		hidden[i] ^= key[i & 3]
	return data + key + hidden


func send_frame(opcode: int, payload := PackedByteArray(), first_bits := 0x80) -> void:
	send_bytes(frame(opcode, payload, first_bits))


func send_message(text: String) -> void:
	send_frame(TEXT, text.to_utf8_buffer())


static func close_payload(code: int, reason := "") -> PackedByteArray:
	return PackedByteArray([code >> 8 & 255, code & 255]) + reason.to_utf8_buffer()


## The next complete frame that has arrived, or an empty Dictionary: first, opcode, fin, masked,
## payload.
func take_frame() -> Dictionary:
	if received.size() < 2:
		return {}
	var length := received[1] & 127
	var at := 2
	if length == 126:
		if received.size() < 4:
			return {}
		length = received[2] << 8 | received[3]
		at = 4
	elif length == 127:
		if received.size() < 10:
			return {}
		length = 0
		for i in 8:
			length = length << 8 | received[2 + i]
		at = 10
	var masked := received[1] & 128 != 0
	var key := PackedByteArray()
	if masked:
		key = received.slice(at, at + 4)
		at += 4
	if received.size() < at + length:
		return {}
	var payload := received.slice(at, at + length)
	if masked:
		for i in payload.size():
			payload[i] ^= key[i & 3]
	var first := received[0]
	received = received.slice(at + length)
	return {"first": first, "opcode": first & 15, "fin": first & 128 != 0, "masked": masked,
		"payload": payload}


## All complete frames in short: "text:hello", "close:1000:reason", "ping:", "binary:4 bytes"
## ("binary:" shows text if short).
func take_frames() -> PackedStringArray:
	var texts := PackedStringArray()
	var next := take_frame()
	while not next.is_empty():
		texts.append(describe(next))
		next = take_frame()
	return texts


static func describe(frame_found: Dictionary) -> String:
	var payload: PackedByteArray = frame_found.payload
	var names := {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
	var kind: String = names.get(frame_found.opcode, "opcode %d" % frame_found.opcode)
	if not frame_found.fin:
		kind += "(more)"
	if frame_found.opcode == CLOSE and payload.size() >= 2:
		return "close:%d:%s" % [payload[0] << 8 | payload[1], payload.slice(2).get_string_from_utf8()]
	if payload.size() > 40:
		return "%s:%d bytes" % [kind, payload.size()]
	return "%s:%s" % [kind, payload.get_string_from_utf8()]
