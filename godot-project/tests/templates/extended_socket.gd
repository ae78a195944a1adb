extends WebSocketPeer
## A socket with a method of its own. The suite puts in the name of the class under test.

var said := 0


func is_open() -> bool:
	return get_ready_state() == STATE_OPEN


func say(text: String) -> Error:
	said += 1
	return send(text.to_utf8_buffer(), WRITE_MODE_TEXT)
