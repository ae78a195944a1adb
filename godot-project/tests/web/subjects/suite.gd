extends Node
## The order of RustWebSocketClient's signals where the library does not exist, against a server
## that is elsewhere. (`ci/test-client.sh` has many more cases, which need a server of their own.)

var _client: RustWebSocketClient
## The signals of the client, each as "name arguments".
var _events := PackedStringArray()


func _ready() -> void:
	await _is_closed_by_the_server()
	await _is_closed_for_good()
	await _loses_the_connection()
	await _hears_all_before_the_end()
	await _keeps_messages()
	await _finds_nobody()
	await _closes_by_itself()
	await _is_freed_in_a_handler()
	print("WEB DONE")
	get_tree().quit()


func _is_closed_by_the_server() -> void:
	_begin()
	await _until("text Hello")
	_client.send_text("close 4012 restarting")
	await _until("opened", 2)
	_same("a close", ["closed 4012 restarting true", "reconnecting 1", "opened "], 2)
	await _end()


func _is_closed_for_good() -> void:
	_begin()
	await _until("text Hello")
	_client.send_text("close 1000 enough")
	await _until("closed")
	_check("a final close is final", not _client.is_reconnecting())
	await get_tree().create_timer(0.4).timeout
	_same("a final close", ["closed 1000 enough true"], 2)
	await _end()


func _loses_the_connection() -> void:
	_begin()
	await _until("text Hello")
	_client.send_text("die")
	await _until("opened", 2)
	_same("a lost connection", ["closed -1  false", "reconnecting 1", "opened "], 2)
	await _end()


func _hears_all_before_the_end() -> void:
	_begin()
	await _until("text Hello")
	_client.send_text("burst")
	# The engine's class drops what comes together with a close.
	await _until("text burst 2")
	_client.send_text("close 4001 done")
	await _until("reconnecting")
	var wanted := ["text burst 0", "text burst 1", "text burst 2", "closed 4001 done true"]
	_same("messages before a close", wanted + ["reconnecting 1"], 2)
	await _end()


func _keeps_messages() -> void:
	_begin(false)
	_client.queue_limit = 2
	_check("kept", _client.send_text("one") == OK and _client.send_text("two") == OK)
	_check("no more", _client.send_text("three") == ERR_OUT_OF_MEMORY)
	_client.connect_to_url(OS.get_environment("WEB_URL"))
	await _until("text two")
	_check("kept messages leave in order", _events.find("text one") == _events.find("text two") - 1)
	await _end()


func _finds_nobody() -> void:
	_begin(false)
	_client.reconnect_max_attempts = 1
	_client.connect_to_url(OS.get_environment("WEB_DEAF_URL"))
	await _until("reconnect_failed")
	var failed := "failed true"
	_same("nobody", [failed, "reconnecting 1", failed, "reconnect_failed"], 0)
	await _end()


func _closes_by_itself() -> void:
	_begin()
	await _until("text Hello")
	_client.close(1000, "bye")
	await _until("closed")
	_same("a close of ours", ["closed 1000 bye true"], 2)
	_check("it stays closed", not _client.is_open() and not _client.is_reconnecting())
	await _end()


func _is_freed_in_a_handler() -> void:
	_begin()
	_client.text_received.connect(func(_text: String) -> void: _client.queue_free())
	await _until("text Hello")
	await get_tree().create_timer(0.2).timeout
	_check("it is gone", not is_instance_valid(_client))


func _begin(connects := true) -> void:
	_events.clear()
	_client = RustWebSocketClient.new()
	_client.url = OS.get_environment("WEB_URL")
	_client.autoconnect = connects
	_client.reconnect_delay_min = 0.05
	_client.connection_opened.connect(func(protocol: String) -> void: _note("opened " + protocol))
	_client.text_received.connect(func(text: String) -> void: _note("text " + text))
	_client.connection_closed.connect(
		func(code: int, reason: String, was_clean: bool) -> void:
			_note("closed %d %s %s" % [code, reason, was_clean])
	)
	_client.connection_failed.connect(
		func(message: String) -> void: _note("failed %s" % (message != ""))
	)
	_client.reconnecting.connect(
		func(attempt: int, _delay: float) -> void: _note("reconnecting %d" % attempt)
	)
	_client.reconnect_failed.connect(_note.bind("reconnect_failed"))
	add_child(_client)


func _end() -> void:
	_client.free()
	await get_tree().process_frame


func _note(event: String) -> void:
	_events.append(event)


## Until so many signals have come that begin with that.
func _until(start: String, count := 1) -> void:
	var deadline := Time.get_ticks_msec() + 10000
	while Time.get_ticks_msec() < deadline:
		var seen := Array(_events).filter(func(event: String) -> bool: return event.begins_with(start))
		if seen.size() >= count:
			return
		await get_tree().process_frame
	_check("'%s' comes" % start, false)


## What came from the event with that index on, without the greetings of further connections.
func _same(name: String, wanted: Array, first: int) -> void:
	_check(name, Array(_events).slice(first, first + wanted.size()) == wanted)


func _check(name: String, holds: bool) -> void:
	print("WEB ok " if holds else "WEB FAIL ", name, "" if holds else ": %s" % _events)
